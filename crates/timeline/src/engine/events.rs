//! Events of pods: read only where an attempt is stalled and nothing else says why.

use jiff::Timestamp;

use super::{Effect, Engine};
use crate::base::Key;
use crate::journal::Journal;
use crate::seen::EventsSeen;

impl Engine {
    /// The Events of the pods of a stalled attempt were read.
    pub fn events_read(&mut self, rollout: &Key, seen: &EventsSeen, now: Timestamp) {
        if self.evidence.events(seen, now) {
            self.touched_rollouts.insert(rollout.clone());
        }
    }

    /// Asks for the Events of a few pods where an attempt is stalled and nothing says why.
    pub(super) fn ask_for_events(&mut self, key: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some((_, set)) = self.pods_watched.get(key) else { return };
        let set = set.clone();
        if self.newest_journal(key).is_some_and(|journal: &Journal| journal.wants_events(now))
            && let Some(pods) = self.evidence.ask(&set, now)
        {
            effects.push(Effect::ReadEvents(key.clone(), set, pods));
        }
    }
}
