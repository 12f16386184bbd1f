//! Stores RolloutAttempts, reads those again that wait for a collector, and removes old ones.

use std::collections::BTreeSet;

use api::RolloutAttempt;
use api::rollout_attempt::{OPEN, ROLLOUT, ROLLOUT_UID};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::DeserializeGuard;
use kube::{Api, Client};
use timeline::Key;
use timeline::base::{AttemptId, label_of};
use timeline::journal::Journal;
use timeline::outbox::{AttemptWrite, AttemptWritten, Stage};
use timeline::stored::RolloutAttemptSeen;

use crate::observe::attempt_seen;
use crate::rejection::{Rejection, attempt_written};
use crate::{FIELD_MANAGER, journal, words};

/// Why a RolloutAttempt was not stored, read or removed.
#[derive(Debug, thiserror::Error)]
#[error("RolloutAttempt {key}: cannot be {step}: {}", words(.source))]
pub(crate) struct AttemptError {
    key: Key,
    step: &'static str,
    source: kube::Error,
}

impl AttemptError {
    /// What it means.
    pub(crate) fn rejection(&self) -> Rejection {
        Rejection::of(&self.source)
    }

    /// What became of the write.
    pub(crate) fn written(&self) -> AttemptWritten {
        attempt_written(&self.source)
    }
}

/// Stores a journal, whole, in place of the version that it was made from.
///
/// Not by apply or patch: nobody else writes a RolloutAttempt, and a journal that somebody changed
/// in between has to be looked at first.
pub(crate) async fn store(
    client: Client,
    key: &Key,
    attempt: &AttemptWrite,
) -> Result<AttemptWritten, AttemptError> {
    let attempts: Api<RolloutAttempt> = Api::namespaced(client, &key.namespace);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
    let object = object(attempt);
    let written = match &attempt.resource_version {
        None => attempts.create(&params, &object).await,
        Some(_) => attempts.replace(&key.name, &params, &object).await,
    };
    match written {
        Ok(stored) => {
            Ok(AttemptWritten::Stored(stored.metadata.resource_version.unwrap_or_default()))
        }
        Err(source) => match Rejection::of(&source) {
            Rejection::Conflict => conflict(&attempts, key).await,
            Rejection::NotFound | Rejection::NamespaceGone
                if attempt.resource_version.is_some() =>
            {
                conflict(&attempts, key).await
            }
            _ => Err(AttemptError { key: key.clone(), step: "stored", source }),
        },
    }
}

async fn conflict(
    attempts: &Api<RolloutAttempt>,
    key: &Key,
) -> Result<AttemptWritten, AttemptError> {
    // A list of one: conflicts are too rare for a permission of their own.
    let one = ListParams::default().fields(&format!("metadata.name={}", key.name));
    let failed = |source| AttemptError { key: key.clone(), step: "read", source };
    let found = attempts.list(&one).await.map_err(failed)?.items.into_iter().next();
    Ok(match found {
        None => AttemptWritten::Missing,
        Some(found) => match attempt_seen(&found) {
            Ok(seen) => AttemptWritten::Conflict(Box::new(seen)),
            Err(error) => AttemptWritten::Refused(error.to_string()),
        },
    })
}

/// Reads up to `limit` RolloutAttempts that wait for a collector; says whether there are more.
pub(crate) async fn recall(
    client: Client,
    namespace: Option<&str>,
    limit: usize,
) -> Result<(Vec<RolloutAttemptSeen>, bool), AttemptError> {
    let attempts: Api<DeserializeGuard<RolloutAttempt>> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let params = ListParams::default().labels(&format!("{OPEN}={DELIVERING}")).limit(limit);
    let found = attempts.list(&params).await.map_err(|source| AttemptError {
        key: Key::new(namespace.unwrap_or("*"), "*"),
        step: "listed",
        source,
    })?;
    let more = found.metadata.continue_.is_some_and(|token| !token.is_empty());
    let attempts = found.items.into_iter().filter_map(|object| object.0.ok());
    Ok((attempts.filter_map(|attempt| attempt_seen(&attempt).ok()).collect(), more))
}

/// Reads all RolloutAttempts that are left of the Rollout of this UID. One that cannot be read is
/// left out.
pub(crate) async fn read_all(
    client: Client,
    rollout: &Key,
    uid: &str,
) -> Result<Vec<Journal>, AttemptError> {
    let attempts: Api<DeserializeGuard<RolloutAttempt>> =
        Api::namespaced(client, &rollout.namespace);
    let params = ListParams::default().labels(&format!("{ROLLOUT_UID}={uid}"));
    let found = attempts.list(&params).await.map_err(|source| AttemptError {
        key: Key::new(rollout.namespace.clone(), "*"),
        step: "listed",
        source,
    })?;
    let attempts = found.items.into_iter().filter_map(|object| object.0.ok());
    Ok(attempts.filter_map(|attempt| attempt_seen(&attempt).ok()).map(|it| it.journal).collect())
}

/// Removes the oldest delivered RolloutAttempts of a Rollout beyond the newest `keep`.
pub(crate) async fn prune(
    client: Client,
    attempt: &AttemptId,
    keep: usize,
) -> Result<(), AttemptError> {
    let namespace = &attempt.rollout.namespace;
    let attempts: Api<RolloutAttempt> = Api::namespaced(client, namespace);
    let failed = |name: &str, step| {
        let key = Key::new(namespace.clone(), name);
        move |source| AttemptError { key, step, source }
    };
    // By name as well: those of a Rollout that had it before, and was deleted without them. What an
    // earlier release stored has only the UID.
    let name = format!("{ROLLOUT}={}", label_of(&attempt.rollout.name));
    let uid = format!("{ROLLOUT_UID}={}", attempt.rollout_uid);
    let mut found = BTreeSet::new();
    for which in [name, uid] {
        // Delivered ones carry no label OPEN.
        let labels = ListParams::default().labels(&format!("{which},!{OPEN}"));
        let listed = attempts.list_metadata(&labels).await.map_err(failed("*", "listed"))?;
        found.extend(listed.items.into_iter().map(|object| {
            let metadata = object.metadata;
            (metadata.creation_timestamp, metadata.name.unwrap_or_default())
        }));
    }
    for (_, name) in found.into_iter().rev().skip(keep) {
        if let Err(error) = attempts.delete(&name, &DeleteParams::default()).await
            && !matches!(Rejection::of(&error), Rejection::NotFound | Rejection::NamespaceGone)
        {
            return Err(failed(&name, "removed")(error));
        }
    }
    Ok(())
}

/// The value of the label OPEN of one whose spans have still to leave.
const DELIVERING: &str = "delivering";
/// The value of the label OPEN of one that is under way.
const RUNNING: &str = "running";

fn object(attempt: &AttemptWrite) -> RolloutAttempt {
    let mut object = journal::object(&attempt.journal);
    object.metadata.resource_version.clone_from(&attempt.resource_version);
    let open = match attempt.stage {
        Stage::Running => Some(RUNNING),
        Stage::Delivering => Some(DELIVERING),
        Stage::Done => None,
    };
    let labels = object.metadata.labels.get_or_insert_default();
    match open {
        Some(stage) => labels.insert(OPEN.to_owned(), stage.to_owned()),
        None => labels.remove(OPEN),
    };
    // While something has still to leave, an attempt must outlive its Rollout.
    if attempt.stage == Stage::Done && !attempt.keep {
        let identity = &attempt.journal.identity;
        object.metadata.owner_references = Some(vec![OwnerReference {
            api_version: "argoproj.io/v1alpha1".to_owned(),
            kind: "Rollout".to_owned(),
            name: identity.rollout.name.to_string(),
            uid: identity.rollout_uid.to_string(),
            controller: None,
            block_owner_deletion: None,
        }]);
    }
    object
}
