//! Takes our entries out of KeptnAppContexts.

use api::keptn::{KeptnAppContext, OURS};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, ResourceExt as _};

use super::{Progress, UninstallError};
use crate::FIELD_MANAGER;
use crate::cluster::{AskError, Cluster, place};
use crate::linker::ours::{Change, patch};

/// So often another writer may be faster.
const TRIES: u32 = 5;

fn kind() -> ApiResource {
    ApiResource::erase::<KeptnAppContext>(&())
}

/// Mends all of them, and says how many were changed.
pub(super) async fn mend(
    cluster: &Cluster,
    namespace: Option<&str>,
    progress: &mut Progress,
) -> Result<usize, UninstallError> {
    let mut changed = 0_usize;
    for context in marked(cluster, namespace).await? {
        let name = format!("KeptnAppContext {}/{}", namespace_of(&context), context.name_any());
        match of_one(cluster, context, progress.dry_run).await {
            Ok(Some(done)) => {
                changed = changed.saturating_add(1);
                progress.done(&name, &done)?;
            }
            Ok(None) => {}
            Err(why) => progress.left(&name, &why),
        }
    }
    Ok(changed)
}

/// How many are marked as having entries of ours.
pub(super) async fn are_marked(
    cluster: &Cluster,
    namespace: Option<&str>,
) -> Result<usize, UninstallError> {
    Ok(marked(cluster, namespace).await?.len())
}

async fn marked(
    cluster: &Cluster,
    namespace: Option<&str>,
) -> Result<Vec<DynamicObject>, UninstallError> {
    let mut all = match cluster.list_whole(&kind(), namespace).await {
        // Keptn is not installed, or no more: nothing of it holds anything of ours.
        Err(AskError::NotServed(_)) => Vec::new(),
        other => other?,
    };
    all.retain(|context| context.annotations().contains_key(OURS));
    Ok(all)
}

fn namespace_of(context: &DynamicObject) -> String {
    context.namespace().unwrap_or_default()
}

/// What was done; nothing if somebody else has done it. The error says why not.
async fn of_one(
    cluster: &Cluster,
    mut context: DynamicObject,
    dry_run: bool,
) -> Result<Option<String>, String> {
    let (namespace, name) = (namespace_of(&context), context.name_any());
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &namespace, &kind());
    for _ in 0..TRIES {
        let change = Change::of(&context);
        let words = match &change {
            Change::Keep => return Ok(None),
            Change::Unclear(why) => return Err((*why).to_owned()),
            Change::Delete => "deleted, we made it and nothing else is in it".to_owned(),
            Change::Mend { taken, left } => match left.len() {
                0 => format!("{} taken out", links(*taken)),
                kept => format!("{} taken out, {kept} of others left", links(*taken)),
            },
        };
        if dry_run {
            return Ok(Some(words));
        }
        let (verb, sent) = if let Change::Mend { left, .. } = &change {
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            let patch = Patch::Merge(patch(&context, left));
            let sent = cluster.noted("patch", "it", api.patch(&name, &params, &patch)).await;
            ("patch", sent.map(drop))
        } else {
            let params = DeleteParams::default().preconditions(Preconditions {
                resource_version: context.resource_version(),
                uid: context.uid(),
            });
            let sent = cluster.noted("delete", "it", api.delete(&name, &params)).await;
            ("delete", sent.map(drop))
        };
        match sent {
            Ok(()) => return Ok(Some(words)),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let again = cluster.noted("get", "it", api.get_opt(&name)).await;
                match again.map_err(|error| refused(cluster, &error, "get", &namespace))? {
                    Some(again) => context = again,
                    None => return Ok(None),
                }
            }
            Err(error) => return Err(refused(cluster, &error, verb, &namespace)),
        }
    }
    Err(format!("somebody else changed it {TRIES} times meanwhile: run it again"))
}

fn links(count: usize) -> String {
    if count == 1 { "1 span link".to_owned() } else { format!("{count} span links") }
}

fn refused(cluster: &Cluster, error: &kube::Error, verb: &'static str, namespace: &str) -> String {
    let place = place(Some(namespace));
    cluster.refused(error, verb, "keptnappcontexts.lifecycle.keptn.sh", &place).to_string()
}
