//! The fold of a journal, as stories: what Argo writes, and the timeline that comes of it.

#![expect(clippy::unwrap_used, reason = "what a story does not have fails the test")]

mod always;
mod clocks;
mod ends;
mod evidence;
mod exposure;
mod gaps;
mod lines;
mod placed;
mod reasons;
mod story;
mod traffic;

use story::{Story, canary, condition, step};
use timeline::base::Turn;
use timeline::seen::{PauseKind, Strategy};

#[test]
fn a_canary_goes_through_its_steps_and_the_timer_and_a_person_end_its_pauses() {
    Story::canary()
        .after(10)
        .applies("b")
        .after(20)
        .reaches(1)
        .paused(PauseKind::Timed)
        .after(30)
        .resumed_by_timer()
        .after(5)
        .reaches(3)
        .paused(PauseKind::Manual)
        .after(100)
        .promoted_by_hand()
        .after(2)
        .promoted()
        .after(1)
        .healthy()
        .reads(&[
            "step 0 setWeight 20 Completed ~20..40.1",
            "pause Timed ~40..70.1 Timer",
            "step 1 pause 30s Completed 40.1..70.1",
            "step 2 setWeight 50 Completed 70.1..75.1",
            "pause Manual ~75..175.1 Person",
            "step 3 pause Completed 75.1..175.1",
            "Promoted ~20..~177 settled ~178",
        ])
        .marks(&[]);
}

#[test]
fn a_timed_pause_that_ends_early_was_ended_by_a_person() {
    let paused = Story::canary().applies("b").reaches(1).paused(PauseKind::Timed);
    let early = paused.clone().after(10).promoted_by_hand();
    assert_eq!(lines::lines(early.journal())[1], "pause Timed ~10..20.1 Person");
    // Argo's clock and ours may differ a little.
    let timer = paused.clone().after(28).resumed_by_timer();
    assert_eq!(lines::lines(timer.journal())[1], "pause Timed ~10..38.1 Timer");
    // The step was skipped, which leaves no version without the pause and with the hold.
    let skipped = paused.after(20).resumed_by_timer();
    assert_eq!(lines::lines(skipped.journal())[1], "pause Timed ~10..30.1 Person");
}

#[test]
fn the_timer_alone_ends_a_blue_green_pause_without_a_trace_of_a_client() {
    let paused = Story::blue_green().after(10).applies("b").after(5).paused(PauseKind::BlueGreen);
    let switch = |story: Story| {
        story.version(|rollout| {
            rollout.progress.pauses.clear();
            rollout.progress.controller_pause = false;
            rollout.progress.active = Some("b".into());
        })
    };
    switch(paused.clone().after(4)).after(2).promoted().healthy().reads(&[
        "Preview to new 20.1",
        "pause BlueGreen ~25..29.1 Timer",
        "Active to new 29.1",
        "Promoted ~20..~31 settled ~31",
    ]);
    let promoted = paused.after(4).version(|rollout| rollout.progress.pauses.clear());
    switch(promoted.after(1)).reads(&[
        "Preview to new 20.1",
        "pause BlueGreen ~25..29.1 Person",
        "Active to new 30.1",
    ]);
}

#[test]
fn a_blue_green_pause_is_planned_where_argo_promotes_by_itself() {
    let story = Story::blue_green().version(|rollout| rollout.progress.auto_promotion = Some(30));
    let paused = story.after(10).applies("b").after(5).paused(PauseKind::BlueGreen);
    assert_eq!(paused.journal().pauses[0].planned, Some(30));
    let paused = Story::blue_green().after(10).applies("b").after(5).paused(PauseKind::BlueGreen);
    assert_eq!(paused.journal().pauses[0].planned, None);
}

#[test]
fn a_full_promotion_skips_the_steps_and_ends_the_pause() {
    Story::canary()
        .after(10)
        .applies("b")
        .after(20)
        .reaches(1)
        .paused(PauseKind::Timed)
        .after(5)
        .promoted_in_full()
        .after(2)
        .promoted()
        .healthy()
        .reads(&[
            "step 0 setWeight 20 Completed ~20..40.1",
            "pause Timed ~40..45.1 FullPromotion",
            "step 1 pause 30s Skipped 40.1..45.1",
            "step 2 setWeight 50 Skipped 45.1..45.1",
            "step 3 pause Skipped 45.1..45.1",
            "Promoted ~20..~47 settled ~47",
        ])
        .marks(&["FullPromotion 45.1"]);
}

#[test]
fn a_blue_green_rollout_that_is_promoted_in_full_ends_its_pause_so() {
    let story = Story::blue_green()
        .applies("b")
        .paused(PauseKind::BlueGreen)
        .after(10)
        .version(|rollout| rollout.progress.promote_full = true)
        .after_ms(100)
        .version(|rollout| {
            rollout.progress.pauses.clear();
            rollout.progress.controller_pause = false;
            rollout.progress.active = Some("b".into());
        });
    assert_eq!(lines::lines(story.journal())[1], "pause BlueGreen ~10..20.2 FullPromotion");
}

#[test]
fn steps_that_a_client_skips_are_skipped() {
    Story::canary().applies("b").after(20).reaches(3).reads(&[
        "step 0 setWeight 20 Skipped ~10..30.1",
        "step 1 pause 30s Skipped 30.1..30.1",
        "step 2 setWeight 50 Skipped 30.1..30.1",
        "step 3 pause Running 30.1..",
    ]);
}

#[test]
fn changed_steps_begin_again_in_the_same_attempt() {
    let plan = vec![step("setWeight", "10"), step("pause", "60s")];
    let story = Story::canary().applies("b").after(20).reaches(1).after(5);
    let story = story
        .version(|rollout| {
            rollout.progress.up_to_date = false;
            rollout.progress.steps.clone_from(&plan);
        })
        .after(1)
        .version(|rollout| {
            rollout.progress.up_to_date = true;
            rollout.progress.step_count = 2;
            rollout.progress.step_hash = Some("steps-2".into());
            rollout.progress.step = Some(0);
        });
    let expected = [
        "step 0 setWeight 20 Completed ~10..30.1",
        "step 1 pause 30s Skipped 30.1..36.1",
        "step 0 setWeight 10 Running 36.1..",
    ];
    let story = story.reads(&expected).marks(&["StepsChanged 36.1"]);
    assert_eq!(story.observed().turn, Turn::Same);
}

#[test]
fn steps_that_change_at_the_first_of_them_begin_again_too() {
    let story = Story::canary().applies("b").after(20).version(|rollout| {
        rollout.progress.steps[0] = step("setWeight", "10");
        rollout.progress.step_hash = Some("steps-2".into());
    });
    let story = story
        .reads(&["step 0 setWeight 20 Skipped ~10..30.1", "step 0 setWeight 10 Running 30.1.."])
        .marks(&["StepsChanged 30.1"]);
    // The same two versions again, as when a ReplicaSet arrives.
    let mut again = story.clone().after(1);
    again.before = Some(again.rollout.clone());
    let before = again.before.as_mut().unwrap();
    before.progress.steps = canary();
    before.progress.step_hash = Some("steps-1".into());
    assert_eq!(again.observed().turn, Turn::Same);
}

#[test]
fn a_status_of_an_older_spec_says_nothing_about_steps() {
    Story::canary()
        .applies("b")
        .after(20)
        .version(|rollout| {
            rollout.progress.up_to_date = false;
            rollout.progress.step = Some(3);
        })
        .reads(&["step 0 setWeight 20 Running ~10.."]);
}

#[test]
fn the_first_revision_goes_through_no_steps() {
    Story::begins(Strategy::Canary, canary())
        .applies("a")
        .reads(&[])
        .after_ms(30)
        .promoted()
        .after(20)
        .reads(&[])
        .healthy()
        .reads(&["Promoted ~0..20.1 settled 20.1"])
        .marks(&[]);
}

#[test]
fn a_rollback_that_jumps_to_the_end_skips_all_steps() {
    // argo-rollouts rollout/canary.go: `isRollbackWithinWindow`
    let story = Story::canary().applies("b").reaches(4).promoted().healthy().after(10);
    let mut back = story.applies("a");
    back = back.reaches(4).promoted().healthy();
    let lines = lines::lines(back.journal());
    assert!(lines[..4].iter().all(|line| line.contains("Skipped")), "{lines:?}");
    assert!(lines[4].starts_with("Promoted"), "{lines:?}");
}

#[test]
fn a_pause_by_the_spec_has_no_time_and_a_person_ends_it() {
    Story::canary()
        .applies("b")
        .after(5)
        .paused(PauseKind::Spec)
        .after(3600)
        .version(|rollout| rollout.progress.pauses.clear())
        .reads(&["pause Spec 15.1..3615.1 Person", "step 0 setWeight 20 Running ~10.."]);
}

#[test]
fn a_person_goes_on_where_an_analysis_could_not_decide() {
    Story::canary()
        .applies("b")
        .after(5)
        .paused(PauseKind::InconclusiveAnalysis)
        .after(60)
        // One patch takes the pause and the hold away and goes on a step.
        .resumed_by_timer()
        .reads(&[
            "pause InconclusiveAnalysis ~15..75.1 Person",
            "step 0 setWeight 20 Completed ~10..75.1",
            "step 1 pause 30s Running 75.1..",
        ]);
}

#[test]
fn weights_follow_each_other_and_end_with_the_attempt() {
    let weigh = |weight| {
        move |rollout: &mut timeline::seen::RolloutSeen| {
            rollout.progress.weight = Some(weight);
        }
    };
    let story = Story::canary().version(weigh(0)).applies("b").after(20).version(weigh(20));
    assert!(story.journal().exposed);
    let story = story.after(5).reaches(1).after(30).reaches(2).version(weigh(50)).after(5);
    let story = story.aborted("").after(1).version(weigh(0)).waits_until_due();
    assert_eq!(story.journal().max_weight(), Some(50));
    story.reads(&[
        "step 0 setWeight 20 Completed ~10..35.1",
        "step 1 pause 30s Skipped 35.1..65.1",
        "weight 20 30.1..65.1",
        "step 2 setWeight 50 Stopped 65.1..~70",
        "weight 50 65.1..~70",
        "Aborted ~10..~70 settled 71.1",
    ]);
}

#[test]
fn a_weight_that_was_meant_for_what_is_superseded_exposes_nothing() {
    let story = Story::canary().version(|rollout| rollout.progress.weight = Some(0)).applies("b");
    let story = story.after(20).version(|rollout| rollout.progress.weight = Some(20));
    let story = story.after(5).applies("c").after_ms(50).version(|_| {});
    let story = story.version(|rollout| rollout.progress.weight = Some(0)).after(5);
    assert!(!story.journal().exposed);
    assert_eq!(story.journal().weights, []);
    let story = story.version(|rollout| rollout.progress.weight = Some(20));
    assert_eq!(story.journal().max_weight(), Some(20));
}

#[test]
fn the_pods_of_a_canary_without_weights_are_exposed_at_once_and_a_preview_is_not() {
    let story = Story::canary().applies("b");
    assert!(!story.journal().exposed);
    assert!(story.after(1).available(1).journal().exposed);
    let story = Story::blue_green().applies("b").after(1).available(3);
    assert!(!story.journal().exposed);
    let active = story.version(|rollout| rollout.progress.active = Some("b".into()));
    assert!(active.journal().exposed);
}

#[test]
fn a_deadline_is_a_mark_and_no_end() {
    let story = Story::canary().applies("b").after(60);
    let since = story::floor(story.now);
    let exceeded = move |rollout: &mut timeline::seen::RolloutSeen| {
        rollout.progress.progressing =
            Some(condition("ProgressDeadlineExceeded", "timed out", since));
    };
    story
        .version(exceeded)
        .after(10)
        .version(exceeded)
        .marks(&["DeadlineExceeded ~70"])
        .reads(&["step 0 setWeight 20 Running ~10.."]);
}

#[test]
fn scaling_and_restarts_are_marks_and_an_autoscaler_leaves_room_for_others() {
    let mut story = Story::canary().applies("b").after(1);
    let asked = story.now;
    story = story.version(|rollout| rollout.progress.restart_at = Some(asked));
    story = story.after(1).version(|_| {}).marks(&["Restarted 11.1"]);
    for replicas in 4..40 {
        story = story.after(1).version(|rollout| rollout.progress.replicas = Some(replicas));
    }
    assert_eq!(story.journal().marks.len(), 5);
    assert_eq!(story.journal().cut, 32);
    let marks = story.journal().marks.clone();
    let story = story.after(1).observed();
    assert_eq!((story.journal().cut, &story.journal().marks), (32, &marks));
}

#[test]
fn what_is_over_never_changes() {
    let story = Story::canary().applies("b").reaches(4).promoted().healthy();
    let over = story.journal().clone();
    assert_eq!(over.root_closed, Some(over.closed));
    assert_eq!(over.due(), None);
    let story = story
        .after(5)
        .version(|rollout| rollout.healthy = false)
        .after(5)
        .reaches(1)
        .paused(PauseKind::Timed)
        .waits_until_due();
    assert_eq!((story.journal(), story.turn), (&over, Turn::Same));
}
