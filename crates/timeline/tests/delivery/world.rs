//! The operator's core, the cluster and the collector around it, and all that can go wrong in
//! between. Everything happens in steps: an observation is told, an effect is carried out, an answer
//! arrives, a time comes. At each of them the operator may crash or an answer be lost.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use timeline::attempt::Phase;
use timeline::delivery::{AttemptWritten, Sent};
use timeline::journal::Identity;
use timeline::lineage::{Effect, Options};
use timeline::observation::RolloutAttemptSeen;
use timeline::{Key, Kind, Lineage, Observation};

use crate::api_server::ApiServer;
use crate::collector::{Collector, Taste};
use crate::story::Story;

/// The kinds that the operator lists when it starts.
const KINDS: [Kind; 9] = [
    Kind::Rollout,
    Kind::ReplicaSet,
    Kind::AppVersion,
    Kind::WorkloadVersion,
    Kind::AppContext,
    Kind::RolloutTrace,
    Kind::RolloutAttempt,
    Kind::AnalysisRun,
    Kind::Experiment,
];
/// What a watch, a write and its answer take, in milliseconds.
const WATCH: i64 = 7;
const REQUEST: i64 = 31;
const ANSWER: i64 = 23;
/// Until then a new process has read all lists.
const STARTING: SignedDuration = SignedDuration::from_millis(60);
/// A story of minutes takes hundreds of steps.
const ENDLESS: usize = 200_000;

/// What goes wrong at a step, before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The operator dies, and is back after so many milliseconds.
    Crash(InFlight, u32),
    /// The effect at hand is carried out, but nobody hears of it.
    AnswerLost,
    /// The effect at hand is not carried out.
    Fails,
    /// The watch of a kind breaks, and lists anew.
    Relist(Kind),
    /// A person takes the RolloutTraces away.
    NoTraces,
    /// A person takes the RolloutAttempts away that are under way.
    NoAttempts,
}

/// What becomes of the effects that were on their way when the operator died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InFlight {
    /// None is carried out.
    Lost,
    /// All are carried out at once.
    Done,
    /// All are carried out so many milliseconds later.
    Late(u32),
    /// Every other one is carried out at once.
    Half,
}

#[derive(Debug, Clone)]
enum Step {
    Change(usize),
    List(Kind),
    Deliver(Kind),
    Commit(u64),
    Answer(u64),
    Collect(Key),
    Start,
}

/// An effect on its way, or its answer on the way back.
#[derive(Debug, Clone)]
struct Work {
    effect: Effect,
    answer: Option<Answer>,
    /// Turns of each Rollout that the operator had been told when it asked for it.
    told: BTreeMap<Key, usize>,
    /// The operator that asked for it is dead.
    orphan: bool,
    fault: Option<Fault>,
}

#[derive(Debug, Clone)]
enum Answer {
    Attempt(AttemptWritten),
    Report(bool),
    Sent(Sent, u64),
    Recalled(Vec<RolloutAttemptSeen>, bool),
}

type Lists =
    (Option<BTreeMap<Key, usize>>, Option<BTreeMap<Key, Phase>>, Option<BTreeMap<Key, usize>>);

pub(crate) struct World<'a> {
    pub(crate) now: Timestamp,
    pub(crate) server: ApiServer,
    pub(crate) collector: Collector,
    pub(crate) operator: Option<Lineage>,
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
    pub(crate) rollouts: BTreeMap<Key, String>,
    /// Turns of each Rollout that happened, that the operator knows, and that are stored.
    happened: BTreeMap<Key, usize>,
    told: BTreeMap<Key, usize>,
    saved: BTreeMap<Key, usize>,
    pub(crate) crashes: usize,
    /// More than one turn of the Rollouts of these UIDs was forgotten or never told.
    pub(crate) dropped: BTreeSet<String>,
    /// What a process that starts has read so far: RolloutTraces, RolloutAttempts, Rollouts.
    lists: Option<Lists>,
    /// The operator knew more than was stored when it died, or did not see every version.
    pub(crate) lossy: bool,
    /// A person took RolloutTraces away, and with them what was long ago.
    pub(crate) forgot: bool,
    /// A person took RolloutAttempts away.
    pub(crate) taken: bool,
    /// How long it was away, in milliseconds.
    away: u32,
    /// The most journals that the operator held at one time.
    pub(crate) most_held: usize,
    /// Tells each step to a person.
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
            rollouts: BTreeMap::new(),
            happened: BTreeMap::new(),
            told: BTreeMap::new(),
            saved: BTreeMap::new(),
            crashes: 0,
            dropped: BTreeSet::new(),
            lists: None,
            lossy: false,
            forgot: false,
            taken: false,
            away: 0,
            most_held: 0,
            prints: false,
        };
        world.start();
        for (n, change) in story.changes.iter().enumerate() {
            // After the operator has started.
            world.schedule(change.at + SignedDuration::from_secs(1), Step::Change(n));
        }
        world
    }

    /// Makes all steps until nothing is left to do.
    pub(crate) fn run(mut self) -> Self {
        while self.next() {
            assert!(self.steps < ENDLESS, "it never comes to rest");
        }
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
        let due = self.operator.as_ref().and_then(Lineage::due);
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
            _ if self.operator.is_none() && !matches!(step, Step::Commit(_)) => {}
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
            self.rollouts.insert(seen.key.clone(), seen.uid.clone());
            self.happened.insert(seen.key.clone(), change.turns);
        }
        if let Observation::Gone(Kind::Rollout, key) = &change.what {
            self.rollouts.remove(key);
            self.happened.insert(key.clone(), change.turns);
            self.after(300, Step::Collect(key.clone()));
        }
        let kind = self.server.put(change.what.clone());
        self.after(WATCH, Step::Deliver(kind));
    }

    /// The garbage collector takes what a Rollout owned.
    fn collect(&mut self, rollout: &Key) {
        let uid = self.rollouts.get(rollout).map(String::as_str);
        let before = self.server.count();
        self.server.collect(rollout, uid);
        if self.server.trace(rollout).is_none() {
            self.saved.remove(rollout);
        }
        for (kind, count) in self.server.since(&before) {
            for _ in 0..count {
                self.after(WATCH, Step::Deliver(kind));
            }
        }
    }

    fn start(&mut self) {
        let options = Options { observe_only: true, export: true };
        self.operator = Some(Lineage::new(options));
        self.started = self.now;
        self.lists = Some((None, None, None));
        self.pods_watched.clear();
        self.server.disconnect();
        for (n, kind) in (0..).zip(KINDS) {
            // Not in the same order each time.
            let place = (n * 5 + i64::try_from(self.crashes).unwrap() * 2) % 9;
            self.after(place * 3, Step::List(kind));
        }
        self.note(|| "starts".to_owned());
    }

    /// Whether a fault takes the place of the step at hand.
    fn goes_wrong(&mut self, work: Option<u64>) -> bool {
        self.steps += 1;
        let Some(fault) = self.faults.remove(&self.steps) else {
            return false;
        };
        self.note(|| format!("{fault:?}"));
        match fault {
            Fault::Crash(in_flight, down) => {
                self.crash(in_flight, down);
                return true;
            }
            Fault::AnswerLost | Fault::Fails => {
                if let Some(work) = work.and_then(|n| self.work.get_mut(&n)) {
                    work.fault = Some(fault);
                }
            }
            Fault::Relist(kind) => {
                self.lossy |= kind == Kind::Rollout;
                self.after(0, Step::List(kind));
            }
            Fault::NoTraces => {
                self.forgot = true;
                for key in self.rollouts.keys().cloned().collect::<Vec<_>>() {
                    if self.server.forget(&key) {
                        self.after(WATCH, Step::Deliver(Kind::RolloutTrace));
                    }
                    self.saved.remove(&key);
                }
            }
            Fault::NoAttempts => {
                self.taken = true;
                for key in self.server.attempts.keys().cloned().collect::<Vec<_>>() {
                    if self.server.remove(&key) {
                        self.after(WATCH, Step::Deliver(Kind::RolloutAttempt));
                    }
                }
            }
        }
        false
    }

    fn crash(&mut self, in_flight: InFlight, down: u32) {
        self.crashes += 1;
        self.away += down;
        let open = self.work.iter().filter(|(_, work)| work.answer.is_none() && !work.orphan);
        let open: Vec<u64> = open.map(|(n, _)| *n).collect();
        self.work.retain(|_, work| work.answer.is_none());
        self.work.values_mut().for_each(|work| work.orphan = true);
        self.lossy |= !self.is_stored();
        self.operator = None;
        for (place, n) in open.into_iter().enumerate() {
            match in_flight {
                InFlight::Done => self.commit(n),
                InFlight::Half if place % 2 == 0 => self.commit(n),
                InFlight::Lost | InFlight::Half => drop(self.work.remove(&n)),
                InFlight::Late(late) => self.after(late.into(), Step::Commit(n)),
            }
        }
        self.told = self.saved.clone();
        self.queue.retain(|_, step| !matches!(step, Step::Start | Step::List(_)));
        self.after(i64::from(down) + 1, Step::Start);
    }

    /// Whether a new process would know all that this one knows.
    fn is_stored(&self) -> bool {
        let Some(operator) = &self.operator else {
            return true;
        };
        let stored = |key: &Key| self.server.attempts.get(key).map(|stored| &stored.journal);
        let known = self.told == self.saved;
        let journals = self.story.truth.iter().map(|tried| attempt_key(&tried.identity));
        known
            && self.server.is_quiet()
            && journals.into_iter().all(|key| {
                operator.journal(&key).is_none_or(|journal| {
                    stored(&key).is_some_and(|stored| {
                        let mut journal = journal.clone();
                        journal.exported = stored.exported.clone();
                        journal == *stored
                    })
                })
            })
    }

    /// A list is read. A new process knows what is stored, at the time when it reads it.
    fn reads(&mut self, kind: Kind) {
        let Some(lists) = &mut self.lists else {
            if kind == Kind::Rollout {
                let (told, happened) = (self.told.clone(), self.happened.clone());
                self.miss(&told, &outcomes(&self.server), &happened);
            }
            return;
        };
        match kind {
            Kind::RolloutTrace => lists.0 = Some(self.saved.clone()),
            Kind::RolloutAttempt => lists.1 = Some(outcomes(&self.server)),
            Kind::Rollout => lists.2 = Some(self.happened.clone()),
            _ => return,
        }
        if let Some((Some(saved), Some(outcomes), Some(happened))) = self.lists.clone() {
            self.lists = None;
            self.miss(&saved, &outcomes, &happened);
        }
    }

    /// Of each Rollout, one turn that was neither told nor stored is found out from how things are.
    /// More are lost, and so is what a Rollout that is gone did last.
    fn miss(
        &mut self,
        known: &BTreeMap<Key, usize>,
        outcomes: &BTreeMap<Key, Phase>,
        happened: &BTreeMap<Key, usize>,
    ) {
        let mut unknown: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for tried in &self.story.truth {
            let identity = &tried.identity;
            let told = |turn: usize| {
                let happened = happened.get(&identity.rollout).is_some_and(|it| turn <= *it);
                !happened || known.get(&identity.rollout).is_some_and(|it| turn <= *it)
            };
            let stored = outcomes.get(&attempt_key(identity));
            let gone = self.rollouts.get(&identity.rollout) != Some(&identity.rollout_uid);
            let began = told(tried.turns.0) || stored.is_some();
            let ended = tried.turns.1.is_none_or(told)
                || stored == Some(&tried.outcome)
                || (gone && tried.outcome == Phase::Deleted);
            let turns = [(began, Some(tried.turns.0)), (ended, tried.turns.1)];
            let turns = turns.into_iter().filter(|(known, _)| !known).filter_map(|(_, turn)| turn);
            let unknown = unknown.entry(identity.rollout_uid.as_str()).or_default();
            unknown.extend(turns);
            if unknown.len() > 1 || (gone && !unknown.is_empty()) {
                self.dropped.insert(identity.rollout_uid.clone());
            }
        }
    }

    /// The operator is told the next event of a kind.
    fn deliver(&mut self, kind: Kind) {
        let Some(observation) = self.server.next_event(kind) else {
            return;
        };
        match &observation {
            Observation::Listing(kind) => self.reads(*kind),
            Observation::Listed(Kind::Rollout, _) => self.told = self.happened.clone(),
            Observation::Rollout(seen) => self.knows(&seen.key.clone(), true),
            Observation::Gone(Kind::Rollout, key) => self.knows(&key.clone(), false),
            Observation::Pod(pod) => {
                let watched = self.pods_watched.iter().any(|(rollout, hash)| {
                    pod.key.name.starts_with(&format!("{}-{hash}-", rollout.name))
                });
                if !watched {
                    return;
                }
            }
            _ => {}
        }
        self.note(|| format!("is told {}", described(&observation)));
        let now = self.now;
        if let Some(operator) = &mut self.operator {
            operator.observe(observation, now);
        }
        self.act();
    }

    /// A version of the Rollout is told: it is the one after those that wait still.
    fn knows(&mut self, rollout: &Key, _exists: bool) {
        // Versions are told one by one, so the last change up to now that is not waiting.
        let waiting = self
            .server
            .waiting(Kind::Rollout)
            .filter(|waiting| match waiting {
                Observation::Rollout(seen) => seen.key == *rollout,
                Observation::Gone(_, key) => key == rollout,
                _ => false,
            })
            .count();
        let until = self.now - SignedDuration::from_secs(1);
        let of_rollout = self.story.changes.iter().filter(|change| match &change.what {
            Observation::Rollout(seen) => seen.key == *rollout,
            Observation::Gone(Kind::Rollout, key) => key == rollout,
            _ => false,
        });
        let happened: Vec<usize> =
            of_rollout.filter(|change| change.at <= until).map(|change| change.turns).collect();
        if let Some(told) = happened.len().checked_sub(waiting + 1).map(|at| happened[at]) {
            let known = self.told.entry(rollout.clone()).or_default();
            *known = (*known).max(told);
        }
    }

    /// Lets the operator do what it wants to do now.
    fn act(&mut self) {
        let Some(operator) = &mut self.operator else {
            return;
        };
        let effects = operator.effects(self.now);
        let due = operator.due();
        assert!(
            due.is_none_or(|due| due > self.now),
            "nothing is left to do at {}, but the operator would not sleep: {due:?}",
            self.now
        );
        self.most_held = self.most_held.max(operator.delivery().0);
        for effect in effects {
            self.note(|| format!("wants {}", wanted(&effect)));
            match effect {
                Effect::WatchPods(rollout, hash) => {
                    self.pods_watched.insert(rollout, hash);
                    for _ in 0..self.server.list_pods() {
                        self.after(WATCH, Step::Deliver(Kind::Pod));
                    }
                }
                Effect::LeavePods(rollout) => drop(self.pods_watched.remove(&rollout)),
                effect => {
                    self.must_be_the_only_one(&effect);
                    self.count += 1;
                    let (n, told) = (self.count, self.told.clone());
                    let work = Work { effect, answer: None, told, orphan: false, fault: None };
                    self.work.insert(n, work);
                    self.after(REQUEST, Step::Commit(n));
                }
            }
        }
    }

    fn must_be_the_only_one(&self, effect: &Effect) {
        let same = |other: &Effect| match (effect, other) {
            (Effect::WriteAttempt(a, _), Effect::WriteAttempt(b, _))
            | (Effect::WriteReport(a, _), Effect::WriteReport(b, _))
            | (Effect::Send(a, _), Effect::Send(b, _)) => a == b,
            (Effect::Recall(_), Effect::Recall(_)) => true,
            _ => false,
        };
        let twice = self.work.values().any(|work| !work.orphan && same(&work.effect));
        assert!(!twice, "asked for twice: {}", wanted(effect));
    }

    /// An effect arrives where it shall be carried out.
    fn commit(&mut self, n: u64) {
        let Some(mut work) = self.work.remove(&n) else {
            return;
        };
        let fails = work.fault == Some(Fault::Fails);
        let lost = work.fault == Some(Fault::AnswerLost);
        let answer = if fails { None } else { self.carry_out(&work) };
        self.note(|| format!("{}: {}", wanted(&work.effect), told_of(answer.as_ref())));
        work.answer = match (&work.effect, answer) {
            (Effect::WriteAttempt(..), _) if lost || fails => {
                Some(Answer::Attempt(AttemptWritten::Failed))
            }
            (Effect::WriteReport(..), _) if lost || fails => Some(Answer::Report(false)),
            (Effect::Send(..), _) if lost || fails => Some(Answer::Sent(Sent::Later(None), 0)),
            (Effect::Recall(_), None) => Some(Answer::Recalled(Vec::new(), true)),
            (_, answer) => answer,
        };
        if !work.orphan && work.answer.is_some() {
            self.work.insert(n, work);
            self.after(ANSWER, Step::Answer(n));
        }
    }

    fn carry_out(&mut self, work: &Work) -> Option<Answer> {
        let before = self.server.count();
        let answer = match &work.effect {
            Effect::WriteAttempt(key, write) => {
                Some(Answer::Attempt(self.server.store(key, write)))
            }
            Effect::WriteReport(key, write) => {
                let stored = self.server.report(key, write);
                if stored && self.rollouts.get(key) == Some(&write.report.rollout_uid) {
                    let told = work.told.get(key).copied().unwrap_or_default();
                    self.saved.insert(key.clone(), told);
                }
                Some(Answer::Report(stored))
            }
            Effect::Send(key, batch) => {
                let stored = self.server.ever.get(key).map(|stored| &stored.journal);
                let sent = self.collector.take(key, batch, stored, self.now);
                Some(Answer::Sent(sent, batch.spans.len() as u64))
            }
            Effect::Recall(limit) => {
                let (found, more) = self.server.recall(*limit);
                Some(Answer::Recalled(found, more))
            }
            Effect::Prune(identity, keep) => {
                self.server.prune(identity, *keep);
                None
            }
            other => panic!("the model does not know {other:?}"),
        };
        for (kind, count) in self.server.since(&before) {
            for _ in 0..count {
                self.after(WATCH, Step::Deliver(kind));
            }
        }
        if let Effect::WriteAttempt(_, write) = &work.effect {
            self.after(300, Step::Collect(write.journal.identity.rollout.clone()));
        }
        if let Effect::WriteReport(key, _) = &work.effect {
            self.after(300, Step::Collect(key.clone()));
        }
        answer
    }

    /// An answer arrives at the operator.
    fn answer(&mut self, n: u64) {
        let Some(Work { effect, answer: Some(answer), .. }) = self.work.remove(&n) else {
            return;
        };
        self.note(|| format!("hears of {}: {}", wanted(&effect), told_of(Some(&answer))));
        let now = self.now;
        let Some(operator) = &mut self.operator else {
            return;
        };
        match (effect, answer) {
            (Effect::WriteAttempt(key, _), Answer::Attempt(written)) => {
                operator.attempt_written(&key, written, now);
            }
            (Effect::WriteReport(key, _), Answer::Report(stored)) => {
                operator.reported(&key, stored, now);
            }
            (Effect::Send(key, _), Answer::Sent(sent, spans)) => {
                let jitter = u32::try_from(n * 37 % 1001).unwrap();
                operator.sent(&key, &sent, spans, jitter, now);
            }
            (Effect::Recall(_), Answer::Recalled(found, more)) => {
                for seen in found {
                    operator.observe(Observation::RolloutAttempt(Box::new(seen)), now);
                }
                operator.recalled(more);
            }
            (effect, answer) => panic!("{answer:?} is no answer to {effect:?}"),
        }
        self.act();
    }

    pub(crate) fn was_away(&self) -> bool {
        self.away > 0
    }

    pub(crate) fn was_long_away(&self) -> bool {
        self.away > 5_000
    }

    fn note(&self, what: impl FnOnce() -> String) {
        if self.prints {
            eprintln!("{:4} {} {}", self.steps, self.now, what());
        }
    }
}

pub(crate) fn attempt_key(identity: &Identity) -> Key {
    Key::new(&identity.rollout.namespace, identity.name())
}

/// What is stored of the attempts.
fn outcomes(server: &ApiServer) -> BTreeMap<Key, Phase> {
    let stored = server.ever.iter();
    stored.map(|(key, stored)| (key.clone(), stored.journal.phase)).collect()
}

/// In short, for a person.
fn described(observation: &Observation) -> String {
    match observation {
        Observation::Rollout(seen) => {
            let progress = &seen.progress;
            let (current, stable) = (&seen.current_hash, &seen.stable_hash);
            let (step, pauses) = (progress.step, progress.pauses.len());
            let (abort, healthy) = (seen.abort, seen.healthy);
            format!(
                "Rollout {} {:?}: {current:?} over {stable:?}, step {step:?}, {pauses} pauses, \
                 abort {abort}, healthy {healthy}",
                seen.key, seen.revision
            )
        }
        Observation::RolloutAttempt(seen) => format!("RolloutAttempt {}", seen.key),
        Observation::RolloutTrace(seen) => format!("RolloutTrace {}", seen.key),
        Observation::Listing(kind) => format!("Listing {kind:?}"),
        Observation::Listed(kind, keys) => format!("Listed {kind:?} {}", keys.len()),
        other => format!("{other:?}").chars().take(120).collect(),
    }
}

fn wanted(effect: &Effect) -> String {
    match effect {
        Effect::WriteAttempt(key, write) => {
            let journal = &write.journal;
            format!(
                "WriteAttempt {key} on {:?} as {:?}: {:?}, {} closed, {} sent",
                write.resource_version,
                write.stage,
                journal.phase,
                journal.closed,
                journal.exported.until
            )
        }
        Effect::WriteReport(key, write) => {
            let attempts = write.report.attempts.iter();
            let attempts: Vec<_> = attempts
                .map(|it| format!("{}#{} {} {}", it.revision, it.number, it.hash, it.phase))
                .collect();
            format!("WriteReport {key}: {attempts:?}")
        }
        Effect::Send(key, batch) => {
            let spans: Vec<_> =
                batch.spans.iter().map(|span| format!("{} {}", span.closed, span.name)).collect();
            format!("Send {key}: {spans:?}")
        }
        other => format!("{other:?}"),
    }
}

fn told_of(answer: Option<&Answer>) -> String {
    match answer {
        Some(Answer::Attempt(AttemptWritten::Conflict(seen))) => {
            format!("Conflict with {}", seen.resource_version)
        }
        other => format!("{other:?}").chars().take(120).collect(),
    }
}
