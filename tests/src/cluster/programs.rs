//! The programs of the cluster, built from Go modules that are pinned under `tests/cluster`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Error;
use super::process::{run, tail};
use super::progress::Progress;

/// A program of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The store of the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// Garbage collection, `ReplicaSets`, Jobs, namespaces.
    KubeControllerManager,
    /// Pods to nodes.
    KubeScheduler,
    /// The command line.
    Kubectl,
    /// The controller of Argo Rollouts.
    RolloutsController,
    /// Its kubectl plugin.
    KubectlArgoRollouts,
    /// What stands in for the kubelet.
    Kwok,
    /// The trace backend.
    Jaeger,
    /// The metrics backend.
    Prometheus,
    /// What checks and tests its rules.
    Promtool,
}

/// A folder with a go.mod that pins programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// etcd, Kubernetes and Argo Rollouts.
    Kubernetes,
    /// KWOK.
    Kwok,
    /// Jaeger 2.
    Jaeger,
    /// Prometheus.
    Prometheus,
}

impl Program {
    /// All of a cluster, what everything waits for first. Prometheus and promtool are no part of
    /// it: who needs them builds them then.
    pub const ALL: [Self; 9] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubectl,
        Self::RolloutsController,
        Self::KubectlArgoRollouts,
        Self::Kwok,
        Self::Jaeger,
    ];

    /// The file name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::RolloutsController => "rollouts-controller",
            Self::KubectlArgoRollouts => "kubectl-argo-rollouts",
            Self::Kwok => "kwok",
            Self::Jaeger => "jaeger",
            Self::Prometheus => "prometheus",
            Self::Promtool => "promtool",
        }
    }

    /// The module that pins it.
    pub const fn module(self) -> Module {
        match self {
            Self::Kwok => Module::Kwok,
            Self::Jaeger => Module::Jaeger,
            Self::Prometheus | Self::Promtool => Module::Prometheus,
            _ => Module::Kubernetes,
        }
    }

    /// The Go package it is built from.
    pub const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::KubeScheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::RolloutsController => "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
            Self::KubectlArgoRollouts => {
                "github.com/argoproj/argo-rollouts/cmd/kubectl-argo-rollouts"
            }
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Self::Jaeger => "github.com/jaegertracing/jaeger/cmd/jaeger",
            Self::Prometheus => "github.com/prometheus/prometheus/cmd/prometheus",
            Self::Promtool => "github.com/prometheus/prometheus/cmd/promtool",
        }
    }

    /// Where it is, built if it is not there yet. Building all from nothing takes 20 minutes,
    /// and is said on stderr.
    pub fn path(self) -> Result<PathBuf, Error> {
        let cache = Cache::of(self.module())?;
        cache.build(self, 1, 1)?;
        Ok(cache.folder.join(self.name()))
    }
}

/// Which of them are not in the cache yet.
pub fn missing(programs: &[Program]) -> Result<Vec<Program>, Error> {
    let mut missing = Vec::new();
    for program in programs {
        let folder = Cache::of(program.module())?.folder;
        if !folder.join(program.name()).exists() {
            missing.push(*program);
        }
    }
    Ok(missing)
}

/// Builds what is not in the cache yet.
pub fn build(programs: &[Program]) -> Result<(), Error> {
    for (index, program) in programs.iter().enumerate() {
        Cache::of(program.module())?.build(*program, index + 1, programs.len())?;
    }
    Ok(())
}

/// Of the threads of a process one waits for another process, and says so.
static ONE: Mutex<()> = Mutex::new(());

impl Module {
    /// The folder of its go.mod.
    pub fn folder(self) -> PathBuf {
        let name = match self {
            Self::Kubernetes => "kubernetes",
            Self::Kwok => "kwok",
            Self::Jaeger => "jaeger",
            Self::Prometheus => "prometheus",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster").join(name)
    }

    /// Build tags, separated by commas.
    const fn tags(self) -> &'static str {
        match self {
            // Service discoveries of three dozen clouds are a third of it, and are not needed.
            Self::Prometheus => "remove_all_sd",
            _ => "",
        }
    }

    /// The folder with the files of a module that this one requires, its CRDs for example.
    pub fn files_of(self, required: &str) -> Result<PathBuf, Error> {
        let cache = Cache::of(self)?;
        let note = cache.folder.join(format!("{}.dir", required.replace('/', "-")));
        if let Ok(folder) = fs::read_to_string(&note)
            && Path::new(&folder).is_dir()
        {
            return Ok(folder.into());
        }
        let go = |args: &[&str]| {
            run(Command::new("go").args(args).arg(required).current_dir(self.folder()))
        };
        go(&["mod", "download"])?;
        let folder = go(&["list", "-m", "-f", "{{.Dir}}"])?.trim().to_owned();
        let written = fs::create_dir_all(&cache.folder).and_then(|()| fs::write(&note, &folder));
        written.map_err(Error::file("write", &note))?;
        Ok(folder.into())
    }
}

#[derive(Debug)]
struct Cache {
    module: Module,
    folder: PathBuf,
}

impl Cache {
    fn of(module: Module) -> Result<Self, Error> {
        let source = module.folder();
        let read = |name: &str| {
            let path = source.join(name);
            fs::read(&path).map_err(Error::file("read", path))
        };
        let (go_mod, go_sum) = (read("go.mod")?, read("go.sum")?);
        let version = Command::new("go").arg("version").current_dir(&source).output();
        let version = version.map_err(|source| Error::GoMissing {
            version: String::from_utf8_lossy(&go_mod)
                .lines()
                .find_map(|line| line.strip_prefix("go ").map(str::to_owned))
                .unwrap_or_default(),
            source,
        })?;
        let mut hash = Sha256::new();
        for part in [&go_mod, &go_sum, &version.stdout] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(module.tags());
        let hash = hash.finalize();
        let first = hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let hex = format!("{first:016x}");
        Ok(Self { module, folder: root().join("throughline/programs").join(hex) })
    }

    fn build(&self, program: Program, number: usize, of: usize) -> Result<(), Error> {
        let target = self.folder.join(program.name());
        if target.exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(Error::file("create", &self.folder))?;
        let what = format!("{} ({number} of {of})", program.name());
        // Held to the end, as is the lock below.
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        if target.exists() {
            return Ok(());
        }
        let _lock = self.lock(&what)?;
        if target.exists() {
            return Ok(());
        }
        let unfinished = self.folder.join(format!(".{}", program.name()));
        let log = self.folder.join(format!("{}.build.log", program.name()));
        let written = File::create(&log).map_err(Error::file("create", &log))?;
        let mut progress = Progress::new(format!("building {what}"));
        // Scenarios may run by now: it takes what they leave of the cores.
        let mut compiler = Command::new("nice")
            .args(["-n", if self.module == Module::Prometheus { "19" } else { "0" }, "go"])
            .args(["build", "-trimpath", "-ldflags=-s -w", "-tags", self.module.tags(), "-o"])
            .arg(&unfinished)
            .arg(program.package())
            .env("CGO_ENABLED", "0")
            .current_dir(self.module.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(written)
            .spawn()
            .map_err(|source| Error::Start { program: "go".into(), source })?;
        let status = loop {
            let ended = compiler.try_wait();
            if let Some(status) =
                ended.map_err(|source| Error::Start { program: "go".into(), source })?
            {
                break status;
            }
            progress.show();
            std::thread::sleep(Duration::from_millis(100));
        };
        progress.end();
        if !status.success() {
            return Err(Error::Build {
                program: program.name().into(),
                package: program.package().into(),
                folder: self.module.folder(),
                tail: tail(&log, 20),
            });
        }
        fs::rename(&unfinished, &target).map_err(Error::file("write", &target))
    }

    fn lock(&self, what: &str) -> Result<File, Error> {
        let path = self.folder.join(".lock");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(Error::file("create", &path))?;
        let mut progress = Progress::new(format!("waiting for another process to build {what}"));
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => progress.show(),
                Err(TryLockError::Error(source)) => {
                    return Err(Error::File { action: "lock", path, source });
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        progress.end();
        Ok(file)
    }
}

fn root() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("THROUGHLINE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME"))
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
}
