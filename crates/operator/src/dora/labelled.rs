//! Which Rollouts have labels. Those of a RolloutTrace say nothing: nobody sets any.

use std::collections::BTreeSet;

use api::argo::Rollout;
use kube::Api;
use kube::api::ListParams;
use timeline::Key;

use super::{DoraError, PAGE};
use crate::cluster::{Cluster, place};
use crate::observe::key;

/// The Rollouts that a label selector selects; only their metadata is read.
pub(super) async fn labelled(
    cluster: &Cluster,
    namespace: Option<&str>,
    selector: &str,
) -> Result<BTreeSet<Key>, DoraError> {
    let rollouts: Api<Rollout> = match namespace {
        Some(namespace) => Api::namespaced(cluster.client.clone(), namespace),
        None => Api::all(cluster.client.clone()),
    };
    let mut params = ListParams::default().limit(PAGE).labels(selector);
    let mut keys = BTreeSet::new();
    loop {
        let found = cluster.noted("list", "rollouts", rollouts.list_metadata(&params)).await;
        let found = found.map_err(|error| failed(cluster, &error, selector, namespace))?;
        keys.extend(found.items.iter().map(|rollout| key(&rollout.metadata)));
        params.continue_token = found.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            return Ok(keys);
        }
    }
}

fn failed(
    cluster: &Cluster,
    error: &kube::Error,
    selector: &str,
    namespace: Option<&str>,
) -> DoraError {
    match error {
        kube::Error::Api(status) if status.code == 404 => DoraError::NoArgo,
        kube::Error::Api(status) if status.code == 403 => {
            DoraError::RolloutsForbidden(place(namespace))
        }
        kube::Error::Api(status) if status.code == 400 => {
            DoraError::Selector { selector: selector.to_owned(), reason: status.message.clone() }
        }
        other => cluster.refused(other, "list", "rollouts.argoproj.io", &place(namespace)).into(),
    }
}
