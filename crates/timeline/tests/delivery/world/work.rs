//! Effects on their way, and the answers on their way back.

use timeline::Observation;
use timeline::engine::{Effect, ReportWritten};
use timeline::journal::Journal;
use timeline::outbox::{AttemptWritten, Milestone, NotStored, Recalled, Sent, Wait};
use timeline::stored::RolloutAttemptSeen;

use super::words::{answered, wanted};
use super::{ANSWER, Fault, Step, World};
use crate::argo::is_without_volume;
use timeline::seen::{EventSeen, EventsSeen};

/// An effect on its way, or its answer on the way back.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) effect: Effect,
    pub(super) answer: Option<Answer>,
    /// The operator that asked for it is dead.
    pub(super) orphan: bool,
    pub(super) fault: Option<Fault>,
}

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Attempt(AttemptWritten),
    Report(ReportWritten),
    Sent(Sent, u64),
    Recalled(Vec<RolloutAttemptSeen>, Recalled),
    Read(Option<Vec<Journal>>),
    Events(EventsSeen),
}

impl Work {
    /// Whether it stores something for the operator that runs, or reads what that waits for.
    pub(super) fn stores(&self) -> bool {
        let stores = |effect: &Effect| {
            use Effect::{ReadAttempts, WriteAttempt, WriteReport};
            matches!(effect, WriteAttempt(..) | WriteReport(..) | ReadAttempts(..))
        };
        stores(&self.effect) && !self.orphan
    }
}

impl World<'_> {
    pub(super) fn must_be_the_only_one(&self, effect: &Effect) {
        let same = |other: &Effect| match (effect, other) {
            (Effect::WriteAttempt(a, _), Effect::WriteAttempt(b, _))
            | (Effect::WriteReport(a, _), Effect::WriteReport(b, _))
            | (Effect::ReadAttempts(a, _), Effect::ReadAttempts(b, _))
            | (Effect::Send(a, _), Effect::Send(b, _)) => a == b,
            (Effect::Recall(..), Effect::Recall(..)) => true,
            _ => false,
        };
        let twice = self.work.values().any(|work| !work.orphan && same(&work.effect));
        assert!(!twice, "asked for twice: {}", wanted(effect));
    }

    /// An effect arrives where it shall be carried out.
    pub(super) fn commit(&mut self, n: u64) {
        let Some(mut work) = self.work.remove(&n) else {
            return;
        };
        let fails = work.fault == Some(Fault::Fails);
        let lost = work.fault == Some(Fault::AnswerLost);
        let answer = if fails { None } else { self.carry_out(&work) };
        self.note(|| format!("{}: {}", wanted(&work.effect), answered(answer.as_ref())));
        work.answer = match (&work.effect, answer) {
            (Effect::WriteAttempt(..), _) if lost || fails => {
                Some(Answer::Attempt(AttemptWritten::Failed))
            }
            (Effect::WriteReport(..), _) if lost || fails => {
                Some(Answer::Report(ReportWritten::NotStored(NotStored::Failed)))
            }
            (Effect::Send(..), _) if lost || fails => {
                Some(Answer::Sent(Sent::Later(Wait::default()), 0))
            }
            (Effect::ReadAttempts(..), _) if lost || fails => Some(Answer::Read(None)),
            (Effect::Recall(..), None) => {
                Some(Answer::Recalled(Vec::new(), Recalled::Failed(None)))
            }
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
                Some(Answer::Report(stored))
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
                None
            }
            other => panic!("the model does not know {other:?}"),
        };
        self.deliver_since(&before);
        if let Effect::WriteAttempt(_, write) = &work.effect {
            self.after(300, Step::Collect(write.journal.identity.rollout.clone()));
        }
        if let Effect::WriteReport(key, _) = &work.effect {
            self.after(300, Step::Collect(key.clone()));
        }
        answer
    }

    /// An answer arrives at the operator.
    pub(super) fn answer(&mut self, n: u64) {
        let Some(Work { effect, answer: Some(answer), .. }) = self.work.remove(&n) else {
            return;
        };
        self.note(|| {
            format!("gets the answer to {}: {}", wanted(&effect), answered(Some(&answer)))
        });
        let now = self.now;
        let Some(operator) = &mut self.operator else {
            return;
        };
        let of = match &effect {
            Effect::WriteAttempt(_, write) => Some(write.journal.identity.rollout.clone()),
            _ => None,
        };
        match (effect, answer) {
            (Effect::WriteAttempt(key, _), Answer::Attempt(written)) => {
                for announcement in operator.attempt_written(&key, written, now) {
                    let stored = &self.server.ever[&key].journal;
                    let stands = announcement.milestone == Milestone::Begun || !stored.open();
                    assert!(stands, "{key} is announced as ended, and nothing says so");
                    assert_eq!(announcement.journal.identity, stored.identity);
                    let anew = self.announced.insert((
                        key.clone(),
                        announcement.milestone as u8,
                        self.started,
                    ));
                    assert!(anew, "{key} is announced twice: {:?}", announcement.milestone);
                }
            }
            (Effect::WriteReport(key, _), Answer::Report(written)) => {
                operator.reported(&key, written, now);
            }
            (Effect::Send(key, _), Answer::Sent(sent, spans)) => {
                let jitter = u32::try_from(n * 37 % 1001).unwrap();
                operator.sent(&key, &sent, spans, jitter, now);
            }
            (Effect::ReadAttempts(key, uid), Answer::Read(journals)) => {
                operator.attempts_read(&key, &uid, journals, now);
            }
            (Effect::Recall(_, page), Answer::Recalled(found, recalled)) => {
                for seen in found {
                    operator.observe(Observation::RolloutAttempt(Box::new(seen)), now);
                }
                operator.recalled(page, recalled, now);
            }
            (Effect::ReadEvents(key, ..), Answer::Events(seen)) => {
                operator.events_read(&key, &seen, now);
            }
            (effect, answer) => panic!("{answer:?} is no answer to {effect:?}"),
        }
        self.act();
        if let Some(rollout) = of {
            self.looks_at(&rollout);
        }
    }
}
