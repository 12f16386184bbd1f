//! The ReplicaSet of a revision.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Condition, Digest};
use crate::foreign::foreign;

foreign!(
    /// An apps/v1 ReplicaSet: what Keptn looks at in its template, and a digest of the rest.
    ///
    /// k8s-openapi's own type costs a 6 kB ReplicaSet 63 kB of heap and 80 us of decoding.
    ReplicaSet { "apps", "v1", "replicasets" } ReplicaSetSpec, ReplicaSetStatus
);

/// `spec` of a ReplicaSet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ReplicaSetSpec {
    /// How many pods there are to be.
    pub replicas: Option<i32>,
    /// What its pods are made from.
    pub template: Option<PodTemplate>,
}

/// `status` of a ReplicaSet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetStatus {
    /// How many pods are ready.
    pub ready_replicas: Option<i32>,
    /// How many pods are ready for long enough.
    pub available_replicas: Option<i32>,
    /// ReplicaFailure among them: pods cannot be made or deleted.
    pub conditions: Option<Vec<Condition>>,
}

/// `spec.template` of a ReplicaSet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PodTemplate {
    /// Labels and annotations of the pods.
    pub metadata: Option<TemplateMetadata>,
    /// The pods' spec.
    pub spec: Option<PodSpec>,
}

/// Labels and annotations of a pod template.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TemplateMetadata {
    /// `annotations`
    pub annotations: Option<BTreeMap<String, String>>,
    /// `labels`
    pub labels: Option<BTreeMap<String, String>>,
}

/// `spec` of a pod template.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PodSpec {
    /// Without init containers, which Keptn ignores.
    pub containers: Option<Vec<Container>>,
    /// Argo may put a rule of its own into it.
    pub affinity: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Digest,
}

/// A container, as far as Keptn's version hash reads it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Container {
    /// `name`
    pub name: Option<String>,
    /// `image`
    pub image: Option<String>,
    /// `env`
    pub env: Option<Vec<EnvVar>>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Digest,
}

/// An environment variable of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EnvVar {
    /// `name`
    pub name: Option<String>,
    /// `value`; empty if it comes from elsewhere.
    pub value: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Digest,
}
