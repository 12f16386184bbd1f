//! RolloutAttempt: one try to bring a revision live, from its start to its end.

#![expect(unreachable_pub, reason = "KubeSchema copies the struct into a function to validate it")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt as _, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rollout_trace::{Phase, Source, date_time};

/// Label of a RolloutAttempt that the operator still works on: it is to be decided, or not all of
/// it has left for the collector. The operator reads no other.
pub const OPEN: &str = "throughline.dev/open";
/// Label of a RolloutAttempt: UID of its Rollout.
pub const ROLLOUT_UID: &str = "throughline.dev/rollout-uid";
/// Label of a RolloutAttempt: name of its Rollout, shortened if it is too long for a label.
pub const ROLLOUT: &str = "throughline.dev/rollout";

/// Which attempt this is. It never changes.
#[derive(
    CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema,
)]
#[kube(
    group = "throughline.dev",
    version = "v1alpha1",
    kind = "RolloutAttempt",
    namespaced,
    shortname = "rat",
    category = "throughline",
    status = "RolloutAttemptStatus",
    validation = crate::fence(),
    doc = "One try to bring a revision of a Rollout live: what happened, when, from what source, and \
           why it failed. Made by Throughline; nothing in it is for a person to edit.",
    printcolumn(name = "Rollout", type_ = "string", json_path = ".spec.rollout"),
    printcolumn(name = "Rev", type_ = "integer", json_path = ".spec.revision"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.facts.version"),
    printcolumn(name = "Outcome", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.failure.class"),
    printcolumn(name = "Started", type_ = "date", json_path = ".status.started.at"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration"),
    printcolumn(name = "Trace", type_ = "string", json_path = ".status.trace.id"),
    printcolumn(name = "Attempt", type_ = "integer", priority = 1, json_path = ".spec.attempt"),
    printcolumn(name = "Weight", type_ = "integer", priority = 1, json_path = ".status.maxWeight"),
    printcolumn(
        name = "Exported",
        type_ = "string",
        priority = 1,
        json_path = ".status.exported.progress"
    ),
    printcolumn(name = "Why", type_ = "string", priority = 1, json_path = ".status.outcome")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec says which attempt this is and never changes"))]
pub struct RolloutAttemptSpec {
    /// Name of the Rollout, in this namespace.
    #[schemars(length(max = 253))]
    pub rollout: String,
    /// UID of the Rollout.
    #[schemars(length(max = 64))]
    pub rollout_uid: String,
    /// The pod-template-hash that is to become live.
    #[schemars(length(max = 63))]
    pub hash: String,
    /// Argo's revision number when the attempt began; 0 if it is not known.
    pub revision: i64,
    /// 1, and one more for each retry of the same revision.
    #[schemars(range(min = 1))]
    pub attempt: i64,
}

/// What happened. Lists hold one line for each entry, in the order in which the entries began.
/// Times in a line are counted from `started.at`: `+12.5s` was seen as it happened, `=+12s` is said
/// by a timestamp of an object, `^+12s` by an Event, and `~+5s<+12s` was not recorded: after
/// the first time and not later than the second. `<` alone is the time at which the entry before
/// ended, `-` is nothing. `#3` stands where an entry is over and is the third to be so: it never
/// changes again. It hangs below the first step of its index, `#3/4` below that of the fifth
/// line, and `#3/-` below none. In names `*` stands for
/// `<rollout>-<hash>-<revision>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutAttemptStatus {
    /// Number of the leader's term that wrote this; absent where there never was a lease. An older
    /// leader's write is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub writer_epoch: Option<i64>,
    /// Where it stands, or how it ended.
    pub phase: Phase,
    /// The same in one line for a person.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub outcome: String,
    /// How long it took, e.g. `1m32s`; `-` while it is under way.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub duration: String,
    /// Users could have been hit by the new revision.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exposed: bool,
    /// Since when they could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed_at: Option<Moment>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Moment>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Moment>,
    /// After a promotion, when the Rollout was Healthy; after an abort, when traffic was back on
    /// what is stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Moment>,
    /// After an abort, when traffic was back on what is stable, if that was after the end of its spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Moment>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Where its spans are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// What its root span links to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub links: Vec<Link>,
    /// What was known of the revision when the attempt began.
    pub facts: Facts,
    /// The highest percentage of the traffic that the new revision got, where a traffic router
    /// is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_weight: Option<i64>,
    /// Argo's canary steps: index, kind, setting, start, end; how it ended where it was not
    /// completed. E.g. `0 setWeight 20 +0s +12.5s #1` and `1 pause '' Skipped < +42s #3`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 512)))]
    pub steps: Vec<String>,
    /// Pauses: step, kind, planned length, who ended it, start, end. E.g. `1 Timed 30s Timer =+12s
    /// +42.1s #2`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 256)))]
    pub pauses: Vec<String>,
    /// AnalysisRuns: kind, step, phase, start, end, name, UID, message. Below each its metrics:
    /// name, phase, failed/all measurements, message, and the last measurements: value, time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 8192)))]
    pub analyses: Vec<String>,
    /// Experiments: step, phase, start, end, name, UID, message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 2048)))]
    pub experiments: Vec<String>,
    /// Percentages of the traffic that Argo set in a traffic router for the new revision: start,
    /// end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(max = 256)))]
    pub weights: Vec<String>,
    /// Switches of a blue-green Rollout's services to the new revision, or back to what is stable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 256)))]
    pub switches: Vec<String>,
    /// What else a reader has to know: gaps, changed steps, deadlines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 512)))]
    pub marks: Vec<String>,
    /// How many entries there was no room for.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub cut: i64,
    /// How many entries are over, the attempt itself among them.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub closed: i64,
    /// Number of the attempt itself among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub root_closed: Option<i64>,
    /// What the collector of traces has acknowledged.
    pub exported: Exported,
    /// The same of each further sink, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub sinks: BTreeMap<String, Exported>,
}

/// A time, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// The time; of an inferred one the latest that it can have been.
    #[schemars(schema_with = "date_time")]
    pub at: Timestamp,
    /// Where it is from.
    pub source: Source,
    /// Of an inferred time: it was after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub not_before: Option<Timestamp>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// One of a short list, e.g. ImagePullFailed, AnalysisFailed, DeadlineExceeded.
    #[schemars(length(max = 64))]
    pub class: String,
    /// What Argo acted upon, e.g. Manual, StepAnalysis, Deadline; none while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cause: Option<String>,
    /// One line, e.g. `ImagePullFailed: cart: example/cart:4.0.0: not found (2 of 3 pods)`.
    #[schemars(length(max = 512))]
    pub reason: String,
    /// The words of Argo, the kubelet, the scheduler or the API server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The pod that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod: Option<String>,
    /// The container that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub container: Option<String>,
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,
    /// When it was first seen.
    pub at: Moment,
}

/// Where the spans of an attempt are; decided once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// Trace id: 32 hexadecimal digits.
    #[schemars(length(max = 32))]
    pub id: String,
    /// W3C traceparent of the root span.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 55))]
    pub traceparent: String,
    /// Span id of the root span's parent, 16 hexadecimal digits; none in a trace of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub parent: Option<String>,
    /// It is the trace that Keptn made for the revision.
    pub keptn: bool,
}

/// A trace that the root span links to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// PreviousRevision, RollsBack, RetryOf, Supersedes, After or Origin.
    #[schemars(length(max = 32))]
    pub kind: String,
    /// W3C traceparent that is linked to.
    #[schemars(length(max = 55))]
    pub traceparent: String,
}

/// What labels and annotations say about the revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub struct Facts {
    /// Name of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service: Option<String>,
    /// Version of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub version: Option<String>,
    /// Keptn's app.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub app: Option<String>,
    /// Deployment environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub environment: Option<String>,
    /// Commit of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub commit: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub commit_time: Option<Timestamp>,
    /// Source of that time: Throughline, OpenTelemetry, Oci, OpenShift or Tekton.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub commit_time_source: Option<String>,
    /// Why what is said of that time was not used, e.g. Future.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub commit_time_refused: Option<String>,
    /// It is declared to mend what it replaces.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hotfix: bool,
    /// What was live when the attempt began, e.g. `Successor 11.1`; `Rollback` if it goes back to
    /// what was live before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub replaces: Option<String>,
    /// Digest of the pod template without labels and annotations that change nothing of what runs:
    /// 16 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub spec_digest: Option<String>,
    /// Repository of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub repository: Option<String>,
    /// Who made the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub author: Option<String>,
    /// W3C traceparent of the run that delivered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 55))]
    pub origin: Option<String>,
    /// Name of the ReplicaSet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub replica_set: Option<String>,
    /// Canary or BlueGreen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub strategy: Option<String>,
    /// How many canary steps are planned.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub planned_steps: i64,
    /// Images of the pods, `container=image`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    pub images: Vec<String>,
    /// A controller's upgrade made the revision: its template is that of what was live.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub upgrade: bool,
    /// The Rollout found its ReplicaSet there when it was created, and replaced nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// It was under way, or over, before the operator first looked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rebuilt: bool,
}

/// What a sink has acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Exported {
    /// How many of the entries that are over were acknowledged, e.g. `3/5`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 32))]
    pub progress: String,
    /// What was over as number `until` or before was acknowledged, or refused.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub until: i64,
    /// How many spans or events were refused for good.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub refused: i64,
    /// What the sink said about the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub refusal: Option<String>,
}

impl RolloutAttempt {
    /// The definition as it is installed: without the subresource `status`.
    ///
    /// With it no write could store the journal and drop the label [`OPEN`] together, and a crash
    /// between the two would leave an attempt that is never read again. No person edits the spec
    /// either, so there is nothing to keep apart.
    pub fn definition() -> CustomResourceDefinition {
        let mut definition = Self::crd();
        for version in &mut definition.spec.versions {
            version.subresources = None;
        }
        definition
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
