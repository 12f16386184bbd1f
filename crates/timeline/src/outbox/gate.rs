//! The one way out to the collector: who goes next, who waits, and where.

use jiff::{SignedDuration, Timestamp};

use super::{Ask, Outbox, WAITING_INSIDE};
use crate::base::Key;
use crate::outbox::Delivery;

/// Requests to a collector at one time; one while it is not known to answer.
const SENDING_AT_ONCE: usize = 8;
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// What is known of the collector.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) sending: usize,
    failures: u32,
    pub(super) resume: Option<Timestamp>,
    pub(super) problem: bool,
}

impl Outbox {
    /// Drops journals that can be read again, until no more are left in memory than may wait there.
    pub(super) fn let_wait_outside(&mut self) {
        let surplus = self.waiting_inside.len().saturating_sub(WAITING_INSIDE);
        let can = |key: &&Key| self.deliveries.get(*key).is_some_and(Delivery::can_wait_outside);
        let outside: Vec<Key> =
            self.waiting_inside.iter().rev().filter(can).take(surplus).cloned().collect();
        for key in outside {
            let unsent = self.deliveries.get(&key).and_then(Delivery::unsent);
            self.remove(&key);
            self.leave_outside(unsent);
        }
    }

    /// Hands out spans while the collector takes them.
    pub(super) fn let_out(&mut self, now: Timestamp, asks: &mut Vec<Ask>) {
        if self.gate.resume.is_some_and(|resume| resume > now) {
            return;
        }
        let at_once = if self.gate.problem { 1 } else { SENDING_AT_ONCE };
        while self.gate.sending < at_once
            && let Some(key) = self.waiting_inside.pop_first()
        {
            if let Some(batch) = self.deliveries.get_mut(&key).and_then(Delivery::send) {
                self.gate.sending += 1;
                asks.push(Ask::Send(key, Box::new(batch)));
            }
        }
        let room = self.waiting_inside.is_empty() && !self.gate.problem;
        if self.waiting_outside && !self.recalling && room {
            self.waiting_outside = false;
            self.recalling = true;
            asks.push(Ask::Recall(WAITING_INSIDE));
        }
    }
}

impl Gate {
    /// The collector answers.
    pub(super) fn open(&mut self) {
        *self = Self { sending: self.sending, ..Self::default() };
    }

    /// Nothing leaves for a while: doubling, spread, and not before the collector said.
    pub(super) fn hold(&mut self, after: Option<SignedDuration>, jitter: u32, now: Timestamp) {
        self.problem = true;
        let doubled = FIRST_WAIT * (1 << self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.min(LONGEST_WAIT);
        let spread = wait / 2 + wait * i32::try_from(jitter.min(1000)).unwrap_or(0) / 2000;
        let asked = after.unwrap_or_default().clamp(SignedDuration::ZERO, LONGEST_WAIT * 10);
        self.resume = Some(now + spread.max(asked));
    }
}
