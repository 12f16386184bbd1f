//! What one look at the cluster says, in our words. The operator's `observe` is the only place
//! that makes these from Kubernetes objects; nothing here keeps more than what is decided upon.

mod evidence;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use evidence::{
    AnalysisRunSeen, ContainerSeen, EvidenceOwner, ExperimentSeen, MeasurementSeen, MetricSeen,
    PodSeen, Terminated,
};
pub use progress::{ConditionSeen, PauseSeen, Progress, StepPlan};

use crate::commit::CommitTime;
use crate::dora;
use crate::journal::Journal;
use crate::report::Report;
use crate::traceparent::Traceparent;
use crate::workload::{Container, Metadata, NoWorkload, Workload};

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// `metadata.namespace`
    pub namespace: SmolStr,
    /// `metadata.name`
    pub name: SmolStr,
}

impl Key {
    /// The object `name` of `namespace`.
    pub fn new(namespace: impl Into<SmolStr>, name: impl Into<SmolStr>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The kinds that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `rollouts.argoproj.io`
    Rollout,
    /// `replicasets.apps`
    ReplicaSet,
    /// `keptnappversions.lifecycle.keptn.sh`
    AppVersion,
    /// `keptnworkloadversions.lifecycle.keptn.sh`
    WorkloadVersion,
    /// `keptnappcontexts.lifecycle.keptn.sh`
    AppContext,
    /// `rollouttraces.throughline.dev`
    RolloutTrace,
    /// `rolloutattempts.throughline.dev`
    RolloutAttempt,
    /// `analysisruns.argoproj.io`
    AnalysisRun,
    /// `experiments.argoproj.io`
    Experiment,
    /// `pods`
    Pod,
}

impl Kind {
    /// All that are watched throughout, in the order in which they are explained. Pods are watched
    /// only where an attempt is under way.
    pub const ALL: [Self; 9] = [
        Self::Rollout,
        Self::ReplicaSet,
        Self::AppVersion,
        Self::WorkloadVersion,
        Self::AppContext,
        Self::RolloutTrace,
        Self::RolloutAttempt,
        Self::AnalysisRun,
        Self::Experiment,
    ];

    /// Whether links can be wrong without it. What confirms a trace, and what only tells of the
    /// inside of an attempt, keeps nothing from being linked.
    pub const fn decides_links(self) -> bool {
        match self {
            Self::Rollout
            | Self::ReplicaSet
            | Self::AppVersion
            | Self::AppContext
            | Self::RolloutTrace => true,
            Self::WorkloadVersion
            | Self::RolloutAttempt
            | Self::AnalysisRun
            | Self::Experiment
            | Self::Pod => false,
        }
    }

    /// The resource as `kubectl` and RBAC name it.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Rollout => "rollouts.argoproj.io",
            Self::ReplicaSet => "replicasets.apps",
            Self::AppVersion => "keptnappversions.lifecycle.keptn.sh",
            Self::WorkloadVersion => "keptnworkloadversions.lifecycle.keptn.sh",
            Self::AppContext => "keptnappcontexts.lifecycle.keptn.sh",
            Self::RolloutTrace => "rollouttraces.throughline.dev",
            Self::RolloutAttempt => "rolloutattempts.throughline.dev",
            Self::AnalysisRun => "analysisruns.argoproj.io",
            Self::Experiment => "experiments.argoproj.io",
            Self::Pod => "pods",
        }
    }
}

/// One look at one object, or at the state of one watch.
#[derive(Debug, Clone)]
pub enum Observation {
    /// A version of a Rollout.
    Rollout(RolloutSeen),
    /// A version of a ReplicaSet that a Rollout owns.
    ReplicaSet(ReplicaSetSeen),
    /// A version of a KeptnAppVersion.
    AppVersion(AppVersionSeen),
    /// A version of a KeptnWorkloadVersion.
    WorkloadVersion(WorkloadVersionSeen),
    /// A version of a KeptnAppContext.
    AppContext(AppContextSeen),
    /// A version of a RolloutTrace, or what was stored there before a restart.
    RolloutTrace(Box<RolloutTraceSeen>),
    /// A RolloutAttempt that is not delivered yet.
    RolloutAttempt(Box<RolloutAttemptSeen>),
    /// A version of an AnalysisRun.
    AnalysisRun(Box<AnalysisRunSeen>),
    /// A version of an Experiment.
    Experiment(Box<ExperimentSeen>),
    /// A version of a pod of an attempt under way.
    Pod(Box<PodSeen>),
    /// An object is gone.
    Gone(Kind, Key),
    /// An object cannot be read; what was known of it stays.
    Invalid(Kind, InvalidSeen),
    /// A list begins: versions of the kind may have passed unseen.
    Listing(Kind),
    /// A list was read to its end: these objects exist and no others of the kind.
    Listed(Kind, BTreeSet<Key>),
    /// A kind cannot be watched now.
    Unavailable(Kind, Unavailable),
}

/// An object that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: Option<String>,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a kind cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// The API server does not serve it.
    NotInstalled,
    /// The operator lacks a permission; the verb is `list` or `watch`.
    Forbidden(&'static str),
    /// Anything else, in the API server's words.
    Failed(String),
}

/// The fields of a Rollout that decide about attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: SmolStr,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// Annotation `rollout.argoproj.io/revision`.
    pub revision: Option<i64>,
    /// `status.currentPodHash`
    pub current_hash: Option<SmolStr>,
    /// `status.stableRS`
    pub stable_hash: Option<SmolStr>,
    /// `status.abort`
    pub abort: bool,
    /// `status.abortedAt`
    pub aborted_at: Option<Timestamp>,
    /// `status.phase` is Healthy.
    pub healthy: bool,
    /// Status of the condition Completed and when it last turned.
    pub completed: Option<(bool, Timestamp)>,
    /// What the metadata of the Rollout names for pods that name no workload, see [`Workload::of`].
    pub metadata: OwnedMetadata,
    /// How far the attempt under way is.
    pub progress: Progress,
}

/// Labels and annotations of a Rollout, cut down to the keys that Keptn reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedMetadata {
    /// Annotations with a key of Keptn's or of app.kubernetes.io.
    pub annotations: BTreeMap<String, String>,
    /// Labels with such a key.
    pub labels: BTreeMap<String, String>,
}

impl OwnedMetadata {
    /// The same, borrowed.
    pub fn view(&self) -> Metadata<'_> {
        Metadata { annotations: &self.annotations, labels: &self.labels }
    }
}

/// A ReplicaSet of a Rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSetSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: SmolStr,
    /// Name of the Rollout that controls it.
    pub rollout: SmolStr,
    /// UID of that Rollout.
    pub rollout_uid: SmolStr,
    /// Label `rollouts-pod-template-hash`.
    pub hash: SmolStr,
    /// Annotation `rollout.argoproj.io/revision`.
    pub revision: Option<i64>,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// What Keptn sees in its template, as far as the template alone tells.
    pub template: Template,
    /// `status.availableReplicas`
    pub available: i32,
    /// The condition ReplicaFailure, while it is true: reason and message, cut to 512 bytes.
    pub failure: Option<(String, String)>,
    /// Facts of the revision that its labels and annotations tell.
    pub facts: RevisionFacts,
}

/// What the metadata of a ReplicaSet, its template and its Rollout tell of a revision. Which keys
/// are read is listed in the operator's `facts.rs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevisionFacts {
    /// Name of the service (`service.name`).
    pub service: Option<SmolStr>,
    /// Version of the service (`service.version`).
    pub version: Option<SmolStr>,
    /// Deployment environment.
    pub environment: Option<SmolStr>,
    /// Commit of the source.
    pub commit: Option<SmolStr>,
    /// When it was made, by what can be right at any time: a look adds that it lies in the future.
    pub commit_time: CommitTime,
    /// It is declared to mend what it replaces.
    pub hotfix: bool,
    /// Repository of the source.
    pub repository: Option<SmolStr>,
    /// Who made the change.
    pub author: Option<SmolStr>,
    /// Traceparent of the run that delivered it.
    pub origin: Option<Traceparent>,
    /// Images of the containers, `container=image`, at most 16.
    pub images: Vec<SmolStr>,
    /// Digest of the template without what Argo and its upgrades add to it: equal digests are
    /// equal deployments.
    pub template_digest: u64,
}

/// What Keptn sees in a pod template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// The template names its workload: nothing else is asked.
    Decided(Result<Workload, NoWorkload>),
    /// The template names none, so the Rollout's metadata decides, over these containers.
    AskRollout(Vec<Container>),
}

/// A KeptnAppVersion.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// `spec.spanLinks`, whoever put them there.
    pub span_links: Vec<String>,
    /// Those of them that are ours, by our annotation.
    pub ours: Vec<String>,
}

/// A RolloutTrace as it stands in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutTraceSeen {
    /// Namespace and name: those of the Rollout.
    pub key: Key,
    /// `metadata.generation`
    pub generation: Option<i64>,
    /// UIDs of the Rollouts that own it.
    pub owners: Vec<SmolStr>,
    /// The settings of a person.
    pub settings: Settings,
    /// What was stored last, if anything.
    pub stored: Option<Box<Report>>,
}

/// A RolloutAttempt as it stands in the cluster, or as it was left by an earlier process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutAttemptSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// What it stores.
    pub journal: Journal,
}

/// `RolloutTrace.spec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How many attempts are kept in the chain.
    pub history: usize,
    /// How many RolloutAttempts that are over are kept.
    pub attempts: usize,
    /// Only observe: never write this Rollout's links into a KeptnAppContext.
    pub observe_only: bool,
    /// Keep the RolloutTrace when its Rollout is deleted.
    pub keep_after_delete: bool,
    /// How DORA's metrics are made.
    pub dora: dora::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            history: 10,
            attempts: 5,
            observe_only: false,
            keep_after_delete: false,
            dora: dora::Settings::default(),
        }
    }
}
