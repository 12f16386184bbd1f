//! Stores RolloutAttempts, reads those again that wait for a collector, and removes old ones.

use std::collections::BTreeSet;

use api::RolloutAttempt;
use api::rollout_attempt::{OPEN, ROLLOUT, ROLLOUT_UID};
use jiff::SignedDuration;
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
use crate::rejection::{Rejection, asked, attempt_written};
use crate::{FIELD_MANAGER, journal, words};

/// Why a RolloutAttempt was not stored, read or removed.
#[derive(Debug, thiserror::Error)]
#[error("RolloutAttempt {key}: cannot be {step}: {}", words(.source))]
pub(crate) struct AttemptError {
    key: Key,
    step: &'static str,
    source: kube::Error,
    /// The epoch of a later leader, which stands there.
    stored_epoch: Option<i64>,
}

impl AttemptError {
    /// What it means.
    pub(crate) fn rejection(&self) -> Rejection {
        Rejection::of(&self.source)
    }

    /// The epoch that stands there, if it is a later leader's.
    pub(crate) fn stored_epoch(&self) -> Option<i64> {
        self.stored_epoch
    }

    /// How long the API server asks to wait.
    pub(crate) fn asked(&self) -> Option<SignedDuration> {
        asked(&self.source)
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
    epoch: Option<i64>,
) -> Result<AttemptWritten, AttemptError> {
    let attempts: Api<RolloutAttempt> = Api::namespaced(client, &key.namespace);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
    let mut object = object(attempt);
    if let Some(status) = &mut object.status {
        status.writer_epoch = epoch;
    }
    let written = match &attempt.resource_version {
        None => attempts.create(&params, &object).await,
        Some(_) => attempts.replace(&key.name, &params, &object).await,
    };
    match written {
        Ok(stored) => {
            Ok(AttemptWritten::Stored(stored.metadata.resource_version.unwrap_or_default()))
        }
        Err(source) => match Rejection::of(&source) {
            Rejection::Conflict => match find(&attempts, key).await? {
                Some(found) if epoch_of(&found) > epoch => Err(fenced(key, source, &found)),
                found => Ok(conflict(found.as_ref())),
            },
            Rejection::Fenced => match find(&attempts, key).await? {
                Some(found) => Err(fenced(key, source, &found)),
                None => Ok(AttemptWritten::Missing),
            },
            Rejection::NotFound | Rejection::NamespaceGone
                if attempt.resource_version.is_some() =>
            {
                Ok(conflict(find(&attempts, key).await?.as_ref()))
            }
            _ => Err(AttemptError { key: key.clone(), step: "stored", source, stored_epoch: None }),
        },
    }
}

async fn find(
    attempts: &Api<RolloutAttempt>,
    key: &Key,
) -> Result<Option<RolloutAttempt>, AttemptError> {
    // A list of one: conflicts are too rare for a permission of their own.
    let one = ListParams::default().fields(&format!("metadata.name={}", key.name));
    match attempts.list(&one).await {
        Ok(found) => Ok(found.items.into_iter().next()),
        Err(source) => {
            Err(AttemptError { key: key.clone(), step: "read", source, stored_epoch: None })
        }
    }
}

fn conflict(found: Option<&RolloutAttempt>) -> AttemptWritten {
    match found.map(attempt_seen) {
        None => AttemptWritten::Missing,
        Some(Ok(seen)) => AttemptWritten::Conflict(Box::new(seen)),
        Some(Err(error)) => AttemptWritten::Refused(error.to_string()),
    }
}

fn epoch_of(attempt: &RolloutAttempt) -> Option<i64> {
    attempt.status.as_ref()?.writer_epoch
}

fn fenced(key: &Key, source: kube::Error, found: &RolloutAttempt) -> AttemptError {
    AttemptError { key: key.clone(), step: "stored", source, stored_epoch: epoch_of(found) }
}

/// Reads up to `limit` RolloutAttempts that wait for a collector, from this page of the API server's
/// on; says which one is next, if there is one.
pub(crate) async fn recall(
    client: Client,
    namespace: Option<&str>,
    limit: usize,
    page: Option<&str>,
) -> Result<(Vec<RolloutAttemptSeen>, Option<String>), AttemptError> {
    let attempts: Api<DeserializeGuard<RolloutAttempt>> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let mut params = ListParams::default().labels(&format!("{OPEN}={DELIVERING}")).limit(limit);
    params.continue_token = page.map(str::to_owned);
    let found = attempts.list(&params).await.map_err(|source| AttemptError {
        key: Key::new(namespace.unwrap_or("*"), "*"),
        step: "listed",
        source,
        stored_epoch: None,
    })?;
    let next = found.metadata.continue_.filter(|token| !token.is_empty());
    let attempts = found.items.into_iter().filter_map(|object| object.0.ok());
    Ok((attempts.filter_map(|attempt| attempt_seen(&attempt).ok()).collect(), next))
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
        stored_epoch: None,
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
        move |source| AttemptError { key, step, source, stored_epoch: None }
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
