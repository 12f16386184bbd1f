//! Why an attempt failed: one class from a short list, and one line that a person understands.
//!
//! Evidence comes from pods, from their ReplicaSet and from analyses; Argo says what it acted upon;
//! [`decide`] makes one of both.

mod admission;
mod argo;
mod decide;
mod kubelet;
mod pod;
mod pods;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use admission::of_replica_set;
pub use argo::{abort_cause, named_replica_set, of_argo, of_conditions};
pub use decide::decide;
pub use pods::{PodsSaid, of_pods};

use crate::base::Moment;
use crate::base::text::bounded;

/// Limit of [`Failure::reason`].
const REASON_BYTES: usize = 256;
/// Limit of [`Failure::message`].
const MESSAGE_BYTES: usize = 512;
/// Limit of names of objects and images; Kubernetes' own names end at 253.
const NAME_BYTES: usize = 256;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// One of a short list.
    pub class: FailureClass,
    /// What Argo acted upon; none while it has not.
    pub cause: Option<AbortCause>,
    /// One line, e.g. `ImagePullFailed: cart: example/cart:4.0.0: not found (2 of 3 pods)`; at most
    /// 256 bytes.
    pub reason: String,
    /// The words of Argo, the kubelet, the scheduler or the API server; at most 512 bytes.
    pub message: String,
    /// The pod that shows it, if one does; as container and image at most 256 bytes.
    pub pod: Option<String>,
    /// The container that shows it, if one does.
    pub container: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// When it was first seen.
    pub at: Moment,
}

/// What failed. The order is that of precedence: an earlier class explains a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FailureClass {
    /// A container's image cannot be had.
    ImagePullFailed,
    /// A container was killed for its memory.
    OutOfMemory,
    /// A container keeps ending.
    CrashLoop,
    /// A container cannot be made, e.g. for a missing Secret or ConfigMap.
    ContainerConfig,
    /// A volume cannot be attached or mounted.
    VolumeFailed,
    /// No node takes a pod.
    Unschedulable,
    /// A quota forbids pods.
    QuotaExceeded,
    /// Admission refuses pods.
    AdmissionRefused,
    /// A probe keeps a running pod from being ready.
    ProbeFailed,
    /// A metric of an analysis did not pass.
    AnalysisFailed,
    /// A metric of an analysis could not be measured.
    AnalysisError,
    /// An analysis could not decide.
    AnalysisInconclusive,
    /// An Experiment failed.
    ExperimentFailed,
    /// A step plugin failed.
    PluginFailed,
    /// Argo refuses the Rollout's spec.
    InvalidSpec,
    /// It did not progress in time, and the reason is not known.
    DeadlineExceeded,
    /// A person or a tool stopped it.
    ManualAbort,
    /// The reason is not known.
    Unknown,
}

/// What Argo acted upon when it aborted (argo-rollouts rollout/sync.go, `setRolloutAborted`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AbortCause {
    /// A person or a tool.
    Manual,
    /// The analysis of a step.
    StepAnalysis,
    /// The background analysis.
    BackgroundAnalysis,
    /// The analysis before a blue-green switch.
    PrePromotionAnalysis,
    /// The analysis after a blue-green switch.
    PostPromotionAnalysis,
    /// An Experiment.
    Experiment,
    /// A step plugin.
    StepPlugin,
    /// `progressDeadlineAbort`
    Deadline,
    /// Words that are not known.
    Unknown,
}

impl Failure {
    /// Whether it is stored at once: what says it may be gone soon. That pods run and are not ready
    /// can wait, as most get ready.
    pub(crate) fn is_vital(&self) -> bool {
        self.class != FailureClass::ProbeFailed
    }

    /// A failure that no pod shows.
    pub(crate) fn of(class: FailureClass, reason: String, message: &str, at: Moment) -> Self {
        let message = bounded(message, MESSAGE_BYTES);
        Self { class, cause: None, reason, message, pod: None, container: None, image: None, at }
    }
}

impl FailureClass {
    /// The value of the attribute `error.type`.
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::ImagePullFailed => "image_pull_failed",
            Self::OutOfMemory => "out_of_memory",
            Self::CrashLoop => "crash_loop",
            Self::ContainerConfig => "container_config",
            Self::VolumeFailed => "volume_failed",
            Self::Unschedulable => "unschedulable",
            Self::QuotaExceeded => "quota_exceeded",
            Self::AdmissionRefused => "admission_refused",
            Self::ProbeFailed => "probe_failed",
            Self::AnalysisFailed => "analysis_failed",
            Self::AnalysisError => "analysis_error",
            Self::AnalysisInconclusive => "analysis_inconclusive",
            Self::ExperimentFailed => "experiment_failed",
            Self::PluginFailed => "plugin_failed",
            Self::InvalidSpec => "invalid_spec",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::ManualAbort => "manual_abort",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The class and the parts that say something, then `end`, which is never cut: it is ours and short.
pub(crate) fn line(class: FailureClass, parts: &[&str], end: &str) -> String {
    let mut text = class.to_string();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        text.push_str(": ");
        text.push_str(part);
    }
    let mut text = bounded(&text, REASON_BYTES.saturating_sub(end.len()));
    text.push_str(end);
    text
}
