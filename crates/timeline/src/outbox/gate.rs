//! What is known of a sink: whether it takes anything now, and who goes next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

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
    pub(super) sending: usize,
    failures: u32,
    pub(super) resume: Option<Timestamp>,
    pub(super) problem: bool,
    /// By when the first of their entries ended that has not left: who waits longest goes first.
    pub(super) waiting: BTreeSet<(Timestamp, Key)>,
    since: BTreeMap<Key, Timestamp>,
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
        if self.sending >= at_once || self.resume.is_some_and(|resume| resume > now) {
            return None;
        }
        let (_, key) = self.waiting.pop_first()?;
        self.since.remove(&key);
        Some(key)
    }
}
