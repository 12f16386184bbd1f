use std::collections::BTreeSet;

use super::*;
use crate::engine::{Effect, Observation, Options};
use crate::outbox::AttemptWritten;
use crate::seen::{
    AnalysisKind, AnalysisPhase, Kind, OwnedMetadata, Progress, ReplicaSetSeen, RevisionFacts,
    RolloutSeen, Template,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn cart() -> Key {
    Key::new("ns", "cart")
}

fn rollout(revision: i64, current: &str, stable: &str) -> Observation {
    Observation::Rollout(RolloutSeen {
        key: cart(),
        uid: "uid".into(),
        created: Some(at(0)),
        revision: Some(revision),
        current_hash: Some(current.into()),
        stable_hash: Some(stable.into()),
        abort: false,
        aborted_at: None,
        healthy: current == stable,
        completed: None,
        metadata: OwnedMetadata::default(),
        progress: Progress { was_healthy: true, ..Progress::default() },
    })
}

fn replica_set(hash: &str, revision: i64) -> Observation {
    Observation::ReplicaSet(ReplicaSetSeen {
        key: Key::new("ns", format!("cart-{hash}")),
        uid: format!("uid-{hash}").into(),
        rollout: "cart".into(),
        rollout_uid: "uid".into(),
        hash: hash.into(),
        revision: Some(revision),
        created: Some(at(100 * revision)),
        template: Template::AskRollout(Vec::new()),
        desired: None,
        ready: 0,
        available: 0,
        failure: None,
        facts: RevisionFacts::default(),
    })
}

fn run(name: &str, revision: i64) -> Observation {
    Observation::AnalysisRun(Box::new(AnalysisRunSeen {
        key: Key::new("ns", name),
        uid: name.to_owned(),
        owner: EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned()),
        revision: Some(revision),
        hash: None,
        kind: AnalysisKind::Background,
        step: None,
        phase: AnalysisPhase::Successful,
        message: String::new(),
        created: Some(at(100 * revision)),
        started: None,
        completed: Some(at(100 * revision + 1)),
        metrics: Vec::new(),
        metric_count: 0,
    }))
}

#[test]
fn what_only_waits_for_a_collector_keeps_no_evidence() {
    let mut engine = Engine::new(Options { export: true, ..Options::default() });
    for kind in Kind::ALL {
        engine.observe(Observation::Listed(kind, BTreeSet::new()), at(0));
    }
    for (second, seen) in [
        (100, replica_set("a", 1)),
        (101, rollout(1, "a", "a")),
        (200, replica_set("b", 2)),
        (201, rollout(2, "b", "a")),
        (202, run("cart-b-2", 2)),
        (210, rollout(2, "b", "b")),
        (300, replica_set("c", 3)),
        (301, rollout(3, "c", "b")),
        (302, run("cart-c-3", 3)),
    ] {
        engine.observe(seen, at(second));
        // Writes come through, and no span does.
        for now in second..second + 80 {
            for effect in engine.effects(at(now)) {
                if let Effect::WriteAttempt(key, _) = effect {
                    let answer = AttemptWritten::Stored("1".to_owned());
                    engine.attempt_written(&key, answer, at(now));
                }
            }
        }
    }
    let journals = engine.journals.of(&cart());
    let closed =
        |name: &Key| engine.journals.journal(name).is_some_and(|it| it.root_closed.is_some());
    assert_eq!(journals.iter().filter(|name| closed(name)).count(), 2, "they wait");
    let kept = engine.evidence.runs_of(&cart());
    let kept: Vec<_> = kept.iter().map(|run| run.key.name.as_str()).collect();
    assert_eq!(kept, ["cart-c-3"]);
}
