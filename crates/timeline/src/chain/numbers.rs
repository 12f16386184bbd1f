//! Which numbers of revisions belong to nothing that is known. Argo counts without a hole, and
//! gives a new number to a revision that comes back: what had the number before is forgotten
//! (argo-rollouts rollout/sync.go, `getNewReplicaSet`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Attempt, Chain};
use crate::seen::{ReplicaSetSeen, RolloutSeen};

/// The numbers of revisions after one and up to another, and those of them that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbers {
    after: i64,
    until: i64,
    known: BTreeSet<i64>,
}

impl Numbers {
    /// Takes note that these are known.
    pub(crate) fn know(&mut self, numbers: impl IntoIterator<Item = i64>) {
        let within = |number: &i64| self.after < *number && *number <= self.until;
        self.known.extend(numbers.into_iter().filter(within));
    }

    /// Leaves out those before this one.
    pub(crate) fn begin_at(&mut self, number: i64) {
        self.after = self.after.max(number.saturating_sub(1));
        self.known.retain(|known| *known > self.after);
    }

    /// Whether one of them is not known.
    pub(crate) fn are_lacking(&self) -> bool {
        i64::try_from(self.known.len()) != Ok(self.until.saturating_sub(self.after).max(0))
    }
}

impl Chain {
    /// The numbers since the attempts `before`.
    pub(crate) fn numbers_since(
        &self,
        before: &[Arc<Attempt>],
        rollout: &RolloutSeen,
        replica_sets: &[&ReplicaSetSeen],
    ) -> Numbers {
        let highest =
            |attempts: &[Arc<Attempt>]| attempts.iter().map(|it| it.revision).max().unwrap_or(0);
        let (after, until) = (highest(before), highest(&self.attempts));
        let mut numbers = Numbers { after, until, known: BTreeSet::new() };
        numbers.know(self.attempts.iter().map(|attempt| attempt.revision));
        // Of another Rollout: this one never tried to bring it live.
        let inherited = replica_sets.iter().filter(|set| set.is_inherited(rollout));
        numbers.know(inherited.filter_map(|set| set.revision));
        numbers
    }
}
