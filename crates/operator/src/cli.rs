//! The command line.

use std::net::SocketAddr;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::export::OtlpArgs;

/// Makes the history of an Argo Rollout readable as one connected trace.
///
/// Throughline watches Argo Rollouts and the traces that Keptn makes of their revisions, and writes
/// span links into Keptn's KeptnAppContexts, so that each revision's trace follows the one before.
/// What it found stands in a RolloutTrace beside each Rollout: kubectl get rtr -A.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the operator.
    ///
    /// It finds the cluster by KUBECONFIG or ~/.kube/config, and inside a pod by its service
    /// account. Example, outside of a cluster and without writing any link:
    ///
    ///   throughline run --observe-only --admin-address 127.0.0.1:8080
    #[command(verbatim_doc_comment)]
    Run(Box<Run>),
    /// Print the CustomResourceDefinitions as YAML, as they stand in crds/.
    Crds,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    /// Follow the Rollouts of one namespace only.
    #[arg(long, short, env = "THROUGHLINE_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Write no links: RolloutTraces show what they would be.
    #[arg(long, env = "THROUGHLINE_OBSERVE_ONLY", value_parser = FalseyValueParser::new())]
    pub(crate) observe_only: bool,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, default_value = "127.0.0.1:8080", env = "THROUGHLINE_ADMIN_ADDRESS")]
    pub(crate) admin_address: SocketAddr,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "THROUGHLINE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// What is logged, e.g. `info` or `throughline=debug`.
    #[arg(long, default_value = "info", env = "THROUGHLINE_LOG")]
    pub(crate) log: String,
    // Last, because its heading holds for what follows.
    #[command(flatten)]
    pub(crate) otlp: OtlpArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for a person.
    Text,
    /// One JSON object a line.
    Json,
}
