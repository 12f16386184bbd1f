//! The operator's core, the cluster and the collector around it, and all that can go wrong in
//! between. Everything happens in steps: an observation arrives, an effect is carried out, an
//! answer arrives, a time comes. At each of them the operator may crash or an answer be lost.

mod fault;
mod knowledge;
mod step;
mod words;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use timeline::base::AttemptId;
use timeline::engine::{Effect, LedgerChange, Options};
use timeline::ledger::Ledger;
use timeline::outbox::Stage;
use timeline::seen::Unavailable;
use timeline::{Engine, Key, Kind, Observation};

use crate::api_server::{ApiServer, KINDS};
use crate::collector::{Collector, Taste};
use crate::story::Story;
pub(crate) use fault::{Fault, InFlight};
use step::Step;
use words::{described, wanted};
use work::Work;

/// What a watch, a write and its answer take, in milliseconds.
const WATCH: i64 = 7;
const REQUEST: i64 = 31;
const ANSWER: i64 = 23;
/// Until then a new process has read all lists.
const STARTING: SignedDuration = SignedDuration::from_millis(60);
/// Outbox in memory that wait for a collector.
const WAITING: usize = 128;
const SENDING: usize = 8;

pub(crate) struct World<'a> {
    pub(crate) now: Timestamp,
    pub(crate) server: ApiServer,
    pub(crate) collector: Collector,
    pub(crate) operator: Option<Engine>,
    pub(crate) story: &'a Story,
    queue: BTreeMap<(Timestamp, u64), Step>,
    work: BTreeMap<u64, Work>,
    count: u64,
    faults: BTreeMap<usize, Fault>,
    /// Steps that touched the operator.
    pub(crate) steps: usize,
    /// When the operator was started last.
    started: Timestamp,
    pods_watched: BTreeMap<Key, String>,
    /// What the process that started then has announced.
    announced: BTreeSet<(Key, u8, Timestamp)>,
    /// The ledgers that it shows.
    pub(crate) shown: BTreeMap<Key, Arc<Ledger>>,
    pub(crate) rollouts: BTreeMap<Key, String>,
    /// The names of all Rollouts of the story.
    pub(crate) keys: BTreeSet<Key>,
    /// When all that was known of each Rollout was stored.
    safe: BTreeMap<Key, Timestamp>,
    /// Since when it is not watched.
    dark: BTreeMap<Key, Timestamp>,
    /// From when until when it was not watched.
    blind: BTreeMap<Key, Vec<(Timestamp, Timestamp)>>,
    /// What a process that starts has not read yet.
    unread: BTreeSet<Kind>,
    pub(crate) crashes: usize,
    /// A request of a process that had died was carried out later.
    pub(crate) late: bool,
    /// The operator knew more than was stored when it died, or did not see every version.
    pub(crate) lossy: bool,
    /// A person took RolloutTraces away, and with them what was long ago.
    pub(crate) forgot: bool,
    /// A person took RolloutAttempts away.
    pub(crate) taken: bool,
    /// What happened that not everybody gets right.
    pub(crate) kinds: BTreeSet<&'static str>,
    /// How long it was away, in milliseconds.
    away: u32,
    /// In the end nothing was left to do.
    pub(crate) rests: bool,
    /// The most journals that the operator held at one time.
    pub(crate) most_held: usize,
    /// Prints each step.
    pub(crate) prints: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(story: &'a Story, taste: Taste, faults: BTreeMap<usize, Fault>) -> Self {
        let start = story.changes[0].at;
        let mut collector = Collector::new(taste);
        collector.away.clone_from(&story.away);
        let mut world = Self {
            now: start,
            server: ApiServer::default(),
            collector,
            operator: None,
            story,
            queue: BTreeMap::new(),
            work: BTreeMap::new(),
            count: 0,
            faults,
            steps: 0,
            started: start,
            pods_watched: BTreeMap::new(),
            announced: BTreeSet::new(),
            shown: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            keys: story.truth.iter().map(|it| it.identity.rollout.clone()).collect(),
            safe: BTreeMap::new(),
            dark: BTreeMap::new(),
            blind: BTreeMap::new(),
            unread: BTreeSet::new(),
            crashes: 0,
            late: false,
            lossy: false,
            forgot: false,
            taken: false,
            kinds: story.kinds.clone(),
            away: 0,
            rests: false,
            most_held: 0,
            prints: false,
        };
        world.start();
        if let Some(at) = story.namespace_goes {
            world.schedule(at + SignedDuration::from_millis(1_000), Step::Terminate);
        }
        for (n, change) in story.changes.iter().enumerate() {
            // After the operator has started.
            world.schedule(change.at + SignedDuration::from_secs(1), Step::Change(n));
        }
        world
    }

    /// Makes all steps until nothing is left to do.
    pub(crate) fn run(mut self) -> Self {
        // A story of minutes takes hundreds of steps.
        let most = 4_000 + self.story.changes.len() * 100;
        while self.steps < most && self.next() {}
        self.rests = self.steps < most;
        self
    }

    fn schedule(&mut self, at: Timestamp, step: Step) {
        self.count += 1;
        self.queue.insert((at, self.count), step);
    }

    fn after(&mut self, milliseconds: i64, step: Step) {
        self.schedule(self.now + SignedDuration::from_millis(milliseconds), step);
    }

    fn next(&mut self) -> bool {
        let due = self.operator.as_ref().and_then(Engine::due);
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        if let Some(due) = due
            && queued.is_none_or(|queued| due < queued)
        {
            self.now = self.now.max(due);
            if !self.goes_wrong(None) {
                self.note(|| "wakes".to_owned());
                self.act();
            }
            return true;
        }
        let Some(((at, _), step)) = self.queue.pop_first() else {
            return false;
        };
        self.now = self.now.max(at);
        self.perform(step);
        true
    }

    fn perform(&mut self, step: Step) {
        match step {
            Step::Change(n) => self.change(n),
            Step::Start => self.start(),
            Step::Collect(rollout) => self.collect(&rollout),
            Step::Terminate => {
                let before = self.server.count();
                self.server.terminate();
                self.deliver_since(&before);
            }
            Step::Serve(kind) => {
                self.server.refused.remove(&kind);
                if self.operator.is_some() {
                    self.after(0, Step::List(kind));
                }
            }
            _ if self.operator.is_none() && !matches!(step, Step::Commit(_)) => {}
            Step::List(Kind::AppVersion | Kind::WorkloadVersion | Kind::AppContext)
                if self.story.no_keptn =>
            {
                let Step::List(kind) = step else { return };
                self.server.refuse(kind, Unavailable::NotInstalled);
                self.after(0, Step::Deliver(kind));
            }
            Step::List(kind) => {
                for _ in 0..self.server.list(kind) {
                    self.after(0, Step::Deliver(kind));
                }
            }
            Step::Deliver(kind) => {
                if self.server.waiting(kind).next().is_some() && !self.goes_wrong(None) {
                    self.deliver(kind);
                }
            }
            Step::Commit(n) => {
                let orphan = self.work.get(&n).is_some_and(|work| work.orphan);
                if self.work.contains_key(&n) && (orphan || !self.goes_wrong(Some(n))) {
                    self.commit(n);
                }
            }
            Step::Answer(n) => {
                if self.work.contains_key(&n) && !self.goes_wrong(None) {
                    self.answer(n);
                }
            }
        }
    }

    /// Something happens in the cluster.
    fn change(&mut self, n: usize) {
        let change = &self.story.changes[n];
        let starting = self.now.duration_since(self.started) < STARTING;
        self.lossy |= self.crashes > 0 && (self.operator.is_none() || starting);
        if let Observation::Rollout(seen) = &change.what {
            self.rollouts.insert(seen.key.clone(), seen.uid.to_string());
        }
        if let Observation::Gone(Kind::Rollout, key) = &change.what {
            self.rollouts.remove(key);
            self.after(300, Step::Collect(key.clone()));
        }
        let pod = match &change.what {
            Observation::Pod(pod) => Some(&pod.key),
            Observation::Gone(Kind::Pod, key) => Some(key),
            _ => None,
        };
        if pod.is_some_and(|pod| !self.is_watched(pod)) {
            self.server.put_unwatched(&change.what);
            return;
        }
        let kind = self.server.put(change.what.clone());
        self.after(WATCH, Step::Deliver(kind));
    }

    fn is_watched(&self, pod: &Key) -> bool {
        self.pods_watched
            .iter()
            .any(|(rollout, hash)| pod.name.starts_with(&format!("{}-{hash}-", rollout.name)))
    }

    /// The garbage collector takes what a Rollout owned.
    fn collect(&mut self, rollout: &Key) {
        let uid = self.rollouts.get(rollout).map(String::as_str);
        let before = self.server.count();
        self.server.collect(rollout, uid);
        self.deliver_since(&before);
    }

    /// The watches deliver what has changed.
    fn deliver_since(&mut self, before: &BTreeMap<Kind, usize>) {
        for (kind, count) in self.server.since(before) {
            for _ in 0..count {
                self.after(WATCH, Step::Deliver(kind));
            }
        }
    }

    fn start(&mut self) {
        let options = Options { observe_only: true, export: true, ..Options::default() };
        self.operator = Some(Engine::new(options));
        self.started = self.now;
        self.pods_watched.clear();
        self.shown.clear();
        self.server.disconnect();
        for (n, kind) in (0..).zip(KINDS) {
            // Not in the same order each time.
            let place = (n * 5 + i64::try_from(self.crashes).unwrap() * 2) % 9;
            self.after(place * 3, Step::List(kind));
        }
        self.note(|| "starts".to_owned());
    }

    /// The operator sees the next event of a kind.
    fn deliver(&mut self, kind: Kind) {
        let Some(observation) = self.server.next_event(kind) else {
            return;
        };
        self.note(|| format!("sees {}", described(&observation)));
        let now = self.now;
        let of = match &observation {
            Observation::Rollout(seen) => Some(seen.key.clone()),
            Observation::Pod(seen) => self
                .keys
                .iter()
                .find(|it| {
                    it.namespace == seen.key.namespace
                        && seen.key.name.starts_with(it.name.as_str())
                })
                .cloned(),
            _ => None,
        };
        let listed = match &observation {
            Observation::Listed(kind, _) => Some(*kind),
            _ => None,
        };
        if let Some(operator) = &mut self.operator {
            operator.observe(observation, now);
        }
        self.act();
        if let Some(kind) = listed {
            self.has_read(kind);
        }
        if let Some(rollout) = of {
            self.looks_at(&rollout);
        }
    }

    /// Lets the operator do what it wants to do now.
    fn act(&mut self) {
        let Some(operator) = &mut self.operator else {
            return;
        };
        let effects = operator.effects(self.now);
        for LedgerChange { rollout, stored } in operator.ledgers_changed() {
            match stored {
                Some((ledger, _)) => drop(self.shown.insert(rollout, ledger)),
                None => drop(self.shown.remove(&rollout)),
            }
        }
        let due = operator.due();
        assert!(
            due.is_none_or(|due| due > self.now),
            "nothing is left to do at {}, but the operator would not sleep: {due:?}",
            self.now
        );
        let (held, away, _) = operator.delivery();
        self.most_held = self.most_held.max(held);
        // Some were on their way when the collector went away.
        let running = self.server.attempts.values().filter(|it| it.stage == Stage::Running).count();
        let stored = self.server.attempts.keys();
        let unstored = held - stored.filter(|key| operator.journal(key).is_some()).count();
        assert!(
            !away || held <= WAITING + SENDING + running + unstored,
            "{held} journals in memory, {running} of them running, {unstored} not stored"
        );
        for effect in effects {
            self.note(|| format!("wants {}", wanted(&effect)));
            match effect {
                Effect::WatchPods(rollout, hash) => {
                    let pods = self.server.list_pods(&rollout, &hash);
                    self.pods_watched.insert(rollout, hash.to_string());
                    for _ in 0..pods {
                        self.after(WATCH, Step::Deliver(Kind::Pod));
                    }
                }
                Effect::LeavePods(rollout) => drop(self.pods_watched.remove(&rollout)),
                effect => {
                    self.must_be_the_only_one(&effect);
                    self.count += 1;
                    let n = self.count;
                    let work = Work { effect, answer: None, orphan: false, fault: None };
                    self.work.insert(n, work);
                    self.after(REQUEST, Step::Commit(n));
                }
            }
        }
    }

    pub(crate) fn was_away(&self) -> bool {
        self.away > 0
    }

    fn note(&self, what: impl FnOnce() -> String) {
        if self.prints {
            eprintln!("{:4} {} {}", self.steps, self.now, what());
        }
    }
}

pub(crate) fn attempt_key(identity: &AttemptId) -> Key {
    Key::new(identity.rollout.namespace.clone(), timeline::base::attempt_name(identity))
}
