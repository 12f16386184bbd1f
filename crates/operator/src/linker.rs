//! Carries out a write to a KeptnAppContext.
//!
//! `spec.spanLinks` is an atomic list for server-side apply: an apply by force would drop what a
//! person put there. So the whole list is patched at the resourceVersion that it was read at, and
//! the annotation that marks our entries goes along in the same write.
//!
//! One that we made, and that would hold nothing any more, is deleted: what else is in an object only
//! its `managedFields` say, which no watch keeps, so that this is decided here.

pub(crate) mod ours;

use api::keptn::{KeptnAppContext, KeptnAppContextSpec, OURS};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use timeline::Key;
use timeline::keptn::app_context::{ContextWrite, ContextWritten, WriteProblem};
use timeline::keptn::links::SpanLinks;

use self::ours::Change;
use crate::observe::app_context;
use crate::rejection::Rejection;
use crate::{FIELD_MANAGER, words};

/// Writes, and says what is there now.
pub(crate) async fn write(client: Client, app: &Key, write: ContextWrite) -> ContextWritten {
    if let ContextWrite::Patch { resource_version, links } = &write
        && links.all.is_empty()
        && let Some(written) = remove(client.clone(), app, resource_version).await
    {
        return written;
    }
    let contexts: Api<KeptnAppContext> = Api::namespaced(client, &app.namespace);
    let (verb, written) = match write {
        ContextWrite::Create(links) => {
            let params =
                PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
            ("create", contexts.create(&params, &created(&app.name, links)).await)
        }
        ContextWrite::Patch { resource_version, links } => {
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
            let patch = patch(&resource_version, &links);
            ("patch", contexts.patch(&app.name, &params, &Patch::Merge(patch)).await)
        }
    };
    match written {
        Ok(context) => read(&context, ContextWritten::Stored),
        Err(error) => match Rejection::of(&error) {
            Rejection::Conflict => match contexts.get_opt(&app.name).await {
                Ok(Some(context)) => read(&context, |seen| ContextWritten::Conflict(Some(seen))),
                Ok(None) => ContextWritten::Conflict(None),
                Err(error) => failed("get", &error),
            },
            Rejection::NotFound if verb == "patch" => ContextWritten::Conflict(None),
            _ => failed(verb, &error),
        },
    }
}

/// Deletes it, if we made it and it holds nothing but our links, as it was read. None if it is to be
/// patched instead: somebody uses it, or the role has no `delete`.
async fn remove(client: Client, app: &Key, resource_version: &str) -> Option<ContextWritten> {
    let kind = ApiResource::erase::<KeptnAppContext>(&());
    let contexts: Api<DynamicObject> = Api::namespaced_with(client, &app.namespace, &kind);
    let Some(context) = contexts.get_opt(&app.name).await.ok()? else {
        return Some(ContextWritten::Conflict(None));
    };
    let is_known = context.metadata.resource_version.as_deref() == Some(resource_version);
    if !is_known || Change::of(&context) != Change::Delete {
        return None;
    }
    let params = DeleteParams::default().preconditions(Preconditions {
        resource_version: context.resource_version(),
        uid: context.uid(),
    });
    match contexts.delete(&app.name, &params).await {
        Ok(_) => Some(ContextWritten::Removed),
        Err(error) if Rejection::of(&error) == Rejection::NotFound => {
            Some(ContextWritten::Conflict(None))
        }
        Err(_) => None,
    }
}

fn read(
    context: &KeptnAppContext,
    done: impl FnOnce(timeline::seen::AppContextSeen) -> ContextWritten,
) -> ContextWritten {
    match app_context(context) {
        Some(seen) => done(seen),
        None => {
            ContextWritten::Failed(WriteProblem::Failed("its answer cannot be read".to_owned()))
        }
    }
}

fn failed(verb: &'static str, error: &kube::Error) -> ContextWritten {
    ContextWritten::Failed(match Rejection::of(error) {
        Rejection::NamespaceGone => WriteProblem::NamespaceGone,
        Rejection::Forbidden => WriteProblem::Forbidden(verb),
        _ => WriteProblem::Failed(words(error)),
    })
}

fn created(app: &str, links: SpanLinks) -> KeptnAppContext {
    let mut context = KeptnAppContext::default();
    context.metadata.name = Some(app.to_owned());
    context.metadata.annotations = Some([(OURS.to_owned(), marked(&links.ours))].into());
    context.spec = Some(KeptnAppContextSpec { span_links: Some(links.all) });
    context
}

fn patch(resource_version: &str, links: &SpanLinks) -> serde_json::Value {
    let ours = (!links.ours.is_empty()).then(|| marked(&links.ours));
    json!({
        "metadata": {
            "resourceVersion": resource_version,
            "annotations": { OURS: ours },
        },
        "spec": { "spanLinks": links.all },
    })
}

fn marked(ours: &[String]) -> String {
    serde_json::Value::from(ours).to_string()
}

#[cfg(test)]
mod tests;
