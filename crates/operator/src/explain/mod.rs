//! `throughline explain`: the story of an attempt, from what the cluster stores of it.

mod choose;
mod data;
mod render;
mod tree;

use api::{RolloutAttempt, RolloutTrace};
use clap::ValueEnum;
use jiff::Timestamp;
use timeline::Key;

pub use choose::{NotThere, Wanted, choose};
pub use data::data;
pub use render::{WIDTH, render};

use crate::cluster::{AskError, Cluster};
use crate::journal::{self, ReadError};
use crate::render::{Format, document};
use crate::terminal;

/// How a story is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A tree, for a person.
    #[default]
    Text,
    /// Everything, for a program.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Why nothing can be explained; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The cluster does not say.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The namespace is given twice, and not the same.
    #[error(
        "{rollout} is in another namespace than --namespace {namespace}: leave one of them out"
    )]
    TwoNamespaces {
        /// As it was given.
        rollout: Key,
        /// The other one.
        namespace: String,
    },
    /// No such Rollout is followed.
    #[error(
        "no Rollout {0} is followed: kubectl get rtr --all-namespaces lists those that are; if it \
         was made just now, see whether the operator runs"
    )]
    NotFollowed(Key),
    /// It is followed, but the attempt is not there.
    #[error(transparent)]
    NotThere(#[from] NotThere),
    /// What is stored cannot be read.
    #[error(transparent)]
    Broken(#[from] ReadError),
    /// The story cannot be written.
    #[error("cannot print: {0}")]
    Write(std::io::Error),
}

/// Reads what is stored and prints it.
pub(crate) async fn explain(
    cluster: &Cluster,
    rollout: &Key,
    wanted: Wanted,
    output: Output,
    now: Timestamp,
) -> Result<(), ExplainError> {
    let namespace = &rollout.namespace;
    let mut stored: Vec<RolloutAttempt> = Vec::new();
    let of_rollout = |object: RolloutAttempt| {
        if object.spec.rollout == rollout.name {
            stored.push(object);
        }
    };
    cluster.list(Some(namespace), of_rollout).await?;
    let trace: Option<RolloutTrace> = cluster.get(namespace, &rollout.name).await?;
    if stored.is_empty() && trace.is_none() {
        return Err(ExplainError::NotFollowed(rollout.clone()));
    }
    let chosen = choose(rollout, &stored, wanted)?;
    let (journal, trace) = (journal::read(chosen)?, trace.as_ref());
    let story = match output {
        Output::Text => Ok(render(&journal, trace, now)),
        Output::Json => document(&data(&journal, trace), Format::Json),
        Output::Yaml => document(&data(&journal, trace), Format::Yaml),
    };
    story.and_then(|story| terminal::print(&story)).map_err(ExplainError::Write)
}
