//! What a kind that cannot be watched, or a write that fails, does not take away.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod cluster;
mod collector;
mod lists;

use std::collections::BTreeSet;

use cluster::{Cluster, at, cart, replica_set, under_way, version};
use timeline::base::Phase;
use timeline::seen::{InvalidSeen, Unavailable};
use timeline::{Kind, Observation};

#[test]
fn a_start_that_may_not_list_rollouts_ends_no_attempt() {
    for why in [Unavailable::Forbidden("list"), Unavailable::NotInstalled] {
        let mut cluster = Cluster::default();
        under_way(&mut cluster);
        let mut engine = cluster.start(Some(Kind::Rollout), at(200));
        engine.observe(Observation::Unavailable(Kind::Rollout, why), at(200));
        cluster.run_until_idle(&mut engine, at(200));
        assert_eq!(cluster.phases(), [("b".into(), Phase::Progressing)]);

        // The permission comes.
        engine.observe(Observation::Listing(Kind::Rollout), at(300));
        engine.observe(Observation::Rollout(version("u1", 2, "b", "a", false)), at(300));
        engine.observe(Observation::Listed(Kind::Rollout, BTreeSet::from([cart()])), at(300));
        cluster.run_until_idle(&mut engine, at(300));
        assert_eq!(cluster.phases(), [("b".into(), Phase::Progressing)]);
        engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(400));
        cluster.run_until_idle(&mut engine, at(400));
        assert_eq!(cluster.phases(), [("b".into(), Phase::Promoted)]);
    }
}

#[test]
fn a_rollout_that_is_gone_by_the_time_it_may_be_listed_ends_its_attempt() {
    let mut cluster = Cluster::default();
    under_way(&mut cluster);
    let mut engine = cluster.start(Some(Kind::Rollout), at(200));
    let why = Unavailable::Forbidden("list");
    engine.observe(Observation::Unavailable(Kind::Rollout, why), at(200));
    cluster.run_until_idle(&mut engine, at(200));
    engine.observe(Observation::Listed(Kind::Rollout, BTreeSet::new()), at(300));
    cluster.run_until_idle(&mut engine, at(300));
    assert_eq!(cluster.phases(), [("b".into(), Phase::Deleted)]);
}

#[test]
fn a_rollout_that_could_not_be_listed_was_not_looked_at_from_its_creation_on() {
    let mut cluster = Cluster::default();
    let mut engine = cluster.start(Some(Kind::Rollout), at(200));
    let why = Unavailable::Forbidden("list");
    engine.observe(Observation::Unavailable(Kind::Rollout, why), at(200));
    cluster.run_until_idle(&mut engine, at(200));
    engine.observe(Observation::Listing(Kind::Rollout), at(300));
    engine.observe(Observation::Rollout(version("u1", 1, "a", "a", true)), at(300));
    engine.observe(Observation::Listed(Kind::Rollout, BTreeSet::from([cart()])), at(300));
    cluster.run_until_idle(&mut engine, at(300));
    let ledger = cluster.last().report.ledger.clone().unwrap();
    assert_eq!(ledger.known_since(), Some(at(300)));
}

#[test]
fn what_happens_while_rollout_traces_are_away_is_followed() {
    for why in [Unavailable::Forbidden("list"), Unavailable::NotInstalled] {
        let mut cluster = Cluster::default();
        let mut engine = under_way(&mut cluster);
        engine.observe(Observation::Unavailable(Kind::RolloutTrace, why), at(150));
        cluster.refuses = true;
        engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(200));
        cluster.run_until_idle(&mut engine, at(200));
        engine.observe(Observation::Rollout(version("u1", 3, "c", "b", false)), at(300));
        cluster.run_until_idle(&mut engine, at(300));
        engine.observe(Observation::Rollout(version("u1", 4, "d", "b", false)), at(310));
        cluster.run_until_idle(&mut engine, at(310));
        let followed = [
            ("b".to_owned(), Phase::Promoted),
            ("c".to_owned(), Phase::Superseded),
            ("d".to_owned(), Phase::Progressing),
        ];
        assert_eq!(cluster.phases(), followed);
        let chain = engine.chain(&cart()).unwrap();
        assert_eq!(chain.attempts().iter().filter(|it| it.ended == Some(at(200))).count(), 1);
    }
}

#[test]
fn a_rollout_that_goes_while_rollout_traces_are_away_is_gone_when_they_are_back() {
    let mut cluster = Cluster::default();
    let mut engine = under_way(&mut cluster);
    engine
        .observe(Observation::Unavailable(Kind::RolloutTrace, Unavailable::NotInstalled), at(150));
    engine.observe(Observation::Gone(Kind::Rollout, cart()), at(200));
    let keys = cluster.keys(Kind::RolloutTrace);
    engine.observe(Observation::Listed(Kind::RolloutTrace, keys), at(300));
    cluster.run_until_idle(&mut engine, at(300));
    assert_eq!(cluster.phases(), [("b".into(), Phase::Deleted)]);
    let ended = cluster.attempts[0].journal.ended.unwrap();
    assert_eq!(ended.at, at(200));
    assert!(!engine.has(&cart()));
}

#[test]
fn a_condition_keeps_its_time_through_writes_that_fail() {
    let mut cluster = Cluster::default();
    let mut engine = under_way(&mut cluster);
    let since = cluster.last().report.observed.since;
    assert!(since < at(100));
    cluster.refuses = true;
    engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(1000));
    cluster.run_until_idle(&mut engine, at(1000));
    let now = cluster.run_until_idle(&mut engine, at(2000));
    cluster.refuses = false;
    cluster.run_until_idle(&mut engine, now + jiff::SignedDuration::from_mins(10));
    assert!(cluster.tried.len() > 3, "{}", cluster.tried.len());
    for write in &cluster.tried {
        assert_eq!(write.report.observed.since, since);
    }
    let stored = cluster.trace.unwrap().stored.unwrap();
    assert_eq!(stored.attempts[0].phase, Phase::Promoted);
}

#[test]
fn in_a_namespace_that_goes_a_rollout_trace_is_asked_for_once() {
    let mut cluster = Cluster::default();
    let mut engine = under_way(&mut cluster);
    let before = cluster.tried.len();
    cluster.goes = true;
    engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(1000));
    for second in [1000, 2000, 10_000] {
        cluster.run_until_idle(&mut engine, at(second));
    }
    assert_eq!(cluster.tried.len(), before + 1);
}

#[test]
fn a_replica_set_of_a_rollout_made_again_says_nothing_about_the_one_before() {
    let mut cluster = Cluster::default();
    let mut engine = cluster.start(None, at(0));
    // What is left of the one before comes first.
    engine.observe(replica_set("u0", "b", 7, true), at(1));
    engine.observe(Observation::Rollout(version("u1", 1, "a", "a", true)), at(1));
    cluster.run_until_idle(&mut engine, at(1));
    engine.observe(replica_set("u1", "b", 2, false), at(100));
    engine.observe(Observation::Rollout(version("u1", 2, "b", "a", false)), at(100));
    cluster.run_until_idle(&mut engine, at(100));
    engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(200));
    cluster.run_until_idle(&mut engine, at(200));
    let ledger = cluster.last().report.ledger.clone().unwrap();
    let line = ledger.lines().iter().find(|line| line.id.hash.as_str() == "b").unwrap();
    assert_eq!(line.kind, timeline::ledger::Kind::Change);
    assert_eq!(cluster.watched, ["b"]);
}

#[test]
fn the_rollouts_that_are_there_are_counted() {
    let mut cluster = Cluster::default();
    let mut engine = cluster.start(None, at(0));
    assert_eq!(engine.rollouts(), 0);
    let unreadable = |uid: &str| InvalidSeen {
        key: cart(),
        uid: Some(uid.into()),
        problem: "spec: not a map".into(),
    };
    let seen = |uid| Observation::Rollout(version(uid, 1, "a", "a", true));
    for (what, observation, count) in [
        ("comes", seen("u1"), 1),
        ("is seen again", seen("u1"), 1),
        ("cannot be read", Observation::Invalid(Kind::Rollout, unreadable("u1")), 1),
        ("is made again", seen("u2"), 1),
        ("goes", Observation::Gone(Kind::Rollout, cart()), 0),
        ("goes once more", Observation::Gone(Kind::Rollout, cart()), 0),
        ("cannot be read from the start", Observation::Invalid(Kind::Rollout, unreadable("u3")), 1),
        ("is gone by the next list", Observation::Listed(Kind::Rollout, BTreeSet::new()), 0),
    ] {
        engine.observe(observation, at(1));
        cluster.run_until_idle(&mut engine, at(1));
        assert_eq!(engine.rollouts(), count, "a Rollout {what}");
    }
}
