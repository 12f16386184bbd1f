//! The journals of all recorded attempts, line by line: what Argo did, as its own objects and
//! events of the recordings say.
//!
//! Times are seconds since the attempt began, see [`crate::rendering`].

use crate::cluster::live;

fn assert_journals(name: &str, rollout: &str, lines: &[&str]) {
    let found = live(name).journal_lines(rollout);
    assert_eq!(found, lines, "{name}, {rollout}:\n{}", found.join("\n"));
}

#[test]
fn three_promotions_go_from_step_to_step() {
    assert_journals(
        "linear",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.5 exposed, settled +22.5, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Promoted =+31 exposed, settled =+32, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +23.3",
            "  1 pause Timed 4s, Timer =+23 to +27.0",
            "  1 pause 4s Completed +23.3 to +27.0",
            "  2 setWeight 67 Completed +27.0 to +27.7",
            "  3 pause Timed 4s, Timer =+27 to +31.1",
            "  3 pause 4s Completed +27.7 to +31.1",
            "3#1 3.0.0 Promoted =+20 exposed, settled =+20, in shop-3.0.0-4e074085",
            "  links to shop-2.0.0-d4735e3a: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +11.0",
            "  1 pause Timed 4s, Timer =+11 to +15.0",
            "  1 pause 4s Completed +11.0 to +15.0",
            "  2 setWeight 67 Completed +15.0 to +16.3",
            "  3 pause Timed 4s, Timer =+16 to +20.0",
            "  3 pause 4s Completed +16.3 to +20.0",
        ],
    );
}

#[test]
fn an_app_of_one_workload_has_the_same_journals() {
    assert_journals(
        "single-service",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.0 exposed, settled +22.0, in cart-1.0.0-6b86b273",
            "2#1 2.0.0 Promoted =+31 exposed, settled =+31, in cart-2.0.0-d4735e3a",
            "  links to cart-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +22.3",
            "  1 pause Timed 4s, Timer =+22 to +26.1",
            "  1 pause 4s Completed +22.3 to +26.1",
            "  2 setWeight 67 Completed +26.1 to +27.1",
            "  3 pause Timed 4s, Timer =+27 to +31.1",
            "  3 pause 4s Completed +27.1 to +31.1",
            "3#1 3.0.0 Promoted =+28 exposed, settled =+28, in cart-3.0.0-4e074085",
            "  links to cart-2.0.0-d4735e3a: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +20.3",
            "  1 pause Timed 4s, Timer =+20 to +24.0",
            "  1 pause 4s Completed +20.3 to +24.0",
            "  2 setWeight 67 Completed +24.0 to +24.2",
            "  3 pause Timed 4s, Timer =+24 to +28.0",
            "  3 pause 4s Completed +24.2 to +28.0",
        ],
    );
}

#[test]
fn two_rollouts_of_an_app_have_each_their_own() {
    assert_journals(
        "two-workloads",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.4 exposed, settled +22.4, in shop-9601637160-d4735e3a",
            "2#1 2.0.0 Promoted =+22 exposed, settled =+22, in shop-6273950f13-4e074085",
            "  links to shop-9601637160-d4735e3a: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +14.2",
            "  1 pause Timed 4s, Timer =+14 to +18.1",
            "  1 pause 4s Completed +14.2 to +18.1",
            "  2 setWeight 67 Completed +18.1 to +18.9",
            "  3 pause Timed 4s, Timer =+18 to +22.1",
            "  3 pause 4s Completed +18.9 to +22.1",
            "3#1 3.0.0 Promoted =+28 exposed, settled =+28, in shop-49473cb4f6-ef2d127d",
            "  links to shop-6273950f13-4e074085: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +20.4",
            "  1 pause Timed 4s, Timer =+20 to +24.0",
            "  1 pause 4s Completed +20.4 to +24.0",
            "  2 setWeight 67 Completed +24.0 to +24.4",
            "  3 pause Timed 4s, Timer =+24 to +28.0",
            "  3 pause 4s Completed +24.4 to +28.0",
            "4#1 4.0.0 Promoted =+28 exposed, settled =+28, in shop-d0e2962a9f-e7f6c011",
            "  links to shop-49473cb4f6-ef2d127d: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +20.8",
            "  1 pause Timed 4s, Timer =+20 to +24.0",
            "  1 pause 4s Completed +20.8 to +24.0",
            "  2 setWeight 67 Completed +24.0 to +24.3",
            "  3 pause Timed 4s, Timer =+24 to +28.0",
            "  3 pause 4s Completed +24.3 to +28.0",
        ],
    );
    assert_journals(
        "two-workloads",
        "pay",
        &[
            "1#1 1.0.0 Promoted +21.8 exposed, settled +21.8, in shop-9601637160-d4735e3a",
            "2#1 2.0.0 Promoted =+21 exposed, settled =+21, in shop-244ac2eb13-4b227777",
            "  links to shop-9601637160-d4735e3a: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +12.3",
            "  1 pause Timed 4s, Timer =+12 to +16.1",
            "  1 pause 4s Completed +12.3 to +16.1",
            "  2 setWeight 67 Completed +16.1 to +17.6",
            "  3 pause Timed 4s, Timer =+17 to +21.1",
            "  3 pause 4s Completed +17.6 to +21.1",
            "3#1 3.0.0 Promoted =+29 exposed, settled =+29, in shop-49473cb4f6-ef2d127d",
            "  links to shop-244ac2eb13-4b227777: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +21.1",
            "  1 pause Timed 4s, Timer =+21 to +25.0",
            "  1 pause 4s Completed +21.1 to +25.0",
            "  2 setWeight 67 Completed +25.0 to +25.3",
            "  3 pause Timed 4s, Timer =+25 to +29.0",
            "  3 pause 4s Completed +25.3 to +29.0",
        ],
    );
}

#[test]
fn a_version_that_keptn_hashed_is_the_one_of_the_service() {
    assert_journals(
        "hash-version",
        "cart",
        &[
            "1#1 3391518271 Promoted +22.5 exposed, settled +22.5, in shop-3391518271-6b86b273",
            "2#1 214277426 Promoted =+20 exposed, settled =+21, in shop-214277426-d4735e3a",
            "  links to shop-3391518271-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +11.9",
            "  1 pause Timed 4s, Timer =+11 to +15.2",
            "  1 pause 4s Completed +11.9 to +15.2",
            "  2 setWeight 67 Completed +15.2 to +16.8",
            "  3 pause Timed 4s, Timer =+16 to +20.0",
            "  3 pause 4s Completed +16.8 to +20.0",
        ],
    );
}

#[test]
fn what_keptn_made_no_trace_for_has_its_own_and_is_linked_to() {
    assert_journals(
        "same-version",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.7 exposed, settled +22.7, in shop-1.0.0-6b86b273",
            "2#1 1.0.0 Promoted =+13 exposed, settled =+14, in its own trace",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +1.5",
            "  1 pause Timed 4s, Timer =+1 to +5.1",
            "  1 pause 4s Completed +1.5 to +5.1",
            "  2 setWeight 67 Completed +5.1 to +6.9",
            "  3 pause Timed 4s, Timer =+6 to +10.3",
            "  3 pause 4s Completed +6.9 to +10.3",
            "3#1 1.0.0 Promoted =+10 exposed, settled =+10, in its own trace",
            "  links to 2#1: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +2.7",
            "  1 pause Timed 4s, Timer =+2 to +6.1",
            "  1 pause 4s Completed +2.7 to +6.1",
            "  2 setWeight 67 Completed +6.1 to +6.7",
            "  3 pause Timed 4s, Timer =+6 to +10.0",
            "  3 pause 4s Completed +6.7 to +10.0",
        ],
    );
}

#[test]
fn a_full_promotion_skips_what_is_left() {
    assert_journals(
        "promote-full",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.0 exposed, settled +22.0, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Promoted =+28 exposed, settled =+28, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +21.9",
            "  1 pause Manual, FullPromotion =+21 to +26.8",
            "  1 pause Skipped +21.9 to +26.8",
            "  2 setWeight 67 Skipped +26.8 to +26.8",
            "  3 pause Skipped +26.8 to +26.8",
            "  ! FullPromotion +26.8",
        ],
    );
}

#[test]
fn an_abort_by_hand_stops_the_steps_and_a_retry_begins_them_again() {
    assert_journals(
        "abort-retry",
        "cart",
        &[
            "1#1 1.0.0 Promoted +23.0 exposed, settled +23.0, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Aborted =+36 exposed, settled +38.3, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  Manual: ManualAbort: aborted by a person or a tool =+36",
            "  0 setWeight 34 Completed =+0 to +22.9",
            "  1 pause Manual, End =+22 to =+36",
            "  1 pause Stopped +22.9 to =+36",
            "2#2 2.0.0 Promoted =+3.07 exposed, settled =+3.07, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed +0.0 to +0.6",
            "  1 pause Manual, Person =+0.07 to +3.0",
            "  1 pause Completed +0.6 to +3.1",
            "  2 setWeight 100 Completed +3.1 to +3.7",
        ],
    );
}

#[test]
fn a_return_to_what_is_live_stops_the_steps() {
    assert_journals(
        "revert-midway",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.5 exposed, settled +22.5, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Reverted +32.7 exposed, settled +35.5, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +22.7",
            "  1 pause Manual, End =+22 to +32.7",
            "  1 pause Stopped +22.7 to +32.7",
        ],
    );
}

#[test]
fn a_rollback_goes_through_its_steps_as_any_other() {
    assert_journals(
        "rollback",
        "cart",
        &[
            "1#1 1.0.0 Promoted +23.5 exposed, settled +23.5, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Promoted =+29 exposed, settled =+29, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +20.9",
            "  1 pause Timed 4s, Timer =+20 to +24.0",
            "  1 pause 4s Completed +20.9 to +24.0",
            "  2 setWeight 67 Completed +24.0 to +24.8",
            "  3 pause Timed 4s, Timer =+24 to +28.2",
            "  3 pause 4s Completed +24.8 to +28.2",
            "3#1 1.0.0 Promoted =+9 exposed, settled =+9, in shop-1.0.0-4e074085",
            "  links to shop-2.0.0-d4735e3a: RollsBack",
            "  0 setWeight 34 Completed =+0 to +1.3",
            "  1 pause Timed 4s, Timer =+1 to +5.0",
            "  1 pause 4s Completed +1.3 to +5.0",
            "  2 setWeight 67 Completed +5.0 to +5.4",
            "  3 pause Timed 4s, Timer =+5 to +9.0",
            "  3 pause 4s Completed +5.4 to +9.0",
        ],
    );
}

#[test]
fn what_supersedes_ends_the_pause_of_the_one_before() {
    assert_journals(
        "superseded",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.5 exposed, settled +22.5, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Superseded =+34 exposed, not settled, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  0 setWeight 34 Completed =+0 to +23.3",
            "  1 pause Manual, End =+23 to =+34",
            "  1 pause Stopped +23.3 to =+34",
            "3#1 3.0.0 Promoted =+30 exposed, settled =+30, in shop-3.0.0-4e074085",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  links to shop-2.0.0-d4735e3a: Supersedes",
            "  0 setWeight 34 Completed =+0 to +22.2",
            "  1 pause Manual, Person =+22 to +28.5",
            "  1 pause Completed +22.2 to +28.6",
            "  2 setWeight 100 Completed +28.6 to +30.8",
        ],
    );
}

#[test]
fn an_image_that_cannot_be_pulled_is_why_a_deadline_passed() {
    assert_journals(
        "bad-image-then-fix",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.3 exposed, settled +22.3, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Superseded =+46, not settled, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  -: ImagePullFailed: cart: example/bad:2.0.0 (1 of 1 pods) cart-57876455c6-mr5gm cart example/bad:2.0.0 +22.3",
            "  0 setWeight 34 Stopped =+0 to =+46",
            r#"  ! DeadlineExceeded =+42 ReplicaSet "cart-57876455c6" has timed out progressing."#,
            "3#1 3.0.0 Promoted =+26 exposed, settled =+26, in shop-3.0.0-4e074085",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  links to shop-2.0.0-d4735e3a: Supersedes",
            "  0 setWeight 34 Completed =+0 to +0.3",
            "  1 pause Timed 4s, Timer =+0 to +4.0",
            "  1 pause 4s Completed +0.3 to +4.0",
            "  2 setWeight 67 Completed +4.0 to +22.2",
            "  3 pause Timed 4s, Timer =+22 to +26.0",
            "  3 pause 4s Completed +22.2 to +26.0",
        ],
    );
}

#[test]
fn pods_that_were_never_let_go_leave_only_the_deadline_to_blame() {
    assert_journals(
        "bad-image-deadline-abort",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.8 exposed, settled +22.8, in shop-1.0.0-6b86b273",
            r#"  ! DeadlineExceeded =+21 ReplicaSet "cart-57b9bb6bd9" has timed out progressing."#,
            "2#1 2.0.0 Aborted =+21, settled =+21, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            r#"  Deadline: DeadlineExceeded: ReplicaSet "cart-57876455c6" has timed out progressing. =+21"#,
            "  0 setWeight 34 Stopped =+0 to =+21",
        ],
    );
}

#[test]
fn an_analysis_that_fails_shows_its_value() {
    assert_journals(
        "analysis-fail",
        "cart",
        &[
            "1#1 1.0.0 Promoted +22.5 exposed, settled +22.5, in shop-1.0.0-6b86b273",
            "2#1 2.0.0 Aborted =+24 exposed, settled +25.6, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  StepAnalysis: AnalysisFailed: success-rate: 0.10 (step 4) =+23",
            "  0 setWeight 34 Completed =+0 to +21.9",
            "  1 analysis Step Successful success-rate 0/2 0.99 0.99 =+21 to =+23",
            "  1 analysis ok Completed +21.9 to +23.0",
            "  2 setWeight 67 Completed +23.0 to +23.8",
            "  3 analysis Step Failed success-rate 1/1 0.10 =+23 to =+23",
            "  3 analysis ko Stopped +23.8 to =+24",
        ],
    );
}

#[test]
fn a_blue_green_rollout_switches_between_its_analyses() {
    assert_journals(
        "bluegreen",
        "cart",
        &[
            "1#1 1.0.0 Promoted +21.2 exposed, settled +21.2, in shop-1.0.0-6b86b273",
            "  Preview to new +0.6",
            "  Active to new +21.2",
            "2#1 2.0.0 Promoted =+30 exposed, settled +30.1, in shop-2.0.0-d4735e3a",
            "  links to shop-1.0.0-6b86b273: PreviousRevision",
            "  Preview to new +1.2",
            "  - analysis PrePromotion Successful success-rate 0/2 0.99 0.99 =+22 to =+24",
            "  - pause BlueGreen 4s, Timer =+24 to +28.3",
            "  Active to new +28.3",
            "  - analysis PostPromotion Successful success-rate 0/2 0.99 0.99 =+28 to =+30",
        ],
    );
}

#[test]
fn restarts_and_scaling_after_the_end_are_no_entries() {
    assert_journals(
        "restart-and-scale",
        "cart",
        &["1#1 1.0.0 Promoted +23.6 exposed, settled +23.6, in shop-1.0.0-6b86b273"],
    );
}
