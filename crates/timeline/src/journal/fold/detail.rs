//! How much is kept of what analyses measured. A journal is stored as one object, and many
//! analyses with long words would make it a large one.

use super::super::{Analysis, Metric};
use super::text::clean;
use crate::seen::AnalysisPhase;

/// Bytes for the detail of all analyses of an attempt.
const ALL: usize = 3072;
/// Bytes of it for those that pass: what fails comes last, and is what people look for.
const PASSING: usize = 1024;
/// Times, numbers and the phase of a metric or a measurement.
const ENTRY: usize = 40;
/// What is left of words when there is no room.
const SHORT: usize = 64;

/// Shortens an analysis to what the others leave it. Gives the names of the metrics that had to
/// go, the least important first.
pub(super) fn fit(analysis: &mut Analysis, others: &[Analysis]) -> Vec<String> {
    let others = others.iter().filter(|other| other.uid != analysis.uid);
    let used: usize = others.map(|other| cost(&other.message, &other.metrics)).sum();
    let room = if analysis.phase.severity() > 0 { ALL } else { PASSING }.saturating_sub(used);
    let mut gone = Vec::new();
    while cost(&analysis.message, &analysis.metrics) > room {
        let metrics = &mut analysis.metrics;
        let least = |long: bool| {
            let all = metrics.iter().enumerate();
            all.filter(|(_, metric)| !long || metric.measurements.len() > 1)
                .min_by_key(|(index, metric)| (rank(metric), std::cmp::Reverse(*index)))
                .map(|(index, _)| index)
        };
        if let Some(index) = least(true) {
            metrics[index].measurements.remove(0);
        } else if let Some(index) = least(false) {
            gone.push(metrics.remove(index).name);
        } else {
            analysis.message = clean(&analysis.message, SHORT);
            break;
        }
    }
    gone
}

fn sum(lengths: [usize; 4]) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}

fn cost(message: &str, metrics: &[Metric]) -> usize {
    let of_metric = |metric: &Metric| {
        let measurements = metric.measurements.iter();
        let words = measurements
            .fold(0_usize, |words, it| sum([words, it.value.len(), it.message.len(), ENTRY]));
        sum([metric.name.len(), metric.message.len(), words, ENTRY])
    };
    metrics.iter().fold(message.len(), |words, metric| words.saturating_add(of_metric(metric)))
}

/// How much a metric says about the outcome. One that is only tried out decides nothing; of those
/// that pass, one that is still measured says more.
pub(super) fn rank(metric: &Metric) -> (bool, u8, bool) {
    ranked(metric.dry_run, metric.phase)
}

pub(super) fn ranked(dry_run: bool, phase: AnalysisPhase) -> (bool, u8, bool) {
    let undecided = matches!(phase, AnalysisPhase::Running | AnalysisPhase::Cancelled);
    (!dry_run, phase.severity(), undecided)
}
