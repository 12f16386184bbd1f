//! Which of Keptn's traces is an attempt's, for what Keptn does that no recording holds.

#![expect(clippy::unwrap_used, reason = "what a case does not have fails the test")]

mod case;

use case::{Case, app_version, at, attempt, early_span, following, trace, workload_version};
use timeline::base::Phase;
use timeline::chain::{Attempt, LinkState, Relation};
use timeline::seen::{AppVersionSeen, WorkloadVersionSeen};

/// Version 1 is live in trace 1, and version 2 follows it since second 100.
fn second_revision(phase: Phase) -> Case {
    let first = attempt(1, "1", Phase::Promoted, 0);
    let second = following(attempt(2, "2", phase, 100), &first, Relation::Successor);
    Case {
        attempts: vec![first, second],
        app_versions: vec![AppVersionSeen { ended: Some(at(50)), ..app_version("k1", "1", 1, 1) }],
        workload_versions: vec![workload_version("1", Some(1))],
        replica_set_uid: None,
    }
}

#[test]
fn the_app_version_is_claimed_before_the_workload_version_names_it() {
    let mut case = second_revision(Phase::Progressing);
    case.app_versions.push(AppVersionSeen {
        span_links: vec![trace(1).to_string()],
        ..app_version("k2", "2", 101, 2)
    });
    case.workload_versions.push(workload_version("2", None));
    case.decide();
    assert_eq!((case.trace(), case.app_version()), (Some(trace(2)), Some("k2")));
    assert_eq!(case.state(), LinkState::Applied);
    case.workload_versions[1].trace = Some(trace(2));
    case.decide();
    assert_eq!((case.trace(), case.app_version()), (Some(trace(2)), Some("k2")));
    let named = case.newest().trace.as_ref().unwrap().workload_version.as_deref();
    assert_eq!(named, Some("shop-cart-2"));
}

#[test]
fn after_a_restart_of_keptn_the_workloads_spans_are_where_the_workload_version_says() {
    let mut case = second_revision(Phase::Progressing);
    case.app_versions.push(app_version("k2", "2", 101, 2));
    case.workload_versions.push(workload_version("2", Some(9)));
    case.decide();
    assert_eq!((case.trace(), case.app_version()), (Some(trace(9)), Some("k2")));
}

#[test]
fn a_trace_that_nothing_but_the_workload_version_shows_is_not_taken() {
    let mut case = second_revision(Phase::Progressing);
    case.workload_versions.push(workload_version("2", Some(9)));
    assert_eq!(case.decide().trace(), None);
}

#[test]
fn an_app_version_that_goes_on_with_open_spans_has_their_trace_and_lost_its_links() {
    let mut case = second_revision(Phase::Aborted);
    let retry = Attempt { number: 2, ..attempt(2, "2", Phase::Progressing, 200) };
    let retry = following(retry, &case.attempts[0], Relation::Successor);
    let retry = following(retry, &case.attempts[1], Relation::RetryAfter);
    case.attempts.push(retry);
    case.app_versions.push(app_version("k2", "2", 101, 2));
    case.app_versions.push(app_version("k3", "1", 151, 3));
    case.app_versions.push(AppVersionSeen {
        span_links: vec![trace(1).to_string(), trace(2).to_string()],
        app_deploy: None,
        before_deploy: Some(early_span(2)),
        ..app_version("k4", "2", 201, 2)
    });
    case.workload_versions.push(workload_version("2", Some(2)));
    case.decide();
    assert_eq!((case.trace(), case.app_version()), (Some(trace(2)), Some("k4")));
    assert_eq!(case.state(), LinkState::Lost);
}

#[test]
fn a_retry_without_an_app_version_goes_on_in_the_trace_of_the_try_before() {
    let mut case = second_revision(Phase::Aborted);
    let retry = Attempt { number: 2, ..attempt(2, "2", Phase::Progressing, 200) };
    let retry = following(retry, &case.attempts[0], Relation::Successor);
    let retry = following(retry, &case.attempts[1], Relation::RetryAfter);
    case.attempts.push(retry);
    case.app_versions.push(app_version("k2", "2", 101, 2));
    case.decide();
    assert_eq!((case.trace(), case.app_version()), (Some(trace(2)), None));
    assert_eq!(case.state(), LinkState::None);
}

#[test]
fn an_app_version_that_is_held_is_known_by_the_span_before_its_deployment() {
    let mut case = second_revision(Phase::Progressing);
    case.app_versions.push(AppVersionSeen {
        held: true,
        app_deploy: None,
        before_deploy: Some(early_span(2)),
        span_links: vec![trace(1).to_string()],
        ..app_version("k2", "2", 101, 2)
    });
    assert_eq!(case.decide().trace(), Some(early_span(2)));
    assert_eq!(case.state(), LinkState::Requested);
    // Let go on: for a moment nothing else is known of it.
    case.app_versions[1].held = false;
    assert_eq!(case.decide().trace(), Some(early_span(2)));
    case.app_versions[1].app_deploy = Some(trace(2));
    assert_eq!(case.decide().trace(), Some(trace(2)));
    assert_eq!(case.state(), LinkState::Applied);
}

#[test]
fn an_app_version_without_any_span_yet_is_awaited() {
    let mut case = second_revision(Phase::Progressing);
    case.app_versions.push(AppVersionSeen {
        app_deploy: None,
        before_deploy: Some(early_span(2)),
        ..app_version("k2", "2", 101, 2)
    });
    assert_eq!(case.decide().trace(), None);
}

#[test]
fn a_rollout_that_was_made_again_has_the_trace_that_was_made_since() {
    let mut case = Case {
        attempts: vec![attempt(1, "1", Phase::Promoted, 200)],
        app_versions: vec![
            AppVersionSeen { ended: Some(at(50)), ..app_version("k1", "1", 1, 1) },
            AppVersionSeen { workloads: Vec::new(), ..app_version("k2", "", 190, 2) },
            app_version("k3", "1", 201, 3),
        ],
        // Keptn goes on naming the trace of the Rollout that is gone.
        workload_versions: vec![workload_version("1", Some(1))],
        replica_set_uid: None,
    };
    assert_eq!((case.decide().trace(), case.app_version()), (Some(trace(3)), Some("k3")));
    // Later ones that list the version, because another workload changed, change nothing.
    case.app_versions.push(app_version("k4", "1", 260, 4));
    assert_eq!(case.decide().trace(), Some(trace(3)));
}

#[test]
fn an_unfinished_app_version_of_a_rollout_that_is_gone_is_not_taken() {
    let mut case = Case {
        attempts: vec![attempt(1, "1", Phase::Progressing, 200)],
        app_versions: vec![app_version("k1", "1", 1, 1)],
        workload_versions: vec![workload_version("1", Some(1))],
        replica_set_uid: None,
    };
    // As long as nothing says otherwise, it may have been made by hand for what comes.
    assert_eq!(case.decide().trace(), Some(trace(1)));
    case.app_versions
        .push(AppVersionSeen { workloads: Vec::new(), ..app_version("k2", "", 190, 2) });
    assert_eq!(case.decide().trace(), None);
}

#[test]
fn an_app_that_a_person_keeps_may_have_the_version_before_the_rollout_has_it() {
    let mut case = second_revision(Phase::Progressing);
    case.app_versions.push(app_version("k2", "2", 60, 2));
    assert_eq!((case.decide().trace(), case.app_version()), (Some(trace(2)), Some("k2")));
    // And keeps its trace when the app goes on to the next.
    case.workload_versions.push(workload_version("2", Some(2)));
    case.decide();
    case.app_versions[1].deprecated = true;
    case.app_versions.push(app_version("k3", "3", 140, 3));
    assert_eq!(case.decide().trace(), Some(trace(2)));
}

#[test]
fn what_was_superseded_before_keptn_made_anything_hands_on_what_it_follows() {
    let mut case = second_revision(Phase::Superseded);
    case.decide();
    assert_eq!(case.trace(), None);
    assert_eq!(case.newest().standing_trace(), Some(trace(1)));
    assert_eq!(case.newest().linked.reason, "Keptn made no trace for it before it ended");
}

#[test]
fn a_revision_of_the_same_version_has_no_trace_and_hands_on_what_it_follows() {
    let first = attempt(1, "1", Phase::Promoted, 0);
    let second = following(attempt(2, "1", Phase::Promoted, 100), &first, Relation::Successor);
    let mut case = Case {
        attempts: vec![first, Attempt { hash: "another".into(), ..second }],
        app_versions: vec![app_version("k1", "1", 1, 1)],
        workload_versions: vec![workload_version("1", Some(1))],
        replica_set_uid: None,
    };
    case.decide();
    assert_eq!((case.trace(), case.newest().standing_trace()), (None, Some(trace(1))));
    assert!(case.newest().linked.reason.starts_with("Keptn made no trace: version 1 is that of"));
}

#[test]
fn a_hashed_version_is_the_one_that_keptn_found_for_the_replica_set() {
    let mut case = Case {
        attempts: vec![attempt(1, "111", Phase::Progressing, 0)],
        app_versions: vec![app_version("k1", "222", 1, 1)],
        workload_versions: vec![WorkloadVersionSeen {
            replica_set_uid: Some("uid-of-the-set".into()),
            ..workload_version("222", Some(1))
        }],
        replica_set_uid: Some("uid-of-the-set"),
    };
    // A version that a person gave is never corrected.
    assert_eq!((case.decide().trace(), case.newest().version()), (None, Some("111")));
    case.attempts[0].workload.as_mut().unwrap().hashed = true;
    assert_eq!((case.decide().trace(), case.newest().version()), (Some(trace(1)), Some("222")));
}

#[test]
fn a_workload_version_of_a_replica_set_that_is_not_there_corrects_nothing() {
    for replica_set_uid in [None, Some("another")] {
        let mut case = Case {
            attempts: vec![attempt(1, "111", Phase::Progressing, 0)],
            app_versions: vec![app_version("k1", "222", 1, 1)],
            workload_versions: vec![WorkloadVersionSeen {
                replica_set_uid: Some("gone".into()),
                ..workload_version("222", Some(1))
            }],
            replica_set_uid,
        };
        case.attempts[0].workload.as_mut().unwrap().hashed = true;
        assert_eq!((case.decide().trace(), case.newest().version()), (None, Some("111")));
    }
}

#[test]
fn replays_before_and_after_a_rollback_are_not_its_own() {
    let mut case = second_revision(Phase::Promoted);
    let back = attempt(3, "1", Phase::Progressing, 200);
    let back = following(back, &case.attempts[1], Relation::Rollback);
    case.attempts.push(back);
    case.app_versions.push(app_version("k2", "2", 101, 2));
    // An old pod died while version 2 was under way.
    case.app_versions.push(app_version("k3", "1", 110, 3));
    case.app_versions.push(app_version("k4", "2", 112, 4));
    case.workload_versions.push(workload_version("2", Some(2)));
    assert_eq!(case.decide().trace(), None);
    assert_eq!(case.newest().standing_trace(), Some(trace(2)));
    case.app_versions.push(app_version("k5", "1", 201, 5));
    assert_eq!((case.decide().trace(), case.app_version()), (Some(trace(5)), Some("k5")));
    // One of the pods that are leaving died, and the app went to and fro once more.
    case.app_versions.push(app_version("k6", "2", 210, 6));
    case.app_versions.push(app_version("k7", "1", 212, 7));
    assert_eq!((case.decide().trace(), case.app_version()), (Some(trace(5)), Some("k5")));
    assert_eq!(case.attempts[0].trace.as_ref().unwrap().traceparent, trace(1));
    assert_eq!(case.attempts[1].trace.as_ref().unwrap().traceparent, trace(2));
}

#[test]
fn a_rollback_that_was_superseded_without_pods_does_not_take_the_trace_of_the_next() {
    let mut case = second_revision(Phase::Promoted);
    let second = case.attempts[1].clone();
    let back = Attempt { ended: Some(at(210)), ..attempt(3, "1", Phase::Superseded, 200) };
    case.attempts.push(following(back, &second, Relation::Rollback));
    let other = Attempt { ended: Some(at(220)), ..attempt(4, "4", Phase::Superseded, 210) };
    case.attempts.push(following(other, &second, Relation::Successor));
    let back = attempt(5, "1", Phase::Progressing, 220);
    case.attempts.push(following(back, &second, Relation::Rollback));
    case.app_versions.push(app_version("k2", "2", 101, 2));
    case.app_versions.push(app_version("k3", "1", 221, 3));
    case.workload_versions.push(workload_version("2", Some(2)));
    assert_eq!(case.decide().trace(), Some(trace(3)));
    assert_eq!(case.attempts[2].trace, None);
}

#[test]
fn an_app_version_of_other_workloads_is_nobodys() {
    let mut case = second_revision(Phase::Progressing);
    let others = vec![("pay".into(), "2".into())];
    case.app_versions.push(AppVersionSeen { workloads: others, ..app_version("k2", "2", 101, 2) });
    case.app_versions.push(AppVersionSeen {
        workloads: Vec::new(),
        ..app_version("shop-e3b0c44298-4e074085", "", 102, 3)
    });
    assert_eq!(case.decide().trace(), None);
}

#[test]
fn what_was_found_out_stays_when_keptns_objects_are_pruned() {
    let mut case = second_revision(Phase::Progressing);
    case.app_versions.push(app_version("k2", "2", 101, 2));
    case.decide();
    case.app_versions.clear();
    case.workload_versions.clear();
    assert_eq!((case.decide().trace(), case.app_version()), (Some(trace(2)), Some("k2")));
}
