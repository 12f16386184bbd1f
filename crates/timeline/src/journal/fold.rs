//! The fold: versions of a Rollout and of what lies around it in, entries of the timeline out.

use jiff::Timestamp;

use super::Journal;
use crate::attempt::Attempt;
use crate::chain::Turn;
use crate::moment::Moment;
use crate::observation::{AnalysisRunSeen, ExperimentSeen, PodSeen, ReplicaSetSeen, RolloutSeen};

/// One version of a Rollout as the journal of its newest attempt sees it.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The version.
    pub rollout: &'a RolloutSeen,
    /// The version just before it; none if others may have passed between, or nothing was seen yet.
    pub before: Option<&'a RolloutSeen>,
    /// The attempt as the chain has it now: it decides about start, end and outcome.
    pub attempt: &'a Attempt,
    /// It is the newest attempt of its Rollout.
    pub newest: bool,
    /// The attempt's ReplicaSet.
    pub replica_set: Option<&'a ReplicaSetSeen>,
    /// The ReplicaSet of what was live when the attempt began.
    pub stable_set: Option<&'a ReplicaSetSeen>,
    /// Keptn may still make a trace for the attempt.
    pub keptn_may_come: bool,
    /// The time of the look.
    pub now: Timestamp,
}

impl Journal {
    /// Takes in a version of the Rollout.
    pub fn observe(&mut self, _look: &Look<'_>) -> Turn {
        Turn::Same
    }

    /// Takes in a version of an AnalysisRun of this attempt.
    pub fn analysis_seen(&mut self, _run: &AnalysisRunSeen, _now: Timestamp) -> Turn {
        Turn::Same
    }

    /// Takes in a version of an Experiment of this attempt.
    pub fn experiment_seen(&mut self, _experiment: &ExperimentSeen, _now: Timestamp) -> Turn {
        Turn::Same
    }

    /// Looks at all pods of the attempt's ReplicaSet that are known.
    pub fn pods_seen(&mut self, _pods: &[&PodSeen], _now: Timestamp) -> Turn {
        Turn::Same
    }

    /// The Rollout is gone.
    pub fn deleted(&mut self, _at: Moment) -> Turn {
        Turn::Same
    }

    /// Decides what has waited long enough.
    pub fn settle(&mut self, _now: Timestamp) -> Turn {
        Turn::Same
    }

    /// When [`Journal::settle`] has something to decide even if nothing arrives.
    pub fn due(&self) -> Option<Timestamp> {
        None
    }
}
