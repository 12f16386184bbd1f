//! The operator's own traces: encoded by `opentelemetry-otlp`, carried by our sender.

use std::fmt;

use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::trace::Sampler;
use tokio::runtime::Handle;

use super::SettingsError;
use super::carrier::Carrier;
use super::sender::Sender;
use super::settings::OwnTracesSettings;
use crate::metrics::Metrics;
use crate::outage::Outage;

const WHAT: &str = "own_traces";

/// An exporter for the SDK, and what goes with it.
#[derive(Debug)]
pub(crate) struct OwnTracesExporter {
    pub(crate) exporter: SpanExporter,
    pub(crate) sampler: Sampler,
    /// The attributes of the process whose traces they are.
    pub(crate) resource: Vec<(String, String)>,
    shown: String,
}

impl OwnTracesExporter {
    /// An exporter; none if own traces are not asked for.
    ///
    /// # Errors
    /// If a file of certificates cannot be used. Whether there is a collector is not looked at.
    pub(crate) fn new(
        settings: &OwnTracesSettings,
        metrics: Metrics,
    ) -> Result<Option<Self>, SettingsError> {
        let OwnTracesSettings { target, sampler } = settings;
        let Some(target) = target else { return Ok(None) };
        let sender = Sender::new(target)?;
        let (runtime, outage) = (Handle::current(), Outage::default());
        let shown = sender.to_string();
        let carrier = Carrier { sender, what: WHAT, runtime, outage, metrics };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(carrier)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(target.uri.to_string())
            .with_timeout(target.timeout)
            .build()
            .map_err(|error| SettingsError::Sdk { what: WHAT, reason: error.to_string() })?;
        Ok(Some(Self {
            exporter,
            sampler: sampler.clone(),
            resource: target.resource.clone(),
            shown,
        }))
    }
}

impl fmt::Display for OwnTracesExporter {
    /// Where it sends to and how, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
