//! One version of a Rollout beside its ReplicaSets, and what can be said of a revision from these
//! alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::base::{Phase, Source};
use crate::chain::{Attempt, Linked};
use crate::seen::{NoWorkload, OwnedMetadata, ReplicaSetSeen, RolloutSeen, Template, Workload};

/// A time and its source.
pub(super) type When = (Timestamp, Source);

/// One version of a Rollout and what lies beside it.
pub(crate) struct View<'a> {
    pub(crate) rollout: &'a RolloutSeen,
    pub(crate) replica_sets: &'a [&'a ReplicaSetSeen],
    pub(crate) current: &'a str,
    pub(crate) now: Timestamp,
}

impl View<'_> {
    /// The ReplicaSet of a hash. Two carry the same one only while the older is being deleted.
    pub(super) fn replica_set(&self, hash: &str) -> Option<&ReplicaSetSeen> {
        self.replica_sets
            .iter()
            .filter(|set| set.hash == hash)
            .max_by_key(|set| set.created)
            .copied()
    }
}

pub(super) fn workload(
    set: &ReplicaSetSeen,
    rollout: &OwnedMetadata,
) -> Result<Workload, NoWorkload> {
    match &set.template {
        Template::Decided(workload) => workload.clone(),
        Template::AskRollout(containers) => {
            Workload::of(OwnedMetadata::default().view(), rollout.view(), containers)
        }
    }
}

pub(super) fn not_observed(set: &ReplicaSetSeen, phase: Phase, view: &View<'_>) -> Attempt {
    Attempt {
        revision: set.revision.unwrap_or(0),
        hash: set.hash.clone(),
        number: 1,
        replica_set: Some(set.key.name.clone()),
        workload: workload(set, &view.rollout.metadata).ok(),
        follows: Box::default(),
        phase,
        started: set.created.unwrap_or(view.now),
        started_source: Source::Inferred,
        ended: None,
        reason: None,
        trace: None,
        linked: Linked::none("not observed: it was there before"),
    }
}

/// Kubernetes' timestamps have no fraction; ours do. Compared in the coarser unit.
pub(super) fn not_before(at: Timestamp, other: Timestamp) -> bool {
    at.as_second() >= other.as_second()
}

/// Whether a hash may have been tried before the operator first looked, if none of these attempts
/// was seen to begin: a number that no ReplicaSet has any more was that of one which Argo has
/// numbered again.
pub(super) fn may_have_been_tried(
    set: &ReplicaSetSeen,
    replica_sets: &[&ReplicaSetSeen],
    attempts: &[Arc<Attempt>],
) -> bool {
    let numbers: BTreeSet<i64> = replica_sets.iter().filter_map(|set| set.revision).collect();
    let (Some(first), Some(last)) = (numbers.first(), set.revision) else {
        return false;
    };
    let span = usize::try_from(last.saturating_sub(*first).saturating_add(1));
    attempts.iter().all(|it| it.started_source == Source::Inferred)
        && span.is_ok_and(|span| numbers.range(..=last).count() < span)
}
