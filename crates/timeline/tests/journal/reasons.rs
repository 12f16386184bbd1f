//! Why an attempt does not get on: evidence while it is under way, and what is left of it after.

use timeline::base::{Phase, Turn};
use timeline::failure::{AbortCause, FailureClass};
use timeline::seen::{
    AnalysisKind, AnalysisPhase, AnalysisRunSeen, ContainerSeen, PauseKind, PodSeen, RolloutSeen,
    Terminated,
};
use timeline::{Key, journal::Journal};

use crate::evidence::run;
use crate::story::{Story, condition, floor};

const TIMED_OUT: &str = "ReplicaSet \"cart-b\" has timed out progressing.";

fn pod(containers: Vec<ContainerSeen>) -> PodSeen {
    PodSeen {
        key: Key::new("ns", "cart-b-1"),
        replica_set_uid: "uid-of-b".into(),
        containers,
        ..PodSeen::default()
    }
}

fn cart() -> ContainerSeen {
    ContainerSeen { name: "cart".to_owned(), ..ContainerSeen::default() }
}

fn creating() -> PodSeen {
    let waiting = Some(("ContainerCreating".to_owned(), String::new()));
    pod(vec![ContainerSeen { waiting, ..cart() }])
}

fn ready() -> PodSeen {
    let container = ContainerSeen { ready: true, running: true, ..cart() };
    PodSeen { ready: true, ..pod(vec![container]) }
}

impl Story {
    fn pods(mut self, pods: &[PodSeen]) -> Self {
        let pods: Vec<_> = pods.iter().collect();
        let now = self.now;
        self.turn = self.journal_mut().pods_seen(&pods, now);
        self
    }

    /// A pod that runs and has not been ready since it began just now.
    fn starting(&self) -> PodSeen {
        let now = Some(floor(self.now));
        PodSeen { turned: now, ..pod(vec![ContainerSeen { running: true, since: now, ..cart() }]) }
    }

    /// A pod that is ready again `up` seconds after it ran out of memory.
    fn out_of_memory(&self, restarts: i32, up: i64) -> PodSeen {
        let finished = Some(self.now - jiff::SignedDuration::from_secs(up));
        let terminated = Terminated {
            exit_code: 137,
            reason: "OOMKilled".to_owned(),
            finished,
            ..Terminated::default()
        };
        let mut pod = ready();
        let terminated = Some(terminated);
        pod.containers[0] = ContainerSeen { restarts, terminated, ..pod.containers[0].clone() };
        pod
    }

    fn says(self, reason: &str, message: &str) -> Self {
        let at = floor(self.now);
        self.version(|it| it.progress.progressing = Some(condition(reason, message, at)))
    }

    fn refuses(self, words: Option<&str>) -> Self {
        let words = words.map(|words| format!("The Rollout \"cart\" is invalid: {words}"));
        self.version(|rollout| rollout.progress.invalid_spec = words)
    }

    fn is(self, expected: &str) -> Self {
        assert_eq!(said(self.journal()), expected);
        self
    }
}

/// Phase, class and cause.
fn said(journal: &Journal) -> String {
    let failure = journal.failure.as_ref();
    let class = failure.map_or("-".to_owned(), |failure| failure.class.to_string());
    let cause = failure.and_then(|failure| failure.cause);
    format!("{:?} {class} {}", journal.phase, cause.map_or("-".to_owned(), |it| format!("{it:?}")))
}

fn begun() -> Story {
    Story::canary().after(10).applies("b").after(1)
}

#[test]
fn a_deadline_that_aborts_nothing_is_shown_and_taken_back_with_progress() {
    let story = begun().after(60).says("ProgressDeadlineExceeded", TIMED_OUT);
    let story = story.is("Progressing DeadlineExceeded -");
    assert_eq!(story.turn, Turn::Vital);
    let at = story.journal().failure.clone().unwrap().at;
    let story = story.after(5).version(|rollout| rollout.progress.replicas = Some(4));
    assert_eq!(story.journal().failure.clone().unwrap().at, at, "it is the same one");
    story.says("ReplicaSetUpdated", "ReplicaSet \"cart-b\" is progressing.").is("Progressing - -");
}

#[test]
fn a_deadline_that_passed_is_why_a_person_stopped_it() {
    let overdue = begun().pods(&[creating()]).after(60).says("ProgressDeadlineExceeded", TIMED_OUT);
    let asked = overdue.clone().after(3).version(|rollout| rollout.abort = true);
    for stopped in [overdue.clone().aborted(""), asked.after_ms(100).aborted("")] {
        stopped.available(0).waits_until_due().is("Aborted DeadlineExceeded Manual");
    }
    // Pods go before it, also those that only run: Argo says that they had their time.
    let pods = overdue.starting();
    overdue.pods(&[pods]).version(|_| {}).aborted("").is("Aborted ProbeFailed Manual");
    // Without it they are no reason to stop.
    let story = begun();
    let pods = story.starting();
    story.pods(&[pods]).aborted("").is("Aborted ManualAbort Manual");
    // One that was over again is none either.
    let story = begun().after(60).says("ProgressDeadlineExceeded", TIMED_OUT).after(5);
    let story = story.says("ReplicaSetUpdated", "ReplicaSet \"cart-b\" is progressing.");
    story.aborted("").is("Aborted ManualAbort Manual");
}

#[test]
fn a_deadline_is_explained_by_pods_that_run_and_are_not_ready_however_short_it_was() {
    let why = ": ReplicaSet \"cart-b\" has timed out progressing.";
    let story = begun();
    let pods = story.starting();
    let story = story.pods(&[pods]).after(8).is("Progressing - -");
    story.aborted(why).is("Aborted ProbeFailed Deadline");
    begun().pods(&[creating()]).after(8).aborted(why).is("Aborted DeadlineExceeded Deadline");
}

#[test]
fn what_argo_said_last_is_kept_by_an_attempt_that_is_replaced() {
    let overdue = begun().after(60).says("ProgressDeadlineExceeded", TIMED_OUT);
    // It names the next ReplicaSet before it turns to it.
    let next = |story: Story| {
        let made = "Created new replica set \"cart-c\"";
        let story = story.after(5).says("NewReplicaSetCreated", made);
        let story = story.version(|rollout| rollout.progress.invalid_spec = None).applies("c");
        story.journals[story.journals.len() - 2].clone()
    };
    assert_eq!(said(&next(overdue)), "Superseded DeadlineExceeded -");
    let refused = begun().reaches(1).refuses(Some("spec.strategy: no such template"));
    assert_eq!(said(&next_of_invalid(refused)), "Superseded InvalidSpec -");
}

/// Argo takes the condition away in the version that turns to the next hash.
fn next_of_invalid(story: Story) -> Journal {
    let story = story.after(20).version(|rollout| rollout.progress.up_to_date = false);
    let story = story.says("NewReplicaSetCreated", "Created new replica set \"cart-c\"");
    let hash = |rollout: &mut RolloutSeen| {
        rollout.progress.invalid_spec = None;
        rollout.progress.up_to_date = true;
        rollout.revision = Some(3);
        rollout.current_hash = Some("c".into());
    };
    let story = story.version(hash);
    story.journals[story.journals.len() - 2].clone()
}

#[test]
fn a_spec_that_argo_refuses_is_shown_as_long_as_it_does() {
    let refused = begun().reaches(1).refuses(Some("spec.strategy.steps: no template 'no-such'"));
    let refused = refused.is("Progressing InvalidSpec -");
    let reason = refused.journal().failure.clone().unwrap().reason;
    assert_eq!(reason, "InvalidSpec: spec.strategy.steps: no template 'no-such'");
    assert_eq!(refused.turn, Turn::Vital);
    refused.clone().after(5).refuses(None).is("Progressing - -");
    refused.clone().after(5).refuses(None).aborted("").is("Aborted ManualAbort Manual");
    refused.clone().aborted("").is("Aborted InvalidSpec Manual");
    // The pods are ready all the while: they say nothing about the spec.
    refused.clone().pods(&[ready()]).is("Progressing InvalidSpec -");
    // What else is wrong is not mended before the spec is.
    let pull = Some(("ErrImagePull".to_owned(), "not found".to_owned()));
    let pull = pod(vec![ContainerSeen { waiting: pull, ..cart() }]);
    refused.pods(&[pull]).is("Progressing InvalidSpec -");
}

#[test]
fn a_condition_of_another_attempt_blames_no_other() {
    // The deadline of the one before, until this one progresses.
    let story = Story::canary().after(10).says("ProgressDeadlineExceeded", TIMED_OUT).after(60);
    let story = story.applies("b");
    let old = floor(story.now - jiff::SignedDuration::from_secs(60));
    let kept = condition("ProgressDeadlineExceeded", "Rollout \"cart\" has timed out", old);
    story.version(|rollout| rollout.progress.progressing = Some(kept)).is("Progressing - -");
    for message in [
        "Failed to create new replica set \"cart-c\": pods \"x\" is forbidden: exceeded quota: q",
        "Failed to create new replica set \"cart-bb\": denied",
    ] {
        begun().says("ReplicaSetCreateError", message).is("Progressing - -");
    }
    let ours =
        "Failed to create new replica set \"cart-b\": exceeded quota: small, requested: pods=1";
    let story = begun().says("ReplicaSetCreateError", ours).is("Progressing QuotaExceeded -");
    story
        .after(9)
        .version(|rollout| rollout.progress.replicas = Some(1))
        .is("Progressing QuotaExceeded -");
}

#[test]
fn a_successor_that_argo_aborts_for_the_old_deadline_has_passed_a_deadline() {
    let story = begun().refuses(Some("x")).after(600).refuses(None);
    let why = ": Rollout \"cart\" has timed out progressing.";
    story.applies("c").aborted(why).is("Aborted DeadlineExceeded Deadline");
}

#[test]
fn pods_that_crash_again_and_again_are_evidence_while_they_happen_to_be_ready() {
    let story = begun();
    let crashed = story.out_of_memory(3, 2);
    let story = story.pods(std::slice::from_ref(&crashed)).is("Progressing OutOfMemory -");
    assert!(story.journal().due().is_some(), "time alone takes it back");
    story.clone().aborted("").is("Aborted OutOfMemory Manual");
    // Up for longer than the back-off of 40 s.
    story.clone().after(45).pods(std::slice::from_ref(&crashed)).is("Progressing - -");
    let story = story.after(45).pods(&[crashed]).aborted("").is("Aborted ManualAbort Manual");
    assert_eq!(story.journal().failure.clone().unwrap().pod, None);
    // Once at the beginning: what it waits for was late.
    let story = begun();
    let once = story.out_of_memory(1, 20);
    story.pods(&[once]).aborted("").is("Aborted ManualAbort Manual");
}

#[test]
fn a_pod_that_was_evicted_and_replaced_does_not_explain_an_abort_by_hand() {
    let mut evicted = pod(vec![cart()]);
    (evicted.over, evicted.key.name) = (true, "cart-b-0".into());
    evicted.failed = Some(("Evicted".to_owned(), "The node was low on resource".to_owned()));
    let story = begun().pods(&[evicted.clone(), creating()]).is("Progressing Unschedulable -");
    let at = story.journal().failure.clone().unwrap().at;
    let mut running = story.starting();
    running.key = creating().key;
    let story = story.after(2).pods(&[evicted.clone(), running]).is("Progressing Unschedulable -");
    assert_eq!(story.journal().failure.clone().unwrap().at, at);
    story
        .pods(&[evicted, ready()])
        .is("Progressing - -")
        .aborted("")
        .is("Aborted ManualAbort Manual");
}

#[test]
fn a_quota_that_forbids_the_last_pod_is_not_taken_back_by_those_that_are_ready() {
    let mut story = begun();
    let refused = "pods \"x\" is forbidden: exceeded quota: small, requested: pods=1, used: 5";
    for set in story.sets.iter_mut().filter(|set| set.hash == "b") {
        set.failure = Some(("FailedCreate".to_owned(), refused.to_owned()));
    }
    let story = story.version(|_| {}).is("Progressing QuotaExceeded -");
    let at = story.journal().failure.clone().unwrap().at;
    let mut story =
        story.after(5).pods(&[ready()]).version(|_| {}).is("Progressing QuotaExceeded -");
    assert_eq!((story.journal().failure.clone().unwrap().at, story.turn), (at, Turn::Same));
    for set in &mut story.sets {
        set.failure = None;
    }
    story.version(|_| {}).is("Progressing - -");
}

#[test]
fn what_kept_containers_from_being_started_is_over_when_they_run() {
    let pull = Some(("ImagePullBackOff".to_owned(), "not found".to_owned()));
    let pull = pod(vec![ContainerSeen { waiting: pull, ..cart() }]);
    let story = begun().pods(&[pull]).is("Progressing ImagePullFailed -").after(20);
    let runs = story.starting();
    let story = story.pods(std::slice::from_ref(&runs)).is("Progressing - -");
    story.after(40).pods(&[runs]).is("Progressing ProbeFailed -");
}

#[test]
fn pods_that_only_start_are_not_worth_a_write() {
    let story = begun();
    let pod = story.starting();
    let story = story.pods(std::slice::from_ref(&pod)).is("Progressing - -");
    assert_eq!(story.turn, Turn::Same);
    let due = story.journal().due().unwrap();
    assert_eq!(due.duration_since(story.now).as_secs(), 15, "its Events are read before that");
    let story = story.after(31).pods(&[pod]).is("Progressing ProbeFailed -");
    assert_eq!(story.turn, Turn::Moved);
    story.pods(&[ready()]).is("Progressing - -");
}

#[test]
fn an_analysis_that_a_person_accepted_is_no_reason_any_more() {
    for kind in [AnalysisKind::Step, AnalysisKind::Background] {
        let story = begun().available(1).reaches(1).after(5);
        let mut run = run("cart-b-2-1", kind, story.now);
        (run.phase, run.completed) = (AnalysisPhase::Inconclusive, Some(floor(story.now)));
        let paused = story.analysed(&run).paused(PauseKind::InconclusiveAnalysis);
        let paused = paused.is("Progressing AnalysisInconclusive -").after(60);
        paused.clone().aborted("").is("Aborted AnalysisInconclusive Manual");
        let accepted = paused.promoted_by_hand().is("Progressing - -");
        accepted.clone().analysed(&run).version(|_| {}).is("Progressing - -");
        // The next one has not been accepted.
        let later = accepted.clone().after(20);
        let next = AnalysisRunSeen {
            uid: "uid-of-next".to_owned(),
            kind: AnalysisKind::Background,
            step: None,
            completed: Some(floor(later.now)),
            ..run
        };
        let later = later.analysed(&next).paused(PauseKind::InconclusiveAnalysis);
        later.is("Progressing AnalysisInconclusive -");
        accepted.after(20).aborted("").is("Aborted ManualAbort Manual");
    }
}

#[test]
fn a_promoted_attempt_keeps_no_class_whatever_says_that_it_was_promoted() {
    let story = begun();
    let crashed = story.out_of_memory(3, 2);
    let mut story = story.pods(std::slice::from_ref(&crashed));
    let mut over = story.journal().clone();
    over.ended_as(Phase::Promoted, timeline::base::Moment::status(story.now), story.now);
    assert_eq!(said(&over), "Promoted - -");
    story = story.reaches(4).promoted().is("Promoted - -");
    story.pods(&[crashed]).is("Promoted - -");
}

#[test]
fn after_the_end_only_the_cause_is_added() {
    let story = begun();
    let crashed = story.out_of_memory(3, 2);
    let stopped = story.pods(&[crashed]).version(|rollout| {
        (rollout.abort, rollout.aborted_at) = (true, None);
    });
    let pull = Some(("ErrImagePull".to_owned(), "not found".to_owned()));
    let pull = pod(vec![ContainerSeen { waiting: pull, ..cart() }]);
    let stopped = stopped.after(1).aborted("").pods(&[pull]).refuses(Some("x"));
    let failure = stopped.journal().failure.clone().unwrap();
    assert_eq!(
        (failure.class, failure.cause),
        (FailureClass::OutOfMemory, Some(AbortCause::Manual))
    );
}

#[test]
fn events_are_read_where_pods_are_silent_and_nothing_better_is_known() {
    let story = begun().pods(&[creating()]);
    assert!(!story.journal().wants_events(story.now), "it has just begun");
    let due = story.journal().due().unwrap();
    assert_eq!(due.duration_since(story.now).as_secs(), 15);
    let story = story.after(15).pods(&[creating()]);
    assert!(story.journal().wants_events(story.now));
    let due = story.journal().due().unwrap();
    assert_eq!(due.duration_since(story.now).as_secs(), 15, "and again, later each time");
    let mut stuck = creating();
    stuck.event = Some(("FailedMount".to_owned(), "secret \"cart-tls\" not found".to_owned()));
    let story = story.pods(&[stuck]).is("Progressing VolumeFailed -");
    assert!(!story.journal().wants_events(story.now));
    let story = story.after(5).pods(&[ready()]).is("Progressing - -");
    assert!(!story.journal().wants_events(story.now));
}
