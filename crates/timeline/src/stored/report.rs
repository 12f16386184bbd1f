//! What a RolloutTrace says: the chain, the ledger and three conditions.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::base::Phase;
use crate::chain::Attempt;
use crate::dora;
use crate::ledger::Ledger;

/// Reason of the condition `Linked` where no link is to be written, because a person wants none.
pub const OBSERVE_ONLY: &str = "ObserveOnly";

/// The content of `RolloutTrace.status`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Report {
    /// UID of the Rollout that it is about.
    pub rollout_uid: SmolStr,
    /// `metadata.generation` of the RolloutTrace whose settings were followed.
    pub observed_generation: Option<i64>,
    /// Newest first.
    pub attempts: Vec<Arc<Attempt>>,
    /// One line for each attempt; none while the Rollout was never read. It is shared, not copied.
    pub ledger: Option<Arc<Ledger>>,
    /// How its figures are made.
    pub dora: dora::Settings,
    /// When this was said: figures over the last days are of that time.
    pub at: Timestamp,
    /// Whether the Rollout and what belongs to it can be observed.
    pub observed: Condition,
    /// Whether the next revision's trace will be linked to this one's.
    pub linked: Condition,
    /// Whether the attempts are stored and their spans leave.
    pub exported: Condition,
}

/// A Kubernetes condition without its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// True, False, or not known yet.
    pub status: Option<bool>,
    /// One word in CamelCase.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
    /// When the status last changed.
    pub since: Timestamp,
}

impl Report {
    /// Whether both list the same newest attempts, as far back as both go, and of the same
    /// outcomes, and whether no line of this one's ledger is lost in the other.
    pub fn agrees_with(&self, other: &Self) -> bool {
        fn outcome(attempt: &Attempt) -> (&str, i64, u32, Phase) {
            (&attempt.hash, attempt.revision, attempt.number, attempt.phase)
        }
        self.rollout_uid == other.rollout_uid
            && self.attempts.is_empty() == other.attempts.is_empty()
            && self.attempts.iter().zip(&other.attempts).all(|(a, b)| outcome(a) == outcome(b))
            && match (&self.ledger, &other.ledger) {
                (Some(ours), Some(other)) => ours.is_within(other),
                (ours, _) => ours.is_none(),
            }
    }

    /// Whether writing `newer` over this one says nothing new. Which
    /// KeptnWorkloadVersion agrees is found out again by any restart and comes ten seconds late:
    /// it goes along with the next fact that is worth a write.
    pub fn says_as_much_as(&self, newer: &Self) -> bool {
        fn essence(attempt: &Attempt) -> Attempt {
            let mut attempt = attempt.clone();
            if let Some(trace) = &mut attempt.trace {
                trace.workload_version = None;
            }
            attempt
        }
        let as_much = |stored: &Ledger, newer: &Ledger| stored.says_as_much_as(newer);
        self.rollout_uid == newer.rollout_uid
            && match (&self.ledger, &newer.ledger) {
                (Some(stored), Some(newer)) => Arc::ptr_eq(stored, newer) || as_much(stored, newer),
                (stored, newer) => stored.is_none() == newer.is_none(),
            }
            && self.observed_generation == newer.observed_generation
            && self.observed == newer.observed
            && self.linked == newer.linked
            && self.exported == newer.exported
            && self.attempts.len() == newer.attempts.len()
            && self
                .attempts
                .iter()
                .zip(&newer.attempts)
                .all(|(a, b)| Arc::ptr_eq(a, b) || essence(a) == essence(b))
    }
}

impl Condition {
    /// The condition as it reads now; it keeps the time of an earlier one of equal status.
    pub fn now(
        status: Option<bool>,
        reason: &str,
        message: impl Into<String>,
        earlier: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let since = earlier.filter(|earlier| earlier.status == status).map(|earlier| earlier.since);
        // Kubernetes stores conditions to the second; ours must compare equal when read back.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
            since: since.unwrap_or(now),
        }
    }
}
