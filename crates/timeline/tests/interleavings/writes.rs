//! The operator's writes on their way to the API server, and the answers on their way back.

use timeline::engine::Effect;
use timeline::keptn::app_context::{ContextWritten, WriteProblem};
use timeline::stored::{RolloutTraceSeen, Settings};
use timeline::{Kind, Observation};

use crate::world::{World, index_of};

/// A write of the operator's on its way to the API server, or the answer on its way back.
pub(crate) struct Write {
    pub(crate) effect: Effect,
    pub(crate) seen: [usize; 2],
    pub(crate) answer: Option<Answer>,
    /// The operator that asked for it crashed: the answer is not waited for.
    pub(crate) orphan: bool,
}

pub(crate) enum Answer {
    Context(ContextWritten),
    Report(bool),
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is carried out.
    Done,
    /// It is carried out, but the operator gets the answer that it failed.
    AnswerLost,
    /// It is not carried out.
    Refused,
}

impl World {
    /// A write arrives at the API server.
    pub(crate) fn commit(&mut self, n: u8, fate: Fate) {
        let open = self.writes.iter().filter(|write| write.answer.is_none()).count();
        if open == 0 {
            return;
        }
        let mut open = self.writes.iter().enumerate().filter(|(_, write)| write.answer.is_none());
        let place = usize::from(n) % open.clone().count();
        let index = open.nth(place).unwrap().0;
        let mut write = self.writes.remove(index);
        let failed = || WriteProblem::Failed("the API server gave no answer".to_owned());
        write.answer = Some(match &write.effect {
            Effect::WriteContext(app, context) => {
                self.context_writes.push(context.clone());
                Answer::Context(match fate {
                    Fate::Done => self.server.write(app, context, self.now),
                    Fate::AnswerLost => {
                        self.server.write(app, context, self.now);
                        ContextWritten::Failed(failed())
                    }
                    Fate::Refused => ContextWritten::Failed(failed()),
                })
            }
            Effect::WriteReport(..) => {
                let stored = fate != Fate::Refused && self.store(&write);
                Answer::Report(stored && fate == Fate::Done)
            }
            _ => unreachable!("the world keeps links and reports only"),
        });
        if !write.orphan {
            self.writes.insert(index, write);
        }
    }

    fn store(&mut self, write: &Write) -> bool {
        let Effect::WriteReport(key, report) = &write.effect else {
            return false;
        };
        let there = self.server.get(Kind::RolloutTrace, key);
        if there.is_none() && !report.create {
            return false;
        }
        let owners = match there {
            Some(Observation::RolloutTrace(seen)) if report.create || !report.change_owner => {
                seen.owners.clone()
            }
            _ => report.owner.iter().cloned().collect(),
        };
        let r = index_of(key);
        if self.cluster.rollouts[r].uid.as_ref() == Some(&report.report.rollout_uid.to_string()) {
            self.stored[r] = self.stored[r].max(write.seen[r]);
        }
        let seen = RolloutTraceSeen {
            key: key.clone(),
            generation: Some(1),
            owners,
            // The second Rollout's trace outlives it.
            settings: Settings { keep_after_delete: r == 1, ..Settings::default() },
            stored: Some(Box::new(report.report.clone())),
        };
        let observation = Observation::RolloutTrace(Box::new(seen));
        self.server.put(Kind::RolloutTrace, key.clone(), observation, self.now);
        true
    }

    /// An answer arrives at the operator.
    pub(crate) fn answer(&mut self, n: u8) -> bool {
        let answered = self.writes.iter().enumerate().filter(|(_, write)| write.answer.is_some());
        let places: Vec<usize> = answered.map(|(index, _)| index).collect();
        let Some(place) = places.get(usize::from(n) % places.len().max(1)) else {
            return false;
        };
        let write = self.writes.remove(*place);
        match (write.effect, write.answer) {
            (Effect::WriteContext(app, _), Some(Answer::Context(written))) => {
                if let ContextWritten::Stored(seen) = &written {
                    self.know(&Observation::AppContext(seen.clone()));
                }
                self.operator.written(&app, written, self.now);
            }
            (Effect::WriteReport(key, _), Some(Answer::Report(stored))) => {
                self.operator.reported(&key, stored, self.now);
            }
            _ => unreachable!("an answer of another kind"),
        }
        self.act();
        true
    }
}
