//! The operator's core, a model of the cluster around it, and all that can go wrong in between.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use timeline::chain::{Attempt, Chain};
use timeline::engine::{Effect, Options, Ways};
use timeline::keptn::app_context::ContextWrite;
use timeline::outbox::AttemptWritten;
use timeline::seen::Unavailable;
use timeline::{Engine, Key, Kind, Observation};

use crate::admitted::Published;
use crate::api_server::ApiServer;
use crate::cluster::{APPS, Cluster, LAST_TEMPLATE, ROLLOUTS, app_key, rollout_key};
use crate::oracle::truth;
use crate::writes::{Fate, Write};

/// Later than this, what is seen is seen late: the core's slack between two clocks.
const LATE: SignedDuration = SignedDuration::from_millis(900);

const OPTIONS: Options = Options { links: Ways::Both, observe_only: false, export: false };

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) server: ApiServer,
    pub(crate) cluster: Cluster,
    pub(crate) operator: Engine,
    pub(crate) writes: Vec<Write>,
    /// Turns of each Rollout that the operator has seen, and up to which one that is stored.
    seen: [usize; 2],
    pub(crate) stored: [usize; 2],
    /// All writes to KeptnAppContexts that arrived at the API server.
    pub(crate) context_writes: Vec<ContextWrite>,
    /// The newest version of each KeptnAppContext that the operator has seen.
    known: BTreeMap<Key, u64>,
    /// Kinds that the API server does not serve for now.
    away: BTreeSet<Kind>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            server: ApiServer::default(),
            cluster: Cluster::default(),
            operator: Engine::new(OPTIONS),
            writes: Vec::new(),
            seen: [0; 2],
            stored: [0; 2],
            context_writes: Vec::new(),
            known: BTreeMap::new(),
            away: BTreeSet::new(),
        };
        world.relist_all();
        world
    }

    pub(crate) fn pass(&mut self, time: SignedDuration) {
        self.now += time;
    }

    /// Lets the operator do what it wants to do now.
    pub(crate) fn act(&mut self) {
        let mut effects = self.operator.effects(self.now);
        // A Rollout rests once its figures were read.
        self.operator.ledgers_changed();
        let mut at = 0;
        while at < effects.len() {
            let effect = effects[at].clone();
            at += 1;
            if let Effect::ReadAttempts(key, uid) = &effect {
                self.operator.attempts_read(key, uid, Some(Vec::new()), self.now);
                effects.extend(self.operator.effects(self.now));
            }
            // Outbox have a simulation of their own.
            if let Effect::WriteAttempt(key, _) = &effect {
                let stored = AttemptWritten::Stored("1".to_owned());
                self.operator.attempt_written(key, stored, self.now);
            }
            if !matches!(effect, Effect::WriteContext(..) | Effect::WriteReport(..)) {
                continue;
            }
            let twice = self.writes.iter().any(|write| {
                !write.orphan
                    && matches!((&write.effect, &effect), (Effect::WriteContext(a, _), Effect::WriteContext(b, _)) if a == b)
            });
            assert!(!twice, "two writes to one KeptnAppContext at once");
            if let Effect::WriteContext(app, ContextWrite::Patch { resource_version, .. }) = &effect
            {
                let known = self.known.get(app).copied().unwrap_or_default();
                let base: u64 = resource_version.parse().unwrap();
                assert!(base >= known, "written on version {base} when {known} was known");
            }
            let harmless =
                [Kind::WorkloadVersion, Kind::RolloutAttempt, Kind::AnalysisRun, Kind::Experiment];
            let blind = self.away.iter().any(|kind| !harmless.contains(kind));
            let links = matches!(effect, Effect::WriteContext(..));
            assert!(!(blind && links), "links are written on partial knowledge");
            self.writes.push(Write { effect, seen: self.seen, answer: None, orphan: false });
        }
        self.cluster.published.take(&mut self.operator);
        let due = self.operator.due();
        assert!(
            due.is_none_or(|due| due > self.now),
            "nothing is left to do at {}, but the operator would not sleep: {due:?}",
            self.now
        );
    }

    /// Delivers the next event of a kind.
    pub(crate) fn deliver(&mut self, kind: Kind) -> bool {
        let delivered = self.deliver_one(kind);
        self.act();
        delivered
    }

    /// Delivers all events in one burst, before anything follows from them.
    pub(crate) fn deliver_all(&mut self) {
        while Kind::ALL.into_iter().any(|kind| self.deliver_one(kind)) {}
        self.act();
    }

    fn deliver_one(&mut self, kind: Kind) -> bool {
        let event = self.server.next_event(kind);
        let Some(event) = event.filter(|_| !self.away.contains(&kind)) else {
            return false;
        };
        if event.matters
            && let Observation::Rollout(seen) = &event.observation
        {
            let r = index_of(&seen.key);
            self.seen[r] += 1;
            self.cluster.rollouts[r].late |= self.now.duration_since(event.at) > LATE;
        }
        self.know(&event.observation);
        self.operator.observe(event.observation, self.now);
        true
    }

    pub(crate) fn know(&mut self, observation: &Observation) {
        if let Observation::AppContext(seen) = observation {
            let known = self.known.entry(seen.key.clone()).or_default();
            *known = (*known).max(seen.resource_version.parse().unwrap());
        }
    }

    /// The watch of a kind breaks and lists again: what was on its way is never delivered.
    pub(crate) fn relist(&mut self, kind: Kind) {
        if kind == Kind::Rollout {
            for r in 0..ROLLOUTS.len() {
                let waiting = self.server.waiting(&rollout_key(r));
                self.seen[r] += waiting;
                self.cluster.rollouts[r].dropped |= waiting > 1;
                self.cluster.rollouts[r].late |= waiting > 0;
            }
        }
        self.away.remove(&kind);
        for observation in self.server.list(kind) {
            self.know(&observation);
            self.operator.observe(observation, self.now);
        }
        self.act();
    }

    /// The API server ceases to serve a kind, until it is listed again.
    pub(crate) fn go_away(&mut self, kind: Kind) {
        self.away.insert(kind);
        let why = Unavailable::NotInstalled;
        self.operator.observe(Observation::Unavailable(kind, why), self.now);
        self.act();
    }

    fn relist_all(&mut self) {
        for kind in Kind::ALL {
            self.relist(kind);
        }
    }

    /// A new process knows what is stored, and lists everything. A write of the old one may still
    /// be on its way.
    pub(crate) fn crash(&mut self) {
        for r in 0..ROLLOUTS.len() {
            let forgotten = self.seen[r] - self.stored[r].min(self.seen[r]);
            let waiting = self.server.waiting(&rollout_key(r));
            self.cluster.rollouts[r].dropped |= forgotten + waiting > 1;
            self.cluster.rollouts[r].late |= forgotten + waiting > 0;
        }
        self.operator = Engine::new(OPTIONS);
        self.cluster.published = Published::default();
        self.known.clear();
        self.writes.retain(|write| write.answer.is_none());
        self.writes.iter_mut().for_each(|write| write.orphan = true);
        self.relist_all();
    }

    /// The garbage collector takes a RolloutTrace whose owners are gone.
    pub(crate) fn collect_garbage(&mut self) {
        for r in 0..ROLLOUTS.len() {
            let key = rollout_key(r);
            let Some(Observation::RolloutTrace(seen)) = self.server.get(Kind::RolloutTrace, &key)
            else {
                continue;
            };
            let uid = &self.cluster.rollouts[r].uid;
            if !seen.owners.is_empty()
                && !seen.owners.iter().any(|owner| Some(owner.as_str()) == uid.as_deref())
            {
                self.server.delete(Kind::RolloutTrace, &key, self.now);
            }
        }
    }

    /// No more faults: everything arrives, and what is due within this time is done.
    pub(crate) fn quiesce(&mut self, time: SignedDuration) {
        let until = self.now + time;
        loop {
            for _ in 0..500 {
                self.act();
                self.commit(0, Fate::Done);
                let answered = self.answer(0);
                self.deliver_all();
                self.collect_garbage();
                if !answered && self.writes.is_empty() && !self.server.has_events() {
                    break;
                }
            }
            assert!(self.writes.is_empty(), "the operator writes without end");
            match self.operator.due().filter(|due| *due <= until) {
                Some(due) => self.now = due,
                None => break,
            }
        }
        self.now = until;
        self.act();
    }

    /// After everything came to rest: the links are those that are wanted, and nothing is written
    /// any more, not even when everything is listed again an hour later.
    pub(crate) fn must_be_right(&mut self) {
        for kind in std::mem::take(&mut self.away) {
            self.relist(kind);
        }
        for r in 0..ROLLOUTS.len() {
            self.cluster.name_workloads(&mut self.server, r, self.now);
        }
        self.quiesce(SignedDuration::from_mins(5));
        let fought = |app: &usize| self.server.was_fought_over(&app_key(*app));
        let rest: BTreeSet<usize> = (0..APPS.len()).filter(fought).collect();
        for app in (0..APPS.len()).filter(|app| !rest.contains(app)) {
            self.must_hold_the_truth(app);
        }
        // Left alone after five resets, and taken up again after a rest.
        self.quiesce(SignedDuration::from_mins(25));
        for app in 0..APPS.len() {
            self.must_hold_the_truth(app);
        }
        let writes = self.context_writes.len();
        self.relist_all();
        self.quiesce(SignedDuration::from_hours(1));
        let again = &self.context_writes[writes..];
        assert!(again.is_empty(), "written again: {again:?}");
        self.operator.ledgers_changed();
        let chains = (0..ROLLOUTS.len()).filter_map(|r| self.operator.chain(&rollout_key(r)));
        let under_way = chains.filter(|it| it.newest().is_some_and(Attempt::open)).count();
        let (rest, all) = (self.operator.resting(), self.operator.rollouts());
        assert!(rest + under_way >= all, "{rest} of {all} rest, {under_way} are under way");
    }

    fn must_hold_the_truth(&self, app: usize) {
        let truth = truth(&self.cluster, app);
        let links = self.server.span_links(&app_key(app)).unwrap_or_default();
        let ours = self.server.ours(&app_key(app));
        let state = || {
            let chains = (0..ROLLOUTS.len()).filter_map(|r| self.operator.chain(&rollout_key(r)));
            let chains: Vec<Vec<String>> = chains.map(|chain| described(&chain)).collect();
            format!("{}: {links:#?}, ours {ours:#?}; {truth:#?}; chains {chains:#?}", APPS[app])
        };
        for wanted in &truth.wanted {
            let entry = wanted.to_string();
            assert!(links.contains(&entry), "{wanted} is missing; {}", state());
        }
        for (index, entry) in ours.iter().enumerate() {
            let link = entry.parse().unwrap();
            let right = truth.wanted.contains(&link) || truth.allowed.contains(&link);
            assert!(right, "{entry} is there and should not; {}", state());
            assert!(!ours[..index].contains(entry), "{entry} is ours twice; {}", state());
        }
    }

    /// Where everything is followed from its first version on, nothing is ambiguous: each Rollout
    /// brings something new live, and Keptn sees the links that were written ahead.
    pub(crate) fn bring_something_new_live(&mut self) {
        let step = SignedDuration::from_secs(20);
        for r in 0..ROLLOUTS.len() {
            self.pass(step);
            self.cluster.apply(&mut self.server, r, LAST_TEMPLATE, self.now);
            self.deliver_all();
            self.quiesce(step);
            self.cluster.pods_start(&mut self.server, r, false, self.now);
            self.quiesce(step);
            self.cluster.promote(&mut self.server, r, self.now);
            self.quiesce(step);
            self.cluster.rollouts[r].dropped = false;
            self.cluster.rollouts[r].late = false;
        }
    }
}

/// One line for each attempt, newest first.
fn described(chain: &Chain) -> Vec<String> {
    let line = |attempt: &Attempt| {
        let trace = attempt.trace.as_ref().map(|trace| trace.traceparent);
        let (version, started) = (attempt.version().unwrap_or("?"), attempt.started);
        let (revision, number, phase) = (attempt.revision, attempt.number, attempt.phase);
        format!("{revision}#{number} {version} {phase} since {started}: {trace:?}")
    };
    chain.attempts().iter().map(|attempt| line(attempt)).collect()
}

pub(crate) fn index_of(rollout: &Key) -> usize {
    ROLLOUTS.iter().position(|name| *name == rollout.name).unwrap()
}
