//! The links of one KeptnAppVersion, for each way in which Keptn comes to make one.

#![expect(clippy::panic, clippy::unwrap_used, reason = "what a case does not have fails the test")]

mod case;

use case::{AppVersion, Case, aborted, goes_on, live, open, over, trace};
use timeline::base::Phase;
use timeline::chain::Relation;
use timeline::keptn::admission::Decision;

const NOTHING: [u32; 0] = [];

#[test]
fn a_new_version_follows_what_is_live() {
    let case = Case::of(vec![live(1, "1", 1), open(2, "2").follows(1, 1)]);
    assert_eq!(case.links("shop-2-d4735e3a", "2"), [1]);
}

#[test]
fn the_first_version_follows_nothing_whatever_was_written_ahead() {
    let case = Case::of(vec![open(1, "1")]);
    assert_eq!(case.links("shop-1-6b86b273", "1"), NOTHING);
}

#[test]
fn an_old_pod_dies_in_mid_canary_and_the_old_version_follows_what_it_followed_when_it_was_new() {
    let case = Case::of(vec![
        live(1, "1", 1),
        live(2, "2", 2).follows(1, 1),
        open(3, "3").claimed("shop-3-4e074085", 3).follows(2, 2),
    ]);
    assert_eq!(case.links("shop-2-4b227777", "2"), [1]);
    // And the next new pod makes the new version again.
    assert_eq!(case.links("shop-3-ef2d127d", "3"), [2]);
}

#[test]
fn what_was_first_follows_nothing_when_it_is_made_again() {
    let case = Case::of(vec![live(1, "1", 1), open(2, "2").claimed("k2", 2).follows(1, 1)]);
    assert_eq!(case.links("shop-1-4e074085", "1"), NOTHING);
}

#[test]
fn after_an_abort_the_old_version_follows_nothing_new() {
    let case = Case::of(vec![live(1, "1", 1), aborted(2, "2", 2).follows(1, 1)]);
    assert_eq!(case.links("shop-1-4e074085", "1"), NOTHING);
}

#[test]
fn a_retry_follows_what_is_live_and_the_try_before() {
    let tried = aborted(2, "2", 2).follows(1, 1);
    let retry = open(2, "2").number(2).follows(1, 1).after(&tried, Relation::RetryAfter, 2);
    let case = Case::of(vec![live(1, "1", 1), tried.clone(), goes_on(retry, 2)]);
    assert_eq!(case.links("shop-2-4b227777", "2"), [1, 2]);
    // Before the retry was seen it is waited for; then the one before is what is known.
    let early = Case::of(vec![live(1, "1", 1), tried]);
    assert_eq!(early.not_yet("shop-2-4b227777", "2"), Some(vec![1]));
}

#[test]
fn a_rollback_follows_what_it_replaces_and_is_waited_for() {
    let (one, two) = (live(1, "1", 1), live(2, "2", 2).follows(1, 1));
    let early = Case::of(vec![one.clone(), two.clone()]);
    assert_eq!(early.not_yet("shop-1-4e074085", "1"), Some(vec![]));
    let back = open(3, "1").after(&two, Relation::Rollback, 2);
    let case = Case::of(vec![one, two, back]);
    assert_eq!(case.links("shop-1-4e074085", "1"), [2]);
}

#[test]
fn a_return_to_what_is_live_is_no_attempt_and_follows_what_that_followed() {
    let reverted = over(3, "3", 3, Phase::Reverted).follows(2, 2);
    let case = Case::of(vec![live(1, "1", 1), live(2, "2", 2).follows(1, 1), reverted]);
    assert_eq!(case.links("shop-2-4b227777", "2"), [1]);
}

#[test]
fn an_attempt_that_was_not_seen_yet_is_waited_for() {
    let case = Case::of(vec![live(1, "1", 1)]);
    assert_eq!(case.not_yet("shop-2-d4735e3a", "2"), None);
    // Its ReplicaSet was not seen: it is not known which version it is.
    let mut begun = open(2, "2").follows(1, 1);
    begun.attempt.workload = None;
    assert_eq!(Case::of(vec![live(1, "1", 1), begun]).not_yet("shop-2-d4735e3a", "2"), None);
}

#[test]
fn a_trace_that_keptn_is_about_to_show_is_waited_for() {
    let superseded = over(2, "2", 0, Phase::Superseded).follows(1, 1);
    let next = open(3, "3").follows(1, 1).after(&superseded, Relation::Supersedes, 1);
    let mut case = Case::of(vec![live(1, "1", 1), superseded, next]);
    assert_eq!(case.links("shop-3-4e074085", "3"), [1]);
    case.unnamed = vec![("cart".into(), "2".into())];
    assert_eq!(case.not_yet("shop-3-4e074085", "3"), Some(vec![1]));
}

#[test]
fn a_version_that_did_not_change_goes_on_with_what_the_first_of_it_followed() {
    let (one, two) = (live(1, "1", 1), live(2, "2", 2).follows(1, 1));
    let same = live(3, "2", 0).after(&two, Relation::Successor, 2);
    let next = open(4, "3").claimed("shop-3-4e074085", 3).after(&same, Relation::Successor, 2);
    let case = Case::of(vec![one, two, same, next]);
    assert_eq!(case.links("shop-2-4b227777", "2"), [1]);
}

#[test]
fn of_two_rollouts_in_an_app_only_what_is_new_in_it_counts() {
    let cart = vec![live(1, "1", 1), open(2, "2").follows(1, 1)];
    let pay = vec![live(1, "1", 11).of("pay"), live(2, "2", 12).of("pay").follows(1, 11)];
    let case = Case { rollouts: vec![cart, pay], ..Case::default() };
    let made = AppVersion::new("shop-aaaaaaaaaa-4b227777", &[("cart", "2"), ("pay", "2")]);
    assert_eq!(case.decided(&made), [1]);
}

#[test]
fn two_rollouts_that_are_rolled_out_at_once_are_both_followed() {
    let cart = vec![live(1, "1", 1), open(2, "2").follows(1, 1)];
    let pay = vec![live(1, "1", 11).of("pay"), open(2, "2").of("pay").follows(1, 11)];
    let case = Case { rollouts: vec![cart, pay], ..Case::default() };
    let made = AppVersion::new("shop-aaaaaaaaaa-4b227777", &[("cart", "2"), ("pay", "2")]);
    assert_eq!(case.decided(&made), [1, 11]);
}

#[test]
fn what_keptn_makes_again_for_two_rollouts_follows_what_that_followed() {
    let name = "shop-aaaaaaaaaa-d4735e3a";
    let cart = vec![
        live(1, "1", 1),
        live(2, "2", 2).claimed(name, 2).follows(1, 1),
        open(3, "3").claimed("shop-bbbbbbbbbb-4e074085", 3).follows(2, 2),
    ];
    let pay = vec![
        live(1, "0", 10).of("pay"),
        live(2, "1", 11).of("pay").claimed("shop-cccccccccc-6b86b273", 11).follows(1, 10),
    ];
    let case = Case { rollouts: vec![cart, pay], ..Case::default() };
    let again = AppVersion::new("shop-aaaaaaaaaa-4b227777", &[("cart", "2"), ("pay", "1")]);
    assert_eq!(case.decided(&again), [1]);
}

#[test]
fn a_workload_that_is_no_rollouts_changes_and_nothing_of_ours_is_linked() {
    let case = Case::of(vec![live(1, "1", 1), live(2, "2", 2).follows(1, 1)]);
    let made = AppVersion::new("shop-aaaaaaaaaa-4b227777", &[("cart", "2"), ("web", "5")]);
    assert_eq!(case.decided(&made), NOTHING);
}

#[test]
fn a_rollout_of_another_app_says_nothing() {
    let elsewhere = live(1, "1", 11).in_app("till");
    let cart = vec![elsewhere, open(2, "2").after(&live(1, "1", 11), Relation::Successor, 11)];
    let case = Case::of(cart);
    assert_eq!(case.links("shop-2-6b86b273", "2"), [11]);
    let case = Case::of(vec![live(1, "1", 11).in_app("till")]);
    assert_eq!(case.links("shop-1-6b86b273", "1"), NOTHING);
}

#[test]
fn after_a_deletion_what_keptn_still_found_is_taken_out() {
    let mut case = Case::of(vec![open(1, "3")]);
    case.ours = vec![trace(2)];
    let mut made = AppVersion::new("shop-3-4e074085", &[("cart", "3")]);
    made.span_links = vec![trace(2).to_string()];
    assert_eq!(case.decide(&made), Decision::Links(Vec::new()));
}

#[test]
fn what_a_person_links_stays_in_its_place() {
    let mut case = Case::of(vec![live(1, "1", 1), open(2, "2").follows(1, 1)]);
    case.foreign = vec!["theirs".to_owned(), trace(7).to_string()];
    let mut made = AppVersion::new("shop-1-4e074085", &[("cart", "1")]);
    made.span_links = vec!["theirs".into(), trace(1).to_string(), trace(7).to_string()];
    let Decision::Links(links) = case.decide(&made) else { panic!() };
    assert_eq!(links, ["theirs".to_owned(), trace(7).to_string()]);
    // Also where it is a trace that we would link to.
    case.foreign = vec![trace(1).to_string()];
    made.span_links = vec![trace(1).to_string()];
    assert_eq!(case.decide(&made), Decision::Links(vec![trace(1).to_string()]));
}
