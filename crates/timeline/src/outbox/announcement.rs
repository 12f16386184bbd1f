//! What the outbox says of attempts and of itself.

use jiff::Timestamp;

use crate::journal::Journal;

/// Since when the oldest of what is not where it should be waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    /// When the oldest write of a journal was due that did not come through yet.
    pub journal: Option<Timestamp>,
    /// When the oldest entry ended that is stored and that no collector has acknowledged.
    pub export: Option<Timestamp>,
}

/// What became of an attempt, said once, when it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The attempt as it is stored.
    pub journal: Journal,
    /// What became of it.
    pub milestone: Milestone,
    /// Change lead time in seconds, beside the end of a deployment.
    pub lead: Option<u32>,
    /// Recovery times in seconds of the failures from which traffic is back, beside `Settled`.
    pub recoveries: Vec<u32>,
}

/// What is said of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// It has begun.
    Begun,
    /// It has ended.
    Ended,
    /// It is over: all is available, or traffic is back, or that is not waited for.
    Settled,
}
