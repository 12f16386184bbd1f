//! Events of pods: what nothing else says of them, e.g. that a volume cannot be mounted.

use jiff::Timestamp;
use smol_str::SmolStr;

/// The Events of some pods of a ReplicaSet, as they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventsSeen {
    /// UID of the ReplicaSet.
    pub replica_set_uid: SmolStr,
    /// UIDs of the pods whose Events were read.
    pub pods: Vec<SmolStr>,
    /// Their Events, at most 128.
    pub events: Vec<EventSeen>,
}

/// An Event of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSeen {
    /// UID of the pod.
    pub pod_uid: SmolStr,
    /// `reason`, e.g. FailedMount.
    pub reason: String,
    /// `message`, cut to 1024 bytes.
    pub message: String,
    /// `type` is Warning.
    pub warning: bool,
    /// When it was seen last.
    pub at: Option<Timestamp>,
}
