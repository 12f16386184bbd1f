//! A real control plane on loopback: etcd, kube-apiserver, the controllers that Rollouts need,
//! the scheduler, KWOK in place of a kubelet, Argo Rollouts and Jaeger.

mod access;
mod apply;
mod argo;
mod audit;
mod error;
mod launch;
mod namespace;
mod ports;
mod process;
pub mod programs;
mod progress;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

pub use access::User;
pub use audit::{Audit, Counts, Request};
pub use error::Error;
pub use namespace::Namespace;
pub use ports::free_port;
pub(crate) use process::run;
pub use process::{Group, Process};

use crate::jaeger::Jaeger;
use access::Access;
use launch::{Launch, Ports};
use programs::Program;

/// What a cluster consists of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Argo Rollouts: its CRDs and its controller. Without, [`Cluster::install_argo`] adds it.
    pub argo: bool,
    /// Jaeger.
    pub jaeger: bool,
    /// An audit log of all requests, at level Metadata.
    pub audit: bool,
    /// Further users, beside `admin`, `throughline` and `tenant`.
    pub users: Vec<User>,
    /// Further flags of kube-apiserver.
    pub api_server_flags: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            argo: true,
            jaeger: true,
            audit: false,
            users: Vec::new(),
            api_server_flags: Vec::new(),
        }
    }
}

/// A running cluster. It ends when it is dropped, and when the process that started it ends. Its
/// folder ends with it, unless the environment variable `THROUGHLINE_KEEP` is set.
#[derive(Debug)]
pub struct Cluster {
    // Before the group: each is killed and awaited, then the group removes the folder.
    running: Mutex<BTreeMap<String, (Launch, Process)>>,
    group: Group,
    dir: PathBuf,
    ports: Mutex<Ports>,
    access: Access,
    options: Arc<Options>,
    addresses: Addresses,
    tools: Tools,
}

/// Where the parts of the cluster listen.
#[derive(Debug, Clone)]
struct Addresses {
    api: String,
    etcd: String,
    argo_health: String,
    argo_metrics: String,
    otlp_grpc: String,
    otlp_http: String,
    query: String,
}

/// The command lines, and as whom they ask.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    kubectl: PathBuf,
    argo: PathBuf,
    kubeconfig: PathBuf,
}

impl Tools {
    async fn run(&self, program: &Path, args: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(program);
        command.args(args).env("KUBECONFIG", &self.kubeconfig);
        // Neither the reactor of the caller nor a worker thread of it has to wait for the program.
        let (done, output) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || done.send(process::run(&mut command)));
        output.await.unwrap_or_else(|_| {
            Err(Error::Absent {
                program: program.display().to_string(),
                hint: "the thread that waited for it is gone; run it again",
            })
        })
    }

    pub(crate) async fn kubectl(&self, args: &[&str]) -> Result<String, Error> {
        self.run(&self.kubectl, args).await
    }

    pub(crate) async fn argo(&self, args: &[&str]) -> Result<String, Error> {
        self.run(&self.argo, args).await
    }
}

impl Cluster {
    /// The cluster that the tests of this process share. The first caller waits for its start.
    /// It ends with the process.
    pub fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceLock<Result<Cluster, Error>> = OnceLock::new();
        let started = SHARED.get_or_init(|| Self::start(Options::default()));
        started.as_ref().map_err(Error::Shared)
    }

    /// The kubeconfig of the admin.
    pub fn kubeconfig(&self) -> &Path {
        &self.tools.kubeconfig
    }

    /// The kubeconfig of a user: `admin`, `throughline`, `tenant` or one of the options.
    pub fn kubeconfig_as(&self, user: &str) -> Result<PathBuf, Error> {
        self.access.kubeconfig(user)
    }

    /// The configuration of the admin, for a client of the current runtime.
    pub async fn config(&self) -> Result<Config, Error> {
        config(self.kubeconfig()).await
    }

    /// A client of the admin, for the current runtime.
    pub async fn client(&self) -> Result<Client, Error> {
        client(self.kubeconfig()).await
    }

    /// A client of another user, for the current runtime.
    pub async fn client_as(&self, user: &str) -> Result<Client, Error> {
        client(&self.kubeconfig_as(user)?).await
    }

    /// The traces.
    pub fn jaeger(&self) -> Jaeger {
        Jaeger::new(&format!("http://{}", self.addresses.query))
    }

    /// Host and port of the OTLP receiver for gRPC.
    pub fn otlp_grpc(&self) -> &str {
        &self.addresses.otlp_grpc
    }

    /// Host and port of the OTLP receiver for HTTP.
    pub fn otlp_http(&self) -> &str {
        &self.addresses.otlp_http
    }

    /// Host and port of the API server.
    pub fn api_server(&self) -> &str {
        &self.addresses.api
    }

    /// Host and port of etcd.
    pub fn etcd(&self) -> &str {
        &self.addresses.etcd
    }

    /// Host and port of the metrics of the Argo Rollouts controller.
    pub fn argo_metrics(&self) -> &str {
        &self.addresses.argo_metrics
    }

    /// The folder of the cluster, which ends with it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of the logs, one `NAME.log` for each program.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// The audit log, if the options ask for one.
    pub fn audit(&self) -> Result<Audit, Error> {
        if self.options.audit {
            return Ok(Audit::new(&launch::audit_log(&self.dir)));
        }
        Err(Error::Absent { program: "the audit log".into(), hint: "set Options::audit" })
    }

    /// What `kubectl ARGS` writes, as admin.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String, Error> {
        self.tools.kubectl(args).await
    }

    /// What `kubectl argo rollouts ARGS` writes, as admin.
    pub async fn argo(&self, args: &[&str]) -> Result<String, Error> {
        self.tools.argo(args).await
    }

    /// Server-side apply of all documents of a manifest, as admin.
    pub async fn apply(&self, manifest: &str) -> Result<(), Error> {
        apply::apply(&self.client().await?, "default", manifest).await
    }

    /// A new namespace with a name of its own, in which Keptn is enabled.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace, Error> {
        self.make("generateName", &format!("{prefix}-"), true).await
    }

    /// The same without Keptn.
    pub async fn namespace_without_keptn(&self, prefix: &str) -> Result<Namespace, Error> {
        self.make("generateName", &format!("{prefix}-"), false).await
    }

    /// A new namespace of exactly this name, in which Keptn is enabled.
    pub async fn namespace_named(&self, name: &str) -> Result<Namespace, Error> {
        self.make("name", name, true).await
    }

    async fn make(&self, key: &str, name: &str, keptn: bool) -> Result<Namespace, Error> {
        Namespace::make(key, name, keptn, self.client().await?, self.tools.clone()).await
    }

    /// Starts a further program: it logs into `logs/NAME.log` and ends when it is dropped, or
    /// with the cluster.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process, Error> {
        self.group.spawn(name, command)
    }

    /// Name and process id of each program of the cluster.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let running = self.running();
        running.iter().map(|(name, (_, process))| (name.clone(), process.id())).collect()
    }

    /// Kills a program of the cluster.
    pub fn stop(&self, program: Program) -> Result<(), Error> {
        let running = self.running();
        let (_, process) = running.get(program.name()).ok_or_else(|| absent(program))?;
        process.kill();
        Ok(())
    }

    /// Starts a program of the cluster again after [`Self::stop`], where it was before. What
    /// needs it has to wait for it.
    pub fn restart(&self, program: Program) -> Result<(), Error> {
        let mut running = self.running();
        let (launch, process) = running.get_mut(program.name()).ok_or_else(|| absent(program))?;
        process.kill();
        *process = self.group.spawn(program.name(), launch.command())?;
        Ok(())
    }

    /// Sends a signal to a program of the cluster: STOP and CONT make a pause.
    pub fn signal(&self, program: Program, signal: &str) -> Result<(), Error> {
        let running = self.running();
        let (_, process) = running.get(program.name()).ok_or_else(|| absent(program))?;
        process.signal(signal)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, (Launch, Process)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn absent(program: Program) -> Error {
    Error::Absent { program: program.name().into(), hint: "the options leave it out" }
}

async fn config(path: &Path) -> Result<Config, Error> {
    let refuse = |reason: String| Error::Kubeconfig { path: path.into(), reason };
    let file = Kubeconfig::read_from(path).map_err(|error| refuse(error.to_string()))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| refuse(error.to_string()))?;
    // What the environment says about proxies is not about loopback.
    config.proxy_url = None;
    Ok(config)
}

async fn client(path: &Path) -> Result<Client, Error> {
    let config = config(path).await?;
    Client::try_from(config)
        .map_err(|error| Error::Kubeconfig { path: path.into(), reason: error.to_string() })
}
