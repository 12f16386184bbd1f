//! How an attempt ends, and when its root span may close.

use jiff::Timestamp;

use super::super::{Journal, MarkKind, ResumedBy, Service, StepResult};
use super::clock::{milliseconds, sane, waited};
use super::{EVIDENCE_WAIT, Look, SETTLE_WAIT, View};
use crate::base::{Moment, Phase, Source, Turn};
use crate::seen::Strategy;

impl Journal {
    /// The attempt has ended, as the chain says.
    pub(super) fn end(&mut self, view: &View<'_>) {
        let at = self.end_moment(view);
        let phase = view.look.attempt.phase;
        let full = view.promote_full()
            || self.marks.iter().any(|mark| mark.kind == MarkKind::FullPromotion);
        let last = view.ours
            && self
                .running_step()
                .is_some_and(|step| step.index.saturating_add(1) == view.progress.step_count);
        if phase == Phase::Promoted && view.live && last && !full {
            self.end_step(StepResult::Completed, at);
        }
        if phase != Phase::Promoted && view.ours && !view.live {
            self.reach_evidence(view);
        }
        self.finish(phase, at, (!view.live).then_some(view.known), full);
        self.follow_recovery(view);
    }

    /// Argo says when it aborted and when it promoted. A time of another object became the
    /// attempt's end where it was replaced by one that began then.
    fn end_moment(&mut self, view: &View<'_>) -> Moment {
        let (attempt, rollout) = (view.look.attempt, view.look.rollout);
        let stated = match attempt.phase {
            Phase::Aborted => rollout.aborted_at,
            Phase::Promoted => rollout.completed.and_then(|(done, at)| done.then_some(at)),
            _ => None,
        };
        let ended = attempt.ended.unwrap_or(view.look.now);
        let bound = Some(self.started.at);
        // The chain moves an end that lies before the start.
        let moved = attempt.phase == Phase::Aborted && stated.is_some_and(|at| at < ended);
        if stated == Some(ended) || (moved && ended == attempt.started) {
            let stated = self.stated_time("end", stated, bound, view.now);
            return stated.unwrap_or_else(|| view.when()).not_before(self.started.at);
        }
        let at = milliseconds(ended);
        let moment = if !sane(at, view.now) {
            self.doubt("end", at, view.now);
            view.when()
        } else if !view.live {
            Moment::inferred(Some(view.known), view.healthy_by(at))
        } else if ended != view.look.now && ended.subsec_nanosecond() == 0 {
            Moment::status(at)
        } else {
            Moment::observed(at)
        };
        moment.not_before(self.started.at)
    }

    /// Ends all that cannot outlast the attempt. `unseen` is since when the operator was not
    /// watching, if so: what was open then may have ended before the attempt did.
    pub(super) fn finish(
        &mut self,
        phase: Phase,
        at: Moment,
        unseen: Option<Timestamp>,
        full: bool,
    ) {
        self.phase = phase;
        if phase == Phase::Promoted {
            self.failure = None;
        }
        let at = at.not_before(self.started.at);
        self.ended = Some(at);
        let live = unseen.is_none();
        let at = if live || at.source == Source::Inferred {
            at
        } else {
            Moment::inferred(unseen, at.at)
        };
        let by = match phase {
            _ if !live => ResumedBy::Unknown,
            Phase::Promoted if full => ResumedBy::FullPromotion,
            _ => ResumedBy::End,
        };
        for index in 0..self.pauses.len() {
            if self.pauses[index].ended.is_none() {
                self.end_pause(index, at, by);
            }
        }
        let result = match phase {
            _ if !live => StepResult::Unobserved,
            Phase::Promoted if full => StepResult::Skipped,
            // It went past its last steps without showing each.
            Phase::Promoted | Phase::Unknown => StepResult::Unobserved,
            _ => StepResult::Stopped,
        };
        self.end_step(result, at);
        self.end_weight(at);
    }

    /// After the end: when all is as it should be again.
    pub(super) fn follow_recovery(&mut self, view: &View<'_>) {
        let look = view.look;
        let Some(ended) = self.ended else { return };
        let healthy = look.newest && view.ours && look.rollout.healthy;
        match self.phase {
            Phase::Promoted if self.settled.is_none() && healthy => {
                self.settled = Some(healthy_moment(ended, view));
            }
            Phase::Aborted | Phase::Reverted => {
                if view.ours && self.phase == Phase::Aborted {
                    self.blame(view);
                }
                let strategy = view.progress.strategy;
                if strategy == Some(Strategy::BlueGreen) {
                    let active = view.progress.active.as_deref();
                    let was = self.switches.iter().any(|switch| switch.service == Service::Active);
                    if was && active != Some(self.identity.hash.as_str()) {
                        self.follow_switch(Service::Active, active, view);
                    }
                }
                if self.settled.is_none() && !self.exposed && !self.facts.rebuilt {
                    // Traffic never left what is stable.
                    self.settled = Some(ended);
                } else if self.settled.is_none() && self.is_back(view) {
                    self.settled = Some(view.when().not_before(ended.at));
                } else {
                    self.give_up_recovery(view);
                }
            }
            _ => {}
        }
    }

    /// Whether traffic has still to come back from an attempt that was stopped. Argo takes as long for
    /// it as stable pods take to be ready, and may get stuck above 0 (argo-rollouts #4841): the root
    /// span does not wait for that.
    pub fn awaits_recovery(&self) -> bool {
        self.root_closed.is_some()
            && matches!(self.phase, Phase::Aborted | Phase::Reverted)
            && self.exposed
            && !self.facts.rebuilt
            && self.settled.is_none()
            && self.recovered.is_none()
            && !self.memory.gone
            && !self.memory.taken_over
    }

    /// Whether a later try at the same revision has made it stable.
    fn is_live(&self, view: &View<'_>) -> bool {
        view.look.rollout.stable_hash.as_ref() == Some(&self.identity.hash)
    }

    /// Takes note that traffic is back, after the root span has closed.
    pub(super) fn recover_late(&mut self, look: &Look<'_>) -> Turn {
        let Some(ended) = self.ended.filter(|_| self.awaits_recovery()) else {
            return Turn::Same;
        };
        let view = self.view(look);
        if !self.is_back(&view) {
            self.give_up_recovery(&view);
            return if self.memory.taken_over { Turn::Vital } else { Turn::Same };
        }
        self.recovered = Some(view.when().not_before(ended.at));
        Turn::Vital
    }

    /// A later try of the same revision has its pods: it cannot be known any more when the traffic
    /// of this one was back. A weight is 0 in between, or never if that one is promoted.
    fn give_up_recovery(&mut self, view: &View<'_>) {
        let retried = view.ours && !view.look.newest && !view.progress.routed;
        self.memory.taken_over |= retried || self.is_live(view);
    }

    /// Whether all traffic goes to what is stable, or to a revision that came after this one.
    fn is_back(&self, view: &View<'_>) -> bool {
        let progress = view.progress;
        if self.is_live(view) {
            return false;
        }
        if progress.strategy == Some(Strategy::BlueGreen) {
            return progress.active.as_ref() != Some(&self.identity.hash);
        }
        if progress.routed || !self.weights.is_empty() {
            return self.own_weight(view).unwrap_or(0) == 0 && !self.has_experiment_weight(view);
        }
        view.look.replica_set.is_some_and(|set| set.ready.max(set.available) == 0)
    }

    /// Analyses and experiments end by themselves.
    pub(super) fn evidence_is_open(&self) -> bool {
        self.analyses.iter().any(|analysis| analysis.closed.is_none())
            || self.experiments.iter().any(|experiment| experiment.closed.is_none())
    }

    /// Decides where the spans belong and whether the root closes, last of all.
    pub(super) fn decide(&mut self, now: Timestamp) {
        self.place(now);
        let Some(ended) = self.ended else { return };
        if waited(ended.at, EVIDENCE_WAIT, now) {
            self.end_evidence(ended, now);
        }
        if self.placed.is_none() || self.evidence_is_open() || self.root_closed.is_some() {
            return;
        }
        let replaced = self.memory.look.is_some_and(|look| !look.newest);
        let at_once = replaced
            || self.memory.gone
            || matches!(self.phase, Phase::Superseded | Phase::Deleted | Phase::Unknown);
        let settled = self.settled.is_some() && !self.waits_for_blame();
        if at_once || settled || waited(ended.at, SETTLE_WAIT, now) {
            self.give_up_blame();
            self.root_closed = Some(self.next_closed());
        }
    }

    /// Their ends were not seen.
    fn end_evidence(&mut self, ended: Moment, now: Timestamp) {
        for index in 0..self.analyses.len() {
            if self.analyses[index].closed.is_none() {
                let closed = self.next_closed();
                let analysis = &mut self.analyses[index];
                let started = analysis.started.at;
                let at = Moment::inferred(Some(ended.at.max(started)), now.max(started));
                (analysis.ended, analysis.closed) = (Some(at), Some(closed));
            }
        }
        for index in 0..self.experiments.len() {
            if self.experiments[index].closed.is_none() {
                let closed = self.next_closed();
                let experiment = &mut self.experiments[index];
                let started = experiment.started.at;
                let at = Moment::inferred(Some(ended.at.max(started)), now.max(started));
                (experiment.ended, experiment.closed) = (Some(at), Some(closed));
            }
        }
    }
}

/// The condition Healthy may have turned several times while the operator was not watching.
fn healthy_moment(ended: Moment, view: &View<'_>) -> Moment {
    let bound = ended.after.unwrap_or(ended.at);
    let stated = view.progress.healthy_since.map(milliseconds);
    let stated = stated.filter(|at| sane(*at, view.now) && *at >= bound);
    match stated {
        Some(at) if view.live => Moment::status(at),
        Some(at) => Moment::inferred(Some(bound), at),
        None if view.live => Moment::observed(view.now),
        None => Moment::inferred(Some(bound), view.now),
    }
    .not_before(ended.at)
}
