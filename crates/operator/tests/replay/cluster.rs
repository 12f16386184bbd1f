//! A cluster that holds what was recorded so far, stores what the core wants stored, and a
//! collector that takes every span.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use api::{RolloutTrace, RolloutTraceSpec};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use operator::observe::Observed;
use operator::{journal, report};
use serde::Serialize;
use serde::de::DeserializeOwned;
use timeline::engine::{Effect, Options, ReportWritten};
use timeline::journal::Journal;
use timeline::keptn::app_context::{ContextWrite, ContextWritten};
use timeline::outbox::{AttemptWrite, AttemptWritten, Sent, Stage};
use timeline::seen::AppContextSeen;
use timeline::spans::Span;
use timeline::stored::Report;
use timeline::{Engine, Key, Kind, Observation};

use crate::recording::{Event, recording};

/// Until all that can be decided about an attempt is decided.
const AFTERWARDS: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Once,
    Twice,
    AsLists,
    WithRestarts,
}

/// A recording replayed as it was, once for all tests.
pub(crate) fn live(name: &str) -> Arc<Replay> {
    static LIVE: Mutex<BTreeMap<String, Arc<Replay>>> = Mutex::new(BTreeMap::new());
    let mut replays = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let replay = || Arc::new(Replay::of(name, How::Once));
    replays.entry(name.to_owned()).or_insert_with(replay).clone()
}

pub(crate) struct Replay {
    pub(crate) engine: Engine,
    pub(crate) objects: BTreeMap<(Kind, Key), Event>,
    pub(crate) contexts: BTreeMap<Key, AppContextSeen>,
    /// What is stored, and the UID of its owner.
    pub(crate) traces: BTreeMap<Key, (Report, Option<String>)>,
    pub(crate) attempts: BTreeMap<Key, Stored>,
    /// The pod-template-hash whose pods are watched, by Rollout.
    pods_of: BTreeMap<Key, String>,
    version: u64,
    /// Objects of ours that somebody has changed: a process that starts finds these.
    pub(crate) forged: BTreeMap<(Kind, Key), Option<Observation>>,
    /// The namespace is being deleted: what is made in it is refused. How often that was tried.
    pub(crate) terminating: Option<usize>,
}

/// A RolloutAttempt, and what became of it.
pub(crate) struct Stored {
    version: u64,
    stage: Stage,
    pub(crate) journal: Journal,
    pub(crate) writes: usize,
    /// What the collector took, in the order in which it came.
    pub(crate) sent: Vec<Span>,
}

impl Replay {
    /// A cluster without anything in it, and an owner that has looked at it.
    pub(crate) fn new() -> Self {
        let mut replay = Self {
            engine: Engine::default(),
            objects: BTreeMap::new(),
            contexts: BTreeMap::new(),
            traces: BTreeMap::new(),
            attempts: BTreeMap::new(),
            pods_of: BTreeMap::new(),
            version: 0,
            forged: BTreeMap::new(),
            terminating: None,
        };
        replay.start(Timestamp::UNIX_EPOCH);
        replay
    }

    pub(crate) fn of(name: &str, how: How) -> Self {
        let mut replay = Self::new();
        let events = recording(name);
        for event in events.iter() {
            replay.wait(event.at);
            replay.put(event);
            match how {
                How::Once => replay.deliver(event),
                How::Twice => {
                    replay.deliver(event);
                    replay.deliver(event);
                }
                How::AsLists => replay.list(event.at),
                How::WithRestarts => replay.start(event.at),
            }
            replay.act(event.at);
        }
        replay.end(&events)
    }

    /// The next event, as the watch brings it.
    pub(crate) fn play(&mut self, event: &Event) {
        self.wait(event.at);
        self.put(event);
        self.deliver(event);
        self.act(event.at);
    }

    /// A process that has seen nothing yet, and lists all that there is.
    pub(crate) fn start(&mut self, at: Timestamp) {
        self.engine = Engine::new(Options { export: true, ..Options::default() });
        self.pods_of.clear();
        self.list(at);
    }

    /// Changes the cluster; no watch brings it.
    pub(crate) fn put(&mut self, event: &Event) {
        let key = (event.kind, event.key.clone());
        if event.deleted {
            self.objects.remove(&key);
        } else {
            self.objects.insert(key, event.clone());
        }
    }

    pub(crate) fn deliver(&mut self, event: &Event) {
        let watched = event.kind != Kind::Pod
            || self.pods_of.values().any(|hash| event.hash.as_ref() == Some(hash));
        let observation = if event.deleted {
            Some(Observation::Gone(event.kind, event.key.clone()))
        } else {
            event.observation.clone()
        };
        if let Some(observation) = observation.filter(|_| watched) {
            self.engine.observe(observation, event.at);
        }
    }

    /// Delivers all that is there, as the first list of each watch does.
    pub(crate) fn list(&mut self, at: Timestamp) {
        for kind in Kind::ALL {
            self.list_kind(kind, at);
        }
        for hash in self.pods_of.values().cloned().collect::<Vec<_>>() {
            self.deliver_pods(&hash, at);
        }
    }

    pub(crate) fn list_kind(&mut self, kind: Kind, at: Timestamp) {
        let all: Vec<(Key, Option<Observation>)> = match kind {
            Kind::AppContext => {
                let seen = |(key, seen): (&Key, &AppContextSeen)| {
                    (key.clone(), Some(Observation::AppContext(seen.clone())))
                };
                self.contexts.iter().map(seen).collect()
            }
            Kind::RolloutTrace => {
                let seen = |(key, (report, owner)): (&Key, &(Report, Option<String>))| {
                    (key.clone(), stored(trace(key, report, owner.as_deref())).observe())
                };
                self.traces.iter().map(seen).collect()
            }
            Kind::RolloutAttempt => {
                let open = self.attempts.iter().filter(|(_, stored)| stored.stage != Stage::Done);
                open.map(|(key, stored)| (key.clone(), stored.read())).collect()
            }
            _ => {
                let of_kind = self.objects.values().filter(|event| event.kind == kind);
                of_kind.map(|event| (event.key.clone(), event.observation.clone())).collect()
            }
        };
        self.engine.observe(Observation::Listing(kind), at);
        let present: BTreeSet<Key> = all.iter().map(|(key, _)| key.clone()).collect();
        let found = all.into_iter().filter_map(|(key, observation)| {
            self.forged.get(&(kind, key)).cloned().unwrap_or(observation)
        });
        for observation in found.collect::<Vec<_>>() {
            self.engine.observe(observation, at);
        }
        self.engine.observe(Observation::Listed(kind, present), at);
    }

    fn deliver_pods(&mut self, hash: &str, at: Timestamp) {
        let of_set =
            |event: &&Event| event.kind == Kind::Pod && event.hash.as_deref() == Some(hash);
        for pod in self.objects.values().filter(of_set) {
            if let Some(observation) = pod.observation.clone() {
                self.engine.observe(observation, at);
            }
        }
    }

    /// Lets time pass; what is due meanwhile is done.
    pub(crate) fn wait(&mut self, until: Timestamp) {
        while let Some(due) = self.engine.due().filter(|due| *due < until) {
            self.act(due);
        }
    }

    /// Waits until nothing more follows from these events.
    pub(crate) fn end(mut self, events: &[Event]) -> Self {
        self.wait(events.last().unwrap().at + AFTERWARDS);
        self
    }

    pub(crate) fn act(&mut self, now: Timestamp) {
        loop {
            let effects = self.engine.effects(now);
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.bring_about(effect, now);
            }
        }
    }

    fn bring_about(&mut self, effect: Effect, now: Timestamp) {
        match effect {
            Effect::WriteContext(key, write) => {
                self.version += 1;
                let (ContextWrite::Create(links) | ContextWrite::Patch { links, .. }) = write;
                let seen = AppContextSeen {
                    key: key.clone(),
                    resource_version: self.version.to_string(),
                    span_links: links.all,
                    ours: links.ours,
                };
                self.contexts.insert(key.clone(), seen.clone());
                self.engine.written(&key, ContextWritten::Stored(seen), now);
            }
            Effect::WriteReport(key, write) if self.refuses(write.create) => {
                self.engine.reported(&key, ReportWritten::NamespaceGone, now);
            }
            Effect::WriteReport(key, write) => {
                let trace = trace(&key, &write.report, write.owner.as_deref());
                self.traces
                    .insert(key.clone(), (write.report, write.owner.map(|it| it.to_string())));
                self.engine.reported(&key, true, now);
                self.engine.observe(trace.observe().unwrap(), now);
            }
            Effect::WriteAttempt(key, write) => {
                let answer = self.store(&key, *write);
                self.engine.attempt_written(&key, answer, now);
            }
            Effect::Send(key, batch) => {
                let spans = batch.spans.len() as u64;
                self.attempts.get_mut(&key).unwrap().sent.extend(batch.spans);
                self.engine.sent(&key, &Sent::Acknowledged, spans, 0, now);
            }
            Effect::WatchPods(rollout, hash) => {
                self.pods_of.insert(rollout, hash.to_string());
                self.deliver_pods(&hash, now);
            }
            Effect::LeavePods(rollout) => {
                self.pods_of.remove(&rollout);
            }
            // The collector is never away, and nothing is old enough to be removed.
            Effect::Recall(..) => unreachable!(),
            // No Event was recorded, and an attempt stays.
            Effect::Prune(..) | Effect::ReadEvents(..) => {}
            Effect::ReadAttempts(key, uid) => {
                let stored = self.attempts.values().map(|stored| &stored.journal);
                let left = stored.filter(|journal| journal.identity.rollout_uid == uid).cloned();
                self.engine.attempts_read(&key, &uid, Some(left.collect()), now);
            }
        }
    }

    fn refuses(&mut self, create: bool) -> bool {
        match &mut self.terminating {
            Some(tries) if create => {
                *tries += 1;
                true
            }
            _ => false,
        }
    }

    /// Stores an attempt if nobody has changed it since, as the API server does.
    fn store(&mut self, key: &Key, write: AttemptWrite) -> AttemptWritten {
        if self.refuses(write.resource_version.is_none()) {
            return AttemptWritten::NamespaceGone;
        }
        let stored = self.attempts.get(key);
        let there = stored.map(|stored| stored.version.to_string());
        if there != write.resource_version {
            return match stored.and_then(Stored::read) {
                Some(Observation::RolloutAttempt(seen)) => AttemptWritten::Conflict(seen),
                _ => AttemptWritten::Missing,
            };
        }
        self.version += 1;
        let (writes, sent) = match self.attempts.remove(key) {
            Some(stored) => {
                assert!(write.journal.continues(&stored.journal), "{key} goes back on its word");
                (stored.writes, stored.sent)
            }
            None => (0, Vec::new()),
        };
        let AttemptWrite { stage, journal, .. } = write;
        let version = self.version;
        let stored = Stored { version, stage, journal, writes: writes + 1, sent };
        self.attempts.insert(key.clone(), stored);
        AttemptWritten::Stored(version.to_string())
    }

    /// The journals of a Rollout, oldest first.
    pub(crate) fn journals(&self, rollout: &str) -> Vec<&Journal> {
        let stored = self.attempts.values().map(|stored| &stored.journal);
        let mut journals: Vec<_> =
            stored.filter(|journal| journal.identity.rollout.name == rollout).collect();
        journals.sort_by_key(|journal| (journal.identity.revision, journal.identity.number));
        journals
    }
}

impl Stored {
    /// As the next process finds it.
    fn read(&self) -> Option<Observation> {
        let mut object = journal::object(&self.journal);
        object.metadata.resource_version = Some(self.version.to_string());
        stored(object).observe()
    }
}

fn trace(key: &Key, report: &Report, owner: Option<&str>) -> RolloutTrace {
    let mut trace = RolloutTrace::new(&key.name, RolloutTraceSpec::default());
    trace.metadata.namespace = Some(key.namespace.to_string());
    trace.metadata.owner_references =
        owner.map(|uid| vec![OwnerReference { uid: uid.to_owned(), ..OwnerReference::default() }]);
    trace.status = Some(report::status(report));
    trace
}

/// Through JSON, as the API server stores it.
fn stored<K: Serialize + DeserializeOwned>(object: K) -> K {
    serde_json::from_value(serde_json::to_value(object).unwrap()).unwrap()
}
