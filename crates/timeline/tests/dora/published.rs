//! Worked examples that others published, and what other tools made of such histories.

use jiff::Timestamp;
use timeline::base::Phase::{Aborted, Promoted};
use timeline::dora::{Settings, Window, figures};
use timeline::ledger::{Kind, Line};

use crate::build::{Build, attempt, hour, ledger, over};

fn unix(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn deployed(revision: i64, commit: &str, committed: i64, live: i64) -> Line {
    attempt(revision, &format!("h{revision}"), Promoted, unix(live - 1), unix(live))
        .commit(commit, unix(committed))
}

/// Four Keys, METRICS.md, Change Failure Rate: four deployments in a day, of which one causes a
/// failure, are 25 %.
#[test]
fn four_keys_one_failure_of_four_deployments_is_a_quarter() {
    let ledger = ledger([
        attempt(2, "b", Promoted, hour(1), hour(2)),
        attempt(3, "c", Promoted, hour(3), hour(4)),
        attempt(4, "d", Promoted, hour(5), hour(6)),
        attempt(5, "c", Promoted, hour(7), hour(8)).kind(Kind::Rollback),
        attempt(6, "e", Promoted, hour(20), hour(21)),
    ]);
    assert_eq!(over(7, hour(23), &ledger).failed_exposed.rate, Some(0.25));
}

/// Four Keys' query divides incident rows by deployments: of three deployments one that failed,
/// with four rows of incidents, is 133 %. Here an attempt fails once, whatever takes it back.
#[test]
fn four_keys_a_deployment_fails_once_however_often_it_is_taken_back() {
    let ledger = ledger([
        attempt(2, "b", Promoted, hour(1), hour(2)),
        attempt(3, "c", Promoted, hour(3), hour(4)),
        attempt(4, "d", Promoted, hour(5), hour(6)),
        attempt(5, "c", Promoted, hour(7), hour(8)).kind(Kind::Rollback),
        attempt(6, "d", Promoted, hour(9), hour(10)).kind(Kind::Rollback),
        attempt(7, "c", Promoted, hour(11), hour(12)).kind(Kind::Rollback),
    ]);
    let day = over(7, hour(13), &ledger);
    assert_eq!((day.frequency.n, day.sum.failed_live), (3, 1));
    assert_eq!(day.failed_exposed.rate, Some(1.0 / 3.0));
}

/// Four Keys, METRICS.md, Lead Time: PERCENTILE_CONT in the middle, values that are not positive
/// left out.
#[test]
fn four_keys_the_median_lies_between_the_two_in_the_middle() {
    let ledger = ledger([
        deployed(2, "c2", 1_600_000_000, 1_600_000_060),
        deployed(3, "c3", 1_600_000_000, 1_600_000_120),
        deployed(4, "c4", 1_600_000_000, 1_600_000_600),
        deployed(5, "c5", 1_600_000_000, 1_600_001_000),
        deployed(6, "c6", 1_600_009_000, 1_600_002_000),
    ]);
    let figures = over(7, unix(1_600_010_000), &ledger);
    assert_eq!((figures.lead.n, figures.lead.refused), (4, 1));
    assert_eq!(figures.lead.median, Some(360.0));
}

/// Pelorus, `_test/prometheus/test.yaml`, `sdp:lead_time:by_commit` of two applications: 111, 282
/// and 2918139 s, and 1045699, 1045798 and 1047163 s.
#[test]
fn pelorus_lead_times_are_the_same_and_their_middle_is_no_mean_of_means() {
    let nginx = ledger([
        deployed(2, "b4db23e0d916", 1_594_759_624, 1_594_759_735),
        deployed(3, "9421e2898111", 1_594_760_778, 1_594_761_060),
        deployed(4, "c8683ac2ae37", 1_594_760_961, 1_597_679_100),
    ]);
    let spring = ledger([
        deployed(2, "ea67853d8f9b", 1_590_750_291, 1_591_796_089),
        deployed(3, "ea67853d8f9c", 1_590_767_500, 1_591_813_199),
        deployed(4, "ea67853d8f9d", 1_590_767_500, 1_591_814_663),
    ]);
    let window = Window::days(90, unix(1_597_700_000)).unwrap();
    let of = |ledgers: &[_]| figures(ledgers, window, &Settings::default()).lead;
    assert_eq!(of(std::slice::from_ref(&nginx)).median, Some(282.0));
    assert_eq!(of(std::slice::from_ref(&spring)).median, Some(1_045_798.0));
    // Pelorus takes the mean of the two means, 1009532 s.
    assert_eq!(of(&[nginx, spring]).median, Some(f64::midpoint(1_045_699.0, 1_045_798.0)));
}

/// The same file has one commit deployed three times, and three lead times of it. What is live
/// already is no new change: its second deployment has none.
#[test]
fn pelorus_a_commit_that_is_live_already_has_no_second_lead_time() {
    let spring = ledger([
        deployed(2, "ea67853d8f9b", 1_590_750_291, 1_591_796_089),
        deployed(3, "ea67853d8f9b", 1_590_767_500, 1_591_813_199),
        deployed(4, "ea67853d8f9b", 1_590_767_500, 1_591_814_663),
    ]);
    let figures = over(90, unix(1_591_900_000), &spring);
    assert_eq!((figures.frequency.n, figures.lead.n, figures.lead.unknown), (3, 1, 2));
    assert_eq!(figures.lead.median, Some(1_045_798.0));
}

/// Pelorus counts a canary that was never promoted as a deployment, and a rollback to an older
/// ReplicaSet as none.
#[test]
fn pelorus_a_canary_that_is_never_promoted_is_no_deployment_and_a_rollback_is_seen() {
    let ledger = ledger([
        attempt(2, "b", Promoted, hour(0), hour(1)),
        attempt(3, "c", Aborted, hour(2), hour(3)).exposed_at(hour(2)),
        attempt(4, "d", Promoted, hour(4), hour(5)),
        attempt(5, "b", Promoted, hour(49), hour(50)).kind(Kind::Rollback),
    ]);
    let week = over(7, hour(51), &ledger);
    assert_eq!((week.frequency.n, week.sum.rollbacks), (2, 1));
}

/// Datadog marks V2 alone where V1, V2, V3 and V1 follow one another; here V3, which was live when
/// the rollback began, has failed as well.
#[test]
fn datadog_what_is_live_when_a_rollback_begins_has_failed() {
    let ledger = ledger([
        attempt(1, "v1", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        attempt(2, "v2", Promoted, hour(-40), hour(-39)),
        attempt(3, "v3", Promoted, hour(4), hour(5)),
        attempt(4, "v1", Promoted, hour(6), hour(7)).kind(Kind::Rollback),
    ]);
    assert_eq!(over(7, hour(8), &ledger).sum.failed_live, 1);
}
