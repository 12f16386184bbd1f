//! What comes next in the world.

use timeline::{Key, Kind};

/// The kinds that the operator lists when it starts.
pub(super) const KINDS: [Kind; 9] = [
    Kind::Rollout,
    Kind::ReplicaSet,
    Kind::AppVersion,
    Kind::WorkloadVersion,
    Kind::AppContext,
    Kind::RolloutTrace,
    Kind::RolloutAttempt,
    Kind::AnalysisRun,
    Kind::Experiment,
];

#[derive(Debug, Clone)]
pub(super) enum Step {
    Change(usize),
    List(Kind),
    Deliver(Kind),
    Commit(u64),
    Answer(u64),
    Collect(Key),
    Start,
    /// The kind is served again.
    Serve(Kind),
    /// The namespace is deleted.
    Terminate,
}
