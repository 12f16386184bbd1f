//! The page that `throughline explain` prints.

#![expect(clippy::unwrap_used, reason = "what a test itself makes is as it should be")]

use api::{RolloutAttempt, RolloutTrace};
use jiff::Timestamp;
use operator::explain::{WIDTH, render};
use operator::journal::read;
use proptest::prelude::*;
use serde_json::{Value, json};
use timeline::journal::Journal;

fn now() -> Timestamp {
    "2026-11-23T06:03:00Z".parse().unwrap()
}

fn journal(number: u32, status: &Value) -> Journal {
    let object: RolloutAttempt = serde_json::from_value(json!({
        "apiVersion": "throughline.dev/v1alpha1",
        "kind": "RolloutAttempt",
        "metadata": { "name": "cart-2-1-0f3a9", "namespace": "shop" },
        "spec": {
            "rollout": "cart", "rolloutUid": "uid", "hash": "6d5694bbbf", "revision": 2,
            "attempt": number,
        },
        "status": status,
    }))
    .unwrap();
    read(&object).unwrap()
}

fn aborted() -> Value {
    json!({
        "phase": "Aborted",
        "exposed": true,
        "started": { "at": "2026-11-21T06:03:00.5Z", "source": "Observed" },
        "ended": { "at": "2026-11-21T06:04:32Z", "source": "Status" },
        "settled": {
            "at": "2026-11-21T06:04:36Z", "source": "Inferred", "notBefore": "2026-11-21T06:04:32Z",
        },
        "failure": {
            "class": "AnalysisFailed", "cause": "StepAnalysis",
            "reason": "AnalysisFailed: success-rate: 0.10 (1 of 2)",
            "message": "Rollout aborted update to revision 2: Step-based analysis phase \
                        error/failed: Metric \"success-rate\" assessed Failed due to failed (1) > \
                        failureLimit (0)",
            "at": { "at": "2026-11-21T06:04:30Z", "source": "Status" },
        },
        "trace": {
            "id": "28e7c919c887709c210854f40838e0d7", "parent": "bf5933e028d3fc36", "keptn": true,
        },
        "links": [{
            "kind": "PreviousRevision",
            "traceparent": "00-9d68c919c887709c210854f40838e0d7-bf5933e028d3fc36-01",
        }],
        "facts": {
            "service": "cart", "version": "2.0.0", "commit": "c0ffee", "author": "Ada",
            "environment": "production", "replicaSet": "cart-6d5694bbbf", "plannedSteps": 4,
            "images": ["cart=example/cart:2.0.0"],
        },
        "steps": [
            "0 setWeight 20 +0s +12.345s #1",
            "1 pause '' < +42.4s #3",
            "2 setWeight 50 < +1m0.1s #4",
            "3 analysis errors Stopped < +1m31.5s #6",
        ],
        "pauses": ["1 Manual - Person =+12.5s +42.4s #2"],
        "analyses": [
            "Step 3 Failed =+1m1.5s =+1m29.5s #5 *-3 u 'Metric \"success-rate\" failed'",
            "  success-rate Failed 1/2 | 0.99 =+1m1.5s | 0.10 =+1m29.5s Failed",
        ],
        "weights": ["20% +0.5s +43s #7", "50% < -"],
        "marks": ["Gap ~+30s<+40s 'the watch began anew'"],
        "closed": 8,
        "rootClosed": 8,
        "exported": { "until": 5 },
    })
}

#[test]
fn the_story_of_an_attempt_that_an_analysis_stopped() {
    let expected = include_str!("explain/aborted.txt");
    assert_eq!(render(&journal(1, &aborted()), None, now()), expected);
}

#[test]
fn the_story_of_an_attempt_that_has_just_begun() {
    let status = json!({
        "started": { "at": "2026-11-23T06:02:30Z", "source": "Inferred" },
        "facts": { "plannedSteps": 2, "rebuilt": true },
        "steps": ["0 pause 10m +0s -"],
        "pauses": ["0 Timed 600s - =+0s -"],
        "marks": ["FirstSight +1s"],
        "exported": {},
    });
    let expected = include_str!("explain/begun.txt");
    assert_eq!(render(&journal(2, &status), None, now()), expected);
}

#[test]
fn what_the_rollout_trace_knows_of_keptns_own_link_is_shown() {
    let trace: RolloutTrace = serde_json::from_value(json!({
        "apiVersion": "throughline.dev/v1alpha1",
        "kind": "RolloutTrace",
        "metadata": { "name": "cart", "namespace": "shop" },
        "spec": {},
        "status": {
            "rolloutUid": "uid",
            "chain": [{
                "revision": 2, "hash": "6d5694bbbf", "attempt": 1, "phase": "Aborted",
                "started": "2026-11-21T06:03:00.5Z", "startedSource": "Observed",
                "follows": [{
                    "revision": 1, "hash": "57b9bb6bd9", "attempt": 1, "version": "1.0.0",
                    "relation": "Successor",
                }],
                "linked": { "state": "Applied", "reason": "on the root span of shop-2.0.0" },
            }],
        },
    }))
    .unwrap();
    let line =
        "  Keptn     follows 1.0.0 (revision 1, Successor); link Applied: on the root span of";
    assert!(render(&journal(1, &aborted()), Some(&trace), now()).contains(line));
    let mut others = trace;
    others.status.as_mut().unwrap().rollout_uid = Some("another".to_owned());
    assert!(!render(&journal(1, &aborted()), Some(&others), now()).contains("follows"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_is_too_wide_whatever_was_said(
        message in ".{0,300}",
        name in "[^ ']{0,300}",
        offset in 0u32..10_000_000,
    ) {
        let mut status = aborted();
        status["failure"]["message"] = json!(message);
        status["facts"]["author"] = json!(name);
        status["steps"][0] = json!(format!("0 '{name}' 20 +0s ~+1s<+{offset}s"));
        let page = render(&journal(1, &status), None, now());
        for line in page.lines() {
            prop_assert!(line.chars().count() <= WIDTH, "{}", line);
            prop_assert_eq!(line.trim_end(), line);
        }
    }
}
