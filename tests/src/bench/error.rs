use std::path::PathBuf;

use crate::{cluster, keptn};

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster, or something on it.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// What plays Keptn.
    #[error(transparent)]
    Keptn(#[from] keptn::Error),
    /// What the kernel shows of the operator.
    #[error("cannot read {path} ({reason}): the operator may have ended, see its log", path = path.display())]
    Process {
        /// The file.
        path: PathBuf,
        /// What the system said, or what is missing in it.
        reason: String,
    },
    /// The operator went on writing.
    #[error("the operator does not come to rest within {seconds} s: look for a loop in its log")]
    Restless {
        /// How long was waited.
        seconds: u64,
    },
    /// A leader has ended, and nobody came after it.
    #[error("no replica leads after {seconds} s: look for the lease in their logs")]
    NoLeader {
        /// How long was waited.
        seconds: u64,
    },
    /// The bench's own watch ended.
    #[error("the watch of {resource} ended ({reason}): what was measured is incomplete, run again")]
    Blind {
        /// The resource.
        resource: &'static str,
        /// Why.
        reason: String,
    },
    /// Objects that were to be made are not as they should be.
    #[error(
        "only {found} of {wanted} apps have links: the objects of the bench are not as Keptn's"
    )]
    Unlinked {
        /// How many have.
        found: usize,
        /// How many should.
        wanted: usize,
    },
    /// What the kernel shows of time on a core.
    #[error("cannot read CPU time from {path}: the kernel needs CONFIG_SCHED_INFO")]
    NoCpuTime {
        /// The file.
        path: &'static str,
    },
    /// The bench's own objects are not as the operator reads them.
    #[error(
        "the {kind} of the bench are not as the operator reads them: adapt bench/core/story.rs"
    )]
    Sample {
        /// The resource.
        kind: &'static str,
    },
    /// Rollouts at rest are to be weighed, and they are not at rest.
    #[error("Rollouts that nothing happened to were written about: {writes}")]
    NotIdle {
        /// What was written.
        writes: String,
    },
    /// The process that weighs did not.
    #[error("the process that weighs idle Rollouts ended without a number: {reason}")]
    Weighing {
        /// What it said.
        reason: String,
    },
    /// A task of the bench ended badly.
    #[error("a task of the bench ended badly: {0}")]
    Task(#[from] tokio::task::JoinError),
}
