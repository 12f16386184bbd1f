//! What a Rollout says about itself.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

/// A version of a Rollout object.
#[derive(Debug, Clone, PartialEq)]
pub struct State(pub DynamicObject);

impl State {
    fn at(&self, pointer: &str) -> &Value {
        self.0.data.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The controller has seen the spec as it is.
    pub fn is_observed(&self) -> bool {
        let generation = self.0.metadata.generation.unwrap_or_default().to_string();
        let workload = self.0.annotations().get("rollout.argoproj.io/workload-generation");
        self.text("/status/observedGeneration") == generation
            && workload.is_none_or(|it| self.text("/status/workloadObservedGeneration") == it)
            // A client has unpaused it and the controller has not seen that yet.
            && !(self.at("/status/controllerPause") == true && self.pauses().is_empty())
    }

    /// Healthy, Progressing, Paused, Degraded; empty before the controller has seen it.
    pub fn phase(&self) -> &str {
        self.text("/status/phase")
    }

    /// Why it is in this phase.
    pub fn message(&self) -> &str {
        self.text("/status/message")
    }

    /// The pod hash of the template.
    pub fn current(&self) -> &str {
        self.text("/status/currentPodHash")
    }

    /// The pod hash that was promoted last.
    pub fn stable(&self) -> &str {
        self.text("/status/stableRS")
    }

    /// The index of the step that is due.
    pub fn step(&self) -> Option<u64> {
        self.at("/status/currentStepIndex").as_u64()
    }

    /// The number of the revision.
    pub fn revision(&self) -> Option<u64> {
        self.0.annotations().get("rollout.argoproj.io/revision")?.parse().ok()
    }

    /// The reasons of the pauses that the controller holds.
    pub fn pauses(&self) -> Vec<&str> {
        let pauses = self.at("/status/pauseConditions").as_array().map_or(&[][..], Vec::as_slice);
        pauses.iter().filter_map(|pause| pause["reason"].as_str()).collect()
    }

    /// The controller holds a pause of the step that is due. A pause of the revision before may
    /// still stand there when a new one has begun at step 0.
    pub(super) fn holds_at_its_step(&self) -> bool {
        let due = self.step().and_then(|step| usize::try_from(step).ok());
        let at_a_pause = due.is_some_and(|step| {
            let step = self.at("/spec/strategy/canary/steps").get(step);
            step.is_some_and(|step| step.get("pause").is_some())
        });
        let pauses = self.pauses();
        pauses.iter().any(|reason| *reason != "CanaryPauseStep" || at_a_pause)
    }

    /// It was aborted.
    pub fn is_aborted(&self) -> bool {
        self.at("/status/abort") == true
    }

    /// When the controller aborted it; empty if it did not.
    pub fn aborted_at(&self) -> &str {
        self.text("/status/abortedAt")
    }

    /// The traffic weight of the canary, as its router has it.
    pub fn canary_weight(&self) -> Option<u64> {
        self.at("/status/canary/weights/canary/weight").as_u64()
    }

    /// The reason of a condition, `Progressing` for example.
    pub fn reason(&self, condition: &str) -> &str {
        let conditions = self.at("/status/conditions").as_array().map_or(&[][..], Vec::as_slice);
        let found = conditions.iter().find(|it| it["type"] == condition);
        found.and_then(|it| it["reason"].as_str()).unwrap_or_default()
    }

    /// When a condition was updated last.
    pub fn updated(&self, condition: &str) -> Option<jiff::Timestamp> {
        let conditions = self.at("/status/conditions").as_array()?;
        let found = conditions.iter().find(|it| it["type"] == condition)?;
        found["lastUpdateTime"].as_str()?.parse().ok()
    }

    /// It has such a condition, whatever that says.
    pub fn has_condition(&self, condition: &str) -> bool {
        let conditions = self.at("/status/conditions").as_array().map_or(&[][..], Vec::as_slice);
        conditions.iter().any(|it| it["type"] == condition)
    }

    /// The version in the template, by its label or else by the tag of the image; `None` with a
    /// workloadRef.
    pub fn version(&self) -> Option<&str> {
        version(self.0.data.pointer("/spec/template")?)
    }

    pub(super) fn show(&self) -> String {
        let shown = serde_json::json!({
            "generation": self.0.metadata.generation,
            "annotations": self.0.metadata.annotations,
            "status": self.at("/status"),
        });
        serde_norway::to_string(&shown).unwrap_or_else(|_| shown.to_string())
    }
}

/// The version that a pod template carries.
pub(super) fn version(template: &Value) -> Option<&str> {
    let label = &template["metadata"]["labels"]["app.kubernetes.io/version"];
    let image = template.pointer("/spec/containers/0/image").and_then(Value::as_str);
    label.as_str().or_else(|| Some(image?.rsplit_once(':')?.1))
}
