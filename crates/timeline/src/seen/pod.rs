//! A pod of the new ReplicaSet.

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::base::Key;

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
