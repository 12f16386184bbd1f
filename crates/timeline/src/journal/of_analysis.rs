//! What an AnalysisRun says.

use crate::failure::{Failure, FailureClass, line};
use crate::journal::{Analysis, Metric};
use crate::seen::{AnalysisKind, AnalysisPhase};

/// Why an analysis did not pass; none if it did, or is not decided.
///
/// Steps are counted from 1, as Argo does in its messages.
pub fn of_analysis(analysis: &Analysis) -> Option<Failure> {
    let class = match (analysis.kind, analysis.phase) {
        (_, phase) if phase.severity() == 0 => return None,
        (AnalysisKind::Experiment, _) => FailureClass::ExperimentFailed,
        (_, AnalysisPhase::Failed) => FailureClass::AnalysisFailed,
        (_, AnalysisPhase::Error) => FailureClass::AnalysisError,
        _ => FailureClass::AnalysisInconclusive,
    };
    let place = match (analysis.kind, analysis.step) {
        (AnalysisKind::Step | AnalysisKind::Experiment, Some(step)) => {
            format!(" (step {})", u64::from(step) + 1)
        }
        (AnalysisKind::Background, _) => " (background)".to_owned(),
        (AnalysisKind::PrePromotion, _) => " (pre-promotion)".to_owned(),
        (AnalysisKind::PostPromotion, _) => " (post-promotion)".to_owned(),
        _ => String::new(),
    };
    let metric = worst(&analysis.metrics);
    let (name, words) = match metric {
        Some(metric) => (metric.name.as_str(), words(metric).unwrap_or(&analysis.message)),
        None if analysis.message.is_empty() => (analysis.name.as_str(), ""),
        None => ("", analysis.message.as_str()),
    };
    let own = metric.map_or("", |metric| metric.message.as_str());
    let message = if analysis.message.is_empty() { own } else { &analysis.message };
    let at = analysis.ended.unwrap_or(analysis.started);
    Some(Failure::of(class, line(class, &[name, words], &place), message, at))
}

/// The first of the worst metrics that decided.
fn worst(metrics: &[Metric]) -> Option<&Metric> {
    let decided = metrics.iter().filter(|metric| !metric.dry_run && metric.phase.severity() > 0);
    decided.reduce(
        |worst, next| {
            if next.phase.severity() > worst.phase.severity() { next } else { worst }
        },
    )
}

/// The value that failed, or else what was said about it.
fn words(metric: &Metric) -> Option<&str> {
    let last = metric.measurements.iter().rev();
    let failed = last.clone().find(|measurement| measurement.phase == metric.phase);
    let failed = failed.or_else(|| last.clone().find(|other| other.phase.severity() > 0));
    let value = failed.map(|measurement| bare(&measurement.value));
    let message = failed.map(|measurement| measurement.message.as_str());
    [value, message, Some(&metric.message)].into_iter().flatten().find(|words| !words.is_empty())
}

/// A value without the quotes of JSON (web metrics) or the brackets of a vector of one (Prometheus).
fn bare(value: &str) -> &str {
    let value = value.trim();
    let inside = |open, close| value.strip_prefix(open)?.strip_suffix(close);
    inside('"', '"')
        .or_else(|| inside('[', ']').filter(|inside| !inside.contains([',', ' '])))
        .unwrap_or(value)
}
