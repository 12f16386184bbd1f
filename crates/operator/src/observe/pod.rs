//! Pods of an attempt under way.

use api::argo::{
    Condition, ContainerStatus, NamedContainer, Pod, PodPlan, PodStatus, ReadinessGate,
    TerminatedState, WaitingState,
};
use timeline::seen::{ContainerSeen, PodSeen, Terminated};
use timeline::{Kind, Observation};

use super::text::{bounded, optional};
use super::{Observed, created, key};

const CONTAINERS_LIMIT: usize = 32;
const NAME_LIMIT: usize = 63;
/// A qualified name: a DNS name of 253 bytes, and a name of 63.
const GATE_LIMIT: usize = 317;
const GATES_LIMIT: usize = 8;
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
        let (gates, held_by) = (gates(&plan, &status), held_by(&plan));
        let (init, main) =
            (plan.init_containers.unwrap_or_default(), plan.containers.unwrap_or_default());
        let (unscheduled, failed) = (unscheduled(&status), failed(&status));
        let over = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
        let condition = condition(&status, "Ready");
        let ready = condition.is_some_and(|ready| ready.status.as_deref() == Some("True"));
        let turned = condition.and_then(|ready| ready.last_transition_time);
        let init = status
            .init_container_statuses
            .into_iter()
            .flatten()
            .map(|status| container(status, &init, true));
        let main = status
            .container_statuses
            .into_iter()
            .flatten()
            .map(|status| container(status, &main, false));
        Some(Observation::Pod(Box::new(PodSeen {
            key: key(&self.metadata),
            uid: self.metadata.uid.clone().unwrap_or_default().into(),
            created: created(&self.metadata),
            replica_set_uid: owner.uid.clone().into(),
            deleted: self.metadata.deletion_timestamp.as_ref().map(|time| time.0),
            ready,
            turned,
            over,
            gates,
            held_by,
            unscheduled,
            failed,
            containers: init.chain(main).take(CONTAINERS_LIMIT).collect(),
            event: None,
        })))
    }
}

fn condition<'a>(status: &'a PodStatus, name: &str) -> Option<&'a Condition> {
    status.conditions.iter().flatten().find(|found| found.r#type.as_deref() == Some(name))
}

/// The readiness gates that are not met, with the message of their condition.
fn gates(plan: &PodPlan, status: &PodStatus) -> Vec<(String, String)> {
    let gates = plan.readiness_gates.iter().flatten();
    let named = gates.filter_map(|ReadinessGate { condition_type }| condition_type.as_deref());
    let unmet = named.filter_map(|name| {
        let found = condition(status, name);
        if found.is_some_and(|found| found.status.as_deref() == Some("True")) {
            return None;
        }
        let words = found.and_then(|found| {
            let said = [&found.message, &found.reason].into_iter().flatten();
            said.into_iter().find(|words| !words.is_empty()).cloned()
        });
        Some((bounded(name.to_owned(), GATE_LIMIT), optional(words, MESSAGE_LIMIT)))
    });
    unmet.take(GATES_LIMIT).collect()
}

fn held_by(plan: &PodPlan) -> Vec<String> {
    let names = plan.scheduling_gates.iter().flatten().filter_map(|gate| gate.name.clone());
    names.take(GATES_LIMIT).map(|name| bounded(name, GATE_LIMIT)).collect()
}

fn unscheduled(status: &PodStatus) -> Option<(String, String)> {
    let found = condition(status, "PodScheduled")
        .filter(|scheduled| scheduled.status.as_deref() == Some("False"))?;
    let reason = optional(found.reason.clone(), REASON_LIMIT);
    Some((reason, optional(found.message.clone(), MESSAGE_LIMIT)))
}

fn failed(status: &PodStatus) -> Option<(String, String)> {
    let reason = status.reason.clone().filter(|reason| !reason.is_empty())?;
    let whole = status.phase.as_deref() == Some("Failed");
    let reason = bounded(reason, REASON_LIMIT);
    whole.then(|| (reason, optional(status.message.clone(), MESSAGE_LIMIT)))
}

fn container(status: ContainerStatus, planned: &[NamedContainer], init: bool) -> ContainerSeen {
    let planned = planned.iter().find(|planned| planned.name == status.name);
    let always = planned.and_then(|planned| planned.restart_policy.as_deref()) == Some("Always");
    let image = planned.and_then(|planned| planned.image.clone());
    let state = status.state.unwrap_or_default();
    let last = status.last_state.unwrap_or_default();
    ContainerSeen {
        name: optional(status.name, NAME_LIMIT),
        image: optional(image, IMAGE_LIMIT),
        ready: status.ready.unwrap_or(false),
        sidecar: init && always,
        started: status.started,
        since: state.running.as_ref().and_then(|running| running.started_at),
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
    // The last words are the ones that say why.
    let message = state.message.unwrap_or_default();
    let start = message.len().saturating_sub(MESSAGE_LIMIT);
    let message = message.get(message.ceil_char_boundary(start)..).unwrap_or_default();
    Terminated {
        exit_code: state.exit_code.unwrap_or(0),
        reason: optional(state.reason, REASON_LIMIT),
        message: bounded(message.to_owned(), MESSAGE_LIMIT),
        started: state.started_at,
        finished: state.finished_at,
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

    #[test]
    fn a_sidecar_says_so_and_whether_it_has_started() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "cart-abc-1", "namespace": "ns", "uid": "p",
                "creationTimestamp": "2026-11-21T06:04:00Z",
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-abc",
                    "uid": "set", "controller": true,
                }],
            },
            "spec": {
                "initContainers": [
                    { "name": "migrate", "image": "example/migrate:1" },
                    { "name": "agent", "image": "example/agent:0.9", "restartPolicy": "Always" },
                ],
                "containers": [{ "name": "cart", "image": "example/cart:2" }],
            },
            "status": {
                "phase": "Pending",
                "conditions": [{
                    "type": "Ready", "status": "False",
                    "lastTransitionTime": "2026-11-21T06:04:01Z",
                }],
                "initContainerStatuses": [
                    { "name": "migrate", "state": { "terminated": {
                        "exitCode": 0, "startedAt": "2026-11-21T06:04:02Z",
                        "finishedAt": "2026-11-21T06:04:03Z",
                    } } },
                    { "name": "agent", "started": false, "state": {
                        "running": { "startedAt": "2026-11-21T06:04:04Z" },
                    } },
                ],
                "containerStatuses": [
                    { "name": "cart", "state": { "waiting": { "reason": "PodInitializing" } } },
                ],
            },
        }))
        .unwrap();
        let Some(Observation::Pod(seen)) = pod.observe() else { panic!("not read") };
        let sidecars: Vec<_> = seen.containers.iter().map(|it| it.sidecar).collect();
        assert_eq!(sidecars, [false, true, false]);
        let at = |second: i64| {
            Some(
                jiff::Timestamp::constant(1_795_241_040, 0)
                    + jiff::SignedDuration::from_secs(second),
            )
        };
        assert_eq!((seen.created, seen.turned), (at(0), at(1)));
        let agent = &seen.containers[1];
        assert_eq!((agent.started, agent.running, agent.since), (Some(false), true, at(4)));
        assert_eq!(agent.image, "example/agent:0.9");
        let migrated = seen.containers[0].terminated.clone().unwrap();
        assert_eq!((migrated.started, migrated.finished), (at(2), at(3)));
    }

    #[test]
    fn gates_are_named_with_the_message_of_their_condition() {
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "cart-abc-1", "namespace": "ns",
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-abc",
                    "uid": "set", "controller": true,
                }],
            },
            "spec": {
                "readinessGates": [
                    { "conditionType": "example.com/met" },
                    { "conditionType": "example.com/said" },
                    { "conditionType": "example.com/unset" },
                ],
                "schedulingGates": [{ "name": "example.com/quota" }],
            },
            "status": { "conditions": [
                { "type": "example.com/met", "status": "True" },
                { "type": "example.com/said", "status": "False", "reason": "Why", "message": "[502]" },
            ] },
        }))
        .unwrap();
        let observe = |pod: &Pod| match pod.clone().observe() {
            Some(Observation::Pod(seen)) => *seen,
            other => panic!("{other:?}"),
        };
        let seen = observe(&pod);
        let pair = |name: &str, words: &str| (name.to_owned(), words.to_owned());
        assert_eq!(seen.gates, [pair("example.com/said", "[502]"), pair("example.com/unset", "")]);
        assert_eq!(seen.held_by, ["example.com/quota"]);
        let many: Vec<_> = (0..500).map(|n| json!({ "conditionType": "g".repeat(n) })).collect();
        pod.spec = serde_json::from_value(json!({ "readinessGates": many })).unwrap();
        let gates = observe(&pod).gates;
        assert!(gates.len() == 8 && gates.iter().all(|(name, _)| name.len() <= 317));
    }

    #[test]
    fn a_pod_that_is_over_says_so_whatever_the_reason() {
        for (phase, over) in
            [("Failed", true), ("Succeeded", true), ("Running", false), ("Pending", false)]
        {
            assert_eq!(seen(&json!({ "phase": phase })).over, over, "{phase}");
        }
    }
}
