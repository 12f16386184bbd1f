//! Why an attempt failed: one class from a short list, and one line that a person understands.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::{Analysis, AnalysisPhase};
use crate::moment::Moment;
use crate::observation::{PodSeen, ReplicaSetSeen, RolloutSeen};

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
    /// The pod that tells it, if one does.
    pub pod: Option<String>,
    /// The container that tells it, if one does.
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
    /// It did not progress in time, and nobody says why.
    DeadlineExceeded,
    /// A person or a tool stopped it.
    ManualAbort,
    /// Nobody says why.
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

// --- placeholders

/// What the pods of a ReplicaSet tell.
pub fn of_pods(_pods: &[&PodSeen], _now: Timestamp) -> Option<Failure> {
    None
}

/// What a ReplicaSet tells.
pub fn of_replica_set(_set: &ReplicaSetSeen, _now: Timestamp) -> Option<Failure> {
    None
}

/// What an analysis that has ended tells.
pub fn of_analysis(analysis: &Analysis) -> Option<Failure> {
    let class = match analysis.phase {
        AnalysisPhase::Failed => FailureClass::AnalysisFailed,
        AnalysisPhase::Error => FailureClass::AnalysisError,
        AnalysisPhase::Inconclusive => FailureClass::AnalysisInconclusive,
        _ => return None,
    };
    let at = analysis.ended.unwrap_or(analysis.started);
    Some(placeholder(class, None, &analysis.message, at))
}

/// What Argo acted upon, and the words that follow.
pub fn abort_cause(message: &str) -> (AbortCause, String) {
    let cause = if message.contains("Step-based analysis") {
        AbortCause::StepAnalysis
    } else if message.contains("Background analysis") {
        AbortCause::BackgroundAnalysis
    } else if message.contains("timed out progressing") {
        AbortCause::Deadline
    } else if message.contains(": ") {
        AbortCause::Unknown
    } else {
        AbortCause::Manual
    };
    (cause, message.to_owned())
}

/// The failure of what was seen and what Argo says.
pub fn decide(evidence: Option<Failure>, argo: Option<Failure>) -> Failure {
    match (evidence, argo) {
        (Some(evidence), Some(argo)) => Failure { cause: argo.cause, ..evidence },
        (Some(evidence), None) => Failure { cause: Some(AbortCause::Unknown), ..evidence },
        (None, Some(argo)) => argo,
        (None, None) => placeholder(
            FailureClass::Unknown,
            Some(AbortCause::Unknown),
            "",
            Moment::inferred(None, Timestamp::UNIX_EPOCH),
        ),
    }
}

/// What Argo says.
pub fn of_argo(rollout: &RolloutSeen, now: Timestamp) -> Option<Failure> {
    let condition = rollout.progress.progressing.as_ref()?;
    if condition.reason != "RolloutAborted" {
        return None;
    }
    let (cause, message) = abort_cause(&condition.message);
    let class = match cause {
        AbortCause::Manual => FailureClass::ManualAbort,
        AbortCause::Deadline => FailureClass::DeadlineExceeded,
        AbortCause::StepAnalysis | AbortCause::BackgroundAnalysis => FailureClass::AnalysisFailed,
        _ => FailureClass::Unknown,
    };
    Some(placeholder(class, Some(cause), &message, Moment::observed(now)))
}

fn placeholder(
    class: FailureClass,
    cause: Option<AbortCause>,
    message: &str,
    at: Moment,
) -> Failure {
    let (reason, message) = (format!("{class:?}"), message.to_owned());
    Failure { class, cause, reason, message, pod: None, container: None, image: None, at }
}
