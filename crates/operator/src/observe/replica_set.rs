//! The ReplicaSet of a revision.

use std::collections::BTreeMap;

use api::argo::{self, ReplicaSet, TemplateMetadata};
use timeline::seen::{
    Container, EvidenceOwner, Metadata, NoWorkload, OwnedMetadata, ReplicaSetSeen, Template,
    Workload,
};
use timeline::{Kind, Observation};

use super::text::optional;
use super::{Observed, controller, created, facts, key, label, revision};

const REASON_LIMIT: usize = 128;
const MESSAGE_LIMIT: usize = 512;

impl Observed for ReplicaSet {
    const KIND: Kind = Kind::ReplicaSet;

    fn observe(self) -> Option<Observation> {
        // Experiments own ReplicaSets with the same labels; they are no revisions.
        let Some(EvidenceOwner::Rollout(rollout, rollout_uid)) = controller(&self.metadata) else {
            return None;
        };
        let hash = label(&self.metadata, argo::POD_TEMPLATE_HASH)?.to_owned();
        let spec = self.spec.unwrap_or_default();
        let (desired, template) = (spec.replicas, spec.template.unwrap_or_default());
        let spec = template.spec.unwrap_or_default();
        let TemplateMetadata { annotations, labels } = template.metadata.unwrap_or_default();
        let (annotations, labels) = (annotations.unwrap_or_default(), labels.unwrap_or_default());
        let facts = facts::of(
            &self.metadata,
            Metadata { annotations: &annotations, labels: &labels },
            &spec,
        );
        let containers = spec.containers.unwrap_or_default().into_iter().map(container).collect();
        let status = self.status.unwrap_or_default();
        let failure = status.conditions.into_iter().flatten().find(|condition| {
            condition.r#type.as_deref() == Some("ReplicaFailure")
                && condition.status.as_deref() == Some("True")
        });
        Some(Observation::ReplicaSet(ReplicaSetSeen {
            key: key(&self.metadata),
            uid: self.metadata.uid.clone()?.into(),
            rollout: rollout.into(),
            rollout_uid: rollout_uid.into(),
            hash: hash.into(),
            revision: revision(&self.metadata),
            created: created(&self.metadata),
            template: read_template(&annotations, &labels, containers),
            desired,
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            failure: failure.map(|condition| {
                let reason = optional(condition.reason, REASON_LIMIT);
                (reason, optional(condition.message, MESSAGE_LIMIT))
            }),
            facts,
        }))
    }
}

fn container(container: argo::Container) -> Container {
    Container {
        name: container.name.unwrap_or_default(),
        image: container.image.unwrap_or_default(),
        env: container
            .env
            .unwrap_or_default()
            .into_iter()
            .map(|env| (env.name.unwrap_or_default(), env.value.unwrap_or_default()))
            .collect(),
    }
}

fn read_template(
    annotations: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
    containers: Vec<Container>,
) -> Template {
    let none = OwnedMetadata::default();
    match Workload::of(Metadata { annotations, labels }, none.view(), &containers) {
        Err(NoWorkload::Unnamed) => Template::AskRollout(containers),
        decided => Template::Decided(decided),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(status: &Value) -> ReplicaSetSeen {
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": {
                "name": "cart-abc", "namespace": "ns", "uid": "u",
                "labels": { "rollouts-pod-template-hash": "abc" },
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "cart",
                    "uid": "r", "controller": true,
                }],
            },
            "status": status,
        }))
        .unwrap();
        match set.observe() {
            Some(Observation::ReplicaSet(seen)) => seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_quota_that_forbids_pods_is_read_while_it_does() {
        let failure = |status: &str| {
            seen(&json!({
                "readyReplicas": 3,
                "availableReplicas": 2,
                "conditions": [{
                    "type": "ReplicaFailure", "status": status, "reason": "FailedCreate",
                    "message": "exceeded quota",
                }],
            }))
        };
        let failed = failure("True");
        assert_eq!((failed.ready, failed.available), (3, 2));
        assert_eq!(failed.failure, Some(("FailedCreate".to_owned(), "exceeded quota".to_owned())));
        assert_eq!(failure("False").failure, None);
    }
}
