//! Manifests by server-side apply.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope};
use serde::Deserialize;

use super::Error;

/// Applies all documents of a manifest. Those that name no namespace go to the one given.
pub(super) async fn apply(client: &Client, namespace: &str, manifest: &str) -> Result<(), Error> {
    let refuse =
        |reason: String| Error::Manifest { reason, manifest: manifest.chars().take(400).collect() };
    let mut kinds = HashMap::new();
    for document in serde_norway::Deserializer::from_str(manifest) {
        let value = serde_json::Value::deserialize(document).map_err(|e| refuse(e.to_string()))?;
        if value.is_null() {
            continue;
        }
        let object: DynamicObject =
            serde_json::from_value(value).map_err(|error| refuse(error.to_string()))?;
        let types = object.types.as_ref().ok_or_else(|| refuse("it has no kind".into()))?;
        let gvk = GroupVersionKind::try_from(types).map_err(|error| refuse(error.to_string()))?;
        let name =
            object.metadata.name.as_deref().ok_or_else(|| refuse("it has no name".into()))?;
        let (resource, capabilities) = match kinds.get(&gvk) {
            Some(known) => known,
            None => kinds.entry(gvk.clone()).or_insert(discover(client, &gvk).await?),
        };
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(client.clone(), resource),
            Scope::Namespaced => {
                let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
                Api::namespaced_with(client.clone(), namespace, resource)
            }
        };
        let params = PatchParams::apply("throughline-tests").force();
        let applied = api.patch(name, &params, &Patch::Apply(&object)).await;
        applied.map_err(Error::api(format!("apply {} {name}", gvk.kind)))?;
    }
    Ok(())
}

// A kind whose CRD was applied a moment ago is served a moment later.
async fn discover(
    client: &Client,
    gvk: &GroupVersionKind,
) -> Result<(ApiResource, ApiCapabilities), Error> {
    let since = Instant::now();
    loop {
        match discovery::pinned_kind(client, gvk).await {
            Ok(found) => return Ok(found),
            Err(source) if since.elapsed() > Duration::from_secs(10) => {
                return Err(Error::api(format!("find kind {}", gvk.kind))(source));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
