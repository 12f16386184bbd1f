//! What one look at one object says, in our words: one file for each kind of other projects. The
//! operator's `observe` is the only place that makes these from Kubernetes objects; nothing here
//! keeps more than what is decided upon.

mod analysis;
pub mod commit;
mod event;
mod experiment;
mod keptn;
mod kind;
mod pod;
mod progress;
mod replica_set;
mod rollout;
pub mod workload;

pub use analysis::{
    AnalysisKind, AnalysisPhase, AnalysisRunSeen, EvidenceOwner, MeasurementSeen, MetricSeen,
};
pub use event::{EventSeen, EventsSeen};
pub use experiment::ExperimentSeen;
pub use keptn::{AppContextSeen, AppVersionSeen, WorkloadVersionSeen};
pub use kind::{InvalidSeen, Kind, Unavailable};
pub use pod::{ContainerSeen, PodSeen, Terminated};
pub use progress::{ConditionSeen, PauseKind, PauseSeen, Progress, StepPlan, Strategy};
pub use replica_set::{ReplicaSetSeen, RevisionFacts, Template};
pub use rollout::{OwnedMetadata, RolloutSeen};
pub use workload::{Container, Metadata, NoWorkload, Workload};
