//! Starting Keptn beside a cluster: the stand-in, or a real lifecycle-operator where there is one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, Client, ResourceExt};
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::error::Error;
use super::pace::Pace;
use super::real;
use super::webhook::{CONFIGURATION, PROCESS};
use crate::cluster::{Cluster, Process};

/// Path of a real lifecycle-operator. Keptn is then that, and not the stand-in.
pub const BINARY: &str = "THROUGHLINE_KEPTN_BINARY";
/// Folder of its CRDs (`lifecycle-operator/config/crd/bases`).
pub const CRDS: &str = "THROUGHLINE_KEPTN_CRDS";

const PATIENCE: Duration = Duration::from_mins(1);
const STAND_IN: &str = "keptn-stand-in";
const LIFECYCLE_OPERATOR: &str = "lifecycle-operator";

/// What plays Keptn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keptn {
    /// The stand-in, as a process.
    StandIn {
        /// The program `keptn-stand-in`.
        binary: PathBuf,
        /// How long it waits.
        pace: Pace,
    },
    /// A real lifecycle-operator. One at a time on a machine: its webhook's port is fixed.
    Real {
        /// The program.
        binary: PathBuf,
        /// Its CRDs.
        crds: PathBuf,
    },
}

impl Keptn {
    /// The real one if the environment names it, else the stand-in.
    pub fn from_env() -> Result<Self, Error> {
        let read = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::choose(read(BINARY).map(PathBuf::from), read(CRDS).map(PathBuf::from))
    }

    fn choose(binary: Option<PathBuf>, crds: Option<PathBuf>) -> Result<Self, Error> {
        match (binary, crds) {
            (Some(binary), Some(crds)) => Ok(Self::Real { binary, crds }),
            (Some(_), None) => Err(Error::HalfReal { set: BINARY, missing: CRDS }),
            (None, Some(_)) => Err(Error::HalfReal { set: CRDS, missing: BINARY }),
            (None, None) => Ok(Self::StandIn { binary: stand_in()?, pace: Pace::fast() }),
        }
    }

    /// Whether this is the real one.
    pub fn is_real(&self) -> bool {
        matches!(self, Self::Real { .. })
    }

    /// Its waits. The real one is configured as in the recordings.
    pub fn pace(&self) -> Pace {
        match self {
            Self::StandIn { pace, .. } => *pace,
            Self::Real { .. } => Pace::real(),
        }
    }

    /// Starts it and waits until pods are sent its way and it knows what is there. It ends when
    /// what is returned is dropped; then no pod can be created until it is started again.
    pub async fn start(&self, cluster: &Cluster) -> Result<Process, Error> {
        let client = cluster.client().await.map_err(cluster_failed)?;
        match self {
            Self::StandIn { binary, pace } => {
                let command =
                    stand_in_command(binary, cluster.kubeconfig(), cluster.otlp_grpc(), *pace);
                let process = cluster.spawn(STAND_IN, command).map_err(cluster_failed)?;
                registered(&client, &process).await?;
                Ok(process)
            }
            Self::Real { binary, crds } => {
                let prepared = real::prepare(cluster, crds).await?;
                let command = real::command(binary, cluster.kubeconfig());
                let process = cluster.spawn(LIFECYCLE_OPERATOR, command).map_err(cluster_failed)?;
                wait_for(&process, async || prepared.serves().await).await?;
                prepared.register(&client).await?;
                Ok(process)
            }
        }
    }

    /// Keptn beside [`Cluster::shared`], started by the first caller, for all tests of a process.
    pub async fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceCell<(Keptn, Process)> = OnceCell::const_new();
        let (keptn, _) = SHARED
            .get_or_try_init(async || {
                let keptn = Self::from_env()?;
                let cluster = Cluster::shared().map_err(cluster_failed)?;
                let process = keptn.start(cluster).await?;
                Ok::<_, Error>((keptn, process))
            })
            .await?;
        Ok(keptn)
    }
}

// Beside the tests' own folder, where cargo puts the programs of this package.
fn stand_in() -> Result<PathBuf, Error> {
    let here = std::env::current_exe().map_err(|source| Error::File {
        action: "find",
        path: "this program".into(),
        source,
    })?;
    let folder = here.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(STAND_IN);
    if path.exists() {
        return Ok(path);
    }
    Err(Error::Missing {
        what: "the stand-in for Keptn",
        path,
        hint: "build it with `cargo build -p throughline-tests --bin keptn-stand-in`",
    })
}

fn stand_in_command(binary: &Path, kubeconfig: &Path, otlp: &str, pace: Pace) -> Command {
    let mut command = Command::new(binary);
    command.arg("--kubeconfig").arg(kubeconfig).args(["--otlp-endpoint", otlp]);
    command.args([
        "--pace",
        if pace.match_retry == Pace::real().match_retry { "real" } else { "fast" },
    ]);
    command.arg("--discovery-ms").arg(pace.discovery.as_millis().to_string());
    command.arg("--observability-s").arg(pace.observability.as_secs().to_string());
    command
}

// The stand-in writes its process id on the configuration once all its caches are filled.
async fn registered(client: &Client, process: &Process) -> Result<(), Error> {
    let api = Api::<MutatingWebhookConfiguration>::all(client.clone());
    let id = process.id().to_string();
    wait_for(process, async || {
        let found = api.get_opt(CONFIGURATION).await;
        found.is_ok_and(|it| it.is_some_and(|it| it.annotations().get(PROCESS) == Some(&id)))
    })
    .await
}

async fn wait_for(process: &Process, mut ready: impl AsyncFnMut() -> bool) -> Result<(), Error> {
    let since = Instant::now();
    while !ready().await {
        process.check().map_err(cluster_failed)?;
        if since.elapsed() > PATIENCE {
            let program = process.name().to_owned();
            return Err(Error::NotReady { program, seconds: PATIENCE.as_secs() });
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

pub(super) fn cluster_failed(source: crate::cluster::Error) -> Error {
    Error::Cluster(Box::new(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_operator_needs_both_variables() {
        let (binary, crds) = (Some(PathBuf::from("op")), Some(PathBuf::from("crds")));
        assert!(Keptn::choose(binary.clone(), crds.clone()).unwrap().is_real());
        for (binary, crds) in [(binary, None), (None, crds)] {
            let error = Keptn::choose(binary, crds).unwrap_err();
            assert!(matches!(error, Error::HalfReal { .. }), "{error}");
        }
    }

    #[test]
    fn the_stand_in_is_given_the_cluster_and_the_pace() {
        let pace = Pace { discovery: Duration::from_millis(70), ..Pace::fast() };
        let command =
            stand_in_command(Path::new("stand-in"), Path::new("kc"), "127.0.0.1:4317", pace);
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        let expected = "--kubeconfig kc --otlp-endpoint 127.0.0.1:4317 --pace fast \
                        --discovery-ms 70 --observability-s 300";
        assert_eq!(args.join(" "), expected);
    }
}
