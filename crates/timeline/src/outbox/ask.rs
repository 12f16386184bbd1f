//! What the outbox asks of the world.

use super::write::AttemptWrite;
use crate::base::{AttemptId, Key};
use crate::journal::Sink;
use crate::spans::Batch;

/// What the outbox asks of the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// Store a RolloutAttempt.
    Store(Key, Box<AttemptWrite>),
    /// Send spans of a RolloutAttempt to a sink.
    Send(Sink, Key, Box<Batch>),
    /// Read up to so many RolloutAttempts again that wait in the cluster for the collector: the first
    /// of them, or those that this token of the API server stands for.
    Recall(usize, Option<String>),
    /// An attempt is delivered: of its Rollout's, keep the newest so many.
    Prune(AttemptId, usize),
}
