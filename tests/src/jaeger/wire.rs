//! The JSON of the query API.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::trace::Reference;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace {
    #[serde(rename = "traceID")]
    id: String,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    processes: BTreeMap<String, Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    id: String,
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    start_time: u64,
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    logs: Option<Vec<Log>>,
    #[serde(rename = "processID")]
    process: String,
}

#[derive(Deserialize)]
struct Log {
    timestamp: u64,
    fields: Vec<Tag>,
}

#[derive(Deserialize, Clone)]
struct Tag {
    key: String,
    value: Value,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

fn map(tags: Vec<Tag>) -> BTreeMap<String, Value> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

impl From<Trace> for super::Trace {
    fn from(trace: Trace) -> Self {
        let Trace { id, spans, processes } = trace;
        let mut spans: Vec<_> = spans
            .into_iter()
            .map(|span| {
                let process = processes.get(&span.process).cloned();
                let (service, resource) =
                    process.map(|it| (it.service_name, map(it.tags))).unwrap_or_default();
                let event =
                    |log: Log| super::Event { time: log.timestamp, fields: map(log.fields) };
                super::Span {
                    trace_id: span.trace_id,
                    span_id: span.id,
                    operation: span.operation_name,
                    references: span.references,
                    tags: map(span.tags),
                    start: span.start_time,
                    duration: span.duration,
                    events: span.logs.into_iter().flatten().map(event).collect(),
                    service,
                    resource,
                }
            })
            .collect();
        spans.sort_by_key(|span| span.start);
        Self { id, spans }
    }
}
