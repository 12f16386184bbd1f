//! What an observation is about, in words for people.

use timeline::{Key, Kind, Observation};

/// Its kind, and what happened to an object or a list of it.
pub(crate) fn event(observation: &Observation) -> (Kind, &'static str) {
    match observation {
        Observation::Rollout(_) => (Kind::Rollout, "seen"),
        Observation::ReplicaSet(_) => (Kind::ReplicaSet, "seen"),
        Observation::AppVersion(_) => (Kind::AppVersion, "seen"),
        Observation::WorkloadVersion(_) => (Kind::WorkloadVersion, "seen"),
        Observation::AppContext(_) => (Kind::AppContext, "seen"),
        Observation::RolloutTrace(_) => (Kind::RolloutTrace, "seen"),
        Observation::RolloutAttempt(_) => (Kind::RolloutAttempt, "seen"),
        Observation::AnalysisRun(_) => (Kind::AnalysisRun, "seen"),
        Observation::Experiment(_) => (Kind::Experiment, "seen"),
        Observation::Pod(_) => (Kind::Pod, "seen"),
        Observation::Gone(kind, _) => (*kind, "gone"),
        Observation::Invalid(kind, ..) => (*kind, "invalid"),
        Observation::Listing(kind) => (*kind, "listing"),
        Observation::Listed(kind, _) => (*kind, "listed"),
        Observation::Unavailable(kind, _) => (*kind, "unavailable"),
    }
}

/// The object that was looked at; none where it is gone, cannot be read, or is a pod.
pub(crate) fn object(observation: &Observation) -> Option<&Key> {
    match observation {
        Observation::Rollout(seen) => Some(&seen.key),
        Observation::ReplicaSet(seen) => Some(&seen.key),
        Observation::AppVersion(seen) => Some(&seen.key),
        Observation::WorkloadVersion(seen) => Some(&seen.key),
        Observation::AppContext(seen) => Some(&seen.key),
        Observation::RolloutTrace(seen) => Some(&seen.key),
        Observation::RolloutAttempt(seen) => Some(&seen.key),
        Observation::AnalysisRun(seen) => Some(&seen.key),
        Observation::Experiment(seen) => Some(&seen.key),
        _ => None,
    }
}
