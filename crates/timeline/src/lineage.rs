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
//! effects. Effects are asked for once and answered by [`Lineage::written`] and
//! [`Lineage::reported`].

mod attempts;
mod reporting;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::app_context::{AppContext, ContextWrite, ContextWritten};
use crate::attribution::{KeptnObjects, attribute};
use crate::chain::{Chain, Turn};
use crate::delivery::AttemptWrite;
use crate::evidence::Evidence;
use crate::index::{Index, forget};
use crate::journal::Identity;
use crate::journals::Journals;
use crate::links::{bounded, wanted_of};
use crate::moment::Moment;
use crate::observation::{Key, Kind, Observation, RolloutSeen, RolloutTraceSeen, Unavailable};
use crate::report::Report;
use crate::span::Batch;
use crate::traceparent::Traceparent;

/// Facts of one transition arrive within about a second of each other; they are stored together.
const REPORT_DELAY: SignedDuration = SignedDuration::from_secs(2);

/// What the owner asks of the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Bring a KeptnAppContext's links about.
    WriteContext(Key, ContextWrite),
    /// Store a RolloutTrace.
    WriteReport(Key, Box<ReportWrite>),
    /// Store a RolloutAttempt.
    WriteAttempt(Key, Box<AttemptWrite>),
    /// Send spans of a RolloutAttempt to the collector.
    Send(Key, Box<Batch>),
    /// Read up to so many RolloutAttempts again that wait in the cluster for the collector.
    Recall(usize),
    /// An attempt is delivered: of its Rollout's, keep the newest so many.
    Prune(Identity, usize),
    /// Watch the pods of a Rollout that carry this pod-template-hash.
    WatchPods(Key, String),
    /// Watch the pods of a Rollout no longer.
    LeavePods(Key),
}

/// How to store a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportWrite {
    /// There is no RolloutTrace yet.
    pub create: bool,
    /// UID of the Rollout that shall own it; none if it shall outlive its Rollout.
    pub owner: Option<String>,
    /// Whether the owner has to be written.
    pub change_owner: bool,
    /// What it shall say.
    pub report: Report,
}

/// Options that hold for all Rollouts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Write no KeptnAppContext at all.
    pub observe_only: bool,
    /// There is a collector to send spans to.
    pub export: bool,
}

/// The index over all watched objects, the chains made of it, and what is asked of the world.
#[derive(Debug, Default)]
pub struct Lineage {
    options: Options,
    watches: BTreeMap<Kind, Watch>,
    rollouts: BTreeMap<Key, Rollout>,
    traces: BTreeMap<Key, RolloutTraceSeen>,
    index: Index,
    journals: Journals,
    evidence: Evidence,
    /// Hash and ReplicaSet's UID of the pods that are watched, by Rollout.
    pods_watched: BTreeMap<Key, (String, String)>,
    /// Journals whose Rollout was gone at the start were ended.
    started: bool,
    /// Rollouts that went before every kind was listed.
    gone_early: BTreeSet<Key>,
    contexts: BTreeMap<Key, AppContext>,
    /// Contexts that wait for a moment.
    waiting: BTreeSet<Key>,
    rollouts_of_app: BTreeMap<Key, BTreeSet<Key>>,
    touched_rollouts: BTreeSet<Key>,
    touched_apps: BTreeSet<Key>,
    due_reports: BTreeSet<(Timestamp, Key)>,
}

/// What is known of the watch of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Watch {
    /// Its objects were listed, and it is still served and allowed.
    listed: bool,
    unavailable: Option<Unavailable>,
}

impl Watch {
    /// Whether absence of an object means something: all were listed, or there can be none to
    /// see. A list that merely failed is not an empty one.
    fn looked(&self, kind: Kind) -> bool {
        let Some(why) = &self.unavailable else {
            return self.listed;
        };
        self.listed
            || match kind {
                // Without the RolloutTraces a restart would begin every chain anew.
                Kind::RolloutTrace => false,
                // They tell of the inside of attempts: links do not wait for them to heal.
                Kind::RolloutAttempt | Kind::AnalysisRun | Kind::Experiment | Kind::Pod => true,
                _ => matches!(why, Unavailable::NotInstalled | Unavailable::Forbidden(_)),
            }
    }
}

/// One Rollout: what was seen of it last, its chain, and what was stored of that.
#[derive(Debug, Default)]
struct Rollout {
    seen: Option<RolloutSeen>,
    /// It was folded once by this process.
    folded: bool,
    /// Versions may have passed since.
    gap: bool,
    /// UID that the chain belongs to.
    uid: Option<String>,
    chain: Chain,
    /// UID and chain of the one that had its name before, until it was folded once.
    former: Option<(String, Chain)>,
    /// The apps of all its attempts.
    apps: BTreeSet<String>,
    problem: Option<String>,
    report: Option<Report>,
    /// What was told to stand there since.
    told: Option<Report>,
    report_due: Option<Timestamp>,
    reporting: bool,
}

impl Rollout {
    /// Whether it is in the cluster. What a kept RolloutTrace tells of one that is gone wants no
    /// links.
    fn exists(&self) -> bool {
        self.seen.is_some() || self.problem.is_some()
    }

    /// Whether it is live in this app or tries to be.
    fn is_in(&self, app: &str) -> bool {
        let attempts = [self.chain.live(), self.chain.newest()].into_iter().flatten();
        attempts.filter_map(|attempt| attempt.workload.as_ref()).any(|w| w.app == app)
    }
}

impl Lineage {
    /// An owner that has seen nothing.
    pub fn new(options: Options) -> Self {
        Self { options, journals: Journals::new(options.export), ..Self::default() }
    }

    /// Takes in one observation. Nothing is asked of the world before [`Lineage::effects`].
    pub fn observe(&mut self, observation: Observation, now: Timestamp) {
        match observation {
            Observation::Rollout(seen) => self.rollout_seen(seen, now),
            Observation::ReplicaSet(seen) => {
                self.touched_rollouts.extend(self.index.replica_set(seen));
            }
            Observation::AppVersion(seen) => {
                let app = self.index.app_version(seen);
                self.touch_app(&app);
            }
            Observation::WorkloadVersion(seen) => {
                let app = self.index.workload_version(seen);
                self.touch_app(&app);
            }
            Observation::AppContext(seen) => {
                let key = seen.key.clone();
                self.contexts.entry(key.clone()).or_default().observed(seen, now);
                self.touch_app(&key);
            }
            Observation::RolloutTrace(seen) => self.trace_seen(*seen, now),
            Observation::RolloutAttempt(seen) => self.attempt_seen(*seen, now),
            Observation::AnalysisRun(seen) => {
                let rollout = self.evidence.run(*seen);
                self.touched_rollouts.insert(rollout);
            }
            Observation::Experiment(seen) => {
                self.touched_rollouts.extend(self.evidence.experiment(*seen));
            }
            Observation::Pod(seen) => {
                let set = self.evidence.pod(*seen);
                let watched = self.pods_watched.iter().find(|(_, (_, uid))| *uid == set);
                self.touched_rollouts.extend(watched.map(|(rollout, _)| rollout.clone()));
            }
            Observation::Listing(Kind::Rollout) => {
                for rollout in self.rollouts.values_mut() {
                    rollout.gap = true;
                }
            }
            Observation::Gone(kind, key) => self.gone(kind, &key, now),
            Observation::Invalid(Kind::Rollout, seen) => {
                let rollout = self.rollouts.entry(seen.key.clone()).or_default();
                rollout.problem = Some(seen.problem);
                // One that was never read has no other name to be reported under.
                rollout.uid = rollout.uid.take().or(seen.uid);
                self.touched_rollouts.insert(seen.key);
            }
            Observation::Listing(_) | Observation::Invalid(..) => {}
            Observation::Listed(kind, present) => {
                for key in self.keys_of(kind).into_iter().filter(|key| !present.contains(key)) {
                    self.gone(kind, &key, now);
                }
                self.turn_watch(kind, Watch { listed: true, unavailable: None });
            }
            Observation::Unavailable(kind, why) => {
                let was = self.watches.get(&kind).is_some_and(|watch| watch.listed);
                let listed = was && matches!(why, Unavailable::Failed(_));
                self.turn_watch(kind, Watch { listed, unavailable: Some(why) });
            }
        }
    }

    /// A write to a KeptnAppContext came back.
    pub fn written(&mut self, app: &Key, result: ContextWritten, now: Timestamp) {
        self.contexts.entry(app.clone()).or_default().written(result, now);
        self.touch_app(app);
    }

    /// What has to be done now. Each effect is given once; its answer comes back by
    /// [`Lineage::written`] or [`Lineage::reported`].
    pub fn effects(&mut self, now: Timestamp) -> Vec<Effect> {
        if !self.has_looked() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        self.touched_rollouts.extend(self.journals.wake(now));
        for key in std::mem::take(&mut self.touched_rollouts) {
            self.refresh(&key, now);
            self.watch_pods(&key, &mut effects);
        }
        if !std::mem::replace(&mut self.started, true) {
            for key in std::mem::take(&mut self.gone_early) {
                self.gone(Kind::Rollout, &key, now);
            }
            self.end_orphans(now);
        }
        self.journals.effects(now, &mut effects);
        for app in &self.waiting {
            if self.contexts.get_mut(app).is_some_and(|context| context.wakes(now)) {
                self.touched_apps.insert(app.clone());
            }
        }
        for app in std::mem::take(&mut self.touched_apps) {
            self.converge(&app, now, &mut effects);
        }
        while let Some((due, key)) = self.due_reports.first().cloned()
            && due <= now
        {
            self.due_reports.pop_first();
            self.report(&key, now, &mut effects);
        }
        effects
    }

    /// When [`Lineage::effects`] has something to do even if nothing arrives.
    pub fn due(&self) -> Option<Timestamp> {
        if !self.has_looked() {
            return None;
        }
        let reports = self.due_reports.first().map(|(due, _)| *due);
        let waiting = self.waiting.iter().filter_map(|app| self.contexts.get(app)?.due());
        let contexts = waiting.min();
        [reports, contexts, self.journals.due()].into_iter().flatten().min()
    }

    /// The chain of a Rollout.
    pub fn chain(&self, rollout: &Key) -> Option<&Chain> {
        self.rollouts.get(rollout).map(|rollout| &rollout.chain)
    }

    /// How many Rollouts are known.
    pub fn rollouts(&self) -> usize {
        self.rollouts.values().filter(|rollout| rollout.exists()).count()
    }

    /// The kinds that cannot be watched now, and those not looked at yet.
    pub fn missing(&self) -> impl Iterator<Item = (Kind, Option<&Unavailable>)> {
        Kind::ALL.into_iter().filter_map(|kind| match self.watches.get(&kind) {
            Some(Watch { unavailable: Some(why), .. }) => Some((kind, Some(why))),
            Some(Watch { listed: true, .. }) => None,
            Some(_) | None => Some((kind, None)),
        })
    }

    /// The links that an app wants, each trace once; and how many there was no room for.
    pub fn wanted(&self, app: &Key) -> (Vec<Traceparent>, usize) {
        let rollouts = self.rollouts_of_app.get(app).into_iter().flatten();
        bounded(rollouts.filter(|key| !self.only_observed(key)).flat_map(|key| {
            let rollout = self.rollouts.get(key).filter(|rollout| rollout.is_in(&app.name));
            rollout.into_iter().flat_map(|rollout| wanted_of(&rollout.chain))
        }))
    }

    /// Until every kind was listed once, or cannot be, absence means nothing.
    fn has_looked(&self) -> bool {
        Kind::ALL.iter().all(|kind| self.watches.get(kind).is_some_and(|watch| watch.looked(*kind)))
    }

    /// Links are written only on full knowledge: entries of a Rollout that was merely not listed
    /// must not be taken away.
    fn may_link(&self) -> bool {
        Kind::ALL
            .iter()
            .filter(|kind| kind.decides_links())
            .all(|kind| self.watches.get(kind).is_some_and(|watch| watch.listed))
    }

    fn rollout_seen(&mut self, seen: RolloutSeen, now: Timestamp) {
        let looked = self.has_looked();
        let key = seen.key.clone();
        let rollout = self.rollouts.entry(key.clone()).or_default();
        rollout.problem = None;
        if rollout.uid.as_ref().is_some_and(|uid| *uid != seen.uid) {
            // Deleted and made again under the same name: another Rollout, another chain.
            let former = std::mem::take(rollout);
            rollout.apps = former.apps;
            rollout.former = former.uid.map(|uid| (uid, former.chain));
        }
        self.gone_early.remove(&key);
        let before = rollout.seen.take();
        if before.as_ref() == Some(&seen) {
            rollout.gap = false;
        } else if looked {
            // Folded now and not at the next effect: each version counts.
            self.fold(&key, &seen, before.as_ref(), now);
        }
        if let Some(rollout) = self.rollouts.get_mut(&key) {
            rollout.seen = Some(seen);
        }
        self.touched_rollouts.insert(key);
    }

    fn trace_seen(&mut self, seen: RolloutTraceSeen, now: Timestamp) {
        let key = seen.key.clone();
        let settings = self.traces.get(&key).map(|trace| trace.settings);
        if settings != Some(seen.settings) {
            self.touched_rollouts.insert(key.clone());
            self.touch_apps_of(&key);
        }
        let stored = seen.stored.clone();
        self.traces.insert(key.clone(), seen);
        // What was stored matters once: to a process that has no chain of its own yet.
        let Some(stored) = stored else { return };
        let rollout = self.rollouts.entry(key.clone()).or_default();
        let same = rollout.seen.as_ref().is_none_or(|seen| seen.uid == stored.rollout_uid);
        if rollout.chain.attempts().is_empty() && same {
            rollout.chain = Chain::restored(stored.attempts);
            rollout.uid = Some(stored.rollout_uid);
            rollout.report = Some(stored.report);
            self.touched_rollouts.insert(key);
        } else if rollout.uid.as_ref() == Some(&stored.rollout_uid) {
            rollout.told = Some(stored.report);
            self.report_must_stand(&key, now);
        }
    }

    fn gone(&mut self, kind: Kind, key: &Key, now: Timestamp) {
        match kind {
            // What was told of it last is folded first, beside all that lies around it.
            Kind::Rollout if !self.has_looked() => {
                self.gone_early.insert(key.clone());
            }
            Kind::Rollout => {
                self.touch_apps_of(key);
                self.end_as_told(key, now);
                self.end_journals(key, Moment::observed(now), now);
                self.touched_rollouts.insert(key.clone());
                if let Some(rollout) = self.rollouts.remove(key) {
                    for app in rollout.apps {
                        let app = Key::new(&key.namespace, app);
                        if let Some(rollouts) = self.rollouts_of_app.get_mut(&app) {
                            rollouts.remove(key);
                        }
                    }
                }
            }
            Kind::ReplicaSet | Kind::AppVersion | Kind::WorkloadVersion => {
                self.index.remove(kind, key);
            }
            Kind::AppContext => {
                if let Some(context) = self.contexts.get_mut(key) {
                    context.gone(now);
                }
                self.touched_apps.insert(key.clone());
            }
            Kind::RolloutAttempt => self.journals.gone(key, now),
            Kind::Pod => self.evidence.pod_gone(key),
            // What was found out of them stays.
            Kind::AnalysisRun | Kind::Experiment => {}
            Kind::RolloutTrace => {
                self.traces.remove(key);
                if let Some(rollout) = self.rollouts.get_mut(key) {
                    rollout.report = None;
                    self.touched_rollouts.insert(key.clone());
                }
                if self.rollouts.get(key).is_some_and(|rollout| !rollout.exists()) {
                    self.gone(Kind::Rollout, key, now);
                }
            }
        }
    }

    fn turn_watch(&mut self, kind: Kind, watch: Watch) {
        let looked = self.has_looked();
        let changed = self.watches.get(&kind) != Some(&watch);
        self.watches.insert(kind, watch);
        if changed || looked != self.has_looked() {
            self.touched_rollouts.extend(self.rollouts.keys().cloned());
            self.touched_apps.extend(self.contexts.keys().cloned());
            self.touched_apps.extend(self.rollouts_of_app.keys().cloned());
        }
    }

    /// Folds a version of a Rollout beside all that lies around it; `before` is the version before
    /// it, or itself if it is looked at again.
    fn fold(
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
        let sets = self.index.replica_sets_of(key);
        let sets: Vec<_> = sets.filter(|set| set.rollout_uid == seen.uid).collect();
        if rollout.uid.as_ref() != Some(&seen.uid) {
            rollout.chain = Chain::default();
            rollout.uid = Some(seen.uid.clone());
        }
        if !rollout.folded {
            let stored = self.journals.of_uid(key, &seen.uid);
            rollout.chain.learn_all(&stored, seen, &sets, now);
        }
        let was_newest = rollout.chain.newest().cloned();
        let turn = rollout.chain.observe(seen, &sets, now);
        let before = before.filter(|_| rollout.folded && !rollout.gap);
        if before.is_none() {
            rollout.chain.bound_newest(was_newest.as_ref());
        }
        rollout.chain.trim(history);
        (rollout.folded, rollout.gap) = (true, false);
        if turn != Turn::Same {
            // A journal may be placed by its first look.
            self.attribute(key);
        }
        self.begin_journals(key, was_newest.as_ref(), now);
        self.fold_journals(key, seen, before, now);
        match turn {
            Turn::Vital => self.schedule_report(key, now),
            Turn::Moved => self.schedule_report(key, now + REPORT_DELAY),
            Turn::Same => {}
        }
        turn
    }

    /// Brings a Rollout's chain up to date with all that is known, and its apps with the chain.
    fn refresh(&mut self, key: &Key, now: Timestamp) {
        self.attribute(key);
        if let Some(seen) = self.rollouts.get_mut(key).and_then(|rollout| rollout.seen.take()) {
            self.fold(key, &seen, Some(&seen), now);
            if let Some(rollout) = self.rollouts.get_mut(key) {
                rollout.seen = Some(seen);
            }
        }
        let known = self.rollouts.get(key).map(|rollout| traces(&rollout.chain));
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        // A RolloutTrace may outlive its Rollout, and what is stored of it is told at any time.
        let exists = rollout.exists();
        // Also those that it left: what is found out of an earlier attempt there is followed here.
        let attempts = rollout.chain.attempts().iter().filter(|_| exists);
        let apps: BTreeSet<String> = attempts
            .filter_map(|attempt| attempt.workload.as_ref())
            .map(|workload| workload.app.clone())
            .collect();
        let before = std::mem::replace(&mut rollout.apps, apps.clone());
        for app in before.difference(&apps) {
            let app = Key::new(&key.namespace, app);
            forget(&mut self.rollouts_of_app, &app, key);
            self.touched_apps.insert(app);
        }
        for app in apps {
            let app = Key::new(&key.namespace, app);
            if self.rollouts_of_app.entry(app.clone()).or_default().insert(key.clone()) {
                // Its objects may have arrived before the Rollout that they belong to.
                self.attribute(key);
            }
            self.touched_apps.insert(app);
        }
        if self.rollouts.get(key).map(|rollout| traces(&rollout.chain)) != known {
            self.fold_again(key, now);
        }
        // A report is written only if it differs from the last one.
        self.schedule_report(key, now + REPORT_DELAY);
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
        let mut keptn = BTreeMap::new();
        // Oldest first: what an attempt follows has to be known before.
        for index in (0..rollout.chain.attempts().len()).rev() {
            let attempt = &rollout.chain.attempts()[index];
            let app = attempt.workload.as_ref().map(|workload| workload.app.clone());
            let set = attempt.replica_set.as_ref().map(|set| Key::new(&key.namespace, set));
            let uid = set.and_then(|set| self.index.uid(&set));
            let keptn = keptn.entry(app).or_insert_with_key(|app| match app {
                Some(app) => self.index.keptn(&Key::new(&key.namespace, app)),
                None => KeptnObjects::default(),
            });
            attribute(rollout.chain.attempts_mut(), index, uid, keptn);
        }
    }

    /// Asks for the write that brings an app's links about, if one is due.
    fn converge(&mut self, app: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let wanted = self.wanted(app).0;
        if self.may_link()
            && !self.options.observe_only
            && (!wanted.is_empty() || self.holds_ours(app))
        {
            let context = self.contexts.entry(app.clone()).or_default();
            if let Some(write) = context.write(&wanted, now) {
                effects.push(Effect::WriteContext(app.clone(), write));
            }
        }
        if self.contexts.get(app).is_some_and(AppContext::is_idle) {
            self.contexts.remove(app);
        }
        match self.contexts.get(app).and_then(AppContext::due) {
            Some(_) => self.waiting.insert(app.clone()),
            None => self.waiting.remove(app),
        };
        for key in self.rollouts_of_app.get(app).cloned().unwrap_or_default() {
            self.schedule_report(&key, now + REPORT_DELAY);
        }
    }

    fn holds_ours(&self, app: &Key) -> bool {
        self.contexts.get(app).is_some_and(AppContext::holds_ours)
    }

    fn only_observed(&self, key: &Key) -> bool {
        self.options.observe_only
            || self.traces.get(key).is_some_and(|trace| trace.settings.observe_only)
    }

    fn touch_app(&mut self, app: &Key) {
        self.touched_rollouts.extend(self.rollouts_of_app.get(app).into_iter().flatten().cloned());
        self.touched_apps.insert(app.clone());
    }

    fn touch_apps_of(&mut self, key: &Key) {
        let apps = self.rollouts.get(key).map(|rollout| rollout.apps.clone()).unwrap_or_default();
        self.touched_apps.extend(apps.into_iter().map(|app| Key::new(&key.namespace, app)));
    }

    fn keys_of(&self, kind: Kind) -> Vec<Key> {
        match kind {
            Kind::Rollout => self.rollouts.keys().cloned().collect(),
            Kind::ReplicaSet | Kind::AppVersion | Kind::WorkloadVersion => self.index.keys(kind),
            Kind::AppContext => self.contexts.keys().cloned().collect(),
            Kind::RolloutTrace => self.traces.keys().cloned().collect(),
            Kind::RolloutAttempt | Kind::AnalysisRun | Kind::Experiment | Kind::Pod => Vec::new(),
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
