//! The core with everything around it played: an API server that stores all and a collector that
//! takes all, each after ten milliseconds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use api::argo::{AnalysisRun, ReplicaSet, Rollout};
use api::keptn::{KeptnAppVersion, KeptnWorkloadVersion};
use jiff::{SignedDuration, Timestamp};
use operator::observe::Decoded;
use timeline::engine::{Effect, Options, ReportWrite};
use timeline::journal::Journal;
use timeline::keptn::app_context::{ContextWrite, ContextWritten};
use timeline::outbox::{AttemptWritten, Sent};
use timeline::seen::{AppContextSeen, Unavailable};
use timeline::stored::{RolloutTraceSeen, Settings};
use timeline::{Engine, Key, Kind, Observation};

use super::story::Event;

const ANSWER: SignedDuration = SignedDuration::from_millis(10);

/// The core, and the answers that are on their way to it.
pub(super) struct Model {
    pub(super) engine: Engine,
    pub(super) writes: Writes,
    /// The last journal of each attempt, if they are kept.
    pub(super) journals: Option<BTreeMap<Key, Journal>>,
    /// The last RolloutTraces, if journals are kept.
    pub(super) reports: BTreeMap<Key, ReportWrite>,
    /// The KeptnAppContexts, if journals are kept.
    pub(super) contexts: BTreeMap<Key, AppContextSeen>,
    answers: VecDeque<(Timestamp, Answer)>,
    version: u64,
    now: Timestamp,
}

/// Writes that were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Writes {
    /// RolloutAttempts.
    pub(super) attempts: u32,
    /// RolloutTraces.
    pub(super) reports: u32,
    /// KeptnAppContexts.
    pub(super) contexts: u32,
}

enum Answer {
    Context(AppContextSeen),
    Report(Key, String),
    Attempt(Key),
    Sent(Key, u64),
    Read(Key, String),
}

impl Model {
    /// An operator that has just started in an empty cluster, with or without Keptn.
    pub(super) fn new(keptn: bool, now: Timestamp) -> Self {
        let mut engine = Engine::new(Options { export: true, ..Options::default() });
        for kind in Kind::ALL {
            let first = match kind {
                Kind::AppVersion | Kind::WorkloadVersion | Kind::AppContext if !keptn => {
                    Observation::Unavailable(kind, Unavailable::NotInstalled)
                }
                _ => Observation::Listed(kind, BTreeSet::new()),
            };
            engine.observe(first, now);
        }
        Self {
            engine,
            writes: Writes::default(),
            journals: None,
            reports: BTreeMap::new(),
            contexts: BTreeMap::new(),
            answers: VecDeque::new(),
            version: 0,
            now,
        }
    }

    /// Outbox and reports are kept, to be looked at.
    pub(super) fn keeping(mut self) -> Self {
        self.journals = Some(BTreeMap::new());
        self
    }

    /// The time that it has come to.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// All that is to come before an event, then the event, as the operator's one task does it.
    pub(super) fn observe(&mut self, observation: Observation, at: Timestamp) {
        self.wait(at);
        self.engine.observe(observation, at);
        self.act(at);
    }

    /// Lets time pass; what is due meanwhile is done.
    pub(super) fn wait(&mut self, until: Timestamp) {
        loop {
            let answer = self.answers.front().map(|(at, _)| *at);
            let next = [answer, self.engine.due()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            let again = next <= self.now;
            self.now = self.now.max(next);
            let mut moved = false;
            while let Some((_, answer)) = self.answers.pop_front_if(|(at, _)| *at <= self.now) {
                self.answer(answer);
                moved = true;
            }
            moved |= self.act(self.now);
            if again && !moved {
                break;
            }
        }
        self.now = self.now.max(until);
    }

    /// Does what is to be done now; says whether anything was.
    pub(super) fn act(&mut self, now: Timestamp) -> bool {
        let effects = self.engine.effects(now);
        // As the operator does, which serves their figures and answers admission.
        self.engine.ledgers_changed();
        self.engine.published();
        let any = !effects.is_empty();
        for effect in effects {
            if let Some(answer) = self.begin(effect) {
                self.answers.push_back((now + ANSWER, answer));
            }
        }
        any
    }

    fn begin(&mut self, effect: Effect) -> Option<Answer> {
        match effect {
            Effect::WriteContext(key, write) => {
                self.writes.contexts += 1;
                self.version += 1;
                let (ContextWrite::Create(links) | ContextWrite::Patch { links, .. }) = write;
                let seen = AppContextSeen {
                    key,
                    resource_version: self.version.to_string(),
                    span_links: links.all,
                    ours: links.ours,
                };
                if self.journals.is_some() {
                    self.contexts.insert(seen.key.clone(), seen.clone());
                }
                Some(Answer::Context(seen))
            }
            Effect::WriteReport(key, write) => {
                self.writes.reports += 1;
                let owner = write.owner.clone().unwrap_or_default();
                if self.journals.is_some() {
                    self.reports.insert(key.clone(), *write);
                }
                Some(Answer::Report(key, owner.to_string()))
            }
            Effect::WriteAttempt(key, write) => {
                self.writes.attempts += 1;
                if let Some(journals) = &mut self.journals {
                    journals.insert(key.clone(), write.journal);
                }
                Some(Answer::Attempt(key))
            }
            Effect::Send(key, batch) => Some(Answer::Sent(key, batch.spans.len() as u64)),
            Effect::ReadAttempts(key, uid) => Some(Answer::Read(key, uid.to_string())),
            Effect::Recall(..)
            | Effect::Prune(..)
            | Effect::ReadEvents(..)
            | Effect::WatchPods(..)
            | Effect::LeavePods(_) => None,
        }
    }

    fn answer(&mut self, answer: Answer) {
        let now = self.now;
        match answer {
            Answer::Context(seen) => {
                let key = seen.key.clone();
                self.engine.written(&key, ContextWritten::Stored(seen), now);
            }
            Answer::Report(key, owner) => {
                self.engine.reported(&key, true, now);
                // The watch brings it back.
                let seen = RolloutTraceSeen {
                    key,
                    generation: Some(1),
                    owners: vec![owner.into()],
                    settings: Settings::default(),
                    stored: None,
                };
                self.engine.observe(Observation::RolloutTrace(Box::new(seen)), now);
            }
            // The cluster was empty when it started.
            Answer::Read(key, uid) => {
                self.engine.attempts_read(&key, &uid, Some(Vec::new()), now);
            }
            Answer::Attempt(key) => {
                self.version += 1;
                let stored = AttemptWritten::Stored(self.version.to_string());
                self.engine.attempt_written(&key, stored, now);
            }
            Answer::Sent(key, spans) => {
                self.engine.sent(&key, &Sent::Acknowledged, spans, 0, now);
            }
        }
    }
}

/// Reads an object as the operator's watches do; none if it is not as they expect it.
pub(super) fn read(kind: Kind, text: &str) -> Option<Observation> {
    fn of<K: Decoded>(text: &str) -> Option<Observation> {
        operator::observe::read::<K>(text, |_| {}).ok()?
    }
    match kind {
        Kind::Rollout => of::<Rollout>(text),
        Kind::ReplicaSet => of::<ReplicaSet>(text),
        Kind::AppVersion => of::<KeptnAppVersion>(text),
        Kind::WorkloadVersion => of::<KeptnWorkloadVersion>(text),
        Kind::AnalysisRun => of::<AnalysisRun>(text),
        Kind::RolloutTrace => of::<api::RolloutTrace>(text),
        Kind::AppContext => of::<api::keptn::KeptnAppContext>(text),
        _ => None,
    }
}

/// A story as it is observed of Rollout `number`.
pub(super) fn observed(
    story: &[Event],
    number: usize,
) -> impl Iterator<Item = (Timestamp, Observation)> {
    story.iter().filter_map(move |event| Some((event.at, read(event.kind, &event.of(number))?)))
}
