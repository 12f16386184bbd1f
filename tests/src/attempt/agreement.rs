//! Whether Jaeger has what a journal says: every span, with every byte of it, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use timeline::journal::Journal;
use timeline::spans;
use timeline::spans::{Attribute, Span, Value};

use crate::jaeger;
use crate::jaeger::{ReferenceKind, Trace};

/// Tags that Jaeger makes of what are no attributes.
const OF_JAEGER: [&str; 6] = [
    "error",
    "otel.scope.name",
    "otel.scope.version",
    "otel.status_code",
    "otel.status_description",
    "span.kind",
];

/// What Jaeger has otherwise than the journal says, a line each; nothing if they agree.
pub fn differences(journal: &Journal, trace: &Trace) -> Vec<String> {
    let Some(batch) = spans::of(journal, 0, u32::MAX) else {
        return vec!["the journal has no spans".into()];
    };
    let expected: BTreeMap<String, Facts> =
        batch.spans.iter().map(|span| (span.id.to_string(), Facts::sent(span))).collect();
    let resource = attributes(&batch.resource);
    let root = journal.identity.span(&[]).to_string();
    let mut found = BTreeMap::new();
    let mut differences = Vec::new();
    for span in trace.spans.iter().filter(|span| expected.contains_key(&span.span_id)) {
        if found.insert(span.span_id.clone(), Facts::kept(span)).is_some() {
            differences.push(format!("twice, with other bytes: {} {}", span.span_id, span.line()));
        }
        let kept = jaeger_resource(span);
        if kept != resource {
            differences.push(format!("resource of {}: {kept:?} is not {resource:?}", span.line()));
        }
    }
    for id in below(trace, &root).difference(&expected.keys().map(String::as_str).collect()) {
        differences.push(format!("not in the journal: {id}"));
    }
    for (id, sent) in &expected {
        match found.get(id) {
            None => differences.push(format!("not in Jaeger: {id} {}", sent.name)),
            Some(kept) if kept != sent => {
                let mut line = format!("{id} {}:", sent.name);
                sent.compare(kept, &mut line);
                differences.push(line);
            }
            Some(_) => {}
        }
    }
    differences
}

fn below<'a>(trace: &'a Trace, root: &'a str) -> BTreeSet<&'a str> {
    let mut ids = BTreeSet::from([root]);
    loop {
        let more: Vec<_> = trace
            .spans
            .iter()
            .filter(|span| span.parent().is_some_and(|parent| ids.contains(parent)))
            .filter(|span| !ids.contains(&*span.span_id))
            .map(|span| &*span.span_id)
            .collect();
        if more.is_empty() {
            return ids;
        }
        ids.extend(more);
    }
}

/// A span, as far as both can say it.
#[derive(Debug, PartialEq)]
struct Facts {
    trace: String,
    parent: Option<String>,
    name: String,
    kind: String,
    /// Microseconds since the epoch.
    start: i64,
    end: i64,
    attributes: BTreeMap<String, Json>,
    /// Microseconds since the epoch, and the attributes with the name among them.
    events: Vec<(i64, BTreeMap<String, Json>)>,
    links: Vec<(String, String)>,
    error: Option<String>,
}

impl Facts {
    fn sent(span: &Span) -> Self {
        let event = |event: &timeline::spans::SpanEvent| {
            let mut fields = attributes(&event.attributes);
            fields.insert("event".into(), json!(event.name));
            (event.at.as_microsecond(), fields)
        };
        let link = |link: &timeline::spans::SpanLink| {
            (link.to.trace_id().to_string(), link.to.span_id().to_string())
        };
        Self {
            trace: span.trace.to_string(),
            parent: span.parent.map(|parent| parent.id.to_string()),
            name: span.name.clone(),
            kind: format!("{:?}", span.kind).to_lowercase(),
            start: span.start.as_microsecond(),
            end: span.end.as_microsecond(),
            attributes: attributes(&span.attributes),
            events: span.events.iter().map(event).collect(),
            links: span.links.iter().map(link).collect(),
            error: span.error.clone(),
        }
    }

    fn kept(span: &jaeger::Span) -> Self {
        let micros = |micros: u64| i64::try_from(micros).unwrap_or(i64::MAX);
        let own = span.tags.iter().filter(|(key, _)| !OF_JAEGER.contains(&key.as_str()));
        let parents = span.references.iter().filter(|it| it.kind == ReferenceKind::ChildOf);
        Self {
            trace: span.trace_id.clone(),
            parent: parents.map(|parent| parent.span_id.clone()).next(),
            name: span.operation.clone(),
            kind: span.tag("span.kind").unwrap_or_default().to_owned(),
            start: micros(span.start),
            end: micros(span.end()),
            attributes: own.map(|(key, value)| (key.clone(), value.clone())).collect(),
            events: span.events.iter().map(|it| (micros(it.time), it.fields.clone())).collect(),
            links: span.links().map(|it| (it.trace_id.clone(), it.span_id.clone())).collect(),
            error: span
                .is_error()
                .then(|| span.tag("otel.status_description").unwrap_or_default().to_owned()),
        }
    }

    fn compare(&self, kept: &Self, line: &mut String) {
        let pairs = [
            ("trace", json!(self.trace), json!(kept.trace)),
            ("parent", json!(self.parent), json!(kept.parent)),
            ("name", json!(self.name), json!(kept.name)),
            ("kind", json!(self.kind), json!(kept.kind)),
            ("start", json!(self.start), json!(kept.start)),
            ("end", json!(self.end), json!(kept.end)),
            ("attributes", json!(self.attributes), json!(kept.attributes)),
            ("events", json!(self.events), json!(kept.events)),
            ("links", json!(self.links), json!(kept.links)),
            ("error", json!(self.error), json!(kept.error)),
        ];
        for (what, sent, kept) in pairs.into_iter().filter(|(_, sent, kept)| sent != kept) {
            let _ = write!(line, " {what} is {kept} and not {sent};");
        }
    }
}

fn attributes(attributes: &[Attribute]) -> BTreeMap<String, Json> {
    attributes.iter().map(|it| (it.key.to_owned(), value(&it.value))).collect()
}

/// As Jaeger words it: a list is text.
fn value(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Texts(texts) => json!(json!(texts).to_string()),
        Value::Integer(integer) => json!(integer),
        Value::Float(float) => json!(float),
        Value::Bool(bool) => json!(bool),
    }
}

fn jaeger_resource(span: &jaeger::Span) -> BTreeMap<String, Json> {
    let mut resource = span.resource.clone();
    resource.insert("service.name".into(), json!(span.service));
    resource
}
