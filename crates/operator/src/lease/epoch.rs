//! The highest epoch that is stored: where a Lease was deleted, its number of terms is lost.

use api::{RolloutAttempt, RolloutTrace};
use kube::api::ListParams;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::rejection::Rejection;

/// Objects of one request.
const PAGE: u32 = 200;

/// A kind whose objects carry the epoch of who wrote them last.
trait Written {
    fn epoch(&self) -> Option<i64>;
}

impl Written for RolloutTrace {
    fn epoch(&self) -> Option<i64> {
        self.status.as_ref()?.writer_epoch
    }
}

impl Written for RolloutAttempt {
    fn epoch(&self) -> Option<i64> {
        self.status.as_ref()?.writer_epoch
    }
}

/// The highest one of all objects of ours, 0 if none has any.
pub(super) async fn highest(client: &Client, namespace: Option<&str>) -> Result<i64, kube::Error> {
    let traces = highest_of::<RolloutTrace>(client, namespace).await?;
    Ok(traces.max(highest_of::<RolloutAttempt>(client, namespace).await?))
}

async fn highest_of<K>(client: &Client, namespace: Option<&str>) -> Result<i64, kube::Error>
where
    K: Written
        + Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let client = client.clone();
    let api: Api<DeserializeGuard<K>> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut params = ListParams::default().limit(PAGE);
    let mut highest = 0;
    loop {
        let page = match api.list(&params).await {
            Ok(page) => page,
            // Without the kind there are no objects.
            Err(error) if Rejection::of(&error) == Rejection::NotFound => return Ok(highest),
            Err(error) => return Err(error),
        };
        let epochs = page.items.iter().filter_map(|it| it.0.as_ref().ok()?.epoch());
        highest = epochs.fold(highest, i64::max);
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            return Ok(highest);
        }
    }
}
