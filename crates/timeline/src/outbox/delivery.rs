//! How one journal gets into the cluster, and from there to each sink: stored first, sent after.
//!
//! The journal is the queue: what was sent is an offset into it, so a collector that is away costs
//! nothing but patience, and a crash between any two steps repeats at most bytes that are equal.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::{SignedDuration, Timestamp};

use super::pace::{self, GATHER, GATHER_END, Retry};
use super::way::{Doubted, Ways};
use super::write::{AttemptWrite, AttemptWritten, NotStored, Sent, Stage};
use crate::base::time::{later, since};
use crate::base::{Phase, Turn};
use crate::journal::{Journal, Sink};
use crate::ledger::Line;
use crate::spans;
use crate::spans::Batch;
use crate::stored::RolloutAttemptSeen;

/// Attempts that people can read of each Rollout, unless they set another number.
const KEPT: usize = 5;
/// How long a chain waits for a journal that cannot be stored before it says how that ended.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// One journal on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) journal: Journal,
    /// What is known to be stored, or was until somebody deleted it: its spans may leave.
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

/// What is stored, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    /// None once the object is gone.
    resource_version: Option<String>,
    /// Entries up to this number are stored, and with them where they belong.
    closed: u32,
    placed: bool,
    stage: Stage,
    /// That it has ended is stored, and that nothing will follow.
    ended: (bool, bool),
    news: u64,
    fingerprint: u64,
    /// The attempt in short, as it is stored: the ledger says nothing that a crash could lose.
    line: Box<Line>,
}

impl Stored {
    fn exists(&self) -> bool {
        self.resource_version.is_some()
    }
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

    /// The write that is due now, if one is.
    pub(crate) fn store(&mut self, sinks: &[Sink], now: Timestamp) -> Option<AttemptWrite> {
        if self.due(sinks).is_none_or(|due| due > now) {
            return None;
        }
        let due = self.store_due.take();
        let stage = self.stage(sinks);
        let resource_version = self.resource_version();
        let snapshot = self.snapshot(resource_version.clone(), stage);
        if resource_version.is_some() && self.stored.as_ref() == Some(&snapshot) {
            self.owed = None;
            return None;
        }
        self.owed = self.owed.or(due);
        self.storing = Some(snapshot);
        let (keep, journal) = (self.kept.1, self.journal.clone());
        Some(AttemptWrite { resource_version, stage, keep, journal })
    }

    /// A write came back. Says whether another journal than ours stands now.
    pub(crate) fn written(
        &mut self,
        result: AttemptWritten,
        sinks: &[Sink],
        now: Timestamp,
    ) -> bool {
        let Some(storing) = self.storing.take() else {
            return false;
        };
        let mut replaced = false;
        let failed = match result {
            AttemptWritten::Stored(resource_version) => {
                let resource_version = Some(resource_version);
                self.stored = Some(Stored { resource_version, ..storing });
                self.last_stored = Some(now);
                self.owed = None;
                if self.stage(sinks) == Stage::Done && !self.done(sinks) {
                    self.store_by(now);
                }
                None
            }
            AttemptWritten::Conflict(seen) if seen.journal.identity != self.journal.identity => {
                let name = &seen.key.name;
                let why = format!("{name} is there already and is of another attempt");
                Some(NotStored::Refused(why))
            }
            AttemptWritten::Conflict(seen) => {
                let RolloutAttemptSeen { resource_version, mut journal, .. } = *seen;
                std::mem::swap(&mut self.journal, &mut journal);
                // What is stored may have been sent: it stands, unless ours goes on from it.
                let stage = self.stage(sinks);
                self.stored = Some(self.snapshot(Some(resource_version), stage));
                if journal.continues(&self.journal) {
                    journal.catch_up_with(&self.journal);
                    self.journal = journal;
                } else {
                    self.journal.forget_pods();
                    replaced = true;
                }
                self.store_by(now);
                None
            }
            // Nobody needs what has left; with its Rollout it was taken away.
            AttemptWritten::Missing if storing.stage == Stage::Done => {
                self.stored = Some(storing);
                self.owed = None;
                None
            }
            AttemptWritten::Missing => {
                self.object_gone(now);
                None
            }
            AttemptWritten::NamespaceGone => {
                self.namespace_gone = true;
                self.object_gone(now);
                None
            }
            AttemptWritten::Failed => Some(NotStored::Failed),
            AttemptWritten::Later(asked) => Some(NotStored::Later(asked)),
            AttemptWritten::Forbidden => Some(NotStored::Forbidden),
            AttemptWritten::Refused(why) => Some(NotStored::Refused(why)),
        };
        match failed {
            None => self.retry = Retry::default(),
            Some(why) => {
                self.retry.failed(&self.journal.identity, why, now);
                self.store_by(now);
            }
        }
        self.look_for_unsent(sinks);
        replaced
    }

    /// Somebody deleted the RolloutAttempt: it is made again while something of it has to be
    /// stored. One that stood in the way makes room for ours.
    pub(crate) fn missing(&mut self, now: Timestamp) {
        if self.storing.is_some() {
            return;
        }
        if self.retry.why.is_some() {
            self.retry = Retry::default();
            self.store_by(now);
        }
        if self.stored.is_some() {
            self.object_gone(now);
        }
    }

    /// What was stored may leave. What was not needs another object, if there can be one.
    fn object_gone(&mut self, now: Timestamp) {
        if let Some(stored) = &mut self.stored {
            stored.resource_version = None;
        }
        if self.ends_without_object() {
            self.store_due = None;
            self.owed = None;
        } else {
            self.store_by(now);
        }
    }

    /// Nobody wants an object in a namespace that goes, or of a Rollout that is gone: what was
    /// stored of it leaves, and that is all.
    fn ends_without_object(&self) -> bool {
        self.namespace_gone || (self.journal.phase == Phase::Deleted && self.all_was_stored())
    }

    /// It is over, and that is or was stored with all that happened.
    fn all_was_stored(&self) -> bool {
        let closed = self.journal.closed;
        self.stored.as_ref().is_some_and(|stored| stored.ended.1 && stored.closed == closed)
    }

    /// What of it may leave for a sink now.
    pub(crate) fn sendable(&self, sink: &Sink) -> Option<u32> {
        let stored = self.stored.as_ref().filter(|stored| stored.placed)?;
        self.ways.sendable(sink, self.journal.offset(sink).until, stored.closed)
    }

    /// The spans that may leave now.
    pub(crate) fn send(&mut self, sink: &Sink) -> Option<Batch> {
        let until = self.sendable(sink)?;
        let batch = spans::of(&self.journal, self.journal.offset(sink).until, until)?;
        self.ways.sending(sink, until);
        Some(batch)
    }

    /// A sink has answered for so many spans or events; how many of them are set aside though it may
    /// have taken them one day.
    pub(crate) fn sent(
        &mut self,
        sink: &Sink,
        (answer, items): (&Sent, u64),
        sinks: &[Sink],
        (jitter, now): (u32, Timestamp),
    ) -> u64 {
        let offset = self.journal.offset(sink);
        let Some(offset) = self.ways.answered(sink, answer, offset, items, (jitter, now)) else {
            return 0;
        };
        *self.journal.offset_mut(sink) = offset;
        self.look_for_unsent(sinks);
        let gone = self.stored.as_ref().is_some_and(|stored| !stored.exists());
        if !(gone && self.ends_without_object()) {
            let over = self.journal.delivered_to(sink);
            self.turned(if over { Turn::Vital } else { Turn::Moved }, now);
        }
        if matches!(answer, Sent::Later(_)) { items } else { 0 }
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
        let settled = self.journal.root_closed.is_some();
        let stored = self.stored.as_ref().is_some_and(|stored| {
            stored.exists()
                && stored.stage == Stage::Delivering
                && stored.closed == self.journal.closed
        });
        // Since when a sink does not take it is known here alone.
        let known = !self.ways.busy() && !self.ways.in_doubt();
        settled && stored && self.storing.is_none() && known
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
    /// followed from that. Each is said once, even if somebody deletes what is stored. An end leads to
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

    /// Since when the oldest entry waits that a sink could have.
    pub(crate) fn unsent(&self) -> Option<Timestamp> {
        self.unsent.values().min().copied()
    }

    /// Since when one waits for this sink, if one may leave now.
    pub(crate) fn waits_for(&self, sink: &Sink, now: Timestamp) -> Option<Timestamp> {
        self.sendable(sink)?;
        if self.ways.held(sink).is_some_and(|until| until > now) {
            return None;
        }
        Some(self.unsent.get(sink).copied().unwrap_or(self.journal.started.at))
    }

    /// When it waits for a sink again that may never take it.
    pub(crate) fn held(&self, sinks: &[Sink], now: Timestamp) -> Option<Timestamp> {
        let held = sinks.iter().filter(|sink| self.sendable(sink).is_some());
        held.filter_map(|sink| self.ways.held(sink)).filter(|until| *until > now).min()
    }

    /// Why a sink did not take what is to leave next, if that may be because of what it is.
    pub(crate) fn doubted(&self, sink: &Sink) -> Option<Doubted> {
        self.ways.doubted(sink)
    }

    fn look_for_unsent(&mut self, sinks: &[Sink]) {
        self.unsent.clear();
        let Some(stored) = self.stored.as_ref().filter(|stored| stored.placed) else {
            return;
        };
        for sink in sinks {
            let until = self.journal.offset(sink).until;
            let next = until.saturating_add(1);
            if stored.closed > until
                && let Some(at) = self.journal.closed_at(next)
            {
                self.unsent.insert(sink.clone(), at);
            }
        }
    }

    /// When a write is due.
    pub(crate) fn due(&self, sinks: &[Sink]) -> Option<Timestamp> {
        let due = self.store_due.filter(|_| self.storing.is_none() && !self.namespace_gone)?;
        let due = self.retry.until().map_or(due, |until| until.max(due));
        // A process that starts looks at those only that are not done. So the RolloutTrace says
        // first how it ended, if it can be written.
        let waits = self.reported != Reported::Yes
            && self.journal.phase != Phase::Deleted
            && self.stage(sinks) == Stage::Done;
        let last = self.last_stored.unwrap_or(self.begun);
        Some(if waits { due.max(later(last, PATIENCE)) } else { due })
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

    fn resource_version(&self) -> Option<String> {
        self.stored.as_ref()?.resource_version.clone()
    }

    fn stage(&self, sinks: &[Sink]) -> Stage {
        match self.journal.root_closed {
            None => Stage::Running,
            // It is read again by the next process.
            Some(_) if self.journal.awaits_recovery() => Stage::Running,
            Some(_) if !sinks.iter().all(|sink| self.journal.delivered_to(sink)) => {
                Stage::Delivering
            }
            Some(_) => Stage::Done,
        }
    }

    fn snapshot(&self, resource_version: Option<String>, stage: Stage) -> Stored {
        let over = self.journal.root_closed.is_some() && !self.journal.awaits_recovery();
        let mut hasher = DefaultHasher::new();
        self.journal.hash(&mut hasher);
        Stored {
            resource_version,
            closed: self.journal.closed,
            placed: self.journal.placed.is_some(),
            stage,
            ended: (!self.journal.open(), over),
            news: pace::news(&self.journal),
            fingerprint: hasher.finish(),
            line: Box::new(Line::of_journal(&self.journal)),
        }
    }
}

#[cfg(test)]
mod tests;
