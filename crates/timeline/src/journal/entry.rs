//! What a timeline is made of. Each entry that becomes a span has a start, an end, and its number
//! in the order of ends (`closed`), given once: an entry with a number never changes again.

use serde::{Deserialize, Serialize};

use crate::base::Moment;
use crate::seen::{AnalysisKind, AnalysisPhase, PauseKind};

/// A canary step of Argo's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// Place in `spec.strategy.canary.steps`, from 0.
    pub index: u32,
    /// The step's key in Argo's spec: `setWeight`, `pause`, `analysis`, `experiment`,
    /// `setCanaryScale`, `setHeaderRoute`, `setMirrorRoute`, `plugin`.
    pub kind: String,
    /// Its setting in short, e.g. `20` or `30s`; empty if there is none.
    pub setting: String,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// How it stands or ended.
    pub result: StepResult,
    /// Number in the order of ends.
    pub closed: Option<u32>,
}

/// How a step stands or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StepResult {
    /// Under way.
    Running,
    /// Argo went on to the next one.
    Completed,
    /// Passed over by a person, a full promotion or a change of steps.
    Skipped,
    /// The attempt ended in it.
    Stopped,
    /// Argo went past it while the operator was not watching.
    Unobserved,
}

/// A pause of the rollout.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pause {
    /// What holds it.
    pub kind: PauseKind,
    /// The step that it belongs to, if any.
    pub step: Option<u32>,
    /// Planned length in seconds; none if it waits for a person.
    pub planned: Option<u64>,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Who ended it.
    pub resumed_by: Option<ResumedBy>,
    /// Number in the order of ends.
    pub closed: Option<u32>,
    /// Where in [`Journal::steps`](super::Journal::steps) the step is that it hangs below, if any;
    /// decided when it ended.
    pub below: Option<u32>,
}

/// Who ended a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ResumedBy {
    /// Its planned time was over.
    Timer,
    /// A person or a tool: `promote`.
    Person,
    /// A full promotion.
    FullPromotion,
    /// The attempt ended.
    End,
    /// It was not seen.
    Unknown,
}

/// An AnalysisRun.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Analysis {
    /// Name of the AnalysisRun.
    pub name: String,
    /// UID of the AnalysisRun.
    pub uid: String,
    /// What it decides about.
    pub kind: AnalysisKind,
    /// The step that it belongs to, if any.
    pub step: Option<u32>,
    /// How it stands or ended.
    pub phase: AnalysisPhase,
    /// Argo's words, cut to 256 bytes.
    pub message: String,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Its metrics.
    pub metrics: Vec<Metric>,
    /// Number in the order of ends; its metrics go with it.
    pub closed: Option<u32>,
    /// Where in [`Journal::steps`](super::Journal::steps) the step is that it hangs below, if any;
    /// decided when it ended.
    pub below: Option<u32>,
}

/// A metric of an analysis.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// How it stands or ended.
    pub phase: AnalysisPhase,
    /// Argo's words, cut to 256 bytes.
    pub message: String,
    /// Only tried out: it decides nothing.
    pub dry_run: bool,
    /// How many measurements there were, those included that are not kept.
    pub count: u32,
    /// How many of them failed.
    pub failed: u32,
    /// The newest measurements, oldest first.
    pub measurements: Vec<Measurement>,
}

/// A measurement of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Measurement {
    /// How it ended.
    pub phase: AnalysisPhase,
    /// The value as text, cut to 64 bytes.
    pub value: String,
    /// Argo's words, cut to 128 bytes.
    pub message: String,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub ended: Moment,
}

/// An Experiment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Experiment {
    /// Name of the Experiment.
    pub name: String,
    /// UID of the Experiment.
    pub uid: String,
    /// The step that it belongs to, if any.
    pub step: Option<u32>,
    /// How it stands or ended.
    pub phase: AnalysisPhase,
    /// Argo's words, cut to 256 bytes.
    pub message: String,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Number in the order of ends.
    pub closed: Option<u32>,
    /// Where in [`Journal::steps`](super::Journal::steps) the step is that it hangs below, if any;
    /// decided when it ended.
    pub below: Option<u32>,
}

/// A traffic weight of the new revision: from when on, until the next.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Weight {
    /// Percent of the traffic.
    pub percent: u32,
    /// Since when.
    pub started: Moment,
    /// Until when.
    pub ended: Option<Moment>,
    /// Number in the order of ends.
    pub closed: Option<u32>,
}

/// A switch of a service of a blue-green Rollout to the new revision.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Switch {
    /// Which service.
    pub service: Service,
    /// When.
    pub at: Moment,
    /// The service points to the new revision; if not, back to what is stable.
    pub to_new: bool,
    /// Number in the order of ends.
    pub closed: Option<u32>,
}

/// A service of a blue-green Rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Service {
    /// `previewService`
    Preview,
    /// `activeService`
    Active,
}

/// Something that a reader has to know and that is no span: it becomes an event of the root span.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// What.
    pub kind: MarkKind,
    /// When.
    pub at: Moment,
    /// More, for a person; cut to 128 bytes.
    pub note: String,
}

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MarkKind {
    /// Versions of the Rollout may have passed unseen.
    Gap,
    /// It was under way before the operator first looked.
    FirstSight,
    /// `status.promoteFull`
    FullPromotion,
    /// `ProgressDeadlineExceeded`, which is no end.
    DeadlineExceeded,
    /// Its canary steps were changed, and begin again.
    StepsChanged,
    /// `spec.restartAt`
    Restarted,
    /// `spec.replicas`
    Scaled,
    /// A time in an object cannot be right and was not used.
    ClockDoubted,
}
