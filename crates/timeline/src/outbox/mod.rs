//! All journals that are not delivered yet; a [`gate`] is their one way out to each sink.
//!
//! While a collector is away, attempts that are over and stored wait in the cluster and not here:
//! a few are kept in memory, the others are recalled when it takes spans again.

mod announcement;
mod ask;
mod delivery;
mod finished;
mod gate;
mod leaving;
mod pace;
mod recall;
mod reporting;
mod state;
mod timers;
mod way;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::base::{AttemptId, ByKey, Key, Moment, Turn, attempt_name};
use crate::journal::{Journal, Sink};
use crate::ledger::Line;
use crate::stored::RolloutAttemptSeen;
pub use announcement::{Announcement, Behind, Milestone};
pub(crate) use ask::Ask;
use delivery::Delivery;
use finished::Finished;
use gate::Gate;
pub(crate) use pace::Retry;
use recall::Recall;
pub use recall::Recalled;
use timers::Timers;
pub use write::{AttemptWrite, AttemptWritten, NotStored, Sent, Stage, Wait};

/// Journals in memory that only wait for a sink.
const WAITING_INSIDE: usize = 128;

/// The journals that are not delivered yet, by the name of their RolloutAttempt.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Where facts are delivered; none if nothing is exported.
    sinks: Vec<Sink>,
    gates: BTreeMap<Sink, Gate>,
    /// Why those take nothing that are away, as far as that is known.
    away: BTreeMap<Sink, &'static str>,
    deliveries: ByKey<Delivery>,
    of_rollout: ByKey<BTreeSet<Key>>,
    /// Rollouts whose last journal left.
    left: BTreeSet<Key>,
    touched: BTreeSet<Key>,
    timers: Timers,
    /// Those that wait in the cluster only.
    outside: Recall,
    /// Those that were delivered lately.
    finished: Finished,
    /// Those that owe the cluster a write or the collector an entry.
    behind: BTreeSet<Key>,
    /// Those whose last write did not come through.
    failing: BTreeSet<Key>,
}

impl Outbox {
    /// An empty one that delivers to these sinks.
    pub(crate) fn new(sinks: &[Sink]) -> Self {
        let gates = sinks.iter().map(|sink| (sink.clone(), Gate::default())).collect();
        Self { sinks: sinks.to_vec(), gates, ..Self::default() }
    }

    /// Begins the journal of an attempt, unless there is one.
    pub(crate) fn begin(&mut self, identity: &AttemptId, started: Moment, now: Timestamp) {
        if self.of_attempt(identity).is_some() {
            return;
        }
        let key = Key::new(identity.rollout.namespace.clone(), attempt_name(identity));
        if !self.deliveries.contains_key(&key) {
            let journal = Journal::begin(identity.clone(), started);
            self.insert(key, Delivery::new(journal, now), now);
        }
    }

    /// A RolloutAttempt as it stands in the cluster. It matters to a process that has no journal
    /// of its own for it.
    pub(crate) fn seen(&mut self, seen: RolloutAttemptSeen, now: Timestamp) -> Option<Key> {
        let key = seen.key.clone();
        let identity = &seen.journal.identity;
        // A copy under another name would send the same spans a second time.
        let own = Key::new(identity.rollout.namespace.clone(), attempt_name(identity));
        if key != own || self.deliveries.contains_key(&key) || self.finished.was(&seen) {
            return None;
        }
        let rollout = seen.journal.identity.rollout.clone();
        let delivery = Delivery::restored(seen, &self.sinks, now);
        let full = self.gates.values().any(|gate| gate.waiting() >= WAITING_INSIDE);
        if delivery.can_wait_outside() && full {
            self.outside.left(delivery.unsent());
            return None;
        }
        // What was due before this process was there is decided at its first turn.
        let due = delivery.journal.due();
        self.insert(key.clone(), delivery, now);
        self.timers.set(&key, due);
        Some(rollout)
    }

    /// A RolloutAttempt is gone.
    pub(crate) fn gone(&mut self, key: &Key, now: Timestamp) {
        if let Some(delivery) = self.deliveries.get_mut(key) {
            delivery.missing(now);
            self.touched.insert(key.clone());
        }
    }

    /// Whether there is a journal of a Rollout.
    pub(crate) fn has_any(&self, rollout: &Key) -> bool {
        self.of_rollout.contains_key(rollout)
    }

    /// The Rollouts whose last journal left since this was asked last.
    pub(crate) fn left(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.left)
    }

    /// The names of a Rollout's journals.
    pub(crate) fn of(&self, rollout: &Key) -> Vec<Key> {
        self.of_rollout.get(rollout).into_iter().flatten().cloned().collect()
    }

    /// The journals of the Rollout of this UID, oldest first.
    pub(crate) fn of_uid(&self, rollout: &Key, uid: &str) -> Vec<&Journal> {
        let names = self.of_rollout.get(rollout).into_iter().flatten();
        let mut journals: Vec<_> = names.filter_map(|name| self.journal(name)).collect();
        journals.retain(|journal| journal.identity.rollout_uid == uid);
        journals.sort_by_key(|journal| (journal.identity.revision, journal.identity.number));
        journals
    }

    /// What of them is stored, in short.
    pub(crate) fn stored_lines(&self, rollout: &Key, uid: &str) -> Vec<Line> {
        let names = self.of_rollout.get(rollout).into_iter().flatten();
        let deliveries = names.filter_map(|name| self.deliveries.get(name));
        let ours = deliveries.filter(|it| it.journal.identity.rollout_uid == uid);
        ours.filter_map(|delivery| delivery.stored_line().cloned()).collect()
    }

    /// What is stored of an attempt, in short.
    pub(crate) fn stored_line(&self, name: &Key) -> Option<&Line> {
        self.deliveries.get(name)?.stored_line()
    }

    /// Whether the end of an attempt of a Rollout is not stored yet. Once its chain
    /// says so, no later process would store it.
    pub(crate) fn has_unstored_end(&self, rollout: &Key, now: Timestamp) -> bool {
        let names = self.of_rollout.get(rollout).into_iter().flatten();
        let mut deliveries = names.filter_map(|name| self.deliveries.get(name));
        deliveries.any(|delivery| delivery.is_unstored_end(now))
    }

    /// All Rollouts that have journals here.
    pub(crate) fn rollouts(&self) -> Vec<Key> {
        self.of_rollout.keys().cloned().collect()
    }

    /// What a person wants of a Rollout's attempts that are over.
    pub(crate) fn keeps(&mut self, key: &Key, attempts: usize, after_delete: bool) {
        if let Some(delivery) = self.deliveries.get_mut(key) {
            delivery.keeps(attempts, after_delete);
        }
    }

    /// The journal of an attempt. There are few of a Rollout: to look at each costs less than to make
    /// a name.
    pub(crate) fn of_attempt(&self, identity: &AttemptId) -> Option<&Journal> {
        let names = self.of_rollout.get(&identity.rollout).into_iter().flatten();
        names.filter_map(|name| self.journal(name)).find(|journal| journal.identity == *identity)
    }

    pub(crate) fn journal(&self, key: &Key) -> Option<&Journal> {
        self.deliveries.get(key).map(|delivery| &delivery.journal)
    }

    /// The same if something is stored of it: what has a line in a ledger is an attempt that people
    /// can read, or could.
    pub(crate) fn stored_journal(&self, key: &Key) -> Option<&Journal> {
        let delivery = self.deliveries.get(key).filter(|delivery| delivery.is_stored())?;
        Some(&delivery.journal)
    }

    /// Changes a journal, and sees to it that the change is stored.
    pub(crate) fn fold(
        &mut self,
        key: &Key,
        now: Timestamp,
        fold: impl FnOnce(&mut Journal) -> Turn,
    ) -> Turn {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return Turn::Same;
        };
        let turn = fold(&mut delivery.journal);
        delivery.turned(turn, now);
        self.touched.insert(key.clone());
        turn
    }

    /// Decides what has waited long enough; says which Rollouts have to be looked at again.
    pub(crate) fn wake(&mut self, now: Timestamp) -> Vec<Key> {
        let mut again = Vec::new();
        while let Some(key) = self.timers.take_due(now) {
            if let Some(delivery) = self.deliveries.get_mut(&key) {
                if delivery.journal.due().is_some_and(|due| due <= now) {
                    let turn = delivery.journal.tick(now);
                    delivery.turned(turn, now);
                    again.push(delivery.journal.identity.rollout.clone());
                }
                self.touched.insert(key);
            }
        }
        again
    }

    /// What has to be done now.
    pub(crate) fn asks(&mut self, now: Timestamp) -> Vec<Ask> {
        let mut asks = Vec::new();
        for key in std::mem::take(&mut self.touched) {
            self.advance(&key, now, &mut asks);
        }
        self.let_out(now, &mut asks);
        asks
    }

    /// When something is due even if nothing arrives.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let timer = self.timers.first();
        let gates = self.gates.values().filter_map(|gate| gate.due(self.outside.has_any()));
        timer.into_iter().chain(gates).chain(self.outside.due()).min()
    }

    /// A write of a RolloutAttempt came back. Says what is to be announced, and whether another
    /// journal than ours stands.
    pub(crate) fn written(
        &mut self,
        key: &Key,
        result: AttemptWritten,
        now: Timestamp,
    ) -> (Vec<Announcement>, bool) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return (Vec::new(), false);
        };
        // What another process has stored, it has announced.
        let ours = matches!(result, AttemptWritten::Stored(_));
        let replaced = delivery.written(result, &self.sinks, now);
        let news = delivery.news();
        let journal = &delivery.journal;
        let mut announcements = Vec::new();
        for (place, milestone) in
            [Milestone::Begun, Milestone::Ended, Milestone::Settled].into_iter().enumerate()
        {
            let late = milestone == Milestone::Begun && !journal.open();
            if ours && news[place] && !late {
                let journal = journal.clone();
                announcements.push(Announcement {
                    journal,
                    milestone,
                    lead: None,
                    recoveries: vec![],
                });
            }
        }
        self.touched.insert(key.clone());
        (announcements, replaced)
    }

    /// A sink has answered; `jitter` spreads the next try over its wait, 0 to 1000. Says how many spans
    /// are set aside because it did not take them for a day.
    pub(crate) fn sent(
        &mut self,
        (sink, key): (&Sink, &Key),
        (answer, items): (&Sent, u64),
        jitter: u32,
        now: Timestamp,
    ) -> u64 {
        if let Some(gate) = self.gates.get_mut(sink) {
            gate.answered();
            match answer {
                Sent::Later(wait) => gate.hold(wait.after, jitter, now),
                Sent::Acknowledged | Sent::Partly(..) | Sent::Refused(_) => gate.open(),
            }
        }
        match answer {
            Sent::Later(Wait { why: Some(why), .. }) => _ = self.away.insert(sink.clone(), why),
            Sent::Later(_) => {}
            _ => _ = self.away.remove(sink),
        }
        if matches!(answer, Sent::Later(_)) {
            self.let_wait_outside();
        }
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return 0;
        };
        self.touched.insert(key.clone());
        delivery.sent(sink, (answer, items), &self.sinks, (jitter, now))
    }

    /// A page of those that wait in the cluster was read again, or not.
    pub(crate) fn recalled(&mut self, page: Option<String>, answer: Recalled, now: Timestamp) {
        self.outside.answered(page, answer, now);
    }

    /// The process ends: what would be stored later is due now.
    pub(crate) fn stop(&mut self, now: Timestamp) {
        self.deliveries.each(|delivery| delivery.hurry(now));
        self.touched.extend(self.deliveries.keys().cloned());
    }

    /// Whether the write of a journal is due by this time.
    pub(crate) fn owes(&self, by: Timestamp) -> bool {
        self.deliveries.any(|it| it.due(&self.sinks).is_some_and(|due| due <= by))
    }

    fn insert(&mut self, key: Key, delivery: Delivery, now: Timestamp) {
        let rollout = delivery.journal.identity.rollout.clone();
        self.of_rollout.or_default(&rollout).insert(key.clone());
        self.deliveries.insert(key.clone(), delivery);
        self.queue(&key, now);
        self.touched.insert(key);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(delivery) = self.deliveries.remove(key) {
            let rollout = delivery.journal.identity.rollout;
            if let Some(names) = self.of_rollout.get_mut(&rollout) {
                names.remove(key);
                if names.is_empty() {
                    self.of_rollout.remove(&rollout);
                    self.left.insert(rollout);
                }
            }
        }
        for gate in self.gates.values_mut() {
            gate.leave(key);
        }
        self.behind.remove(key);
        self.failing.remove(key);
        self.timers.set(key, None);
    }

    /// Asks for the write of a journal that is due, and files it under when it is due next.
    fn advance(&mut self, key: &Key, now: Timestamp, asks: &mut Vec<Ask>) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        if let Some(write) = delivery.store(&self.sinks, now) {
            asks.push(Ask::Store(key.clone(), Box::new(write)));
        }
        if delivery.done(&self.sinks) {
            if delivery.may_be_pruned() {
                let identity = delivery.journal.identity.clone();
                asks.push(Ask::Prune(identity, delivery.keep()));
            }
            if let Some(resource_version) = delivery.resource_version() {
                self.finished.add(key.clone(), resource_version);
            }
            self.remove(key);
            return;
        }
        let held = delivery.held(&self.sinks, now);
        let due = [delivery.due(&self.sinks), delivery.journal.due(), held];
        let due = due.into_iter().flatten().min();
        let unsent = delivery.unsent();
        let outside = delivery.can_wait_outside();
        file(&mut self.behind, key, unsent.is_some() || delivery.owed().is_some());
        file(&mut self.failing, key, delivery.failing().is_some());
        self.queue(key, now);
        let full = |gate: &Gate| gate.waits() && gate.waiting() > WAITING_INSIDE;
        if outside && self.gates.values().any(full) {
            self.remove(key);
            self.outside.left(unsent);
            return;
        }
        self.timers.set(key, due);
    }
}

/// Puts a key into a set, or takes it out of it.
fn file(set: &mut BTreeSet<Key>, key: &Key, there: bool) {
    if !there {
        set.remove(key);
    } else if !set.contains(key) {
        set.insert(key.clone());
    }
}
