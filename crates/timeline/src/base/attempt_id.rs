//! Which attempt.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Key;

/// Which attempt this is; never changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptId {
    /// The Rollout, by namespace and name.
    pub rollout: Key,
    /// UID of the Rollout.
    pub rollout_uid: SmolStr,
    /// The pod-template-hash, read and never computed.
    pub hash: SmolStr,
    /// Argo's number for the ReplicaSet when the attempt began; 0 if it is not known.
    pub revision: i64,
    /// 1, and one more for each retry of the same revision.
    pub number: u32,
}
