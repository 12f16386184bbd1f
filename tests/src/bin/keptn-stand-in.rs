//! Runs the stand-in for Keptn's lifecycle-operator against a cluster.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use throughline_tests::keptn::{Config, Error, Pace, StandIn, client};
use tracing_subscriber::EnvFilter;

/// A stand-in for Keptn's lifecycle-operator: same objects, same spans, for tests and demos.
#[derive(Debug, Parser)]
struct Options {
    /// The cluster.
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: PathBuf,
    /// OTLP gRPC collector, as host:port.
    #[arg(long, default_value = "127.0.0.1:4317")]
    otlp_endpoint: String,
    /// Port of the pod webhook on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    webhook_port: u16,
    /// Keptn's own waits, or short ones.
    #[arg(long, value_enum, default_value_t = Speed::Fast)]
    pace: Speed,
    /// How long an app with several workloads is gathered, in milliseconds.
    #[arg(long)]
    discovery_ms: Option<u64>,
    /// How long a deployment may take, in seconds.
    #[arg(long)]
    observability_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Speed {
    Real,
    Fast,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).init();
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the stand-in for Keptn ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Error> {
    let mut pace = match options.pace {
        Speed::Real => Pace::real(),
        Speed::Fast => Pace::fast(),
    };
    if let Some(discovery) = options.discovery_ms {
        pace.discovery = Duration::from_millis(discovery);
    }
    if let Some(observability) = options.observability_s {
        pace.observability = Duration::from_secs(observability);
    }
    StandIn::run(Config {
        client: client(&options.kubeconfig).await?,
        otlp_endpoint: options.otlp_endpoint,
        webhook_port: options.webhook_port,
        pace,
    })
    .await
}
