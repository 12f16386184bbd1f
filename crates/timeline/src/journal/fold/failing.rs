//! Why an attempt does not get on. While it is under way this is evidence, which is taken back when
//! what said it says it no longer; Argo's abort makes it the cause.

use jiff::{SignedDuration, Timestamp};

use super::super::of_analysis::of_analysis;
use super::super::{Analysis, Journal, ResumedBy};
use super::View;
use super::clock::{SECOND, milliseconds, not_after};
use crate::base::{Phase, Turn};
use crate::failure::{self, AbortCause, Failure, FailureClass, PodsSaid};
use crate::seen::{AnalysisKind, PauseKind, PodSeen};

/// argo-rollouts utils/conditions/conditions.go, `RolloutAbortedReason`.
const ABORTED: &str = "RolloutAborted";
/// Pods that are not ready and do not say why are given this long before their Events are read.
const SILENCE: SignedDuration = SignedDuration::from_secs(15);

impl Journal {
    /// Looks at all pods of the attempt's ReplicaSet that are known.
    pub fn pods_seen(&mut self, pods: &[&PodSeen], now: Timestamp) -> Turn {
        self.turn(|journal| journal.take_in_pods(pods, now))
    }

    pub(super) fn take_in_pods(&mut self, pods: &[&PodSeen], now: Timestamp) {
        // Pods that go down after the end say nothing about the reason for it.
        if self.open() {
            let now = milliseconds(now);
            self.weigh_pods(failure::of_pods(pods, now), now);
        }
        if self.root_closed.is_none() {
            self.decide(milliseconds(now));
        }
    }

    fn weigh_pods(&mut self, said: PodsSaid, now: Timestamp) {
        let known = self.failure.as_ref().map(|failure| failure.class);
        let again = said.failure.as_ref().is_some_and(|found| known == Some(found.class));
        if said.ready {
            self.take_back(|failure| failure.pod.is_some());
        } else if said.running && !again {
            self.take_back(keeps_from_running);
        }
        if let Some(found) = said.failure {
            self.weigh(found);
        }
        self.memory.starting = said.starting;
        self.memory.silent_since = said.silent.then(|| self.memory.silent_since.unwrap_or(now));
        let silent = self.memory.silent_since.map(|since| next_question(since, now));
        self.memory.look_again = said.until.into_iter().chain(silent).filter(|at| *at > now).min();
    }

    /// Forgets when its pods were to be looked at again: the process that saw them last is gone.
    pub(crate) fn forget_pods(&mut self) {
        self.memory.silent_since = None;
        self.memory.look_again = None;
    }

    /// Whether only an Event can say why the pods are not ready.
    pub fn wants_events(&self, now: Timestamp) -> bool {
        let silent = self.memory.silent_since;
        let silent = silent.is_some_and(|since| now.duration_since(since) >= SILENCE);
        let known = self.failure.as_ref().is_some_and(|known| rank(known) < rank_of_probes());
        self.open() && silent && !known
    }

    /// What the ReplicaSet says, and Argo, as long as each says it.
    pub(super) fn weigh_objects(&mut self, view: &View<'_>, over: bool) {
        let of_set = view.look.replica_set.and_then(|set| failure::of_replica_set(set, view.now));
        // Of an attempt that is over Argo's conditions say nothing more, or are about the next one.
        let concerns = view.ours && !over;
        let progress = view.progress;
        if view.ours && progress.up_to_date && progress.invalid_spec.is_none() {
            self.memory.template = progress.template.or(self.memory.template);
        }
        let argo = if concerns { self.said_by_argo(view) } else { None };
        let not_made = argo.as_ref().is_some_and(is_of_replica_set);
        if view.look.replica_set.is_some() && of_set.is_none() && !not_made {
            self.take_back(is_of_replica_set);
        }
        if concerns && self.is_about_us(view) {
            let class = argo.as_ref().map(|argo| argo.class);
            self.take_back(|known| is_of_argo(known) && Some(known.class) != class);
            self.memory.standing = None;
        }
        if concerns {
            self.take_back_accepted(view);
        }
        let overdue = argo.as_ref().is_some_and(|it| it.class == FailureClass::DeadlineExceeded);
        let starting = self.memory.starting.clone().filter(|_| overdue);
        for found in [of_set, argo.clone(), starting].into_iter().flatten() {
            self.weigh(found);
        }
        self.memory.standing = argo.or(self.memory.standing.take());
    }

    /// What Argo says of this attempt: a condition may be an earlier one's, or of a ReplicaSet that
    /// is only being made.
    fn said_by_argo(&self, view: &View<'_>) -> Option<Failure> {
        let found = failure::of_conditions(view.look.rollout, view.now)?;
        if found.class == FailureClass::InvalidSpec {
            // Argo gives a template that it refuses no hash: it is that of a revision to come.
            let known = self.memory.template.zip(view.progress.template);
            return known.is_none_or(|(ours, now)| ours == now).then_some(found);
        }
        let since = view.progress.progressing.as_ref().and_then(|condition| condition.since);
        let ours = since.is_none_or(|since| since.as_second() >= self.started.at.as_second());
        (ours && self.is_about_us(view)).then_some(found)
    }

    /// Whether the condition Progressing can be about this attempt: while Argo makes the next
    /// ReplicaSet, it names that one already.
    fn is_about_us(&self, view: &View<'_>) -> bool {
        // What stands beside a new template is left as it was: Argo has not looked at that yet.
        let template = self.memory.template.zip(view.progress.template);
        if template.is_some_and(|(ours, now)| ours != now) {
            return false;
        }
        let Some(condition) = &view.progress.progressing else { return true };
        let ends = |name: &str| {
            name.strip_suffix(&*self.identity.hash).is_some_and(|it| it.ends_with('-'))
        };
        failure::named_replica_set(&condition.message).is_none_or(ends)
    }

    /// Argo has gone on past an analysis that did not pass: a person accepted it.
    fn take_back_accepted(&mut self, view: &View<'_>) {
        if !self.failure.as_ref().is_some_and(is_judged) {
            return;
        }
        let accepted = |analysis: &&Analysis| self.is_accepted(analysis, view);
        let judged = self.analyses.iter().filter(|it| it.closed.is_some());
        let mut judged = judged.filter(|it| of_analysis(it).is_some()).peekable();
        if judged.peek().is_some() && judged.all(|analysis| accepted(&analysis)) {
            self.failure = None;
        }
    }

    fn is_accepted(&self, analysis: &Analysis, view: &View<'_>) -> bool {
        let of_step = matches!(analysis.kind, AnalysisKind::Step | AnalysisKind::Experiment);
        let passed = of_step && analysis.step.is_some() && view.progress.step > analysis.step;
        let Some(ended) = analysis.ended else { return false };
        let resumed = self.pauses.iter().any(|pause| {
            let asks = [PauseKind::InconclusiveAnalysis, PauseKind::InconclusiveExperiment];
            // Argo's times have no fraction.
            let after = pause.started.at.duration_since(ended.at) >= -SECOND;
            let by = pause.resumed_by.is_some_and(|by| by != ResumedBy::End);
            asks.contains(&pause.kind) && after && by
        });
        passed || resumed
    }

    /// An analysis has ended. It may be seen after the abort that it was the reason for.
    pub(super) fn weigh_analysis(&mut self, analysis: &Analysis) {
        let Some(found) = of_analysis(analysis) else { return };
        let cause = self.failure.as_ref().and_then(|failure| failure.cause);
        if self.open() || self.waits_for_blame() {
            self.weigh(found);
        } else if self.phase == Phase::Aborted && cause == cause_of(analysis.kind) {
            // It says more exactly what Argo said of it.
            self.failure = failure::decide(Some(found), self.failure.take());
        }
    }

    /// The latest evidence is kept, unless what is known explains it.
    fn weigh(&mut self, found: Failure) {
        let found = Failure { cause: None, ..found };
        self.failure = Some(match self.failure.take() {
            Some(known) if rank(&known) < rank(&found) => known,
            // Seen again: the first time counts.
            Some(known) if known.class == found.class => Failure { at: known.at, ..found },
            _ => found,
        });
    }

    /// What such evidence showed is over.
    fn take_back(&mut self, is_such: impl Fn(&Failure) -> bool) {
        if self.failure.as_ref().is_some_and(is_such) {
            self.failure = None;
        }
    }

    /// Argo says why it aborted, at the latest one version after a client asked for it. Until then
    /// every abort looks like one by hand.
    pub(super) fn blame(&mut self, view: &View<'_>) {
        let rollout = view.look.rollout;
        if !self.waits_for_blame() || !rollout.abort {
            return;
        }
        let Some(argo) = failure::of_argo(rollout, view.now) else { return };
        let condition = view.progress.progressing.as_ref();
        let said = condition.is_some_and(|condition| condition.reason == ABORTED);
        if said || argo.cause != Some(AbortCause::Manual) {
            let judged = self.analyses.iter().rev().filter(|it| cause_of(it.kind) == argo.cause);
            let judged = judged.filter(|it| it.closed.is_some()).find_map(of_analysis);
            let evidence = judged.or(self.failure.take());
            self.failure = self.explained(evidence, Some(argo));
        } else {
            self.memory.blamed = Some(argo);
        }
    }

    pub(super) fn waits_for_blame(&self) -> bool {
        let cause = self.failure.as_ref().and_then(|failure| failure.cause);
        self.phase == Phase::Aborted && cause.is_none()
    }

    /// The root closes, and Argo said no more than this.
    pub(super) fn give_up_blame(&mut self) {
        if self.waits_for_blame() {
            let argo = self.memory.blamed.take();
            let evidence = self.failure.take();
            self.failure = self.explained(evidence, argo);
        }
    }

    /// Evidence and Argo's abort as one failure. Pods that run and are not ready are no reason to
    /// stop, but they are one where Argo said before that it took too long.
    fn explained(&self, evidence: Option<Failure>, argo: Option<Failure>) -> Option<Failure> {
        let class = |failure: &Option<Failure>| failure.as_ref().map(|failure| failure.class);
        let cause = argo.as_ref().and_then(|argo| argo.cause);
        let overdue = class(&self.memory.standing) == Some(FailureClass::DeadlineExceeded);
        let starting = self.memory.starting.clone();
        match cause {
            Some(AbortCause::Deadline) => {
                let evidence = evidence.filter(|it| it.class != FailureClass::DeadlineExceeded);
                failure::decide(evidence.or(starting), argo)
            }
            Some(AbortCause::Manual | AbortCause::Unknown) if overdue => {
                let evidence = evidence.or(starting);
                let evidence = failure::decide(evidence, self.memory.standing.clone());
                evidence.map(|evidence| Failure { cause, ..evidence })
            }
            _ => failure::decide(evidence, argo),
        }
    }
}

/// An earlier one explains a later one. Before all goes a spec that Argo refuses: it does nothing
/// else until that is mended.
fn rank(failure: &Failure) -> (bool, FailureClass) {
    (failure.class != FailureClass::InvalidSpec, failure.class)
}

fn rank_of_probes() -> (bool, FailureClass) {
    (true, FailureClass::ProbeFailed)
}

/// When pods that have been silent since some time are asked about: after 15 seconds, and after
/// twice as long each time.
fn next_question(since: Timestamp, now: Timestamp) -> Timestamp {
    let mut wait = SILENCE;
    while not_after(since, wait) <= now && wait < SignedDuration::from_hours(24) {
        wait = wait.saturating_mul(2);
    }
    not_after(since, wait)
}

/// What pods say of containers that were not started, which those prove wrong that run.
fn keeps_from_running(failure: &Failure) -> bool {
    use FailureClass::{ContainerConfig, ImagePullFailed, Unschedulable, VolumeFailed};
    let classes = [ImagePullFailed, ContainerConfig, VolumeFailed, Unschedulable];
    failure.pod.is_some() && classes.contains(&failure.class)
}

fn is_of_argo(failure: &Failure) -> bool {
    let said = [FailureClass::InvalidSpec, FailureClass::DeadlineExceeded];
    failure.pod.is_none() && said.contains(&failure.class)
}

fn is_judged(failure: &Failure) -> bool {
    (FailureClass::AnalysisFailed..=FailureClass::ExperimentFailed).contains(&failure.class)
}

fn is_of_replica_set(failure: &Failure) -> bool {
    let refused =
        [FailureClass::QuotaExceeded, FailureClass::AdmissionRefused, FailureClass::Unknown];
    failure.pod.is_none() && refused.contains(&failure.class)
}

/// What Argo says if it acts upon such an analysis.
fn cause_of(kind: AnalysisKind) -> Option<AbortCause> {
    match kind {
        AnalysisKind::Step => Some(AbortCause::StepAnalysis),
        AnalysisKind::Background => Some(AbortCause::BackgroundAnalysis),
        AnalysisKind::PrePromotion => Some(AbortCause::PrePromotionAnalysis),
        AnalysisKind::PostPromotion => Some(AbortCause::PostPromotionAnalysis),
        AnalysisKind::Experiment => Some(AbortCause::Experiment),
        AnalysisKind::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AttemptId, Key, Moment};

    fn journal() -> Journal {
        let identity = AttemptId {
            rollout: Key::new("ns", "cart"),
            rollout_uid: "uid".into(),
            hash: "b".into(),
            revision: 2,
            number: 1,
        };
        Journal::begin(identity, Moment::observed(at(0)))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap_or_default()
    }

    fn found(class: FailureClass, second: i64) -> Failure {
        Failure {
            class,
            cause: None,
            reason: format!("{class:?} {second}"),
            message: String::new(),
            pod: (class < FailureClass::QuotaExceeded).then(|| "cart-b-1".to_owned()),
            container: None,
            image: None,
            at: Moment::observed(at(second)),
        }
    }

    #[test]
    fn the_latest_evidence_counts_unless_what_is_known_explains_it() {
        use FailureClass::{CrashLoop, ImagePullFailed, ProbeFailed};
        let mut journal = journal();
        let mut weighed = |class, second| {
            journal.weigh(found(class, second));
            journal.failure.clone().map(|failure| (failure.reason, failure.at.at))
        };
        let text = |text: &str, second| Some((text.to_owned(), at(second)));
        assert_eq!(weighed(CrashLoop, 1), text("CrashLoop 1", 1));
        assert_eq!(weighed(ProbeFailed, 2), text("CrashLoop 1", 1));
        // Its words are the latest, its time is the first.
        assert_eq!(weighed(CrashLoop, 3), text("CrashLoop 3", 1));
        assert_eq!(weighed(ImagePullFailed, 4), text("ImagePullFailed 4", 4));
    }

    #[test]
    fn ready_pods_take_back_what_kept_them_from_it_and_nothing_else() {
        let pod = PodSeen {
            key: Key::new("ns", "cart-b-1"),
            replica_set_uid: "uid-of-b".into(),
            deleted: None,
            ready: true,
            unscheduled: None,
            failed: None,
            containers: Vec::new(),
            ..PodSeen::default()
        };
        for (class, stays) in [
            (FailureClass::ImagePullFailed, false),
            (FailureClass::QuotaExceeded, true),
            (FailureClass::AnalysisFailed, true),
        ] {
            let mut journal = journal();
            journal.weigh(found(class, 1));
            assert_eq!(journal.pods_seen(&[], at(2)), Turn::Same);
            journal.pods_seen(&[&pod], at(2));
            assert_eq!(journal.failure.is_some(), stays, "{class:?}");
        }
    }

    #[test]
    fn pods_that_are_being_deleted_neither_blame_nor_take_back() {
        let pod = |ready, deleted: bool| PodSeen {
            key: Key::new("ns", format!("cart-b-{deleted}")),
            replica_set_uid: "uid-of-b".into(),
            deleted: deleted.then(|| at(2)),
            ready,
            unscheduled: None,
            failed: None,
            containers: Vec::new(),
            ..PodSeen::default()
        };
        let mut journal = journal();
        journal.weigh(found(FailureClass::ImagePullFailed, 1));
        journal.pods_seen(&[&pod(true, true)], at(2));
        assert!(journal.failure.is_some(), "a ready one goes");
        journal.pods_seen(&[&pod(true, false), &pod(false, true)], at(2));
        assert_eq!(journal.failure, None, "what is left is ready");
    }

    #[test]
    fn pods_that_go_down_after_the_end_change_nothing() {
        let mut journal = journal();
        journal.weigh(found(FailureClass::ImagePullFailed, 1));
        journal.finish(Phase::Aborted, Moment::observed(at(2)), None, false);
        let failure = journal.failure.clone();
        journal.pods_seen(&[], at(3));
        assert_eq!(journal.failure, failure);
    }
}
