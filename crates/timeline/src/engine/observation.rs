//! What goes in: one look at one object, or at the state of one watch.

use std::collections::BTreeSet;

use crate::base::Key;
use crate::seen::{
    AnalysisRunSeen, AppContextSeen, AppVersionSeen, ExperimentSeen, InvalidSeen, Kind, PodSeen,
    ReplicaSetSeen, RolloutSeen, Unavailable, WorkloadVersionSeen,
};
use crate::stored::{RolloutAttemptSeen, RolloutTraceSeen};

/// One look at one object, or at the state of one watch.
#[derive(Debug, Clone)]
pub enum Observation {
    /// A version of a Rollout.
    Rollout(RolloutSeen),
    /// A version of a ReplicaSet that a Rollout owns.
    ReplicaSet(ReplicaSetSeen),
    /// A version of a KeptnAppVersion.
    AppVersion(AppVersionSeen),
    /// A version of a KeptnWorkloadVersion.
    WorkloadVersion(WorkloadVersionSeen),
    /// A version of a KeptnAppContext.
    AppContext(AppContextSeen),
    /// A version of a RolloutTrace, or what was stored there before a restart.
    RolloutTrace(Box<RolloutTraceSeen>),
    /// A RolloutAttempt that is not delivered yet.
    RolloutAttempt(Box<RolloutAttemptSeen>),
    /// A version of an AnalysisRun.
    AnalysisRun(Box<AnalysisRunSeen>),
    /// A version of an Experiment.
    Experiment(Box<ExperimentSeen>),
    /// A version of a pod of an attempt under way.
    Pod(Box<PodSeen>),
    /// An object is gone.
    Gone(Kind, Key),
    /// An object cannot be read; what was known of it stays.
    Invalid(Kind, InvalidSeen),
    /// A list begins: versions of the kind may have passed unseen.
    Listing(Kind),
    /// A list was read to its end: these objects exist and no others of the kind.
    Listed(Kind, BTreeSet<Key>),
    /// A kind cannot be watched now.
    Unavailable(Kind, Unavailable),
}
