//! Traces as Jaeger keeps them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The spans that share a trace id.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// 32 hex digits.
    pub id: String,
    /// By start time.
    pub spans: Vec<Span>,
}

/// A span as Jaeger keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// The span's name.
    pub operation: String,
    /// The parent (`CHILD_OF`), and the links (`FOLLOWS_FROM`).
    pub references: Vec<Reference>,
    /// Attributes of the span; kind and status are `span.kind`, `otel.status_code` and `error`.
    pub tags: BTreeMap<String, Value>,
    /// Microseconds since the epoch.
    pub start: u64,
    /// Microseconds.
    pub duration: u64,
    /// What happened in the meantime, as attributes; `event` is the name.
    pub events: Vec<Event>,
    /// `service.name` of the resource.
    pub service: String,
    /// The other attributes of the resource.
    pub resource: BTreeMap<String, Value>,
}

/// An event of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Microseconds since the epoch.
    pub time: u64,
    /// Its attributes.
    pub fields: BTreeMap<String, Value>,
}

/// From a span to another one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Parent or link.
    #[serde(rename = "refType")]
    pub kind: ReferenceKind,
    /// The trace it points to.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// The span it points to.
    #[serde(rename = "spanID")]
    pub span_id: String,
}

/// What a reference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ReferenceKind {
    /// The parent.
    #[serde(rename = "CHILD_OF")]
    ChildOf,
    /// A link.
    #[serde(rename = "FOLLOWS_FROM")]
    FollowsFrom,
}

impl Trace {
    /// The first span of that name.
    pub fn span(&self, operation: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.operation == operation)
    }

    /// The spans whose parent is not in the trace.
    pub fn roots(&self) -> impl Iterator<Item = &Span> {
        let here = |id: &str| self.spans.iter().any(|span| span.span_id == id);
        self.spans.iter().filter(move |span| !span.parent().is_some_and(here))
    }

    /// The spans whose parent is this one.
    pub fn children<'a>(&'a self, parent: &'a Span) -> impl Iterator<Item = &'a Span> {
        self.spans.iter().filter(|span| span.parent() == Some(&parent.span_id))
    }
}

impl Span {
    /// The id of the parent.
    pub fn parent(&self) -> Option<&str> {
        let mut references = self.references.iter();
        let parent = references.find(|reference| reference.kind == ReferenceKind::ChildOf);
        parent.filter(|parent| parent.trace_id == self.trace_id).map(|parent| &*parent.span_id)
    }

    /// The links.
    pub fn links(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(|reference| reference.kind == ReferenceKind::FollowsFrom)
    }

    /// An attribute that is text.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).and_then(Value::as_str)
    }
}
