//! Attempts that were delivered lately: a watch that lags shows them as they were before.

use std::collections::VecDeque;

use crate::base::{Key, is_older};
use crate::stored::RolloutAttemptSeen;

/// So many are remembered.
const LIMIT: usize = 64;

/// Names of RolloutAttempts, each with the resourceVersion of its last write.
#[derive(Debug, Default)]
pub(super) struct Finished(VecDeque<(Key, String)>);

impl Finished {
    /// One is delivered, and says so at this resourceVersion.
    pub(super) fn add(&mut self, key: Key, resource_version: String) {
        self.0.retain(|(known, _)| *known != key);
        self.0.push_front((key, resource_version));
        self.0.truncate(LIMIT);
    }

    /// Whether this is how it was before it was delivered.
    pub(super) fn was(&self, seen: &RolloutAttemptSeen) -> bool {
        let known = self.0.iter().find(|(key, _)| *key == seen.key);
        known.is_some_and(|(_, last)| is_older(&seen.resource_version, last))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::base::{AttemptId, Moment};
    use crate::journal::Journal;

    fn seen(name: &str, resource_version: &str) -> RolloutAttemptSeen {
        let identity = AttemptId {
            rollout: Key::new("ns", "cart"),
            rollout_uid: "uid".into(),
            hash: "a".into(),
            revision: 1,
            number: 1,
        };
        let journal = Journal::begin(identity, Moment::observed(Timestamp::UNIX_EPOCH));
        let (key, resource_version) = (Key::new("ns", name), resource_version.to_owned());
        RolloutAttemptSeen { key, resource_version, journal }
    }

    #[test]
    fn what_a_watch_shows_of_a_delivered_attempt_too_late_is_known() {
        let mut finished = Finished::default();
        finished.add(Key::new("ns", "cart-1-1"), "7".to_owned());
        assert!(finished.was(&seen("cart-1-1", "6")));
        assert!(!finished.was(&seen("cart-1-1", "8")), "somebody has changed it since");
        assert!(!finished.was(&seen("cart-2-1", "6")));
        for n in 0..LIMIT {
            finished.add(Key::new("ns", format!("pay-{n}-1")), "9".to_owned());
        }
        assert!(!finished.was(&seen("cart-1-1", "6")), "only the last are remembered");
    }
}
