//! Traces of the operator itself, for who wants to know where the time of a link goes: off by default.
//!
//! A trace begins with what the owner sees ([`Cause`]), has a span for each effect that follows from it,
//! and below that one for each request to the API server ([`traced`]). What the API server asks by
//! admission is a trace of its own ([`admission`]), or a part of its trace where it has one.
//!
//! They are made by OpenTelemetry's SDK, whose queue is bounded: what a collector does not take in time
//! is dropped, and nothing waits for it. The spans of attempts have nothing to do with them.

mod admission;
mod cause;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

pub(crate) use admission::{admission, admitted};
pub(crate) use cause::{Cause, Causes};
pub(crate) use request::traced;

use crate::export::OwnTracesExporter;

/// The target of their spans: neither the log has them, nor they what is logged.
const TARGET: &str = "throughline::own";
const SCOPE: &str = "throughline.operator";

/// Spans that wait; what comes on top is dropped.
const QUEUE: usize = 2048;
const BATCH: usize = 512;
const DELAY: Duration = Duration::from_secs(1);
/// At the stop the last ones have so long: a collector that hangs holds up nothing.
const FLUSH: Duration = Duration::from_secs(1);

/// Makes own traces while it is there. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OwnTraces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Where they go, without secrets.
    shown: Arc<str>,
}

impl OwnTraces {
    /// Begins to send what is made.
    pub(crate) fn start(exporter: OwnTracesExporter) -> Self {
        let shown = exporter.to_string().into();
        let OwnTracesExporter { exporter, sampler, resource, .. } = exporter;
        let resource = resource.into_iter().map(|(key, value)| KeyValue::new(key, value));
        let resource = Resource::builder_empty().with_attributes(resource).build();
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY);
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config.build());
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor.build())
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer(SCOPE);
        Self { provider, tracer, shown }
    }

    /// What brings spans of [`TARGET`] to the SDK.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false)
            .with_filter(own().with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what is left, until then at most.
    pub(crate) async fn stop(self, by: Instant) {
        let left = by.saturating_duration_since(Instant::now()).min(FLUSH);
        let stopped = spawn_blocking(move || self.provider.shutdown_with_timeout(left)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::debug!("the last own traces were not sent");
        }
    }
}

impl fmt::Display for OwnTraces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A log of what the filter lets through, but for spans of [`TARGET`].
pub(crate) fn logged<S, L>(log: L, filter: EnvFilter) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    L: Layer<S>,
{
    // With a hint, what is below the filter's level costs nothing, as without own traces.
    log.with_filter(filter.and(others().with_max_level_hint(LevelFilter::TRACE)))
}

fn own() -> FilterFn {
    FilterFn::new(|metadata| metadata.target() == TARGET)
}

fn others() -> FilterFn {
    FilterFn::new(|metadata| metadata.target() != TARGET)
}
