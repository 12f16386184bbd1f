//! How an attempt stands or ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether an attempt is under way, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Not decided yet.
    Progressing,
    /// Became stable.
    Promoted,
    /// Stopped by a person or an analysis; may be retried.
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

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
