//! Keptn's kinds, as far as the stand-in reads and writes them (lifecycle.keptn.sh/v1).
//!
//! They are written down here once more, although the product has its own views of them: a test
//! double that shared types with what it tests would share their mistakes.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The states Keptn knows (apis/lifecycle/v1/common/common.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Under way.
    Progressing,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Not to be found out.
    Unknown,
    /// Not begun; the default in the CRDs.
    Pending,
    /// Replaced by a later generation, or left out because an earlier phase failed.
    Deprecated,
    /// Failed, but deployments are not blocked.
    Warning,
}

impl State {
    /// Nothing more happens. Failed and Deprecated count (docs/keptn.md 4.8).
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Deprecated | Self::Warning)
    }
}

/// A W3C carrier, in practice with the one key `traceparent`.
pub type Carrier = BTreeMap<String, String>;

/// A workload with its version, as `KeptnApp` and `KeptnAppVersion` list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadRef {
    /// Name of the `KeptnWorkload` without the prefix of the app.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Spec of a `KeptnApp`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "lifecycle.keptn.sh",
    version = "v1",
    kind = "KeptnApp",
    namespaced,
    status = "CurrentVersion",
    schema = "disabled"
)]
pub struct AppSpec {
    /// Version of the app.
    pub version: String,
    /// Raised by a user for another deployment of the same version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The workloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadRef>,
}

/// Status of `KeptnApp` and `KeptnWorkload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentVersion {
    /// The version for which the last version object was made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub current_version: String,
}

/// Spec of a `KeptnAppContext`; copied into every new `KeptnAppVersion`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "lifecycle.keptn.sh",
    version = "v1",
    kind = "KeptnAppContext",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct ContextSpec {
    /// Become attributes of the spans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Traceparents, which become links of the root span.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub span_links: Vec<String>,
    /// Carried along, never run: the stand-in has no tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_deployment_tasks: Vec<String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_deployment_tasks: Vec<String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_deployment_evaluations: Vec<String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_deployment_evaluations: Vec<String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotion_tasks: Vec<String>,
}

/// Spec of a `KeptnAppVersion`: that of the app, that of its context, and two fields more.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "lifecycle.keptn.sh",
    version = "v1",
    kind = "KeptnAppVersion",
    namespaced,
    status = "AppVersionStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct AppVersionSpec {
    /// The app's spec at that generation.
    #[serde(flatten)]
    pub app: AppSpec,
    /// The context's spec at the moment of creation.
    #[serde(flatten)]
    pub context: ContextSpec,
    /// Name of the app.
    pub app_name: String,
    /// The app's current version before, if it was another.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub previous_version: String,
    /// Never written by Keptn, honoured when a user sets it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trace_id: Carrier,
}

/// What `KeptnAppVersion` and `KeptnWorkloadVersion` have in common in their status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Short name of the phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_phase: Option<String>,
    /// Overall state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<State>,
    /// State of the phase of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_deployment_status: Option<State>,
    /// State of the phase of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_deployment_evaluation_status: Option<State>,
    /// State of the phase of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_deployment_status: Option<State>,
    /// State of the phase of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_deployment_evaluation_status: Option<State>,
    /// By phase, the context of the span that was started for it.
    #[serde(rename = "phaseTraceIDs", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phase_trace_ids: BTreeMap<String, Carrier>,
    /// First reconcile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// Completion, well or badly. Deprecation does not set it (docs/keptn.md 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
}

/// Status of a `KeptnAppVersion`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppVersionStatus {
    /// The common part.
    #[serde(flatten)]
    pub progress: Progress,
    /// State of the phase `AppDeploy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_overall_status: Option<State>,
    /// The same, by workload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workload_status: Vec<WorkloadState>,
    /// Promotion is off: only deprecation writes this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion_status: Option<State>,
}

/// State of one workload of a `KeptnAppVersion`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadState {
    /// Which one.
    pub workload: WorkloadRef,
    /// Status of its `KeptnWorkloadVersion`; absent while that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<State>,
}

/// Spec of a `KeptnAppCreationRequest`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "lifecycle.keptn.sh",
    version = "v1",
    kind = "KeptnAppCreationRequest",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct CreationRequestSpec {
    /// The app to create or update.
    pub app_name: String,
}

/// The owner of the pods of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceReference {
    /// Kind of the pod's owner.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Spec of a `KeptnWorkload`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "lifecycle.keptn.sh",
    version = "v1",
    kind = "KeptnWorkload",
    namespaced,
    status = "CurrentVersion",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadSpec {
    /// Name of the app.
    pub app: String,
    /// Version, in lower case.
    pub version: String,
    /// The pods' owner.
    pub resource_reference: ResourceReference,
    /// From the annotation `keptn.sh/metadata`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_deployment_tasks: Vec<String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_deployment_tasks: Vec<String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_deployment_evaluations: Vec<String>,
    /// Carried along, never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_deployment_evaluations: Vec<String>,
}

/// Spec of a `KeptnWorkloadVersion`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "lifecycle.keptn.sh",
    version = "v1",
    kind = "KeptnWorkloadVersion",
    namespaced,
    status = "WorkloadVersionStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadVersionSpec {
    /// The workload's spec; follows it while the version stays the same (docs/keptn.md 4.3).
    #[serde(flatten)]
    pub workload: WorkloadSpec,
    /// Name of the workload.
    pub workload_name: String,
    /// The workload's current version before, if it was another.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub previous_version: String,
    /// Context of the app version's `AppDeploy` span, set once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trace_id: Carrier,
}

/// Status of a `KeptnWorkloadVersion`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadVersionStatus {
    /// The common part.
    #[serde(flatten)]
    pub progress: Progress,
    /// State of the phase `WorkloadDeploy`; releases the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_status: Option<State>,
    /// From when the observability timeout counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_start_time: Option<Time>,
    /// Metadata of the app version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub app_context_metadata: BTreeMap<String, String>,
}

/// What Keptn looks at in an Argo Rollout.
#[derive(CustomResource, Clone, Debug, Default, Serialize, Deserialize)]
#[kube(
    group = "argoproj.io",
    version = "v1alpha1",
    kind = "Rollout",
    namespaced,
    status = "RolloutStatus",
    schema = "disabled"
)]
pub struct RolloutSpec {
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Status of a Rollout: nothing in it says to Keptn which revision is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// Pods of all revisions.
    #[serde(default)]
    pub replicas: i32,
    /// Pods of the newest revision.
    #[serde(default)]
    pub updated_replicas: i32,
    /// Healthy, Progressing, Paused, Degraded.
    #[serde(default)]
    pub phase: String,
}
