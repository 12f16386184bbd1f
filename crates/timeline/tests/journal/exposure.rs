//! Since when users could be hit, and when traffic was back.

use jiff::Timestamp;
use timeline::base::{Source, Turn};
use timeline::journal::StepResult;
use timeline::seen::{AnalysisPhase, ExperimentSeen, PauseKind, StepPlan, Strategy};

use crate::evidence::experiment;
use crate::lines::lines;
use crate::story::{BEGIN, Story, step};

/// In seconds since the story began.
fn seconds(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::from_second(BEGIN).unwrap()).as_secs_f64()
}

fn exposed_at(story: &Story) -> Option<f64> {
    let journal = story.journal();
    assert_eq!(journal.exposed, journal.exposed_at.is_some());
    journal.exposed_at.map(|moment| seconds(moment.at))
}

/// A canary behind a traffic router, with revision `a` live.
fn routed(steps: Vec<StepPlan>) -> Story {
    Story::begins(Strategy::Canary, steps).gets_live("a").version(|rollout| {
        rollout.progress.routed = true;
        rollout.progress.was_healthy = true;
        (rollout.progress.weight, rollout.progress.weight_hash) = (Some(0), Some("a".into()));
    })
}

fn weighs(story: Story, percent: u32, hash: &str) -> Story {
    story.version(|rollout| {
        rollout.progress.weight = Some(percent);
        rollout.progress.weight_hash = Some(hash.into());
    })
}

fn ready(mut story: Story, hash: &str, pods: i32) -> Story {
    for set in story.sets.iter_mut().filter(|set| set.hash == hash) {
        set.ready = pods;
    }
    story.version(|_| {})
}

#[test]
fn the_first_ready_pod_of_a_canary_without_a_router_exposes_it_available_or_not() {
    let story = Story::canary().after(10).applies("b").after(7);
    assert_eq!(exposed_at(&story), None);
    let story = ready(story, "b", 1);
    assert_eq!(exposed_at(&story), Some(27.1));
    // The others change nothing.
    let story = ready(story.after(5), "b", 2).after(9).available(2);
    assert_eq!(exposed_at(&story), Some(27.1));
}

#[test]
fn pods_behind_a_router_expose_nothing_before_a_weight() {
    let story = ready(routed(vec![step("setWeight", "20")]).after(10).applies("b"), "b", 3);
    assert_eq!(exposed_at(&story), None);
    let story = weighs(story.after(5), 20, "b");
    assert_eq!(exposed_at(&story), Some(25.1));
}

#[test]
fn pods_that_get_ready_after_the_end_expose_nothing() {
    let story = Story::canary().after(10).applies("b").after(5).applies("c").after(1);
    let story = ready(story, "b", 2);
    let before = &story.journals[story.journals.len() - 2];
    assert_eq!((before.identity.hash.as_str(), before.exposed), ("b", false));
}

#[test]
fn a_weight_of_another_revision_neither_exposes_nor_recovers() {
    let of_b = weighs(routed(vec![step("setWeight", "20")]).after(10).applies("b"), 20, "b");
    // Another one is applied, and Argo still routes to the pods of the one before.
    let story = of_b.clone().after(5).applies("c").after(5);
    assert_eq!((exposed_at(&story), story.journal().max_weight()), (None, None));
    // The pods of what was stopped are at 0 where the weight is of another.
    let story = of_b.after(5).aborted("").after(9);
    assert_eq!(story.journal().settled, None);
    let story = weighs(story, 5, "b").after(9);
    assert_eq!(story.journal().settled, None);
    let story = weighs(story, 40, "c");
    assert!(story.journal().settled.is_some());
}

#[test]
fn a_weight_that_a_retry_finds_is_its_own() {
    let story = weighs(routed(vec![step("setWeight", "20")]).after(10).applies("b"), 20, "b");
    let story = story.after(5).aborted("").after(5).retried();
    assert_eq!((story.journal().identity.number, exposed_at(&story)), (2, Some(30.1)));
}

#[test]
fn a_header_route_exposes_pods_that_are_there_until_it_is_taken_away() {
    let off = StepPlan { matches: false, ..step("setHeaderRoute", "beta") };
    let plan = || vec![step("setHeaderRoute", "beta"), off.clone(), step("setWeight", "20")];
    let there = |story: Story| ready(story.after(10).applies("b").after(5), "b", 1);
    assert_eq!(exposed_at(&there(routed(plan()))), None);
    assert_eq!(exposed_at(&there(routed(plan())).after(2).reaches(1)), Some(27.1));
    // Both steps passed in one version.
    assert_eq!(exposed_at(&there(routed(plan())).reaches(2)), None);
    // Argo makes no route to no pods, nor for a full promotion, nor for the first revision.
    let nowhere = routed(plan()).after(10).applies("b").reaches(1);
    assert_eq!(exposed_at(&nowhere), None);
    assert_eq!(exposed_at(&there(routed(plan())).promoted_in_full()), None);
    let first = Story::begins(Strategy::Canary, plan())
        .version(|rollout| rollout.progress.routed = true)
        .applies("a")
        .promoted();
    assert_eq!(exposed_at(&first), None);
}

#[test]
fn a_mirror_route_exposes_no_user() {
    let story = routed(vec![step("setMirrorRoute", "mirror"), step("pause", "")]);
    let story = ready(story.after(10).applies("b"), "b", 1).reaches(1).after(5);
    assert_eq!(exposed_at(&story), None);
}

#[test]
fn an_experiment_with_a_weight_exposes_and_has_to_be_gone_for_the_recovery() {
    let story = routed(vec![step("experiment", "a"), step("setWeight", "20")]).after(10);
    let story = weighs(story.applies("b").after(4), 0, "b");
    assert_eq!(exposed_at(&story), None);
    let story = story.version(|rollout| rollout.progress.experiment_weighted = true);
    assert_eq!(exposed_at(&story), Some(24.1));
    let story = story.after(5).aborted("").after(3);
    assert_eq!(story.journal().settled, None);
    let story = story.version(|rollout| rollout.progress.experiment_weighted = false);
    assert_eq!(story.journal().settled.map(|at| seconds(at.at)), Some(32.1));
}

#[test]
fn the_pods_of_an_experiment_are_behind_the_service_where_there_is_no_router() {
    for routed in [false, true] {
        let plan = vec![step("experiment", "try"), step("setWeight", "20")];
        let story = Story::begins(Strategy::Canary, plan).gets_live("a");
        let story = story.version(|rollout| rollout.progress.routed = routed);
        let story = story.after(10).applies("b").after(4);
        let seen =
            ExperimentSeen { step: Some(0), ..experiment(AnalysisPhase::Running, story.now) };
        let story = story.experimented(&seen).after(1).version(|_| {});
        assert_eq!(exposed_at(&story), (!routed).then_some(25.1), "routed: {routed}");
    }
}

#[test]
fn a_weight_that_is_left_when_an_unseen_abort_is_found_exposed_users() {
    let story = routed(vec![step("setWeight", "20")]).after(10).applies("b").after(5);
    let story = story.while_away(|story| weighs(story.after(5), 20, "b").after(60).aborted(""));
    assert_eq!(story.journal().exposed_at.map(|at| at.source), Some(Source::Inferred));
    assert_eq!(story.journal().settled, None);
}

#[test]
fn a_recovery_minutes_later_changes_no_span_and_is_kept_beside_them() {
    let story = weighs(routed(vec![step("setWeight", "20")]).after(10).applies("b"), 20, "b");
    let story =
        story.after(5).aborted("").after(2).waits_until_due().waits_until_due().waits_until_due();
    let (closed, root) = (story.journal().closed, story.journal().root_closed);
    assert!(root.is_some() && story.journal().awaits_recovery());
    let before = story.journal().clone();
    let reads = lines(&before);
    // Some of it is no recovery.
    let story = weighs(story.after(200), 5, "b");
    assert_eq!((story.turn, story.journal()), (Turn::Same, &before));
    let story = weighs(story.after(200), 0, "b");
    assert_eq!(story.turn, Turn::Vital);
    let journal = story.journal();
    assert!(journal.recovered.is_some_and(|at| seconds(at.at) > 400.0));
    assert_eq!((journal.settled, journal.closed, journal.root_closed), (None, closed, root));
    assert_eq!(lines(journal), reads);
    assert!(journal.continues(&before) && !journal.awaits_recovery());
    // Once.
    let known = journal.recovered;
    let story = weighs(weighs(story.after(50), 5, "b").after(50), 0, "b");
    assert_eq!((story.turn, story.journal().recovered), (Turn::Same, known));
    let spans = |of: &timeline::journal::Journal| timeline::spans::of(of, 0, closed).unwrap().spans;
    assert_eq!(spans(story.journal()), spans(&before));
}

#[test]
fn without_a_router_traffic_is_back_when_no_pod_is_ready() {
    let story = ready(Story::canary().after(10).applies("b").after(5), "b", 1);
    let story = story.after(5).aborted("").after(3);
    assert_eq!(story.journal().settled, None);
    let story = ready(story, "b", 0);
    assert_eq!(story.journal().settled.map(|at| seconds(at.at)), Some(33.1));
}

#[test]
fn the_traffic_of_pods_that_a_retry_has_is_not_waited_for() {
    let story = Story::canary().after(10).applies("b").after(5).available(1).reaches(1);
    let story = story.after(5).aborted("").after(2).retried().after(9);
    // It is stopped too, and its pods go.
    let stopped = story.clone().aborted("").after(5).available(0);
    let first = &stopped.journals[stopped.journals.len() - 2];
    assert_eq!((first.identity.number, first.settled, first.recovered), (1, None, None));
    let story = story.promoted().healthy();
    let first = &story.journals[story.journals.len() - 2];
    assert_eq!((first.identity.number, first.settled), (1, None));
    assert!(first.root_closed.is_some() && !first.awaits_recovery());
}

#[test]
fn of_more_weights_than_there_is_room_for_the_highest_is_kept() {
    let mut story = routed(vec![step("setWeight", "20")]).after(10).applies("b");
    for n in 0..200 {
        let percent = if n == 150 { 90 } else { 20 + n % 2 };
        story = weighs(story.after(1), percent, "b");
    }
    let journal = story.journal();
    assert_eq!((journal.weights.len(), journal.max_weight()), (128, Some(90)));
    assert!(journal.cut > 0);
    assert_eq!(exposed_at(&story), Some(21.1));
}

/// How the single step that was passed over last ended.
fn passed(story: &Story) -> StepResult {
    story.journal().steps[0].result
}

#[test]
fn a_single_step_that_argo_did_not_wait_for_was_skipped() {
    use StepResult::{Completed, Skipped};
    let at = |kind: &str, setting: &str| {
        let plan = vec![step(kind, setting), step("setWeight", "50")];
        Story::begins(Strategy::Canary, plan).gets_live("a").after(10).applies("b").after(5)
    };
    // A pause that a client passes over still stands there.
    assert_eq!(passed(&at("pause", "").paused(PauseKind::Manual).after(5).reaches(1)), Skipped);
    assert_eq!(passed(&at("pause", "").reaches(1)), Skipped);
    let resumed = at("pause", "").paused(PauseKind::Manual).after(5).promoted_by_hand();
    assert_eq!(passed(&resumed), Completed);
    // Argo takes the status of the run away as it goes on.
    let analysis = |run: bool| {
        let story = at("analysis", "rate").version(|rollout| rollout.progress.step_run = true);
        story.version(|rollout| {
            (rollout.progress.step, rollout.progress.step_run) = (Some(1), run);
        })
    };
    assert_eq!(passed(&analysis(true)), Skipped);
    assert_eq!(passed(&analysis(false)), Completed);
    let plugin = |done: bool| {
        let story = at("plugin", "any").version(|rollout| {
            rollout.progress.plugins = vec![(0, done)];
        });
        story.reaches(1)
    };
    assert_eq!(passed(&plugin(false)), Skipped);
    assert_eq!(passed(&plugin(true)), Completed);
    // A weight waits for pods that are asked for.
    let asked = |pods: i32| {
        let mut story = at("setWeight", "20");
        for set in &mut story.sets {
            (set.desired, set.ready) = (Some(2), pods);
        }
        story.reaches(1)
    };
    assert_eq!(passed(&asked(0)), Skipped);
    assert_eq!(passed(&asked(1)), Completed);
    assert_eq!(passed(&at("setHeaderRoute", "beta").reaches(1)), Completed);
    let experiment = |phase| {
        let story = at("experiment", "try");
        let seen = ExperimentSeen { step: Some(0), ..experiment(phase, story.now) };
        story.experimented(&seen).after(1).reaches(1)
    };
    assert_eq!(passed(&experiment(AnalysisPhase::Running)), Skipped);
    assert_eq!(passed(&experiment(AnalysisPhase::Successful)), Completed);
    // A full promotion waits for no step, not for a single one either.
    let single = Story::begins(Strategy::Canary, vec![step("setWeight", "20")]).gets_live("a");
    assert_eq!(passed(&single.after(10).applies("b").after(5).promoted_in_full()), Skipped);
}

#[test]
fn a_pause_whose_start_was_not_seen_was_not_skipped() {
    let plan = vec![step("setWeight", "20"), step("pause", ""), step("setWeight", "50")];
    let story = Story::begins(Strategy::Canary, plan).gets_live("a").after(10).applies("b");
    let story = story.while_away(|story| story.after(5).reaches(1)).after(1).reaches(2);
    assert_eq!(story.journal().steps[1].result, StepResult::Completed);
}
