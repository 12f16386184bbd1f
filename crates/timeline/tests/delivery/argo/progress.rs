//! How a revision gets on, and what people do to it.

use timeline::base::Phase;
use timeline::failure::AbortCause;
use timeline::journal::StepResult;
use timeline::seen::{AnalysisKind, AnalysisPhase, PauseKind, PauseSeen, Strategy};
use timeline::{Key, Kind, Observation};

use super::{Argo, Plan, condition, whole};

impl Argo {
    /// The step at hand is done, as far as it goes by itself.
    pub(crate) fn step(&mut self) -> &mut Self {
        let step = self.rollout.progress.step.filter(|_| self.moves());
        let Some(at) = step.map(|step| step as usize) else {
            return self;
        };
        let hash = self.current();
        if self.never_starts(&hash) || !self.rollout.progress.pauses.is_empty() {
            return self;
        }
        self.pods_get_ready();
        match self.plan.get(at).copied() {
            None => return self.promotes(),
            Some(Plan::Weight(percent)) => {
                if self.routed {
                    self.weighs(percent);
                    self.write();
                }
                self.wait(1);
            }
            Some(Plan::Pause(seconds)) => {
                let Some(seconds) = seconds else {
                    self.pauses(PauseKind::Manual);
                    return self;
                };
                self.pauses(PauseKind::Timed);
                self.wait(seconds);
            }
            Some(Plan::Analysis) => {
                self.analyses(AnalysisKind::Step, AnalysisPhase::Successful);
            }
            Some(Plan::Header | Plan::Mirror | Plan::Scale(_)) => drop(self.wait(1)),
        }
        self.goes_on();
        self
    }

    pub(super) fn pauses(&mut self, kind: PauseKind) {
        let progress = &mut self.rollout.progress;
        progress.pauses = vec![PauseSeen { kind, started: Some(whole(self.now)) }];
        progress.controller_pause = true;
        self.write();
        let paused = condition(None, "RolloutPaused", "Rollout is paused", self.now);
        self.rollout.progress.progressing = Some(paused);
        self.write();
    }

    /// The timer takes the pause away and goes to the next step in one version.
    pub(super) fn goes_on(&mut self) {
        let now = self.now;
        self.step_is(StepResult::Completed);
        let progress = &mut self.rollout.progress;
        progress.step = progress.step.map(|step| step + 1);
        progress.pauses.clear();
        progress.controller_pause = false;
        progress.step_run = false;
        progress.progressing = Some(condition(Some(true), "ReplicaSetUpdated", "", now));
        self.write();
    }

    /// A person promotes out of a pause.
    pub(crate) fn resume(&mut self) -> &mut Self {
        if !self.moves() || self.rollout.progress.pauses.is_empty() {
            return self;
        }
        self.rollout.progress.pauses.clear();
        self.write();
        let resumed = condition(None, "RolloutResumed", "Rollout is resumed", self.now);
        self.rollout.progress.progressing = Some(resumed);
        self.write();
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.controller_pause = false;
            return self;
        }
        self.goes_on();
        self
    }

    /// All steps until something waits for a person, and what follows.
    pub(crate) fn run(&mut self) -> &mut Self {
        for _ in 0..=self.plan.len() {
            self.step();
        }
        self
    }

    pub(super) fn promotes(&mut self) -> &mut Self {
        let hash = self.current();
        let was = self.rollout.stable_hash.replace(hash.into());
        self.rollout.completed = Some((true, whole(self.now)));
        self.ends(Phase::Promoted);
        self.stop_runs();
        self.rollout.progress.promote_full = false;
        self.rollout.progress.step_run = false;
        self.rollout.completed = Some((true, whole(self.now)));
        if self.routed {
            self.weighs(0);
        }
        self.write();
        self.wait(2);
        self.gets_healthy();
        if let Some(was) = was {
            self.available(&was, 0);
        }
        self
    }

    /// `promote --full`
    pub(crate) fn promote_full(&mut self) -> &mut Self {
        if !self.moves() || self.never_starts(&self.current()) {
            return self;
        }
        self.rollout.progress.promote_full = true;
        self.write();
        self.steps_are_skipped();
        let progress = &mut self.rollout.progress;
        progress.pauses.clear();
        progress.controller_pause = false;
        if self.strategy == Strategy::Canary {
            progress.step = Some(progress.step_count);
        }
        self.write();
        self.pods_get_ready();
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.active.clone_from(&self.rollout.current_hash);
            self.write();
        }
        self.promotes()
    }

    /// A person aborts: first they say so, then Argo acts on it.
    pub(crate) fn abort(&mut self) -> &mut Self {
        if !self.moves() {
            return self;
        }
        self.rollout.abort = true;
        self.write();
        self.aborts(AbortCause::Manual, "")
    }

    pub(super) fn aborts(&mut self, cause: AbortCause, why: &str) -> &mut Self {
        self.ends_for(Phase::Aborted, Some(cause));
        self.rollout.abort = true;
        self.rollout.aborted_at = Some(whole(self.now));
        let words = format!(
            "Rollout aborted update to revision {}{why}",
            self.rollout.revision.unwrap_or_default()
        );
        self.resets((self.strategy == Strategy::Canary).then_some(0));
        let aborted = condition(Some(false), "RolloutAborted", &words, self.now);
        self.rollout.progress.progressing = Some(aborted);
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.active.clone_from(&self.rollout.stable_hash);
        }
        self.write();
        self.stop_runs();
        self.wait(1);
        let hash = self.current();
        if !self.slow || self.rollout.progress.weight.unwrap_or(0) == 0 {
            self.available(&hash, 0);
        }
        self
    }

    /// Argo gives up, because nothing gets on.
    pub(crate) fn times_out(&mut self) -> &mut Self {
        if !self.moves() {
            return self;
        }
        let (name, hash) = (&self.rollout.key.name, self.current());
        let words = format!(": ReplicaSet \"{name}-{hash}\" has timed out progressing.");
        self.aborts(AbortCause::Deadline, &words)
    }

    pub(crate) fn retry(&mut self) -> &mut Self {
        if !self.exists || !self.rollout.abort || self.rollout.progress.invalid_spec.is_some() {
            return self;
        }
        self.rollout.abort = false;
        self.begins();
        self.write();
        let retried = condition(None, "RolloutRetry", "Retrying Rollout", self.now);
        self.rollout.progress.progressing = Some(retried);
        self.write();
        self.rollout.aborted_at = None;
        self.write();
        let hash = self.current();
        self.scales(&hash, 2);
        self.starts_pods();
        self
    }

    /// The Rollout goes, with all that it owns.
    pub(crate) fn delete(&mut self) -> &mut Self {
        if !self.exists {
            return self;
        }
        self.ends(Phase::Deleted);
        self.exists = false;
        let gone = |kind, keys: Vec<Key>| keys.into_iter().map(move |key| (kind, key));
        let sets = std::mem::take(&mut self.sets).into_values().map(|set| set.key).collect();
        let runs = std::mem::take(&mut self.runs).into_keys().collect();
        let pods = std::mem::take(&mut self.pods).into_keys().collect();
        let all = gone(Kind::Rollout, vec![self.rollout.key.clone()])
            .chain(gone(Kind::ReplicaSet, sets))
            .chain(gone(Kind::AnalysisRun, runs))
            .chain(gone(Kind::Pod, pods));
        for (kind, key) in all {
            self.put(Observation::Gone(kind, key));
            self.shortly();
        }
        let (now, uid) = (self.now, self.rollout.uid.clone());
        for tried in self.truth.iter_mut().filter(|it| it.is_of(&uid)) {
            tried.gone = Some(now);
        }
        self.trouble.clear();
        (self.says, self.weight_of) = (None, None);
        self.healthy.clear();
        self.hotfixes.clear();
        self.rollout.revision = None;
        self.rollout.current_hash = None;
        self.rollout.stable_hash = None;
        self
    }

    /// The image of this revision does not exist.
    pub(crate) fn cannot_pull(&mut self, hash: &str) -> &mut Self {
        self.broken.insert(hash.to_owned());
        self
    }

    /// Pods restart, people scale: nothing of it is an attempt.
    pub(crate) fn flaps(&mut self) -> &mut Self {
        if self.exists && self.rollout.current_hash.is_some() {
            self.rollout.progress.replicas = self.rollout.progress.replicas.map(|n| n % 5 + 1);
            self.write();
        }
        self
    }

    /// A blue-green Rollout gets on, until it waits for a person.
    pub(crate) fn previews(&mut self) -> &mut Self {
        let broken = self.never_starts(&self.current());
        if self.moves() && self.strategy == Strategy::BlueGreen && !broken {
            self.pods_get_ready();
            self.analyses(AnalysisKind::PrePromotion, AnalysisPhase::Successful);
            self.pauses(PauseKind::BlueGreen);
        }
        self
    }

    /// Argo points the active Service to the new revision, and looks how it does.
    pub(crate) fn switches(&mut self, outcome: AnalysisPhase) -> &mut Self {
        let waits = !self.rollout.progress.pauses.is_empty() || self.never_starts(&self.current());
        if !self.moves() || self.strategy != Strategy::BlueGreen || waits {
            return self;
        }
        self.pods_get_ready();
        self.rollout.progress.active.clone_from(&self.rollout.current_hash);
        self.write();
        self.analyses(AnalysisKind::PostPromotion, outcome);
        match outcome {
            AnalysisPhase::Successful => self.promotes(),
            _ => self.aborts(
                AbortCause::PostPromotionAnalysis,
                ": Blue/green post-promotion analysis phase error/failed: Metric \"rate\" assessed",
            ),
        }
    }
}
