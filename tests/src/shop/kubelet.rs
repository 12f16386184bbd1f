//! What a kubelet says of a pod, where a test plays it: pods of [`super::PodKind::ByHand`].

use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Value, json};

/// A condition that changed just now.
pub fn condition(kind: &str, status: bool, reason: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": if status { "True" } else { "False" },
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(0),
    })
}

/// `Ready` and `ContainersReady`.
pub fn readiness(ready: bool) -> [Value; 2] {
    let reason = if ready { "" } else { "ContainersNotReady" };
    ["Ready", "ContainersReady"].map(|kind| condition(kind, ready, reason, ""))
}

/// All containers run and are ready, and so is the pod.
pub fn ready(pod: &Pod) -> Value {
    json!({
        "phase": "Running",
        "conditions": readiness(true),
        "containerStatuses": containers(pod, &running(true, 0)),
    })
}

/// Its containers are being made, and it is not known what they wait for.
pub fn creating(pod: &Pod) -> Value {
    let state = json!({ "state": { "waiting": { "reason": "ContainerCreating" } } });
    json!({
        "phase": "Pending",
        "conditions": readiness(false),
        "containerStatuses": containers(pod, &state),
    })
}

/// The statuses of all containers of a pod, alike.
pub fn containers(pod: &Pod, state: &Value) -> Vec<Value> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.map(|container| status(container, state)).collect()
}

/// The statuses of all init containers of a pod, alike.
pub fn init_containers(pod: &Pod, state: &Value) -> Vec<Value> {
    let containers = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    containers.map(|container| status(container, state)).collect()
}

/// A container that runs since now.
pub fn running(ready: bool, restarts: u32) -> Value {
    json!({
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": { "running": { "startedAt": ago(0) } },
    })
}

/// Some seconds ago, as objects have it.
#[expect(clippy::disallowed_methods, reason = "a kubelet has a clock")]
pub fn ago(seconds: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    let at = jiff::Timestamp::from_second(now.saturating_sub(seconds));
    at.unwrap_or_default().to_string()
}

/// An Event about a pod, as a kubelet sends it.
pub fn event(pod: &Pod, reason: &str, message: &str) -> Value {
    let metadata = &pod.metadata;
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "generateName": "kubelet-", "namespace": metadata.namespace },
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": 3,
        "firstTimestamp": ago(20),
        "lastTimestamp": ago(0),
        "source": { "component": "kubelet", "host": "node" },
    })
}

fn status(container: &Container, state: &Value) -> Value {
    let image = container.image.as_deref().unwrap_or_default();
    let mut status = json!({
        "name": container.name,
        "image": image,
        "imageID": format!("{image}@sha256:{:064}", 0),
        "ready": false,
        "started": false,
        "restartCount": 0,
    });
    for (key, value) in state.as_object().into_iter().flatten() {
        status[key] = value.clone();
    }
    status
}
