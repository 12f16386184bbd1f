//! What left for the collector, and how often the cluster was written to for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use timeline::base::Phase;
use timeline::chain::Attempt;
use timeline::spans;

use crate::cluster::live;
use crate::recording::{ALL, open};

/// Keptn's AppDeploy spans as Jaeger has them: (trace, span) -> KeptnAppVersion, which is what the
/// root span of the trace is called.
fn app_deploys(name: &str) -> BTreeMap<(String, String), String> {
    let traces: Value = serde_json::from_reader(open(&format!("{name}.jaeger.json.gz"))).unwrap();
    let mut found = BTreeMap::new();
    for trace in traces.as_array().unwrap() {
        let spans = trace["spans"].as_array().unwrap();
        for span in spans.iter().filter(|span| span["operationName"] == "AppDeploy") {
            let parent = &span["references"][0]["spanID"];
            let parent = spans.iter().find(|span| span["spanID"] == *parent).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let id = (text(&span["traceID"]), text(&span["spanID"]));
            found.insert(id, text(&parent["operationName"]));
        }
    }
    found
}

#[test]
fn the_spans_of_an_attempt_are_the_same_in_whatever_portions_they_leave() {
    for name in ALL {
        let mut ids = BTreeSet::new();
        for (key, stored) in &live(name).attempts {
            let journal = &stored.journal;
            assert!(journal.delivered(), "{name}: {key}");
            let of = |after, until| {
                spans::of(journal, after, until).map(|batch| batch.spans).unwrap_or_default()
            };
            let all = of(0, u32::MAX);
            assert_eq!(stored.sent, all, "{name}: {key}: as they left");
            for cut in 0..=journal.closed {
                let portions = [of(0, cut), of(cut, u32::MAX)].concat();
                assert_eq!(portions, all, "{name}: {key}: cut after {cut}");
            }
            let one_by_one: Vec<_> = (0..journal.closed).flat_map(|n| of(n, n + 1)).collect();
            assert_eq!(one_by_one, all, "{name}: {key}: one by one");
            for span in all {
                let id = (span.trace.to_string(), span.id.to_string());
                assert!(ids.insert(id.clone()), "{name}: {key}: {id:?} twice");
            }
        }
    }
}

#[test]
fn the_root_is_in_the_app_deploy_span_of_its_app_version_or_in_a_trace_of_its_own() {
    let mut inside = BTreeMap::new();
    for name in ALL {
        let app_deploys = app_deploys(name);
        let replay = live(name);
        for stored in replay.attempts.values() {
            let journal = &stored.journal;
            let root = stored.sent.last().unwrap();
            let placed = journal.placed.unwrap();
            assert_eq!((root.trace, root.id), (placed.trace, journal.identity.span(&[])));
            let trace = root.trace.to_string();
            if let Some(parent) = root.parent {
                assert!(parent.remote);
                let version = app_deploys.get(&(trace, parent.id.to_string()));
                let version = version.unwrap_or_else(|| panic!("{name}: {journal:#?}"));
                // A retry goes on in the span of the first try.
                if journal.identity.number == 1 {
                    let chain = replay.engine.chain(&journal.identity.rollout).unwrap();
                    let is_it = |it: &&Arc<Attempt>| {
                        (it.revision, it.number) == (journal.identity.revision, 1)
                    };
                    let attempt = chain.attempts().iter().find(is_it).unwrap();
                    let trace = attempt.trace.as_ref().unwrap();
                    assert_eq!(trace.app_version.as_deref(), Some(version.as_str()), "{name}");
                }
                *inside.entry(true).or_insert(0) += 1;
            } else {
                assert!(app_deploys.keys().all(|(other, _)| *other != trace), "{name}");
                *inside.entry(false).or_insert(0) += 1;
            }
            // Whatever else left is below the root.
            let ids: BTreeSet<_> = stored.sent.iter().map(|span| span.id.to_string()).collect();
            for span in stored.sent.iter().filter(|span| span.id != root.id) {
                assert_eq!(span.trace, root.trace);
                assert!(ids.contains(&span.parent.unwrap().id.to_string()), "{name}: {span:?}");
            }
        }
    }
    assert_eq!(inside, BTreeMap::from([(true, 39), (false, 2)]));
}

/// Its begin, what is on its way once, its end with Healthy, and that all has left. An end that is
/// no promotion is stored at once, and so the recovery that follows it costs one more.
#[test]
fn an_attempt_of_less_than_a_minute_costs_at_most_four_writes_and_a_recovery_one_more() {
    for name in ALL {
        for (key, stored) in &live(name).attempts {
            let journal = &stored.journal;
            let recovers = matches!(journal.phase, Phase::Aborted | Phase::Reverted)
                && journal.settled != journal.ended;
            let (most, writes) = (if recovers { 5 } else { 4 }, stored.writes);
            assert!(writes <= most, "{name}: {key}: {writes} writes of {journal:#?}");
        }
    }
}
