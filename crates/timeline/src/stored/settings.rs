//! What a person set, and a RolloutTrace as it stands in the cluster.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Report;
use crate::base::Key;
use crate::dora;

/// A RolloutTrace as it stands in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(skip)]
    pub stored: Option<Box<Report>>,
}

/// `RolloutTrace.spec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
