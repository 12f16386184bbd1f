//! The kinds that are watched, and why one cannot be.

use crate::base::Key;

/// The kinds that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `rollouts.argoproj.io`
    Rollout,
    /// `replicasets.apps`
    ReplicaSet,
    /// `keptnappversions.lifecycle.keptn.sh`
    AppVersion,
    /// `keptnworkloadversions.lifecycle.keptn.sh`
    WorkloadVersion,
    /// `keptnappcontexts.lifecycle.keptn.sh`
    AppContext,
    /// `rollouttraces.throughline.dev`
    RolloutTrace,
    /// `rolloutattempts.throughline.dev`
    RolloutAttempt,
    /// `analysisruns.argoproj.io`
    AnalysisRun,
    /// `experiments.argoproj.io`
    Experiment,
    /// `pods`
    Pod,
}

impl Kind {
    /// All that are watched throughout, in the order in which they are explained. Pods are watched
    /// only where an attempt is under way.
    pub const ALL: [Self; 9] = [
        Self::Rollout,
        Self::ReplicaSet,
        Self::AppVersion,
        Self::WorkloadVersion,
        Self::AppContext,
        Self::RolloutTrace,
        Self::RolloutAttempt,
        Self::AnalysisRun,
        Self::Experiment,
    ];

    /// Whether links can be wrong without it. What confirms a trace, and what only shows the
    /// inside of an attempt, keeps nothing from being linked.
    pub const fn decides_links(self) -> bool {
        match self {
            Self::Rollout
            | Self::ReplicaSet
            | Self::AppVersion
            | Self::AppContext
            | Self::RolloutTrace => true,
            Self::WorkloadVersion
            | Self::RolloutAttempt
            | Self::AnalysisRun
            | Self::Experiment
            | Self::Pod => false,
        }
    }

    /// The resource as `kubectl` and RBAC name it.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Rollout => "rollouts.argoproj.io",
            Self::ReplicaSet => "replicasets.apps",
            Self::AppVersion => "keptnappversions.lifecycle.keptn.sh",
            Self::WorkloadVersion => "keptnworkloadversions.lifecycle.keptn.sh",
            Self::AppContext => "keptnappcontexts.lifecycle.keptn.sh",
            Self::RolloutTrace => "rollouttraces.throughline.dev",
            Self::RolloutAttempt => "rolloutattempts.throughline.dev",
            Self::AnalysisRun => "analysisruns.argoproj.io",
            Self::Experiment => "experiments.argoproj.io",
            Self::Pod => "pods",
        }
    }
}

/// Why a kind cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// The API server does not serve it.
    NotInstalled,
    /// The operator lacks a permission; the verb is `list` or `watch`.
    Forbidden(&'static str),
    /// Anything else, in the API server's words.
    Failed(String),
}

/// An object that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: Option<String>,
    /// What is wrong with it.
    pub problem: String,
}
