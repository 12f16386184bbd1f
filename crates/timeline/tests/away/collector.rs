//! What a RolloutTrace says while the collector takes nothing, and after.

use jiff::SignedDuration;
use timeline::outbox::{Sent, Wait};

use crate::cluster::{Cluster, at, under_way, version};
use timeline::Observation;

const DNS: &str = "the host of the endpoint cannot be resolved";
const TOKEN: &str = "the token is wrong";

fn away(why: &'static str) -> Sent {
    Sent::Later(Wait { why: Some(why), ..Wait::default() })
}

/// Reason and message of the condition as it is stored.
fn said(cluster: &Cluster) -> (String, String) {
    let stored = cluster.trace.as_ref().unwrap().stored.as_ref().unwrap();
    (stored.exported.reason.clone(), stored.exported.message.clone())
}

/// It answers so, and it may be because of what was sent.
fn doubtful(why: &'static str) -> Sent {
    let doubt = Some("HTTP 500 Internal Server Error".to_owned());
    Sent::Later(Wait { why: Some(why), doubt, ..Wait::default() })
}

fn waits(why: &str) -> (String, String) {
    let message = format!("the collector takes no spans now, they are kept: {why}");
    ("CollectorUnavailable".to_owned(), message)
}

#[test]
fn the_condition_says_why_nothing_is_taken_and_that_it_is_over() {
    let mut cluster = Cluster { collector: Some(away(DNS)), ..Cluster::default() };
    let mut engine = under_way(&mut cluster);
    engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(1000));
    let now = cluster.run_until_idle(&mut engine, at(1000));
    assert!(cluster.sent > 1, "it is tried again");
    assert_eq!(said(&cluster), waits(DNS));

    // More tries say nothing new.
    let (sent, tried) = (cluster.sent, cluster.tried.len());
    let mut now = now;
    for _ in 0..3 {
        now = cluster.run_until_idle(&mut engine, now + SignedDuration::from_mins(2));
    }
    assert!(cluster.sent > sent);
    assert_eq!(cluster.tried.len(), tried);

    cluster.collector = Some(away(TOKEN));
    let now = cluster.run_until_idle(&mut engine, now + SignedDuration::from_mins(2));
    assert_eq!(said(&cluster), waits(TOKEN));

    cluster.collector = Some(Sent::Acknowledged);
    cluster.run_until_idle(&mut engine, now + SignedDuration::from_mins(2));
    assert_eq!(said(&cluster).0, "Flowing");
}

#[test]
fn spans_that_may_be_at_fault_wait_and_say_so() {
    const FAULT: &str = "it answers that it cannot work now: see its log";
    let mut cluster = Cluster { collector: Some(doubtful(FAULT)), ..Cluster::default() };
    let mut engine = under_way(&mut cluster);
    engine.observe(Observation::Rollout(version("u1", 2, "b", "b", true)), at(1000));
    let now = cluster.run_until_idle(&mut engine, at(1000));
    assert_eq!(said(&cluster), waits(FAULT));
    let asked = engine.due().unwrap();
    assert!(asked > now, "it is not asked for ever in one moment");
    cluster.collector = Some(Sent::Acknowledged);
    cluster.run_until_idle(&mut engine, now + SignedDuration::from_mins(10));
    assert_eq!(said(&cluster).0, "Flowing");
    assert!(cluster.attempts.iter().all(|it| it.journal.exported.refused == 0));
}
