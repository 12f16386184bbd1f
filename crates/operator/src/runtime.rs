//! Puts the parts together, starts them and stops them in order.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use jiff::Timestamp;
use kube::Client;
use timeline::engine::Options;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::annotate::AnnotateError;
use crate::cli::{Cli, Command, Dora, Explain, LogFormat, Run};
use crate::connection::connect;
use crate::crds::CrdError;
use crate::dora::DoraError;
use crate::explain::{ExplainError, Wanted, explain};
use crate::export::metrics::MetricsExporter;
use crate::export::{Exporter, MetricsSettings, Settings, SettingsError};
use crate::metrics::Metrics;
use crate::pods::PodWatches;
use crate::push::Push;
use crate::readiness::Readiness;
use crate::tracer::Tracer;
use crate::watch::{Limits, Watches};
use crate::writer::Writer;
use crate::{admin, annotate, crds, dora, watch};

/// Why the command failed; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// `--log` is not a filter.
    #[error("--log {filter:?} is no log filter ({reason}): try info or throughline=debug")]
    LogFilter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No way to a cluster.
    #[error("no cluster found ({0}): set KUBECONFIG, or run inside a pod with a service account")]
    NoCluster(Box<kube::config::InferConfigError>),
    /// The way to the cluster cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(Box<kube::Error>),
    /// The admin port is taken.
    #[error("cannot serve on {address} ({source}): choose another --admin-address")]
    AdminAddress {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A flag or variable of the exporter cannot be used.
    #[error(transparent)]
    Export(#[from] SettingsError),
    /// Signals cannot be awaited.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
    /// The CRDs cannot be written.
    #[error(transparent)]
    Crds(#[from] CrdError),
    /// Nothing was annotated.
    #[error(transparent)]
    Annotate(#[from] AnnotateError),
    /// Nothing can be told.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// There are no figures.
    #[error(transparent)]
    Dora(#[from] DoraError),
}

/// Carries out the command.
pub async fn run(cli: Cli) -> Result<(), RunError> {
    match cli.command {
        Command::Run(run) => operate(*run).await,
        Command::Explain(wanted) => tell(wanted).await,
        Command::Dora(wanted) => count(wanted).await,
        Command::Annotate(wanted) => Ok(annotate::run(*wanted, now())?),
        Command::Crds { to } => Ok(crds::generate(to.as_deref())?),
    }
}

async fn client() -> Result<Client, RunError> {
    let config =
        kube::Config::infer().await.map_err(|error| RunError::NoCluster(Box::new(error)))?;
    Client::try_from(config).map_err(|error| RunError::Client(Box::new(error)))
}

async fn count(wanted: Dora) -> Result<(), RunError> {
    let Dora { namespace, selector, since, output, audit } = wanted;
    let wanted = dora::Wanted { days: since, audit };
    let (namespace, selector) = (namespace.as_deref(), selector.as_deref());
    Ok(dora::dora(client().await?, namespace, selector, wanted, output, now()).await?)
}

async fn tell(wanted: Explain) -> Result<(), RunError> {
    let client = client().await?;
    let Explain { rollout, revision, attempt } = wanted;
    Ok(explain(client, &rollout, Wanted { revision, attempt }, now()).await?)
}

async fn operate(run: Run) -> Result<(), RunError> {
    start_logging(&run)?;
    let started = now();
    let env = |name: &str| std::env::var(name).ok();
    let exporter = Exporter::new(&Settings::resolve(&run.otlp, env)?)?;
    let metrics_exporter = MetricsExporter::new(&MetricsSettings::resolve(&run.otlp, env)?)?;
    let config =
        kube::Config::infer().await.map_err(|error| RunError::NoCluster(Box::new(error)))?;
    let client = connect(config).map_err(|error| RunError::Client(Box::new(error)))?;
    let listener = TcpListener::bind(run.admin_address)
        .await
        .map_err(|source| RunError::AdminAddress { address: run.admin_address, source })?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;

    let metrics = Metrics::new(now, &run.dora_windows);
    let readiness = Readiness::new(metrics.connections());
    let options = Options { observe_only: run.observe_only, export: exporter.is_some() };
    let watches = Watches {
        client: client.clone(),
        namespace: run.namespace.clone(),
        metrics: metrics.clone(),
        team_label: run.team_label.clone(),
        limits: Limits::default(),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = run.namespace.as_deref().unwrap_or("all"),
        observe_only = run.observe_only,
        admin = %listener.local_addr().unwrap_or(run.admin_address),
        export = exporter.as_ref().map_or_else(|| "off".to_owned(), ToString::to_string),
        metrics = metrics_exporter.as_ref().map_or_else(|| "served".to_owned(), ToString::to_string),
        "throughline starts"
    );
    let admin =
        tokio::spawn(admin::serve(listener, metrics.clone(), readiness.clone(), stop.clone()));
    let counted = CancellationToken::new();
    let push = metrics_exporter.map(|exporter| {
        let push = Push { exporter, metrics: metrics.clone(), started, clock: now };
        tokio::spawn(push.run(counted.clone()))
    });
    let writer = Writer::new(client, run.namespace, exporter, metrics.clone());
    let pods = PodWatches::new(watches.clone());
    let tracer = Tracer::new(options, writer, pods, metrics, readiness);
    tracer.run(watch::all(&watches), now, stop.clone()).await;
    stop.cancel();
    if let Ok(Err(error)) = admin.await {
        tracing::warn!(%error, "the admin server ended badly");
    }
    counted.cancel();
    if let Some(push) = push
        && let Err(error) = push.await
    {
        tracing::warn!(%error, "the metrics of the end were not sent");
    }
    tracing::info!("throughline stopped");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one clock of the process")]
fn now() -> Timestamp {
    // No finer than what Kubernetes' own clocks agree on; a journal is read by people, too.
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

fn stop_on_signal(stop: CancellationToken) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

fn start_logging(run: &Run) -> Result<(), RunError> {
    let filter = EnvFilter::try_new(&run.log).map_err(|error| RunError::LogFilter {
        filter: run.log.clone(),
        reason: error.to_string(),
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match run.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
