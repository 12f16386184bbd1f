//! One try to bring a pod-template-hash live, as the chain keeps it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::base::{Phase, Source, Traceparent};
use crate::seen::Workload;

/// One try to bring a pod-template-hash live: an entry of a Rollout's chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Argo's number for the ReplicaSet when the attempt began; 0 if it is not known.
    pub revision: i64,
    /// The pod-template-hash, read and never computed.
    pub hash: SmolStr,
    /// 1, and one more for each retry of the same revision.
    pub number: u32,
    /// Name of the ReplicaSet, once it was seen.
    pub replica_set: Option<SmolStr>,
    /// What Keptn sees in it, once the ReplicaSet was seen.
    pub workload: Option<Workload>,
    /// What it follows: the live attempt first, then one that failed before it.
    pub follows: Box<[Follow]>,
    /// Where it stands.
    pub phase: Phase,
    /// When it began.
    pub started: Timestamp,
    /// The source of that time.
    pub started_source: Source,
    /// When it ended, or was first seen to have ended.
    pub ended: Option<Timestamp>,
    /// Why it failed, in one line; none if it did not, or it is not known.
    pub reason: Option<SmolStr>,
    /// The trace that Keptn made for it.
    pub trace: Option<Trace>,
    /// What became of the link to what it follows.
    pub linked: Linked,
}

/// An attempt that this one follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Follow {
    /// Its pod-template-hash.
    pub hash: SmolStr,
    /// Its revision.
    pub revision: i64,
    /// Its number within that revision.
    pub number: u32,
    /// Its version, if Keptn has one.
    pub version: Option<SmolStr>,
    /// Why this one follows it.
    pub relation: Relation,
    /// The trace to link to: its own, or the one that it carries on.
    pub trace: Option<Traceparent>,
}

/// Why one attempt follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Relation {
    /// It replaces what is live.
    Successor,
    /// It replaces what is live by something that was live before.
    Rollback,
    /// It tries the same revision again.
    RetryAfter,
    /// It came while the other was still under way.
    Supersedes,
    /// It is the next try after one that was aborted, reverted or not observed.
    After,
}

/// The trace of an attempt and the objects that say so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trace {
    /// The context to link to: the span of Keptn's phase AppDeploy where there is one.
    pub traceparent: Traceparent,
    /// The KeptnAppVersion that stands for this attempt; none if it goes on in an older trace.
    pub app_version: Option<SmolStr>,
    /// The KeptnWorkloadVersion whose traceId agrees.
    pub workload_version: Option<SmolStr>,
}

/// What became of the link from an attempt's trace to what it follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Linked {
    /// How far it came.
    pub state: LinkState,
    /// Why, for a person.
    pub reason: SmolStr,
}

/// How far a link came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LinkState {
    /// There is nothing to link, or not yet.
    None,
    /// Keptn's KeptnAppVersion carries it; its span is not known yet.
    Requested,
    /// It stands on a root span of Keptn's.
    Applied,
    /// Keptn made the span without it.
    Lost,
}

impl Attempt {
    /// Whether `other` names this attempt.
    pub fn is(&self, other: &Follow) -> bool {
        self.hash == other.hash && self.revision == other.revision && self.number == other.number
    }

    /// Whether `other` is this attempt, earlier or later.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.hash, self.revision, self.number) == (&other.hash, other.revision, other.number)
    }

    /// Whether it is still to be decided.
    pub fn open(&self) -> bool {
        self.phase == Phase::Progressing
    }

    /// The version that Keptn sees.
    pub fn version(&self) -> Option<&str> {
        self.workload.as_ref().map(|workload| workload.version.as_str())
    }

    /// The trace that stands for it: its own, or that of what it follows if Keptn made none.
    pub fn standing_trace(&self) -> Option<Traceparent> {
        self.trace
            .as_ref()
            .map(|trace| trace.traceparent)
            .or_else(|| self.follows.first().and_then(|follow| follow.trace))
    }
}

impl Linked {
    /// Nothing is linked, for this reason.
    pub fn none(reason: impl Into<SmolStr>) -> Self {
        Self { state: LinkState::None, reason: reason.into() }
    }
}

macro_rules! shown_by_name {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}
shown_by_name!(Relation, LinkState);
