//! One Rollout: what was seen of it last, its chain, and what was stored of that.

use std::collections::BTreeSet;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::ledger_state::LedgerState;
use super::wants::Wants;
use crate::chain::Chain;
use crate::outbox::Retry;
use crate::seen::RolloutSeen;
use crate::stored::Report;

/// Whether the last report stands in the cluster.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// It does not.
    #[default]
    Owed,
    /// `again`: another was due meanwhile, and is looked at once this one is answered.
    UnderWay {
        again: bool,
    },
    Stored,
}

impl Write {
    pub(super) fn is_under_way(self) -> bool {
        matches!(self, Self::UnderWay { .. })
    }
}

/// One Rollout that is worked with.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    pub(super) seen: Option<RolloutSeen>,
    /// It was folded once by this process.
    pub(super) folded: bool,
    /// Versions may have passed since.
    pub(super) gap: bool,
    /// UID that the chain belongs to.
    pub(super) uid: Option<SmolStr>,
    pub(super) chain: Chain,
    /// UID and chain of the one that had its name before, until it was folded once.
    pub(super) former: Option<(SmolStr, Chain)>,
    /// The apps of all its attempts.
    pub(super) apps: BTreeSet<SmolStr>,
    /// Names of the Keptn workloads that its attempts are.
    pub(super) workloads: BTreeSet<SmolStr>,
    /// What its apps know of it.
    pub(super) wants: Wants,
    pub(super) problem: Option<String>,
    pub(super) report: Option<Report>,
    /// Where that report stands.
    pub(super) write: Write,
    /// Another report that was seen in its place since.
    pub(super) seen_report: Option<Report>,
    pub(super) report_due: Option<Timestamp>,
    /// Until then its last end waits for what follows from it.
    pub(super) settles_by: Option<Timestamp>,
    /// Writes of its RolloutTrace that did not come through.
    pub(super) retry: Retry,
    pub(super) ledger: LedgerState,
}

impl Rollout {
    /// Whether it is in the cluster. What a kept RolloutTrace says of one that is gone wants no
    /// links.
    pub(super) fn exists(&self) -> bool {
        self.seen.is_some() || self.problem.is_some()
    }

    /// Whether it is live in this app or tries to be.
    pub(super) fn is_in(&self, app: &str) -> bool {
        let attempts = [self.chain.live(), self.chain.newest()].into_iter().flatten();
        attempts.filter_map(|attempt| attempt.workload.as_ref()).any(|w| w.app == app)
    }

    /// Whether all that is known of it is stored, and nothing is owed or due.
    pub(super) fn is_idle(&self) -> bool {
        self.folded
            && self.write == Write::Stored
            && self.problem.is_none()
            && self.former.is_none()
            && self.seen_report.is_none()
            && self.report_due.is_none()
            && self.retry == Retry::default()
            && self.ledger.is_idle()
    }
}
