//! The watches of different kinds know nothing of each other: in whatever order their objects
//! arrive, the chain, its traces and the links come out the same.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use timeline::engine::{Effect, Options};
use timeline::outbox::AttemptWritten;
use timeline::seen::{
    AppVersionSeen, OwnedMetadata, ReplicaSetSeen, RolloutSeen, Template, Workload,
    WorkloadVersionSeen,
};
use timeline::{Engine, Key, Kind, Observation, Traceparent};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn trace(n: u32) -> Traceparent {
    format!("00-{n:032x}-{n:016x}-01").parse().unwrap()
}

fn key(name: &str) -> Key {
    Key::new("ns", name)
}

/// A Rollout whose status says this, dated by its condition Completed.
fn rollout(revision: i64, current: &str, stable: &str, done: bool, turned: i64) -> Observation {
    Observation::Rollout(RolloutSeen {
        key: key("cart"),
        uid: "uid-1".into(),
        created: Some(at(0)),
        revision: Some(revision),
        current_hash: Some(current.to_owned().into()),
        stable_hash: Some(stable.to_owned().into()),
        abort: false,
        aborted_at: None,
        healthy: done,
        completed: Some((done, at(turned))),
        metadata: OwnedMetadata::default(),
        progress: timeline::seen::Progress::default(),
    })
}

fn replica_set(hash: &str, revision: i64, made: i64) -> Observation {
    Observation::ReplicaSet(ReplicaSetSeen {
        key: key(&format!("cart-{hash}")),
        uid: format!("uid-{hash}").into(),
        rollout: "cart".into(),
        rollout_uid: "uid-1".into(),
        hash: hash.into(),
        revision: Some(revision),
        created: Some(at(made)),
        template: Template::Decided(Ok(Workload {
            app: "shop".into(),
            name: "shop-cart".into(),
            version: hash.into(),
            hashed: false,
        })),
        desired: None,
        ready: 0,
        available: 0,
        failure: None,
        facts: timeline::seen::RevisionFacts::default(),
    })
}

fn app_version(name: &str, version: &str, made: i64, n: u32) -> Observation {
    Observation::AppVersion(AppVersionSeen {
        key: key(name),
        app: "shop".into(),
        workloads: vec![("cart".into(), version.into())],
        span_links: Vec::new(),
        created: Some(at(made)),
        ended: None,
        deprecated: false,
        held: false,
        before_deploy: None,
        app_deploy: Some(trace(n)),
        broken: None,
    })
}

fn workload_version(version: &str, n: u32) -> Observation {
    Observation::WorkloadVersion(WorkloadVersionSeen {
        key: key(&format!("shop-cart-{version}")),
        app: "shop".into(),
        workload: "shop-cart".into(),
        version: version.into(),
        replica_set_uid: Some(format!("uid-{version}").into()),
        trace: Some(trace(n)),
    })
}

/// Two promotions and a rollback, with the replays of old pods in between.
fn versions_of_the_rollout() -> Vec<Observation> {
    vec![
        rollout(1, "a", "a", true, 0),
        rollout(2, "b", "a", false, 100),
        rollout(2, "b", "b", true, 150),
        rollout(3, "a", "b", false, 200),
        rollout(3, "a", "a", true, 250),
    ]
}

fn everything_else() -> Vec<Observation> {
    vec![
        replica_set("a", 3, 0),
        replica_set("b", 2, 100),
        app_version("k1", "a", 1, 1),
        app_version("k2", "b", 101, 2),
        app_version("k3", "a", 110, 3),
        app_version("k4", "b", 112, 4),
        app_version("k5", "a", 201, 5),
        app_version("k6", "b", 210, 6),
        app_version("k7", "a", 212, 7),
        workload_version("a", 1),
        workload_version("b", 2),
    ]
}

fn decided(
    order: impl IntoIterator<Item = Observation>,
) -> (Vec<Option<Traceparent>>, Vec<Traceparent>) {
    let mut engine = Engine::new(Options::default());
    for kind in Kind::ALL {
        engine.observe(Observation::Listed(kind, BTreeSet::new()), at(-1));
    }
    // Seen long after it was, so that nothing leans on when it arrives.
    for observation in order {
        engine.observe(observation, at(1000));
        engine.effects(at(1000));
    }
    let chain = engine.chain(&key("cart")).unwrap();
    let attempts = chain.attempts();
    let traces = attempts.iter().map(|attempt| attempt.trace.as_ref().map(|t| t.traceparent));
    (traces.rev().collect(), engine.wanted(&key("shop")).0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_of_the_kinds_the_traces_are_the_same(
        others in Just(everything_else()).prop_shuffle(),
        places in prop::collection::vec(0usize..12, 5),
    ) {
        // The versions of the Rollout in their order, anywhere between the others.
        let mut places = places;
        places.sort_unstable();
        let mut order = others;
        for (place, version) in places.into_iter().zip(versions_of_the_rollout()).rev() {
            order.insert(place.min(order.len()), version);
        }
        let (traces, wanted) = decided(order);
        prop_assert_eq!(traces, [Some(trace(1)), Some(trace(2)), Some(trace(5))]);
        prop_assert_eq!(wanted, [trace(5)]);
    }
}

/// All is known of three attempts, and everything that followed is done.
fn at_rest() -> Engine {
    let mut engine = Engine::new(Options { observe_only: true, ..Options::default() });
    for kind in Kind::ALL {
        engine.observe(Observation::Listed(kind, BTreeSet::new()), at(-1));
    }
    for observation in everything_else().into_iter().chain(versions_of_the_rollout()) {
        engine.observe(observation, at(1000));
    }
    rest(&mut engine, at(1000));
    engine
}

/// Answers everything that is asked for the next hour; says how much that was.
fn rest(engine: &mut Engine, mut now: Timestamp) -> usize {
    let until = now + SignedDuration::from_hours(1);
    let mut asked = 0;
    loop {
        let effects = engine.effects(now);
        asked += effects.len();
        for effect in effects {
            match effect {
                Effect::WriteReport(key, _) => engine.reported(&key, true, now),
                Effect::WriteAttempt(key, _) => {
                    let stored = AttemptWritten::Stored("1".to_owned());
                    engine.attempt_written(&key, stored, now);
                }
                Effect::ReadAttempts(key, uid) => {
                    engine.attempts_read(&key, &uid, Some(Vec::new()), now);
                }
                _ => {}
            }
        }
        match engine.due().filter(|due| *due <= until) {
            Some(due) => now = now.max(due),
            None => return asked,
        }
    }
}

#[test]
fn a_rollout_is_looked_at_again_only_for_an_app_version_that_can_say_something_about_it() {
    for (what, version, looks) in [
        ("a version of another workload", app_version("k8", "c", 2000, 8), false),
        ("another replay of what it is", app_version("k8", "a", 2000, 8), false),
        ("what it was between", app_version("k8", "b", 2000, 8), false),
        ("its own, as it is", app_version("k5", "a", 201, 5), false),
        ("its own, changed", app_version("k5", "a", 201, 50), true),
        ("one from before it", app_version("k0", "z", 150, 9), true),
    ] {
        let mut engine = at_rest();
        let before = engine.due();
        engine.observe(version, at(5000));
        engine.effects(at(5000));
        assert_eq!(engine.due() != before, looks, "{what}");
    }
}

#[test]
fn a_rollout_rests_while_nothing_is_owed_and_wakes_for_what_is_new() {
    let gone = |kind, name: &str| Observation::Gone(kind, key(name));
    let listed = |kind| Observation::Listed(kind, BTreeSet::new());
    for (what, seen, wakes) in [
        ("the version that was seen last", rollout(3, "a", "a", true, 250), false),
        ("another version", rollout(4, "c", "a", false, 300), true),
        ("a ReplicaSet as it was", replica_set("a", 3, 0), false),
        ("a ReplicaSet that changed", replica_set("a", 5, 0), true),
        ("a ReplicaSet that is gone", gone(Kind::ReplicaSet, "cart-b"), true),
        ("a ReplicaSet that is not there any more", listed(Kind::ReplicaSet), true),
        ("a list that begins", Observation::Listing(Kind::Rollout), false),
        ("the end of another Rollout", gone(Kind::Rollout, "other"), false),
        ("its own end", gone(Kind::Rollout, "cart"), true),
    ] {
        let mut engine = at_rest();
        engine.ledgers_changed();
        assert_eq!(engine.resting(), 1, "it is live and nothing else");
        let chain = engine.chain(&key("cart"));
        engine.observe(seen, at(5000));
        assert_eq!(engine.resting() == 0, wakes, "{what}");
        if engine.has(&key("cart")) && what != "another version" {
            assert_eq!(engine.chain(&key("cart")), chain, "{what}");
            rest(&mut engine, at(5000));
            engine.ledgers_changed();
            assert_eq!(engine.resting(), 1, "{what}");
        }
    }
}
