//! Pods of an attempt under way.

use api::argo::{ContainerStatus, NamedContainer, Pod, PodStatus, TerminatedState, WaitingState};
use timeline::seen::{ContainerSeen, PodSeen, Terminated};
use timeline::{Kind, Observation};

use super::text::{bounded, optional};
use super::{Observed, key};

const CONTAINERS_LIMIT: usize = 32;
const NAME_LIMIT: usize = 63;
const IMAGE_LIMIT: usize = 256;
const REASON_LIMIT: usize = 128;
const MESSAGE_LIMIT: usize = 1024;

impl Observed for Pod {
    const KIND: Kind = Kind::Pod;

    fn observe(self) -> Option<Observation> {
        let owners = self.metadata.owner_references.iter().flatten();
        let owner = owners
            .into_iter()
            .find(|owner| owner.controller == Some(true) && owner.kind == "ReplicaSet")?;
        let status = self.status.unwrap_or_default();
        let plan = self.spec.unwrap_or_default();
        let (init, main) =
            (plan.init_containers.unwrap_or_default(), plan.containers.unwrap_or_default());
        let (unscheduled, ready, failed) =
            (unscheduled(&status), is_ready(&status), failed(&status));
        let init = status
            .init_container_statuses
            .into_iter()
            .flatten()
            .map(|status| container(status, &init));
        let main =
            status.container_statuses.into_iter().flatten().map(|status| container(status, &main));
        Some(Observation::Pod(Box::new(PodSeen {
            key: key(&self.metadata),
            replica_set_uid: owner.uid.clone().into(),
            deleted: self.metadata.deletion_timestamp.as_ref().map(|time| time.0),
            ready,
            unscheduled,
            failed,
            containers: init.chain(main).take(CONTAINERS_LIMIT).collect(),
        })))
    }
}

fn is_ready(status: &PodStatus) -> bool {
    status.conditions.iter().flatten().any(|condition| {
        condition.r#type.as_deref() == Some("Ready") && condition.status.as_deref() == Some("True")
    })
}

fn unscheduled(status: &PodStatus) -> Option<(String, String)> {
    let found = status.conditions.iter().flatten().find(|condition| {
        condition.r#type.as_deref() == Some("PodScheduled")
            && condition.status.as_deref() == Some("False")
    })?;
    let reason = optional(found.reason.clone(), REASON_LIMIT);
    Some((reason, optional(found.message.clone(), MESSAGE_LIMIT)))
}

fn failed(status: &PodStatus) -> Option<(String, String)> {
    let reason = status.reason.clone().filter(|reason| !reason.is_empty())?;
    let whole = status.phase.as_deref() == Some("Failed");
    let reason = bounded(reason, REASON_LIMIT);
    whole.then(|| (reason, optional(status.message.clone(), MESSAGE_LIMIT)))
}

fn container(status: ContainerStatus, planned: &[NamedContainer]) -> ContainerSeen {
    let image = planned.iter().find(|planned| planned.name == status.name);
    let image = image.and_then(|planned| planned.image.clone());
    let state = status.state.unwrap_or_default();
    let last = status.last_state.unwrap_or_default();
    ContainerSeen {
        name: optional(status.name, NAME_LIMIT),
        image: optional(image, IMAGE_LIMIT),
        ready: status.ready.unwrap_or(false),
        running: state.running.is_some(),
        restarts: status.restart_count.unwrap_or(0).max(0),
        waiting: state.waiting.map(waiting),
        terminated: state.terminated.or(last.terminated).map(terminated),
    }
}

fn waiting(state: WaitingState) -> (String, String) {
    (optional(state.reason, REASON_LIMIT), optional(state.message, MESSAGE_LIMIT))
}

fn terminated(state: TerminatedState) -> Terminated {
    // The last words are the ones that tell why.
    let message = state.message.unwrap_or_default();
    let start = message.len().saturating_sub(MESSAGE_LIMIT);
    let message = message.get(message.ceil_char_boundary(start)..).unwrap_or_default();
    Terminated {
        exit_code: state.exit_code.unwrap_or(0),
        reason: optional(state.reason, REASON_LIMIT),
        message: bounded(message.to_owned(), MESSAGE_LIMIT),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(status: &Value) -> PodSeen {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "cart-abc-1", "namespace": "ns", "uid": "p",
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-abc",
                    "uid": "set", "controller": true,
                }],
            },
            "spec": {
                "initContainers": [{ "name": "wait", "image": "example/wait:1" }],
                "containers": [{ "name": "cart", "image": "example/cart:2", "env": [] }],
            },
            "status": status,
        }))
        .unwrap();
        match pod.observe() {
            Some(Observation::Pod(seen)) => *seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_container_that_cannot_start_says_why_and_with_which_image() {
        let seen = seen(&json!({
            "phase": "Pending",
            "conditions": [{ "type": "Ready", "status": "False" }],
            "initContainerStatuses": [{ "name": "wait", "state": { "terminated": { "exitCode": 0 } } }],
            "containerStatuses": [{
                "name": "cart", "ready": false, "restartCount": 3,
                "image": "example/cart@sha256:0",
                "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } },
                "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } },
            }],
        }));
        assert_eq!(seen.replica_set_uid, "set");
        assert!(!seen.ready);
        let [wait, cart] = seen.containers.as_slice() else { panic!("{seen:?}") };
        assert_eq!((&*wait.name, &*wait.image), ("wait", "example/wait:1"));
        assert_eq!((&*cart.image, cart.restarts, cart.running), ("example/cart:2", 3, false));
        assert_eq!(cart.waiting, Some(("CrashLoopBackOff".to_owned(), "back-off".to_owned())));
        let terminated = cart.terminated.as_ref().unwrap();
        assert_eq!((terminated.exit_code, &*terminated.reason), (137, "OOMKilled"));
    }

    #[test]
    fn a_pod_that_no_node_takes_or_that_was_evicted_says_so() {
        let pending = seen(&json!({
            "phase": "Pending",
            "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/3 nodes are available",
            }],
        }));
        let words = ("Unschedulable".to_owned(), "0/3 nodes are available".to_owned());
        assert_eq!((pending.unscheduled, pending.failed), (Some(words), None));
        let evicted = seen(&json!({ "phase": "Failed", "reason": "Evicted", "message": "disk" }));
        assert_eq!(evicted.failed, Some(("Evicted".to_owned(), "disk".to_owned())));
    }

    #[test]
    fn a_pod_that_is_being_deleted_says_since_when() {
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "cart-abc-1", "namespace": "ns",
                "deletionTimestamp": "2026-11-21T06:05:00Z",
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-abc",
                    "uid": "set", "controller": true,
                }],
            },
        }))
        .unwrap();
        let deleted = |pod: &Pod| match pod.clone().observe() {
            Some(Observation::Pod(seen)) => seen.deleted.map(|at| at.to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(deleted(&pod).as_deref(), Some("2026-11-21T06:05:00Z"));
        pod.metadata.deletion_timestamp = None;
        assert_eq!(deleted(&pod), None);
    }

    #[test]
    fn a_megabyte_of_words_is_cut() {
        let words = "\u{1b}é".repeat(350_000);
        let seen = seen(&json!({
            "phase": "Failed", "reason": words, "message": words,
            "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": words, "message": words,
            }],
            "containerStatuses": [{
                "name": words, "restartCount": -1,
                "state": { "waiting": { "reason": words, "message": words } },
            }],
        }));
        let said = [seen.failed, seen.unscheduled, seen.containers[0].waiting.clone()];
        for (reason, message) in said.into_iter().flatten() {
            assert!(reason.len() <= 128 && message.len() <= 1024);
            assert!(!message.contains(char::is_control));
        }
        assert_eq!((seen.containers[0].name.len() <= 63, seen.containers[0].restarts), (true, 0));
    }

    #[test]
    fn of_a_long_message_the_end_is_kept() {
        let log = format!("{}é{}panic: no config", "é".repeat(100_000), "x".repeat(1000));
        let terminated =
            terminated(TerminatedState { message: Some(log), ..TerminatedState::default() });
        assert!(terminated.message.ends_with("panic: no config"));
        assert!(terminated.message.len() <= 1024);
    }

    #[test]
    fn no_more_containers_than_anybody_reads_are_kept() {
        let many = vec![json!({ "name": "c" }); 500];
        assert_eq!(seen(&json!({ "containerStatuses": many })).containers.len(), 32);
    }
}
