//! How one journal gets into the cluster, and from there to each sink: stored first, sent after.
//!
//! The journal is the queue: what was sent is an offset into it, so a collector that is away costs
//! nothing but patience, and a crash between any two steps repeats at most bytes that are equal.

mod sending;
mod stored;
mod storing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::pace::{self, GATHER, GATHER_END, Retry};
use super::way::Ways;
use super::write::{NotStored, Stage};
use crate::base::time::{later, since};
use crate::base::{Phase, Turn};
use crate::journal::{Journal, Sink};
use crate::ledger::Line;
use crate::stored::RolloutAttemptSeen;
use stored::Stored;

/// Attempts that people can read of each Rollout, unless they set another number.
const KEPT: usize = 5;
/// How long a chain waits for a journal that cannot be stored before it says how that ended.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// One journal on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) journal: Journal,
    /// What is known to be stored, or was until it was deleted: its spans may leave.
    stored: Option<Stored>,
    /// What is being stored.
    storing: Option<Stored>,
    store_due: Option<Timestamp>,
    retry: Retry,
    /// Its namespace goes: nothing more can be stored.
    namespace_gone: bool,
    /// When the first of the writes was due of which none came through since.
    owed: Option<Timestamp>,
    /// When the first entry ended that is stored and that a sink has not acknowledged.
    unsent: BTreeMap<Sink, Timestamp>,
    /// When this process last stored it.
    last_stored: Option<Timestamp>,
    /// When it came into memory.
    begun: Timestamp,
    /// The process ends: nothing waits for company.
    hurried: bool,
    /// Settings of a person: how many attempts of the Rollout stay, and whether they outlive it.
    kept: (usize, bool),
    /// That it has begun, ended and settled was announced, by this process or one before it.
    announced: [bool; 3],
    reported: Reported,
    ways: Ways,
}

/// Whether the RolloutTrace says how it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reported {
    #[default]
    No,
    /// A write is under way.
    UnderWay,
    Yes,
}

impl Delivery {
    /// A journal that nothing is stored of.
    pub(crate) fn new(mut journal: Journal, now: Timestamp) -> Self {
        journal.forget_pods();
        Self {
            journal,
            stored: None,
            storing: None,
            store_due: Some(later(now, GATHER)),
            retry: Retry::default(),
            namespace_gone: false,
            owed: None,
            unsent: BTreeMap::new(),
            last_stored: None,
            begun: now,
            hurried: false,
            kept: (KEPT, false),
            announced: [false; 3],
            reported: Reported::No,
            ways: Ways::default(),
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
    pub(crate) fn restored(seen: RolloutAttemptSeen, sinks: &[Sink], now: Timestamp) -> Self {
        let mut delivery = Self::new(seen.journal, now);
        let stage = delivery.stage(sinks);
        delivery.stored = Some(delivery.snapshot(Some(seen.resource_version), stage));
        delivery.store_due = None;
        delivery.look_for_unsent(sinks);
        delivery.news();
        delivery
    }

    /// The journal has changed.
    pub(crate) fn turned(&mut self, turn: Turn, now: Timestamp) {
        let due = match turn {
            Turn::Same => return,
            _ if self.hurried => now,
            Turn::Vital if self.gets_healthy() => later(now, GATHER_END),
            Turn::Vital => later(now, GATHER),
            Turn::Moved => {
                let news = self.stored.as_ref().map(|stored| stored.news);
                pace::due(&self.journal, news, self.last_stored, now)
            }
        };
        self.store_by(due);
    }

    /// The process ends: what would be stored later is due now, also after writes that failed.
    pub(crate) fn hurry(&mut self, now: Timestamp) {
        self.hurried = true;
        self.retry.cut_short();
        self.store_due = self.store_due.map(|due| due.min(now));
    }

    /// It was promoted, and its root span has not ended. Argo says so for as long as it is live.
    fn gets_healthy(&self) -> bool {
        self.journal.phase == Phase::Promoted && self.journal.root_closed.is_none()
    }

    fn store_by(&mut self, due: Timestamp) {
        self.store_due = Some(self.store_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// Whether nothing remains to be done.
    pub(crate) fn done(&self, sinks: &[Sink]) -> bool {
        if self.storing.is_some() {
            return false;
        }
        if self.stored.as_ref().is_some_and(|stored| stored.stage == Stage::Done) {
            return true;
        }
        let exists = self.stored.as_ref().is_some_and(Stored::exists);
        let ends = (!exists && self.ends_without_object()) || self.retry.hopeless();
        // What was stored of it has to leave before.
        let ends = ends && self.is_over();
        ends && !self.ways.busy() && sinks.iter().all(|sink| self.sendable(sink).is_none())
    }

    /// Whether there may be older attempts of its Rollout to remove.
    pub(crate) fn may_be_pruned(&self) -> bool {
        !self.namespace_gone
    }

    /// Whether nothing will follow.
    fn is_over(&self) -> bool {
        self.journal.root_closed.is_some() || self.journal.phase == Phase::Deleted
    }

    /// Whether it may be dropped from memory and be read again from the cluster when its spans can
    /// leave: everything is stored, and nothing will follow.
    pub(crate) fn can_wait_outside(&self) -> bool {
        let closed = self.journal.root_closed.is_some();
        let stored = self.stored.as_ref().is_some_and(|stored| {
            stored.exists()
                && stored.stage == Stage::Delivering
                && stored.closed == self.journal.closed
        });
        // Since when a sink does not take it is known here alone.
        let known = !self.ways.busy() && !self.ways.in_doubt();
        closed && stored && self.storing.is_none() && known
    }

    /// Whether it waits for a sink and nothing else, and can be read nowhere else.
    pub(crate) fn waits_here_only(&self) -> bool {
        let gone = self.stored.as_ref().is_some_and(|stored| !stored.exists());
        gone && self.is_over() && self.store_due.is_none() && self.storing.is_none()
    }

    /// Whether anything of it is stored, or was.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// The attempt in short, as far as it is stored.
    pub(crate) fn stored_line(&self) -> Option<&Line> {
        self.stored.as_ref().map(|stored| &*stored.line)
    }

    /// What is stored now and was not until now: the beginning of the attempt, its end, and what
    /// followed from that. Each is said once, even if what is stored is deleted. An end leads to
    /// its trace: it waits until that is known.
    pub(crate) fn news(&mut self) -> [bool; 3] {
        let news = |stored: &Stored| {
            let (ended, over) = stored.ended;
            [true, ended && (stored.placed || over), over]
        };
        let now = self.stored.as_ref().map_or([false; 3], news);
        let before = self.announced;
        self.announced = [0, 1, 2].map(|n| before[n] || now[n]);
        [0, 1, 2].map(|n| now[n] && !before[n])
    }

    /// Whether it has ended and that is not stored, though it is about to be: nothing else may say so
    /// before.
    pub(crate) fn is_unstored_end(&self, now: Timestamp) -> bool {
        let may_come = self.retry.why.is_none() || since(self.begun, now) < PATIENCE;
        let stored = self.stored.as_ref().is_some_and(|it| it.exists() && it.ended.0);
        !stored && !self.ends_without_object() && !self.journal.open() && may_come
    }

    /// Why the last write did not come through.
    pub(crate) fn failing(&self) -> Option<&NotStored> {
        self.retry.why.as_ref()
    }

    /// Since when a write is owed that did not come through.
    pub(crate) fn owed(&self) -> Option<Timestamp> {
        self.owed
    }

    /// A RolloutTrace is being written that says how it ended, if that is stored.
    pub(crate) fn reporting(&mut self) {
        let ended = self.stored.as_ref().is_some_and(|stored| stored.ended.0);
        if ended && self.reported == Reported::No {
            self.reported = Reported::UnderWay;
        }
    }

    /// That RolloutTrace was stored, or not.
    pub(crate) fn end_reported(&mut self, stored: bool) {
        if self.reported == Reported::UnderWay {
            self.reported = if stored { Reported::Yes } else { Reported::No };
        }
    }
}
