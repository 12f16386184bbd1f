//! `throughline explain`: the story of an attempt, from what the cluster stores of it.

mod choose;
mod render;
mod tree;

use std::io::Write as _;

use api::{RolloutAttempt, RolloutTrace};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};
use timeline::Key;

pub use choose::{NotThere, Wanted, choose};
pub use render::{WIDTH, render};

use crate::journal::{self, ReadError};
use crate::words;

/// Why nothing can be told; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The CRDs are not there.
    #[error(
        "this cluster serves no {0}.throughline.dev: install Throughline, or at least its CRDs: \
         kubectl apply --server-side -k config/crd"
    )]
    NotInstalled(&'static str),
    /// A permission is missing.
    #[error("no permission to read {resource} in {namespace}: the role `view` has it there")]
    Forbidden {
        /// Of what.
        resource: &'static str,
        /// Where.
        namespace: String,
    },
    /// The API server says something else.
    #[error("cannot read {resource}: {reason}")]
    Api {
        /// Which.
        resource: &'static str,
        /// Its words.
        reason: String,
    },
    /// Nobody follows such a Rollout.
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
    /// The story cannot be printed.
    #[error("cannot print: {0}")]
    Print(std::io::Error),
}

/// Reads what is stored and prints it.
pub(crate) async fn explain(
    client: Client,
    rollout: &Key,
    wanted: Wanted,
    now: Timestamp,
) -> Result<(), ExplainError> {
    let namespace = &rollout.namespace;
    let attempts: Api<RolloutAttempt> = Api::namespaced(client.clone(), namespace);
    let listed = attempts.list(&ListParams::default()).await;
    let listed = listed.map_err(|error| failed("rolloutattempts", namespace, &error))?;
    let of_rollout = listed.items.into_iter().filter(|object| object.spec.rollout == rollout.name);
    let stored: Vec<RolloutAttempt> = of_rollout.collect();
    let traces: Api<RolloutTrace> = Api::namespaced(client, namespace);
    let trace = traces.get_opt(&rollout.name).await;
    let trace = trace.map_err(|error| failed("rollouttraces", namespace, &error))?;
    if stored.is_empty() && trace.is_none() {
        return Err(ExplainError::NotFollowed(rollout.clone()));
    }
    let chosen = choose(rollout, &stored, wanted)?;
    let story = render(&journal::read(chosen)?, trace.as_ref(), now);
    std::io::stdout().write_all(story.as_bytes()).map_err(ExplainError::Print)
}

fn failed(resource: &'static str, namespace: &str, error: &kube::Error) -> ExplainError {
    match error {
        kube::Error::Api(status) if status.code == 404 => ExplainError::NotInstalled(resource),
        kube::Error::Api(status) if status.is_forbidden() => {
            ExplainError::Forbidden { resource, namespace: namespace.to_owned() }
        }
        other => ExplainError::Api { resource, reason: words(other) },
    }
}
