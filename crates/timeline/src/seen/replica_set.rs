//! A ReplicaSet of a Rollout.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::commit::CommitTime;
use super::{Container, NoWorkload, RolloutSeen, Workload};
use crate::base::{Key, Traceparent};

/// A ReplicaSet of a Rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSetSeen {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`
    pub uid: SmolStr,
    /// Name of the Rollout that controls it.
    pub rollout: SmolStr,
    /// UID of that Rollout.
    pub rollout_uid: SmolStr,
    /// Label `rollouts-pod-template-hash`.
    pub hash: SmolStr,
    /// Annotation `rollout.argoproj.io/revision`.
    pub revision: Option<i64>,
    /// `metadata.creationTimestamp`
    pub created: Option<Timestamp>,
    /// What Keptn sees in its template, as far as the template alone shows it.
    pub template: Template,
    /// `spec.replicas`
    pub desired: Option<i32>,
    /// `status.readyReplicas`: what is behind the Service, available or not.
    pub ready: i32,
    /// `status.availableReplicas`
    pub available: i32,
    /// The condition ReplicaFailure, while it is true: reason and message, cut to 512 bytes.
    pub failure: Option<(String, String)>,
    /// Facts of the revision from its labels and annotations.
    pub facts: RevisionFacts,
}

impl ReplicaSetSeen {
    /// Whether it was there when its Rollout was created: another one had made it, and a Rollout
    /// that is made again takes it over (argo-rollouts rollout/sync.go, `FoundNewReplicaSet`).
    pub fn is_inherited(&self, rollout: &RolloutSeen) -> bool {
        self.created.zip(rollout.created).is_some_and(|(set, rollout)| set < rollout)
    }
}

/// What the metadata of a ReplicaSet, its template and its Rollout say about a revision. Which keys
/// are read is listed in the operator's `facts.rs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionFacts {
    /// Name of the service (`service.name`).
    pub service: Option<SmolStr>,
    /// Version of the service (`service.version`).
    pub version: Option<SmolStr>,
    /// Deployment environment.
    pub environment: Option<SmolStr>,
    /// Commit of the source.
    pub commit: Option<SmolStr>,
    /// When it was made, by what can be right at any time: a look adds that it lies in the future.
    pub commit_time: CommitTime,
    /// It is declared to mend what it replaces.
    pub hotfix: bool,
    /// Repository of the source.
    pub repository: Option<SmolStr>,
    /// Who made the change.
    pub author: Option<SmolStr>,
    /// Traceparent of the run that delivered it.
    pub origin: Option<Traceparent>,
    /// Images of the containers, `container=image`, at most 16.
    pub images: Vec<SmolStr>,
    /// Digest of the template without what Argo and its upgrades add to it: equal digests are
    /// equal deployments.
    pub template_digest: u64,
    /// The same without labels and annotations that change nothing of what runs; 0 if not known.
    pub spec_digest: u64,
}

/// What Keptn sees in a pod template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Template {
    /// The template names its workload: nothing else is asked.
    Decided(Result<Workload, NoWorkload>),
    /// The template names none, so the Rollout's metadata decides, over these containers.
    AskRollout(Vec<Container>),
}
