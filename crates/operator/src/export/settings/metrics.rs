//! Whether metrics are sent, and how often.
//!
//! The specification sends them wherever there is an endpoint. Here they are sent if they are asked
//! for: they are served anyhow, and many a backend that takes spans takes no metrics.

use std::sync::Arc;
use std::time::Duration;

use super::variables::Variables;
use super::{OtlpArgs, SettingsError, Target, resource};
use crate::export::signal::Signal;

const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);
const DEFAULT_EXPORT_TIMEOUT: Duration = Duration::from_secs(30);

const FLAG: &str = "--otlp-metrics";
const EXPORTERS: &str = "OTEL_METRICS_EXPORTER";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

/// Where metrics are sent, how and how often. Shows no value of a header.
#[derive(Debug, Clone)]
pub struct MetricsSettings {
    /// None if they are not sent.
    pub(in crate::export) target: Option<Arc<Target>>,
    pub(in crate::export) interval: Duration,
    /// How long all requests of one time may take together.
    pub(in crate::export) export_timeout: Duration,
}

impl MetricsSettings {
    /// The settings that these flags and variables make. An empty variable counts as none.
    pub fn resolve(
        args: &OtlpArgs,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let read = Variables::new(Signal::Metrics, &env);
        let (interval, export_timeout) = (DEFAULT_INTERVAL, DEFAULT_EXPORT_TIMEOUT);
        let off = Self { target: None, interval, export_timeout };
        if read.switch("OTEL_SDK_DISABLED")? {
            return Ok(off);
        }
        let Some(asked) = asked(&read, args)? else { return Ok(off) };
        let target = Target::resolve(&read, args)?;
        let target = target.ok_or(SettingsError::NoEndpoint { asked, what: "metrics" })?;
        let milliseconds =
            |name: &str, default| read.get(name).map_or(Ok(default), |setting| setting.duration());
        let interval = milliseconds("OTEL_METRIC_EXPORT_INTERVAL", interval)?;
        let export_timeout = milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", export_timeout)?;
        let target = Target {
            resource: resource::of_process(&read)?,
            timeout: target.timeout.min(export_timeout),
            ..target
        };
        Ok(Self { target: Some(Arc::new(target)), interval, export_timeout })
    }
}

/// The setting that asks for metrics by OTLP; none if none does, or one says that they are not
/// wanted.
fn asked(read: &Variables<'_>, args: &OtlpArgs) -> Result<Option<String>, SettingsError> {
    let flag = args.otlp_metrics.then(|| FLAG.to_owned());
    let Some(exporters) = read.get(EXPORTERS) else {
        return Ok(flag.or_else(|| read.get(ENDPOINT).map(|endpoint| endpoint.name)));
    };
    let names: Vec<_> =
        exporters.value.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names == ["none"] {
        return Ok(None);
    }
    if names.iter().any(|name| !["otlp", "prometheus"].contains(name)) {
        return Err(exporters.wrong("otlp, prometheus, both with a comma, or none"));
    }
    Ok(if names.contains(&"otlp") { Some(exporters.name) } else { flag })
}
