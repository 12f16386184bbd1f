//! Which pod templates are equal deployments.

use std::collections::BTreeMap;

use api::argo::{self, Digest, PodSpec};
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;
use timeline::seen::Metadata;

/// The same for equal templates and for no others, without what Argo adds: its hash, metadata of the
/// canary or of what is stable, and the rule that keeps revisions apart on nodes. Libraries of
/// Kubernetes 0.34 gave equal templates new hashes (argo-rollouts issue 4696).
pub(super) fn digest(replica_set: &ObjectMeta, template: Metadata<'_>, spec: &PodSpec) -> Digest {
    of(replica_set, template, spec, |_, _| true)
}

/// The same for what runs: without labels and annotations, which charts and pipelines fill with the
/// time, a random word or the number of a build (`kubectl rollout restart` does so too). What says
/// that mounted configuration is another stays, such as Helm's `checksum/config`.
pub(super) fn spec_digest(
    replica_set: &ObjectMeta,
    template: Metadata<'_>,
    spec: &PodSpec,
) -> Digest {
    of(replica_set, template, spec, is_of_content)
}

fn is_of_content(key: &str, value: &str) -> bool {
    const WORDS: [&str; 5] = ["checksum", "hash", "digest", "config", "secret"];
    let key = key.to_ascii_lowercase();
    let digits = value.strip_prefix("sha256:").unwrap_or(value);
    WORDS.iter().any(|word| key.contains(word))
        || (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn of(
    replica_set: &ObjectMeta,
    template: Metadata<'_>,
    spec: &PodSpec,
    counts: fn(&str, &str) -> bool,
) -> Digest {
    let ephemeral = ephemeral(replica_set);
    let map = |map: &BTreeMap<String, String>, added: &BTreeMap<String, String>| {
        let own = map
            .iter()
            .filter(|(key, _)| *key != argo::POD_TEMPLATE_HASH && !added.contains_key(*key))
            .filter(|(key, value)| counts(key, value));
        Digest::of(own.flat_map(|(key, value)| [Digest::text(key), Digest::text(value)]))
    };
    let text = |text: &Option<String>| Digest::text(text.as_deref().unwrap_or_default());
    let containers = spec.containers.iter().flatten().map(|container| {
        let env = container.env.iter().flatten();
        let env = env.map(|env| Digest::of([text(&env.name), text(&env.value), env.rest]));
        let env = Digest::of(env);
        Digest::of([text(&container.name), text(&container.image), env, container.rest])
    });
    let affinity = spec.affinity.clone().and_then(own_affinity);
    Digest::of([
        map(template.annotations, &ephemeral.annotations),
        map(template.labels, &ephemeral.labels),
        Digest::of(containers),
        affinity.and_then(|affinity| Digest::deserialize(&affinity).ok()).unwrap_or_default(),
        spec.rest,
    ])
}

/// Labels and annotations that Argo added to a template.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ephemeral {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn ephemeral(replica_set: &ObjectMeta) -> Ephemeral {
    let annotations = replica_set.annotations.as_ref();
    let added = annotations.and_then(|map| map.get(argo::EPHEMERAL_METADATA));
    added.and_then(|added| serde_json::from_str(added).ok()).unwrap_or_default()
}

/// Without the terms that Argo put in, which name its own label (argo-rollouts
/// utils/replicaset/replicaset.go, `RemoveInjectedAntiAffinityRule`); none if nothing is left.
fn own_affinity(mut affinity: Value) -> Option<Value> {
    if let Some(rules) = affinity.get_mut("podAntiAffinity").and_then(Value::as_object_mut) {
        for terms in rules.values_mut().filter_map(Value::as_array_mut) {
            terms.retain(|term| !is_injected(term.get("podAffinityTerm").unwrap_or(term)));
        }
        rules.retain(|_, terms| terms.as_array().is_none_or(|terms| !terms.is_empty()));
    }
    let kinds = affinity.as_object_mut()?;
    kinds.retain(|_, rules| rules.as_object().is_none_or(|rules| !rules.is_empty()));
    (!kinds.is_empty()).then_some(affinity)
}

fn is_injected(term: &Value) -> bool {
    let requirements = term["labelSelector"]["matchExpressions"].as_array();
    let mut requirements = requirements.into_iter().flatten();
    requirements.any(|requirement| requirement["key"] == argo::POD_TEMPLATE_HASH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest_with(annotations: &Value, template: &Value) -> u64 {
        let set = ObjectMeta {
            annotations: serde_json::from_value(annotations.clone()).unwrap(),
            ..ObjectMeta::default()
        };
        let template: argo::PodTemplate = serde_json::from_value(template.clone()).unwrap();
        let metadata = template.metadata.unwrap_or_default();
        let (annotations, labels) = (metadata.annotations, metadata.labels);
        let metadata = Metadata {
            annotations: &annotations.unwrap_or_default(),
            labels: &labels.unwrap_or_default(),
        };
        digest(&set, metadata, &template.spec.unwrap_or_default()).value()
    }

    fn spec_digest_of(template: &Value) -> u64 {
        let template: argo::PodTemplate = serde_json::from_value(template.clone()).unwrap();
        let metadata = template.metadata.unwrap_or_default();
        let (annotations, labels) = (metadata.annotations, metadata.labels);
        let metadata = Metadata {
            annotations: &annotations.unwrap_or_default(),
            labels: &labels.unwrap_or_default(),
        };
        spec_digest(&ObjectMeta::default(), metadata, &template.spec.unwrap_or_default()).value()
    }

    #[test]
    fn a_time_in_the_template_is_no_other_deployment_and_a_checksum_of_its_configuration_is() {
        let with = |key: &str, value: &str| {
            spec_digest_of(&json!({
                "metadata": { "annotations": { key: value }, "labels": { "build": value } },
                "spec": { "containers": [{ "name": "cart", "image": "example/cart:1.0.0" }] },
            }))
        };
        let plain = with("example.com/rendered-at", "2026-11-26T10:00:00Z");
        assert_eq!(plain, with("example.com/rendered-at", "2026-11-27T10:00:00Z"));
        assert_eq!(plain, with("rollme", "x7Kq2"));
        assert_ne!(with("checksum/config", "1"), with("checksum/config", "2"));
        assert_ne!(with("example.com/values", &"a".repeat(64)), plain);
        let env = json!({ "spec": { "containers": [{
            "name": "cart", "image": "example/cart:1.0.0", "env": [{ "name": "A", "value": "1" }],
        }] } });
        assert_ne!(spec_digest_of(&env), plain);
    }

    fn digest_of(template: &Value) -> u64 {
        digest_with(&json!({}), template)
    }

    fn template() -> Value {
        json!({
            "metadata": { "labels": { "app": "cart" }, "annotations": { "team": "shop" } },
            "spec": {
                "containers": [{
                    "name": "cart", "image": "example/cart:1",
                    "env": [{ "name": "A", "value": "1" }, { "name": "B", "valueFrom": { "fieldRef": {} } }],
                    "resources": { "limits": { "cpu": "1" } },
                }],
                "terminationGracePeriodSeconds": 30,
            },
        })
    }

    #[test]
    fn what_argo_adds_makes_no_other_template() {
        let plain = digest_of(&template());
        let mut argos = template();
        argos["metadata"]["labels"][argo::POD_TEMPLATE_HASH] = json!("abc");
        argos["metadata"]["labels"]["role"] = json!("canary");
        argos["metadata"]["annotations"]["note"] = json!("new");
        argos["spec"]["affinity"] = json!({ "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": { "matchExpressions": [{
                    "key": argo::POD_TEMPLATE_HASH, "operator": "In", "values": ["old"],
                }] },
                "topologyKey": "kubernetes.io/hostname",
            }],
            "preferredDuringSchedulingIgnoredDuringExecution": [{
                "weight": 1,
                "podAffinityTerm": { "labelSelector": { "matchExpressions": [{
                    "key": argo::POD_TEMPLATE_HASH, "operator": "In", "values": ["old"],
                }] } },
            }],
        } });
        let added = json!({
            argo::EPHEMERAL_METADATA:
                r#"{"labels":{"role":"canary"},"annotations":{"note":"new"}}"#,
        });
        assert_eq!(digest_with(&added, &argos), plain);
        // Without Argo's word they are the user's own.
        assert_ne!(digest_of(&argos), plain);
    }

    #[test]
    fn whatever_a_person_changes_makes_another_template() {
        let plain = digest_of(&template());
        let paths = [
            "/metadata/labels/app",
            "/metadata/annotations/team",
            "/spec/containers/0/name",
            "/spec/containers/0/image",
            "/spec/containers/0/env/0/value",
            "/spec/containers/0/env/1/name",
            "/spec/containers/0/resources/limits/cpu",
        ];
        for path in paths {
            let mut changed = template();
            *changed.pointer_mut(path).unwrap() = json!("other");
            assert_ne!(digest_of(&changed), plain, "{path}");
        }
        for (path, value) in [
            ("/spec/terminationGracePeriodSeconds", json!(31)),
            ("/spec/containers/0/env/1/valueFrom", json!({ "secretKeyRef": {} })),
        ] {
            let mut changed = template();
            *changed.pointer_mut(path).unwrap() = value;
            assert_ne!(digest_of(&changed), plain, "{path}");
        }
        let mut pinned = template();
        pinned["spec"]["affinity"] = json!({ "nodeAffinity": { "required": [1] } });
        assert_ne!(digest_of(&pinned), plain);
    }
}
