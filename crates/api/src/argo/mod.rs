//! Argo Rollouts, and what it owns: ReplicaSets, AnalysisRuns, Experiments, pods.
//!
//! Source: argo-rollouts `pkg/apis/rollouts/v1alpha1/types.go`, `analysis_types.go` and
//! `experiment_types.go`, 1.7 to 1.11.

mod analysis;
mod digest;
mod pod;
mod replica_set;
mod rollout;

use jiff::Timestamp;
use serde::Deserialize;

pub use analysis::{
    AnalysisRun, AnalysisRunSpec, AnalysisRunStatus, Experiment, ExperimentStatus, Measurement,
    MetricResult,
};
pub use digest::Digest;
pub use pod::{
    ContainerState, ContainerStatus, NamedContainer, Pod, PodPlan, PodStatus, ReadinessGate,
    RunningState, SchedulingGate, TerminatedState, WaitingState,
};
pub use replica_set::{
    Container, EnvVar, PodSpec, PodTemplate, ReplicaSet, ReplicaSetSpec, ReplicaSetStatus,
    TemplateMetadata,
};
pub use rollout::{
    AnalysisStep, BlueGreenStatus, BlueGreenStrategy, CanaryStatus, CanaryStep, CanaryStrategy,
    Duration, ExperimentStep, Keys, NamedRun, NamedStep, PauseCondition, PauseStep, PluginStatus,
    Rollout, RolloutSpec, RolloutStatus, RolloutStrategy, RouteStep, ScaleStep, TemplateRef,
    TrafficRouting, TrafficWeights, WeightDestination,
};

/// Annotation with Argo's revision number, on Rollouts, ReplicaSets, AnalysisRuns, Experiments.
pub const REVISION: &str = "rollout.argoproj.io/revision";
/// Label with the pod-template-hash, on ReplicaSets, pods and AnalysisRuns.
pub const POD_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";
/// Annotation of a Rollout with a workloadRef: generation of the template that it refers to.
pub const WORKLOAD_GENERATION: &str = "rollout.argoproj.io/workload-generation";
/// Annotation of a ReplicaSet: which labels and annotations Argo added to its template.
pub const EPHEMERAL_METADATA: &str = "rollout.argoproj.io/ephemeral-metadata";
/// Label of an AnalysisRun: what it decides about.
pub const ROLLOUT_TYPE: &str = "rollout-type";
/// Label of an AnalysisRun of a step: its index.
pub const STEP_INDEX: &str = "step-index";

/// A condition as Rollouts, ReplicaSets and pods have them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about, e.g. Completed, Progressing, ReplicaFailure, PodScheduled.
    pub r#type: Option<String>,
    /// True, False, Unknown.
    pub status: Option<String>,
    /// One word.
    pub reason: Option<String>,
    /// Words for a person.
    pub message: Option<String>,
    /// When the status last changed.
    pub last_transition_time: Option<Timestamp>,
}
