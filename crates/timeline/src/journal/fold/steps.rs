//! Argo's canary steps. The start and end of a step are not recorded: they are seen, or bounded.

use std::ops::Range;

use super::super::{Analysis, Journal, MarkKind, Step, StepResult};
use super::View;
use super::text::clean;
use crate::base::{Moment, Source};
use crate::seen::{AnalysisKind, AnalysisPhase, Strategy};

const STEPS: usize = 128;
const KIND: usize = 32;
const SETTING: usize = 64;

impl Journal {
    /// Follows `status.currentStepIndex`. It is the number of steps when all are done.
    pub(super) fn follow_steps(&mut self, view: &View<'_>) {
        let progress = view.progress;
        let Some(index) = progress.step else { return };
        let stepped = progress.step_count > 0 && progress.strategy != Some(Strategy::BlueGreen);
        // A status of an older spec is about steps that are no longer planned.
        if !stepped || !progress.up_to_date || self.is_first_revision(view) {
            return;
        }
        let target = index.min(progress.step_count);
        let from = self.position();
        let changed = self.steps_changed(view);
        if changed {
            self.mark(MarkKind::StepsChanged, view.when(), "");
        }
        let first = self.steps.is_empty();
        if target < from || (changed && target == from) {
            let passed = if view.live { StepResult::Skipped } else { StepResult::Unobserved };
            self.end_step(passed, view.when_stepped());
        } else {
            self.pass(from..target, view);
        }
        if target < progress.step_count && self.running_step().is_none() {
            // Argo writes index 0 in the same version as the new hash.
            let at_once = first && target == 0 && !changed;
            let started = if at_once { self.started } else { view.when_stepped() };
            self.add_step(target, StepResult::Running, started, None, view);
        }
    }

    /// Argo goes back to the first step as it aborts (argo-rollouts rollout/canary.go,
    /// `syncRolloutStatusCanary`). What it had begun in a later one still shows how far it was.
    pub(super) fn reach_evidence(&mut self, view: &View<'_>) {
        if self.marks.iter().any(|mark| mark.kind == MarkKind::StepsChanged) {
            return;
        }
        let of_step = |analysis: &&Analysis| analysis.kind == AnalysisKind::Step;
        let analyses = self.analyses.iter().filter(of_step).filter_map(|analysis| analysis.step);
        let experiments = self.experiments.iter().filter_map(|experiment| experiment.step);
        let reached = analyses.chain(experiments).max();
        let Some(reached) = reached.filter(|step| *step < view.progress.step_count) else {
            return;
        };
        let from = self.position();
        if from < reached {
            self.end_pauses_before(reached, view);
            self.pass(from..reached, view);
            self.add_step(reached, StepResult::Running, view.when_stepped(), None, view);
        }
    }

    /// Argo promotes the first revision without going through its steps (argo-rollouts
    /// rollout/sync.go, `shouldFullPromote`: "Initial deploy").
    fn is_first_revision(&self, view: &View<'_>) -> bool {
        match &view.look.rollout.stable_hash {
            None => true,
            Some(stable) => {
                *stable == self.identity.hash
                    && self.steps.is_empty()
                    && view.look.attempt.follows.is_empty()
            }
        }
    }

    /// The step that Argo stands at as far as is known: every one before it was passed.
    fn position(&self) -> u32 {
        self.steps.last().map_or(0, |last| match last.ended {
            None => last.index,
            Some(_) => last.index.saturating_add(1),
        })
    }

    pub(super) fn running_step(&self) -> Option<&Step> {
        self.steps.last().filter(|step| step.ended.is_none())
    }

    /// A change of steps makes Argo begin again at index 0, with the same revision. A process that
    /// has not followed any yet compares the running step with what is planned.
    fn steps_changed(&mut self, view: &View<'_>) -> bool {
        let now = view.progress.step_hash.as_ref();
        let known = self.memory.step_hash.as_ref();
        let changed = match (known, now) {
            (Some(known), Some(now)) => known != now,
            (Some(_), None) => false,
            (None, _) => self.running_step().is_some_and(|step| {
                let plan = view.progress.steps.get(step.index as usize);
                plan.is_some_and(|plan| {
                    clean(&plan.kind, KIND) != step.kind
                        || clean(&plan.setting, SETTING) != step.setting
                })
            }),
        };
        if now.is_some() && known != now {
            self.memory.step_hash = now.cloned();
        }
        changed
    }

    /// Argo went past these steps.
    fn pass(&mut self, steps: Range<u32>, view: &View<'_>) {
        let one = steps.end.saturating_sub(steps.start) == 1;
        let result = match (view.live, one && !view.promote_full()) {
            (false, _) => StepResult::Unobserved,
            (true, true) if self.is_done(steps.start, view) => StepResult::Completed,
            (true, _) => StepResult::Skipped,
        };
        let at = view.when_stepped();
        for index in steps {
            if self.running_step().is_some() {
                self.end_step(result, at);
                continue;
            }
            let started = if self.steps.is_empty() { self.started } else { at };
            if !self.add_step(index, result, started, Some(at), view) {
                break;
            }
        }
    }

    /// Whether Argo had done a step when it went past it, by what Argo asks for
    /// (argo-rollouts rollout/canary.go, `completedCurrentCanaryStep`). Otherwise a client raised the
    /// index, or Argo goes back within `rollbackWindow`.
    fn is_done(&self, index: u32, view: &View<'_>) -> bool {
        let plan = usize::try_from(index).ok().and_then(|index| view.progress.steps.get(index));
        let Some(plan) = plan else { return true };
        if self.running_step().is_none() && view.same_before().is_none() {
            // It was past it as it began.
            return false;
        }
        let of_step = |step: Option<u32>| step == Some(index);
        match plan.kind.as_str() {
            // A pause that stands there still was not waited out. It may have ended before
            // the operator first looked.
            "pause" => {
                let pause = self.pauses.iter().rfind(|pause| of_step(pause.step));
                let step = self.running_step().filter(|step| step.index == index);
                let unseen = step.is_none_or(|step| step.started.source == Source::Inferred);
                pause.map_or(unseen, |pause| pause.ended.is_some())
            }
            // Argo takes the status of the run away as it goes on.
            "analysis" => {
                let of_kind = |run: &&Analysis| run.kind == AnalysisKind::Step;
                let last = self.analyses.iter().rfind(|run| of_kind(run) && of_step(run.step));
                let stopped = last.is_some_and(|run| {
                    run.ended.is_some() && run.phase != AnalysisPhase::Successful
                });
                !view.progress.step_run && !stopped
            }
            "experiment" => {
                let last = self.experiments.iter().rfind(|it| of_step(it.step));
                last.is_none_or(|last| last.phase == AnalysisPhase::Successful)
            }
            "plugin" => {
                let said = view.progress.plugins.iter().rfind(|(of, _)| *of == index);
                said.is_none_or(|(_, successful)| *successful)
            }
            "setWeight" | "setCanaryScale" if !plan.setting.starts_with('0') => {
                let waits = view.look.replica_set.filter(|set| set.desired > Some(0));
                waits.is_none_or(|set| set.ready.max(set.available) > 0)
            }
            _ => true,
        }
    }

    /// Ends the running step.
    pub(super) fn end_step(&mut self, result: StepResult, at: Moment) {
        if self.running_step().is_none() {
            return;
        }
        let closed = self.next_closed();
        if let Some(step) = self.steps.last_mut() {
            step.ended = Some(at.not_before(step.started.at));
            step.result = result;
            step.closed = Some(closed);
        }
    }

    /// Adds a step; false if nothing more has to be said of any later one.
    fn add_step(
        &mut self,
        index: u32,
        result: StepResult,
        started: Moment,
        ended: Option<Moment>,
        view: &View<'_>,
    ) -> bool {
        if self.steps.len() >= STEPS {
            return self.cut(&("step", index));
        }
        let plan = view.progress.steps.get(index as usize);
        let closed = ended.map(|_| self.next_closed());
        self.steps.push(Step {
            index,
            kind: plan.map(|plan| clean(&plan.kind, KIND)).unwrap_or_default(),
            setting: plan.map(|plan| clean(&plan.setting, SETTING)).unwrap_or_default(),
            started,
            ended: ended.map(|ended| ended.not_before(started.at)),
            result,
            closed,
        });
        true
    }
}
