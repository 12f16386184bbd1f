//! A Rollout: how far its attempt is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The fields of a Rollout that show how far its attempt is.
#[expect(clippy::struct_excessive_bools, reason = "each says another thing, as in Argo's status")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The status is of this generation of the spec, and of this generation of a workloadRef.
    pub up_to_date: bool,
    /// Digest of `spec.template`; none with a workloadRef.
    pub template: Option<u64>,
    /// `spec.strategy`
    pub strategy: Option<Strategy>,
    /// `spec.strategy.canary.steps`, at most 128.
    pub steps: Vec<StepPlan>,
    /// How many steps there are, those included that are not kept.
    pub step_count: u32,
    /// `status.currentStepIndex`
    pub step: Option<u32>,
    /// `status.currentStepHash`
    pub step_hash: Option<SmolStr>,
    /// `status.pauseConditions`, and `spec.paused`.
    pub pauses: Vec<PauseSeen>,
    /// `spec.strategy.blueGreen.autoPromotionSeconds`, if there are any.
    pub auto_promotion: Option<u64>,
    /// `status.controllerPause`: true without pauses where a client has just unpaused it.
    pub controller_pause: bool,
    /// `status.promoteFull`
    pub promote_full: bool,
    /// A traffic router is configured, or has said something.
    pub routed: bool,
    /// `status.canary.weights.canary.weight` in percent of the whole, rounded up: only with a traffic
    /// router.
    pub weight: Option<u32>,
    /// `status.canary.weights.canary.podTemplateHash`: whose weight it is.
    pub weight_hash: Option<SmolStr>,
    /// An Experiment of the Rollout has a share of the traffic (`status.canary.weights.additional`).
    pub experiment_weighted: bool,
    /// `status.blueGreen.previewSelector`
    pub preview: Option<SmolStr>,
    /// `status.blueGreen.activeSelector`
    pub active: Option<SmolStr>,
    /// The condition Progressing.
    pub progressing: Option<ConditionSeen>,
    /// The condition InvalidSpec, which exists only while it is true: its message.
    pub invalid_spec: Option<String>,
    /// When the condition Healthy last turned True, while it is.
    pub healthy_since: Option<Timestamp>,
    /// The condition Healthy is there: Argo adds it when the Rollout is healthy for the first time.
    pub was_healthy: bool,
    /// `spec.restartAt`
    pub restart_at: Option<Timestamp>,
    /// `spec.replicas`
    pub replicas: Option<i32>,
    /// `status.canary.currentStepAnalysisRunStatus` is there: Argo takes it away in the version in
    /// which it goes past the step.
    pub step_run: bool,
    /// Index and success of `status.canary.stepPluginStatuses`, at most 128.
    pub plugins: Vec<(u32, bool)>,
}

/// A canary step as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPlan {
    /// Its key in the spec, e.g. `setWeight`.
    pub kind: SmolStr,
    /// Its setting in short: `20` for a weight, `30s` for a pause, names of templates for an
    /// analysis; cut to 64 bytes.
    pub setting: SmolStr,
    /// Planned length of a pause in seconds; none if it waits for a person, or is no pause.
    pub seconds: Option<u64>,
    /// A `setHeaderRoute`: requests that match go to the new revision from then on. One without a
    /// match takes the route of its name away.
    pub matches: bool,
}

/// A pause that holds the Rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseSeen {
    /// What holds it. `CanaryPauseStep` is Timed or Manual by the step that it stands at.
    pub kind: PauseKind,
    /// `startTime`; none for `spec.paused`.
    pub started: Option<Timestamp>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionSeen {
    /// `status` is True; none if Unknown.
    pub status: Option<bool>,
    /// One word.
    pub reason: String,
    /// Words for a person, cut to 1024 bytes.
    pub message: String,
    /// `lastTransitionTime`
    pub since: Option<Timestamp>,
}

/// How a Rollout replaces its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strategy {
    /// `spec.strategy.canary`
    Canary,
    /// `spec.strategy.blueGreen`
    BlueGreen,
}

/// What holds a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PauseKind {
    /// A canary step with a duration.
    Timed,
    /// A canary step without one: it waits for a person.
    Manual,
    /// An analysis that could not decide.
    InconclusiveAnalysis,
    /// An experiment that could not decide.
    InconclusiveExperiment,
    /// A blue-green Rollout before its switch.
    BlueGreen,
    /// `spec.paused`
    Spec,
}
