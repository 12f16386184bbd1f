//! Spans that have ended, on their way to the collector.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;
use tracing::warn;

use super::error::Error;

// Keptn's batches take up to 5 s; a test would only wait for that.
const GATHER: Duration = Duration::from_millis(200);

/// An OTLP gRPC exporter that presents itself as Keptn (docs/keptn.md 6.1).
pub(super) fn exporter(endpoint: &str) -> Result<SpanExporter, Error> {
    // Keptn takes host:port, without a scheme.
    let endpoint = match endpoint.split_once("://") {
        Some(_) => endpoint.to_owned(),
        None => format!("http://{endpoint}"),
    };
    let mut exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&endpoint)
        .build()
        .map_err(|source| Error::Exporter { endpoint, source })?;
    let attributes = [
        ("service.name", "lifecycle-operator"),
        ("service.version", "--"),
        ("telemetry.sdk.language", "go"),
    ];
    let resource = Resource::builder_empty()
        .with_attributes(attributes.map(|(key, value)| KeyValue::new(key, value)))
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// Exports what ends, in small batches, until nobody can send any more.
pub(super) async fn export(exporter: SpanExporter, mut ended: UnboundedReceiver<SpanData>) {
    while let Some(first) = ended.recv().await {
        sleep(GATHER).await;
        let mut batch = vec![first];
        while let Ok(span) = ended.try_recv() {
            batch.push(span);
        }
        let count = batch.len();
        if let Err(error) = exporter.export(batch).await {
            warn!(count, %error, "spans are lost");
        }
    }
}
