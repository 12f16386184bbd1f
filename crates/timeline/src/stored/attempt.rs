//! A RolloutAttempt as it stands in the cluster.

use crate::base::Key;
use crate::journal::Journal;

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
