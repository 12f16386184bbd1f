//! What objects around a Rollout say about the attempt under way: AnalysisRuns, Experiments, pods.

use jiff::Timestamp;
use smol_str::SmolStr;

use super::Key;
use crate::journal::{AnalysisKind, AnalysisPhase};

/// An AnalysisRun of a Rollout, or of one of its Experiments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysisRunSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: String,
    /// Who controls it.
    pub owner: EvidenceOwner,
    /// Annotation `rollout.argoproj.io/revision`.
    pub revision: Option<i64>,
    /// Label `rollouts-pod-template-hash`; users' labels may have replaced it.
    pub hash: Option<SmolStr>,
    /// Label `rollout-type`.
    pub kind: AnalysisKind,
    /// Label `step-index`.
    pub step: Option<u32>,
    /// `status.phase`; Cancelled where `spec.terminate` ended it.
    pub phase: AnalysisPhase,
    /// `status.message`, cut to 256 bytes.
    pub message: String,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// `status.startedAt`
    pub started: Option<Timestamp>,
    /// `status.completedAt`
    pub completed: Option<Timestamp>,
    /// `status.metricResults`, at most 20.
    pub metrics: Vec<MetricSeen>,
    /// How many metrics there are, those included that are not kept.
    pub metric_count: u32,
}

/// The object that controls an AnalysisRun or an Experiment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceOwner {
    /// A Rollout, by name and UID.
    Rollout(String, String),
    /// An Experiment, by name and UID.
    Experiment(String, String),
}

/// A metric's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSeen {
    /// `name`, cut to 64 bytes.
    pub name: String,
    /// `phase`
    pub phase: AnalysisPhase,
    /// `message`, cut to 256 bytes.
    pub message: String,
    /// `dryRun`
    pub dry_run: bool,
    /// `count`
    pub count: u32,
    /// `failed`
    pub failed: u32,
    /// The newest 10 `measurements`, oldest first.
    pub measurements: Vec<MeasurementSeen>,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasurementSeen {
    /// `phase`
    pub phase: AnalysisPhase,
    /// `value`, cut to 64 bytes.
    pub value: String,
    /// `message`, cut to 128 bytes.
    pub message: String,
    /// `startedAt`
    pub started: Option<Timestamp>,
    /// `finishedAt`
    pub finished: Option<Timestamp>,
}

/// An Experiment of a Rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: String,
    /// The Rollout that controls it, by name and UID.
    pub owner: EvidenceOwner,
    /// Annotation `rollout.argoproj.io/revision`.
    pub revision: Option<i64>,
    /// The step, as its name ends: `<rollout>-<hash>-<revision>-<step>`.
    pub step: Option<u32>,
    /// `status.phase`
    pub phase: AnalysisPhase,
    /// `status.message`, cut to 256 bytes.
    pub message: String,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// `status.availableAt`: when all of its pods were available.
    pub available: Option<Timestamp>,
}

/// A pod of the new ReplicaSet, as far as it tells why it is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSeen {
    /// Namespace and name.
    pub key: Key,
    /// UID of the ReplicaSet that controls it.
    pub replica_set_uid: SmolStr,
    /// `metadata.deletionTimestamp`: it is being deleted. That it is not ready says nothing then.
    pub deleted: Option<Timestamp>,
    /// The condition Ready is True.
    pub ready: bool,
    /// The condition PodScheduled is False: reason and message, cut to 1024 bytes.
    pub unscheduled: Option<(String, String)>,
    /// `status.reason` and `status.message` of a pod that failed as a whole, e.g. Evicted.
    pub failed: Option<(String, String)>,
    /// Init containers first, then containers, in order; at most 32.
    pub containers: Vec<ContainerSeen>,
}

/// A container's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSeen {
    /// `name`
    pub name: String,
    /// `image` of its spec, cut to 256 bytes.
    pub image: String,
    /// `ready`
    pub ready: bool,
    /// It is running.
    pub running: bool,
    /// `restartCount`
    pub restarts: i32,
    /// `state.waiting`: reason and message, cut to 1024 bytes.
    pub waiting: Option<(String, String)>,
    /// `state.terminated`, or else `lastState.terminated`.
    pub terminated: Option<Terminated>,
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terminated {
    /// `exitCode`
    pub exit_code: i32,
    /// `reason`
    pub reason: String,
    /// `message`, cut to 1024 bytes.
    pub message: String,
}
