//! An Experiment.

use jiff::Timestamp;

use super::{AnalysisPhase, EvidenceOwner};
use crate::base::Key;

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
