//! Attempts and traces for tests: the number says everything about them.

use std::collections::BTreeMap;

use api::rollout_trace::{ChainEntry, Phase};
use serde_json::json;

use crate::jaeger::{Reference, ReferenceKind, Span, Trace};

/// Revision 2 is version 2.0.0, with trace `…02` and AppDeploy span `…a2`.
pub(crate) fn attempt(number: u8, phase: Phase, follows: &[u8]) -> ChainEntry {
    let follow = |(index, of): (usize, &u8)| {
        json!({
            "revision": of,
            "hash": format!("hash{of}"),
            "attempt": 1,
            "version": format!("{of}.0.0"),
            "relation": if index == 0 { "Successor" } else { "After" },
            "traceparent": traceparent(*of),
        })
    };
    let state = if follows.is_empty() { "None" } else { "Applied" };
    let entry = json!({
        "revision": number,
        "hash": format!("hash{number}"),
        "attempt": 1,
        "phase": phase,
        "started": "2026-01-01T00:00:00Z",
        "startedSource": "Observed",
        "follows": follows.iter().enumerate().map(follow).collect::<Vec<_>>(),
        "linked": { "state": state, "reason": "" },
        "keptn": {
            "app": "shop",
            "workload": "shop-cart",
            "version": format!("{number}.0.0"),
            "traceparent": traceparent(number),
            "appVersion": format!("shop-{number}"),
        },
    });
    serde_json::from_value(entry).unwrap()
}

/// The trace of a revision: its root, which follows the AppDeploy spans of others, and its own.
pub(crate) fn trace(number: u8, links: &[u8]) -> Trace {
    let id = format!("{number:032x}");
    let span = |operation: &str, own: String, references: Vec<Reference>| Span {
        trace_id: id.clone(),
        span_id: own,
        operation: operation.into(),
        references,
        tags: BTreeMap::new(),
        start: 0,
        duration: 0,
        events: Vec::new(),
        service: "lifecycle-operator".into(),
        resource: BTreeMap::new(),
    };
    let root = format!("{number:016x}");
    let link = |of: &u8| Reference {
        kind: ReferenceKind::FollowsFrom,
        trace_id: format!("{of:032x}"),
        span_id: format!("{:016x}", 0xa0 + u64::from(*of)),
    };
    let parent =
        Reference { kind: ReferenceKind::ChildOf, trace_id: id.clone(), span_id: root.clone() };
    let deploy = format!("{:016x}", 0xa0 + u64::from(number));
    Trace {
        id: id.clone(),
        spans: vec![
            span(&format!("shop-{number}"), root, links.iter().map(link).collect()),
            span("AppDeploy", deploy, vec![parent]),
        ],
    }
}

fn traceparent(number: u8) -> String {
    format!("00-{number:032x}-{:016x}-01", 0xa0 + u64::from(number))
}
