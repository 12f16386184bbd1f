//! The Rollout.

mod step;

use std::collections::BTreeMap;

use api::argo::{
    self, CanaryStep, Condition, PauseCondition, PluginStatus, Rollout, RolloutSpec, RolloutStatus,
};
use kube::core::ObjectMeta;
use timeline::seen::{
    ConditionSeen, OwnedMetadata, PauseKind, PauseSeen, Progress, RolloutSeen, StepPlan, Strategy,
};
use timeline::{Kind, Observation};

use super::text::{bounded, optional};
use super::{Observed, created, key, not_empty, revision};
use step::plan;

/// Longer values decide nothing: Kubernetes' names end at 253.
const VALUE_LIMIT: usize = 1024;
/// A hash is a label, and ends at 63.
const HASH_LIMIT: usize = 63;
const STEPS_LIMIT: usize = 128;
const MESSAGE_LIMIT: usize = 1024;
const REASON_LIMIT: usize = 128;

impl Observed for Rollout {
    const KIND: Kind = Kind::Rollout;

    fn observe(self) -> Option<Observation> {
        let key = key(&self.metadata);
        let uid = self.metadata.uid.clone()?;
        let (spec, status) = (self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        let progress = progress(&self.metadata, spec, &status);
        let completed = condition(&status, "Completed")
            .and_then(|completed| Some((is_true(completed), completed.last_transition_time?)));
        Some(Observation::Rollout(RolloutSeen {
            uid: uid.into(),
            created: created(&self.metadata),
            revision: revision(&self.metadata),
            current_hash: not_empty(status.current_pod_hash).map(Into::into),
            stable_hash: not_empty(status.stable_rs).map(Into::into),
            abort: status.abort.unwrap_or(false),
            aborted_at: status.aborted_at,
            healthy: status.phase.as_deref() == Some("Healthy"),
            completed,
            metadata: OwnedMetadata {
                annotations: keptns(self.metadata.annotations),
                labels: keptns(self.metadata.labels),
            },
            progress,
            key,
        }))
    }
}

/// The keys that Keptn reads, and no value that is too long to decide anything.
fn keptns(map: Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut map = map.unwrap_or_default();
    map.retain(|key, _| key.starts_with("keptn.sh/") || key.starts_with("app.kubernetes.io/"));
    for value in map.values_mut() {
        value.truncate(value.floor_char_boundary(VALUE_LIMIT));
    }
    map
}

fn progress(metadata: &ObjectMeta, spec: RolloutSpec, status: &RolloutStatus) -> Progress {
    let up_to_date = up_to_date(metadata, &spec, status);
    let strategy = spec.strategy.unwrap_or_default();
    let steps = strategy.canary.as_ref().and_then(|canary| canary.steps.as_deref());
    let steps = steps.unwrap_or_default();
    let step = status.current_step_index.and_then(|index| u32::try_from(index).ok());
    let current = step.and_then(|index| steps.get(usize::try_from(index).ok()?));
    let at = current.map(plan);
    let mut pauses: Vec<PauseSeen> = status
        .pause_conditions
        .iter()
        .flatten()
        .filter_map(|condition| pause(condition, at.as_ref()))
        .collect();
    if spec.paused == Some(true) {
        pauses.push(PauseSeen { kind: PauseKind::Spec, started: None });
    }
    let canary = status.canary.clone().unwrap_or_default();
    let blue_green = status.blue_green.clone().unwrap_or_default();
    let routing = strategy.canary.as_ref().and_then(|canary| canary.traffic_routing.as_ref());
    let whole = routing.and_then(|routing| routing.max_traffic_weight).filter(|whole| *whole > 0);
    let weights = canary.weights.unwrap_or_default();
    let additional = weights.additional.iter().flatten();
    let destination = weights.canary.unwrap_or_default();
    let hash = |hash| not_empty(hash).map(|hash| bounded(hash, HASH_LIMIT));
    Progress {
        up_to_date,
        template: spec.template.map(argo::Digest::value),
        strategy: match (&strategy.canary, &strategy.blue_green) {
            (Some(_), _) => Some(Strategy::Canary),
            (None, Some(_)) => Some(Strategy::BlueGreen),
            (None, None) => None,
        },
        steps: steps.iter().take(STEPS_LIMIT).map(plan).collect(),
        step_count: u32::try_from(steps.len()).unwrap_or(u32::MAX),
        step,
        step_hash: hash(status.current_step_hash.clone()).map(Into::into),
        pauses,
        auto_promotion: strategy
            .blue_green
            .and_then(|it| u64::try_from(it.auto_promotion_seconds?).ok())
            .filter(|seconds| *seconds > 0),
        controller_pause: status.controller_pause.unwrap_or(false),
        promote_full: status.promote_full.unwrap_or(false),
        routed: routing.is_some() || destination.weight.is_some(),
        weight: destination.weight.and_then(|weight| percent(weight, whole.unwrap_or(100))),
        weight_hash: hash(destination.pod_template_hash).map(Into::into),
        experiment_weighted: additional.take(STEPS_LIMIT).any(|it| it.weight > Some(0))
            && !runs_stable_alone(current),
        preview: hash(blue_green.preview_selector).map(Into::into),
        active: hash(blue_green.active_selector).map(Into::into),
        progressing: condition(status, "Progressing").map(|found| ConditionSeen {
            status: match found.status.as_deref() {
                Some("True") => Some(true),
                Some("False") => Some(false),
                _ => None,
            },
            reason: optional(found.reason.clone(), REASON_LIMIT),
            message: optional(found.message.clone(), MESSAGE_LIMIT),
            since: found.last_transition_time,
        }),
        invalid_spec: condition(status, "InvalidSpec")
            .map(|found| optional(found.message.clone(), MESSAGE_LIMIT)),
        healthy_since: condition(status, "Healthy")
            .filter(|healthy| is_true(healthy))
            .and_then(|healthy| healthy.last_transition_time),
        was_healthy: condition(status, "Healthy").is_some(),
        restart_at: spec.restart_at,
        replicas: spec.replicas,
        step_run: canary.current_step_analysis_run_status.is_some(),
        plugins: plugins(canary.step_plugin_statuses),
    }
}

/// A weight in percent of the whole (`maxTrafficWeight`), rounded up: a request in a thousand is not
/// none.
fn percent(weight: i64, whole: i64) -> Option<u32> {
    let percent = (i128::from(weight) * 100).div_euclid(i128::from(whole));
    let rest = (i128::from(weight) * 100).rem_euclid(i128::from(whole));
    let percent = if rest > 0 { percent + 1 } else { percent };
    (weight >= 0).then(|| u32::try_from(percent.min(100)).unwrap_or(100))
}

/// Whether all that has a share of the traffic in the Experiment of a step is pods of what is stable.
fn runs_stable_alone(step: Option<&CanaryStep>) -> bool {
    let experiment = step.and_then(|step| step.experiment.as_ref());
    let templates = experiment.and_then(|experiment| experiment.templates.as_ref());
    templates.is_some_and(|templates| {
        let weighted = || templates.iter().filter(|it| it.weight > Some(0));
        weighted().next().is_some() && weighted().all(|it| it.spec_ref.as_deref() == Some("stable"))
    })
}

/// Which steps their plugin has run to the end.
fn plugins(statuses: Option<Vec<PluginStatus>>) -> Vec<(u32, bool)> {
    let run = statuses.into_iter().flatten().filter(|it| it.operation.as_deref() == Some("Run"));
    run.filter_map(|status| {
        let index = u32::try_from(status.index?).ok()?;
        Some((index, status.phase.as_deref() == Some("Successful")))
    })
    .take(STEPS_LIMIT)
    .collect()
}

/// Argo's `observedGeneration` is a string. With a workloadRef a change of the template raises
/// only an annotation (argo-rollouts rollout/templateref.go).
fn up_to_date(metadata: &ObjectMeta, spec: &RolloutSpec, status: &RolloutStatus) -> bool {
    let generation = metadata.generation.map(|generation| generation.to_string());
    let workload = metadata.annotations.as_ref();
    let workload = workload.and_then(|map| map.get(argo::WORKLOAD_GENERATION));
    let of_workload = spec.workload_ref.is_none()
        || workload.is_none()
        || workload == status.workload_observed_generation.as_ref();
    status.observed_generation.is_some() && status.observed_generation == generation && of_workload
}

fn condition<'a>(status: &'a RolloutStatus, name: &str) -> Option<&'a Condition> {
    status.conditions.iter().flatten().find(|found| found.r#type.as_deref() == Some(name))
}

fn is_true(condition: &Condition) -> bool {
    condition.status.as_deref() == Some("True")
}

/// A pause for a reason that is not known is none of ours to name.
fn pause(condition: &PauseCondition, step: Option<&StepPlan>) -> Option<PauseSeen> {
    let kind = match condition.reason.as_deref()? {
        "CanaryPauseStep" if step.is_some_and(|step| step.seconds.is_some()) => PauseKind::Timed,
        "CanaryPauseStep" => PauseKind::Manual,
        "InconclusiveAnalysisRun" => PauseKind::InconclusiveAnalysis,
        "InconclusiveExperiment" => PauseKind::InconclusiveExperiment,
        "BlueGreenPause" => PauseKind::BlueGreen,
        _ => return None,
    };
    Some(PauseSeen { kind, started: condition.start_time })
}

#[cfg(test)]
mod tests {
    mod traffic;

    use serde_json::{Value, json};

    use super::*;

    fn seen(rollout: Value) -> RolloutSeen {
        let rollout: Rollout = serde_json::from_value(rollout).unwrap();
        match rollout.observe() {
            Some(Observation::Rollout(seen)) => seen,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn progress_of(spec: &Value, status: &Value) -> Progress {
        let metadata = json!({ "name": "cart", "namespace": "ns", "uid": "u", "generation": 4 });
        seen(json!({ "metadata": metadata, "spec": spec, "status": status })).progress
    }

    #[test]
    fn a_pause_is_timed_or_manual_by_the_step_that_it_stands_at() {
        let steps = json!([{ "pause": { "duration": "10s" } }, { "pause": {} }]);
        let spec = json!({ "paused": true, "strategy": { "canary": { "steps": steps } } });
        let since = "2026-11-21T06:03:04Z";
        for (index, kind) in [(0, PauseKind::Timed), (1, PauseKind::Manual), (2, PauseKind::Manual)]
        {
            let status = json!({
                "currentStepIndex": index,
                "pauseConditions": [
                    { "reason": "CanaryPauseStep", "startTime": since },
                    { "reason": "FromTheFuture", "startTime": since },
                ],
            });
            let started = Some(since.parse().unwrap());
            let pauses = progress_of(&spec, &status).pauses;
            let by_spec = PauseSeen { kind: PauseKind::Spec, started: None };
            assert_eq!(pauses, [PauseSeen { kind, started }, by_spec]);
        }
    }

    #[test]
    fn the_status_counts_only_for_the_generation_that_it_is_of() {
        let status = |observed: &str| json!({ "observedGeneration": observed });
        assert!(progress_of(&json!({}), &status("4")).up_to_date);
        assert!(!progress_of(&json!({}), &status("3")).up_to_date);
        assert!(!progress_of(&json!({}), &json!({})).up_to_date);
        for (workload_ref, annotation, observed, expected) in [
            (json!({ "name": "cart" }), "7", "7", true),
            (json!({ "name": "cart" }), "8", "7", false),
            (Value::Null, "8", "7", true),
        ] {
            let seen = seen(json!({
                "metadata": {
                    "uid": "u",
                    "generation": 4,
                    "annotations": { "rollout.argoproj.io/workload-generation": annotation },
                },
                "spec": { "workloadRef": workload_ref },
                "status": { "observedGeneration": "4", "workloadObservedGeneration": observed },
            }));
            assert_eq!(seen.progress.up_to_date, expected, "{annotation} {observed}");
        }
    }

    #[test]
    fn the_rest_of_the_status_is_read_as_it_stands_there() {
        let status = json!({
            "currentStepIndex": 1,
            "currentStepHash": "abc",
            "controllerPause": true,
            "promoteFull": true,
            "canary": {
                "weights": { "canary": { "weight": 20, "podTemplateHash": "x" }, "stable": { "weight": 80 } },
                "currentStepAnalysisRunStatus": { "name": "step", "status": "Running" },
                "currentBackgroundAnalysisRunStatus": { "name": "background", "status": "" },
                "currentExperiment": "experiment",
            },
            "blueGreen": { "previewSelector": "new", "activeSelector": "old" },
            "conditions": [
                { "type": "Healthy", "status": "True", "lastTransitionTime": "2026-11-21T06:02:48Z" },
                { "type": "InvalidSpec", "status": "True", "reason": "InvalidSpec", "message": "no\nsuch" },
                { "type": "Progressing", "status": "Unknown", "reason": "RolloutPaused", "message": "paused" },
            ],
        });
        let spec = json!({ "restartAt": "2026-11-21T06:00:00Z", "replicas": 3, "strategy": { "blueGreen": { "autoPromotionSeconds": 30 } } });
        let progress = progress_of(&spec, &status);
        assert_eq!(progress.strategy, Some(Strategy::BlueGreen));
        assert_eq!((progress.step, progress.step_hash.as_deref()), (Some(1), Some("abc")));
        assert!(progress.controller_pause && progress.promote_full);
        assert_eq!(progress.weight, Some(20));
        assert_eq!(progress.auto_promotion, Some(30));
        assert_eq!(progress.preview.as_deref(), Some("new"));
        assert_eq!(progress.active.as_deref(), Some("old"));
        assert_eq!(progress.invalid_spec.as_deref(), Some("no such"));
        assert!(progress.healthy_since.is_some() && progress.restart_at.is_some());
        assert_eq!(progress.replicas, Some(3));
        assert!(progress.step_run);
        let progressing = progress.progressing.unwrap();
        assert_eq!((progressing.status, &*progressing.reason), (None, "RolloutPaused"));
    }

    #[test]
    fn an_experiment_of_what_is_stable_turns_no_traffic_to_the_new_revision() {
        let additional = json!([{ "weight": 5, "serviceName": "try", "podTemplateHash": "z" }]);
        let canary = json!({ "weights": { "canary": { "weight": 0 }, "additional": additional } });
        for (templates, expected) in [
            (json!([{ "name": "new", "specRef": "canary", "weight": 5 }]), true),
            (json!([{ "name": "old", "specRef": "stable", "weight": 5 }]), false),
            (json!([{ "specRef": "stable", "weight": 5 }, { "specRef": "canary" }]), false),
            (
                json!([{ "specRef": "stable", "weight": 5 }, { "specRef": "canary", "weight": 5 }]),
                true,
            ),
        ] {
            let steps = json!([{ "experiment": { "templates": templates } }, { "pause": {} }]);
            let spec = json!({ "strategy": { "canary": { "steps": steps } } });
            let of = |step: u32| {
                progress_of(&spec, &json!({ "currentStepIndex": step, "canary": canary }))
            };
            assert_eq!(of(0).experiment_weighted, expected, "{spec}");
            // Which Experiment it is of is not known.
            assert!(of(1).experiment_weighted);
        }
    }

    #[test]
    fn absurd_values_are_bounded() {
        let steps: Vec<_> = (0..5000).map(|_| json!({ "\u{7}".repeat(4000): {} })).collect();
        let spec = json!({ "strategy": { "canary": { "steps": steps } } });
        let status = json!({
            "currentStepIndex": -7,
            "currentStepHash": "x".repeat(100_000),
            "canary": { "weights": { "canary": { "weight": -1 } } },
            "conditions": [{ "type": "Progressing", "message": "é".repeat(1_000_000) }],
        });
        let progress = progress_of(&spec, &status);
        assert_eq!((progress.steps.len(), progress.step_count), (128, 5000));
        assert_eq!(progress.steps[0].kind, " ".repeat(32));
        assert_eq!((progress.step, progress.weight), (None, None));
        assert_eq!(progress.step_hash.unwrap().len(), 63);
        assert_eq!(progress.progressing.unwrap().message.len(), 1024);
    }
}
