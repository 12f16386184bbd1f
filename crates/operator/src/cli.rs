//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use timeline::Key;

use crate::admission::AdmissionArgs;
use crate::annotate::Annotate;
use crate::cluster::ClusterArgs;
use crate::completion::Shell;
use crate::dora::WINDOWS;
use crate::explain::ExplainError;
use crate::export::OtlpArgs;
use crate::lease;
use crate::{dora, explain};

/// The same as [`crate::exit::Exit`].
const EXITS: &str = "\
Exit codes:
  0  done; also where the reader of the output has seen enough, as `head` has, and where single
     objects were left out with a warning on stderr
  1  failed
  2  the command line is wrong, or names a context or a selector that is none
  3  the Rollout, the attempt or the kind that was asked for is not there
  4  permissions or credentials do not allow it

Results go to stdout, all else to stderr.";

/// Makes the history of an Argo Rollout readable as one connected trace.
///
/// Throughline watches Argo Rollouts and the traces that Keptn makes of their revisions, and writes
/// span links into Keptn's KeptnAppContexts, so that each revision's trace follows the one before.
/// What it found is in a RolloutTrace beside each Rollout: kubectl get rtr -A.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the operator.
    ///
    /// It finds the cluster by KUBECONFIG or ~/.kube/config, and inside a pod by its service
    /// account. Example, outside of a cluster and writing no more than RolloutTraces,
    /// RolloutAttempts and Events:
    ///
    ///   throughline run --observe-only --admin-address 127.0.0.1:8080
    #[command(verbatim_doc_comment)]
    Run(Box<Run>),
    /// Show the story of an attempt as a tree, from what the cluster stores of it.
    ///
    /// Without --revision it is the newest attempt, without --attempt the last of its revision.
    ///
    ///   throughline explain shop/cart
    ///   throughline explain cart -n shop --revision 4 --attempt 1
    ///   throughline explain cart -o json | jq -r .failure.reason
    #[command(verbatim_doc_comment)]
    Explain(Explain),
    /// DORA's metrics of the Rollouts that are followed, from their ledgers, N beside each figure.
    ///
    /// Figures of many Rollouts are made from the attempts of all, never from other figures.
    /// docs/dora.md says what counts as what.
    ///
    ///   throughline dora --namespace shop
    ///   throughline dora --all-namespaces --selector team=checkout --since 90d --output csv
    ///   throughline dora --namespace shop --since 7d --audit
    #[command(verbatim_doc_comment)]
    Dora(Dora),
    /// Write into a manifest, from a pipeline, which commit it delivers and by which run.
    ///
    /// Reads a manifest, adds annotations to each Rollout in it, and writes it to stdout. From them
    /// come the lead time, and the link from the attempt's trace to that of the run. Comments, order
    /// and everything that is no Rollout stay as they are. In a checkout git is asked for commit,
    /// time, author and repository, and TRACEPARENT for the run; each flag wins over both:
    ///
    ///   throughline annotate -f rollout.yaml | kubectl apply -f -
    ///
    /// Where a pipeline has no checkout, or delivers another repository than it has checked out:
    ///
    ///   kubectl kustomize deploy/ | throughline annotate --no-git \
    ///     --commit "$SOURCE_COMMIT" --commit-time "$SOURCE_COMMIT_TIME" \
    ///     --repository https://git.example.com/shop/cart | kubectl apply -f -
    #[command(verbatim_doc_comment)]
    Annotate(Box<Annotate>),
    /// Take back what the operator wrote into objects of others, before it is removed.
    ///
    /// That are our entries of spec.spanLinks in KeptnAppContexts, our annotation there, and
    /// KeptnAppContexts that we made and into which nobody else wrote. It prints a line for each.
    /// Stop the operator first: it would write them again.
    ///
    ///   throughline uninstall --dry-run
    ///   kubectl -n throughline-system scale deployment/throughline --replicas 0
    ///   throughline uninstall && kubectl delete -k config/default
    #[command(verbatim_doc_comment)]
    Uninstall(Uninstall),
    /// Print the script that completes this command line in a shell.
    ///
    ///   source <(throughline completion bash)
    ///   throughline completion zsh > "${fpath[1]}/_throughline"
    ///   throughline completion fish | source
    #[command(verbatim_doc_comment)]
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the CustomResourceDefinitions as YAML, as they are in crds/.
    ///
    /// Example: throughline crds | kubectl apply --server-side -f -
    #[command(verbatim_doc_comment)]
    Crds {
        /// Write them into this folder instead, one file each.
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    /// Follow the Rollouts of one namespace only. Empty, it is all of them.
    #[arg(long, short, env = "THROUGHLINE_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Write no links, and nothing else into objects of others. RolloutTraces, RolloutAttempts and
    /// Events are still written; RolloutTraces show what the links would be.
    #[arg(long, env = "THROUGHLINE_OBSERVE_ONLY", value_parser = FalseyValueParser::new())]
    pub(crate) observe_only: bool,
    /// The label of a Rollout that names the team that owns it, for figures by team.
    #[arg(long, value_name = "KEY", default_value = "team", env = "THROUGHLINE_TEAM_LABEL")]
    pub(crate) team_label: String,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, default_value = "127.0.0.1:8080", env = "THROUGHLINE_ADMIN_ADDRESS")]
    pub(crate) admin_address: SocketAddr,
    /// Which windows the DORA gauges at /metrics have, in days: any of 7, 30 and 90. Each is up to
    /// 18 series for each Rollout. RolloutTraces and `throughline dora` have all of them.
    #[arg(
        long,
        value_name = "DAYS,...",
        value_delimiter = ',',
        value_parser = window,
        default_value = "7,30,90",
        env = "THROUGHLINE_DORA_WINDOWS"
    )]
    pub(crate) dora_windows: Vec<u16>,
    /// Act only while holding this Lease, so that several replicas can run: one leads, the others stand
    /// by. Without a namespace it is in that of the pod. Without the flag there is no election, and
    /// this process must be the only one.
    #[arg(long, value_name = "[NAMESPACE/]NAME", env = "THROUGHLINE_LEASE")]
    pub(crate) lease: Option<lease::Name>,
    /// After how many seconds without a sign of the leader another takes over.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 15,
        value_parser = clap::value_parser!(u64).range(3..=600),
        env = "THROUGHLINE_LEASE_SECONDS"
    )]
    pub(crate) lease_seconds: u64,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "THROUGHLINE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// What is logged, e.g. `info` or `throughline=debug`.
    #[arg(long, default_value = "info", env = "THROUGHLINE_LOG")]
    pub(crate) log: String,
    #[command(flatten)]
    pub(crate) admission: AdmissionArgs,
    // Last, because its heading holds for what follows.
    #[command(flatten)]
    pub(crate) otlp: OtlpArgs,
}

impl Run {
    /// An empty variable in a manifest is one that is not set.
    pub(crate) fn resolved(mut self) -> Self {
        self.namespace = self.namespace.filter(|namespace| !namespace.trim().is_empty());
        self
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Explain {
    /// The Rollout.
    #[arg(value_name = "[NAMESPACE/]ROLLOUT", value_parser = rollout)]
    pub(crate) rollout: RolloutArg,
    /// Its namespace [default: that of the context].
    #[arg(long, short)]
    pub(crate) namespace: Option<String>,
    /// Argo's number of the revision.
    #[arg(long, value_name = "N")]
    pub(crate) revision: Option<i64>,
    /// Number of the attempt within the revision: 1, and one more for each retry.
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<i64>,
    /// How it is written; docs/cli.md names the fields.
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: explain::Output,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Dora {
    /// The Rollouts of this namespace [default: that of the context].
    #[arg(long, short)]
    pub(crate) namespace: Option<String>,
    /// The Rollouts of all namespaces.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
    /// Only Rollouts with these labels, as for kubectl; it needs to list Rollouts, too.
    #[arg(long, short = 'l')]
    pub(crate) selector: Option<String>,
    /// How many days, today in UTC included: 1d to 90d.
    #[arg(long, value_name = "DAYS", default_value = "30d", value_parser = crate::dora::days)]
    pub(crate) since: u16,
    /// How they are written.
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: dora::Output,
    /// Also the lines of the ledgers behind the figures, and what each counts as.
    #[arg(long)]
    pub(crate) audit: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Uninstall {
    /// Only in this namespace [default: in all, as the operator].
    #[arg(long, short)]
    pub(crate) namespace: Option<String>,
    /// Also delete RolloutTraces and RolloutAttempts that no Rollout owns. All others go with their
    /// Rollouts, or with the CRDs.
    #[arg(long)]
    pub(crate) history: bool,
    /// Change nothing, print what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// A Rollout as it is named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RolloutArg {
    namespace: Option<String>,
    name: String,
}

impl RolloutArg {
    /// The Rollout; its namespace by its own word, by the flag, or by the context.
    pub(crate) fn in_namespace(
        self,
        flag: Option<&str>,
        context: &str,
    ) -> Result<Key, ExplainError> {
        let flag = flag.filter(|flag| !flag.is_empty());
        match (self.namespace, flag) {
            (Some(own), Some(flag)) if own != flag => Err(ExplainError::TwoNamespaces {
                rollout: Key::new(&own, &self.name),
                namespace: flag.to_owned(),
            }),
            (Some(own), _) => Ok(Key::new(&own, &self.name)),
            (None, flag) => Ok(Key::new(flag.unwrap_or(context), &self.name)),
        }
    }
}

fn window(text: &str) -> Result<u16, String> {
    let days = text.trim().parse().ok().filter(|days| WINDOWS.contains(days));
    days.ok_or_else(|| "it takes any of 7, 30 and 90, with commas".to_owned())
}

fn rollout(text: &str) -> Result<RolloutArg, String> {
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None => (None, text),
    };
    if name.is_empty() || name.contains('/') || namespace.as_deref() == Some("") {
        return Err("write it as ROLLOUT or NAMESPACE/ROLLOUT, e.g. shop/cart".to_owned());
    }
    Ok(RolloutArg { namespace, name: name.to_owned() })
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for a person.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(flags: &[&str]) -> Result<Vec<u16>, String> {
        let flags = [&["throughline", "run"], flags].concat();
        match Cli::try_parse_from(flags).map_err(|error| error.to_string())?.command {
            Command::Run(run) => Ok(run.dora_windows),
            _ => Err("another command".to_owned()),
        }
    }

    #[test]
    fn an_empty_namespace_is_none() {
        let of = |flags: &[&str]| {
            let flags = [&["throughline", "run"], flags].concat();
            match Cli::try_parse_from(flags).unwrap().command {
                Command::Run(run) => run.resolved().namespace,
                _ => panic!("another command"),
            }
        };
        assert_eq!(of(&["--namespace", ""]), None);
        assert_eq!(of(&["--namespace", "shop"]).as_deref(), Some("shop"));
    }

    #[test]
    fn a_rollout_is_named_with_its_namespace_or_without() {
        let key = |text: &str, flag| {
            let key = rollout(text).map(|arg| arg.in_namespace(flag, "context"));
            key.map(|key| key.map_or_else(|error| error.to_string(), |key| key.to_string()))
        };
        assert_eq!(key("cart", None).unwrap(), "context/cart");
        assert_eq!(key("cart", Some("shop")).unwrap(), "shop/cart");
        assert_eq!(key("shop/cart", Some("shop")).unwrap(), "shop/cart");
        assert!(key("shop/cart", Some("pay")).unwrap().contains("--namespace pay"));
        for wrong in ["", "/", "/cart", "shop/", "a/b/c"] {
            key(wrong, None).unwrap_err();
        }
    }

    #[test]
    fn all_windows_have_gauges_unless_fewer_are_named() {
        assert_eq!(windows(&[]), Ok(WINDOWS.to_vec()));
        assert_eq!(windows(&["--dora-windows", "30"]), Ok(vec![30]));
        assert_eq!(windows(&["--dora-windows", "7, 90"]), Ok(vec![7, 90]));
        for wrong in ["14", "30d", "", "7;30"] {
            let error = windows(&["--dora-windows", wrong]).unwrap_err();
            assert!(error.contains("any of 7, 30 and 90"), "{wrong}: {error}");
        }
    }
}
