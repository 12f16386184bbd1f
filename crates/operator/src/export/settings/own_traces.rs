//! Whether the operator's own traces are sent, and how many of them.

use std::sync::Arc;

use opentelemetry_sdk::trace::Sampler;

use super::variables::Variables;
use super::{OtlpArgs, SettingsError, Target, resource};
use crate::export::signal::Signal;

const FLAG: &str = "--otlp-own-traces";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Where the operator's own traces are sent and how. Shows no value of a header.
#[derive(Debug, Clone)]
pub struct OwnTracesSettings {
    /// None if they are not sent.
    pub(in crate::export) target: Option<Arc<Target>>,
    pub(in crate::export) sampler: Sampler,
}

impl OwnTracesSettings {
    /// The settings that these flags and variables make. An empty variable counts as none.
    pub fn resolve(
        args: &OtlpArgs,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let read = Variables::new(Signal::Traces, &env);
        let off = Self { target: None, sampler: Sampler::AlwaysOff };
        if !args.otlp_own_traces || read.switch("OTEL_SDK_DISABLED")? || !read.wanted()? {
            return Ok(off);
        }
        let asked = || SettingsError::NoEndpoint { asked: FLAG.to_owned(), what: "own traces" };
        let target = Target::resolve(&read, args)?.ok_or_else(asked)?;
        let target = Target { resource: resource::of_process(&read)?, ..target };
        Ok(Self { target: Some(Arc::new(target)), sampler: sampler(&read)? })
    }
}

/// The names are the specification's. What begins here has no parent, unless the API server names one.
fn sampler(read: &Variables<'_>) -> Result<Sampler, SettingsError> {
    let by_parent = |root: Sampler| Sampler::ParentBased(Box::new(root));
    let Some(setting) = read.get(SAMPLER) else { return Ok(by_parent(Sampler::AlwaysOn)) };
    Ok(match setting.value.as_str() {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio(read)?),
        "parentbased_always_on" => by_parent(Sampler::AlwaysOn),
        "parentbased_always_off" => by_parent(Sampler::AlwaysOff),
        "parentbased_traceidratio" => by_parent(Sampler::TraceIdRatioBased(ratio(read)?)),
        _ => {
            return Err(setting
                .wrong("always_on, always_off or traceidratio, each also after parentbased_"));
        }
    })
}

fn ratio(read: &Variables<'_>) -> Result<f64, SettingsError> {
    let Some(setting) = read.get(SAMPLER_ARG) else { return Ok(1.0) };
    let ratio = setting.value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| setting.wrong("a number from 0 to 1"))
}
