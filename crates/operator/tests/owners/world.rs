//! Two replicas, and the cluster and the collector around them. Everything happens in steps: an event
//! is delivered, a request leaves, it arrives, an answer arrives, a time comes. At each of them something
//! may go wrong.

mod election;
mod fault;
#[path = "../../../timeline/tests/delivery/world/knowledge.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod knowledge;
mod replica;
mod requests;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use timeline::base::AttemptId;
use timeline::engine::{LedgerChange, Options, Ways};
use timeline::ledger::Ledger;
use timeline::{Engine, Key, Kind, Observation};
use tokio::time::Instant;

use crate::api_server::ApiServer;
use crate::cluster::{Contexts, Epochs, Leases};
use crate::collector::{Collector, Taste};
use crate::story::Story;
use election::Turn;
pub(crate) use fault::{Fault, InFlight, Who};
use knowledge::READ;
use replica::Replica;
use requests::Request;

/// What a watch, a request and its answer take, in milliseconds.
const WATCH: i64 = 7;
const REQUEST: i64 = 31;
const ANSWER: i64 = 23;
/// A request that is not answered by then counts as lost.
const PATIENCE: i64 = 10_000;
/// What is delivered later than this was not seen in time.
const LATE: SignedDuration = SignedDuration::from_millis(500);

const OPTIONS: Options = Options { links: Ways::Context, observe_only: false, export: true };

/// A process: which replica, and its number among those of that replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    replica: usize,
    life: u32,
}

#[derive(Debug, Clone)]
enum Step {
    Change(usize),
    /// The garbage collector looks at what a Rollout owned.
    Collect(Key),
    /// A replica begins to watch a kind, or begins anew.
    List(Process, Kind),
    Deliver(Process, Kind),
    Leave(u64),
    Arrive(u64),
    Answer(u64),
    TimesOut(u64),
    /// A replica goes on.
    Wake(usize),
    Start(usize),
}

pub(crate) struct World<'a> {
    pub(crate) now: Timestamp,
    start: Timestamp,
    /// The monotonic clock of each process, at the start.
    clock: Instant,
    pub(crate) server: ApiServer,
    pub(crate) epochs: Epochs,
    /// A request of a process that had died was carried out later.
    pub(crate) late: bool,
    pub(crate) contexts: Contexts,
    leases: Leases,
    pub(crate) collector: Collector,
    pub(crate) story: &'a Story,
    replicas: [Replica; 2],
    /// Which of them leads, or led last and did not notice yet that it does no more.
    owner: Option<usize>,
    /// How often one came to lead.
    terms: usize,
    /// What it knows.
    pub(crate) operator: Option<Engine>,
    queue: BTreeMap<(Timestamp, u64), Step>,
    turns: BTreeMap<(Timestamp, u64), Turn>,
    requests: BTreeMap<u64, Request>,
    count: u64,
    faults: BTreeMap<usize, Fault>,
    /// What becomes of the next request of the leader's.
    armed: Option<Fault>,
    pub(crate) steps: usize,
    /// The ledgers that who leads shows.
    pub(crate) shown: BTreeMap<Key, Arc<Ledger>>,
    pub(crate) rollouts: BTreeMap<Key, String>,
    pub(crate) keys: BTreeSet<Key>,
    safe: BTreeMap<Key, Timestamp>,
    dark: BTreeMap<Key, Timestamp>,
    blind: BTreeMap<Key, Vec<(Timestamp, Timestamp)>>,
    unread: BTreeSet<Kind>,
    /// How often another process had to go on.
    pub(crate) crashes: usize,
    /// That was so, or something was seen late: a journal is no more to the last byte as without it.
    pub(crate) lossy: bool,
    /// Who led stood still or was cut off.
    pub(crate) kept: bool,
    /// Nobody here takes away what is ours.
    pub(crate) forgot: bool,
    pub(crate) taken: bool,
    pub(crate) kinds: BTreeSet<&'static str>,
    pub(crate) rests: bool,
    /// Links that a person added: to which KeptnAppContext, and which.
    pub(crate) edits: Vec<(Key, String)>,
    /// Requests that left a replica while another held the Lease.
    pub(crate) without_lease: Vec<String>,
    pub(crate) prints: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(story: &'a Story, taste: Taste, faults: BTreeMap<usize, Fault>) -> Self {
        let start = story.changes[0].at;
        let mut collector = Collector::new(taste);
        collector.away.clone_from(&story.away);
        let mut world = Self {
            now: start,
            start,
            clock: Instant::now(),
            server: ApiServer::default(),
            epochs: Epochs::default(),
            late: false,
            contexts: Contexts::default(),
            leases: Leases::default(),
            collector,
            story,
            replicas: [Replica::new(0, 0), Replica::new(1, 0)],
            owner: None,
            terms: 0,
            operator: None,
            queue: BTreeMap::new(),
            turns: BTreeMap::new(),
            requests: BTreeMap::new(),
            count: 0,
            faults,
            armed: None,
            steps: 0,
            shown: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            keys: story.truth.iter().map(|it| it.identity.rollout.clone()).collect(),
            safe: BTreeMap::new(),
            dark: BTreeMap::new(),
            blind: BTreeMap::new(),
            unread: BTreeSet::new(),
            crashes: 0,
            lossy: false,
            kept: false,
            forgot: false,
            taken: false,
            kinds: story.kinds.clone(),
            rests: false,
            edits: Vec::new(),
            without_lease: Vec::new(),
            prints: false,
        };
        world.start(0);
        world.start(1);
        for (n, change) in story.changes.iter().enumerate() {
            // After one of them has begun to lead.
            world.schedule(change.at + SignedDuration::from_secs(1), Step::Change(n));
        }
        world
    }

    /// Makes all steps until nothing is left to do.
    pub(crate) fn run(mut self) -> Self {
        let most = 8_000 + self.story.changes.len() * 200;
        let mut moves = 0;
        while self.steps < most && moves < most * 4 && self.next() {
            moves += 1;
        }
        self.rests = self.steps < most && moves < most * 4;
        self
    }

    fn schedule(&mut self, at: Timestamp, step: Step) {
        self.count += 1;
        self.queue.insert((at, self.count), step);
    }

    fn after(&mut self, milliseconds: i64, step: Step) {
        self.schedule(self.now + SignedDuration::from_millis(milliseconds), step);
    }

    /// When a replica that holds something has something to do, if it is not kept from it.
    fn due(&self) -> Option<(Timestamp, usize)> {
        let due = |r: usize| Some((self.engine_ref(r)?.due()?, r));
        (0..2).filter(|r| self.replicas[*r].still_until.is_none()).filter_map(due).min()
    }

    fn next(&mut self) -> bool {
        let due = self.due();
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let first = due.map(|(at, _)| at).into_iter().chain(queued).min();
        let Some(first) = first.map(|first| first.max(self.now)) else {
            // Nothing is left but that somebody comes to lead.
            return !self.is_led() && self.takes_turn();
        };
        self.renew_until(first);
        let turn = self.turns.first_key_value().map(|((at, _), _)| *at);
        if turn.is_some_and(|turn| turn <= first) {
            return self.takes_turn();
        }
        self.now = first;
        if let Some((_, r)) = due.filter(|(due, _)| queued.is_none_or(|queued| *due < queued)) {
            self.goes_wrong();
            if self.replicas[r].still_until.is_none() && self.engine_ref(r).is_some() {
                self.note(|| format!("{r} wakes"));
                self.act(r);
            }
            return true;
        }
        if let Some((_, step)) = self.queue.pop_first() {
            self.perform(step);
        }
        true
    }

    fn perform(&mut self, step: Step) {
        match step {
            Step::Change(n) => self.change(n),
            Step::Collect(rollout) => self.collect(&rollout),
            Step::Start(r) => self.start(r),
            Step::Wake(r) => self.wake(r),
            Step::List(process, kind) => {
                if self.goes_on(process, &step) {
                    self.list(process, kind);
                }
            }
            Step::Deliver(process, kind) => {
                if self.goes_on(process, &step) && !self.goes_wrong_at(process) {
                    self.deliver(process, kind);
                }
            }
            Step::Leave(n) => {
                let Some(request) = self.requests.get(&n) else { return };
                let process = request.process;
                if !self.is_still(process.replica, &step) && !self.goes_wrong_at(process) {
                    self.leave(n);
                }
            }
            Step::Arrive(n) => {
                self.steps += 1;
                self.arrive(n);
            }
            Step::Answer(n) | Step::TimesOut(n) => {
                let Some(request) = self.requests.get(&n) else { return };
                let process = request.process;
                if self.goes_on(process, &step) && !self.goes_wrong_at(process) {
                    self.answer(n, matches!(step, Step::TimesOut(_)));
                }
            }
        }
    }

    /// Whether a process is there and may go on; if it is only kept from it, the step comes later.
    fn goes_on(&mut self, process: Process, step: &Step) -> bool {
        let Process { replica, life } = process;
        if self.replicas[replica].life != life || !self.replicas[replica].up {
            return false;
        }
        if self.is_still(replica, step) {
            return false;
        }
        // A time passes without the network.
        let alone = matches!(step, Step::TimesOut(_));
        if let Some(until) = self.replicas[replica].cut_until.filter(|_| !alone) {
            self.schedule(until, step.clone());
            return false;
        }
        true
    }

    fn is_still(&mut self, replica: usize, step: &Step) -> bool {
        let Some(until) = self.replicas[replica].still_until else { return false };
        self.schedule(until, step.clone());
        true
    }

    /// Something happens in the cluster.
    fn change(&mut self, n: usize) {
        let change = &self.story.changes[n];
        if self.operator.is_none() || !self.unread.is_empty() {
            // Nobody looks.
            self.lossy = true;
            if self.dark.is_empty() {
                self.goes_dark(READ);
            }
        }
        if let Observation::Rollout(seen) = &change.what {
            self.rollouts.insert(seen.key.clone(), seen.uid.to_string());
        }
        if let Observation::Gone(Kind::Rollout, key) = &change.what {
            self.rollouts.remove(key);
            self.after(300, Step::Collect(key.clone()));
        }
        self.server.put(change.what.clone());
        self.queue_events();
    }

    /// The garbage collector takes what a Rollout owned.
    fn collect(&mut self, rollout: &Key) {
        let uid = self.rollouts.get(rollout).map(String::as_str);
        self.server.collect(rollout, uid);
        let server = &self.server;
        self.epochs.gone(Kind::RolloutAttempt, |key| !server.attempts.contains_key(key));
        self.epochs.gone(Kind::RolloutTrace, |key| server.trace(key).is_none());
        self.queue_events();
    }

    fn engine_ref(&self, r: usize) -> Option<&Engine> {
        if self.owner == Some(r) {
            self.operator.as_ref()
        } else {
            self.replicas[r].engine.as_ref()
        }
    }

    fn engine(&mut self, r: usize) -> Option<&mut Engine> {
        if self.owner == Some(r) {
            self.operator.as_mut()
        } else {
            self.replicas[r].engine.as_mut()
        }
    }

    /// Lets a replica do what it wants to do now.
    fn act(&mut self, r: usize) {
        let now = self.now;
        let Some(engine) = self.engine(r) else { return };
        let effects = engine.effects(now);
        let changes = engine.ledgers_changed();
        let due = engine.due();
        assert!(
            due.is_none_or(|due| due > now),
            "{r} has nothing to do and would not sleep: {due:?}"
        );
        if self.owner == Some(r) {
            for LedgerChange { rollout, stored } in changes {
                match stored {
                    Some((ledger, _)) => drop(self.shown.insert(rollout, ledger)),
                    None => drop(self.shown.remove(&rollout)),
                }
            }
        }
        for effect in effects {
            self.begin(r, effect);
        }
    }

    /// Whether anything may have reached it late. Another replica may have come to lead meanwhile.
    pub(crate) fn was_away(&self) -> bool {
        self.crashes > 0
    }

    /// What a process's own clock says at a time. No two clocks run alike.
    fn instant(&self, r: usize, at: Timestamp) -> Instant {
        let since = at.duration_since(self.start).unsigned_abs();
        self.clock + since * [1_000, 1_040][r] / 1_000
    }

    /// The time at which a process's clock says that.
    fn time(&self, r: usize, instant: Instant) -> Timestamp {
        let since = instant.saturating_duration_since(self.clock) * 1_000 / [1_000, 1_040][r];
        let since = SignedDuration::try_from(since).unwrap();
        // Not a moment too early.
        self.start + since + SignedDuration::from_millis(1)
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
