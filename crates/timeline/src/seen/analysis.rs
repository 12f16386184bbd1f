//! An AnalysisRun.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::base::Key;

/// An AnalysisRun of a Rollout, or of one of its Experiments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysisRunSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: String,
    /// Who controls it.
    pub owner: EvidenceOwner,
    /// Annotation `rollout.argoproj.io/revision`.
    pub revision: Option<i64>,
    /// Label `rollouts-pod-template-hash`; users' labels may have replaced it.
    pub hash: Option<SmolStr>,
    /// Label `rollout-type`.
    pub kind: AnalysisKind,
    /// Label `step-index`.
    pub step: Option<u32>,
    /// `status.phase`; Cancelled where `spec.terminate` ended it.
    pub phase: AnalysisPhase,
    /// `status.message`, cut to 256 bytes.
    pub message: String,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// `status.startedAt`
    pub started: Option<Timestamp>,
    /// `status.completedAt`
    pub completed: Option<Timestamp>,
    /// `status.metricResults`, at most 20.
    pub metrics: Vec<MetricSeen>,
    /// How many metrics there are, those included that are not kept.
    pub metric_count: u32,
}

/// The object that controls an AnalysisRun or an Experiment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceOwner {
    /// A Rollout, by name and UID.
    Rollout(String, String),
    /// An Experiment, by name and UID.
    Experiment(String, String),
}

/// A metric's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSeen {
    /// `name`, cut to 64 bytes.
    pub name: String,
    /// `phase`
    pub phase: AnalysisPhase,
    /// `message`, cut to 256 bytes.
    pub message: String,
    /// `dryRun`
    pub dry_run: bool,
    /// `count`
    pub count: u32,
    /// `failed`
    pub failed: u32,
    /// The newest 10 `measurements`, oldest first.
    pub measurements: Vec<MeasurementSeen>,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasurementSeen {
    /// `phase`
    pub phase: AnalysisPhase,
    /// `value`, cut to 64 bytes.
    pub value: String,
    /// `message`, cut to 128 bytes.
    pub message: String,
    /// `startedAt`
    pub started: Option<Timestamp>,
    /// `finishedAt`
    pub finished: Option<Timestamp>,
}

/// What an analysis decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AnalysisKind {
    /// One step.
    Step,
    /// The whole rollout, beside its steps.
    Background,
    /// A blue-green switch.
    PrePromotion,
    /// Scaling down after a blue-green switch.
    PostPromotion,
    /// An Experiment.
    Experiment,
    /// Its labels do not say.
    Unknown,
}

/// How an analysis, a metric, a measurement or an experiment stands or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AnalysisPhase {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Passed.
    Successful,
    /// Did not pass.
    Failed,
    /// Could not be measured.
    Error,
    /// Could not decide.
    Inconclusive,
    /// Stopped before it could decide; Argo calls such a run Successful.
    Cancelled,
}

impl AnalysisPhase {
    /// Argo's order from best to worst (argo-rollouts utils/analysis/helpers.go,
    /// `analysisStatusOrder`); 0 is no failure.
    pub const fn severity(self) -> u8 {
        match self {
            Self::Failed => 3,
            Self::Error => 2,
            Self::Inconclusive => 1,
            Self::Successful | Self::Pending | Self::Running | Self::Cancelled => 0,
        }
    }
}
