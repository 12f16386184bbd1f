//! Spans as the core makes them.

use jiff::Timestamp;
use timeline::spans::{Attribute, Batch, Parent, Span, SpanEvent, SpanKind, SpanLink, Value};

pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const KEPTN: &str = "00f067aa0ba902b7";
pub(crate) const ROOT: &str = "b7ad6b7169203331";
pub(crate) const STEP: &str = "b9c7c989f97918e1";
pub(crate) const BEFORE: &str = "00-0af7651916cd43dd8448eb211c80319c-53995c3f42cd8ad8-01";
pub(crate) const UNSAMPLED: &str = "00-1af7651916cd43dd8448eb211c80319c-63995c3f42cd8ad8-00";

fn attribute(key: &'static str, value: Value) -> Attribute {
    Attribute { key, value }
}

fn text(key: &'static str, value: &str) -> Attribute {
    attribute(key, Value::Text(value.to_owned()))
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// A step, and the root that it hangs on inside of Keptn's trace.
pub(crate) fn batch() -> Batch {
    let step = Span {
        trace: TRACE.parse().unwrap(),
        id: STEP.parse().unwrap(),
        parent: Some(Parent { id: ROOT.parse().unwrap(), remote: false }),
        name: "pause".to_owned(),
        kind: SpanKind::Internal,
        start: at("2026-03-01T10:00:00.000000001Z"),
        end: at("2026-03-01T10:00:30.123456789Z"),
        attributes: vec![
            attribute("a", Value::Bool(true)),
            attribute("b", Value::Integer(-20)),
            attribute("c", Value::Float(0.5)),
            attribute("d", Value::Texts(vec!["x".to_owned(), "y".to_owned()])),
            text("e", "ü"),
        ],
        events: vec![SpanEvent {
            name: "weight",
            at: at("2026-03-01T10:00:10Z"),
            attributes: vec![text("f", "20")],
        }],
        links: vec![],
        error: None,
        closed: 1,
    };
    let root = Span {
        id: ROOT.parse().unwrap(),
        parent: Some(Parent { id: KEPTN.parse().unwrap(), remote: true }),
        name: "RUN shop/cart".to_owned(),
        kind: SpanKind::Server,
        start: at("2026-03-01T09:59:59Z"),
        end: at("2026-03-01T10:01:00Z"),
        attributes: vec![],
        events: vec![],
        links: [BEFORE, UNSAMPLED]
            .map(|to| SpanLink { to: to.parse().unwrap(), attributes: vec![text("kind", "x")] })
            .to_vec(),
        error: Some("ImagePullFailed: cart: not found".to_owned()),
        closed: 2,
        ..step.clone()
    };
    Batch { resource: vec![text("service.name", "cart")], spans: vec![step, root] }
}
