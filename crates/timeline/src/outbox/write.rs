//! A write of a RolloutAttempt, and what became of it.

use crate::journal::Journal;
use crate::stored::RolloutAttemptSeen;

/// Where an attempt stands on its way, as its label says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Under way, or its root span is still open.
    Running,
    /// Over; spans of it have still to leave.
    Delivering,
    /// Over, and everything has left.
    Done,
}

/// How to store a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptWrite {
    /// The version to be replaced; none if there is no RolloutAttempt yet.
    pub resource_version: Option<String>,
    /// Where it stands then.
    pub stage: Stage,
    /// It outlives its Rollout even when it is delivered.
    pub keep: bool,
    /// What is stored.
    pub journal: Journal,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptWritten {
    /// Stored, at this version.
    Stored(String),
    /// Something else is there.
    Conflict(Box<RolloutAttemptSeen>),
    /// Nothing is there: it was deleted.
    Missing,
    /// Its namespace is being deleted, or is gone: it can never be stored.
    NamespaceGone,
    /// Not stored, or not known; the same write may come through another time.
    Failed,
    /// The API server is busy, and asks to wait so long.
    Later(jiff::SignedDuration),
    /// The operator has no permission; a person has to give it.
    Forbidden,
    /// The API server or an admission webhook refuses this object, in these words.
    Refused(String),
}

/// Why the last write did not come through, as far as a person has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStored {
    /// The API server failed or gave no answer.
    Failed,
    /// The API server is busy, and asks to wait so long.
    Later(jiff::SignedDuration),
    /// A permission is missing.
    Forbidden,
    /// It is refused, in these words.
    Refused(String),
}

/// What a collector answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// All of it was taken.
    Acknowledged,
    /// So many spans were refused for good, the others taken.
    Partly(u64, String),
    /// It will never be taken.
    Refused(String),
    /// Not now.
    Later(Wait),
}

/// Why a collector takes nothing now, and how long to wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wait {
    /// How long to wait at least, if it said so.
    pub after: Option<jiff::SignedDuration>,
    /// The kind of failure and what mends it, in the same words each time; none if that is not known.
    pub why: Option<&'static str>,
    /// It may be what was sent and not the collector, in its words: if that goes on for a day, this is
    /// set aside.
    pub doubt: Option<String>,
}
