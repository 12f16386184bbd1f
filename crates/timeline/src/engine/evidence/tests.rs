use super::*;
use crate::seen::{AnalysisKind, AnalysisPhase};

fn run(name: &str) -> AnalysisRunSeen {
    AnalysisRunSeen {
        key: Key::new("shop", name),
        uid: name.to_owned(),
        owner: EvidenceOwner::Experiment("cart-abc-2-3".to_owned(), "uid".to_owned()),
        revision: None,
        hash: None,
        kind: AnalysisKind::Experiment,
        step: None,
        phase: AnalysisPhase::Running,
        message: String::new(),
        created: None,
        started: None,
        completed: None,
        metrics: Vec::new(),
        metric_count: 0,
    }
}

fn experiment(name: &str, revision: i64) -> ExperimentSeen {
    ExperimentSeen {
        key: Key::new("shop", name),
        uid: "uid".to_owned(),
        owner: EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned()),
        revision: Some(revision),
        step: Some(3),
        phase: AnalysisPhase::Running,
        message: String::new(),
        created: None,
        available: None,
    }
}

#[test]
fn a_run_is_of_the_step_of_its_experiment_whichever_is_seen_first() {
    let experiment = experiment("cart-abc-2-3", 2);
    let rollout = Key::new("shop", "cart");
    let mut evidence = Evidence::default();
    assert_eq!(evidence.run(run("early")), None);
    assert_eq!(evidence.experiment(experiment), Some(rollout.clone()));
    assert_eq!(evidence.run(run("late")), Some(rollout.clone()));
    let runs = evidence.runs_of(&rollout);
    let steps: Vec<_> = runs.iter().map(|run| (&*run.key.name, run.step)).collect();
    assert_eq!(steps, [("early", Some(3)), ("late", Some(3))]);
}

#[test]
fn what_says_no_revision_is_kept_while_an_attempt_is_open() {
    let rollout = Key::new("shop", "cart");
    let mut evidence = Evidence::default();
    let owner = EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned());
    evidence.run(AnalysisRunSeen { owner, ..run("by-hash") });
    evidence.forget_until(&rollout, 1, true);
    assert_eq!(evidence.runs_of(&rollout).len(), 1);
    evidence.forget_until(&rollout, 2, false);
    assert!(evidence.runs.is_empty());
}

#[test]
fn the_run_that_failed_stays_however_many_passed() {
    let rollout = Key::new("shop", "cart");
    let mut evidence = Evidence::default();
    let of = |name: &str, revision, phase| {
        let owner = EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned());
        AnalysisRunSeen { owner, revision: Some(revision), phase, ..run(name) }
    };
    evidence.run(of("old-failure", 1, AnalysisPhase::Failed));
    evidence.run(of("a-failure", 2, AnalysisPhase::Failed));
    evidence.run(of("b-running", 2, AnalysisPhase::Running));
    for index in 0..200 {
        evidence.run(of(&format!("passed-{index}"), 2, AnalysisPhase::Successful));
    }
    evidence.run(of("z-failure", 2, AnalysisPhase::Error));
    let kept: Vec<_> = evidence.runs_of(&rollout).iter().map(|it| it.key.name.clone()).collect();
    assert_eq!(kept.len(), RUNS_OF_A_ROLLOUT);
    for (name, stays) in
        [("a-failure", true), ("z-failure", true), ("b-running", true), ("old-failure", false)]
    {
        assert_eq!(kept.iter().any(|kept| *kept == name), stays, "{name}");
    }
}

#[test]
fn runs_of_experiments_of_no_rollout_are_bounded_and_forgotten() {
    let mut evidence = Evidence::default();
    for index in 0..1000 {
        let owner = EvidenceOwner::Experiment(format!("alone-{index}"), "uid".to_owned());
        evidence.run(AnalysisRunSeen { owner, ..run(&format!("run-{index}")) });
    }
    assert_eq!((evidence.early.len(), evidence.runs.len()), (EARLY_RUNS, 0));
    for index in 0..1000 {
        evidence.run_gone(&Key::new("shop", format!("run-{index}")));
    }
    assert!(evidence.early.is_empty());
}

fn pod(name: &str, ready: bool) -> PodSeen {
    let waiting = (!ready).then(|| ("ErrImagePull".to_owned(), "not found ".repeat(90)));
    let container = crate::seen::ContainerSeen { waiting, ..Default::default() };
    PodSeen {
        key: Key::new("shop", name),
        uid: name.into(),
        replica_set_uid: "set".into(),
        ready,
        containers: vec![container],
        ..PodSeen::default()
    }
}

#[test]
fn the_pods_that_are_not_ready_are_kept_and_all_are_counted() {
    let mut evidence = Evidence::default();
    evidence.expect_pods(&"set".into());
    for index in 0..500 {
        evidence.pod(pod(&format!("cart-{index:04}"), true));
    }
    evidence.pod(pod("cart-0499", false));
    let said = |evidence: &Evidence| {
        let pods = evidence.pods_of("set");
        crate::failure::of_pods(&pods, Timestamp::UNIX_EPOCH).failure.unwrap().reason
    };
    assert!(said(&evidence).ends_with("(1 of 500 pods)"), "{}", said(&evidence));
    for index in 0..1200 {
        evidence.pod(pod(&format!("late-{index:04}"), index % 2 == 0));
    }
    let (count, unready) = (evidence.pods_of("set").len(), |pod: &&PodSeen| !pod.ready);
    let waiting = evidence.pods_of("set").into_iter().filter(unready).count();
    assert_eq!((count, waiting, evidence.set_of.len()), (PODS_OF_A_SET, 601, PODS_OF_A_SET));
    evidence.forget_pods("set");
    assert!(evidence.pods.is_empty() && evidence.set_of.is_empty());
}

#[test]
fn a_pod_that_is_seen_after_its_watch_has_ended_is_not_kept() {
    let mut evidence = Evidence::default();
    evidence.pod(pod("early", false));
    evidence.expect_pods(&"set".into());
    evidence.pod(pod("cart", false));
    evidence.forget_pods("set");
    evidence.pod(pod("late", false));
    assert!(evidence.pods.is_empty() && evidence.set_of.is_empty());
}

#[test]
fn the_newest_event_of_a_pod_says_what_holds_it_up() {
    let now = Timestamp::constant(1_800_000_000, 0);
    let at = |ago: i64| Some(now - SignedDuration::from_secs(ago));
    let event = |reason: &str, ago| EventSeen {
        warning: true,
        pod_uid: "cart".into(),
        reason: reason.to_owned(),
        message: "words".to_owned(),
        at: at(ago),
    };
    let mut evidence = Evidence::default();
    evidence.expect_pods(&"set".into());
    evidence.pod(pod("cart", false));
    assert_eq!(evidence.ask("set", now), Some(vec!["cart".into()]));
    assert_eq!(evidence.ask("set", now + SignedDuration::from_secs(14)), None);
    assert!(evidence.ask("set", now + SignedDuration::from_secs(15)).is_some());
    let read = |evidence: &mut Evidence, events: &[EventSeen]| {
        let (pods, events) = (vec!["cart".into()], events.to_vec());
        let seen = EventsSeen { replica_set_uid: "set".into(), pods, events };
        let changed = evidence.events(&seen, now);
        (changed, evidence.pods_of("set")[0].event.clone().map(|(reason, _)| reason))
    };
    let mount = (true, Some("FailedMount".to_owned()));
    assert_eq!(read(&mut evidence, &[event("Scheduled", 60), event("FailedMount", 5)]), mount);
    evidence.pod(pod("cart", false));
    assert!(evidence.pods_of("set")[0].event.is_some(), "it is still held up");
    // It was mounted since.
    let pulls = (true, Some("Pulling".to_owned()));
    assert_eq!(read(&mut evidence, &[event("FailedMount", 5), event("Pulling", 1)]), pulls);
    assert_eq!(read(&mut evidence, &[event("FailedMount", 601)]), (true, None));
    read(&mut evidence, &[event("FailedMount", 5)]);
    evidence.pod(pod("cart", true));
    assert_eq!(evidence.pods_of("set")[0].event, None);
}

#[test]
fn what_is_seen_before_the_version_that_begins_its_revision_is_kept() {
    let rollout = Key::new("shop", "cart");
    let mut evidence = Evidence::default();
    evidence.experiment(experiment("cart-abc-2-3", 2));
    evidence.run(run("of-an-experiment"));
    for (name, revision) in [("second", 2), ("third", 3)] {
        let owner = EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned());
        evidence.run(AnalysisRunSeen { owner, revision: Some(revision), ..run(name) });
    }
    let kept = |evidence: &Evidence| -> Vec<_> {
        let runs = evidence.runs_of(&rollout).into_iter().map(|run| run.key.name.clone());
        let experiments = evidence.experiments_of(&rollout).into_iter();
        runs.chain(experiments.map(|it| it.key.name.clone())).collect()
    };
    evidence.forget_until(&rollout, 1, false);
    assert_eq!(kept(&evidence), ["of-an-experiment", "second", "third", "cart-abc-2-3"]);
    evidence.forget_until(&rollout, 2, false);
    assert_eq!(kept(&evidence), ["third"]);
    evidence.forget_until(&rollout, 3, false);
    assert_eq!(kept(&evidence), [""; 0]);
    assert!(evidence.runs.is_empty() && evidence.rollout_of.is_empty());
}
