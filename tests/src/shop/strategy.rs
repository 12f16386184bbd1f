//! How a Rollout replaces its pods: steps of a canary, blue-green.

use serde_json::{Value, json};

/// A step of a canary, as in the spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Step(pub Value);

/// A share of the pods or of the traffic, in percent; with `maxTrafficWeight`, a part of that.
pub fn weight(weight: u32) -> Step {
    Step(json!({ "setWeight": weight }))
}

/// So many pods, whatever the weight is; `None` lets them follow it again.
pub fn canary_scale(replicas: Option<u32>) -> Step {
    let scale = match replicas {
        Some(replicas) => json!({ "replicas": replicas }),
        None => json!({ "matchTrafficWeight": true }),
    };
    Step(json!({ "setCanaryScale": scale }))
}

/// Requests with this header go to the canary.
pub fn header_route(name: &str, header: &str, value: &str) -> Step {
    let matches = json!([{ "headerName": header, "headerValue": { "exact": value } }]);
    Step(json!({ "setHeaderRoute": { "name": name, "match": matches } }))
}

/// A pause until somebody promotes.
pub fn pause() -> Step {
    Step(json!({ "pause": {} }))
}

/// A pause of some seconds.
pub fn pause_for(seconds: u32) -> Step {
    Step(json!({ "pause": { "duration": seconds } }))
}

/// A share of the requests goes to the canary as well, and its answers to nobody.
pub fn mirror_route(name: &str, percent: u32) -> Step {
    let all = json!([{ "path": { "prefix": "/" } }]);
    Step(json!({ "setMirrorRoute": { "name": name, "percentage": percent, "match": all } }))
}

/// An analysis with a template.
pub fn analysis(template: &str) -> Step {
    Step(json!({ "analysis": run(template) }))
}

/// An experiment of some seconds: a pod of what is stable beside one of what is new.
pub fn experiment(seconds: u32) -> Step {
    Step(json!({ "experiment": pair(seconds) }))
}

/// The same, which an analysis with a template decides.
pub fn experiment_with(seconds: u32, template: &str) -> Step {
    let mut experiment = pair(seconds);
    experiment["analyses"] = json!([{
        "name": template,
        "templateName": template,
        "requiredForCompletion": true,
    }]);
    Step(json!({ "experiment": experiment }))
}

/// The same with a share of the traffic for each of the two, in percent.
pub fn experiment_weighing(seconds: u32, percent: u32) -> Step {
    let mut experiment = pair(seconds);
    for template in experiment["templates"].as_array_mut().into_iter().flatten() {
        template["weight"] = json!(percent);
    }
    Step(json!({ "experiment": experiment }))
}

fn pair(seconds: u32) -> Value {
    json!({
        "duration": format!("{seconds}s"),
        "templates": [
            { "name": "baseline", "specRef": "stable", "replicas": 1 },
            { "name": "canary", "specRef": "canary", "replicas": 1 },
        ],
        // They would stay for 30 s.
        "scaleDownDelaySeconds": 0,
    })
}

fn run(template: &str) -> Value {
    json!({ "templates": [{ "templateName": template }] })
}

/// A canary strategy.
#[derive(Debug, Clone, Default)]
pub(super) struct Canary {
    pub(super) steps: Vec<Step>,
    /// The template of the analysis beside the steps, and the step that it begins at.
    pub(super) background: Option<(String, u32)>,
}

/// A blue-green strategy.
#[derive(Debug, Clone)]
pub struct BlueGreen {
    /// The Service that users reach; it is applied with the Rollout.
    pub active: String,
    /// The Service of the new version; it is applied with the Rollout.
    pub preview: String,
    /// Promoted by itself after this many seconds; `Some(0)` is at once, `None` is by hand.
    pub promotion: Option<u32>,
    /// The template of the analysis before the switch.
    pub before: Option<String>,
    /// The template of the analysis after the switch.
    pub after: Option<String>,
    /// How long the old pods stay, in seconds.
    pub scale_down_delay: u32,
}

impl Default for BlueGreen {
    fn default() -> Self {
        Self {
            active: "active".into(),
            preview: "preview".into(),
            promotion: Some(4),
            before: None,
            after: None,
            scale_down_delay: 5,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Strategy {
    Canary(Canary),
    BlueGreen(BlueGreen),
}

impl Strategy {
    pub(super) fn spec(&self) -> Value {
        match self {
            Self::Canary(it) => json!({ "canary": it.spec() }),
            Self::BlueGreen(it) => json!({ "blueGreen": it.spec() }),
        }
    }
}

impl Canary {
    fn spec(&self) -> Value {
        let steps: Vec<_> = self.steps.iter().map(|Step(step)| step).collect();
        let mut spec = json!({ "steps": steps });
        if let Some((template, step)) = &self.background {
            spec["analysis"] = run(template);
            spec["analysis"]["startingStep"] = json!(step);
        }
        spec
    }
}

impl BlueGreen {
    fn spec(&self) -> Value {
        let mut spec = json!({
            "activeService": self.active,
            "previewService": self.preview,
            "scaleDownDelaySeconds": self.scale_down_delay,
        });
        match self.promotion {
            None => spec["autoPromotionEnabled"] = json!(false),
            Some(0) => {}
            Some(seconds) => spec["autoPromotionSeconds"] = json!(seconds),
        }
        if let Some(template) = &self.before {
            spec["prePromotionAnalysis"] = run(template);
        }
        if let Some(template) = &self.after {
            spec["postPromotionAnalysis"] = run(template);
        }
        spec
    }
}
