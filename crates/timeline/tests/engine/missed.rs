//! Attempts that came and went while the operator was not watching have a record too.

use std::collections::BTreeSet;

use timeline::base::{Moment, Source};
use timeline::engine::Options;
use timeline::{Engine, Kind, Observation};

use crate::stored::{Stored, at, replica_set, rollout, version};

#[test]
fn what_was_promoted_and_replaced_unseen_has_a_journal_and_a_line() {
    let stored = Stored::of_a_live(10);
    let since = stored.ledger().known_since();
    let stored = stored.after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        rollout(3, "c", "b"),
    ]);
    assert_eq!(stored.phases(), ["b Promoted", "c Progressing"]);
    let missed = stored.journal("b");
    assert!(missed.facts.rebuilt);
    assert_eq!(missed.facts.commit.as_deref(), Some("b".repeat(40).as_str()));
    assert_eq!((missed.started.source, missed.started.at), (Source::Inferred, at(300)));
    let ended = missed.ended.unwrap();
    assert_eq!((ended.source, ended.after), (Source::Inferred, Some(at(300))));
    stored.is_of_one_record();
    assert_eq!(stored.lines(), ["c Progressing", "b Promoted"]);
    assert_eq!(stored.ledger().known_since(), since);
}

#[test]
fn of_what_passed_unseen_the_journals_have_bounds() {
    let stored = Stored::of_a_live(10).after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        replica_set("d", 4, 900),
        rollout(4, "d", "d"),
    ]);
    assert_eq!(stored.phases(), ["b Unknown", "c Unknown", "d Promoted"]);
    let ended = |hash| stored.journal(hash).ended.unwrap();
    assert_eq!((ended("b").after, ended("b").at), (Some(at(300)), at(600)));
    assert_eq!((ended("c").after, ended("c").at), (Some(at(600)), at(900)));
    stored.is_of_one_record();
    assert_eq!(stored.lines(), ["d Promoted", "c Unknown", "b Unknown"]);
}

#[test]
fn what_passed_unseen_and_comes_back_is_no_rollback() {
    let mut stored = Stored::of_a_live(10).after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        rollout(3, "c", "c"),
    ]);
    assert_eq!(stored.phases(), ["b Unknown", "c Promoted"]);
    for observation in [replica_set("b", 4, 300), rollout(4, "b", "c"), rollout(4, "b", "b")] {
        stored.engine.observe(observation, at(2_000));
        stored.run_until_idle(at(2_000));
    }
    let newest = stored.report.as_ref().unwrap().attempts.first().unwrap();
    assert_eq!(newest.follows[0].relation, timeline::chain::Relation::Successor);
}

#[test]
fn what_was_there_at_first_sight_has_no_journal() {
    let stored = Stored::first_sight(
        10,
        vec![
            replica_set("a", 1, 0),
            replica_set("b", 2, 20),
            replica_set("c", 3, 50),
            rollout(3, "c", "a"),
        ],
    );
    assert_eq!(stored.phases(), ["c Progressing"]);
    assert_eq!(stored.ledger().known_since(), Some(at(50)));
}

#[test]
fn what_became_live_before_the_first_look_and_after_its_creation_was_known_has_a_journal() {
    let mut engine = Engine::new(Options::default());
    for kind in Kind::ALL {
        engine.observe(Observation::Listed(kind, BTreeSet::new()), at(0));
    }
    let mut stored = Stored::of(engine);
    stored.run_until_idle(at(0));
    let mut seen = version(1, "a", "a");
    // Argo says so before any pod is ready.
    seen.completed = Some((true, at(11)));
    seen.progress.healthy_since = Some(at(60));
    for observation in [replica_set("a", 1, 10), Observation::Rollout(seen)] {
        stored.engine.observe(observation, at(100));
    }
    stored.run_until_idle(at(100));
    assert_eq!(stored.phases(), ["a Promoted"]);
    assert!(stored.journal("a").facts.rebuilt);
    assert_eq!(stored.journal("a").ended, Some(Moment::inferred(Some(at(0)), at(60))));
    assert_eq!((stored.lines(), stored.ledger().known_since()), (vec!["a Promoted".into()], None));
}

#[test]
fn what_passed_unseen_and_is_more_than_is_kept_moves_on_since_when_all_is_known() {
    let stored = Stored::of_a_live(2).after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        replica_set("d", 4, 900),
        rollout(4, "d", "d"),
    ]);
    assert_eq!(stored.phases(), ["c Unknown", "d Promoted"]);
    assert_eq!(stored.ledger().known_since(), Some(at(600)));
}

#[test]
fn what_came_and_went_since_the_rollout_was_seen_without_a_revision_is_known_or_missed() {
    // A Rollout that Argo has not looked at yet, and a ledger that begins with it.
    let mut empty = version(1, "a", "a");
    (empty.revision, empty.current_hash, empty.stable_hash) = (None, None, None);
    let stored = || Stored::first_sight(10, vec![Observation::Rollout(empty.clone())]);
    assert_eq!(stored().ledger().known_since(), Some(at(102)));
    let since = |stored: &Stored| stored.ledger().known_since();

    let seen = vec![replica_set("a", 1, 90), replica_set("b", 2, 300), rollout(2, "b", "a")];
    let known = stored().after_a_gap(seen);
    assert_eq!(known.phases(), ["a Promoted", "b Progressing"]);
    assert_eq!(since(&known), Some(at(102)));

    // Its ReplicaSet has a later number.
    let seen = vec![replica_set("b", 2, 300), replica_set("a", 3, 90), rollout(3, "a", "b")];
    let missed = stored().after_a_restart(None, seen, 1_000);
    assert_eq!(since(&missed), Some(at(1_000)));
}
