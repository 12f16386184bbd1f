//! Puts the parts together, starts them and stops them in order.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::OptionFuture;
use jiff::Timestamp;
use kube::Client;
use timeline::engine::Options;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tower::BoxError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::admission::{Admission, AdmissionError, Published};
use crate::annotate::AnnotateError;
use crate::cli::{Cli, Command, Dora, Explain, LogFormat, Run, Uninstall};
use crate::cluster::ConfigError;
use crate::connection::connect;
use crate::crds::CrdError;
use crate::dora::DoraError;
use crate::explain::{ExplainError, Wanted, explain};
use crate::export::metrics::MetricsExporter;
use crate::export::{
    Exporter, MetricsSettings, OwnTracesExporter, OwnTracesSettings, Settings, SettingsError,
};
use crate::lease::{Election, Leadership};
use crate::metrics::Metrics;
use crate::own_traces::{Causes, OwnTraces, logged, traced};
use crate::push::Push;
use crate::readiness::Readiness;
use crate::replica::Replica;
use crate::stop::Stop;
use crate::uninstall::UninstallError;
use crate::watch::{Limits, Watches};
use crate::writer::Writer;
use crate::{admin, annotate, completion, crds, dora, terminal, uninstall};

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
    /// Links cannot be decided by admission.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// A flag or variable of the exporter cannot be used.
    #[error(transparent)]
    Export(#[from] SettingsError),
    /// Signals cannot be awaited.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
    /// There is no cluster to ask.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The CRDs cannot be written.
    #[error(transparent)]
    Crds(#[from] CrdError),
    /// Nothing was annotated.
    #[error(transparent)]
    Annotate(#[from] AnnotateError),
    /// Nothing can be explained.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// There are no figures.
    #[error(transparent)]
    Dora(#[from] DoraError),
    /// Not all was taken back.
    #[error(transparent)]
    Uninstall(#[from] UninstallError),
    /// Nothing can be printed.
    #[error("cannot print: {0}")]
    Write(std::io::Error),
}

/// Carries out the command.
pub async fn run(cli: Cli) -> Result<(), RunError> {
    match cli.command {
        Command::Run(run) => operate(run.resolved()).await,
        Command::Explain(wanted) => explained(wanted).await,
        Command::Dora(wanted) => count(wanted).await,
        Command::Annotate(wanted) => Ok(annotate::run(*wanted, now())?),
        Command::Uninstall(wanted) => take_back(wanted).await,
        Command::Crds { to } => Ok(crds::generate(to.as_deref())?),
        Command::Completion { shell } => {
            terminal::print(&completion::script(shell)).map_err(RunError::Write)
        }
    }
}

async fn count(wanted: Dora) -> Result<(), RunError> {
    let Dora { namespace, all_namespaces, selector, since, output, audit, cluster } = wanted;
    let cluster = cluster.open().await?;
    let namespace = (!all_namespaces).then(|| cluster.namespace(namespace.as_deref()));
    let wanted = dora::Wanted { days: since, audit };
    Ok(dora::dora(&cluster, namespace, selector.as_deref(), wanted, output, now()).await?)
}

async fn explained(wanted: Explain) -> Result<(), RunError> {
    let Explain { rollout, namespace, revision, attempt, output, cluster } = wanted;
    let cluster = cluster.open().await?;
    let rollout = rollout.in_namespace(namespace.as_deref(), &cluster.namespace)?;
    let wanted = Wanted { revision, attempt };
    Ok(explain(&cluster, &rollout, wanted, output, now()).await?)
}

async fn take_back(wanted: Uninstall) -> Result<(), RunError> {
    let Uninstall { namespace, history, dry_run, cluster } = wanted;
    let cluster = cluster.open().await?;
    let namespace = namespace.filter(|namespace| !namespace.is_empty());
    Ok(uninstall::uninstall(&cluster, namespace.as_deref(), history, dry_run).await?)
}

async fn operate(run: Run) -> Result<(), RunError> {
    let started = now();
    let env = |name: &str| std::env::var(name).ok();
    let metrics = Metrics::new(now, &run.dora_windows);
    let own_traces = start_logging(&run, env, &metrics)?;
    let exporter = Exporter::new(&Settings::resolve(&run.otlp, env)?)?;
    let metrics_exporter = MetricsExporter::new(&MetricsSettings::resolve(&run.otlp, env)?)?;
    let config =
        kube::Config::infer().await.map_err(|error| RunError::NoCluster(Box::new(error)))?;
    let client = connect(config).map_err(|error| RunError::Client(Box::new(error)))?;
    let listener = TcpListener::bind(run.admin_address)
        .await
        .map_err(|source| RunError::AdminAddress { address: run.admin_address, source })?;
    let (links, admission) = run.admission.listen(run.observe_only).await?;
    let stop = Stop::default();
    stop.on_signals().map_err(RunError::Signals)?;

    let readiness = Readiness::new(metrics.connections());
    let options = Options { links, observe_only: run.observe_only, export: exporter.is_some() };
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
        admission = admission.as_ref().and_then(Admission::address).map(tracing::field::display),
        export = exporter.as_ref().map_or_else(|| "off".to_owned(), ToString::to_string),
        metrics = metrics_exporter.as_ref().map_or_else(|| "served".to_owned(), ToString::to_string),
        own_traces = own_traces.as_ref().map_or_else(|| "off".to_owned(), ToString::to_string),
        "throughline starts"
    );
    // Both go on while what is due is stored: that is counted, too.
    let stored = CancellationToken::new();
    let admin =
        tokio::spawn(admin::serve(listener, metrics.clone(), readiness.clone(), stored.clone()));
    let published = Published::default();
    let admitting = admission.map(|admission| {
        admission.start(client.clone(), published.clone(), metrics.clone(), now, &stored)
    });
    let push = metrics_exporter.map(|exporter| {
        let push = Push { exporter, metrics: metrics.clone(), started, clock: now };
        tokio::spawn(push.run(stored.clone()))
    });
    let give_back = CancellationToken::new();
    let (leadership, election) = match &run.lease {
        None => (Leadership::alone(), None),
        Some(name) => {
            let process = env("HOSTNAME").unwrap_or_else(|| "throughline".to_owned());
            let lasts = Duration::from_secs(run.lease_seconds);
            let namespace = run.namespace.clone();
            let (election, leadership) =
                Election::new(client.clone(), name, namespace, &process, lasts, now);
            (leadership, Some(tokio::spawn(election.run(give_back.clone()))))
        }
    };
    let held = gated(client, leadership.clone());
    let held = if own_traces.is_some() { traced(held) } else { held };
    let writer = Writer::new(held, run.namespace, exporter, leadership.clone(), metrics.clone());
    let (causes, clock) = (Causes::new(own_traces.as_ref()), now);
    let replica = Replica {
        options,
        watches,
        writer,
        leadership,
        metrics,
        readiness,
        published,
        causes,
        clock,
    };
    replica.run(&stop).await;
    // After the last write: another may begin.
    give_back.cancel();
    let election = timeout_at(stop.ends_by(), OptionFuture::from(election)).await;
    if !matches!(election, Ok(None | Some(Ok(())))) {
        tracing::warn!("the lease was not given back in time: it expires");
    }
    stored.cancel();
    for admitting in admitting.into_iter().flatten() {
        timeout_at(stop.ends_by(), admitting).await.ok();
    }
    let flush = own_traces.map(|own| own.stop(stop.ends_by()));
    let (served, pushed, _) = tokio::join!(
        timeout_at(stop.ends_by(), admin),
        timeout_at(stop.ends_by(), OptionFuture::from(push)),
        OptionFuture::from(flush),
    );
    served_to_its_end(served);
    if !matches!(pushed, Ok(None | Some(Ok(())))) {
        tracing::warn!("the last metrics were not sent: the collector took too long");
    }
    tracing::info!("throughline stopped");
    Ok(())
}

fn served_to_its_end(served: Result<Result<std::io::Result<()>, JoinError>, Elapsed>) {
    match served {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "the admin server failed"),
        Ok(Err(error)) => tracing::warn!(%error, "the admin server failed"),
        Err(_) => tracing::warn!("a request to the admin server was cut off"),
    }
}

/// A client each of whose requests is held back unless this process leads when it leaves.
fn gated(client: Client, leadership: Leadership) -> Client {
    let namespace = client.default_namespace().to_owned();
    let held = tower::service_fn(move |request| {
        let (client, leads) = (client.clone(), leadership.check());
        async move {
            leads.map_err(BoxError::from)?;
            client.send(request).await.map_err(BoxError::from)
        }
    });
    Client::new(held, namespace)
}

#[expect(clippy::disallowed_methods, reason = "the one clock of the process")]
fn now() -> Timestamp {
    // No finer than what Kubernetes' own clocks agree on; a journal is read by people, too.
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Begins to log, and to trace this process if that is asked for: both get the same.
fn start_logging(
    run: &Run,
    env: impl Fn(&str) -> Option<String>,
    metrics: &Metrics,
) -> Result<Option<OwnTraces>, RunError> {
    let filter = EnvFilter::try_new(&run.log).map_err(|error| RunError::LogFilter {
        filter: run.log.clone(),
        reason: error.to_string(),
    })?;
    let exporter = OwnTracesSettings::resolve(&run.otlp, env)?;
    let exporter = OwnTracesExporter::new(&exporter, metrics.clone())?;
    let own_traces = exporter.map(OwnTraces::start);
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let log = match run.log_format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().boxed(),
    };
    let layer = own_traces.as_ref().map(OwnTraces::layer);
    tracing_subscriber::registry().with(layer).with(logged(log, filter)).init();
    Ok(own_traces)
}
