//! What goes wrong with a revision, and what Argo makes of it.

use timeline::Observation;
use timeline::base::Phase;
use timeline::failure::FailureClass;
use timeline::journal::StepResult;
use timeline::seen::{AnalysisKind, AnalysisPhase, Strategy, Terminated};

use super::{Argo, Plan, condition, whole};

impl Argo {
    /// Whether pods of a hash never get ready.
    pub(super) fn never_starts(&self, hash: &str) -> bool {
        self.broken.contains(hash) || hash.starts_with('m')
    }

    /// Argo says that it waits for too long, and goes on waiting (`progressDeadlineAbort: false`).
    pub(crate) fn stalls(&mut self) -> &mut Self {
        let hash = self.current();
        let waits = self.sets.get(&hash).is_some_and(|set| set.available == 0);
        let goes_on = self.exists && !self.rollout.abort && self.open().is_some();
        if !goes_on || !waits || self.says.is_some() {
            return self;
        }
        let name = &self.rollout.key.name;
        let words = format!("ReplicaSet \"{name}-{hash}\" has timed out progressing.");
        let stalled = condition(Some(false), "ProgressDeadlineExceeded", &words, self.now);
        self.rollout.progress.progressing = Some(stalled);
        self.says = Some(FailureClass::DeadlineExceeded);
        self.write();
        self
    }

    /// Pods have got ready, and Argo goes on.
    pub(super) fn progresses(&mut self) {
        if self.says == Some(FailureClass::DeadlineExceeded) {
            let now = self.now;
            let progresses = condition(Some(true), "ReplicaSetUpdated", "", now);
            self.rollout.progress.progressing = Some(progresses);
            self.says = None;
            self.write();
        }
    }

    /// A person breaks the strategy: Argo refuses the spec and does nothing more.
    pub(crate) fn refuses(&mut self) -> &mut Self {
        if !self.moves() || self.trouble.contains_key(&self.current()) || self.says.is_some() {
            return self;
        }
        let name = self.rollout.key.name.clone();
        let words = format!("The Rollout \"{name}\" is invalid: AnalysisTemplate 'no' not found");
        self.rollout.progress.invalid_spec = Some(words);
        self.says = Some(FailureClass::InvalidSpec);
        self.write();
        self
    }

    /// A person mends the strategy.
    pub(crate) fn accepts(&mut self) -> &mut Self {
        if self.exists && self.rollout.progress.invalid_spec.take().is_some() {
            self.says = None;
            self.write();
        }
        self
    }

    /// The pods run out of memory again and again, and are up at this moment.
    pub(crate) fn crashes(&mut self) -> &mut Self {
        let hash = self.current();
        if !self.moves() || self.never_starts(&hash) {
            return self;
        }
        self.pods_get_ready();
        for restarts in 1..=4 {
            for ready in [false, true] {
                self.wait(5);
                let now = Some(whole(self.now));
                for mut pod in self.pods_of(&hash) {
                    pod.turned = now;
                    let container = &mut pod.containers[0];
                    (pod.ready, container.ready, container.running) = (ready, ready, ready);
                    container.restarts = restarts;
                    let started = container.since.take();
                    container.since = now.filter(|_| ready);
                    if !ready {
                        container.terminated = Some(Terminated {
                            exit_code: 137,
                            reason: "OOMKilled".to_owned(),
                            message: String::new(),
                            started,
                            finished: now,
                        });
                    }
                    self.put_pod(pod);
                }
                // The ReplicaSet counts them within a moment; they do not crash as one.
                if let Some(set) = self.sets.get_mut(&hash) {
                    set.ready = if ready { 2 } else { 1 };
                    set.available = set.ready;
                    let set = set.clone();
                    self.put(Observation::ReplicaSet(set));
                    self.shortly();
                }
            }
        }
        self.trouble.insert(hash, FailureClass::OutOfMemory);
        self.crashed = Some(self.now);
        self
    }

    /// A node loses a pod; another one takes its place, if there is room.
    pub(crate) fn evicts(&mut self, replaced: bool) -> &mut Self {
        let hash = self.current();
        let there = self.sets.get(&hash).is_some_and(|set| set.available == 2)
            && !self.trouble.contains_key(&hash);
        let Some(pod) = self.pods_of(&hash).pop().filter(|_| there && self.moves()) else {
            return self;
        };
        let mut lost = pod.clone();
        (lost.ready, lost.over) = (false, true);
        lost.failed = Some(("Evicted".to_owned(), "The node was low on resource".to_owned()));
        (lost.containers[0].ready, lost.containers[0].running) = (false, false);
        self.trouble.insert(hash.clone(), FailureClass::Unschedulable);
        self.put_pod(lost);
        self.available(&hash, 1);
        self.wait(3);
        let mut other = pod;
        other.key.name = format!("{}-r", other.key.name).into();
        other.uid = format!("{}-r", other.uid).into();
        (other.created, other.turned) = (Some(whole(self.now)), Some(whole(self.now)));
        if replaced {
            self.put_pod(other);
            self.available(&hash, 2);
            self.trouble.remove(&hash);
        } else {
            other.ready = false;
            other.unscheduled = Some(("Unschedulable".to_owned(), "no node has room".to_owned()));
            (other.containers[0].ready, other.containers[0].running) = (false, false);
            self.put_pod(other);
        }
        self
    }

    /// A person asks for the whole promotion, then for an abort, which Argo ignores.
    pub(crate) fn loses_abort(&mut self) -> &mut Self {
        let hash = self.current();
        if !self.moves() || self.never_starts(&hash) || self.strategy == Strategy::BlueGreen {
            return self;
        }
        self.rollout.progress.promote_full = true;
        self.write();
        self.steps_are_skipped();
        let progress = &mut self.rollout.progress;
        progress.pauses.clear();
        progress.controller_pause = false;
        progress.step = Some(progress.step_count);
        self.write();
        self.wait(2);
        self.rollout.abort = true;
        self.kinds.insert("an abort that Argo ignores");
        self.write();
        self.rollout.abort = false;
        self.write();
        self.wait(5);
        self.pods_get_ready();
        self.promotes()
    }

    /// `rollbackWindow`: what was live before becomes so without any step.
    pub(crate) fn returns_to(&mut self, hash: &str) -> &mut Self {
        let uid = self.rollout.uid.clone();
        let was_live = self
            .truth
            .iter()
            .any(|it| it.is_of(&uid) && it.identity.hash == hash && it.outcome == Phase::Promoted);
        let stable = self.rollout.stable_hash.as_deref() == Some(hash) || !self.exists;
        if !was_live || stable || self.is(hash) || self.strategy == Strategy::BlueGreen {
            return self;
        }
        self.undo(hash);
        self.steps_are_skipped();
        self.rollout.progress.step = Some(self.rollout.progress.step_count);
        self.write();
        self.wait(2);
        self.rollout.abort = true;
        self.kinds.insert("an abort that Argo ignores");
        self.write();
        self.rollout.abort = false;
        self.write();
        self.pods_get_ready();
        self.promotes()
    }

    pub(super) fn steps_to_analysis(&mut self) {
        for _ in 0..self.plan.len() {
            let step = self.rollout.progress.step.map(|step| step as usize);
            if matches!(step.and_then(|step| self.plan.get(step)), Some(Plan::Weight(_))) {
                self.step();
            }
        }
    }

    /// A person does not wait for the analysis of a step.
    pub(crate) fn skips(&mut self) -> &mut Self {
        self.steps_to_analysis();
        let step = self.rollout.progress.step.map(|step| step as usize);
        let plan = step.and_then(|step| self.plan.get(step));
        if !self.moves() || plan != Some(&Plan::Analysis) || self.never_starts(&self.current()) {
            return self;
        }
        self.pods_get_ready();
        self.analyses(AnalysisKind::Step, AnalysisPhase::Running);
        self.write();
        self.wait(3);
        self.step_is(StepResult::Skipped);
        self.kinds.insert("a step is skipped");
        let progress = &mut self.rollout.progress;
        progress.step = progress.step.map(|step| step + 1);
        self.write();
        self.stop_runs();
        self.rollout.progress.step_run = false;
        self.write();
        self
    }

    /// Pods of what is stable get ready, and some traffic goes back to them.
    pub(crate) fn shifts_back(&mut self, percent: u32) -> &mut Self {
        let left = self.weight_of.clone();
        let was = self.rollout.progress.weight.unwrap_or(0);
        let stands = self.exists && self.slow && percent < was;
        // It is that of a revision that is stopped, or was left.
        if stands && (self.rollout.abort || left.as_deref() != Some(self.current().as_str())) {
            self.rollout.progress.weight = Some(percent);
            self.write();
            if percent == 0 {
                self.available(&left.unwrap_or_default(), 0);
            }
        }
        self
    }
}
