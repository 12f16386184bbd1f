//! Which Rollouts have labels. Those of a RolloutTrace say nothing: nobody sets any.

use std::collections::BTreeSet;

use api::argo::Rollout;
use kube::api::ListParams;
use kube::{Api, Client};
use timeline::Key;

use super::{DoraError, PAGE};
use crate::observe::key;
use crate::words;

/// The Rollouts that a label selector selects; only their metadata is read.
pub(super) async fn labelled(
    client: Client,
    namespace: Option<&str>,
    selector: &str,
    place: &str,
) -> Result<BTreeSet<Key>, DoraError> {
    let rollouts: Api<Rollout> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut params = ListParams::default().limit(PAGE).labels(selector);
    let mut keys = BTreeSet::new();
    loop {
        let found = rollouts.list_metadata(&params).await;
        let found = found.map_err(|error| failed(&error, selector, place))?;
        keys.extend(found.items.iter().map(|rollout| key(&rollout.metadata)));
        params.continue_token = found.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            return Ok(keys);
        }
    }
}

fn failed(error: &kube::Error, selector: &str, place: &str) -> DoraError {
    match error {
        kube::Error::Api(status) if status.code == 404 => DoraError::NoArgo,
        kube::Error::Api(status) if status.is_forbidden() => {
            DoraError::RolloutsForbidden(place.to_owned())
        }
        kube::Error::Api(status) if status.code == 400 => {
            DoraError::Selector { selector: selector.to_owned(), reason: status.message.clone() }
        }
        other => DoraError::Api { resource: "rollouts", reason: words(other) },
    }
}
