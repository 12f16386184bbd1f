//! Times that cannot be right, and things that there is no room for.

use jiff::{SignedDuration, Timestamp};
use timeline::base::Phase;
use timeline::journal::{MarkKind, ResumedBy};
use timeline::seen::{AnalysisKind, AnalysisPhase, PauseKind, PauseSeen, StepPlan, Strategy};
use timeline::spans;

use crate::evidence::run;
use crate::lines::lines;
use crate::story::{Story, floor, step};

fn absurd() -> [Timestamp; 4] {
    [
        Timestamp::MIN,
        Timestamp::from_second(-1).unwrap(),
        Timestamp::from_second(1_800_000_000 + 90_000).unwrap(),
        Timestamp::MAX,
    ]
}

#[test]
fn a_pause_that_began_at_no_time_began_when_it_was_seen() {
    for started in absurd() {
        let story = Story::canary().applies("b").after(20).reaches(1);
        let pause = PauseSeen { kind: PauseKind::Timed, started: Some(started) };
        let story = story
            .version(|rollout| rollout.progress.pauses = vec![pause])
            .after(5)
            .version(|_| {})
            .marks(&["ClockDoubted 30.1"]);
        assert!(story.journal().marks[0].note.starts_with("pause: "));
        let story = story.after(25).resumed_by_timer();
        assert_eq!(lines(story.journal())[1], "pause Timed 30.1..60.1 Timer");
    }
}

#[test]
fn a_pause_that_no_clock_can_end_and_a_count_that_is_full_end_nothing() {
    let plan = vec![StepPlan { seconds: Some(u64::MAX), ..step("pause", "") }];
    let mut story = Story::begins(Strategy::Canary, plan).gets_live("a").after(10).applies("b");
    // As it may have been stored.
    story.journal_mut().closed = u32::MAX;
    let story = story.paused(PauseKind::Timed).after(60).promoted_by_hand().promoted().healthy();
    let journal = story.journal();
    assert_eq!(journal.pauses[0].planned, Some(u64::MAX));
    assert_eq!(journal.pauses[0].resumed_by, Some(ResumedBy::Person));
    assert_eq!((journal.phase, journal.closed), (Phase::Promoted, u32::MAX));
}

#[test]
fn an_abort_before_the_start_is_dated_by_the_version_that_shows_it() {
    let story = Story::canary().after(100).applies("b").after(20);
    let at = story.now - SignedDuration::from_mins(1);
    let story = story.version(|rollout| {
        (rollout.abort, rollout.aborted_at) = (true, Some(floor(at)));
    });
    assert_eq!(lines(story.journal())[1], "Aborted ~110..130.1 settled 130.1");
    assert_eq!(story.journal().marks[0].kind, MarkKind::ClockDoubted);
}

#[test]
fn an_abort_in_the_second_of_the_start_is_no_wrong_clock() {
    let story = Story::canary().applies("b").aborted("").retried().after_ms(200).aborted("");
    assert_eq!(lines(story.journal())[1], "Aborted ~10..~10 settled ~10");
    story.marks(&[]);
}

#[test]
fn a_clock_is_doubted_once() {
    let mut story = Story::canary().applies("b");
    for started in absurd() {
        let pause = PauseSeen { kind: PauseKind::Timed, started: Some(started) };
        story = story.after(1).version(|rollout| rollout.progress.pauses.push(pause));
    }
    assert_eq!(story.journal().marks.len(), 1);
}

#[test]
fn what_there_is_no_room_for_is_counted_once() {
    let plan = (0..160).map(|index| step("setWeight", &index.to_string())).collect();
    let mut story = Story::begins(timeline::seen::Strategy::Canary, plan).gets_live("a");
    story = story.applies("b");
    for index in 1..=160 {
        story = story.after(1).reaches(index);
    }
    assert_eq!((story.journal().steps.len(), story.journal().cut), (128, 32));
    for second in 0..160 {
        story = story.after(2).paused(PauseKind::Timed).after(1).version(|_| {});
        story = story.version(|rollout| rollout.progress.pauses.clear());
        assert_eq!(story.journal().pauses.len(), 128.min(second + 1));
    }
    assert_eq!(story.journal().cut, 32 + 32);
}

#[test]
fn what_an_earlier_process_counted_is_not_counted_again() {
    let plan = (0..160).map(|index| step("setWeight", &index.to_string())).collect();
    let mut story = Story::begins(timeline::seen::Strategy::Canary, plan).gets_live("a");
    story = story.applies("b").reaches(144);
    assert_eq!(story.journal().cut, 17);
    story.journal_mut().memory = timeline::journal::Memory::default();
    let story = story.while_away(|story| story.after(1).reaches(154));
    assert_eq!(story.journal().cut, 27);
}

#[test]
fn words_of_others_are_cut_and_hold_no_control_characters() {
    let plan = vec![step("set\nWeight", &"é\u{1b}".repeat(100))];
    let story = Story::begins(timeline::seen::Strategy::Canary, plan).gets_live("a");
    let story = story.applies("b");
    let step = &story.journal().steps[0];
    assert_eq!(step.kind, "set Weight");
    // A character of two bytes has no room in the last one.
    assert_eq!(step.setting.len(), 63);
    assert!(!step.setting.contains(char::is_control));
}

#[test]
fn a_pause_stays_below_its_step_though_that_begins_again_on_a_clock_that_ran_back() {
    let story = Story::canary().applies("b").after(20).reaches(1).paused(PauseKind::Timed);
    let story = story.after(30).resumed_by_timer().after(40).waits_until_due();
    assert_eq!(story.journal().pauses[0].below, Some(1));
    let closed = story.journal().pauses[0].closed.unwrap();
    let left = spans::of(story.journal(), closed - 1, closed);
    assert!(left.is_some());

    let story = story.after(-100).version(|rollout| {
        rollout.progress.step_hash = Some("steps-2".into());
        rollout.progress.step = Some(0);
    });
    let story = story.after(1).reaches(1).after(1).version(|_| {});
    let again = story.journal().steps.iter().rposition(|step| step.index == 1);
    assert!(again > Some(1), "the step has begun again");
    assert_eq!(spans::of(story.journal(), closed - 1, closed), left);
}

#[test]
fn an_analysis_of_no_time_was_between_what_is_known() {
    for started in absurd() {
        for ended in absurd() {
            let story = Story::canary().applies("b").after(20).reaches(1).after(3);
            let mut seen = run("cart-b-2-1", AnalysisKind::Step, story.now);
            (seen.created, seen.started, seen.completed) =
                (Some(started), Some(started), Some(ended));
            seen.phase = AnalysisPhase::Successful;
            let story = story.analysed(&seen).marks(&["ClockDoubted 33.1"]);
            assert_eq!(
                lines(story.journal())[1],
                "analysis cart-b-2-1 Step Successful 33.1..?33.1<33.1"
            );
        }
    }
}

#[test]
fn an_analysis_that_ended_before_it_began_ended_when_that_was_seen() {
    let story = Story::canary().applies("b").after(20).reaches(1).after(30);
    let mut seen = run("cart-b-2-1", AnalysisKind::Step, story.now);
    seen.started = Some(floor(story.now));
    seen.phase = AnalysisPhase::Running;
    let story = story.analysed(&seen).after(5);
    seen.completed = seen.started.map(|at| at - SignedDuration::from_secs(10));
    seen.phase = AnalysisPhase::Failed;
    let story = story.analysed(&seen).marks(&["ClockDoubted 65.1"]);
    assert_eq!(lines(story.journal())[1], "analysis cart-b-2-1 Step Failed ~60..65.1");
}

#[test]
fn of_five_hundred_steps_those_that_have_no_room_are_counted_and_the_attempt_still_ends() {
    let plan = (0..500).map(|index| step("setWeight", &index.to_string())).collect();
    let story = Story::begins(timeline::seen::Strategy::Canary, plan).gets_live("a");
    let mut story = story.applies("b");
    for index in 1..=500 {
        story = story.after(1).reaches(index);
    }
    let story = story.promoted().healthy();
    assert_eq!((story.journal().steps.len(), story.journal().cut), (128, 372));
    assert!(story.journal().root_closed.is_some());
}
