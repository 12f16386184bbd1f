//! What labels and annotations say about a revision. Keys are listed here, those about its
//! commit in [`timeline::seen::commit`].

use std::collections::BTreeMap;

use api::argo::PodSpec;
use jiff::Timestamp;
use kube::core::ObjectMeta;
use smol_str::SmolStr;
use timeline::seen::commit::Commit;
use timeline::seen::{Metadata, RevisionFacts};

use super::template;
use super::text::bounded;

/// Where a fact is looked for. The first key that stands anywhere with a usable value decides;
/// of one key the first of: annotation of the ReplicaSet, annotation of the template, label of the
/// template, label of the ReplicaSet. Argo copies annotations of the Rollout to the ReplicaSet.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// Name of it, as a RolloutAttempt stores it.
    pub name: &'static str,
    /// Keys, the first one first.
    pub keys: &'static [&'static str],
    /// Most bytes that are kept of it.
    pub limit: usize,
}

/// Rules of OpenTelemetry, semantic-conventions docs/non-normative/k8s-attributes.md; then Keptn's.
const SERVICE: Fact = Fact {
    name: "service",
    keys: &[
        "resource.opentelemetry.io/service.name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/name",
        "keptn.sh/workload",
    ],
    limit: 128,
};
const VERSION: Fact = Fact {
    name: "version",
    keys: &[
        "resource.opentelemetry.io/service.version",
        "app.kubernetes.io/version",
        "keptn.sh/version",
        "org.opencontainers.image.version",
    ],
    limit: 128,
};
const ENVIRONMENT: Fact = Fact {
    name: "environment",
    keys: &[
        "throughline.dev/environment",
        "resource.opentelemetry.io/deployment.environment.name",
        "resource.opentelemetry.io/deployment.environment",
    ],
    limit: 64,
};

/// All of them; what belongs to the commit is listed in [`timeline::seen::commit`].
pub const FACTS: [Fact; 3] = [SERVICE, VERSION, ENVIRONMENT];

const IMAGES_LIMIT: usize = 16;
const IMAGE_LIMIT: usize = 256;

/// What the metadata of a ReplicaSet and its template say.
pub(super) fn of(
    replica_set: &ObjectMeta,
    metadata: Metadata<'_>,
    spec: &PodSpec,
) -> RevisionFacts {
    let empty = BTreeMap::new();
    let places = [
        replica_set.annotations.as_ref().unwrap_or(&empty),
        metadata.annotations,
        metadata.labels,
        replica_set.labels.as_ref().unwrap_or(&empty),
    ];
    let text = |fact: Fact| look_up(&places, fact);
    // Whether a time lies in the future is asked when it is looked at: there is no clock here.
    let commit = Commit::of(&places, Timestamp::MAX);
    RevisionFacts {
        service: text(SERVICE).map(Into::into),
        version: text(VERSION).map(Into::into),
        environment: text(ENVIRONMENT).map(Into::into),
        commit: commit.commit.map(|sourced| sourced.value).map(Into::into),
        commit_time: commit.time,
        hotfix: commit.hotfix,
        repository: commit.repository.map(|sourced| sourced.value).map(Into::into),
        author: commit.author.map(|sourced| sourced.value).map(Into::into),
        origin: commit.traceparent.map(|sourced| sourced.value),
        images: images(spec),
        template_digest: template::digest(replica_set, metadata, spec).value(),
        spec_digest: template::spec_digest(replica_set, metadata, spec).value(),
    }
}

fn look_up(places: &[&BTreeMap<String, String>], fact: Fact) -> Option<String> {
    let values = fact.keys.iter().flat_map(|key| places.iter().filter_map(|place| place.get(*key)));
    let mut values = values.map(|value| value.trim()).filter(|value| !value.is_empty());
    values.next().map(|value| bounded(value.to_owned(), fact.limit))
}

fn images(spec: &PodSpec) -> Vec<SmolStr> {
    let containers = spec.containers.iter().flatten().take(IMAGES_LIMIT);
    containers
        .map(|container| {
            let name = container.name.as_deref().unwrap_or_default();
            let image = container.image.as_deref().unwrap_or_default();
            bounded(format!("{name}={image}"), IMAGE_LIMIT).into()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use api::argo;
    use serde_json::{Value, json};
    use timeline::seen::commit::{CommitTime, Keys, Refusal};
    use timeline::seen::{ReplicaSetSeen, commit};

    use super::super::Observed as _;
    use super::*;

    const TRACEPARENT: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

    fn seen(annotations: &Value, labels: &Value, template: &Value) -> ReplicaSetSeen {
        let mut labels = labels.clone();
        labels[argo::POD_TEMPLATE_HASH] = json!("abc");
        let set: argo::ReplicaSet = serde_json::from_value(json!({
            "metadata": {
                "name": "cart-abc", "namespace": "ns", "uid": "u",
                "annotations": annotations, "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "cart",
                    "uid": "r", "controller": true,
                }],
            },
            "spec": { "template": template },
        }))
        .unwrap();
        match set.observe() {
            Some(timeline::Observation::ReplicaSet(seen)) => seen,
            other => panic!("{other:?}"),
        }
    }

    fn facts(annotations: &Value, labels: &Value, template: &Value) -> RevisionFacts {
        seen(annotations, labels, template).facts
    }

    #[test]
    fn each_fact_is_read_from_each_of_its_keys() {
        for fact in FACTS {
            for key in fact.keys {
                let read = facts(&json!({ *key: "value" }), &json!({}), &json!({}));
                let found = match fact.name {
                    "service" => read.service,
                    "version" => read.version,
                    "environment" => read.environment,
                    name => panic!("{name} is not checked"),
                };
                assert_eq!(found.as_deref(), Some("value"), "{key}");
            }
        }
    }

    #[test]
    fn each_fact_of_the_commit_is_read_from_each_of_its_keys() {
        let of = |keys: Keys, value: &str, fact: fn(RevisionFacts) -> Option<String>| {
            for (key, _) in keys.keys {
                let read = facts(&json!({ *key: value }), &json!({}), &json!({}));
                let found = fact(read).unwrap_or_default();
                assert_eq!(found, value, "{key}");
            }
        };
        of(commit::COMMIT, "value", |read| read.commit.map(|it| it.to_string()));
        of(commit::REPOSITORY, "value", |read| read.repository.map(|it| it.to_string()));
        of(commit::AUTHOR, "value", |read| read.author.map(|it| it.to_string()));
        of(commit::TRACEPARENT, TRACEPARENT, |read| read.origin.map(|it| it.to_string()));
        of(commit::COMMIT_TIME, "2026-11-20T09:00:00Z", |read| match read.commit_time {
            CommitTime::At(at, _) => Some(at.to_string()),
            _ => None,
        });
        let hotfix =
            |value| facts(&json!({ commit::HOTFIX: value }), &json!({}), &json!({})).hotfix;
        assert!(hotfix("true") && !hotfix("false"));
    }

    #[test]
    fn of_one_key_the_replica_sets_annotation_decides_then_the_template_then_its_label() {
        let key = "throughline.dev/commit";
        let template = json!({ "metadata": {
            "annotations": { key: "b" }, "labels": { key: "c" },
        } });
        let only_label = json!({ "metadata": { "labels": { key: "c" } } });
        let commit = |annotations, labels, template| facts(annotations, labels, template).commit;
        let (a, d, none) = (json!({ key: "a" }), json!({ key: "d" }), json!({}));
        assert_eq!(commit(&a, &d, &template).as_deref(), Some("a"));
        assert_eq!(commit(&none, &d, &template).as_deref(), Some("b"));
        assert_eq!(commit(&none, &d, &only_label).as_deref(), Some("c"));
        assert_eq!(commit(&none, &d, &none).as_deref(), Some("d"));
        assert_eq!(commit(&none, &none, &none), None);
        let empty = json!({ key: " " });
        assert_eq!(commit(&empty, &d, &none).as_deref(), Some("d"));
    }

    #[test]
    fn a_key_of_ours_goes_before_a_convention() {
        let annotations = json!({
            "org.opencontainers.image.revision": "image", "throughline.dev/commit": "ours",
        });
        assert_eq!(facts(&annotations, &json!({}), &json!({})).commit.as_deref(), Some("ours"));
    }

    #[test]
    fn what_cannot_be_right_is_no_fact() {
        for (time, why) in [
            ("yesterday", Refusal::NotATime),
            ("1970-01-01T00:00:00Z", Refusal::BeforeRepository),
            ("1732180000", Refusal::NotATime),
        ] {
            let read =
                facts(&json!({ "throughline.dev/commit-time": time }), &json!({}), &json!({}));
            assert_eq!(read.commit_time, CommitTime::Refused(why), "{time}");
        }
        let broken = json!({
            "throughline.dev/traceparent": "00-xyz",
            "tekton.dev/pipelinerunSpanContext": format!(r#"{{"traceparent":"{TRACEPARENT}"}}"#),
        });
        let origin = facts(&broken, &json!({}), &json!({})).origin;
        assert_eq!(origin.map(|origin| origin.to_string()).as_deref(), Some(TRACEPARENT));
    }

    #[test]
    fn values_are_bounded_and_on_one_line() {
        let annotations = json!({
            "throughline.dev/author": format!("Ada\n{}", "x".repeat(1_000_000)),
        });
        let author = facts(&annotations, &json!({}), &json!({})).author.unwrap();
        assert!(author.starts_with("Ada x") && author.len() == 128);
        let containers = vec![json!({ "name": "c", "image": "i".repeat(5000) }); 100];
        let images =
            facts(&json!({}), &json!({}), &json!({ "spec": { "containers": containers } }));
        assert_eq!((images.images.len(), images.images[0].len()), (16, 256));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused_with_their_object_and_what_stands_for_them_is_kept() {
        let set = |author: &[u8]| {
            let begin = br#"{"metadata":{"name":"cart-abc","namespace":"ns","uid":"u",
                "labels":{"rollouts-pod-template-hash":"abc"},
                "ownerReferences":[{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout",
                    "name":"cart","uid":"r","controller":true}],
                "annotations":{"throughline.dev/author":""#;
            let object = [&begin[..], author, br#""}}}"#].concat();
            serde_json::from_slice::<argo::ReplicaSet>(&object)
        };
        for broken in [&b"Ada \xff"[..], b"\xc3\x28", b"\xed\xa0\x80", br"\ud800"] {
            assert!(set(broken).is_err(), "{}", broken.escape_ascii());
        }
        // What the API server makes of them.
        let author = match set("Ada \u{fffd}".as_bytes()).unwrap().observe() {
            Some(timeline::Observation::ReplicaSet(seen)) => seen.facts.author,
            other => panic!("{other:?}"),
        };
        assert_eq!(author.as_deref(), Some("Ada \u{fffd}"));
    }
}
