//! Keptn's objects.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::base::{Key, Traceparent};

/// A KeptnAppVersion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppVersionSeen {
    /// Namespace and name.
    pub key: Key,
    /// `spec.appName`
    pub app: SmolStr,
    /// `spec.workloads`: short name and version.
    pub workloads: Vec<(SmolStr, SmolStr)>,
    /// `spec.spanLinks`: what Keptn was asked to link, as it stands there.
    pub span_links: Vec<String>,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// `status.endTime`
    pub ended: Option<Timestamp>,
    /// `status.status` is Deprecated.
    pub deprecated: bool,
    /// Tasks or evaluations before the deployment run, or have failed.
    pub held: bool,
    /// `status.phaseTraceIDs.AppPreDeployTasks`, or else `.AppPreDeployEvaluations`.
    pub before_deploy: Option<Traceparent>,
    /// `status.phaseTraceIDs.AppDeploy`
    pub app_deploy: Option<Traceparent>,
    /// A carrier that holds something else than a traceparent: which, and what is wrong with it.
    pub broken: Option<String>,
}

/// A KeptnWorkloadVersion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadVersionSeen {
    /// Namespace and name.
    pub key: Key,
    /// `spec.app`
    pub app: SmolStr,
    /// `spec.workloadName`
    pub workload: SmolStr,
    /// `spec.version`
    pub version: SmolStr,
    /// `spec.resourceReference.uid`: the ReplicaSet of the last pod that was admitted.
    pub replica_set_uid: Option<SmolStr>,
    /// `spec.traceId.traceparent`
    pub trace: Option<Traceparent>,
}

/// A KeptnAppContext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppContextSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// `spec.spanLinks`, ours and others.
    pub span_links: Vec<String>,
    /// Those of them that are ours, by our annotation.
    pub ours: Vec<String>,
}
