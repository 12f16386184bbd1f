//! RolloutTrace: what a person reads first of a Rollout's history.

#![expect(unreachable_pub, reason = "KubeSchema copies the struct into a function to validate it")]

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The history of one Rollout of the same name and namespace. It is made by Throughline; a person
/// may edit its spec.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "throughline.dev",
    version = "v1alpha1",
    kind = "RolloutTrace",
    namespaced,
    shortname = "rtr",
    category = "throughline",
    status = "RolloutTraceStatus",
    validation = crate::fence(),
    doc = "The history of one Rollout of the same name and namespace: its revisions, the trace of \
           each, and how they are linked. Made by Throughline; a person may edit spec.",
    printcolumn(name = "Rev", type_ = "integer", json_path = ".status.head.revision"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.head.version"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.head.phase"),
    printcolumn(name = "Follows", type_ = "string", json_path = ".status.head.follows"),
    printcolumn(name = "Linked", type_ = "string", json_path = ".status.head.linked"),
    printcolumn(name = "Trace", type_ = "string", json_path = ".status.head.traceId"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Last Outcome",
        type_ = "string",
        priority = 1,
        json_path = ".status.head.lastOutcome"
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type=='Linked')].message"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutTraceSpec {
    /// How many attempts status.chain keeps, 1 to 50. What is live is kept beyond that.
    #[schemars(range(min = 1, max = 50))]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 50").message("spec.history is a number of attempts from 1 to 50"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<i32>,
    /// How many RolloutAttempts that are over are kept, 0 to 50. The default is 5.
    #[schemars(range(min = 0, max = 50))]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 50").message("spec.attempts is a number of attempts from 0 to 50"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i32>,
    /// `Link` writes the links into the KeptnAppContext of the app; `Observe` only shows what they
    /// would be. The default is Link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Keep this object when the Rollout is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_after_delete: Option<bool>,
    /// How DORA's metrics of this Rollout are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dora: Option<DoraSpec>,
}

/// How DORA's metrics are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoraSpec {
    /// How many hours after a promotion a rollback or hotfix still makes it a failed deployment,
    /// 0 to 720. The default is 24.
    #[schemars(range(min = 0, max = 720))]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 720").message("spec.dora.failureWindowHours is a number of hours from 0 to 720"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_window_hours: Option<i32>,
    /// Whether figures are labelled with DORA's performance levels, Elite to Low. The default is
    /// true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bands: Option<bool>,
}

/// Whether links are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Write the links into the KeptnAppContext.
    #[default]
    Link,
    /// Write nothing but this object.
    Observe,
}

/// What was observed of the Rollout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutTraceStatus {
    /// UID of the Rollout that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub rollout_uid: Option<String>,
    /// metadata.generation of this object whose spec was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The newest attempt, in the words that `kubectl get` shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The attempts, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 51))]
    pub chain: Vec<ChainEntry>,
    /// Number of the leader's term that wrote this; absent where there never was a lease. An older
    /// leader's write is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub writer_epoch: Option<i64>,
    /// DORA's metrics as of the last write. Windows move on: `throughline dora` has those of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dora: Option<Dora>,
    /// Since when no attempt is missing in the ledger; absent if that is since the creation of the
    /// Rollout. What was before is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub known_since: Option<Timestamp>,
    /// The attempts that DORA's metrics are made from, newest first, a line each. docs/dora.md
    /// says how a line reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 512)))]
    pub ledger: Vec<String>,
    /// Older attempts, summed up by day in UTC, newest first, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 16384)))]
    pub days: Vec<String>,
    /// The last attempt that was summed up: when it ended, and which one it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub compacted: Option<String>,
    /// `Observed`: the Rollout is followed. `Linked`: the links that the next revision needs are
    /// in place. `Exported`: its attempts are stored and their spans leave. The reason says why
    /// not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// DORA's metrics, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dora {
    /// When they were made: the windows end then.
    #[schemars(schema_with = "date_time")]
    pub as_of: Timestamp,
    /// A line for each of 7, 30 and 90 days. N is how many attempts a figure is made from; docs/dora.md
    /// has the definitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), inner(length(max = 512)))]
    pub figures: Vec<String>,
}

/// The newest attempt, for `kubectl get`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Argo's revision number.
    pub revision: i64,
    /// The version that Keptn sees, else the pod-template-hash.
    #[schemars(length(max = 253))]
    pub version: String,
    /// Where it stands.
    pub phase: Phase,
    /// Versions of what it follows, e.g. `3.0.0, 4.0.0`; `-` for the first.
    #[schemars(length(max = 600))]
    pub follows: String,
    /// How far the link to that came.
    pub linked: LinkState,
    /// How the newest attempt that is over ended, and why if it failed, e.g.
    /// `4.0.0 Aborted: ImagePullFailed: cart: example/cart:4.0.0: not found (2 of 3 pods)`; `-`
    /// while none is over.
    #[serde(default)]
    #[schemars(length(max = 900))]
    pub last_outcome: String,
    /// Trace id of 32 hexadecimal digits; `-` if Keptn made none.
    #[schemars(length(max = 32))]
    pub trace_id: String,
}

/// One attempt to bring a pod-template-hash live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChainEntry {
    /// Argo's number for the ReplicaSet when the attempt began; 0 if it is not known.
    #[schemars(range(min = 0))]
    pub revision: i64,
    /// The pod-template-hash.
    #[schemars(length(max = 63))]
    pub hash: String,
    /// 1, and one more for each retry of the same revision.
    #[schemars(range(min = 1))]
    pub attempt: i32,
    /// Name of the ReplicaSet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub replica_set: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// When it began.
    #[schemars(schema_with = "date_time")]
    pub started: Timestamp,
    /// Source of the time at which it began.
    pub started_source: Source,
    /// When it ended, or was first seen to have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub ended: Option<Timestamp>,
    /// Why it failed, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub reason: Option<String>,
    /// What it follows: what was live first, then an attempt that failed before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub follows: Vec<Follow>,
    /// What became of the link to that.
    pub linked: Linked,
    /// Keptn's objects and the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keptn: Option<Keptn>,
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Under way.
    #[default]
    Progressing,
    /// Became stable.
    Promoted,
    /// Stopped by a person or an analysis.
    Aborted,
    /// Another revision was applied before it was decided.
    Superseded,
    /// The stable template was applied again before it was decided.
    Reverted,
    /// The Rollout was deleted before it was decided.
    Deleted,
    /// It was over before the operator first looked.
    Unknown,
}

/// Where a time is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Source {
    /// Our clock, when the change arrived.
    Observed,
    /// A timestamp of the object, to the second.
    Status,
    /// The name of a Kubernetes Event, best effort.
    Event,
    /// Not recorded; a lower bound.
    Inferred,
}

/// An attempt that another follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Follow {
    /// Its revision.
    pub revision: i64,
    /// Its pod-template-hash.
    #[schemars(length(max = 63))]
    pub hash: String,
    /// Its number within the revision.
    pub attempt: i32,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub version: Option<String>,
    /// Why it is followed.
    pub relation: Relation,
    /// W3C traceparent that is linked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 55))]
    pub traceparent: Option<String>,
}

/// Why one attempt follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Relation {
    /// It replaces what is live.
    Successor,
    /// It replaces what is live by something that was live before.
    Rollback,
    /// It tries the same revision again.
    RetryAfter,
    /// It came while the other was under way.
    Supersedes,
    /// It is the next try after one that failed or was not observed.
    After,
}

/// What became of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Linked {
    /// How far it came.
    pub state: LinkState,
    /// Why, for a person.
    #[schemars(length(max = 1024))]
    pub reason: String,
}

/// How far a link came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LinkState {
    /// There is nothing to link, or not yet.
    #[default]
    None,
    /// Keptn's KeptnAppVersion carries it; its span is not known yet.
    Requested,
    /// It stands on a root span of Keptn's.
    Applied,
    /// Keptn made the span without it.
    Lost,
}

/// What Keptn made of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keptn {
    /// Name of the KeptnApp and the KeptnAppContext.
    #[schemars(length(max = 253))]
    pub app: String,
    /// Name of the KeptnWorkload.
    #[schemars(length(max = 512))]
    pub workload: String,
    /// `spec.version` of the KeptnWorkload.
    #[schemars(length(max = 253))]
    pub version: String,
    /// Keptn computed the version from the containers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub version_hashed: bool,
    /// W3C traceparent of the span that stands for the attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 55))]
    pub traceparent: Option<String>,
    /// Name of its KeptnAppVersion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub app_version: Option<String>,
    /// Name of the KeptnWorkloadVersion that agrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub workload_version: Option<String>,
}

/// RFC 3339, as fine as the clock that it came from.
pub(crate) fn date_time(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time" })
}
