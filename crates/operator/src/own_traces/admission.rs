//! What the API server asks, in its own trace where it has one.

use hyper::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TARGET;

/// The span of an answer, none where own traces are off.
pub(crate) fn admission(headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "admit keptnappversions",
        otel.kind = "server",
        throughline.admission.answer = Empty,
        k8s.namespace.name = Empty,
        throughline.object.name = Empty,
    );
    if !span.is_disabled() {
        let asked = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // It fails where own traces are off and the log alone takes the span: nothing to report.
        span.set_parent(asked).ok();
    }
    span
}

/// Says in it what was asked about, and how it was answered.
pub(crate) fn admitted(namespace: Option<&str>, name: &str, answer: &'static str) {
    let span = Span::current();
    span.record("k8s.namespace.name", namespace);
    span.record("throughline.object.name", name);
    span.record("throughline.admission.answer", answer);
}
