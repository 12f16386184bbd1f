//! When a Rollout rests, and what is woken with it.

use super::Engine;
use super::replica_sets::Sets;
use crate::base::Key;
use crate::stored::RolloutTraceSeen;

impl Engine {
    /// Wakes a Rollout that rests.
    pub(super) fn wake(&mut self, key: &Key) {
        let Some((trace, sets)) = self.rollouts.wake(key) else { return };
        self.put(key, trace, sets);
        for app in self.rollouts.get(key).iter().flat_map(|rollout| &rollout.apps) {
            self.keptn.wake(&Key::new(key.namespace.clone(), app.clone()));
        }
    }

    /// Lets a Rollout rest of which nothing is open, owed or due.
    pub(super) fn rest(&mut self, key: &Key) {
        let idle = self.rollouts.is_idle(key)
            && !self.journals.has_any(key)
            && !self.pods_watched.contains_key(key)
            && !self.ledgers_changed.contains(key)
            && !self.touched_rollouts.contains(key)
            && !self.folded_rollouts.contains(key)
            && !self.early_lines.contains_key(key);
        if !idle {
            return;
        }
        for app in self.rollouts.get(key).iter().flat_map(|rollout| &rollout.apps) {
            self.keptn.may_rest(Key::new(key.namespace.clone(), app.clone()));
        }
        self.publish_apps_of(key);
        let (trace, sets) = (self.traces.remove(key), self.replica_sets.take(key));
        if let Err(back) = self.rollouts.rest(key, trace, sets) {
            let (trace, sets) = *back;
            self.put(key, trace, sets);
        }
    }

    fn put(&mut self, key: &Key, trace: Option<RolloutTraceSeen>, sets: Sets) {
        if let Some(trace) = trace {
            self.traces.insert(key.clone(), trace);
        }
        self.replica_sets.put(key.clone(), sets);
    }

    /// Lets an app rest that no Rollout works with.
    pub(super) fn rest_app(&mut self, app: &Key) {
        if self.rollouts_of_app.of(app).all(|rollout| self.rollouts.rests(&rollout)) {
            self.keptn.rest(app);
        }
    }
}
