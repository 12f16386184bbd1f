//! A step of the Rollout's spec.

use api::argo::{self, CanaryStep};
use timeline::seen::StepPlan;

use crate::observe::duration::seconds;
use crate::observe::text::bounded;

const KIND_LIMIT: usize = 32;
const SETTING_LIMIT: usize = 64;

/// A step of a canary in short: its key, its setting, how long it waits.
pub(super) fn plan(step: &CanaryStep) -> StepPlan {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    let (kind, setting) = if let Some(weight) = step.set_weight {
        ("setWeight", weight.to_string())
    } else if let Some(pause) = &step.pause {
        ("pause", pause.duration.as_ref().map(length).unwrap_or_default())
    } else if let Some(analysis) = &step.analysis {
        let templates = analysis.templates.iter().flatten();
        ("analysis", listed(templates.map(|template| named(&template.template_name))))
    } else if let Some(experiment) = &step.experiment {
        let templates = experiment.templates.iter().flatten();
        ("experiment", listed(templates.map(|template| named(&template.name))))
    } else if let Some(scale) = &step.set_canary_scale {
        let setting = match (scale.replicas, scale.weight, scale.match_traffic_weight) {
            (Some(replicas), ..) => format!("{replicas} replicas"),
            (None, Some(weight), _) => format!("{weight}%"),
            (None, None, Some(true)) => "matchTrafficWeight".to_owned(),
            (None, None, _) => String::new(),
        };
        ("setCanaryScale", setting)
    } else if let Some(route) = &step.set_header_route {
        ("setHeaderRoute", named(&route.name))
    } else if let Some(route) = &step.set_mirror_route {
        ("setMirrorRoute", named(&route.name))
    } else if let Some(plugin) = &step.plugin {
        ("plugin", named(&plugin.name))
    } else {
        (step.others.0.first().map_or("unknown", String::as_str), String::new())
    };
    let duration = step.pause.as_ref().and_then(|pause| pause.duration.as_ref());
    StepPlan {
        kind: bounded(kind.to_owned(), KIND_LIMIT).into(),
        setting: bounded(setting, SETTING_LIMIT).into(),
        seconds: duration.filter(|_| kind == "pause").and_then(seconds),
        matches: step
            .set_header_route
            .as_ref()
            .is_some_and(|route| route.r#match.as_ref().is_some_and(|all| !all.is_empty())),
    }
}

/// A length of time as it is written, but a bare number with its unit.
fn length(duration: &argo::Duration) -> String {
    match duration {
        argo::Duration::Seconds(seconds) => format!("{seconds}s"),
        argo::Duration::Text(text) if text.parse::<i64>().is_ok() => format!("{text}s"),
        argo::Duration::Text(text) => text.clone(),
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    // More than fit are cut anyway.
    names.take(SETTING_LIMIT).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeline::seen::Strategy;

    use super::super::tests::progress_of;

    #[test]
    fn each_kind_of_step_has_its_key_and_its_setting() {
        let steps = json!([
            { "setWeight": 20 },
            { "pause": { "duration": "5m" } },
            { "pause": { "duration": 30 } },
            { "pause": { "duration": "45" } },
            { "pause": {} },
            { "analysis": { "templates": [{ "templateName": "errors" }, { "templateName": "latency" }] } },
            { "experiment": { "templates": [{ "name": "baseline", "specRef": "stable" }] } },
            { "setCanaryScale": { "replicas": 3 } },
            { "setCanaryScale": { "weight": 25 } },
            { "setCanaryScale": { "matchTrafficWeight": true } },
            { "setHeaderRoute": { "name": "beta", "match": [] } },
            { "setMirrorRoute": { "name": "shadow", "percentage": 5 } },
            { "plugin": { "name": "argoproj-labs/job", "config": {} } },
            { "fromTheFuture": { "x": 1 } },
            {},
        ]);
        let progress =
            progress_of(&json!({ "strategy": { "canary": { "steps": steps } } }), &json!({}));
        let shown: Vec<String> = progress
            .steps
            .iter()
            .map(|step| match step.seconds {
                Some(seconds) => format!("{} {} ({seconds})", step.kind, step.setting),
                None => format!("{} {}", step.kind, step.setting),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "setWeight 20",
                "pause 5m (300)",
                "pause 30s (30)",
                "pause 45s (45)",
                "pause ",
                "analysis errors,latency",
                "experiment baseline",
                "setCanaryScale 3 replicas",
                "setCanaryScale 25%",
                "setCanaryScale matchTrafficWeight",
                "setHeaderRoute beta",
                "setMirrorRoute shadow",
                "plugin argoproj-labs/job",
                "fromTheFuture ",
                "unknown ",
            ]
        );
        assert_eq!((progress.strategy, progress.step_count), (Some(Strategy::Canary), 15));
    }
}
