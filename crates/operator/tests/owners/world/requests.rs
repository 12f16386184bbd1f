//! What a replica asks for: it waits for a place, leaves if the replica leads at that moment, arrives
//! whatever became of the replica meanwhile, and is answered.

use jiff::SignedDuration;
use timeline::base::Phase;
use timeline::engine::{Effect, ReportWritten};
use timeline::journal::Journal;
use timeline::keptn::app_context::{ContextWritten, WriteProblem};
use timeline::outbox::{AttemptWritten, NotStored, Recalled, Sent, Stage, Wait};
use timeline::seen::{EventSeen, EventsSeen};
use timeline::stored::RolloutAttemptSeen;
use timeline::{Key, Kind, Observation};

use super::replica::LASTS;
use super::{ANSWER, Fault, PATIENCE, Process, REQUEST, Step, World};
use crate::argo::is_without_volume;
use crate::cluster::Fenced;

/// A request, or its answer on the way back.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) process: Process,
    effect: Effect,
    /// It has left the process, with this epoch.
    pub(super) left: bool,
    epoch: Option<i64>,
    /// Of which term it really is, counted from the first.
    term: usize,
    answer: Option<Answer>,
    /// Nobody waits for it.
    pub(super) orphan: bool,
    fault: Option<Fault>,
}

#[derive(Debug, Clone)]
enum Answer {
    Attempt(AttemptWritten),
    Report(ReportWritten),
    Context(ContextWritten),
    Sent(Sent, u64),
    Recalled(Vec<RolloutAttemptSeen>, Recalled),
    Read(Option<Vec<Journal>>),
    Events(EventsSeen),
}

impl Request {
    fn stores(&self) -> bool {
        use Effect::{ReadAttempts, WriteAttempt, WriteContext, WriteReport};
        matches!(
            self.effect,
            WriteAttempt(..) | WriteReport(..) | WriteContext(..) | ReadAttempts(..)
        )
    }

    fn writes(&self) -> bool {
        self.stores() && !matches!(self.effect, Effect::ReadAttempts(..))
            || matches!(self.effect, Effect::Send(..))
    }

    /// What the owner gets if it never arrived, or that cannot be known.
    fn failed(&self) -> Option<Answer> {
        let problem = || WriteProblem::Failed("no answer in time".to_owned());
        Some(match &self.effect {
            Effect::WriteAttempt(..) => Answer::Attempt(AttemptWritten::Failed),
            Effect::WriteReport(..) => Answer::Report(ReportWritten::NotStored(NotStored::Failed)),
            Effect::WriteContext(..) => Answer::Context(ContextWritten::Failed(problem())),
            Effect::Send(_, batch) => {
                Answer::Sent(Sent::Later(Wait::default()), batch.spans.len() as u64)
            }
            Effect::Recall(..) => Answer::Recalled(Vec::new(), Recalled::Failed(None)),
            Effect::ReadAttempts(..) => Answer::Read(None),
            _ => return None,
        })
    }
}

impl World<'_> {
    /// A replica wants something.
    pub(super) fn begin(&mut self, r: usize, effect: Effect) {
        self.note(|| format!("{r} wants {}", wanted(&effect)));
        match effect {
            Effect::WatchPods(rollout, hash) => self.watch_pods(r, rollout, &hash),
            Effect::LeavePods(rollout) => drop(self.replicas[r].pods.remove(&rollout)),
            effect => {
                let request = Request {
                    process: self.process(r),
                    effect,
                    left: false,
                    epoch: None,
                    term: self.replicas[r].led,
                    answer: None,
                    orphan: false,
                    fault: None,
                };
                self.count += 1;
                let n = self.count;
                // It waits for a place, some longer than others.
                let place = i64::try_from(n * 7 % 19).unwrap();
                self.requests.insert(n, request);
                self.after(place, Step::Leave(n));
            }
        }
    }

    /// A request leaves its process, if that leads at this moment.
    pub(super) fn leave(&mut self, n: u64) {
        let Some(mut request) = self.requests.remove(&n) else { return };
        let r = request.process.replica;
        if !self.replicas[r].leadership.holds_at(self.instant(r, self.now)) {
            self.note(|| format!("{r} does not lead: {} stays", wanted(&request.effect)));
            request.answer = request.failed();
            if request.answer.is_some() {
                self.requests.insert(n, request.clone());
                self.after(0, Step::Answer(n));
            }
            return;
        }
        let me = self.replicas[r].candidate.me();
        let lasts = SignedDuration::try_from(LASTS).unwrap();
        let deleted = self.leases.deleted.is_some_and(|at| self.now < at + lasts);
        if self.leases.holder() != me && !deleted {
            let words = format!("{me} at {}: {}", self.now, wanted(&request.effect));
            self.without_lease.push(words);
        }
        request.left = true;
        request.epoch = self.replicas[r].leadership.epoch();
        let mut takes = REQUEST;
        let armed = self.armed.take_if(|_| request.writes() && self.owner == Some(r));
        match armed {
            Some(Fault::StandsStillOnTheWay(long)) => {
                self.stands_still(r, long.into());
                takes += i64::from(long);
            }
            Some(Fault::Slow(by)) => takes += i64::from(by),
            fault => request.fault = fault,
        }
        let is_cut = self.replicas[r].cut_until.is_some();
        self.requests.insert(n, request);
        if !is_cut {
            self.after(takes, Step::Arrive(n));
        }
        self.after(PATIENCE, Step::TimesOut(n));
    }

    /// A request arrives, whatever became of who sent it.
    pub(super) fn arrive(&mut self, n: u64) {
        let Some(mut request) = self.requests.remove(&n) else { return };
        let answer = match request.fault {
            Some(Fault::Fails) => request.failed(),
            Some(Fault::AnswerLost) => {
                self.carry_out(&request);
                request.failed()
            }
            _ => self.carry_out(&request),
        };
        self.note(|| {
            let words = format!("{answer:?}").chars().take(160).collect::<String>();
            format!("arrives at epoch {:?}: {}: {words}", request.epoch, wanted(&request.effect))
        });
        request.answer = answer;
        if request.answer.is_some() && !request.orphan {
            self.requests.insert(n, request);
            self.after(ANSWER, Step::Answer(n));
        }
    }

    fn carry_out(&mut self, request: &Request) -> Option<Answer> {
        let process = request.process;
        let answer = match &request.effect {
            Effect::WriteAttempt(key, write) => {
                // It was made, delivered and taken away by another while this one was on its way:
                // it cannot be distinguished from a new one.
                let done = self.server.ever.get(key).is_some_and(|it| it.stage == Stage::Done);
                let other = request.orphan || self.owner != Some(process.replica);
                let late = other && done && !self.server.attempts.contains_key(key);
                if late && write.resource_version.is_none() {
                    return None;
                }
                let kind = Kind::RolloutAttempt;
                match self.epochs.allow(kind, key, request.epoch) {
                    Err(Fenced(stored)) if self.server.attempts.contains_key(key) => {
                        self.refuses(process, stored);
                        // A conflict is found before the rule is.
                        Some(Answer::Attempt(AttemptWritten::Failed))
                    }
                    _ => {
                        let written = self.server.store(key, write);
                        if matches!(written, AttemptWritten::Stored(_)) {
                            self.epochs.stored(kind, key, request.epoch, request.term);
                        }
                        Some(Answer::Attempt(written))
                    }
                }
            }
            Effect::WriteReport(key, write) => {
                let allowed = self.epochs.allow(Kind::RolloutTrace, key, request.epoch);
                if let Err(Fenced(stored)) = allowed {
                    self.refuses(process, stored);
                    return Some(Answer::Report(ReportWritten::NotStored(NotStored::Failed)));
                }
                let written = self.server.report(key, write);
                if written == ReportWritten::Stored {
                    self.epochs.stored(Kind::RolloutTrace, key, request.epoch, request.term);
                }
                Some(Answer::Report(written))
            }
            Effect::WriteContext(app, write) => {
                let (event, written) = self.contexts.write(app, write);
                if let Some(event) = event {
                    self.queue_event(Kind::AppContext, &event);
                }
                Some(Answer::Context(written))
            }
            Effect::Send(key, batch) => {
                let stored = self.server.ever.get(key).map(|stored| &stored.journal);
                let sent = self.collector.take(key, batch, stored, self.now);
                Some(Answer::Sent(sent, batch.spans.len() as u64))
            }
            Effect::Recall(limit, page) => {
                let (found, next) = self.server.recall(*limit, page.as_deref());
                Some(Answer::Recalled(found, Recalled::Page(next)))
            }
            Effect::ReadAttempts(_, uid) => Some(Answer::Read(Some(self.server.left_of(uid)))),
            Effect::ReadEvents(_, set, pods) => {
                let fails = pods.iter().filter(|pod| is_without_volume(pod));
                let event = |pod: &smol_str::SmolStr| EventSeen {
                    warning: true,
                    pod_uid: pod.clone(),
                    reason: "FailedMount".to_owned(),
                    message: "Unable to attach or mount volumes".to_owned(),
                    at: Some(self.now),
                };
                let events = fails.map(event).collect();
                let (replica_set_uid, pods) = (set.clone(), pods.clone());
                Some(Answer::Events(EventsSeen { replica_set_uid, pods, events }))
            }
            Effect::Prune(identity, keep) => {
                self.server.prune(identity, *keep);
                let server = &self.server;
                self.epochs.gone(Kind::RolloutAttempt, |key| !server.attempts.contains_key(key));
                None
            }
            other => panic!("the model does not know {other:?}"),
        };
        self.queue_events();
        let of = match &request.effect {
            Effect::WriteAttempt(_, write) => Some(write.journal.identity.rollout.clone()),
            Effect::WriteReport(key, _) => Some(key.clone()),
            _ => None,
        };
        if let Some(rollout) = of {
            self.after(300, Step::Collect(rollout));
        }
        answer
    }

    /// A later leader has written: who sent this gets the refusal, if it is still there.
    fn refuses(&mut self, process: Process, stored: i64) {
        let replica = &self.replicas[process.replica];
        if replica.up && replica.life == process.life {
            replica.leadership.refused(stored);
            self.turn_after(process.replica, ANSWER);
        }
    }

    /// An answer arrives at a replica, or it waits no longer.
    pub(super) fn answer(&mut self, n: u64, timed_out: bool) {
        let Some(request) = self.requests.remove(&n) else { return };
        if request.orphan {
            // It may arrive later.
            self.requests.insert(n, request);
            return;
        }
        let answer = if timed_out { request.failed() } else { request.answer.clone() };
        if timed_out && request.answer.is_none() {
            // It may be on its way still.
            self.late = true;
            let late = Request { orphan: true, ..request.clone() };
            self.requests.insert(n, late);
        }
        let Some(answer) = answer else { return };
        self.take_in(n, request, answer);
    }

    fn take_in(&mut self, n: u64, request: Request, answer: Answer) {
        let (r, now) = (request.process.replica, self.now);
        self.note(|| format!("{r} gets an answer to {}", wanted(&request.effect)));
        let of = match &request.effect {
            Effect::WriteAttempt(_, write) => Some(write.journal.identity.rollout.clone()),
            _ => None,
        };
        let Some(engine) = self.engine(r) else { return };
        match (request.effect, answer) {
            (Effect::WriteAttempt(key, _), Answer::Attempt(written)) => {
                drop(engine.attempt_written(&key, written, now));
            }
            (Effect::WriteReport(key, _), Answer::Report(written)) => {
                engine.reported(&key, written, now);
            }
            (Effect::WriteContext(app, _), Answer::Context(written)) => {
                engine.written(&app, written, now);
            }
            (Effect::Send(key, _), Answer::Sent(sent, spans)) => {
                let jitter = u32::try_from(n * 37 % 1001).unwrap();
                engine.sent(&key, &sent, spans, jitter, now);
            }
            (Effect::ReadAttempts(key, uid), Answer::Read(journals)) => {
                engine.attempts_read(&key, &uid, journals, now);
            }
            (Effect::Recall(_, page), Answer::Recalled(found, recalled)) => {
                for seen in found {
                    engine.observe(Observation::RolloutAttempt(Box::new(seen)), now);
                }
                engine.recalled(page, recalled, now);
            }
            (Effect::ReadEvents(key, ..), Answer::Events(seen)) => {
                engine.events_read(&key, &seen, now);
            }
            (effect, answer) => panic!("{answer:?} is no answer to {effect:?}"),
        }
        self.act(r);
        if let Some(rollout) = of.filter(|_| self.owner == Some(r)) {
            self.looks_at(&rollout);
        }
    }

    /// Writes of a replica are carried out and answered until none is left.
    pub(super) fn store_all(&mut self, r: usize) {
        // Twice: an answer that failed may be on its way.
        for _ in 0..2 {
            let now = self.now;
            let Some(engine) = self.engine(r) else { return };
            engine.stop(now);
            self.act(r);
            let stores = |request: &Request| {
                request.process.replica == r && !request.orphan && request.stores()
            };
            while let Some(n) = self.requests.iter().find(|(_, it)| stores(it)).map(|(n, _)| *n) {
                if !self.requests[&n].left {
                    self.leave(n);
                }
                if self.requests.get(&n).is_some_and(|it| it.answer.is_none()) {
                    self.arrive(n);
                }
                self.answer(n, false);
            }
        }
    }

    /// The requests of a process that have left it and not arrived.
    pub(super) fn on_the_way(&self, r: usize) -> Vec<u64> {
        let open = self.requests.iter();
        let open = open.filter(|(_, it)| it.process.replica == r && it.left && it.answer.is_none());
        open.map(|(n, _)| *n).collect()
    }

    /// A request never arrives.
    pub(super) fn is_lost(&mut self, n: u64) {
        self.requests.remove(&n);
    }
}

fn wanted(effect: &Effect) -> String {
    let key_of = |key: &Key| key.name.clone();
    match effect {
        Effect::WriteAttempt(key, write) => {
            let (journal, on) = (&write.journal, &write.resource_version);
            let open = if journal.phase == Phase::Progressing { "open" } else { "over" };
            let (phase, closed, sent) = (journal.phase, journal.closed, journal.exported.until);
            format!(
                "WriteAttempt {key} on {on:?}, {:?}, {open}: {phase:?} {closed} {sent}",
                write.stage
            )
        }
        Effect::WriteReport(key, write) => {
            let attempts = write.report.attempts.iter();
            let attempts: Vec<_> =
                attempts.map(|it| format!("{}#{} {}", it.revision, it.number, it.phase)).collect();
            format!("WriteReport {key}: {attempts:?}")
        }
        Effect::Send(key, batch) => format!("Send {} spans of {}", batch.spans.len(), key_of(key)),
        other => format!("{other:?}").chars().take(200).collect(),
    }
}
