//! Whom traffic reached, and when it was back.

use timeline::journal::StepResult;
use timeline::seen::{PauseKind, RolloutSeen, Strategy};

use crate::story::{Story, step};

/// Argo has turned so much of the traffic to the revision of this hash.
fn weigh(hash: &str, percent: u32) -> impl FnOnce(&mut RolloutSeen) {
    let hash = hash.to_owned();
    move |rollout| {
        let progress = &mut rollout.progress;
        progress.routed = true;
        (progress.weight, progress.weight_hash) = (Some(percent), Some(hash.into()));
    }
}

fn routed(steps: &[(&str, &str)]) -> Story {
    let steps = steps.iter().map(|(kind, setting)| step(kind, setting)).collect();
    Story::begins(Strategy::Canary, steps).version(weigh("a", 0)).gets_live("a").after(10)
}

#[test]
fn a_header_route_is_in_force_where_pods_were_there_before_it() {
    let scaled =
        routed(&[("setCanaryScale", "1 replicas"), ("setHeaderRoute", "beta"), ("pause", "")]);
    let story = scaled.applies("b").version(weigh("b", 0)).after(5).available(1).reaches(1);
    assert!(!story.journal().exposed);
    let story = story.after(1).reaches(2);
    assert_eq!(story.journal().exposed_at.map(|at| at.at), Some(story.now));

    // Argo takes the route away again while no pod is available, and makes it at its step alone.
    let routed_first =
        routed(&[("setHeaderRoute", "beta"), ("setCanaryScale", "1 replicas"), ("pause", "")]);
    let story = routed_first.applies("b").version(weigh("b", 0)).reaches(1).after(5).available(1);
    assert!(!story.after(1).reaches(2).journal().exposed);
}

#[test]
fn an_experiment_of_the_revision_before_exposes_nothing_and_keeps_no_traffic_back() {
    let story = routed(&[("experiment", "try"), ("pause", "")]);
    let experiments = |on: bool| {
        move |rollout: &mut RolloutSeen| {
            rollout.progress.experiment_weighted = on;
        }
    };
    let story = story.applies("b").version(weigh("b", 0)).after(5).version(experiments(true));
    assert!(story.journal().exposed);
    let story = story.after(5).aborted("").after(5);
    assert_eq!(story.journal().settled, None);
    // Argo has not yet turned to the new revision.
    let story = story.applies("c");
    assert!(!story.journal().exposed);
    let story = story.version(weigh("c", 0));
    let [.., before, newest] = story.journals.as_slice() else { panic!() };
    assert!(newest.exposed, "it has an Experiment of its own now");
    assert!(before.settled.is_some() || before.recovered.is_some());
}

#[test]
fn pods_of_a_first_revision_are_behind_its_service_before_it_is_healthy() {
    let begun = |routed: bool| {
        Story::begins(Strategy::Canary, Vec::new())
            .version(|rollout| rollout.progress.routed = routed)
            .applies("a")
            .version(|rollout| rollout.stable_hash = Some("a".into()))
    };
    for routed in [false, true] {
        let story = begun(routed).after(5).available(1).after(5).applies("b");
        assert!(story.journals[0].exposed, "routed: {routed}");
        let story = begun(routed).after(5).applies("b");
        assert!(!story.journals[0].exposed, "routed: {routed}");
    }
}

#[test]
fn what_goes_live_at_the_next_try_never_had_its_traffic_taken_back() {
    let story = routed(&[("setWeight", "20"), ("pause", "")]);
    let story = story.applies("b").available(1).version(weigh("b", 20)).after(5).aborted("");
    let story = story.after(5).retried().after(5).version(weigh("b", 100)).after(5);
    let first = |story: &Story| story.journals[story.journals.len() - 2].clone();
    assert!(first(&story).exposed);
    let story = story.promoted().version(weigh("b", 0));
    assert_eq!((first(&story).settled, first(&story).recovered), (None, None));

    // The same where the root span had closed long before.
    let story = routed(&[("setWeight", "20"), ("pause", "")]);
    let story = story.applies("b").available(1).version(weigh("b", 20)).after(5).aborted("");
    let story = story.after(100).waits_until_due().after(5);
    assert!(story.journal().awaits_recovery());
    let story = story.retried().after(5).promoted().version(weigh("b", 0));
    assert_eq!((first(&story).settled, first(&story).recovered), (None, None));
    assert!(!first(&story).awaits_recovery(), "it would be waited for to no end");
}

#[test]
fn what_is_past_its_steps_as_it_begins_has_done_none() {
    for kind in ["setWeight", "setCanaryScale", "setHeaderRoute", "pause"] {
        let story = Story::begins(Strategy::Canary, vec![step(kind, "20")]).gets_live("a");
        let story = story.after(10).applies("b").reaches(1).promoted().healthy().after(10);
        // Within `rollbackWindow` Argo turns to it and goes past all steps in one version.
        let mut story = story;
        let count = story.rollout.progress.step_count;
        story.sets.iter_mut().for_each(|set| set.available = 3);
        let story = story.version(|rollout| {
            rollout.current_hash = Some("a".into());
            rollout.revision = Some(3);
            rollout.completed = Some((false, rollout.completed.unwrap().1));
            rollout.progress.step = Some(count);
            rollout.healthy = false;
        });
        let steps: Vec<_> = story.journal().steps.iter().map(|step| step.result).collect();
        assert_eq!(steps, [StepResult::Skipped], "{kind}");
    }
}

#[test]
fn each_of_fifty_pauses_is_kept() {
    let steps = (0..100).map(|index| match index % 2 {
        0 => step("setWeight", "1"),
        _ => step("pause", "5s"),
    });
    let mut story = Story::begins(Strategy::Canary, steps.collect()).gets_live("a").applies("b");
    for index in (1..100).step_by(2) {
        story = story.after(1).reaches(index).paused(PauseKind::Timed).after(5).resumed_by_timer();
    }
    let journal = story.promoted().journal().clone();
    assert_eq!((journal.pauses.len(), journal.cut), (50, 0));
    let done = |step: &timeline::journal::Step| step.result == StepResult::Completed;
    assert!(journal.steps.iter().all(done), "{:#?}", journal.steps);
}
