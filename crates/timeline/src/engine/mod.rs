//! The one owner of all chains: observations in, effects out.
//!
//! ```text
//! Rollout ──owns──> ReplicaSet ──template names──> app, workload, version
//!    │                                                  │
//!  Chain of attempts <──attribution── KeptnAppVersion, KeptnWorkloadVersion
//!    │
//!    ├──> links wanted of the app ──> KeptnAppContext
//!    └──> Report ──> RolloutTrace
//! ```
//!
//! It has no clock, no I/O and no randomness: a recording of its inputs replays to the same
//! effects. Effects are asked for once and answered by [`Engine::written`] and
//! [`Engine::reported`].

mod attempts;
mod begin;
mod belonging;
mod effect;
mod events;
mod evidence;
mod folding;
mod gone;
mod keptn_apps;
mod learn;
mod ledger_state;
mod ledgers;
mod linking;
mod observation;
mod options;
mod own_facts;
mod packer;
mod publishing;
mod related;
mod replica_sets;
mod reporting;
mod resting;
mod rollout;
mod rollouts;
mod stopping;
mod wants;
mod watch;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use crate::base::groups::Groups;
use crate::base::{ByKey, Key, Moment};
use crate::chain::Chain;
use crate::journal::Sink;
use crate::keptn::admission::AppKnown;
use crate::keptn::app_context::{AppContext, ContextWritten};
use crate::ledger::Line;
use crate::outbox::Outbox;
use crate::seen::{Kind, RolloutSeen};
use crate::stored::RolloutTraceSeen;
pub use effect::{Effect, ReportWrite, ReportWritten};
use evidence::Evidence;
use keptn_apps::KeptnApps;
pub use ledger_state::LedgerChange;
use ledger_state::LedgerState;
pub use observation::Observation;
pub use options::{Options, Ways};
use replica_sets::ReplicaSets;
use rollout::Write;
use rollouts::Rollouts;
use wants::AppLinks;
use watch::Watch;

/// Facts of one transition arrive within about a second of each other; they are stored together.
const REPORT_DELAY: SignedDuration = SignedDuration::from_secs(2);

/// The index over all watched objects, the chains made of it, and what is asked of the world.
#[derive(Debug, Default)]
pub struct Engine {
    options: Options,
    watches: BTreeMap<Kind, Watch>,
    /// Every kind was listed once, or cannot be.
    looked: bool,
    rollouts: Rollouts,
    /// Looked at since the last effects: they rest if nothing more has to be done.
    may_rest: BTreeSet<Key>,
    /// How many of them are in the cluster.
    existing: usize,
    traces: ByKey<RolloutTraceSeen>,
    replica_sets: ReplicaSets,
    keptn: KeptnApps,
    journals: Outbox,
    evidence: Evidence,
    /// Hash and ReplicaSet's UID of the pods that are watched, by Rollout.
    pods_watched: BTreeMap<Key, (SmolStr, SmolStr)>,
    /// Rollout of the ReplicaSets whose pods are watched, by UID.
    watched_sets: BTreeMap<SmolStr, Key>,
    /// Rollouts were listed, and journals whose Rollout was gone by then were ended.
    started: bool,
    /// Rollouts that went before every kind was listed.
    gone_early: BTreeSet<Key>,
    contexts: ByKey<AppContext>,
    /// Contexts that wait for a moment.
    waiting: BTreeSet<Key>,
    rollouts_of_app: Groups,
    /// By the name of a Keptn workload that an attempt of theirs is.
    rollouts_of_workload: Groups,
    /// What each app wants that wants anything, and how it stands, since something of that changed
    /// last.
    links: ByKey<AppLinks>,
    touched_rollouts: BTreeSet<Key>,
    /// Folded since the last effects, and nothing else has touched them.
    folded_rollouts: BTreeSet<Key>,
    touched_apps: BTreeSet<Key>,
    /// Apps of which something may have to be published.
    unpublished: BTreeSet<Key>,
    published: ByKey<Arc<AppKnown>>,
    due_reports: BTreeSet<(Timestamp, Key)>,
    /// Lines of journals that were not kept in memory before their ledger was known, by UID of
    /// their Rollout.
    early_lines: BTreeMap<Key, Vec<(SmolStr, Line)>>,
    ledgers_changed: BTreeSet<Key>,
    /// The process ends: nothing waits for company.
    stopping: bool,
}

impl Engine {
    /// An owner that has seen nothing.
    pub fn new(options: Options) -> Self {
        let sinks: &[Sink] = if options.export { &[Sink::TRACES] } else { &[] };
        Self { options, journals: Outbox::new(sinks), ..Self::default() }
    }

    /// Takes in one observation. Nothing is asked of the world before [`Engine::effects`].
    pub fn observe(&mut self, observation: Observation, now: Timestamp) {
        match observation {
            Observation::Rollout(seen) => self.rollout_seen(seen, now),
            Observation::ReplicaSet(seen) => {
                let owner = Key::new(seen.key.namespace.clone(), seen.rollout.clone());
                if !self.rollouts.rests_with(&owner, &seen) {
                    self.wake(&owner);
                    self.touched_rollouts.extend(self.replica_sets.insert(seen));
                    self.may_rest.insert(owner);
                }
            }
            Observation::AppVersion(seen) => {
                let listed = self.keptn.app_version(&seen);
                if !listed.is_empty() {
                    self.touch_listed(&seen, &listed);
                }
            }
            Observation::WorkloadVersion(seen) => {
                if !self.keptn.workload_version(&seen) {
                    return;
                }
                let workload = Key::new(seen.key.namespace, seen.workload);
                self.touched_rollouts.extend(self.rollouts_of_workload.of(&workload));
            }
            Observation::AppContext(seen) => {
                let key = seen.key.clone();
                self.contexts.or_default(&key).observed(seen, now);
                self.touched_apps.insert(key);
            }
            Observation::RolloutTrace(seen) => self.trace_seen(*seen, now),
            Observation::RolloutAttempt(seen) => self.attempt_seen(*seen, now),
            Observation::AnalysisRun(seen) => {
                self.touched_rollouts.extend(self.evidence.run(*seen));
            }
            Observation::Experiment(seen) => {
                self.touched_rollouts.extend(self.evidence.experiment(*seen));
            }
            Observation::Pod(seen) => {
                let set = self.evidence.pod(*seen);
                self.touched_rollouts.extend(self.watched_sets.get(&set).cloned());
            }
            Observation::Listing(Kind::Rollout) => {
                self.rollouts.begin_gap();
            }
            Observation::Gone(kind, key) => self.gone(kind, &key, Moment::observed(now), now),
            Observation::Invalid(Kind::Rollout, seen) => {
                self.wake(&seen.key);
                let rollout = self.rollouts.or_default(&seen.key);
                let comes = usize::from(!rollout.exists());
                self.existing = self.existing.saturating_add(comes);
                rollout.problem = Some(seen.problem);
                // One that was never read has no other name to be reported under.
                rollout.uid = rollout.uid.take().or(seen.uid.map(Into::into));
                self.ledgers_changed.insert(seen.key.clone());
                self.touched_rollouts.insert(seen.key);
            }
            Observation::Listing(_) | Observation::Invalid(..) => {}
            Observation::Listed(kind, present) => {
                // It went at some time since it was seen last.
                let at = Moment::inferred(None, now);
                for key in self.keys_of(kind).into_iter().filter(|key| !present.contains(key)) {
                    self.gone(kind, &key, at, now);
                }
                self.turn_watch(kind, Watch::listed(), now);
            }
            Observation::Unavailable(kind, why) => {
                let watch = self.watches.get(&kind).cloned().unwrap_or_default();
                self.turn_watch(kind, watch.without(why, now), now);
            }
        }
    }

    /// A write to a KeptnAppContext came back.
    pub fn written(&mut self, app: &Key, result: ContextWritten, now: Timestamp) {
        self.contexts.or_default(app).written(result, now);
        self.touched_apps.insert(app.clone());
    }

    /// What has to be done now. Each effect is given once; its answer comes back by
    /// [`Engine::written`] or [`Engine::reported`].
    pub fn effects(&mut self, now: Timestamp) -> Vec<Effect> {
        if !self.has_looked() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        self.touched_rollouts.extend(self.journals.wake(now));
        let touched = std::mem::take(&mut self.touched_rollouts);
        for key in &touched {
            self.wake(key);
        }
        let mut folded = std::mem::take(&mut self.folded_rollouts);
        folded.retain(|key| !touched.contains(key));
        for (key, again) in
            touched.iter().map(|key| (key, true)).chain(folded.iter().map(|key| (key, false)))
        {
            self.refresh(key, again, now);
            self.publish_apps_of(key);
            self.watch_pods(key, now, &mut effects);
            self.ask_for_events(key, now, &mut effects);
        }
        self.may_rest.extend(touched.into_iter().chain(folded));
        if !self.started && self.has_all_rollouts() {
            self.started = true;
            for key in std::mem::take(&mut self.gone_early) {
                self.gone(Kind::Rollout, &key, Moment::inferred(None, now), now);
            }
            self.end_orphans(now);
            self.take_all_early(now);
        }
        effects.extend(self.journals.asks(now).into_iter().map(Effect::from));
        for app in &self.waiting {
            if self.contexts.get_mut(app).is_some_and(|context| context.wakes(now)) {
                self.touched_apps.insert(app.clone());
            }
        }
        for app in std::mem::take(&mut self.touched_apps) {
            self.converge(&app, now, &mut effects);
            self.unpublished.insert(app);
        }
        while let Some((due, key)) = self.due_reports.first().cloned()
            && self.may_report()
            && due <= now
        {
            self.due_reports.pop_first();
            // Of one that has gone and come again, what was due before is left over.
            if self.rollouts.is_due(&key, due) {
                self.report(&key, now, &mut effects);
                self.may_rest.insert(key);
            }
        }
        self.may_rest.extend(self.journals.left());
        for key in std::mem::take(&mut self.may_rest) {
            self.rest(&key);
        }
        for app in self.keptn.woken() {
            self.rest_app(&app);
        }
        effects
    }

    /// When [`Engine::effects`] has something to do even if nothing arrives.
    pub fn due(&self) -> Option<Timestamp> {
        if !self.has_looked() {
            return None;
        }
        let reports = self.due_reports.first().filter(|_| self.may_report()).map(|(due, _)| *due);
        let waiting = self.waiting.iter().filter_map(|app| self.contexts.get(app)?.due());
        let contexts = waiting.min();
        [reports, contexts, self.journals.due()].into_iter().flatten().min()
    }

    /// The chain of a Rollout.
    pub fn chain(&self, rollout: &Key) -> Option<Chain> {
        self.rollouts.chain(rollout)
    }

    /// Whether a Rollout is known.
    pub fn has(&self, rollout: &Key) -> bool {
        self.rollouts.has(rollout)
    }

    /// How many Rollouts are known.
    pub fn rollouts(&self) -> usize {
        self.existing
    }

    /// How many of them rest: nothing of them is open, owed or due.
    pub fn resting(&self) -> usize {
        self.rollouts.resting()
    }

    fn rollout_seen(&mut self, seen: RolloutSeen, now: Timestamp) {
        if self.rollouts.rests_as(&seen) {
            return;
        }
        let looked = self.has_looked();
        let key = seen.key.clone();
        self.wake(&key);
        // What is there at the first revision is looked at from its creation on.
        let is_new = looked
            && self.has_all_rollouts()
            && seen.revision.unwrap_or(0) <= 1
            && self
                .rollouts
                .get(&key)
                .is_none_or(|it| it.uid.as_ref().is_some_and(|uid| *uid != seen.uid));
        let rollout = self.rollouts.or_default(&key);
        self.existing = self.existing.saturating_add(usize::from(!rollout.exists()));
        rollout.problem = None;
        if rollout.uid.as_ref().is_some_and(|uid| *uid != seen.uid) {
            // Deleted and made again under the same name: another Rollout, another chain.
            let former = std::mem::take(rollout);
            (rollout.apps, rollout.workloads) = (former.apps, former.workloads);
            rollout.wants = former.wants;
            rollout.former = former.uid.map(|uid| (uid, former.chain));
        }
        if is_new {
            rollout.ledger = LedgerState::new(&seen.uid);
        }
        self.gone_early.remove(&key);
        let before = rollout.seen.take();
        if before.is_none() {
            // Its RolloutTrace may have been seen before it.
            self.ledgers_changed.insert(key.clone());
        }
        let same = before.as_ref() == Some(&seen);
        if same {
            rollout.gap = false;
        } else if looked {
            // Folded now and not at the next effect: each version counts.
            self.fold(&key, &seen, before.as_ref(), now);
        }
        if let Some(rollout) = self.rollouts.get_mut(&key) {
            rollout.seen = Some(seen);
        }
        let folded = looked && !same;
        let touched = if folded { &mut self.folded_rollouts } else { &mut self.touched_rollouts };
        touched.insert(key);
    }

    fn trace_seen(&mut self, seen: RolloutTraceSeen, now: Timestamp) {
        let key = seen.key.clone();
        self.wake(&key);
        self.may_rest.insert(key.clone());
        let settings = self.traces.get(&key).map(|trace| trace.settings);
        if settings != Some(seen.settings) {
            self.touched_rollouts.insert(key.clone());
            self.touch_apps_of(&key);
        }
        let mut seen = seen;
        let stored = seen.stored.take();
        self.traces.insert(key.clone(), seen);
        // What was stored matters once: to a process that has no chain of its own yet.
        let Some(stored) = stored else { return };
        let rollout = self.rollouts.or_default(&key);
        let same = rollout.seen.as_ref().is_none_or(|seen| seen.uid == stored.rollout_uid);
        if rollout.chain.attempts().is_empty() && same {
            rollout.chain = Chain::restored(stored.attempts.clone());
            if let Some(ledger) = stored.ledger.as_ref().filter(|_| !rollout.folded) {
                rollout.ledger = LedgerState::restored(ledger);
                self.ledgers_changed.insert(key.clone());
            }
            rollout.uid = Some(stored.rollout_uid.clone());
            rollout.report = Some(*stored);
            if rollout.write == Write::Owed {
                rollout.write = Write::Stored;
            }
            self.touched_rollouts.insert(key);
        } else if rollout.uid.as_ref() == Some(&stored.rollout_uid) {
            rollout.seen_report = Some(*stored);
            self.report_must_stand(&key, now);
        }
    }
}
