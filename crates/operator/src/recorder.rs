//! Stores a RolloutTrace.

use api::{RolloutTrace, RolloutTraceSpec, RolloutTraceStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use timeline::Key;
use timeline::engine::{ReportWrite, ReportWritten};

use crate::rejection::{Rejection, not_stored};
use crate::report::status;
use crate::{FIELD_MANAGER, words};

/// Why a RolloutTrace was not stored.
#[derive(Debug, thiserror::Error)]
#[error("RolloutTrace {key}: cannot {step}: {}", words(.source))]
pub(crate) struct RecordError {
    key: Key,
    step: &'static str,
    source: kube::Error,
    /// The epoch of a later leader, which stands there.
    stored_epoch: Option<i64>,
}

impl RecordError {
    /// What it means.
    pub(crate) fn rejection(&self) -> Rejection {
        Rejection::of(&self.source)
    }

    /// The epoch that stands there, if it is a later leader's.
    pub(crate) fn stored_epoch(&self) -> Option<i64> {
        self.stored_epoch
    }

    /// What the engine has to know of it.
    pub(crate) fn written(&self) -> ReportWritten {
        not_stored(&self.source).map_or(ReportWritten::NamespaceGone, ReportWritten::NotStored)
    }
}

/// Makes the RolloutTrace if there is none, sets its owner if that changed, and writes its status.
pub(crate) async fn record(
    client: Client,
    key: &Key,
    write: &ReportWrite,
    epoch: Option<i64>,
) -> Result<(), RecordError> {
    let traces: Api<RolloutTrace> = Api::namespaced(client, &key.namespace);
    let failed =
        |step| move |source| RecordError { key: key.clone(), step, source, stored_epoch: None };
    if write.create {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
        let mut trace = RolloutTrace::new(&key.name, RolloutTraceSpec::default());
        trace.metadata.owner_references = Some(owners(key, write));
        match traces.create(&params, &trace).await {
            Ok(_) => {}
            // Made by a person meanwhile: its owner is set once it was seen.
            Err(error) if Rejection::of(&error) == Rejection::Conflict => {}
            Err(error) => return Err(failed("be made")(error)),
        }
    } else if write.change_owner {
        let patch = json!({ "metadata": { "ownerReferences": owners(key, write) } });
        traces
            .patch(&key.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map_err(failed("get its owner"))?;
    }
    let status = json!({
        "apiVersion": "throughline.dev/v1alpha1",
        "kind": "RolloutTrace",
        "status": RolloutTraceStatus { writer_epoch: epoch, ..status(&write.report) },
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match traces.patch_status(&key.name, &params, &Patch::Apply(status)).await {
        Ok(_) => Ok(()),
        Err(source) => {
            let fenced = Rejection::of(&source) == Rejection::Fenced;
            let mut error = failed("get its status")(source);
            if fenced {
                error.stored_epoch = stored_epoch(&traces, key).await;
            }
            Err(error)
        }
    }
}

/// Who wrote it last. A list of one: that a write is refused is too rare for a permission of its own.
async fn stored_epoch(traces: &Api<RolloutTrace>, key: &Key) -> Option<i64> {
    let one = ListParams::default().fields(&format!("metadata.name={}", key.name));
    let found = traces.list(&one).await.ok()?.items.into_iter().next()?;
    found.status?.writer_epoch
}

/// The garbage collector removes a RolloutTrace with its Rollout, unless a person keeps it.
fn owners(key: &Key, write: &ReportWrite) -> Vec<OwnerReference> {
    write
        .owner
        .iter()
        .map(|uid| OwnerReference {
            api_version: "argoproj.io/v1alpha1".to_owned(),
            kind: "Rollout".to_owned(),
            name: key.name.to_string(),
            uid: uid.to_string(),
            controller: None,
            block_owner_deletion: None,
        })
        .collect()
}
