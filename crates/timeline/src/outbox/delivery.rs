//! How one journal gets into the cluster, and from there to a collector: stored first, sent after.
//!
//! The journal is the queue: what was sent is an offset into it, so a collector that is away costs
//! nothing but patience, and a crash between any two steps repeats at most bytes that are equal.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::{SignedDuration, Timestamp};

use crate::base::{Phase, Turn};
use crate::journal::Journal;
use crate::spans;
use crate::spans::Batch;
use crate::stored::RolloutAttemptSeen;

/// Facts of one moment arrive within about a second of each other; they are stored together.
const GATHER: SignedDuration = SignedDuration::from_secs(1);
/// A promotion is stored together with the health that follows.
const GATHER_END: SignedDuration = SignedDuration::from_secs(5);
/// Nothing that is merely on its way is stored more often than this, and less often the longer
/// the attempt takes: what a crash may cost stays in proportion, and so do the writes.
const PACE: SignedDuration = SignedDuration::from_secs(30);
/// Attempts that people can read of each Rollout, unless they set another number.
const KEPT: usize = 5;
/// How long a chain waits for a journal that cannot be stored before it tells of its end.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);
const STORE_RETRY: SignedDuration = SignedDuration::from_secs(5);
/// Spans of one request; an AnalysisRun brings its measurements beyond that.
const ENTRIES_AT_ONCE: u32 = 64;

/// Where an attempt stands on its way, as its label tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Under way, or not settled.
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
    /// Nothing is there: somebody took it away.
    Missing,
    /// Not stored, or nobody knows.
    Failed,
    /// What is there cannot be read, or the object can never be stored.
    Refused,
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
    /// Not now; how long to wait at least, if it said so.
    Later(Option<SignedDuration>),
}

/// One journal on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) journal: Journal,
    /// What is known to be stored.
    stored: Option<Stored>,
    /// What is being stored.
    storing: Option<Stored>,
    store_due: Option<Timestamp>,
    store_failed: bool,
    /// When the first of the writes was due of which none came through since.
    owed: Option<Timestamp>,
    /// When the first entry ended that is stored and not acknowledged.
    unsent: Option<Timestamp>,
    last_stored: Option<Timestamp>,
    /// When it came into memory.
    begun: Timestamp,
    /// The number up to which spans are under way.
    sending: Option<u32>,
    /// Settings of a person: how many attempts of the Rollout stay, and whether they outlive it.
    kept: (usize, bool),
    /// It was begun by an earlier process. What ended that one may end this one: facts are stored
    /// as they come.
    restored: bool,
    /// That it has begun, ended and settled was told, by this process or one before it.
    told: [bool; 3],
    /// How many entries may go at once; halved to find one that a collector refuses.
    at_once: u32,
}

/// What is stored, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    resource_version: String,
    /// Entries up to this number are stored, and with them where they belong.
    closed: u32,
    placed: bool,
    stage: Stage,
    /// That it has ended is stored, and that nothing will follow.
    ended: (bool, bool),
    fingerprint: u64,
}

impl Delivery {
    /// A journal that nothing is stored of.
    pub(crate) fn new(journal: Journal, now: Timestamp) -> Self {
        Self {
            journal,
            stored: None,
            storing: None,
            store_due: Some(now + GATHER),
            store_failed: false,
            owed: None,
            unsent: None,
            last_stored: None,
            begun: now,
            sending: None,
            kept: (KEPT, false),
            restored: false,
            told: [false; 3],
            at_once: ENTRIES_AT_ONCE,
        }
    }

    /// What a person wants of attempts that are over: how many stay, whether they outlive the
    /// Rollout.
    pub(crate) fn keeps(&mut self, attempts: usize, after_delete: bool) {
        self.kept = (attempts, after_delete);
    }

    /// How many attempts of its Rollout stay.
    pub(crate) fn keep(&self) -> usize {
        self.kept.0
    }

    /// A journal as it was found in the cluster.
    pub(crate) fn restored(seen: RolloutAttemptSeen, export: bool, now: Timestamp) -> Self {
        let mut delivery = Self::new(seen.journal, now);
        let stage = delivery.stage(export);
        delivery.stored = Some(delivery.snapshot(seen.resource_version, stage));
        delivery.store_due = None;
        delivery.last_stored = Some(now);
        delivery.restored = true;
        delivery.look_for_unsent();
        delivery.news();
        delivery
    }

    /// The journal has changed.
    pub(crate) fn turned(&mut self, turn: Turn, now: Timestamp) {
        let due = match turn {
            Turn::Same => return,
            Turn::Vital if self.gets_healthy() => now + GATHER_END,
            Turn::Vital => now + GATHER,
            Turn::Moved if self.restored => now + GATHER,
            Turn::Moved => {
                let since = self.last_stored.unwrap_or(now);
                let elapsed = since.duration_since(self.journal.started.at);
                (since + elapsed.max(PACE).min(SignedDuration::from_hours(6))).max(now + GATHER)
            }
        };
        self.store_by(due);
    }

    /// It was promoted, and its root span has not ended. Argo tells that for as long as it is live.
    fn gets_healthy(&self) -> bool {
        self.journal.phase == Phase::Promoted && self.journal.root_closed.is_none()
    }

    fn store_by(&mut self, due: Timestamp) {
        self.store_due = Some(self.store_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// The write that is due now, if one is.
    pub(crate) fn store(&mut self, export: bool, now: Timestamp) -> Option<AttemptWrite> {
        if self.storing.is_some() || self.store_due.is_none_or(|due| due > now) {
            return None;
        }
        let due = self.store_due.take();
        let stage = self.stage(export);
        let resource_version = self.stored.as_ref().map(|stored| stored.resource_version.clone());
        let snapshot = self.snapshot(resource_version.clone().unwrap_or_default(), stage);
        if self.stored.as_ref() == Some(&snapshot) {
            self.owed = None;
            return None;
        }
        self.owed = self.owed.or(due);
        self.storing = Some(snapshot);
        let (keep, journal) = (self.kept.1, self.journal.clone());
        Some(AttemptWrite { resource_version, stage, keep, journal })
    }

    /// A write came back. Says whether another journal than ours stands now.
    pub(crate) fn written(&mut self, result: AttemptWritten, export: bool, now: Timestamp) -> bool {
        let Some(storing) = self.storing.take() else {
            return false;
        };
        self.store_failed = false;
        let mut replaced = false;
        match result {
            AttemptWritten::Stored(resource_version) => {
                self.stored = Some(Stored { resource_version, ..storing });
                self.last_stored = Some(now);
                self.owed = None;
                if self.stage(export) == Stage::Done && !self.done() {
                    self.store_by(now);
                }
            }
            AttemptWritten::Conflict(seen) if seen.journal.identity != self.journal.identity => {
                self.store_failed = true;
                self.store_by(now + STORE_RETRY * 12);
            }
            AttemptWritten::Conflict(seen) => {
                let RolloutAttemptSeen { resource_version, mut journal, .. } = *seen;
                std::mem::swap(&mut self.journal, &mut journal);
                // What is stored may have been sent: it stands, unless ours goes on from it.
                let stage = self.stage(export);
                self.stored = Some(self.snapshot(resource_version, stage));
                if journal.continues(&self.journal) {
                    journal.exported.until =
                        journal.exported.until.max(self.journal.exported.until);
                    self.journal = journal;
                } else {
                    replaced = true;
                }
                self.store_by(now);
            }
            // Nobody needs what has left; with its Rollout it was taken away.
            AttemptWritten::Missing if storing.stage == Stage::Done => {
                self.stored = Some(storing);
                self.owed = None;
            }
            AttemptWritten::Missing => {
                self.stored = None;
                self.store_by(now);
            }
            AttemptWritten::Failed => {
                self.store_failed = true;
                self.store_by(now + STORE_RETRY);
            }
            AttemptWritten::Refused => {
                self.store_failed = true;
                self.store_by(now + STORE_RETRY * 12);
            }
        }
        self.look_for_unsent();
        replaced
    }

    /// Somebody took the RolloutAttempt away: it is made again while it is needed.
    pub(crate) fn missing(&mut self, now: Timestamp) {
        if self.storing.is_none() && self.stored.take().is_some() {
            self.store_by(now);
        }
    }

    /// The number of the last entry that may leave now; none if nothing may.
    pub(crate) fn sendable(&self) -> Option<u32> {
        let stored = self.stored.as_ref().filter(|stored| stored.placed)?;
        let until = stored.closed.min(self.journal.exported.until.saturating_add(self.at_once));
        (self.sending.is_none() && until > self.journal.exported.until).then_some(until)
    }

    /// The spans that may leave now.
    pub(crate) fn send(&mut self) -> Option<Batch> {
        let until = self.sendable()?;
        let batch = spans::of(&self.journal, self.journal.exported.until, until)?;
        self.sending = Some(until);
        Some(batch)
    }

    /// A collector has answered. Says whether it will take more.
    pub(crate) fn sent(&mut self, sent: &Sent, spans: u64, now: Timestamp) -> bool {
        let Some(until) = self.sending.take() else {
            return true;
        };
        let exported = &mut self.journal.exported;
        match sent {
            Sent::Later(_) => return false,
            Sent::Refused(_) if until > exported.until + 1 => {
                self.at_once = (until - exported.until).div_ceil(2).max(1);
                return true;
            }
            Sent::Acknowledged => {
                exported.until = until;
                self.at_once = self.at_once.saturating_mul(2).min(ENTRIES_AT_ONCE);
            }
            Sent::Partly(refused, why) => exported.refuse(until, *refused, why),
            Sent::Refused(why) => exported.refuse(until, spans, why),
        }
        self.look_for_unsent();
        let turn = if self.journal.delivered() { Turn::Vital } else { Turn::Moved };
        self.turned(turn, now);
        true
    }

    /// Whether nothing remains to be done.
    pub(crate) fn done(&self) -> bool {
        self.storing.is_none()
            && self.stored.as_ref().is_some_and(|stored| stored.stage == Stage::Done)
    }

    /// Whether it may be dropped from memory and be read again from the cluster when its spans can
    /// leave: everything is stored, and nothing will follow.
    pub(crate) fn can_wait_outside(&self) -> bool {
        let settled = self.journal.root_closed.is_some();
        let stored = self.stored.as_ref().is_some_and(|stored| {
            stored.stage == Stage::Delivering && stored.closed == self.journal.closed
        });
        settled && stored && self.storing.is_none() && self.sending.is_none()
    }

    /// Whether anything of it is stored.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// What is stored now and was not until now: the beginning of the attempt, its end, and what
    /// followed from that. Each is said once, even if somebody takes away what is stored.
    pub(crate) fn news(&mut self) -> [bool; 3] {
        let stored = self.stored.as_ref();
        let now = stored.map_or([false; 3], |stored| [true, stored.ended.0, stored.ended.1]);
        let before = self.told;
        self.told = [0, 1, 2].map(|n| before[n] || now[n]);
        [0, 1, 2].map(|n| now[n] && !before[n])
    }

    /// Whether it has ended and nothing of it is stored, though it is about to be.
    pub(crate) fn is_unstored_end(&self, now: Timestamp) -> bool {
        let may_come = !self.store_failed || now.duration_since(self.begun) < PATIENCE;
        self.stored.is_none() && !self.journal.open() && may_come
    }

    /// Whether the last write did not come through.
    pub(crate) fn failing(&self) -> bool {
        self.store_failed
    }

    /// Since when a write is owed that did not come through.
    pub(crate) fn owed(&self) -> Option<Timestamp> {
        self.owed
    }

    /// Since when the oldest entry waits that a collector could have.
    pub(crate) fn unsent(&self) -> Option<Timestamp> {
        self.unsent
    }

    fn look_for_unsent(&mut self) {
        let until = self.journal.exported.until;
        let stored = self.stored.as_ref().filter(|stored| stored.placed && stored.closed > until);
        self.unsent = stored.and_then(|_| self.journal.closed_at(until.saturating_add(1)));
    }

    /// When a write is due.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.store_due.filter(|_| self.storing.is_none())
    }

    fn stage(&self, export: bool) -> Stage {
        match self.journal.root_closed {
            None => Stage::Running,
            Some(_) if export && !self.journal.delivered() => Stage::Delivering,
            Some(_) => Stage::Done,
        }
    }

    fn snapshot(&self, resource_version: String, stage: Stage) -> Stored {
        Stored {
            resource_version,
            closed: self.journal.closed,
            placed: self.journal.placed.is_some(),
            stage,
            ended: (!self.journal.open(), self.journal.root_closed.is_some()),
            fingerprint: self.mark(),
        }
    }

    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.journal.hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests;
