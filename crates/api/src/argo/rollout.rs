//! The Rollout.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::{Condition, Digest};
use crate::foreign::{Unread, foreign};

foreign!(
    /// An argoproj.io/v1alpha1 Rollout. Its template is read from the ReplicaSets: with a
    /// workloadRef it is not there.
    Rollout { "argoproj.io", "v1alpha1", "rollouts" } RolloutSpec, RolloutStatus
);

/// `spec` of a Rollout, as far as it says what is planned.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutSpec {
    /// A person holds it.
    pub paused: Option<bool>,
    /// All pods are to be newer than this.
    pub restart_at: Option<Timestamp>,
    /// How many pods are wanted.
    pub replicas: Option<i32>,
    /// What the template says, to know one from another.
    pub template: Option<Digest>,
    /// The template stands elsewhere.
    pub workload_ref: Option<Unread>,
    /// How pods are replaced.
    pub strategy: Option<RolloutStrategy>,
}

/// `spec.strategy`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutStrategy {
    /// `canary`
    pub canary: Option<CanaryStrategy>,
    /// `blueGreen`
    pub blue_green: Option<BlueGreenStrategy>,
}

/// `spec.strategy.canary`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct CanaryStrategy {
    /// The steps, in order.
    pub steps: Option<Vec<CanaryStep>>,
    /// A traffic router.
    #[serde(rename = "trafficRouting")]
    pub traffic_routing: Option<TrafficRouting>,
}

/// `spec.strategy.canary.trafficRouting`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficRouting {
    /// What all weights add up to; 100 unless it is set.
    pub max_traffic_weight: Option<i64>,
}

/// `spec.strategy.blueGreen`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlueGreenStrategy {
    /// Switch by itself after so many seconds.
    pub auto_promotion_seconds: Option<i64>,
}

/// A canary step: one of these, or one that is not known yet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CanaryStep {
    /// Percent of the traffic.
    pub set_weight: Option<i64>,
    /// Wait.
    pub pause: Option<PauseStep>,
    /// Run AnalysisTemplates.
    pub analysis: Option<AnalysisStep>,
    /// Run an Experiment.
    pub experiment: Option<ExperimentStep>,
    /// Scale without turning traffic.
    pub set_canary_scale: Option<ScaleStep>,
    /// Send requests with a header.
    pub set_header_route: Option<RouteStep>,
    /// Mirror requests.
    pub set_mirror_route: Option<NamedStep>,
    /// Ask a step plugin.
    pub plugin: Option<NamedStep>,
    /// Keys of a newer Argo.
    #[serde(flatten)]
    pub others: Keys,
}

/// The keys of an object whose values are not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(pub BTreeSet<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        let object = HashMap::<String, IgnoredAny>::deserialize(object)?;
        Ok(Self(object.into_keys().collect()))
    }
}

/// A step that waits.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PauseStep {
    /// How long; none waits for a person.
    pub duration: Option<Duration>,
}

/// A length of time: whole seconds, or text like `30`, `30s`, `1h30m` (Argo's IntOrString).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Duration {
    /// Seconds.
    Seconds(i64),
    /// Seconds in digits, or a duration of Go's.
    Text(String),
}

/// A step that runs AnalysisTemplates.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AnalysisStep {
    /// Which.
    pub templates: Option<Vec<TemplateRef>>,
}

/// The name of an AnalysisTemplate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateRef {
    /// `templateName`
    pub template_name: Option<String>,
}

/// A step that runs an Experiment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ExperimentStep {
    /// What is run beside each other.
    pub templates: Option<Vec<ExperimentTemplate>>,
}

/// What an Experiment of a step runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExperimentTemplate {
    /// `name`
    pub name: Option<String>,
    /// Whose pods: `canary` or `stable`.
    pub spec_ref: Option<String>,
    /// Its share of the traffic.
    pub weight: Option<i64>,
}

/// A step that scales without turning traffic.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScaleStep {
    /// Percent of the replicas.
    pub weight: Option<i64>,
    /// A number of replicas.
    pub replicas: Option<i64>,
    /// As many as the traffic needs.
    pub match_traffic_weight: Option<bool>,
}

/// A step that sends requests with a header to the new revision.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RouteStep {
    /// `name` of the route.
    pub name: Option<String>,
    /// Which requests; without any the route goes away.
    pub r#match: Option<Vec<IgnoredAny>>,
}

/// Something with a name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NamedStep {
    /// `name`
    pub name: Option<String>,
}

/// `status` of a Rollout, as far as it decides about attempts and shows how far one is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutStatus {
    /// metadata.generation that the status is of: a string.
    pub observed_generation: Option<String>,
    /// The annotation with the generation of the workloadRef that the status is of: a string.
    pub workload_observed_generation: Option<String>,
    /// The pod-template-hash of spec.template.
    pub current_pod_hash: Option<String>,
    /// The pod-template-hash that was promoted last.
    #[serde(rename = "stableRS")]
    pub stable_rs: Option<String>,
    /// The step that is under way; the number of steps once all are done.
    pub current_step_index: Option<i64>,
    /// Changes with the steps.
    pub current_step_hash: Option<String>,
    /// What holds it.
    pub pause_conditions: Option<Vec<PauseCondition>>,
    /// The controller holds it.
    pub controller_pause: Option<bool>,
    /// A person asked to go on to the end.
    pub promote_full: Option<bool>,
    /// The update was aborted.
    pub abort: Option<bool>,
    /// When the controller saw that.
    pub aborted_at: Option<Timestamp>,
    /// Healthy, Degraded, Progressing, Paused.
    pub phase: Option<String>,
    /// Completed among them: True while nothing is in flight.
    pub conditions: Option<Vec<Condition>>,
    /// Only of a canary.
    pub canary: Option<CanaryStatus>,
    /// Only of a blue-green Rollout.
    pub blue_green: Option<BlueGreenStatus>,
}

/// What holds a Rollout.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PauseCondition {
    /// InconclusiveAnalysisRun, InconclusiveExperiment, CanaryPauseStep, BlueGreenPause.
    pub reason: Option<String>,
    /// Since when.
    pub start_time: Option<Timestamp>,
}

/// `status.canary`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CanaryStatus {
    /// Only with a traffic router.
    pub weights: Option<TrafficWeights>,
    /// The AnalysisRun of the step.
    pub current_step_analysis_run_status: Option<NamedRun>,
    /// The AnalysisRun beside the steps.
    pub current_background_analysis_run_status: Option<NamedRun>,
    /// Name of the Experiment of the step.
    pub current_experiment: Option<String>,
    /// What step plugins said.
    pub step_plugin_statuses: Option<Vec<PluginStatus>>,
}

/// What a step plugin said.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PluginStatus {
    /// Of which step.
    pub index: Option<i64>,
    /// Run, Terminate or Abort.
    pub operation: Option<String>,
    /// Running, Successful, Failed, Error.
    pub phase: Option<String>,
}

/// `status.canary.weights`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TrafficWeights {
    /// The new revision's.
    pub canary: Option<WeightDestination>,
    /// Those of Experiments.
    pub additional: Option<Vec<WeightDestination>>,
}

/// A share of the traffic.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WeightDestination {
    /// Percent.
    pub weight: Option<i64>,
    /// Whose it is; on the way back to stable still the revision that is left.
    pub pod_template_hash: Option<String>,
}

/// `status.blueGreen`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlueGreenStatus {
    /// The pod-template-hash that previewService selects.
    pub preview_selector: Option<String>,
    /// The pod-template-hash that activeService selects.
    pub active_selector: Option<String>,
    /// The AnalysisRun before the switch.
    pub pre_promotion_analysis_run_status: Option<NamedRun>,
    /// The AnalysisRun after the switch.
    pub post_promotion_analysis_run_status: Option<NamedRun>,
}

/// The name of an AnalysisRun; what became of it is read from itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NamedRun {
    /// `name`
    pub name: Option<String>,
}
