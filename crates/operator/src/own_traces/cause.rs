//! What brings effects about: the root of an own trace.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use jiff::Timestamp;
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use timeline::{Key, Observation, Traceparent};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{OwnTraces, TARGET};
use crate::observe::{event, object};
use crate::work::Asked;
use crate::writer::Answer;

/// Makes causes; none where own traces are off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Causes(Option<SdkTracer>);

impl Causes {
    pub(crate) fn new(own: Option<&OwnTraces>) -> Self {
        Self(own.map(|own| own.tracer.clone()))
    }

    /// The owner takes in an observation.
    pub(crate) fn seen(&self, observation: &Observation, now: Timestamp) -> Cause {
        self.cause(now, || what(observation))
    }

    /// Time has passed.
    pub(crate) fn due(&self, now: Timestamp) -> Cause {
        self.cause(now, || ("due".to_owned(), None, None))
    }

    fn cause(&self, at: Timestamp, what: impl FnOnce() -> What) -> Cause {
        let Some(tracer) = &self.0 else { return Cause(None) };
        let (tracer, what, at) = (tracer.clone(), what(), at.into());
        Cause(Some(Arc::new(Root { tracer, what, at, begun: OnceLock::new() })))
    }
}

/// Its name, the object that it is about, and the trace of Keptn's that the object names.
type What = (String, Option<Key>, Option<Traceparent>);

/// Why an effect comes about. Its span is begun with the first effect, in the past, and ends when the
/// last one who has a clone of it is done: most of what is seen brings nothing about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cause(Option<Arc<Root>>);

#[derive(Debug)]
struct Root {
    tracer: SdkTracer,
    what: What,
    at: SystemTime,
    begun: OnceLock<Context>,
}

impl Root {
    fn context(&self) -> &Context {
        self.begun.get_or_init(|| {
            let (name, key, trace) = &self.what;
            let span = self.tracer.span_builder(name.clone());
            let span = span.with_start_time(self.at).with_kind(SpanKind::Internal);
            let span = span.with_attributes(key.iter().flat_map(|key| {
                [
                    KeyValue::new("k8s.namespace.name", key.namespace.to_string()),
                    KeyValue::new("throughline.object.name", key.name.to_string()),
                ]
            }));
            let links = trace.iter().map(|trace| Link::with_context(context_of(trace)));
            let span = span.with_links(links.collect());
            Context::new().with_span(self.tracer.build_with_context(span, &Context::new()))
        })
    }
}

impl Cause {
    /// An effect that follows, in a span of its own.
    pub(crate) fn of<E>(&self, asked: &Asked, effect: E) -> impl Future<Output = Answer> + use<E>
    where
        E: Future<Output = Answer>,
    {
        let (cause, span) = (self.clone(), self.span(asked));
        async move {
            let answer = effect.instrument(span.clone()).await;
            if let Some(error_type) = answer.failed() {
                span.record("otel.status_code", "ERROR");
                span.record("error.type", error_type);
            }
            // The root outlasts what follows from it.
            drop((span, cause));
            answer
        }
    }

    fn span(&self, asked: &Asked) -> Span {
        let Some(root) = &self.0 else { return Span::none() };
        let (name, key) = asked.words();
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "effect",
            otel.name = name,
            otel.status_code = Empty,
            error.type = Empty,
            k8s.namespace.name = key.map(|key| key.namespace.as_str()),
            throughline.object.name = key.map(|key| key.name.as_str()),
        );
        if let Err(error) = span.set_parent(root.context().clone()) {
            tracing::debug!(%error, "an own span has no parent");
        }
        span
    }
}

fn what(observation: &Observation) -> What {
    let trace = match observation {
        Observation::AppVersion(seen) => seen.app_deploy.or(seen.before_deploy),
        Observation::WorkloadVersion(seen) => seen.trace,
        _ => None,
    };
    let (kind, event) = event(observation);
    (format!("{} {event}", kind.resource()), object(observation).cloned(), trace)
}

fn context_of(trace: &Traceparent) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(trace.trace_id().to_bytes()),
        SpanId::from_bytes(trace.span_id().to_bytes()),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    )
}
