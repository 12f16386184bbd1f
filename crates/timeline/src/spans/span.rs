//! A span as plain data: what is made of a journal and handed to the exporter, which alone knows
//! OpenTelemetry's types.

use jiff::Timestamp;

use crate::base::{SpanId, TraceId, Traceparent};

/// Spans of one service: they share an OpenTelemetry Resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Attributes of the Resource, sorted by key.
    pub resource: Vec<Attribute>,
    /// The spans, in the order in which they ended.
    pub spans: Vec<Span>,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its own id.
    pub id: SpanId,
    /// The span above it.
    pub parent: Option<Parent>,
    /// Its name, of low cardinality.
    pub name: String,
    /// OpenTelemetry's kind.
    pub kind: SpanKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; never before `start`.
    pub end: Timestamp,
    /// Sorted by key, each key once.
    pub attributes: Vec<Attribute>,
    /// In order of time.
    pub events: Vec<SpanEvent>,
    /// What it links to.
    pub links: Vec<SpanLink>,
    /// A failure in words; none where nothing failed (OpenTelemetry: Unset, not Ok).
    pub error: Option<String>,
    /// Number of the journal's entry in the order of ends, see [`crate::journal`].
    pub closed: u32,
}

/// The span above another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parent {
    /// Its id.
    pub id: SpanId,
    /// Another process made it: Keptn.
    pub remote: bool,
}

/// `SpanKind`, as far as it occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// A run of a pipeline.
    Server,
    /// Anything inside it.
    Internal,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The key: from the table in docs/spans.md.
    pub key: &'static str,
    /// The value.
    pub value: Value,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text without control characters, at most 1 KiB.
    Text(String),
    /// Several of those.
    Texts(Vec<String>),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

/// Something that happened at one time inside of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanEvent {
    /// Its name, of low cardinality.
    pub name: &'static str,
    /// When.
    pub at: Timestamp,
    /// Sorted by key.
    pub attributes: Vec<Attribute>,
}

/// A link to another span.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanLink {
    /// The other span.
    pub to: Traceparent,
    /// Sorted by key.
    pub attributes: Vec<Attribute>,
}
