//! What is known of a sink: whether it takes anything now, and which goes next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::base::Key;
use crate::base::backoff::{Backoff, Waits};

/// Requests to a sink at one time; one while it is not known to answer.
const SENDING_AT_ONCE: usize = 8;
const WAITS: Waits = Waits::between(SignedDuration::from_secs(1), SignedDuration::from_secs(60));

/// What is known of a sink, and the journals that have something for it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) sending: usize,
    backoff: Backoff,
    pub(super) problem: bool,
    /// By when the first of their entries ended that has not left: the one that waits longest goes
    /// first.
    pub(super) waiting: BTreeSet<(Timestamp, Key)>,
    since: BTreeMap<Key, Timestamp>,
}

impl Gate {
    /// The sink answers.
    pub(super) fn open(&mut self) {
        self.backoff = Backoff::default();
        self.problem = false;
    }

    /// A request has come back.
    pub(super) fn answered(&mut self) {
        self.sending = self.sending.saturating_sub(1);
    }

    /// Nothing leaves for a while: doubling, spread, and not before the sink said.
    pub(super) fn hold(&mut self, after: Option<SignedDuration>, jitter: u32, now: Timestamp) {
        self.problem = true;
        self.backoff.failed(WAITS, after, jitter, now);
    }

    /// Whether it waits before it takes anything again.
    pub(super) fn waits(&self) -> bool {
        self.backoff.until().is_some()
    }

    /// When it opens again for those that wait.
    pub(super) fn due(&self, waiting_outside: bool) -> Option<Timestamp> {
        let waiting = waiting_outside || !self.waiting.is_empty();
        self.backoff.until().filter(|_| waiting && self.sending == 0)
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

    pub(super) fn wait(&mut self, key: &Key, since: Timestamp) {
        if self.since.get(key) != Some(&since) {
            self.leave(key);
            self.since.insert(key.clone(), since);
            self.waiting.insert((since, key.clone()));
        }
    }

    /// The journal that has waited longest, if something of it may leave now.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Key> {
        let at_once = if self.problem { 1 } else { SENDING_AT_ONCE };
        if self.sending >= at_once || !self.backoff.is_over(now) {
            return None;
        }
        let (_, key) = self.waiting.pop_first()?;
        self.since.remove(&key);
        Some(key)
    }
}
