//! What goes wrong, and when.

use timeline::Kind;
use timeline::seen::Unavailable;

use super::knowledge::READ;
use super::{Step, WATCH, World};

/// What goes wrong at a step, before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The operator dies, and is back after so many milliseconds.
    Crash(InFlight, u32),
    /// The operator is asked to stop, stores what it knows, and another is there after so many
    /// milliseconds.
    Stop(u32),
    /// The effect at hand is carried out, but its answer is lost.
    AnswerLost,
    /// The effect at hand is not carried out.
    Fails,
    /// The watch of a kind breaks, and lists again.
    Relist(Kind),
    /// A kind is not served for so many milliseconds, or may not be read; if the operator dies too,
    /// the next one finds it so.
    Refused(Kind, bool, u32),
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

impl World<'_> {
    /// Whether a fault takes the place of the step at hand.
    pub(super) fn goes_wrong(&mut self, work: Option<u64>) -> bool {
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
            Fault::Stop(down) => {
                self.stop();
                self.crash(InFlight::Lost, down);
                return true;
            }
            Fault::AnswerLost | Fault::Fails => {
                if let Some(work) = work.and_then(|n| self.work.get_mut(&n)) {
                    work.fault = Some(fault);
                }
            }
            Fault::Relist(kind) => {
                self.lossy |= kind == Kind::Rollout;
                self.loses_watch();
                self.after(0, Step::List(kind));
            }
            Fault::Refused(kind, crashes, until) => {
                self.lossy = true;
                self.server.refused.insert(kind);
                self.kinds.insert(match kind {
                    Kind::Rollout => "Rollouts cannot be listed",
                    _ => "our own resources are away",
                });
                self.after(until.into(), Step::Serve(kind));
                if crashes {
                    self.crash(InFlight::Half, 0);
                    return true;
                }
                self.goes_dark([kind]);
                self.server.refuse(kind, Unavailable::Forbidden("watch"));
                self.after(WATCH, Step::Deliver(kind));
            }
            Fault::NoTraces => {
                self.forgot = true;
                for key in self.rollouts.keys().cloned().collect::<Vec<_>>() {
                    if self.server.forget(&key) {
                        self.after(WATCH, Step::Deliver(Kind::RolloutTrace));
                    }
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

    /// Writes are carried out and answered until none is left.
    fn stop(&mut self) {
        let quiet = self.server.is_quiet();
        self.work.values_mut().for_each(|work| work.fault = None);
        // Twice: an answer that failed may be on its way.
        for _ in 0..2 {
            let Some(operator) = &mut self.operator else { return };
            operator.stop(self.now);
            self.act();
            while let Some(n) = self.work.iter().find(|(_, work)| work.stores()).map(|(n, _)| *n) {
                if self.work[&n].answer.is_none() {
                    self.commit(n);
                }
                self.answer(n);
            }
        }
        let away = !self.server.refused.is_empty() || self.story.namespace_goes.is_some();
        assert!(!quiet || away || self.knows_no_more(), "a stop has lost something");
    }

    fn crash(&mut self, in_flight: InFlight, down: u32) {
        self.crashes += 1;
        self.away += down;
        self.late |= matches!(in_flight, InFlight::Late(_));
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
        self.goes_dark(READ);
        self.queue.retain(|_, step| !matches!(step, Step::Start | Step::List(_)));
        self.after(i64::from(down) + 1, Step::Start);
    }
}
