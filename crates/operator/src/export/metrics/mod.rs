//! Metrics in OTLP's words, made from the OpenMetrics text that is also served, so that both ways
//! out of the registry say the same.
//!
//! The rules are those of OpenTelemetry's specification, compatibility/prometheus_and_openmetrics.md.
//!
//! OpenTelemetry's SDK cannot send what is counted elsewhere: it has no MetricProducer
//! (open-telemetry/opentelemetry-rust#1670), and what an exporter of metrics takes is made by its own
//! instruments alone. These have no exemplars (#3369), and a histogram can neither be observed, nor be
//! there before it counts, nor go with its namespace. So the metrics share its transport, and not its data.
//!
//! prometheus-client can also give its metrics as protobuf messages. These take several times the
//! memory of the text, and bring a compiler of protobuf into the build.

mod point;
mod request;
mod text;

use std::fmt;
use std::time::Duration;

use super::sender::Sender;
use super::settings::MetricsSettings;
use super::{Delivered, SettingsError};

pub use request::{Requests, Resource};
pub use text::TextError;

/// As much of the metrics as one request brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// An `ExportMetricsServiceRequest`.
    pub message: Vec<u8>,
    /// How many points are in it.
    pub points: u64,
}

/// Sends metrics to one collector. Cheap to clone; connects when first needed, and again by itself.
#[derive(Debug, Clone)]
pub struct MetricsExporter {
    sender: Sender,
    interval: Duration,
    export_timeout: Duration,
}

impl MetricsExporter {
    /// An exporter; none if metrics by OTLP are not asked for.
    ///
    /// # Errors
    /// If a file of certificates cannot be used. Whether there is a collector is not looked at.
    pub fn new(settings: &MetricsSettings) -> Result<Option<Self>, SettingsError> {
        let MetricsSettings { target, interval, export_timeout } = settings;
        let Some(target) = target else { return Ok(None) };
        let (interval, export_timeout) = (*interval, *export_timeout);
        Ok(Some(Self { sender: Sender::new(target)?, interval, export_timeout }))
    }

    /// Sends a request once and waits for the answer, at most as long as the timeout.
    pub async fn deliver(&self, request: Request) -> Delivered {
        self.sender.send(request.message, request.points).await
    }

    /// The attributes of the process whose metrics are sent.
    pub fn resource(&self) -> &[(String, String)] {
        &self.sender.target.resource
    }

    /// How often metrics are sent.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// How long all requests of one time may take together.
    pub(crate) fn export_timeout(&self) -> Duration {
        self.export_timeout
    }

    /// How long one request may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.sender.target.timeout
    }
}

impl fmt::Display for MetricsExporter {
    /// Where it sends to, how and how often, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} every {:?}", self.sender, self.interval)
    }
}

#[cfg(test)]
mod tests;
