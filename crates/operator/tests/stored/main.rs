//! What release 0.1.0 stored, on a cluster with Argo Rollouts 1.10.1, is read by this one: nothing
//! of it is lost, and nothing that nobody saw is added.

#![expect(clippy::unwrap_used, reason = "what was stored is in the folder")]

use api::{RolloutAttempt, RolloutTrace};
use operator::observe::Observed as _;
use operator::{journal, report};
use serde_json::{Value, json};
use timeline::Observation;
use timeline::base::Phase;

fn attempts() -> Vec<RolloutAttempt> {
    serde_json::from_str(include_str!("rollout-attempts.json")).unwrap()
}

fn traces() -> Vec<RolloutTrace> {
    serde_json::from_str(include_str!("rollout-traces.json")).unwrap()
}

/// Whether all that `one` says is said by `other`, which may say more.
fn is_within(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => one
            .iter()
            .all(|(key, value)| other.get(key).is_some_and(|other| is_within(value, other))),
        _ => one == other,
    }
}

#[test]
fn every_attempt_is_read_and_would_be_written_as_it_stands() {
    let attempts = attempts();
    assert_eq!(attempts.len(), 15);
    for stored in attempts {
        let name = stored.metadata.name.clone().unwrap();
        let journal = journal::read(&stored).unwrap();
        let again = json!(journal::object(&journal).status);
        let before = json!(stored.status);
        assert!(is_within(&before, &again), "{name}\nstored  {before}\nwritten {again}");
        assert!(!journal.open() && journal.settled.is_some(), "{name}");
    }
}

#[test]
fn every_chain_and_ledger_is_read_and_would_be_written_as_it_stands() {
    for stored in traces() {
        let name = stored.metadata.name.clone().unwrap();
        let before = json!(stored.status);
        let Some(Observation::RolloutTrace(seen)) = stored.observe() else {
            panic!("{name} is no RolloutTrace");
        };
        let read = seen.stored.unwrap();
        let ledger = read.ledger.as_ref().unwrap();
        assert_eq!(ledger.lines().len(), read.attempts.len(), "{name}");
        assert!(ledger.lines().iter().all(|line| line.outcome != Phase::Unknown), "{name}");
        let again = json!(report::status(&read));
        for part in ["chain", "ledger", "rolloutUid", "conditions", "dora"] {
            let (before, again) = (&before[part], &again[part]);
            assert_eq!(before, again, "{part} of {name}");
        }
    }
}
