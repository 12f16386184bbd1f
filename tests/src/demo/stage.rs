//! What the demo runs on: programs, cluster, Keptn, Throughline.

use std::path::PathBuf;

use super::error::Error;
use super::steps::Steps;
use crate::cluster::programs::{self, Program};
use crate::cluster::{Cluster, Namespace, Options, Process};
use crate::keptn::{self, Keptn};
use crate::operator::{self, Operator, Settings};

const NAMESPACE: &str = "shop";

/// Everything that has to run while somebody looks at it.
pub(crate) struct Stage {
    pub(crate) namespace: Namespace,
    _operator: Operator,
    _keptn: Process,
}

/// Builds what is missing and starts the cluster.
pub(crate) async fn cluster(steps: &Steps) -> Result<&'static Cluster, Error> {
    let missing = tokio::task::spawn_blocking(|| programs::missing(&Program::ALL)).await??;
    if missing.is_empty() {
        let step = steps.begin("programs", "");
        step.done("all of the test cluster's are there, built earlier");
    } else {
        built(steps, missing).await?;
    }
    let parts = "etcd, API server, controllers, scheduler, KWOK, Argo Rollouts, Jaeger";
    let step = steps.begin("cluster", "starting its programs");
    let start = || Cluster::start(Options::default());
    let cluster = tokio::task::spawn_blocking(start).await??;
    step.done(parts);
    // It ends with the process, not before: the operator borrows it for ever.
    Ok(Box::leak(Box::new(cluster)))
}

// Not a step: the build has a line of its own, which must not be written over.
async fn built(steps: &Steps, missing: Vec<Program>) -> Result<(), Error> {
    let names: Vec<_> = missing.iter().map(|program| program.name()).collect();
    let count = missing.len();
    let text = format!(
        "{count} of {} are built from source now. This is done once; from nothing it takes about \
         20 minutes, mostly for Kubernetes and Jaeger. To be built: {}",
        Program::ALL.len(),
        names.join(", "),
    );
    steps.note("programs", &text);
    tokio::task::spawn_blocking(move || programs::build(&missing)).await??;
    steps.begin("programs", "").done(&format!("{count} built and kept for the next time"));
    Ok(())
}

impl Stage {
    /// Starts Keptn and Throughline on the cluster, and makes the namespace of the shop.
    pub(crate) async fn set(cluster: &'static Cluster, steps: &Steps) -> Result<Self, Error> {
        let keptn = keptn(cluster, steps).await?;
        let step = steps.begin("throughline", "installing its CRD and RBAC");
        operator::install(cluster).await?;
        step.now("starting");
        let operator = Operator::start(cluster, "throughline", Settings::default()).await?;
        operator.ready().await?;
        step.done("all namespaces, as user throughline with the RBAC it ships with");
        let namespace = cluster.namespace_named(NAMESPACE).await?;
        Ok(Self { namespace, _operator: operator, _keptn: keptn })
    }
}

async fn keptn(cluster: &Cluster, steps: &Steps) -> Result<Process, Error> {
    let keptn = Keptn::from_env()?;
    let what = match &keptn {
        Keptn::StandIn { .. } => "a stand-in that makes the objects and spans that Keptn makes",
        Keptn::Real { .. } => "the real lifecycle-operator",
    };
    let step = steps.begin("keptn", &format!("starting {what}"));
    let process = keptn.start(cluster).await?;
    step.done(what);
    if !keptn.is_real() {
        let (binary, crds) = (keptn::BINARY, keptn::CRDS);
        let text = format!("(the real one is used if {binary} and {crds} are set)");
        steps.note("", &text);
    }
    Ok(process)
}

/// Puts the logs where they stay when the cluster ends. What still runs goes on writing there.
pub(crate) fn keep_logs(cluster: &Cluster) -> Result<PathBuf, Error> {
    let from = cluster.logs();
    let to = std::env::temp_dir().join(format!("throughline-demo-{}-logs", std::process::id()));
    match std::fs::rename(&from, &to) {
        Ok(()) => Ok(to),
        Err(source) => Err(Error::Logs { from, to, source }),
    }
}
