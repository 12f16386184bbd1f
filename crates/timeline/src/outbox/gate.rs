//! The one way out to a sink: who goes next, who waits, and where.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::delivery::Delivery;
use super::{Ask, Outbox, WAITING_INSIDE};
use crate::base::Key;
use crate::base::time::{doubled, later, times};

/// Requests to a sink at one time; one while it is not known to answer.
const SENDING_AT_ONCE: usize = 8;
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// A sink may ask for a longer wait, up to this.
const LONGEST_ASKED: SignedDuration = SignedDuration::from_mins(10);

/// What is known of a sink, and the journals that have something for it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    sending: usize,
    failures: u32,
    pub(super) resume: Option<Timestamp>,
    pub(super) problem: bool,
    /// By when the first of their entries ended that has not left: who waits longest goes first.
    waiting: BTreeSet<(Timestamp, Key)>,
    since: BTreeMap<Key, Timestamp>,
}

impl Outbox {
    /// Drops journals that can be read again, until no more are left in memory than may wait there.
    /// Those that wait longest stay. One whose object was deleted can be read nowhere: beyond that
    /// number it is lost.
    pub(super) fn let_wait_outside(&mut self) {
        let mut dropped = Vec::new();
        for gate in self.gates.values() {
            let surplus = gate.waiting.len().saturating_sub(WAITING_INSIDE);
            let newest_first = gate.waiting.iter().rev().map(|(_, key)| key);
            let can = newest_first.filter(|key| {
                let delivery = self.deliveries.get(*key);
                delivery.is_some_and(|it| it.can_wait_outside() || it.waits_here_only())
            });
            dropped.extend(can.take(surplus).cloned());
        }
        for key in dropped {
            let Some(delivery) = self.deliveries.get(&key) else { continue };
            let outside = delivery.can_wait_outside().then(|| delivery.unsent());
            self.remove(&key);
            if let Some(unsent) = outside {
                self.leave_outside(unsent);
            }
        }
    }

    /// Hands out what the sinks take.
    pub(super) fn let_out(&mut self, now: Timestamp, asks: &mut Vec<Ask>) {
        for (sink, gate) in &mut self.gates {
            while let Some(key) = gate.next(now) {
                if let Some(batch) = self.deliveries.get_mut(&key).and_then(|it| it.send(sink)) {
                    gate.sending = gate.sending.saturating_add(1);
                    asks.push(Ask::Send(sink.clone(), key, Box::new(batch)));
                }
            }
        }
        let room = self.gates.values().all(|gate| gate.waiting.is_empty() && !gate.problem);
        if self.waiting_outside && !self.recalling && room {
            self.waiting_outside = false;
            self.recalling = true;
            asks.push(Ask::Recall(WAITING_INSIDE));
        }
    }

    /// Files a journal under those that wait for a sink, or takes it away from there.
    pub(super) fn queue(&mut self, key: &Key) {
        let delivery = self.deliveries.get(key);
        for (sink, gate) in &mut self.gates {
            match delivery.and_then(|delivery: &Delivery| delivery.waits_for(sink)) {
                Some(since) => gate.wait(key, since),
                None => gate.leave(key),
            }
        }
    }
}

impl Gate {
    /// The sink answers.
    pub(super) fn open(&mut self) {
        self.failures = 0;
        self.resume = None;
        self.problem = false;
    }

    /// A request has come back.
    pub(super) fn answered(&mut self) {
        self.sending = self.sending.saturating_sub(1);
    }

    /// Nothing leaves for a while: doubling, spread, and not before the sink said.
    pub(super) fn hold(&mut self, after: Option<SignedDuration>, jitter: u32, now: Timestamp) {
        self.problem = true;
        self.failures = self.failures.saturating_add(1);
        let wait = doubled(FIRST_WAIT, self.failures, LONGEST_WAIT);
        let jitter = i32::try_from(jitter.min(1000)).unwrap_or(0);
        let spread = times(wait, jitter.saturating_add(1000)).checked_div(2000).unwrap_or(wait);
        let asked = after.unwrap_or_default().clamp(SignedDuration::ZERO, LONGEST_ASKED);
        self.resume = Some(later(now, spread.max(asked)));
    }

    /// When it opens again for those that wait.
    pub(super) fn due(&self, waiting_outside: bool) -> Option<Timestamp> {
        let waiting = waiting_outside || !self.waiting.is_empty();
        self.resume.filter(|_| waiting && self.sending == 0)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn leave(&mut self, key: &Key) {
        if let Some(since) = self.since.remove(key) {
            self.waiting.remove(&(since, key.clone()));
        }
    }

    fn wait(&mut self, key: &Key, since: Timestamp) {
        if self.since.get(key) != Some(&since) {
            self.leave(key);
            self.since.insert(key.clone(), since);
            self.waiting.insert((since, key.clone()));
        }
    }

    /// The journal that has waited longest, if something of it may leave now.
    fn next(&mut self, now: Timestamp) -> Option<Key> {
        let at_once = if self.problem { 1 } else { SENDING_AT_ONCE };
        if self.sending >= at_once || self.resume.is_some_and(|resume| resume > now) {
            return None;
        }
        let (_, key) = self.waiting.pop_first()?;
        self.since.remove(&key);
        Some(key)
    }
}
