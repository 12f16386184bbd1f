//! Measurements of the operator: `make bench`.
//!
//! ```text
//!  no cluster: recorded shapes ──> the pure core, with an API server and a collector played
//!     core: events, spans, memory of what rests, writes
//!
//!  first cluster, no controllers            second cluster, Argo's controller and Keptn
//!  stage ──plays Argo and Keptn──> API      shop ──> API <── Argo, Keptn
//!     scale: memory, cold start              revisions: writes, conflicts, idle requests
//!     links: latency <── observer
//!     replicas: hand-over, admission
//! ```

mod audit;
mod core;
mod distribution;
mod error;
mod links;
mod load;
mod machine;
mod objects;
mod observer;
mod process;
mod replicas;
mod report;
mod revisions;
mod scale;
mod stage;
mod table;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use core::memory::{Shape, weigh};
pub use error::Error;
pub use report::Report;

use crate::cluster::programs::Program;
use crate::cluster::{self, Cluster};
use crate::keptn::{self, Keptn};
use crate::operator::{self, Operator, Settings};
use core::Core;
use links::Links;
use replicas::Replicas;
use revisions::Revisions;
use scale::Scale;
use stage::{Clock, Stage};

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// Rollouts that are rolled out at a time in the core alone.
    in_flight: usize,
    /// Rollouts at rest beside which an event is timed in the core alone.
    many: usize,
    /// KeptnAppVersions in an app that has many.
    versions_of_app: usize,
    /// Rollouts at rest whose memory is measured in the core alone.
    idle: usize,
    /// Apps whose links are timed, twice each.
    links: usize,
    /// Apps before them that do not count.
    warm_up: usize,
    /// Revisions a second while links are timed.
    per_second: u32,
    /// Rollouts beside which memory and cold start are measured.
    rollouts: usize,
    /// Revisions of each of those.
    revisions: u32,
    /// Restarts.
    restarts: usize,
    /// Rollouts that Argo rolls out while writes are counted.
    real: usize,
    /// Versions of each of those.
    versions: usize,
    /// Rollouts more while the operator rests.
    resting: usize,
    /// How long it rests.
    rest: Duration,
    /// KeptnAppVersions that are created with admission, and as many without.
    admitted: usize,
    /// Leaders that end by SIGTERM.
    terminations: usize,
    /// Leaders that end by SIGKILL.
    kills: usize,
}

impl Sizes {
    /// What the goals are about.
    pub const fn full() -> Self {
        Self {
            in_flight: 500,
            many: 30_000,
            versions_of_app: 1000,
            idle: 10_000,
            links: 300,
            warm_up: 30,
            per_second: 10,
            rollouts: 1000,
            revisions: 3,
            restarts: 5,
            real: 10,
            versions: 3,
            resting: 40,
            rest: Duration::from_mins(1),
            admitted: 100,
            terminations: 6,
            kills: 2,
        }
    }

    /// Enough to see that everything works.
    pub const fn quick() -> Self {
        Self {
            in_flight: 100,
            many: 3000,
            versions_of_app: 200,
            idle: 1000,
            links: 50,
            warm_up: 10,
            per_second: 10,
            rollouts: 100,
            revisions: 3,
            restarts: 2,
            real: 3,
            versions: 2,
            resting: 5,
            rest: Duration::from_secs(10),
            admitted: 10,
            terminations: 2,
            kills: 1,
        }
    }
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Events, spans, memory and writes of the core alone, without a cluster.
    Core,
    /// Memory and cold start beside many Rollouts.
    Scale,
    /// Link latency; beside those Rollouts if they are measured too.
    Links,
    /// Hand-over between two replicas, and what admission costs Keptn.
    Replicas,
    /// Writes per revision and requests while idle, with Argo's controller and Keptn.
    Revisions,
}

/// What was measured.
#[derive(Debug)]
struct Results {
    began: Timestamp,
    took: Duration,
    load: String,
    program: PathBuf,
    core: Option<Core>,
    scale: Option<Scale>,
    links: Option<Links>,
    replicas: Option<Replicas>,
    revisions: Option<Revisions>,
}

/// Measures the parts, in about six minutes if they are all.
pub async fn run(parts: &[Part], sizes: &Sizes, now: Timestamp) -> Result<Report, Error> {
    let since = Instant::now();
    let mut results = Results {
        began: now,
        took: Duration::ZERO,
        load: machine::load(),
        program: PathBuf::new(),
        core: None,
        scale: None,
        links: None,
        replicas: None,
        revisions: None,
    };
    let clock = Clock::new(now);
    if parts.contains(&Part::Core) {
        let sizes = sizes.clone();
        results.core = Some(tokio::task::spawn_blocking(move || core::measure(&sizes)).await??);
    }
    if parts.iter().any(|part| matches!(part, Part::Scale | Part::Links | Part::Replicas)) {
        staged(parts, sizes, clock, &mut results).await?;
    }
    if parts.contains(&Part::Revisions) {
        real(sizes, &mut results).await?;
    }
    results.took = since.elapsed();
    Ok(table::of(&results, sizes))
}

async fn staged(
    parts: &[Part],
    sizes: &Sizes,
    clock: Clock,
    results: &mut Results,
) -> Result<(), Error> {
    let cluster = start(cluster::Options {
        argo: false,
        jaeger: false,
        audit: true,
        ..cluster::Options::default()
    })?;
    cluster.install_argo_crds().await?;
    let client = cluster.client().await?;
    keptn::install(&client, &keptn::crds()?).await?;
    operator::install(cluster).await?;
    // Nobody but the stage and the operator shall write.
    for program in [Program::KubeControllerManager, Program::KubeScheduler, Program::Kwok] {
        cluster.stop(program)?;
    }
    let stage = Stage::new(client, clock);
    let operator = Operator::start(cluster, "throughline", Settings::default()).await?;
    operator.ready().await?;
    results.program = process::program(process::running(&operator)?)?;
    if parts.contains(&Part::Scale) {
        results.scale = Some(scale::measure(&operator, &stage, sizes).await?);
    }
    if parts.contains(&Part::Links) {
        results.links = Some(links::measure(cluster, &operator, &stage, sizes).await?);
    }
    operator.kill();
    if parts.contains(&Part::Replicas) {
        results.replicas = Some(replicas::measure(cluster, &stage, sizes).await?);
    }
    for program in [Program::KubeApiserver, Program::Etcd] {
        cluster.stop(program)?;
    }
    Ok(())
}

async fn real(sizes: &Sizes, results: &mut Results) -> Result<(), Error> {
    let cluster = start(cluster::Options { audit: true, ..cluster::Options::default() })?;
    let _keptn = Keptn::from_env()?.start(cluster).await?;
    operator::install(cluster).await?;
    let operator = Operator::start(cluster, "throughline", Settings::default()).await?;
    operator.ready().await?;
    results.program = process::program(process::running(&operator)?)?;
    results.revisions = Some(revisions::measure(cluster, &operator, sizes).await?);
    Ok(())
}

/// A cluster that ends with this process.
fn start(options: cluster::Options) -> Result<&'static Cluster, Error> {
    let with = if options.argo { "with Argo" } else { "without controllers" };
    say(&format!("starting a cluster {with}"));
    Ok(Box::leak(Box::new(Cluster::start(options)?)))
}

/// What goes on, for whoever waits.
fn say(what: &str) {
    // That stderr is closed cannot be shown on it.
    let _ = writeln!(std::io::stderr(), "bench: {what}");
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes / (1 << 20) * 10 + bytes % (1 << 20) * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn megabytes_have_one_place() {
        assert_eq!(super::megabytes((3 << 20) / 2), "1.5 MiB");
        assert_eq!(super::megabytes(0), "0.0 MiB");
    }
}
