//! AnalysisRuns and Experiments.

use std::cmp::Reverse;

use api::argo::{self, AnalysisRun, Experiment, Measurement, MetricResult};
use timeline::seen::{
    AnalysisKind, AnalysisPhase, AnalysisRunSeen, EvidenceOwner, ExperimentSeen, MeasurementSeen,
    MetricSeen,
};
use timeline::{Kind, Observation};

use super::text::{bounded, optional};
use super::{Observed, controller, created, key, label, revision};

const METRICS_LIMIT: usize = 20;
const MEASUREMENTS_LIMIT: usize = 10;
const NAME_LIMIT: usize = 64;
const VALUE_LIMIT: usize = 64;
const MESSAGE_LIMIT: usize = 256;
const MEASUREMENT_MESSAGE_LIMIT: usize = 128;
const HASH_LIMIT: usize = 63;

impl Observed for AnalysisRun {
    const KIND: Kind = Kind::AnalysisRun;

    fn observe(self) -> Option<Observation> {
        // One without a controller was started by hand and decides about no Rollout.
        let owner = controller(&self.metadata)?;
        let status = self.status.unwrap_or_default();
        let terminated = self.spec.and_then(|spec| spec.terminate) == Some(true)
            || status.message.as_deref() == Some("Run Terminated");
        let metrics = status.metric_results.unwrap_or_default();
        Some(Observation::AnalysisRun(Box::new(AnalysisRunSeen {
            key: key(&self.metadata),
            uid: self.metadata.uid.clone()?,
            revision: revision(&self.metadata),
            hash: label(&self.metadata, argo::POD_TEMPLATE_HASH)
                .map(|hash| bounded(hash.to_owned(), HASH_LIMIT))
                .map(Into::into),
            kind: kind(label(&self.metadata, argo::ROLLOUT_TYPE), &owner),
            step: label(&self.metadata, argo::STEP_INDEX).and_then(|step| step.parse().ok()),
            owner,
            phase: match phase(status.phase.as_deref()) {
                // Argo calls a run that was stopped before any metric decided Successful
                // (argo-rollouts analysis/analysis.go), a stopped Job Inconclusive.
                AnalysisPhase::Successful | AnalysisPhase::Inconclusive if terminated => {
                    AnalysisPhase::Cancelled
                }
                phase => phase,
            },
            message: optional(status.message, MESSAGE_LIMIT),
            created: created(&self.metadata),
            started: status.started_at,
            completed: status.completed_at,
            metric_count: u32::try_from(metrics.len()).unwrap_or(u32::MAX),
            metrics: worst(metrics.into_iter().map(metric).collect()),
        })))
    }
}

impl Observed for Experiment {
    const KIND: Kind = Kind::Experiment;

    fn observe(self) -> Option<Observation> {
        let owner @ EvidenceOwner::Rollout(..) = controller(&self.metadata)? else {
            return None;
        };
        let status = self.status.unwrap_or_default();
        let key = key(&self.metadata);
        Some(Observation::Experiment(Box::new(ExperimentSeen {
            uid: self.metadata.uid.clone()?,
            revision: revision(&self.metadata),
            step: step_of(&key.name, revision(&self.metadata)),
            owner,
            phase: phase(status.phase.as_deref()),
            message: optional(status.message, MESSAGE_LIMIT),
            created: created(&self.metadata),
            available: status.available_at,
            key,
        })))
    }
}

/// An Experiment is named `<rollout>-<hash>-<revision>-<step>`, a second one of that name
/// `….1` (argo-rollouts rollout/experiment.go).
fn step_of(name: &str, revision: Option<i64>) -> Option<u32> {
    let (before, step) = name.rsplit_once('-')?;
    let (_, named) = before.rsplit_once('-')?;
    if named.parse::<i64>().ok() != revision {
        return None;
    }
    step.split('.').next()?.parse().ok()
}

fn kind(label: Option<&str>, owner: &EvidenceOwner) -> AnalysisKind {
    match (owner, label) {
        // An Experiment's runs have no label.
        (EvidenceOwner::Experiment(..), _) => AnalysisKind::Experiment,
        (_, Some("Step")) => AnalysisKind::Step,
        (_, Some("Background")) => AnalysisKind::Background,
        (_, Some("PrePromotion")) => AnalysisKind::PrePromotion,
        (_, Some("PostPromotion")) => AnalysisKind::PostPromotion,
        _ => AnalysisKind::Unknown,
    }
}

/// A phase that is not known has decided nothing.
fn phase(phase: Option<&str>) -> AnalysisPhase {
    match phase {
        Some("Running") => AnalysisPhase::Running,
        Some("Successful") => AnalysisPhase::Successful,
        Some("Failed") => AnalysisPhase::Failed,
        Some("Error") => AnalysisPhase::Error,
        Some("Inconclusive") => AnalysisPhase::Inconclusive,
        _ => AnalysisPhase::Pending,
    }
}

/// The metrics that say most about the outcome, in their order.
fn worst(metrics: Vec<MetricSeen>) -> Vec<MetricSeen> {
    let mut metrics: Vec<(usize, MetricSeen)> = metrics.into_iter().enumerate().collect();
    metrics.sort_by_key(|(index, it)| (it.dry_run, Reverse(it.phase.severity()), *index));
    metrics.truncate(METRICS_LIMIT);
    metrics.sort_by_key(|(index, _)| *index);
    metrics.into_iter().map(|(_, metric)| metric).collect()
}

fn metric(result: MetricResult) -> MetricSeen {
    let count = |count: Option<i64>| u32::try_from(count.unwrap_or(0).max(0)).unwrap_or(u32::MAX);
    let measurements = result.measurements.unwrap_or_default();
    let older = measurements.len().saturating_sub(MEASUREMENTS_LIMIT);
    MetricSeen {
        name: optional(result.name, NAME_LIMIT),
        phase: phase(result.phase.as_deref()),
        message: optional(result.message, MESSAGE_LIMIT),
        dry_run: result.dry_run.unwrap_or(false),
        count: count(result.count),
        failed: count(result.failed),
        measurements: measurements.into_iter().skip(older).map(measurement).collect(),
    }
}

fn measurement(measurement: Measurement) -> MeasurementSeen {
    MeasurementSeen {
        phase: phase(measurement.phase.as_deref()),
        value: bounded(value(measurement.value.unwrap_or_default()), VALUE_LIMIT),
        message: optional(measurement.message, MEASUREMENT_MESSAGE_LIMIT),
        started: measurement.started_at,
        finished: measurement.finished_at,
    }
}

/// The web provider writes a text as JSON: `"0.99"`, quotes included.
fn value(value: String) -> String {
    if value.starts_with('"')
        && let Ok(text) = serde_json::from_str(&value)
    {
        return text;
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn metadata(name: &str, kind: &str) -> Value {
        json!({
            "name": name, "namespace": "ns", "uid": "u",
            "annotations": { "rollout.argoproj.io/revision": "2" },
            "labels": {
                "rollout-type": "Step", "step-index": "3", "rollouts-pod-template-hash": "abc",
            },
            "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "name": "cart", "uid": "r",
                "controller": true,
            }],
        })
    }

    fn run(owner: &str, spec: &Value, status: &Value) -> AnalysisRunSeen {
        let metadata = metadata("cart-abc-2-3", owner);
        let run: AnalysisRun =
            serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": status }))
                .unwrap();
        match run.observe() {
            Some(Observation::AnalysisRun(seen)) => *seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_run_that_was_terminated_did_not_succeed() {
        use AnalysisPhase::{Cancelled, Error, Failed, Pending, Running, Successful};
        for (terminate, message, phase, expected) in [
            (false, "", "Successful", Successful),
            (true, "", "Successful", Cancelled),
            (false, "Run Terminated", "Successful", Cancelled),
            (true, "", "Inconclusive", Cancelled),
            (true, "", "Running", Running),
            (true, "", "Failed", Failed),
            (false, "", "Error", Error),
            (false, "", "", Pending),
            (false, "", "FromTheFuture", Pending),
        ] {
            let status = json!({ "phase": phase, "message": message });
            let seen = run("Rollout", &json!({ "terminate": terminate }), &status);
            assert_eq!(seen.phase, expected, "{phase} {message:?} {terminate}");
        }
    }

    #[test]
    fn a_run_of_an_experiment_is_none_of_a_step() {
        assert_eq!(run("Rollout", &json!({}), &json!({})).kind, AnalysisKind::Step);
        assert_eq!(run("Experiment", &json!({}), &json!({})).kind, AnalysisKind::Experiment);
    }

    #[test]
    fn metrics_and_measurements_are_bounded_and_counted() {
        let measurement = |n: usize| json!({ "phase": "Failed", "value": format!("\"{n}\"") });
        let measurements: Vec<_> = (0..2000).map(measurement).collect();
        let metric = json!({
            "name": "n".repeat(1000), "phase": "Failed", "count": 2000, "failed": -3,
            "dryRun": true, "measurements": measurements,
        });
        let metrics = vec![metric; 50];
        let seen = run("Rollout", &json!({}), &json!({ "metricResults": metrics }));
        assert_eq!((seen.metrics.len(), seen.metric_count), (20, 50));
        let metric = &seen.metrics[0];
        assert_eq!((metric.name.len(), metric.count, metric.failed), (64, 2000, 0));
        assert!(metric.dry_run);
        let values: Vec<&str> = metric.measurements.iter().map(|one| one.value.as_str()).collect();
        assert_eq!(values.len(), 10);
        assert_eq!((values[0], values[9]), ("1990", "1999"));
    }

    #[test]
    fn the_metric_that_failed_is_kept_wherever_it_stands() {
        let metric = |n: usize| {
            let phase = if n == 47 { "Failed" } else { "Successful" };
            json!({ "name": format!("m{n}"), "phase": phase, "dryRun": n == 5 })
        };
        let metrics: Vec<_> = (0..50).map(metric).collect();
        let seen = run("Rollout", &json!({}), &json!({ "metricResults": metrics }));
        let names: Vec<&str> = seen.metrics.iter().map(|it| it.name.as_str()).collect();
        assert_eq!((names.len(), names[0], names[19]), (20, "m0", "m47"));
        assert!(!names.contains(&"m5"));
    }

    #[test]
    fn a_value_that_is_no_text_stays_as_it_is() {
        for (written, expected) in [
            ("\"0.99\"", "0.99"),
            ("0.99", "0.99"),
            ("[1,2]", "[1,2]"),
            ("\"broken", "\"broken"),
            ("", ""),
        ] {
            assert_eq!(value(written.to_owned()), expected);
        }
    }

    #[test]
    fn the_step_of_an_experiment_is_the_end_of_its_name() {
        for (name, revision, expected) in [
            ("cart-abc-2-1", Some(2), Some(1)),
            ("cart-abc-2-1.4", Some(2), Some(1)),
            ("cart-abc-2-x", Some(2), None),
            ("cart-abc-3-1", Some(2), None),
            ("cart-abc-2-1", None, None),
            ("cart", Some(2), None),
        ] {
            assert_eq!(step_of(name, revision), expected, "{name}");
        }
    }

    #[test]
    fn an_experiment_counts_if_a_rollout_controls_it() {
        let of = |owner: &str| {
            let experiment: Experiment = serde_json::from_value(json!({
                "metadata": metadata("cart-abc-2-1", owner),
                "status": { "phase": "Running", "availableAt": "2026-11-21T06:03:04Z" },
            }))
            .unwrap();
            experiment.observe()
        };
        let Some(Observation::Experiment(seen)) = of("Rollout") else { panic!("not read") };
        assert_eq!((seen.phase, seen.step), (AnalysisPhase::Running, Some(1)));
        assert!(seen.available.is_some());
        assert!(of("Deployment").is_none());
    }
}
