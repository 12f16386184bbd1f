//! Experiments: they say when they were made, but not when they ended.

use jiff::Timestamp;

use super::super::{Experiment, Journal};
use super::analyses::{MESSAGE, NAME, UID, is_over, room};
use super::clock::milliseconds;
use super::text::clean;
use crate::base::{Moment, Turn};
use crate::seen::ExperimentSeen;

const EXPERIMENTS: usize = 16;

impl Journal {
    /// Takes in a version of an Experiment of this attempt.
    pub fn experiment_seen(&mut self, experiment: &ExperimentSeen, now: Timestamp) -> Turn {
        self.turn(|journal| journal.take_in_experiment(experiment, now))
    }

    pub(super) fn take_in_experiment(&mut self, experiment: &ExperimentSeen, now: Timestamp) {
        if self.root_closed.is_none() {
            let now = milliseconds(now);
            self.follow_experiment(experiment, now);
            self.decide(now);
        }
    }

    fn follow_experiment(&mut self, seen: &ExperimentSeen, now: Timestamp) {
        let uid = clean(&seen.uid, UID);
        let index = self.experiments.iter().position(|experiment| experiment.uid == uid);
        let new = index.is_none();
        let index = match index {
            Some(index) => index,
            None if self.experiments.len() >= room(EXPERIMENTS, seen.phase) => {
                self.cut(&("experiment", uid));
                return;
            }
            None => self.begin_experiment(uid, seen, now),
        };
        let over = is_over(seen.phase);
        let Some(experiment) = self.experiments.get(index).filter(|it| it.closed.is_none()) else {
            return;
        };
        // One that was over at first sight has ended at any time until now.
        let started = experiment.started.at;
        let at = if new { Moment::inferred(Some(started), now) } else { Moment::observed(now) };
        let closed = over.then(|| self.next_closed());
        if let Some(experiment) = self.experiments.get_mut(index) {
            experiment.phase = seen.phase;
            experiment.message = clean(&seen.message, MESSAGE);
            experiment.ended = over.then(|| at.not_before(started));
            experiment.closed = closed;
        }
    }

    fn begin_experiment(&mut self, uid: String, seen: &ExperimentSeen, now: Timestamp) -> usize {
        let stated = self.stated_time("experiment", seen.created, None, now);
        self.experiments.push(Experiment {
            name: clean(&seen.key.name, NAME),
            uid,
            step: seen.step,
            phase: seen.phase,
            message: String::new(),
            started: stated.unwrap_or(Moment::observed(now)),
            ended: None,
            closed: None,
            below: None,
        });
        self.experiments.len().saturating_sub(1)
    }
}
