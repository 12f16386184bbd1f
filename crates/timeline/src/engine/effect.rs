//! What is asked of the world.

use smol_str::SmolStr;

use crate::base::{AttemptId, Key};
use crate::keptn::app_context::ContextWrite;
use crate::outbox::{Ask, AttemptWrite, NotStored};
use crate::spans::Batch;
use crate::stored::Report;

/// What the owner asks of the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Bring a KeptnAppContext's links about.
    WriteContext(Key, ContextWrite),
    /// Store a RolloutTrace.
    WriteReport(Key, Box<ReportWrite>),
    /// Store a RolloutAttempt.
    WriteAttempt(Key, Box<AttemptWrite>),
    /// Send spans of a RolloutAttempt to the collector.
    Send(Key, Box<Batch>),
    /// Read up to so many RolloutAttempts again that wait in the cluster for the collector: the first
    /// of them, or those that this token of the API server stands for.
    Recall(usize, Option<String>),
    /// Read all RolloutAttempts that are left of a Rollout and its UID: its ledger is lost.
    ReadAttempts(Key, SmolStr),
    /// An attempt is delivered: of its Rollout's, keep the newest so many.
    Prune(AttemptId, usize),
    /// Watch the pods of a Rollout that carry this pod-template-hash.
    WatchPods(Key, SmolStr),
    /// Read the Events of a few pods of a Rollout: UID of their ReplicaSet, and theirs.
    ReadEvents(Key, SmolStr, Vec<SmolStr>),
    /// Watch the pods of a Rollout no longer.
    LeavePods(Key),
}

/// How to store a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportWrite {
    /// There is no RolloutTrace yet.
    pub create: bool,
    /// UID of the Rollout that shall own it; none if it shall outlive its Rollout.
    pub owner: Option<SmolStr>,
    /// Whether the owner has to be written.
    pub change_owner: bool,
    /// What it shall say.
    pub report: Report,
}

/// What became of the write of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportWritten {
    /// Stored.
    Stored,
    /// Its namespace is being deleted, or is gone: it can never be stored.
    NamespaceGone,
    /// Not stored; to be tried again.
    NotStored(NotStored),
}

impl From<bool> for ReportWritten {
    fn from(stored: bool) -> Self {
        if stored { Self::Stored } else { Self::NotStored(NotStored::Failed) }
    }
}

impl From<Ask> for Effect {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Store(key, write) => Self::WriteAttempt(key, write),
            Ask::Send(_, key, batch) => Self::Send(key, batch),
            Ask::Recall(most, page) => Self::Recall(most, page),
            Ask::Prune(attempt, keep) => Self::Prune(attempt, keep),
        }
    }
}
