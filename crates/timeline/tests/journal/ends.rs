//! How attempts end, and when their roots close.

use timeline::base::{Moment, Phase, Turn};
use timeline::failure::{AbortCause, FailureClass};
use timeline::seen::PauseKind;

use crate::lines::lines;
use crate::story::Story;

fn paused() -> Story {
    Story::canary()
        .after(10)
        .applies("b")
        .after(20)
        .available(1)
        .reaches(1)
        .paused(PauseKind::Timed)
}

#[test]
fn an_abort_by_hand_is_dated_by_the_version_that_shows_it_and_explained_by_the_next() {
    let story = paused().after(5).version(|rollout| rollout.abort = true);
    // That is what the person asked for, and not yet what Argo did.
    assert_eq!(story.turn, Turn::Same);
    let story = story.after_ms(200).aborted("").reads(&[
        "step 0 setWeight 20 Completed ~20..40.1",
        "pause Timed ~40..~45 End",
        "step 1 pause 30s Stopped 40.1..~45",
        "Aborted ~20..~45",
    ]);
    let failure = story.journal().failure.clone().unwrap();
    assert_eq!(
        (failure.class, failure.cause),
        (FailureClass::ManualAbort, Some(AbortCause::Manual))
    );
    // The pods go down: traffic is back.
    let story = story.after(2).available(0);
    assert_eq!(story.turn, Turn::Vital);
    assert_eq!(lines(story.journal())[3], "Aborted ~20..~45 settled 47.3");
    assert_eq!(story.journal().root_closed, Some(4));
}

#[test]
fn an_abort_by_argo_ends_when_argo_says() {
    let story = paused().after(5).aborted(": ReplicaSet \"cart-b\" has timed out progressing.");
    assert_eq!(lines(story.journal())[3], "Aborted ~20..~45");
    let failure = story.journal().failure.clone().unwrap();
    assert_eq!(failure.class, FailureClass::DeadlineExceeded);
    assert_eq!(failure.cause, Some(AbortCause::Deadline));
}

#[test]
fn an_abort_that_no_user_was_exposed_to_is_settled_as_it_ends() {
    let story = Story::canary()
        .after(10)
        .applies("b")
        .after(5)
        .aborted("")
        .reads(&["step 0 setWeight 20 Stopped ~20..~25", "Aborted ~20..~25 settled ~25"]);
    assert!(story.journal().root_closed.is_some());
}

#[test]
fn a_root_waits_a_minute_for_traffic_to_be_back_and_no_longer() {
    let story = paused().after(5).aborted("").after(10).version(|_| {});
    assert_eq!(story.journal().root_closed, None);
    let story = story.waits_until_due();
    assert_eq!(story.turn, Turn::Vital);
    assert!(story.journal().root_closed.is_some());
    assert_eq!(story.journal().settled, None);
    assert_eq!(story.now, story.journal().ended.unwrap().at + jiff::SignedDuration::from_mins(1));
}

#[test]
fn a_retry_closes_the_attempt_before_it_and_begins_with_the_first_step() {
    let story = paused().after(5).aborted("").after(10).retried().after(1).reaches(1);
    story
        .earlier_reads(&[
            "step 0 setWeight 20 Completed ~20..40.1",
            "pause Timed ~40..~45 End",
            "step 1 pause 30s Stopped 40.1..~45",
            "Aborted ~20..~45",
        ])
        .reads(&["step 0 setWeight 20 Completed 55.1..56.1", "step 1 pause 30s Running 56.1.."]);
}

#[test]
fn what_is_superseded_closes_at_once_and_keeps_why_it_did_not_get_on() {
    let story = paused().after(5).applies("c");
    let superseded = &story.journals[story.journals.len() - 2];
    assert_eq!(superseded.root_closed, Some(superseded.closed));
    story
        .earlier_reads(&[
            "step 0 setWeight 20 Completed ~20..40.1",
            "pause Timed ~40..~45 End",
            "step 1 pause 30s Stopped 40.1..~45",
            "Superseded ~20..~45",
        ])
        .reads(&["step 0 setWeight 20 Running ~45.."]);
}

#[test]
fn a_return_to_what_is_stable_stops_the_steps_and_completes_none() {
    let mut story = paused().after(5).applies("a");
    story = story.after(2).available_of("b", 0);
    assert_eq!(story.journal().phase, Phase::Reverted);
    story.reads(&[
        "step 0 setWeight 20 Completed ~20..40.1",
        "pause Timed ~40..45.1 End",
        "step 1 pause 30s Stopped 40.1..45.1",
        "Reverted ~20..45.1 settled 47.1",
    ]);
}

#[test]
fn what_is_deleted_closes_at_once() {
    let mut story = paused().after(5);
    let at = Moment::observed(story.now);
    assert_eq!(story.journal_mut().deleted(at), Turn::Vital);
    let story = story.reads(&[
        "step 0 setWeight 20 Completed ~20..40.1",
        "pause Timed ~40..45.1 End",
        "step 1 pause 30s Stopped 40.1..45.1",
        "Deleted ~20..45.1",
    ]);
    assert!(story.journal().root_closed.is_some() && story.journal().placed.is_some());
}

#[test]
fn a_switch_back_after_a_failed_promotion_is_shown_with_the_recovery() {
    let story = Story::blue_green().after(10).applies("b").after(5);
    let story = story.version(|rollout| rollout.progress.active = Some("b".into())).after(5);
    story
        .aborted(": Blue/green post-promotion analysis phase error/failed: no")
        .after(1)
        .version(|rollout| rollout.progress.active = Some("a".into()))
        .reads(&[
            "Preview to new 20.1",
            "Active to new 25.1",
            "Active to stable 31.1",
            "Aborted ~20..~30 settled 31.1",
        ]);
}

#[test]
fn a_promotion_waits_for_the_first_healthy() {
    let story = Story::canary().applies("b").reaches(4).after(1).promoted();
    assert_eq!(story.turn, Turn::Vital);
    assert_eq!(story.journal().root_closed, None);
    let story = story.after(7).healthy();
    assert_eq!(lines(story.journal()).last().unwrap(), "Promoted ~10..~11 settled ~18");
    assert_eq!(story.journal().failure, None);
}

#[test]
fn an_abort_waits_for_its_reason_where_argo_gives_it_a_version_later() {
    let why = ": Step-based analysis phase error/failed: Metric \"errors\" assessed Failed";
    let aborted = paused().after(5).version(|rollout| {
        (rollout.abort, rollout.aborted_at) = (true, rollout.completed.map(|(_, at)| at));
    });
    let explained = aborted.clone().after_ms(20).aborted(why);
    let failure = explained.journal().failure.clone().unwrap();
    assert_eq!(failure.cause, Some(AbortCause::StepAnalysis));
    // Nothing more is said: the root does not wait for ever.
    let silent = aborted.after(2).available(0);
    assert_eq!(silent.journal().root_closed, None);
    assert!(silent.waits_until_due().journal().root_closed.is_some());
}
