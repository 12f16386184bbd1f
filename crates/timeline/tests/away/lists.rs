//! Lists that fail, and pods that are not looked at.

use timeline::base::Phase;
use timeline::seen::{PodSeen, Unavailable};
use timeline::{Engine, Key, Kind, Observation};

use crate::cluster::{Cluster, at, replica_set, under_way, version};

fn ready(uid: &str, hash: &str, revision: i64, available: i32) -> Observation {
    match replica_set(uid, hash, revision, false) {
        Observation::ReplicaSet(mut seen) => {
            (seen.desired, seen.ready, seen.available) = (Some(2), available, available);
            Observation::ReplicaSet(seen)
        }
        other => other,
    }
}

fn pod(name: &str, ready: bool) -> Observation {
    Observation::Pod(Box::new(PodSeen {
        key: Key::new("ns", name),
        uid: name.into(),
        replica_set_uid: "u1-b".into(),
        ready,
        ..PodSeen::default()
    }))
}

#[test]
fn pods_are_watched_only_while_an_attempt_lacks_some() {
    let mut cluster = Cluster::default();
    let mut engine = under_way(&mut cluster);
    let mut watched = |engine: &mut Engine, second| {
        let (before, left) = (cluster.watched.len(), cluster.left);
        cluster.run_until_idle(engine, at(second));
        (cluster.watched.len() - before, cluster.left - left)
    };
    for (second, what, observation, expected) in [
        (101, "none is available", ready("u1", "b", 2, 0), (1, 0)),
        (102, "one of them has come", pod("x", false), (0, 0)),
        (103, "all are said to be available", ready("u1", "b", 2, 2), (0, 0)),
        (104, "what was seen is well again", pod("x", true), (0, 1)),
        (105, "one is lost", ready("u1", "b", 2, 1), (1, 0)),
        (106, "it is back before a pod was seen", ready("u1", "b", 2, 2), (0, 1)),
        (107, "Argo scales up", ready("u1", "b", 2, 1), (1, 0)),
        (
            108,
            "the attempt is over",
            Observation::Rollout(version("u1", 2, "b", "b", true)),
            (0, 1),
        ),
    ] {
        engine.observe(observation, at(second));
        assert_eq!(watched(&mut engine, second), expected, "{what}");
    }
}

fn failed() -> Unavailable {
    Unavailable::Failed("conversion webhook failed".to_owned())
}

#[test]
fn a_keptn_list_that_fails_at_the_start_stops_nothing_else() {
    for kind in [Kind::AppVersion, Kind::WorkloadVersion, Kind::AppContext] {
        let mut cluster = Cluster::default();
        let mut engine = cluster.start(Some(kind), at(0));
        engine.observe(Observation::Rollout(version("u1", 1, "a", "a", true)), at(1));
        engine.observe(Observation::Rollout(version("u1", 2, "b", "a", false)), at(2));
        engine.observe(Observation::Unavailable(kind, failed()), at(3));
        cluster.run_until_idle(&mut engine, at(3));
        assert_eq!(cluster.phases(), [], "the API server may be just starting");
        engine.observe(Observation::Unavailable(kind, failed()), at(33));
        cluster.run_until_idle(&mut engine, at(33));
        assert_eq!(cluster.phases(), [("b".into(), Phase::Progressing)], "without {kind:?}");
    }
}

#[test]
fn a_list_that_fails_rewrites_no_rollout_trace() {
    for kind in Kind::ALL {
        let mut cluster = Cluster::default();
        let mut engine = under_way(&mut cluster);
        let now = cluster.run_until_idle(&mut engine, at(200));
        let (before, said) = (cluster.tried.len(), cluster.last().report.linked.clone());
        for (second, observation) in [
            (0, Observation::Unavailable(kind, failed())),
            (60, Observation::Unavailable(kind, Unavailable::Failed("another".to_owned()))),
            (120, Observation::Listed(kind, cluster.keys(kind))),
        ] {
            // What is listed is what is there.
            if kind == Kind::Rollout && second == 120 {
                continue;
            }
            let now = now + jiff::SignedDuration::from_secs(second);
            engine.observe(observation, now);
            cluster.run_until_idle(&mut engine, now);
        }
        assert_eq!(cluster.tried.len(), before, "{kind:?}");
        assert_eq!(cluster.last().report.linked, said);
    }
}

#[test]
fn a_list_that_fails_from_the_start_leaves_what_an_earlier_process_said() {
    let mut cluster = Cluster::default();
    let mut engine = under_way(&mut cluster);
    cluster.run_until_idle(&mut engine, at(200));
    let said = cluster.last().report.linked.clone();
    let mut engine = cluster.start(Some(Kind::AppVersion), at(1000));
    engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(1000));
    for second in [1000, 1040] {
        engine.observe(Observation::Unavailable(Kind::AppVersion, failed()), at(second));
        cluster.run_until_idle(&mut engine, at(second));
    }
    assert_eq!(cluster.phases(), [("b".into(), Phase::Promoted)]);
    assert_eq!(cluster.last().report.linked, said);
}
