//! Pauses. Argo says when one began while it lasts; when and by whom it was ended is seen, or not
//! known.
//!
//! A client that promotes deletes the pause conditions and leaves `controllerPause`, which the
//! controller takes back one version later (argo-rollouts utils/rollout/rolloututil.go:112). A
//! timer takes both away in one version (argo-rollouts rollout/pause.go).

use jiff::SignedDuration;

use super::super::{Journal, Pause, ResumedBy};
use super::View;
use super::clock::{milliseconds, not_after, sane, seconds};
use crate::base::{Moment, Source};
use crate::seen::{PauseKind, PauseSeen};

const PAUSES: usize = 128;
/// Argo's clock and ours.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

impl Journal {
    pub(super) fn follow_pauses(&mut self, view: &View<'_>) {
        let seen = &view.progress.pauses;
        for index in 0..self.pauses.len() {
            let pause = &self.pauses[index];
            if pause.ended.is_none() && !seen.iter().any(|seen| is_same(pause, seen, view)) {
                let (at, by) = resumption(pause, view);
                self.end_pause(index, at, by);
            }
        }
        for seen in seen {
            let running = self.pauses.iter().filter(|pause| pause.ended.is_none());
            if !running.clone().any(|pause| is_same(pause, seen, view)) {
                self.begin_pause(seen, view);
            }
        }
    }

    /// The ends of the pauses of earlier steps were not seen.
    pub(super) fn end_pauses_before(&mut self, step: u32, view: &View<'_>) {
        for index in 0..self.pauses.len() {
            let pause = &self.pauses[index];
            if pause.ended.is_none() && pause.step.is_some_and(|of| of < step) {
                let (at, by) = resumption(pause, view);
                self.end_pause(index, at, by);
            }
        }
    }

    fn begin_pause(&mut self, seen: &PauseSeen, view: &View<'_>) {
        if self.pauses.len() >= PAUSES {
            let at = seen.started.filter(|at| sane(*at, view.now));
            self.cut(&("pause", class(seen.kind), at));
            return;
        }
        let stated = self.stated_time("pause", seen.started, None, view.now);
        let step = match seen.kind {
            PauseKind::BlueGreen | PauseKind::Spec => None,
            _ => view.progress.step,
        };
        let plan = step.and_then(|step| view.progress.steps.get(step as usize));
        self.pauses.push(Pause {
            kind: seen.kind,
            step,
            planned: match seen.kind {
                PauseKind::Timed => plan.and_then(|plan| plan.seconds),
                PauseKind::BlueGreen => view.progress.auto_promotion,
                _ => None,
            },
            started: stated.unwrap_or_else(|| view.when()),
            ended: None,
            resumed_by: None,
            closed: None,
            below: None,
        });
    }

    pub(super) fn end_pause(&mut self, index: usize, at: Moment, by: ResumedBy) {
        let closed = self.next_closed();
        if let Some(pause) = self.pauses.get_mut(index) {
            pause.ended = Some(at.not_before(pause.started.at));
            pause.resumed_by = Some(by);
            pause.closed = Some(closed);
        }
    }
}

/// Argo holds at most one pause for a reason. A step that was skipped may turn the same one from
/// Timed to Manual.
fn class(kind: PauseKind) -> PauseKind {
    if kind == PauseKind::Manual { PauseKind::Timed } else { kind }
}

fn is_same(pause: &Pause, seen: &PauseSeen, view: &View<'_>) -> bool {
    if class(pause.kind) != class(seen.kind) {
        return false;
    }
    match seen.started.filter(|at| sane(*at, view.now)) {
        Some(at) => pause.started.source != Source::Status || pause.started.at == milliseconds(at),
        None => true,
    }
}

/// When and by whom a pause was ended that a version no longer shows.
fn resumption(pause: &Pause, view: &View<'_>) -> (Moment, ResumedBy) {
    let timer = pause.planned.map(|planned| not_after(pause.started.at, seconds(planned)));
    if !view.live {
        let after = timer.filter(|timer| *timer <= view.until).unwrap_or(pause.started.at);
        return (Moment::inferred(Some(after), view.until), ResumedBy::Unknown);
    }
    let is_over = timer.is_some_and(|timer| timer.duration_since(view.now) <= TOLERANCE);
    let others = view.progress.pauses.iter().any(|seen| seen.kind != PauseKind::Spec);
    let by = match pause.kind {
        _ if view.promote_full() => ResumedBy::FullPromotion,
        PauseKind::Spec => ResumedBy::Person,
        // A client takes all away at once.
        _ if others && is_over => ResumedBy::Timer,
        _ if others => ResumedBy::Unknown,
        _ if view.progress.controller_pause => ResumedBy::Person,
        PauseKind::Timed if is_over => ResumedBy::Timer,
        PauseKind::BlueGreen => ResumedBy::Timer,
        // No timer ends these, nor a timed one early: it was skipped.
        PauseKind::Timed
        | PauseKind::Manual
        | PauseKind::InconclusiveAnalysis
        | PauseKind::InconclusiveExperiment => ResumedBy::Person,
    };
    (view.when(), by)
}
