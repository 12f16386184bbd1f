//! What one attempt counts as.

use jiff::Timestamp;

use crate::base::Phase;
use crate::ledger::{Exposed, Kind, Line, Ref};
use crate::seen::commit::{Refusal, Source};

/// What an attempt counts as. All of it is as known to the ledger, whenever it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The attempt.
    pub line: &'a Line,
    /// When it counts: when it ended.
    pub at: Timestamp,
    /// What it was for, by the ledger: what it goes back to may be known there alone.
    pub kind: Kind,
    /// What it counts as.
    pub counts: Counts,
    /// Its failure, if users could notice it.
    pub failure: Option<Noticed>,
    /// Change lead time of a deployment.
    pub lead: Lead,
    /// The failed attempt that it makes good.
    pub recovers: Option<Ref>,
}

/// What an attempt counts as. Each counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counts {
    /// A new revision became live.
    Deployment,
    /// A new revision became live, and was rolled back or hotfixed within the failure window.
    FailedDeployment,
    /// An earlier revision became live again.
    Rollback,
    /// Stopped or taken back while users could be hit.
    FailedExposed,
    /// Stopped or taken back before users could be hit.
    FailedBlocked,
    /// Stopped or taken back, and it is not known whether users could be hit.
    FailedUnclear,
    /// Replaced by another revision before it was decided: rework.
    Superseded,
    /// As nothing: an initial creation, an upgrade of the controller, a redeploy of what is live, a
    /// rollback that did not come to its end, a deleted Rollout, an end that was not seen.
    Nothing,
}

/// A failure that users could notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noticed {
    /// Since when.
    pub from: Timestamp,
    /// When it was acted upon: it was stopped, or what mends it began.
    pub acted: Timestamp,
    /// When traffic was back on what is good; none if it is not known (yet).
    pub recovered: Option<Timestamp>,
    /// When the next good revision was live; none if there is none yet.
    pub mended: Option<Timestamp>,
}

/// The change lead time of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// It has none: it is no deployment, or the time of its commit is not known.
    None,
    /// The time cannot be right, or measures nothing.
    Refused(Refusal),
    /// So many seconds, by a source.
    Seconds(u32, Source),
}

impl<'a> Verdict<'a> {
    pub(super) fn of(line: &'a Line, at: Timestamp) -> Self {
        Self {
            line,
            at,
            kind: line.kind,
            counts: Counts::Nothing,
            failure: None,
            lead: Lead::None,
            recovers: None,
        }
    }

    /// Whether it is a new revision that is counted.
    pub(super) fn is_change(&self) -> bool {
        matches!(self.kind, Kind::Change | Kind::Hotfix)
    }

    pub(super) fn is_live_change(&self) -> bool {
        matches!(self.counts, Counts::Deployment | Counts::FailedDeployment)
    }

    pub(super) fn good_from(&self) -> Timestamp {
        self.line.good_from().unwrap_or(self.at)
    }

    pub(super) fn decide(&mut self) {
        self.counts = match (self.line.outcome, self.kind) {
            (Phase::Promoted, Kind::Change | Kind::Hotfix) => Counts::Deployment,
            (Phase::Promoted, Kind::Rollback) => Counts::Rollback,
            (Phase::Aborted | Phase::Reverted, Kind::Change | Kind::Hotfix) => {
                match self.line.exposed {
                    Exposed::Yes => Counts::FailedExposed,
                    Exposed::No => Counts::FailedBlocked,
                    Exposed::Unknown => Counts::FailedUnclear,
                }
            }
            (Phase::Superseded, Kind::Change | Kind::Hotfix) => Counts::Superseded,
            _ => Counts::Nothing,
        };
        if self.counts == Counts::FailedExposed {
            self.failure = Some(Noticed {
                from: self.line.hit_from(),
                acted: self.at,
                recovered: self.line.settled.map(|settled| settled.max(self.at)),
                mended: None,
            });
        }
    }
}
