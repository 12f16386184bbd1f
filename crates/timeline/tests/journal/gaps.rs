//! What was not seen: it is bounded and marked, not invented.

use jiff::SignedDuration;
use timeline::base::{Phase, Turn};
use timeline::journal::Journal;
use timeline::seen::{AnalysisKind, AnalysisRunSeen, PauseKind};

use crate::evidence::run;
use crate::lines::{lines, when};
use crate::story::{Story, step};

const DAY: i64 = 86_400;

#[test]
fn a_restart_in_which_nothing_happened_is_no_gap() {
    let story = Story::canary().applies("b").after(20).reaches(1).paused(PauseKind::Timed);
    let before = story.journal().clone();
    let story = story.while_away(|story| story.after(5));
    assert_eq!((story.journal(), story.turn), (&before, Turn::Same));
}

#[test]
fn steps_that_pass_unseen_are_bounded_by_the_pause_that_is_seen_then() {
    Story::canary()
        .applies("b")
        .after(20)
        .reaches(1)
        .paused(PauseKind::Timed)
        .while_away(|story| {
            story
                .after(30)
                .resumed_by_timer()
                .after(5)
                .reaches(3)
                .paused(PauseKind::Manual)
                .after(40)
        })
        .reads(&[
            "step 0 setWeight 20 Completed ~10..30.1",
            "pause Timed ~30..?60<65 Unknown",
            "step 1 pause 30s Unobserved 30.1..?30.1<65",
            "step 2 setWeight 50 Unobserved ?30.1<65..?30.1<65",
            "step 3 pause Running ?30.1<65..",
            "pause Manual ~65..",
        ])
        .marks(&["Gap ?30.1<105.1"]);
}

#[test]
fn a_pause_of_days_whose_end_was_not_seen_has_honest_bounds() {
    let plan = vec![step("pause", "259200s"), step("setWeight", "50")];
    let story = Story::begins(timeline::seen::Strategy::Canary, plan).gets_live("a");
    let story = story.applies("b").paused(PauseKind::Timed).after(DAY);
    let away = |days: i64| {
        move |story: Story| {
            story.after(days * DAY).version(|rollout| {
                rollout.progress.pauses.clear();
                rollout.progress.controller_pause = false;
                rollout.progress.step = Some(1);
            })
        }
    };
    // Its time was over.
    let late = story.clone().while_away(away(13));
    let pause = &late.journal().pauses[0];
    let (planned, seen) = (10 + 3 * DAY, 10 + 14 * DAY);
    assert_eq!(when(pause.ended.unwrap()), format!("?{planned}<{seen}.1"));
    // Its time was not over: it began, and had ended by now.
    let early = story.while_away(away(1));
    let pause = &early.journal().pauses[0];
    assert_eq!(when(pause.ended.unwrap()), format!("?10<{}.1", 10 + 2 * DAY));
}

#[test]
fn an_abort_while_away_is_dated_by_argo_and_what_led_to_it_is_not() {
    Story::canary()
        .applies("b")
        .after(20)
        .reaches(1)
        .paused(PauseKind::Timed)
        .while_away(|story| story.after(10).aborted(": because").after(3 * DAY))
        .reads(&[
            "step 0 setWeight 20 Completed ~10..30.1",
            "pause Timed ~30..?30.1<40 Unknown",
            "step 1 pause 30s Unobserved 30.1..?30.1<40",
            "Aborted ~10..~40 settled ~40",
        ])
        .marks(&["Gap ?30.1<259240.1"]);
}

#[test]
fn an_analysis_of_a_later_step_shows_how_far_an_abort_while_away_was() {
    let story = Story::canary().applies("b").after(20).reaches(1).paused(PauseKind::Timed);
    let story = story.while_away(|story| {
        let story = story.after(10).aborted(": because").after(100);
        let run = AnalysisRunSeen {
            step: Some(2),
            ..run("cart-b-2-2", AnalysisKind::Step, story.now - SignedDuration::from_secs(101))
        };
        story.analysed(&run)
    });
    story
        .reads(&[
            "step 0 setWeight 20 Completed ~10..30.1",
            "pause Timed ~30..?30<40 Unknown",
            "step 1 pause 30s Unobserved 30.1..?30.1<40",
            "step 2 setWeight 50 Unobserved ?30.1<40..?30.1<40",
            "analysis cart-b-2-2 Step Pending ~39..?40<140.1",
            "Aborted ~10..~40 settled ~40",
        ])
        .marks(&["Gap ?30.1<140.1"]);
}

#[test]
fn a_promotion_while_away_is_dated_by_argo_and_healthy_was_some_time_after() {
    let story =
        Story::canary().applies("b").after(20).reaches(1).while_away(|story| {
            story.after(10).reaches(4).promoted().after(5).healthy().after(100)
        });
    story.reads(&[
        "step 0 setWeight 20 Completed ~10..30.1",
        "step 1 pause 30s Unobserved 30.1..?30.1<40",
        "step 2 setWeight 50 Unobserved ?30.1<40..?30.1<40",
        "step 3 pause Unobserved ?30.1<40..?30.1<40",
        "Promoted ~10..~40 settled ?40<45",
    ]);
}

#[test]
fn what_was_superseded_while_away_ended_after_it_was_last_seen() {
    let story = Story::canary().applies("b").after(20).reaches(1);
    let story = story.while_away(|story| story.after(10).applies("c").after(100));
    story
        .earlier_reads(&[
            "step 0 setWeight 20 Completed ~10..30.1",
            "step 1 pause 30s Unobserved 30.1..?30.1<40",
            "Superseded ~10..?30.1<40",
        ])
        .marks(&["FirstSight 140.1"]);
}

#[test]
fn an_attempt_that_is_under_way_at_first_sight_is_rebuilt_from_what_is_left() {
    let story = Story::canary().while_away(|story| {
        story
            .applies("b")
            .after(20)
            .reaches(1)
            .after(30)
            .reaches(3)
            .paused(PauseKind::Manual)
            .after(9)
    });
    assert!(story.journal().facts.rebuilt);
    let story = story.reads(&[
        "step 0 setWeight 20 Unobserved ~10..?10<60",
        "step 1 pause 30s Unobserved ?10<60..?10<60",
        "step 2 setWeight 50 Unobserved ?10<60..?10<60",
        "step 3 pause Running ?10<60..",
        "pause Manual ~60..",
    ]);
    story.marks(&["FirstSight 69.1"]).after(5).promoted_by_hand().marks(&["FirstSight 69.1"]);
}

#[test]
fn an_attempt_that_begins_before_our_eyes_is_not_rebuilt() {
    let story = Story::canary().applies("b");
    assert!(!story.journal().facts.rebuilt);
    story.marks(&[]);
}

#[test]
fn a_retry_while_away_begins_the_steps_again_and_is_a_gap() {
    let story = Story::canary().applies("b").after(20).reaches(2);
    let story = story.while_away(|story| story.after(10).aborted("").after(10).retried());
    let expected = "step 0 setWeight 20 Running";
    assert!(lines(story.journal()).last().unwrap().starts_with(expected));
    story.marks(&["Gap ?30.1<50.1"]);
}

#[test]
fn a_retry_while_away_at_the_first_step_shows_in_the_condition_alone() {
    let story = Story::canary().applies("b").after(20);
    let story = story.while_away(|story| story.after(10).aborted("").after(10).retried());
    story.marks(&["Gap ?10<50.1"]);
    // One that was seen is no gap.
    let story = Story::canary().applies("b").after(20).aborted("").after(10).retried();
    story.after(10).while_away(|story| story.after(10)).marks(&[]);
}

#[test]
fn an_end_that_is_stored_stays() {
    let promoted = Story::canary().applies("b").after(20).promoted();
    let stored = promoted.journal();
    let ours = Journal { phase: Phase::Unknown, ..stored.clone() };
    assert!(!ours.continues(stored));
    assert!(stored.continues(stored));
}

#[test]
fn steps_that_were_changed_while_away_are_known_by_their_plan() {
    let mut story = Story::canary().applies("b").after(20);
    // Another process.
    story.journal_mut().memory = timeline::journal::Memory::default();
    let story = story.while_away(|story| {
        story.version(|rollout| {
            rollout.progress.steps[0] = step("setWeight", "10");
            rollout.progress.step_hash = Some("steps-2".into());
        })
    });
    story
        .reads(&[
            "step 0 setWeight 20 Unobserved ~10..?10<30.1",
            "step 0 setWeight 10 Running ?10<30.1..",
        ])
        .marks(&["StepsChanged ?10<30.1", "Gap ?10<30.1"]);
}

#[test]
fn the_same_look_after_a_gap_shows_nothing_new() {
    let story = Story::canary().applies("b").after(20).reaches(1).paused(PauseKind::Timed);
    let mut story = story.while_away(|story| story.after(30).resumed_by_timer());
    let before = story.journal().clone();
    story.before = None;
    let story = story.observed();
    assert_eq!((story.journal(), story.turn), (&before, Turn::Same));
}

#[test]
fn a_start_that_was_stored_without_its_fraction_is_no_other_start() {
    let story = Story::canary().applies("b").after(5).aborted("").after(5).retried();
    let started = story.journal().started;
    assert_ne!(started.at.subsec_nanosecond(), 0);
    let mut stored = story.chain.attempts().to_vec();
    let started_at = crate::story::floor(stored[0].started);
    std::sync::Arc::make_mut(&mut stored[0]).started = started_at;
    let mut story = story;
    story.chain = timeline::chain::Chain::restored(stored);
    let story = story.while_away(|story| story.after(1).reaches(1));
    assert_eq!(story.journal().started, started);
}
