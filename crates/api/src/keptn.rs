//! Keptn's lifecycle objects.
//!
//! Source: keptn/lifecycle-toolkit `lifecycle-operator/apis/lifecycle/v1`. Only v1 is used: the
//! conversion to v1beta1 drops `spec.spanLinks`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::foreign::{Unread, foreign, written};

/// Annotation on a KeptnAppContext: which entries of `spec.spanLinks` are ours, as a JSON list.
pub const OURS: &str = "throughline.dev/span-links";

foreign!(
    /// A lifecycle.keptn.sh/v1 KeptnAppVersion.
    KeptnAppVersion { "lifecycle.keptn.sh", "v1", "keptnappversions" } KeptnAppVersionSpec, KeptnAppVersionStatus
);

/// `spec` of a KeptnAppVersion.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeptnAppVersionSpec {
    /// Name of the KeptnApp.
    pub app_name: Option<String>,
    /// The workloads and their versions.
    pub workloads: Option<Vec<KeptnWorkloadRef>>,
    /// Copied from the KeptnAppContext at creation.
    pub span_links: Option<Vec<String>>,
}

/// A workload and its version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptnWorkloadRef {
    /// Without the name of the app.
    pub name: Option<String>,
    /// Lower-case.
    pub version: Option<String>,
}

/// `status` of a KeptnAppVersion.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeptnAppVersionStatus {
    /// Pending, Progressing, Succeeded, Failed, Deprecated.
    pub status: Option<String>,
    /// AppPreDeployTasks, AppDeploy and so on.
    pub current_phase: Option<String>,
    /// When it was over.
    pub end_time: Option<Timestamp>,
    /// For each phase a carrier with a `traceparent`.
    #[serde(rename = "phaseTraceIDs")]
    pub phase_trace_ids: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

foreign!(
    /// A lifecycle.keptn.sh/v1 KeptnWorkloadVersion.
    KeptnWorkloadVersion { "lifecycle.keptn.sh", "v1", "keptnworkloadversions" } KeptnWorkloadVersionSpec, Unread
);

/// `spec` of a KeptnWorkloadVersion.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeptnWorkloadVersionSpec {
    /// Name of the KeptnApp.
    pub app: Option<String>,
    /// Name of the KeptnWorkload.
    pub workload_name: Option<String>,
    /// Lower-case.
    pub version: Option<String>,
    /// The ReplicaSet of the pod that was admitted last.
    pub resource_reference: Option<KeptnResourceReference>,
    /// A carrier with the `traceparent` of the AppVersion's AppDeploy span.
    pub trace_id: Option<BTreeMap<String, String>>,
}

/// What a KeptnWorkload stands for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptnResourceReference {
    /// UID of the ReplicaSet.
    pub uid: Option<String>,
}

foreign!(
    /// A lifecycle.keptn.sh/v1 KeptnAppContext.
    KeptnAppContext { "lifecycle.keptn.sh", "v1", "keptnappcontexts" } KeptnAppContextSpec, Unread
);
written!(KeptnAppContext);

/// `spec` of a KeptnAppContext. Tasks and metadata are a person's and not read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeptnAppContextSpec {
    /// Traceparents that the next KeptnAppVersion of the app links to.
    pub span_links: Option<Vec<String>>,
}
