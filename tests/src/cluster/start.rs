//! The start of a cluster, in parallel where nothing has to wait.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::access::Access;
use super::launch::{Launch, Ports};
use super::process::tail;
use super::programs::{self, Program};
use super::{Addresses, Cluster, Error, Group, Options, Tools, User, client};

/// Set to anything, the folders of clusters stay when they end.
const KEEP: &str = "THROUGHLINE_KEEP";

// On two cores that others use as well.
const PATIENCE: Duration = Duration::from_mins(2);

impl Cluster {
    /// Starts a cluster and returns when it is ready: pods run, Argo Rollouts and Jaeger listen.
    ///
    /// Blocks, about ten seconds; the first time as long as the programs take to build. May be
    /// called inside and outside of a runtime.
    pub fn start(options: Options) -> Result<Self, Error> {
        let options = Arc::new(options);
        programs::build(&needed(&options))?;
        let mut attempts = 1..=3;
        loop {
            let last = attempts.next() == attempts.clone().last();
            match Self::attempt(Arc::clone(&options)) {
                Err(error) if error.is_taken_port() && !last => {}
                result => return result,
            }
        }
    }

    fn attempt(options: Arc<Options>) -> Result<Self, Error> {
        let dir = folder()?;
        let mut group = Group::open(&dir)?;
        if std::env::var_os(KEEP).is_some_and(|value| !value.is_empty()) {
            group.keep()?;
        }
        let ports = Ports::choose()?;
        let addresses = Addresses {
            api: ports.api.address(),
            etcd: ports.etcd.address(),
            argo_health: ports.argo_health.address(),
            argo_metrics: ports.argo_metrics.address(),
            otlp_grpc: ports.otlp_grpc.address(),
            otlp_http: ports.otlp_http.address(),
            query: ports.query.address(),
        };
        let mut users = vec![User::admin(), User::throughline(), User::tenant()];
        users.extend(options.users.iter().cloned());
        let access = Access::write(&dir, &format!("https://{}", addresses.api), users)?;
        let tools = Tools {
            kubectl: Program::Kubectl.path()?,
            argo: Program::KubectlArgoRollouts.path()?,
            kubeconfig: access.admin(),
        };
        let mut cluster = Self {
            running: Mutex::new(BTreeMap::new()),
            group,
            dir,
            ports: Mutex::new(ports),
            access,
            options,
            addresses,
            tools,
        };
        match cluster.wait() {
            Ok(()) => Ok(cluster),
            Err(error) => {
                // The error names a log.
                if !error.is_taken_port() {
                    cluster.group.keep()?;
                }
                Err(error)
            }
        }
    }

    // A runtime of its own on a thread of its own: the caller may be inside another one.
    fn wait(&self) -> Result<(), Error> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|source| Error::Start { program: "a runtime".into(), source })?;
                runtime.block_on(self.complete())
            });
            thread.join().unwrap_or_else(|_| {
                Err(Error::Absent {
                    program: "the start".into(),
                    hint: "its thread panicked, see the lines above",
                })
            })
        })
    }

    async fn complete(&self) -> Result<(), Error> {
        self.launch(Program::Etcd)?;
        self.launch(Program::KubeApiserver)?;
        if self.options.jaeger {
            self.launch(Program::Jaeger)?;
        }
        let client = client(&self.access.admin()).await?;
        self.ready(Program::KubeApiserver, async || get(&client, "/readyz").await).await?;
        for program in [Program::KubeControllerManager, Program::KubeScheduler, Program::Kwok] {
            self.launch(program)?;
        }
        let argo = async {
            if self.options.argo { self.install_argo_with(&client).await } else { Ok(()) }
        };
        let jaeger = async { if self.options.jaeger { self.await_jaeger().await } else { Ok(()) } };
        tokio::try_join!(self.node(&client), argo, jaeger)?;
        Ok(())
    }

    async fn await_jaeger(&self) -> Result<(), Error> {
        let jaeger = self.jaeger();
        self.ready(Program::Jaeger, async || {
            jaeger.services().await.map_err(|error| error.to_string()).map(drop)
        })
        .await?;
        self.ready(Program::Jaeger, async || {
            for address in [&self.addresses.otlp_grpc, &self.addresses.otlp_http] {
                let open = tokio::net::TcpStream::connect(address).await;
                open.map_err(|error| format!("{address}: {error}"))?;
            }
            Ok(())
        })
        .await
    }

    // One large node, and a pod on it: proof that scheduler and KWOK work.
    async fn node(&self, client: &Client) -> Result<(), Error> {
        let nodes: Api<Node> = Api::all(client.clone());
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": "node", "labels": { "kubernetes.io/hostname": "node" } },
        });
        // The admission plugin adds the taint, and no controller of this cluster removes it.
        let bare = json!({ "spec": { "taints": null } });
        let apply = PatchParams::apply("throughline-tests").force();
        let made = nodes.patch("node", &apply, &Patch::Apply(&node)).await;
        made.map_err(Error::api("create the node"))?;
        let patched = nodes.patch("node", &PatchParams::default(), &Patch::Merge(&bare)).await;
        patched.map_err(Error::api("remove the taint of the node"))?;

        let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": "first" },
            "spec": { "containers": [{ "name": "first", "image": "example/first:1.0.0" }] },
        });
        self.ready(Program::KubeScheduler, async || {
            let pod = serde_json::from_value(pod.clone()).map_err(|error| error.to_string())?;
            let made = pods.create(&PostParams::default(), &pod).await;
            made.map(drop).map_err(|error| error.to_string())
        })
        .await?;
        self.ready(Program::Kwok, async || {
            let pod = pods.get("first").await.map_err(|error| error.to_string())?;
            let status = pod.status.clone().unwrap_or_default();
            if status.phase.as_deref() == Some("Running") {
                return Ok(());
            }
            let conditions = serde_json::to_string(&status.conditions).unwrap_or_default();
            Err(format!("pod {} does not run: {conditions}", pod.name_any()))
        })
        .await?;
        let deleted = pods.delete("first", &DeleteParams::default().grace_period(0)).await;
        deleted.map_err(Error::api("delete the first pod"))?;
        Ok(())
    }

    pub(super) fn launch(&self, program: Program) -> Result<(), Error> {
        let launch = {
            let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
            Launch::new(program, &self.dir, &mut ports, &self.access, &self.options)?
        };
        let process = self.group.spawn(program.name(), launch.command())?;
        self.running().insert(program.name().into(), (launch, process));
        Ok(())
    }

    /// Asks until the answer is yes. A program that ended, this one or any other, is an error.
    pub(super) async fn ready(
        &self,
        program: Program,
        mut question: impl AsyncFnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let answer = question().await;
            let Err(reason) = answer else { return Ok(()) };
            for (_, process) in self.running().values() {
                process.check()?;
            }
            if since.elapsed() > PATIENCE {
                let log = self.logs().join(format!("{}.log", program.name()));
                return Err(Error::NotReady {
                    program: program.name().into(),
                    seconds: since.elapsed().as_secs(),
                    reason,
                    tail: tail(&log, 20),
                    log,
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub(super) async fn get(client: &Client, path: &str) -> Result<(), String> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    client.request_text(request).await.map(drop).map_err(|error| error.to_string())
}

fn needed(options: &Options) -> Vec<Program> {
    let wanted = |program: &Program| match program {
        Program::Jaeger => options.jaeger,
        _ => true,
    };
    Program::ALL.into_iter().filter(wanted).collect()
}

fn folder() -> Result<PathBuf, Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("throughline-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            // Kept by an earlier process with the same id.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => {
                return Err(Error::File { action: "create", path, source });
            }
        }
    }
}
