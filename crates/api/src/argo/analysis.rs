//! AnalysisRuns and Experiments. Neither has a status subresource, nor has any time in metadata a
//! meaning beside `creationTimestamp`.

use jiff::Timestamp;
use serde::Deserialize;

use crate::foreign::{Unread, foreign};

foreign!(
    /// An argoproj.io/v1alpha1 AnalysisRun.
    AnalysisRun { "argoproj.io", "v1alpha1", "analysisruns" } AnalysisRunSpec, AnalysisRunStatus
);

/// `spec` of an AnalysisRun.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AnalysisRunSpec {
    /// It was asked to stop.
    pub terminate: Option<bool>,
}

/// `status` of an AnalysisRun.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisRunStatus {
    /// Pending, Running, Successful, Failed, Error, Inconclusive; empty at first.
    pub phase: Option<String>,
    /// Which metric decided, and why.
    pub message: Option<String>,
    /// When the first measurement was asked for; missing where the spec is invalid.
    pub started_at: Option<Timestamp>,
    /// When it was decided (since 1.7); missing where the spec is invalid.
    pub completed_at: Option<Timestamp>,
    /// The metrics, in the order of the spec.
    pub metric_results: Option<Vec<MetricResult>>,
}

/// What became of a metric.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricResult {
    /// Its name.
    pub name: Option<String>,
    /// As that of an AnalysisRun.
    pub phase: Option<String>,
    /// Words for a person.
    pub message: Option<String>,
    /// It decides nothing.
    pub dry_run: Option<bool>,
    /// How many measurements there were.
    pub count: Option<i64>,
    /// How many of them failed.
    pub failed: Option<i64>,
    /// The newest of them, oldest first.
    pub measurements: Option<Vec<Measurement>>,
}

/// A measurement.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Measurement {
    /// As that of an AnalysisRun.
    pub phase: Option<String>,
    /// Words for a person.
    pub message: Option<String>,
    /// What was measured, often as JSON.
    pub value: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

foreign!(
    /// An argoproj.io/v1alpha1 Experiment.
    Experiment { "argoproj.io", "v1alpha1", "experiments" } Unread, ExperimentStatus
);

/// `status` of an Experiment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExperimentStatus {
    /// As that of an AnalysisRun.
    pub phase: Option<String>,
    /// Words for a person.
    pub message: Option<String>,
    /// When all of its pods were available.
    pub available_at: Option<Timestamp>,
}
