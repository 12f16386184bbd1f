//! RolloutTraces and RolloutAttempts that no Rollout owns: what was kept of those that are gone.

use api::{RolloutAttempt, RolloutTrace};
use kube::api::{DeleteParams, DynamicObject, Preconditions};
use kube::core::ApiResource;
use kube::{Api, ResourceExt as _};

use super::{Progress, UninstallError};
use crate::cluster::{AskError, Cluster, place};
use crate::terminal;

/// Deletes them if that is wanted, and else says how many there are.
pub(super) async fn delete(
    cluster: &Cluster,
    namespace: Option<&str>,
    wanted: bool,
    progress: &mut Progress,
) -> Result<(), UninstallError> {
    for kind in [ApiResource::erase::<RolloutAttempt>(&()), ApiResource::erase::<RolloutTrace>(&())]
    {
        let mut all = match cluster.list_whole(&kind, namespace).await {
            Err(AskError::NotServed(_)) => Vec::new(),
            other => other?,
        };
        all.retain(|object| object.owner_references().is_empty());
        if wanted {
            for object in all {
                of_one(cluster, &kind, &object, progress).await?;
            }
        } else if !all.is_empty() {
            terminal::note(&format!(
                "{} {}s that no Rollout owns are kept: --history deletes them",
                all.len(),
                kind.kind
            ));
        }
    }
    Ok(())
}

async fn of_one(
    cluster: &Cluster,
    kind: &ApiResource,
    object: &DynamicObject,
    progress: &mut Progress,
) -> Result<(), UninstallError> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let title = format!("{} {namespace}/{name}", kind.kind);
    if progress.dry_run {
        return progress.done(&title, "deleted");
    }
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &namespace, kind);
    let params = DeleteParams::default()
        .preconditions(Preconditions { resource_version: None, uid: object.uid() });
    match cluster.noted("delete", &title, api.delete(&name, &params)).await {
        Ok(_) => progress.done(&title, "deleted"),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => {
            let resource = format!("{}.{}", kind.plural, kind.group);
            let why = cluster.refused(&error, "delete", &resource, &place(Some(&namespace)));
            progress.left(&title, &why.to_string());
            Ok(())
        }
    }
}
