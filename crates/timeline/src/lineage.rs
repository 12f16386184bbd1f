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

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::app_context::{AppContext, ContextWrite, ContextWritten, Standing};
use crate::attribution::{KeptnObjects, attribute, in_order};
use crate::chain::{Chain, Turn};
use crate::links::{bounded, wanted_of};
use crate::observation::{
    AppVersionSeen, Key, Kind, Observation, ReplicaSetSeen, RolloutSeen, RolloutTraceSeen,
    Unavailable, WorkloadVersionSeen,
};
use crate::report::Report;
use crate::standing::{self, RolloutView};
use crate::traceparent::Traceparent;

/// Facts of one transition arrive within about a second of each other; they are stored together.
const REPORT_DELAY: SignedDuration = SignedDuration::from_secs(2);
const REPORT_RETRY: SignedDuration = SignedDuration::from_secs(5);

/// What the owner asks of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Bring a KeptnAppContext's links about.
    WriteContext(Key, ContextWrite),
    /// Store a RolloutTrace.
    WriteReport(Key, Box<ReportWrite>),
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
}

/// The index over all watched objects, the chains made of it, and what is asked of the world.
#[derive(Debug, Default)]
pub struct Lineage {
    options: Options,
    watches: BTreeMap<Kind, Watch>,
    rollouts: BTreeMap<Key, Rollout>,
    traces: BTreeMap<Key, RolloutTraceSeen>,
    replica_sets: BTreeMap<Key, ReplicaSetSeen>,
    app_versions: BTreeMap<Key, AppVersionSeen>,
    workload_versions: BTreeMap<Key, WorkloadVersionSeen>,
    contexts: BTreeMap<Key, AppContext>,
    /// What hangs on what, so that one event costs what it touches.
    sets_of_rollout: BTreeMap<Key, BTreeSet<Key>>,
    app_versions_of_app: BTreeMap<Key, BTreeSet<Key>>,
    workload_versions_of_app: BTreeMap<Key, BTreeSet<Key>>,
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
        // Without the RolloutTraces a restart would begin every chain anew.
        let optional = kind != Kind::RolloutTrace;
        let none_to_see = matches!(
            self.unavailable,
            Some(Unavailable::NotInstalled | Unavailable::Forbidden(_))
        );
        self.listed || (optional && none_to_see)
    }
}

/// One Rollout: what was seen of it last, its chain, and what was stored of that.
#[derive(Debug, Default)]
struct Rollout {
    seen: Option<RolloutSeen>,
    /// UID that the chain belongs to.
    uid: Option<String>,
    chain: Chain,
    /// The apps of all its attempts.
    apps: BTreeSet<String>,
    problem: Option<String>,
    report: Option<Report>,
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
        let attempts = [self.chain.live(), self.chain.newest()]
            .into_iter()
            .flatten();
        attempts
            .filter_map(|attempt| attempt.workload.as_ref())
            .any(|w| w.app == app)
    }
}

impl Lineage {
    /// An owner that has seen nothing.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Takes in one observation. Nothing is asked of the world before [`Lineage::effects`].
    pub fn observe(&mut self, observation: Observation, now: Timestamp) {
        match observation {
            Observation::Rollout(seen) => self.rollout_seen(seen, now),
            Observation::ReplicaSet(seen) => self.replica_set_seen(seen),
            Observation::AppVersion(seen) => {
                let (key, app) = (seen.key.clone(), Key::new(&seen.key.namespace, &seen.app));
                self.app_versions_of_app
                    .entry(app.clone())
                    .or_default()
                    .insert(key.clone());
                self.app_versions.insert(key, seen);
                self.touch_app(&app);
            }
            Observation::WorkloadVersion(seen) => {
                let (key, app) = (seen.key.clone(), Key::new(&seen.key.namespace, &seen.app));
                self.workload_versions_of_app
                    .entry(app.clone())
                    .or_default()
                    .insert(key.clone());
                self.workload_versions.insert(key, seen);
                self.touch_app(&app);
            }
            Observation::AppContext(seen) => {
                let key = seen.key.clone();
                self.contexts
                    .entry(key.clone())
                    .or_default()
                    .observed(seen, now);
                self.touch_app(&key);
            }
            Observation::RolloutTrace(seen) => self.trace_seen(*seen),
            Observation::Gone(kind, key) => self.gone(kind, &key, now),
            Observation::Invalid(Kind::Rollout, seen) => {
                let rollout = self.rollouts.entry(seen.key.clone()).or_default();
                rollout.problem = Some(seen.problem);
                // One that was never read has no other name to be reported under.
                rollout.uid = rollout.uid.take().or(seen.uid);
                self.touched_rollouts.insert(seen.key);
            }
            Observation::Invalid(..) => {}
            Observation::Listed(kind, present) => {
                for key in self
                    .keys_of(kind)
                    .into_iter()
                    .filter(|key| !present.contains(key))
                {
                    self.gone(kind, &key, now);
                }
                self.turn_watch(
                    kind,
                    Watch {
                        listed: true,
                        unavailable: None,
                    },
                );
            }
            Observation::Unavailable(kind, why) => {
                let was = self.watches.get(&kind).is_some_and(|watch| watch.listed);
                let listed = was && matches!(why, Unavailable::Failed(_));
                self.turn_watch(
                    kind,
                    Watch {
                        listed,
                        unavailable: Some(why),
                    },
                );
            }
        }
    }

    /// A write to a KeptnAppContext came back.
    pub fn written(&mut self, app: &Key, result: ContextWritten, now: Timestamp) {
        self.contexts
            .entry(app.clone())
            .or_default()
            .written(result, now);
        self.touch_app(app);
    }

    /// A report was stored, or not.
    pub fn reported(&mut self, key: &Key, stored: bool, now: Timestamp) {
        if let Some(rollout) = self.rollouts.get_mut(key) {
            rollout.reporting = false;
            if !stored {
                rollout.report = None;
                self.schedule_report(key, now + REPORT_RETRY);
            }
        }
    }

    /// What has to be done now. Each effect is given once; its answer comes back by
    /// [`Lineage::written`] or [`Lineage::reported`].
    pub fn effects(&mut self, now: Timestamp) -> Vec<Effect> {
        if !self.has_looked() {
            return Vec::new();
        }
        for key in std::mem::take(&mut self.touched_rollouts) {
            self.refresh(&key, now);
        }
        let mut effects = Vec::new();
        for (key, context) in &mut self.contexts {
            if context.wakes(now) {
                self.touched_apps.insert(key.clone());
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
        let contexts = self.contexts.values().filter_map(AppContext::due).min();
        [reports, contexts].into_iter().flatten().min()
    }

    /// The chain of a Rollout.
    pub fn chain(&self, rollout: &Key) -> Option<&Chain> {
        self.rollouts.get(rollout).map(|rollout| &rollout.chain)
    }

    /// How many Rollouts are known.
    pub fn rollouts(&self) -> usize {
        self.rollouts
            .values()
            .filter(|rollout| rollout.exists())
            .count()
    }

    /// The kinds that cannot be watched now, and those not looked at yet.
    pub fn missing(&self) -> impl Iterator<Item = (Kind, Option<&Unavailable>)> {
        Kind::ALL
            .into_iter()
            .filter_map(|kind| match self.watches.get(&kind) {
                Some(Watch {
                    unavailable: Some(why),
                    ..
                }) => Some((kind, Some(why))),
                Some(Watch { listed: true, .. }) => None,
                Some(_) | None => Some((kind, None)),
            })
    }

    /// The links that an app wants, each trace once; and how many there was no room for.
    pub fn wanted(&self, app: &Key) -> (Vec<Traceparent>, usize) {
        let rollouts = self.rollouts_of_app.get(app).into_iter().flatten();
        bounded(
            rollouts
                .filter(|key| !self.only_observed(key))
                .flat_map(|key| {
                    let rollout = self
                        .rollouts
                        .get(key)
                        .filter(|rollout| rollout.is_in(&app.name));
                    rollout
                        .into_iter()
                        .flat_map(|rollout| wanted_of(&rollout.chain))
                }),
        )
    }

    /// Until every kind was listed once, or cannot be, absence means nothing.
    fn has_looked(&self) -> bool {
        Kind::ALL.iter().all(|kind| {
            self.watches
                .get(kind)
                .is_some_and(|watch| watch.looked(*kind))
        })
    }

    /// Links are written only on full knowledge: entries of a Rollout that was merely not listed
    /// must not be taken away.
    fn may_link(&self) -> bool {
        Kind::ALL
            .iter()
            .filter(|kind| **kind != Kind::WorkloadVersion)
            .all(|kind| self.watches.get(kind).is_some_and(|watch| watch.listed))
    }

    fn rollout_seen(&mut self, seen: RolloutSeen, now: Timestamp) {
        let looked = self.has_looked();
        let key = seen.key.clone();
        let rollout = self.rollouts.entry(key.clone()).or_default();
        rollout.problem = None;
        if rollout.uid.as_ref().is_some_and(|uid| *uid != seen.uid) {
            // Deleted and made again under the same name: another Rollout, another chain.
            *rollout = Rollout {
                apps: std::mem::take(&mut rollout.apps),
                ..Rollout::default()
            };
        }
        let changed = rollout.seen.as_ref() != Some(&seen);
        rollout.seen = Some(seen);
        if changed && looked {
            // Folded now and not at the next effect: each version counts.
            self.fold(&key, now);
        }
        self.touched_rollouts.insert(key);
    }

    fn replica_set_seen(&mut self, seen: ReplicaSetSeen) {
        let owner = Key::new(&seen.key.namespace, &seen.rollout);
        self.sets_of_rollout
            .entry(owner.clone())
            .or_default()
            .insert(seen.key.clone());
        if self.replica_sets.get(&seen.key) != Some(&seen) {
            self.replica_sets.insert(seen.key.clone(), seen);
            self.touched_rollouts.insert(owner);
        }
    }

    fn trace_seen(&mut self, seen: RolloutTraceSeen) {
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
        let same = rollout
            .seen
            .as_ref()
            .is_none_or(|seen| seen.uid == stored.rollout_uid);
        if rollout.chain.attempts().is_empty() && same {
            rollout.chain = Chain::restored(stored.attempts);
            rollout.uid = Some(stored.rollout_uid);
            rollout.report = Some(stored.report);
            self.touched_rollouts.insert(key);
        }
    }

    fn gone(&mut self, kind: Kind, key: &Key, now: Timestamp) {
        match kind {
            Kind::Rollout => {
                self.touch_apps_of(key);
                if let Some(rollout) = self.rollouts.remove(key) {
                    for app in rollout.apps {
                        let app = Key::new(&key.namespace, app);
                        if let Some(rollouts) = self.rollouts_of_app.get_mut(&app) {
                            rollouts.remove(key);
                        }
                    }
                }
            }
            Kind::ReplicaSet => {
                if let Some(set) = self.replica_sets.remove(key) {
                    let owner = Key::new(&key.namespace, &set.rollout);
                    forget(&mut self.sets_of_rollout, &owner, key);
                }
            }
            Kind::AppVersion => {
                if let Some(seen) = self.app_versions.remove(key) {
                    let app = Key::new(&key.namespace, &seen.app);
                    forget(&mut self.app_versions_of_app, &app, key);
                }
            }
            Kind::WorkloadVersion => {
                if let Some(seen) = self.workload_versions.remove(key) {
                    let app = Key::new(&key.namespace, &seen.app);
                    forget(&mut self.workload_versions_of_app, &app, key);
                }
            }
            Kind::AppContext => {
                if let Some(context) = self.contexts.get_mut(key) {
                    context.gone(now);
                }
                self.touched_apps.insert(key.clone());
            }
            Kind::RolloutTrace => {
                self.traces.remove(key);
                if let Some(rollout) = self.rollouts.get_mut(key) {
                    rollout.report = None;
                    self.touched_rollouts.insert(key.clone());
                }
                if self
                    .rollouts
                    .get(key)
                    .is_some_and(|rollout| !rollout.exists())
                {
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
            self.touched_apps
                .extend(self.rollouts_of_app.keys().cloned());
        }
    }

    /// Folds the last version of a Rollout beside its ReplicaSets.
    fn fold(&mut self, key: &Key, now: Timestamp) -> Turn {
        let sets: Vec<&ReplicaSetSeen> = self
            .sets_of_rollout
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|set| self.replica_sets.get(set))
            .collect();
        let history = self
            .traces
            .get(key)
            .map_or(10, |trace| trace.settings.history);
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return Turn::Same;
        };
        let Some(seen) = &rollout.seen else {
            return Turn::Same;
        };
        let sets: Vec<_> = sets
            .into_iter()
            .filter(|set| set.rollout_uid == seen.uid)
            .collect();
        if rollout.uid.as_ref() != Some(&seen.uid) {
            rollout.chain = Chain::default();
            rollout.uid = Some(seen.uid.clone());
        }
        let turn = rollout.chain.observe(seen, &sets, now);
        rollout.chain.trim(history);
        match turn {
            Turn::Vital => self.schedule_report(key, now),
            Turn::Moved => self.schedule_report(key, now + REPORT_DELAY),
            Turn::Same => {}
        }
        turn
    }

    /// Brings a Rollout's chain up to date with all that is known, and its apps with the chain.
    fn refresh(&mut self, key: &Key, now: Timestamp) {
        self.fold(key, now);
        self.attribute(key);
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
            if self
                .rollouts_of_app
                .entry(app.clone())
                .or_default()
                .insert(key.clone())
            {
                // Its objects may have arrived before the Rollout that they belong to.
                self.attribute(key);
            }
            self.touched_apps.insert(app);
        }
        // A report is written only if it differs from the last one.
        self.schedule_report(key, now + REPORT_DELAY);
    }

    fn attribute(&mut self, key: &Key) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        // Oldest first: what an attempt follows has to be known before.
        for index in (0..rollout.chain.attempts().len()).rev() {
            let attempt = &rollout.chain.attempts()[index];
            let workload = attempt.workload.as_ref();
            let app = workload.map(|workload| Key::new(&key.namespace, &workload.app));
            let set = attempt.replica_set.as_ref();
            let set = set.and_then(|set| self.replica_sets.get(&Key::new(&key.namespace, set)));
            let mut keptn = KeptnObjects::default();
            if let Some(app) = app {
                let of = |index: &BTreeMap<Key, BTreeSet<Key>>| index.get(&app).cloned();
                let names = of(&self.app_versions_of_app).unwrap_or_default();
                keptn.app_versions = names
                    .iter()
                    .filter_map(|name| self.app_versions.get(name))
                    .collect();
                in_order(&mut keptn.app_versions);
                let names = of(&self.workload_versions_of_app).unwrap_or_default();
                keptn.workload_versions = names
                    .iter()
                    .filter_map(|name| self.workload_versions.get(name))
                    .collect();
            }
            let uid = set.map(|set| set.uid.as_str());
            attribute(rollout.chain.attempts_mut(), index, uid, &keptn);
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
        for key in self.rollouts_of_app.get(app).cloned().unwrap_or_default() {
            self.schedule_report(&key, now + REPORT_DELAY);
        }
    }

    fn holds_ours(&self, app: &Key) -> bool {
        self.contexts.get(app).is_some_and(AppContext::holds_ours)
    }

    fn report(&mut self, key: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get(key) else {
            return;
        };
        let Some(uid) = rollout.uid.clone() else {
            return;
        };
        if rollout.reporting || !rollout.exists() {
            if let Some(rollout) = self.rollouts.get_mut(key) {
                rollout.report_due = None;
            }
            // An answer or a version of the Rollout comes, and schedules it again.
            return;
        }
        let view = RolloutView {
            chain: &rollout.chain,
            problem: rollout.problem.as_deref(),
            earlier: rollout.report.as_ref(),
            observe_only: self.only_observed(key),
            missing: self
                .missing()
                .filter_map(|(kind, why)| Some((kind, why?)))
                .collect(),
            broken: self.broken_trace(key, &rollout.chain),
            apps: rollout
                .apps
                .iter()
                .filter(|app| rollout.is_in(app))
                .map(|app| self.app_standing(key, app, now))
                .collect(),
        };
        let trace = self.traces.get(key);
        let report = Report {
            rollout_uid: uid.clone(),
            observed_generation: trace.and_then(|trace| trace.generation),
            attempts: rollout.chain.attempts().to_vec(),
            observed: standing::observed(&view, now),
            linked: standing::linked(&view, now),
        };
        let keep = trace.is_some_and(|trace| trace.settings.keep_after_delete);
        let owner = (!keep).then_some(uid);
        let owners = trace.map_or(&[] as &[String], |trace| &trace.owners);
        let change_owner = match &owner {
            Some(uid) => owners != std::slice::from_ref(uid),
            None => !owners.is_empty(),
        };
        let told = rollout
            .report
            .as_ref()
            .is_some_and(|told| told.says_as_much_as(&report));
        let same = told && trace.is_some() && !change_owner;
        let create = trace.is_none();
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        rollout.report_due = None;
        if same {
            return;
        }
        rollout.report = Some(report.clone());
        rollout.reporting = true;
        let write = ReportWrite {
            create,
            owner,
            change_owner,
            report,
        };
        effects.push(Effect::WriteReport(key.clone(), Box::new(write)));
    }

    fn app_standing(&self, key: &Key, app: &str, now: Timestamp) -> (String, Standing, usize) {
        let app_key = Key::new(&key.namespace, app);
        let (wanted, left_out) = self.wanted(&app_key);
        let nothing = AppContext::default();
        let context = self.contexts.get(&app_key).unwrap_or(&nothing);
        (app.to_owned(), context.standing(&wanted, now), left_out)
    }

    /// The KeptnAppVersion of the newest attempt that holds something else than a traceparent, in
    /// words, while the attempt has no trace.
    fn broken_trace(&self, key: &Key, chain: &Chain) -> Option<String> {
        let newest = chain.newest().filter(|newest| newest.trace.is_none())?;
        let workload = newest.workload.as_ref()?;
        let app = Key::new(&key.namespace, &workload.app);
        self.app_versions_of_app.get(&app)?.iter().find_map(|name| {
            let version = self.app_versions.get(name)?;
            let lists = |(name, version): &(String, String)| {
                name == workload.short_name() && *version == workload.version
            };
            let broken = version
                .broken
                .as_ref()
                .filter(|_| version.workloads.iter().any(lists))?;
            Some(format!("KeptnAppVersion {}: {broken}", version.key.name))
        })
    }

    fn only_observed(&self, key: &Key) -> bool {
        self.options.observe_only
            || self
                .traces
                .get(key)
                .is_some_and(|trace| trace.settings.observe_only)
    }

    fn schedule_report(&mut self, key: &Key, due: Timestamp) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        if rollout.report_due.is_some_and(|earlier| earlier <= due) {
            return;
        }
        if let Some(later) = rollout.report_due.replace(due) {
            self.due_reports.remove(&(later, key.clone()));
        }
        self.due_reports.insert((due, key.clone()));
    }

    fn touch_app(&mut self, app: &Key) {
        self.touched_rollouts
            .extend(self.rollouts_of_app.get(app).into_iter().flatten().cloned());
        self.touched_apps.insert(app.clone());
    }

    fn touch_apps_of(&mut self, key: &Key) {
        let apps = self
            .rollouts
            .get(key)
            .map(|rollout| rollout.apps.clone())
            .unwrap_or_default();
        self.touched_apps
            .extend(apps.into_iter().map(|app| Key::new(&key.namespace, app)));
    }

    fn keys_of(&self, kind: Kind) -> Vec<Key> {
        match kind {
            Kind::Rollout => self.rollouts.keys().cloned().collect(),
            Kind::ReplicaSet => self.replica_sets.keys().cloned().collect(),
            Kind::AppVersion => self.app_versions.keys().cloned().collect(),
            Kind::WorkloadVersion => self.workload_versions.keys().cloned().collect(),
            Kind::AppContext => self.contexts.keys().cloned().collect(),
            Kind::RolloutTrace => self.traces.keys().cloned().collect(),
        }
    }
}

fn forget(index: &mut BTreeMap<Key, BTreeSet<Key>>, of: &Key, key: &Key) {
    if let Some(keys) = index.get_mut(of) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(of);
        }
    }
}
