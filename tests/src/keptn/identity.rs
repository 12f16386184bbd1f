//! Which workload, app and version a pod belongs to (docs/keptn.md 1.1 and 1.2).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::api::{ResourceReference, WorkloadSpec};
use super::naming::{pod_version, resource_name};

const WORKLOAD: &str = "keptn.sh/workload";
const APP: &str = "keptn.sh/app";
const VERSION: &str = "keptn.sh/version";
const CONTAINER: &str = "keptn.sh/container";
const METADATA: &str = "keptn.sh/metadata";
const GATE_REMOVED: &str = "keptn.sh/scheduling-gate-removed";
const PRE_TASKS: &str = "keptn.sh/pre-deployment-tasks";
const POST_TASKS: &str = "keptn.sh/post-deployment-tasks";
const PRE_EVALUATIONS: &str = "keptn.sh/pre-deployment-evaluations";
const POST_EVALUATIONS: &str = "keptn.sh/post-deployment-evaluations";
const OWNERS: [&str; 5] = ["ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Rollout"];

/// What the webhook makes of a pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    /// The app's name, sanitised; that of the workload when the pod names no app.
    pub app: String,
    /// Whether the pod names no app.
    pub single_service: bool,
    /// Name of the `KeptnWorkload`.
    pub workload: String,
    /// Spec of the `KeptnWorkload`.
    pub spec: WorkloadSpec,
    /// The owner that the `KeptnWorkload` gets.
    pub owner: OwnerReference,
}

impl Identity {
    /// Reads a pod that [`is_annotated`], and writes what it computes into the pod's annotations,
    /// as the webhook does. `None` without an owner of a supported kind.
    pub(super) fn of(pod: &mut Pod) -> Option<Self> {
        let owner = supported_owner(&pod.metadata)?;
        let named = value(&pod.metadata, WORKLOAD)?.to_owned();
        if value(&pod.metadata, VERSION).is_none() {
            let containers = pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
            // Without a version the names are invalid and nothing works (docs/keptn.md 1.2), which is
            // what happens in Keptn as well.
            if let Some(version) = pod_version(containers, value(&pod.metadata, CONTAINER)) {
                annotate(&mut pod.metadata, VERSION, &version);
            }
        }
        let app = value(&pod.metadata, APP).map(str::to_owned);
        let single_service = app.is_none();
        if single_service {
            annotate(&mut pod.metadata, APP, &named);
        }
        let app = resource_name(&[app.as_deref().unwrap_or(&named)]);
        let list = |key| {
            value(&pod.metadata, key)
                .map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>())
                .unwrap_or_default()
        };
        let spec = WorkloadSpec {
            app: app.clone(),
            version: value(&pod.metadata, VERSION).unwrap_or_default().to_lowercase(),
            resource_reference: ResourceReference {
                kind: owner.kind.clone(),
                name: owner.name.clone(),
                uid: owner.uid.clone(),
            },
            metadata: list(METADATA).iter().filter_map(|pair| key_value(pair)).collect(),
            pre_deployment_tasks: list(PRE_TASKS),
            post_deployment_tasks: list(POST_TASKS),
            pre_deployment_evaluations: list(PRE_EVALUATIONS),
            post_deployment_evaluations: list(POST_EVALUATIONS),
        };
        Some(Self { workload: resource_name(&[&app, &named]), app, single_service, spec, owner })
    }
}

/// Whether the pod itself names a workload. Then its parent is never asked (docs/keptn.md 1.1, 4).
pub(super) fn is_annotated(pod: &Pod) -> bool {
    value(&pod.metadata, WORKLOAD).is_some()
}

/// Whether the gate was taken away already: such a pod passes untouched.
pub(super) fn is_released(pod: &Pod) -> bool {
    value(&pod.metadata, GATE_REMOVED).is_some()
}

/// Copies what a parent says to the pod (`copyResourceLabelsIfPresent`), and says whether the
/// pod is managed now.
pub(super) fn adopt(parent: &ObjectMeta, pod: &mut Pod) -> bool {
    let Some(workload) = value(parent, WORKLOAD) else {
        return false;
    };
    let containers = pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
    let version = match value(parent, VERSION) {
        Some(version) => version.to_owned(),
        None => match pod_version(containers, value(parent, CONTAINER)) {
            Some(version) => version,
            None => return false,
        },
    };
    annotate(&mut pod.metadata, WORKLOAD, workload);
    annotate(&mut pod.metadata, VERSION, &version);
    let copied = [APP, PRE_TASKS, POST_TASKS, PRE_EVALUATIONS, POST_EVALUATIONS, METADATA];
    for key in copied {
        if let Some(text) = value(parent, key) {
            annotate(&mut pod.metadata, key, text);
        }
    }
    true
}

/// The last owner of a supported kind, with nothing but the fields that Keptn copies.
pub(super) fn supported_owner(meta: &ObjectMeta) -> Option<OwnerReference> {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().rfind(|owner| OWNERS.contains(&owner.kind.as_str()))?;
    Some(OwnerReference {
        api_version: owner.api_version.clone(),
        kind: owner.kind.clone(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        ..OwnerReference::default()
    })
}

// Annotation, label, and the same again for the recommended Kubernetes key; empty is absent
// (webhooks/pod_mutator/handlers/objectmeta.go:14-36).
fn value<'m>(meta: &'m ObjectMeta, key: &str) -> Option<&'m str> {
    let recommended = match key {
        WORKLOAD => Some("app.kubernetes.io/name"),
        APP => Some("app.kubernetes.io/part-of"),
        VERSION => Some("app.kubernetes.io/version"),
        _ => None,
    };
    [Some(key), recommended].into_iter().flatten().find_map(|key| {
        let read = |map: &'m Option<BTreeMap<String, String>>| {
            map.as_ref().and_then(|map| map.get(key)).filter(|text| !text.is_empty())
        };
        read(&meta.annotations).or_else(|| read(&meta.labels)).map(String::as_str)
    })
}

fn annotate(meta: &mut ObjectMeta, key: &str, text: &str) {
    meta.annotations.get_or_insert_default().insert(key.to_owned(), text.to_owned());
}

fn key_value(pair: &str) -> Option<(String, String)> {
    let (key, value) = pair.split_once('=')?;
    (!value.contains('=')).then(|| (key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(labels: &Value, annotations: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "0"},
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-1", "uid": "1", "controller": true},
                ],
            },
            "spec": {"containers": [{"name": "cart", "image": "example/cart:1.0.0"}]},
        }))
        .unwrap()
    }

    #[test]
    fn annotations_win_over_labels_and_keptn_over_kubernetes() {
        let mut pod = pod(
            &json!({
                "app.kubernetes.io/name": "label", "app.kubernetes.io/part-of": "Shop_A",
                "keptn.sh/version": "2.0-RC", "app.kubernetes.io/version": "1",
            }),
            &json!({"app.kubernetes.io/name": "cart", "keptn.sh/version": ""}),
        );
        let identity = Identity::of(&mut pod).unwrap();
        assert_eq!(identity.app, "shop-a");
        assert_eq!(identity.workload, "shop-a-cart");
        assert_eq!(identity.spec.version, "2.0-rc");
        assert_eq!(identity.spec.resource_reference.name, "cart-1");
        assert_eq!(identity.owner.controller, None);
        assert!(!identity.single_service);
    }

    #[test]
    fn a_pod_without_an_app_is_a_single_service() {
        let labels =
            json!({"app.kubernetes.io/name": "cart", "app.kubernetes.io/version": "1.0.0"});
        let mut pod = pod(&labels, &json!({"keptn.sh/metadata": "a=1,b=2=3,c"}));
        let identity = Identity::of(&mut pod).unwrap();
        assert_eq!((identity.app.as_str(), identity.workload.as_str()), ("cart", "cart-cart"));
        assert!(identity.single_service);
        assert_eq!(identity.spec.metadata, BTreeMap::from([("a".into(), "1".into())]));
        assert_eq!(pod.metadata.annotations.unwrap()["keptn.sh/app"], "cart");
    }

    // The annotations that the pods of the recording hash-version carry.
    #[test]
    fn a_parent_lends_its_keys_and_the_version_is_derived() {
        let mut pod = pod(&json!({"app": "cart"}), &Value::Null);
        assert!(!is_annotated(&pod));
        let parent = serde_json::from_value(json!({
            "annotations": {"keptn.sh/app": "shop", "keptn.sh/workload": "cart"},
        }))
        .unwrap();
        assert!(adopt(&parent, &mut pod));
        let identity = Identity::of(&mut pod).unwrap();
        assert_eq!(identity.workload, "shop-cart");
        let expected = json!({
            "keptn.sh/app": "shop", "keptn.sh/version": "3391518271", "keptn.sh/workload": "cart",
        });
        assert_eq!(serde_json::to_value(pod.metadata.annotations).unwrap(), expected);
    }
}
