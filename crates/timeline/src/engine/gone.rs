//! What follows when an object is gone.

use jiff::Timestamp;

use super::Engine;
use super::rollout::Write;
use crate::base::{Key, Moment};
use crate::seen::Kind;

impl Engine {
    pub(super) fn gone(&mut self, kind: Kind, key: &Key, at: Moment, now: Timestamp) {
        if matches!(kind, Kind::Rollout | Kind::RolloutTrace) {
            self.wake(key);
        }
        match kind {
            // What was seen of it last is folded first, with all objects around it.
            Kind::Rollout if !self.has_looked() => {
                self.gone_early.insert(key.clone());
            }
            Kind::Rollout => {
                self.touch_apps_of(key);
                self.end_by_chain(key, now);
                self.end_journals(key, at, now);
                self.early_lines.remove(key);
                self.ledgers_changed.insert(key.clone());
                self.touched_rollouts.insert(key.clone());
                if let Some(rollout) = self.rollouts.remove(key) {
                    let goes = usize::from(rollout.exists());
                    self.existing = self.existing.saturating_sub(goes);
                    for workload in rollout.workloads {
                        let workload = Key::new(key.namespace.clone(), workload);
                        self.rollouts_of_workload.remove(workload, key);
                    }
                    for app in rollout.apps {
                        let app = Key::new(key.namespace.clone(), app);
                        self.rollouts_of_app.remove(app, key);
                    }
                }
            }
            Kind::ReplicaSet => self.replica_set_gone(key),
            Kind::AppVersion | Kind::WorkloadVersion => self.keptn.remove(kind, key),
            Kind::AppContext => {
                if let Some(context) = self.contexts.get_mut(key) {
                    context.gone(now);
                }
                self.touched_apps.insert(key.clone());
            }
            Kind::RolloutAttempt => self.journals.gone(key, now),
            Kind::Pod => self.evidence.pod_gone(key),
            // What was found out of them stays.
            Kind::AnalysisRun => self.evidence.run_gone(key),
            Kind::Experiment => {}
            Kind::RolloutTrace => {
                self.traces.remove(key);
                if let Some(rollout) = self.rollouts.get_mut(key) {
                    if rollout.write == Write::Stored {
                        rollout.write = Write::Owed;
                    }
                    self.touched_rollouts.insert(key.clone());
                }
                // Where Rollouts cannot be listed it is not known that it went.
                let all = self.has_all_rollouts();
                if all && self.rollouts.get(key).is_some_and(|rollout| !rollout.exists()) {
                    // Its deletion was not seen.
                    self.gone(Kind::Rollout, key, Moment::inferred(None, now), now);
                }
            }
        }
    }

    /// Argo names a ReplicaSet after its Rollout (argo-rollouts rollout/sync.go,
    /// `createNewReplicaSet`); one that was adopted may have any name.
    fn replica_set_gone(&mut self, key: &Key) {
        let owner = key.name.rsplit_once('-').map(|(owner, _)| owner);
        let owner = owner.map(|owner| Key::new(key.namespace.clone(), owner));
        let mut owners: Vec<_> = owner.into_iter().collect();
        for owner in &owners {
            self.wake(owner);
        }
        if !self.replica_sets.remove(key) {
            owners = self.rollouts.resting_in(&key.namespace);
            for owner in &owners {
                self.wake(owner);
            }
            self.replica_sets.remove(key);
        }
        self.may_rest.extend(owners);
    }

    /// What is known of a kind, to be held against what is listed.
    pub(super) fn keys_of(&self, kind: Kind) -> Vec<Key> {
        match kind {
            Kind::Rollout => self.rollouts.keys().cloned().collect(),
            Kind::ReplicaSet => {
                self.replica_sets.keys().cloned().chain(self.rollouts.resting_sets()).collect()
            }
            Kind::AppVersion | Kind::WorkloadVersion => self.keptn.keys(kind),
            Kind::AppContext => self.contexts.keys().cloned().collect(),
            Kind::RolloutTrace => {
                self.traces.keys().chain(self.rollouts.resting_traces()).cloned().collect()
            }
            Kind::RolloutAttempt | Kind::AnalysisRun | Kind::Experiment | Kind::Pod => Vec::new(),
        }
    }
}
