//! A version of a Rollout folded with all objects around it, and what follows for its apps.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::ledger_state::LedgerState;
use super::{Engine, REPORT_DELAY};
use crate::base::time::later;
use crate::base::{Key, Traceparent, Turn};
use crate::chain::Chain;
use crate::keptn::attribution::attribute;
use crate::keptn::objects::KeptnObjects;
use crate::seen::RolloutSeen;

impl Engine {
    /// Folds a version of a Rollout with all objects around it; `before` is the version before
    /// it, or itself if it is looked at again.
    pub(super) fn fold(
        &mut self,
        key: &Key,
        seen: &RolloutSeen,
        before: Option<&RolloutSeen>,
        now: Timestamp,
    ) -> Turn {
        let history = self.traces.get(key).map_or(10, |trace| trace.settings.history);
        if let Some((uid, chain)) = self.rollouts.get_mut(key).and_then(|it| it.former.take()) {
            self.end_as(key, &uid, &chain, now);
        }
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return Turn::Same;
        };
        let sets = self.replica_sets.of(key);
        let sets: Vec<_> = sets.filter(|set| set.rollout_uid == seen.uid).collect();
        if rollout.ledger.get().is_some_and(|ledger| ledger.rollout_uid() != seen.uid) {
            rollout.ledger = LedgerState::default();
        }
        if rollout.uid.as_ref() != Some(&seen.uid) {
            rollout.chain = Chain::default();
            rollout.uid = Some(seen.uid.clone());
        }
        let before = before.filter(|_| rollout.folded && !rollout.gap);
        // Numbers that lack are looked for since the ledger was stored: RolloutAttempts are ahead of it.
        let known = before.is_none().then(|| rollout.chain.attempts().to_vec());
        if !rollout.folded {
            let stored = self.journals.of_uid(key, &seen.uid);
            rollout.chain.learn_all(&stored, seen, &sets, now);
        }
        let earlier = rollout.chain.attempts().to_vec();
        let turn = rollout.chain.observe(seen, &sets, now);
        if let Some(known) = known {
            rollout.chain.bound_newest(earlier.first().map(Arc::as_ref));
            rollout.chain.doubt_return(earlier.first().map(Arc::as_ref));
            rollout.ledger.doubt(rollout.chain.numbers_since(&known, seen, &sets), now);
        }
        let trimmed = rollout.chain.trim(history);
        (rollout.folded, rollout.gap) = (true, false);
        if turn != Turn::Same {
            // A journal may be placed by its first look.
            self.attribute(key);
        }
        self.begin_journals(key, &earlier, &trimmed, now);
        self.fold_journals(key, seen, before, now);
        match turn {
            Turn::Vital => self.schedule_end(key, now),
            Turn::Moved => self.schedule_report(key, later(now, REPORT_DELAY)),
            Turn::Same => {}
        }
        turn
    }

    /// Brings a Rollout's chain up to date with all that is known, and its apps with the chain. It
    /// is folded again unless nothing was seen beside the version that was folded last.
    pub(super) fn refresh(&mut self, key: &Key, again: bool, now: Timestamp) {
        self.attribute(key);
        if again
            && let Some(seen) = self.rollouts.get_mut(key).and_then(|rollout| rollout.seen.take())
        {
            self.fold(key, &seen, Some(&seen), now);
            if let Some(rollout) = self.rollouts.get_mut(key) {
                rollout.seen = Some(seen);
            }
        }
        let known = self.rollouts.get(key).map(|rollout| traces(&rollout.chain));
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        // A RolloutTrace may outlive its Rollout, and what is stored of it may be seen at any time.
        let exists = rollout.exists();
        // Also those that it left: what is found out of an earlier attempt there is followed here.
        let attempts = rollout.chain.attempts().iter().filter(|_| exists);
        let apps: BTreeSet<SmolStr> = attempts
            .filter_map(|attempt| attempt.workload.as_ref())
            .map(|workload| workload.app.clone())
            .collect();
        let before = std::mem::replace(&mut rollout.apps, apps.clone());
        let workloads = rollout.chain.attempts().iter().filter(|_| exists);
        let workloads: BTreeSet<SmolStr> = workloads
            .filter_map(|attempt| attempt.workload.as_ref())
            .map(|workload| workload.name.clone())
            .collect();
        let had = std::mem::replace(&mut rollout.workloads, workloads.clone());
        let named = |name: &SmolStr| Key::new(key.namespace.clone(), name.clone());
        for workload in had.difference(&workloads) {
            self.rollouts_of_workload.remove(named(workload), key);
        }
        for workload in workloads.difference(&had) {
            self.rollouts_of_workload.insert(named(workload), key);
        }
        for app in before.difference(&apps) {
            let app = Key::new(key.namespace.clone(), app.clone());
            self.rollouts_of_app.remove(app.clone(), key);
            self.touched_apps.insert(app);
        }
        for app in apps.difference(&before) {
            let app = Key::new(key.namespace.clone(), app.clone());
            if self.rollouts_of_app.insert(app, key) {
                // Its objects may have arrived before the Rollout that they belong to.
                self.attribute(key);
            }
        }
        self.touch_changed_apps(key);
        if self.rollouts.get(key).map(|rollout| traces(&rollout.chain)) != known {
            self.fold_again(key, now);
        }
        // A report is written only if it differs from the last one.
        self.schedule_report(key, later(now, REPORT_DELAY));
    }

    /// The journals look at the same version once more: more is known of the attempts.
    fn fold_again(&mut self, key: &Key, now: Timestamp) {
        if let Some(seen) = self.rollouts.get_mut(key).and_then(|rollout| rollout.seen.take()) {
            self.fold_journals(key, &seen, Some(&seen), now);
            if let Some(rollout) = self.rollouts.get_mut(key) {
                rollout.seen = Some(seen);
            }
        }
    }

    fn attribute(&mut self, key: &Key) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        for attempt in rollout.chain.attempts() {
            if let Some(workload) = &attempt.workload {
                self.keptn.wake(&Key::new(key.namespace.clone(), workload.app.clone()));
            }
        }
        let nothing = KeptnObjects::default();
        let owner = rollout.uid.clone();
        // Oldest first: what an attempt follows has to be known before.
        for index in (0..rollout.chain.attempts().len()).rev() {
            let attempt = &rollout.chain.attempts()[index];
            let app = attempt.workload.as_ref().map(|workload| workload.app.clone());
            let set = attempt.replica_set.as_deref().zip(owner.as_deref());
            let uid =
                set.and_then(|(set, uid)| self.replica_sets.get(key, set, uid)).map(|set| &set.uid);
            let uid = uid.map(SmolStr::as_str);
            let app = app.map(|app| Key::new(key.namespace.clone(), app));
            let keptn = app.and_then(|app| self.keptn.get(&app)).unwrap_or(&nothing);
            attribute(rollout.chain.attempts_mut(), index, uid, keptn);
        }
    }
}

/// What is known of the traces of attempts and of what they follow.
fn traces(chain: &Chain) -> Vec<(Option<Traceparent>, bool)> {
    let attempts = chain.attempts().iter();
    let traces = attempts.flat_map(|attempt| {
        let own = attempt.trace.as_ref();
        let agreed = own.is_some_and(|trace| trace.workload_version.is_some());
        let follows = attempt.follows.iter().map(|follow| (follow.trace, false));
        std::iter::once((own.map(|trace| trace.traceparent), agreed)).chain(follows)
    });
    traces.collect()
}
