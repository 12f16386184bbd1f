//! Throughline itself as a process beside a cluster, with the permissions that it ships with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::sleep;

use crate::cluster::{Cluster, Error, Process, run};

const PATIENCE: Duration = Duration::from_secs(30);
/// How the Deployment sets the allocator.
pub const ALLOCATOR: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "0");

/// How an operator is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// As which user of the cluster.
    pub user: String,
    /// Further flags.
    pub flags: Vec<String>,
    /// Host and port that it sends spans to by OTLP over gRPC; the Jaeger of the cluster if nothing
    /// is said.
    pub collector: Option<String>,
    /// Further variables.
    pub variables: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: None,
            user: "throughline".into(),
            flags: Vec::new(),
            collector: None,
            variables: Vec::new(),
        }
    }
}

/// An operator that runs, or was killed and can be started again.
#[derive(Debug)]
pub struct Operator {
    cluster: &'static Cluster,
    name: String,
    settings: Settings,
    process: Mutex<Option<Process>>,
}

impl Operator {
    /// Starts one that follows one namespace, under the user that the shipped RBAC is for.
    pub async fn in_namespace(cluster: &'static Cluster, namespace: &str) -> Result<Self, Error> {
        Self::in_namespace_with(cluster, namespace, Settings::default()).await
    }

    /// The same with other settings.
    pub async fn in_namespace_with(
        cluster: &'static Cluster,
        namespace: &str,
        settings: Settings,
    ) -> Result<Self, Error> {
        install(cluster).await?;
        let settings = Settings { namespace: Some(namespace.into()), ..settings };
        Self::start(cluster, &format!("throughline-{namespace}"), settings).await
    }

    /// Starts one and waits until it answers; what it needs must have been installed.
    pub async fn start(
        cluster: &'static Cluster,
        name: &str,
        settings: Settings,
    ) -> Result<Self, Error> {
        let process = Mutex::new(None);
        let operator = Self { cluster, name: name.into(), settings, process };
        operator.resume()?;
        operator.until("alive", "livez").await?;
        Ok(operator)
    }

    /// Starts it again after [`Operator::kill`].
    pub fn resume(&self) -> Result<(), Error> {
        let collector = self.settings.collector.as_deref().unwrap_or(self.cluster.otlp_grpc());
        let mut command = Command::new(binary()?);
        command.env(ALLOCATOR.0, ALLOCATOR.1);
        command
            .arg("run")
            // A port that was free a moment ago may be a neighbour's by now: the system chooses.
            .args(["--admin-address", "127.0.0.1:0"])
            .args(["--log", "info,throughline=debug,operator=debug"])
            .args(&self.settings.flags)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .envs(self.settings.variables.iter().map(|(name, value)| (name, value)))
            .env("KUBECONFIG", self.cluster.kubeconfig_as(&self.settings.user)?);
        if let Some(namespace) = &self.settings.namespace {
            command.args(["--namespace", namespace]);
        }
        let process = self.cluster.spawn(&self.name, command)?;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        Ok(())
    }

    /// Ends it as a node that loses power would: SIGKILL.
    pub fn kill(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = process {
            process.kill();
        }
    }

    /// Ends it as a kubelet does, by SIGTERM, and waits until it is gone.
    pub async fn terminate(&self) -> Result<(), Error> {
        self.signal("TERM")?;
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(process) = process else { return Ok(()) };
        let since = Instant::now();
        while process.ended().is_none() {
            if since.elapsed() > PATIENCE {
                return Err(Error::Waited {
                    object: self.name.clone(),
                    condition: "gone".into(),
                    seconds: PATIENCE.as_secs(),
                    state: process.tail(20),
                });
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Lets it stand still, as a node does that swaps; [`Operator::thaw`] lets it go on.
    pub fn freeze(&self) -> Result<(), Error> {
        self.signal("STOP")
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<(), Error> {
        self.signal("CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), Error> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_ref().map_or(Ok(()), |process| process.signal(signal))
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Process::id)
    }

    /// Waits until it has looked at everything that it can.
    pub async fn ready(&self) -> Result<String, Error> {
        self.until("ready", "readyz").await
    }

    /// Waits until it says that it is not ready, in these words.
    pub async fn not_ready(&self, words: &[&str]) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let answer = self.get("readyz").await;
            if let Some((false, text)) = &answer
                && words.iter().all(|words| text.contains(words))
            {
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                return Err(Error::Waited {
                    object: self.name.clone(),
                    condition: format!("not ready, and say {words:?}"),
                    seconds: PATIENCE.as_secs(),
                    state: answer.map_or_else(|| "no answer".into(), |(_, text)| text),
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until(&self, condition: &str, path: &str) -> Result<String, Error> {
        let since = Instant::now();
        loop {
            let answer = self.get(path).await;
            if let Some((true, text)) = &answer {
                return Ok(text.clone());
            }
            if let Some(process) = &*self.process.lock().unwrap_or_else(PoisonError::into_inner) {
                process.check()?;
            }
            if since.elapsed() > PATIENCE {
                return Err(Error::Waited {
                    object: self.name.clone(),
                    condition: condition.into(),
                    seconds: PATIENCE.as_secs(),
                    state: answer.map_or_else(|| "no answer".into(), |(_, text)| text),
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where its admin server listens, as it said last.
    pub fn admin(&self) -> Option<SocketAddr> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let log = process.as_ref()?.logged().ok()?;
        let (_, said) = log.rsplit_once("admin=")?;
        said.split_whitespace().next()?.parse().ok()
    }

    /// What a path of its admin server says, and whether that means yes.
    pub async fn get(&self, path: &str) -> Option<(bool, String)> {
        let answer = reqwest::get(format!("http://{}/{path}", self.admin()?)).await.ok()?;
        Some((answer.status().is_success(), answer.text().await.ok()?))
    }

    /// What another command of the same program prints, as a person with all permissions.
    pub async fn command(&self, args: &[&str]) -> Result<String, Error> {
        self.command_as("admin", args).await
    }

    /// The same as another user of the cluster.
    pub async fn command_as(&self, user: &str, args: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(binary()?);
        command.env(ALLOCATOR.0, ALLOCATOR.1);
        command.args(args).env("KUBECONFIG", self.cluster.kubeconfig_as(user)?);
        let ended = tokio::task::spawn_blocking(move || run(&mut command)).await;
        ended.unwrap_or_else(|_| {
            Err(Error::Absent {
                program: "throughline".into(),
                hint: "the thread that waited for it is gone; run it again",
            })
        })
    }

    /// Waits until the sum of a metric over all labels that contain `labels` is above 0.
    pub async fn await_metric(&self, name: &str, labels: &str) -> Result<(), Error> {
        let since = Instant::now();
        while self.metric(name, labels).await <= 0.0 {
            if since.elapsed() > PATIENCE {
                return Err(Error::Waited {
                    object: self.name.clone(),
                    condition: format!("{name} with {labels}"),
                    seconds: PATIENCE.as_secs(),
                    state: self.get("metrics").await.map_or_else(String::new, |(_, text)| text),
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The sum of a metric over all labels that contain `labels`.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let Some((true, text)) = self.get("metrics").await else {
            return 0.0;
        };
        text.lines()
            .filter(|line| line.starts_with(name) && line.contains(labels))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }
}

/// Applies the CRDs, the namespace and the RBAC that a user installs, once for a cluster.
pub async fn install(cluster: &'static Cluster) -> Result<(), Error> {
    static INSTALLED: AsyncMutex<Vec<PathBuf>> = AsyncMutex::const_new(Vec::new());
    let mut installed = INSTALLED.lock().await;
    if installed.iter().any(|dir| dir == cluster.dir()) {
        return Ok(());
    }
    let config = root().join("config");
    cluster.kubectl(&["create", "namespace", "throughline-system"]).await?;
    for part in ["crd", "rbac"] {
        let folder = config.join(part).display().to_string();
        cluster.kubectl(&["apply", "--server-side", "-k", &folder]).await?;
    }
    for kind in ["rollouttraces", "rolloutattempts"] {
        let crd = format!("crd/{kind}.throughline.dev");
        cluster.kubectl(&["wait", "--for=condition=Established", &crd, "--timeout=20s"]).await?;
    }
    installed.push(cluster.dir().to_owned());
    Ok(())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `throughline` as cargo built it beside this program, or as the environment names it.
fn binary() -> Result<PathBuf, Error> {
    if let Some(path) = std::env::var_os("THROUGHLINE_BINARY") {
        return Ok(path.into());
    }
    let here = std::env::current_exe().unwrap_or_default();
    let folder = here.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join("throughline");
    if path.exists() {
        return Ok(path);
    }
    Err(Error::Absent {
        program: path.display().to_string(),
        hint: "build it with `cargo build --bin throughline`",
    })
}
