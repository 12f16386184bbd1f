//! A pod of the new ReplicaSet.

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::base::Key;

/// A pod of the new ReplicaSet, as far as it shows why it is not ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: SmolStr,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// UID of the ReplicaSet that controls it.
    pub replica_set_uid: SmolStr,
    /// `metadata.deletionTimestamp`: it is being deleted. That it is not ready says nothing then.
    pub deleted: Option<Timestamp>,
    /// The condition Ready is True.
    pub ready: bool,
    /// When the condition Ready last turned.
    pub turned: Option<Timestamp>,
    /// `status.phase` is Failed or Succeeded: it runs no more, and its ReplicaSet replaces it.
    pub over: bool,
    /// Readiness gates that are not True: name, and the words of their condition, cut to 1024
    /// bytes; at most 8.
    pub gates: Vec<(String, String)>,
    /// Names of its scheduling gates, at most 8.
    pub held_by: Vec<String>,
    /// The condition PodScheduled is False: reason and message, cut to 1024 bytes.
    pub unscheduled: Option<(String, String)>,
    /// `status.reason` and `status.message` of a pod that failed as a whole, e.g. Evicted.
    pub failed: Option<(String, String)>,
    /// Init containers first, then containers, in order; at most 32.
    pub containers: Vec<ContainerSeen>,
    /// Reason and message of the newest Event that says why it is not ready. No pod has it by
    /// itself: Events are read while an attempt is stalled.
    pub event: Option<(String, String)>,
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
    /// An init container that keeps running (`restartPolicy: Always`).
    pub sidecar: bool,
    /// `started`: its startup probe has passed, or it has none.
    pub started: Option<bool>,
    /// It is running.
    pub running: bool,
    /// `state.running.startedAt`
    pub since: Option<Timestamp>,
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
    /// `startedAt`
    pub started: Option<Timestamp>,
    /// `finishedAt`
    pub finished: Option<Timestamp>,
}
