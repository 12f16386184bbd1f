//! Argo Rollouts, and the ReplicaSets that it owns.
//!
//! Source: argo-rollouts `pkg/apis/rollouts/v1alpha1/types.go`, 1.7 to 1.11.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::foreign::{Unread, foreign};

/// Annotation with Argo's revision number, on Rollouts and ReplicaSets.
pub const REVISION: &str = "rollout.argoproj.io/revision";
/// Label with the pod-template-hash, on ReplicaSets and pods.
pub const POD_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";

foreign!(
    /// An argoproj.io/v1alpha1 Rollout: nothing of its spec is read.
    Rollout { "argoproj.io", "v1alpha1", "rollouts" } Unread, RolloutStatus
);

/// `status` of a Rollout, as far as it decides about attempts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutStatus {
    /// The pod-template-hash of spec.template.
    pub current_pod_hash: Option<String>,
    /// The pod-template-hash that was promoted last.
    #[serde(rename = "stableRS")]
    pub stable_rs: Option<String>,
    /// The update was aborted.
    pub abort: Option<bool>,
    /// When the controller saw that.
    pub aborted_at: Option<Timestamp>,
    /// Healthy, Degraded, Progressing, Paused.
    pub phase: Option<String>,
    /// Completed among them: True while nothing is in flight.
    pub conditions: Option<Vec<RolloutCondition>>,
}

/// A condition of a Rollout.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutCondition {
    /// Completed, Healthy, Progressing, Paused, Available, InvalidSpec, ReplicaFailure.
    pub r#type: Option<String>,
    /// True, False, Unknown.
    pub status: Option<String>,
    /// When the status last changed.
    pub last_transition_time: Option<Timestamp>,
}

foreign!(
    /// An apps/v1 ReplicaSet, as far as Keptn looks at its template.
    ///
    /// k8s-openapi's own type costs a 6 kB ReplicaSet 63 kB of heap and 80 us of decoding.
    ReplicaSet { "apps", "v1", "replicasets" } ReplicaSetSpec, Unread
);

/// `spec` of a ReplicaSet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplicaSetSpec {
    /// What its pods are made from.
    pub template: Option<PodTemplate>,
}

/// `spec.template` of a ReplicaSet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PodTemplate {
    /// Labels and annotations of the pods.
    pub metadata: Option<TemplateMetadata>,
    /// The pods' spec.
    pub spec: Option<PodSpec>,
}

/// Labels and annotations of a pod template.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateMetadata {
    /// `annotations`
    pub annotations: Option<BTreeMap<String, String>>,
    /// `labels`
    pub labels: Option<BTreeMap<String, String>>,
}

/// `spec` of a pod template.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PodSpec {
    /// Without init containers, which Keptn ignores.
    pub containers: Option<Vec<Container>>,
}

/// A container, as far as Keptn's version hash reads it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// `name`
    pub name: Option<String>,
    /// `image`
    pub image: Option<String>,
    /// `env`
    pub env: Option<Vec<EnvVar>>,
}

/// An environment variable of a container.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvVar {
    /// `name`
    pub name: Option<String>,
    /// `value`; empty if it comes from elsewhere.
    pub value: Option<String>,
}
