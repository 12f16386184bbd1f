//! Spans in OTLP's words. The same batch always gives the same bytes: nothing here knows the time,
//! this process or its version.

use std::borrow::Cow;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind as Kind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use timeline::spans::{Attribute, Batch, SpanEvent, SpanKind, SpanLink, Value};

pub(super) const SCOPE: &str = "throughline";
/// Changes when the same journal would give other spans than before. It is not the version of this
/// program: backends compare the whole span, scope included, to find one that was sent twice.
const SCOPE_VERSION: &str = "1";
/// The semantic conventions that names of attributes are from.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.43.0";

// opentelemetry/proto/trace/v1/trace.proto, `SpanFlags`, over the eight W3C trace flags.
const SAMPLED: u32 = 0x001;
const REMOTENESS_IS_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// The OTLP message of a batch, as it goes to a collector without resource attributes of its own.
pub fn encoded(batch: &Batch) -> Vec<u8> {
    message(batch, &[])
}

/// The OTLP message of a batch. Of `extra` those attributes go to the Resource that the batch does
/// not have itself.
pub(super) fn message(batch: &Batch, extra: &[(String, String)]) -> Vec<u8> {
    request(batch, extra).encode_to_vec()
}

/// The bytes as gzip; the same bytes always give the same.
pub(super) fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn request(batch: &Batch, extra: &[(String, String)]) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: SCOPE.to_owned(),
        version: SCOPE_VERSION.to_owned(),
        ..InstrumentationScope::default()
    };
    let spans = ScopeSpans {
        scope: Some(scope),
        spans: batch.spans.iter().map(span).collect(),
        schema_url: SCHEMA.to_owned(),
    };
    let resource = Resource { attributes: resource(batch, extra), ..Resource::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![spans],
            schema_url: SCHEMA.to_owned(),
        }],
    }
}

fn resource(batch: &Batch, extra: &[(String, String)]) -> Vec<KeyValue> {
    let mut attributes = attributes(&batch.resource);
    for (key, value) in extra {
        if batch.resource.iter().all(|attribute| attribute.key != key) {
            attributes.push(key_value(key, Any::StringValue(value.clone())));
        }
    }
    attributes.sort_by(|one, other| one.key.cmp(&other.key));
    attributes
}

fn span(span: &timeline::spans::Span) -> Span {
    let remote = span.parent.is_some_and(|parent| parent.remote);
    Span {
        trace_id: span.trace.to_bytes().to_vec(),
        span_id: span.id.to_bytes().to_vec(),
        trace_state: String::new(),
        parent_span_id: span.parent.map(|parent| parent.id.to_bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED | REMOTENESS_IS_KNOWN | if remote { REMOTE } else { 0 },
        name: span.name.clone(),
        kind: match span.kind {
            SpanKind::Server => Kind::Server,
            SpanKind::Internal => Kind::Internal,
        }
        .into(),
        start_time_unix_nano: nanoseconds(span.start),
        // Jaeger takes a span without a duration for one that ends before it starts, and warns.
        end_time_unix_nano: nanoseconds(span.end).max(nanoseconds(span.start).saturating_add(1)),
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        links: span.links.iter().map(link).collect(),
        status: span
            .error
            .as_ref()
            .map(|error| Status { code: StatusCode::Error.into(), message: error.clone() }),
        ..Span::default()
    }
}

fn event(event: &SpanEvent) -> Event {
    Event {
        time_unix_nano: nanoseconds(event.at),
        name: event.name.to_owned(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: 0,
    }
}

/// What is linked to was always read from the cluster, never made in the same breath: it is remote.
fn link(link: &SpanLink) -> Link {
    Link {
        trace_id: link.to.trace_id().to_bytes().to_vec(),
        span_id: link.to.span_id().to_bytes().to_vec(),
        trace_state: String::new(),
        attributes: attributes(&link.attributes),
        dropped_attributes_count: 0,
        flags: u32::from(link.to.flags()) | REMOTENESS_IS_KNOWN | REMOTE,
    }
}

fn attributes(attributes: &[Attribute]) -> Vec<KeyValue> {
    attributes.iter().map(|attribute| key_value(attribute.key, value(&attribute.value))).collect()
}

pub(super) fn key_value<'a>(key: impl Into<Cow<'a, str>>, value: Any) -> KeyValue {
    let key = key.into().into_owned();
    KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn value(value: &Value) -> Any {
    match value {
        Value::Text(text) => Any::StringValue(text.clone()),
        Value::Texts(texts) => {
            let texts = texts.iter().cloned().map(Any::StringValue);
            let values = texts.map(|text| AnyValue { value: Some(text) }).collect();
            Any::ArrayValue(ArrayValue { values })
        }
        Value::Integer(integer) => Any::IntValue(*integer),
        Value::Float(float) => Any::DoubleValue(*float),
        Value::Bool(bool) => Any::BoolValue(*bool),
    }
}

/// Nanoseconds since 1970. A time before that is 0, one after 2262 the last that fits into 63 bits:
/// backends in Go and Java read the field as a signed number.
pub(super) fn nanoseconds(at: Timestamp) -> u64 {
    let last = i64::MAX.cast_unsigned();
    u64::try_from(at.as_nanosecond().max(0)).map_or(last, |nanoseconds| nanoseconds.min(last))
}

#[cfg(test)]
mod tests;
