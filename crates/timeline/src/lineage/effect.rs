//! What is asked of the world.

use smol_str::SmolStr;

use crate::app_context::ContextWrite;
use crate::delivery::AttemptWrite;
use crate::journal::Identity;
use crate::observation::Key;
use crate::report::Report;
use crate::span::Batch;

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
    /// Read up to so many RolloutAttempts again that wait in the cluster for the collector.
    Recall(usize),
    /// Read all RolloutAttempts that are left of a Rollout and its UID: its ledger is lost.
    ReadAttempts(Key, SmolStr),
    /// An attempt is delivered: of its Rollout's, keep the newest so many.
    Prune(Identity, usize),
    /// Watch the pods of a Rollout that carry this pod-template-hash.
    WatchPods(Key, SmolStr),
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
