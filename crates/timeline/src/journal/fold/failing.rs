//! Why an attempt does not get on. While it is under way this is evidence, which the pods take
//! back when they are ready; Argo's abort makes it the cause.

use jiff::Timestamp;

use super::super::Journal;
use super::super::of_analysis::of_analysis;
use super::View;
use super::clock::milliseconds;
use crate::base::{Phase, Turn};
use crate::failure;
use crate::failure::{AbortCause, Failure, FailureClass};
use crate::seen::{AnalysisKind, PodSeen};

/// argo-rollouts utils/conditions/conditions.go, `RolloutAbortedReason`.
const ABORTED: &str = "RolloutAborted";

impl Journal {
    /// Looks at all pods of the attempt's ReplicaSet that are known.
    pub fn pods_seen(&mut self, pods: &[&PodSeen], now: Timestamp) -> Turn {
        self.turn(|journal| journal.take_in_pods(pods, now))
    }

    pub(super) fn take_in_pods(&mut self, pods: &[&PodSeen], now: Timestamp) {
        // Pods that go down after the end tell nothing about the reason for it.
        if self.open() {
            let now = milliseconds(now);
            let mut left = pods.iter().filter(|pod| pod.deleted.is_none()).peekable();
            match failure::of_pods(pods, now) {
                Some(found) => self.weigh(found),
                None if left.peek().is_some() && left.all(|pod| pod.ready) => {
                    self.take_back(is_of_pods);
                }
                None => {}
            }
        }
        if self.root_closed.is_none() {
            self.decide(milliseconds(now));
        }
    }

    pub(super) fn weigh_replica_set(&mut self, view: &View<'_>) {
        let Some(set) = view.look.replica_set else { return };
        match failure::of_replica_set(set, view.now) {
            Some(found) => self.weigh(found),
            None => self.take_back(is_of_replica_set),
        }
    }

    /// An analysis has ended. It may be told after the abort that it was the reason for.
    pub(super) fn weigh_analysis(&mut self, index: usize) {
        let Some(analysis) = self.analyses.get(index) else { return };
        let Some(found) = of_analysis(analysis) else { return };
        let cause = self.failure.as_ref().and_then(|failure| failure.cause);
        if self.open() || self.waits_for_blame() {
            self.weigh(found);
        } else if self.phase == Phase::Aborted && cause == cause_of(analysis.kind) {
            // It tells more exactly what Argo said of it.
            self.failure = failure::decide(Some(found), self.failure.take());
        }
    }

    /// The latest evidence is kept, unless what is known explains it.
    fn weigh(&mut self, found: Failure) {
        let found = Failure { cause: None, ..found };
        self.failure = Some(match self.failure.take() {
            Some(known) if known.class < found.class => known,
            // Seen again: the first time counts.
            Some(known) if known.class == found.class => Failure { at: known.at, ..found },
            _ => found,
        });
    }

    /// What such evidence told is over.
    fn take_back(&mut self, is_such: fn(&Failure) -> bool) {
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
            self.failure = failure::decide(evidence, Some(argo));
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
            self.failure = failure::decide(self.failure.take(), argo);
        }
    }
}

/// Ready pods prove the opposite of all that keeps pods from being ready.
fn is_of_pods(failure: &Failure) -> bool {
    failure.class < FailureClass::AnalysisFailed || failure.class == FailureClass::Unknown
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
            pod: None,
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
        };
        for (class, stays) in [
            (FailureClass::ImagePullFailed, false),
            (FailureClass::QuotaExceeded, false),
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
