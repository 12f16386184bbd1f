//! A Rollout: what decides about attempts.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::{Metadata, Progress};
use crate::base::Key;

/// The fields of a Rollout that decide about attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
