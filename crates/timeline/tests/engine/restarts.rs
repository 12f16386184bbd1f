//! A process goes on with what another one has stored.

use timeline::Kind;
use timeline::Observation;
use timeline::base::{Phase, Source};
use timeline::journal::{LinkKind, StepResult};
use timeline::seen::{ContainerSeen, PodSeen, StepPlan, Strategy};

use crate::stored::{Stored, at, cart, replica_set, replica_set_with, rollout, version};

/// Two of two pods are available.
fn available(hash: &str, revision: i64, made: i64) -> Observation {
    replica_set_with(hash, revision, made, |set| {
        (set.desired, set.ready, set.available) = (Some(2), 2, 2);
    })
}

/// At so many of two steps.
fn at_step(step: u32, current: &str, stable: &str) -> Observation {
    let mut seen = version(2, current, stable);
    let plan = |kind: &str| StepPlan {
        kind: kind.to_owned().into(),
        setting: String::new().into(),
        seconds: None,
        matches: false,
    };
    let progress = &mut seen.progress;
    progress.strategy = Some(Strategy::Canary);
    (progress.step, progress.step_count) = (Some(step), 2);
    progress.steps = vec![plan("setWeight"), plan("pause")];
    progress.up_to_date = true;
    Observation::Rollout(seen)
}

fn pod(ready: bool) -> Observation {
    let crashes = || ("ErrImagePull".to_owned(), "not found".to_owned());
    let container = ContainerSeen { waiting: (!ready).then(crashes), ..ContainerSeen::default() };
    Observation::Pod(Box::new(PodSeen {
        key: timeline::Key::new("ns", "cart-b-0"),
        uid: "uid-b-0".into(),
        replica_set_uid: "uid-b".into(),
        ready,
        containers: vec![container],
        ..PodSeen::default()
    }))
}

#[test]
fn pods_that_an_earlier_process_blamed_are_looked_at_until_they_are_well() {
    let mut stored = Stored::of_a_live(10);
    for seen in [replica_set("b", 2, 200), at_step(0, "b", "a"), pod(false)] {
        stored.engine.observe(seen, at(200));
        stored.run_until_idle(at(200));
    }
    assert!(stored.journal("b").failure.is_some());
    let seen = vec![replica_set("a", 1, 0), available("b", 2, 200), at_step(0, "b", "a")];
    let mut stored = stored.after_a_restart(None, seen, 1_000);
    assert!(stored.pods_watched.contains(&cart()));
    stored.engine.observe(pod(true), at(1_001));
    stored.run_until_idle(at(1_001));
    assert_eq!(stored.journal("b").failure, None);
    assert!(stored.pods_watched.is_empty());
}

#[test]
fn what_another_process_recorded_and_this_one_reads_late_was_not_seen_by_it_meanwhile() {
    let mut stored = Stored::of_a_live(10);
    for seen in [replica_set("b", 2, 200), at_step(0, "b", "a")] {
        stored.engine.observe(seen, at(200));
        stored.run_until_idle(at(200));
    }
    // The chain is lost, and no second record begins.
    stored.report = None;
    let seen = vec![replica_set("a", 1, 0), available("b", 2, 200), at_step(2, "b", "b")];
    let mut stored = stored.after_a_restart(Some(Kind::RolloutAttempt), seen, 1_000);
    stored.lists(Kind::RolloutAttempt, at(2_000));
    stored.run_until_idle(at(2_000));
    let steps = &stored.journal("b").steps;
    assert_eq!(steps.iter().map(|it| it.result).collect::<Vec<_>>(), [StepResult::Unobserved; 2]);
    assert!(steps.iter().all(|it| it.ended.unwrap().source == Source::Inferred), "{steps:?}");
}

#[test]
fn what_the_newest_follows_is_known_from_records_that_are_left_where_the_trace_is_lost() {
    let mut stored = Stored::of_a_live(10);
    for (second, seen) in [
        (200, replica_set("b", 2, 200)),
        (201, at_step(0, "b", "a")),
        (210, replica_set("c", 3, 210)),
        (211, Observation::Rollout(version(3, "c", "a"))),
    ] {
        stored.engine.observe(seen, at(second));
        stored.run_until_idle(at(second));
    }
    stored.report = None;
    let sets = [("a", 1, 0), ("b", 2, 200), ("c", 3, 210)];
    let mut seen: Vec<_> = sets.map(|(hash, number, made)| replica_set(hash, number, made)).into();
    seen.push(Observation::Rollout(version(3, "c", "a")));
    let stored = stored.after_a_restart(None, seen, 1_000);
    let attempts = &stored.report.as_ref().unwrap().attempts;
    let phases: Vec<_> = attempts.iter().map(|it| format!("{} {}", it.hash, it.phase)).collect();
    assert_eq!(phases, ["c Progressing", "b Superseded", "a Promoted"]);
    let key = &stored.journals.iter().find(|(_, it)| it.identity.hash == "c").unwrap().0;
    let known = stored.engine.journal(key).unwrap();
    let links: Vec<_> = known.links.iter().map(|link| link.kind).collect();
    assert_eq!(links, [LinkKind::PreviousRevision, LinkKind::Supersedes]);
}

#[test]
fn what_became_stable_with_a_later_number_is_not_the_attempt_before_that() {
    let mut stored = Stored::of_a_live(10);
    for seen in [replica_set("b", 2, 200), at_step(0, "b", "a")] {
        stored.engine.observe(seen, at(200));
        stored.run_until_idle(at(200));
    }
    // `c` came between, and `b` was applied again.
    let seen = || {
        let numbers = [("a", 1, 0), ("c", 3, 300), ("b", 4, 200)];
        numbers.map(|(hash, number, made)| replica_set(hash, number, made))
    };
    for (what, last) in [
        ("another is under way", vec![replica_set("d", 5, 900), rollout(5, "d", "b")]),
        ("it is live", vec![rollout(4, "b", "b")]),
    ] {
        let mut seen: Vec<_> = seen().into();
        seen.extend(last);
        let mut copy = Stored::of(timeline::Engine::new(timeline::engine::Options::default()));
        (copy.journals, copy.report) = (stored.journals.clone(), stored.report.clone());
        let copy = copy.after_a_restart(None, seen, 1_000);
        let journals = copy.journals.iter().map(|(_, it)| it);
        let of_b = journals.filter(|it| it.identity.hash == "b");
        let of_b: Vec<_> = of_b.map(|it| (it.identity.revision, it.phase)).collect();
        assert_eq!(of_b, [(2, Phase::Unknown), (4, Phase::Promoted)], "{what}");
    }
}

#[test]
fn an_unseen_return_of_what_was_live_may_have_followed_a_promotion() {
    let mut stored = Stored::of_a_live(10);
    for seen in [replica_set("b", 2, 200), at_step(0, "b", "a")] {
        stored.engine.observe(seen, at(200));
        stored.run_until_idle(at(200));
    }
    let seen = vec![replica_set("b", 2, 200), replica_set("a", 3, 0), rollout(3, "a", "a")];
    let stored = stored.after_a_restart(None, seen, 1_000);
    assert_eq!(stored.journal("b").phase, Phase::Unknown);
}
