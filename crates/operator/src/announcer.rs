//! Writes Kubernetes Events on the RolloutTrace: an attempt began, ended or failed.
//!
//! The name of an Event follows from what it says, so a restart repeats none.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use timeline::base::{Phase, attempt_name};
use timeline::journal::Journal;
use timeline::outbox::{Announcement, Milestone};

use crate::FIELD_MANAGER;
use crate::rejection::Rejection;

/// `reportingController`
const CONTROLLER: &str = "throughline.dev/operator";
/// The API server's limit of `note`.
const NOTE_LIMIT: usize = 1024;

/// Writes the Event.
pub(crate) async fn announce(
    client: Client,
    announcement: &Announcement,
) -> Result<(), kube::Error> {
    let event = event(announcement);
    let namespace = &announcement.journal.identity.rollout.namespace;
    let events: Api<Event> = Api::namespaced(client, namespace);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
    match events.create(&params, &event).await {
        Ok(_) => Ok(()),
        Err(error) => match Rejection::of(&error) {
            // It is there already, or the namespace is being deleted.
            Rejection::Conflict | Rejection::NamespaceGone => Ok(()),
            _ => Err(error),
        },
    }
}

fn event(announcement: &Announcement) -> Event {
    let journal = &announcement.journal;
    let ended = announcement.milestone != Milestone::Begun;
    let identity = &journal.identity;
    let (reason, at) = if ended {
        (reason(journal.phase), journal.ended.unwrap_or(journal.started).at)
    } else {
        ("AttemptStarted", journal.started.at)
    };
    let warning = ended && journal.failure.is_some();
    let namespace = identity.rollout.namespace.clone();
    Event {
        metadata: ObjectMeta {
            name: Some(format!(
                "{}.{}",
                attempt_name(identity),
                if ended { "ended" } else { "started" }
            )),
            namespace: Some(namespace.to_string()),
            ..ObjectMeta::default()
        },
        regarding: Some(ObjectReference {
            api_version: Some("throughline.dev/v1alpha1".to_owned()),
            kind: Some("RolloutTrace".to_owned()),
            name: Some(identity.rollout.name.to_string()),
            namespace: Some(namespace.to_string()),
            ..ObjectReference::default()
        }),
        related: Some(ObjectReference {
            api_version: Some("throughline.dev/v1alpha1".to_owned()),
            kind: Some("RolloutAttempt".to_owned()),
            name: Some(attempt_name(identity)),
            namespace: Some(identity.rollout.namespace.to_string()),
            ..ObjectReference::default()
        }),
        type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(reason.to_owned()),
        note: Some(note(journal, ended)),
        action: Some("Observe".to_owned()),
        event_time: Some(MicroTime(at)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(CONTROLLER.to_owned()),
        ..Event::default()
    }
}

fn reason(outcome: Phase) -> &'static str {
    match outcome {
        Phase::Promoted => "AttemptPromoted",
        Phase::Aborted => "AttemptAborted",
        Phase::Superseded => "AttemptSuperseded",
        Phase::Reverted => "AttemptReverted",
        Phase::Deleted => "RolloutDeleted",
        Phase::Progressing | Phase::Unknown => "AttemptEnded",
    }
}

fn note(journal: &Journal, ended: bool) -> String {
    let identity = &journal.identity;
    let version = journal.facts.version.as_deref().unwrap_or(&identity.hash);
    let retry = match identity.number {
        1 => String::new(),
        number => format!(", attempt {number}"),
    };
    let mut note = format!("revision {} ({version}{retry})", identity.revision);
    if ended {
        note.push_str(": ");
        note.push_str(&journal.phase.to_string().to_lowercase());
        if let Some(failure) = &journal.failure {
            note.push_str(": ");
            note.push_str(&failure.reason);
        }
    } else {
        note.push_str(" began");
    }
    note.chars().take(NOTE_LIMIT / 4).collect()
}
