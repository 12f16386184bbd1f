//! What the RolloutTrace says of the ends of its attempts: a journal that is done waits for it.

use super::Outbox;
use crate::base::Key;

impl Outbox {
    /// A RolloutTrace is being written that says how the attempts of this UID ended.
    pub(crate) fn reporting(&mut self, rollout: &Key, uid: &str) {
        for key in self.of_rollout.get(rollout).into_iter().flatten() {
            let delivery = self.deliveries.get_mut(key);
            if let Some(it) = delivery.filter(|it| it.journal.identity.rollout_uid == uid) {
                it.reporting();
            }
        }
    }

    /// That RolloutTrace was stored, or not.
    pub(crate) fn reported(&mut self, rollout: &Key, stored: bool) {
        for key in self.of_rollout.get(rollout).into_iter().flatten() {
            if let Some(delivery) = self.deliveries.get_mut(key) {
                delivery.end_reported(stored);
                self.touched.insert(key.clone());
            }
        }
    }
}
