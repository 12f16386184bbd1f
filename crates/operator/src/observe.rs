//! Kubernetes' words become ours: the only file where they do.
//!
//! Texts of unbounded length are cut or refused here, so nothing behind this file has to mind them.

use std::collections::BTreeMap;

use api::RolloutTrace;
use api::argo::{self, ReplicaSet, Rollout};
use api::keptn::{self, KeptnAppContext, KeptnAppVersion, KeptnWorkloadVersion};
use api::rollout_trace as rtr;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::ObjectMeta;
use timeline::attempt::{Attempt, Follow, LinkState, Linked, Phase, Relation, Source, Trace};
use timeline::observation::{
    AppContextSeen, AppVersionSeen, OwnedMetadata, ReplicaSetSeen, RolloutSeen, RolloutTraceSeen,
    Settings, StoredTrace, Template, WorkloadVersionSeen,
};
use timeline::report::{Condition, Report};
use timeline::workload::{Container, Metadata, NoWorkload, Workload};
use timeline::{Key, Kind, Observation, Traceparent};

/// A kind that is watched, and how one of its objects is read.
pub trait Observed {
    /// Which kind it is.
    const KIND: Kind;

    /// What the object says; none if it does not concern us.
    fn observe(self) -> Option<Observation>;
}

/// Longer values decide nothing: Kubernetes' names end at 253.
const VALUE_LIMIT: usize = 1024;
/// Keptn's own limit of links on a span is 128; a longer list is nobody's intent.
const LINKS_LIMIT: usize = 1024;

impl Observed for Rollout {
    const KIND: Kind = Kind::Rollout;

    fn observe(self) -> Option<Observation> {
        let key = key(&self.metadata);
        let uid = self.metadata.uid.clone()?;
        let status = self.status.unwrap_or_default();
        let not_empty = |value: Option<String>| value.filter(|value| !value.is_empty());
        let completed = status.conditions.unwrap_or_default().into_iter().find_map(|condition| {
            if condition.r#type.as_deref() != Some("Completed") {
                return None;
            }
            Some((condition.status.as_deref() == Some("True"), condition.last_transition_time?))
        });
        Some(Observation::Rollout(RolloutSeen {
            uid,
            created: created(&self.metadata),
            revision: revision(&self.metadata),
            current_hash: not_empty(status.current_pod_hash),
            stable_hash: not_empty(status.stable_rs),
            abort: status.abort.unwrap_or(false),
            aborted_at: status.aborted_at,
            healthy: status.phase.as_deref() == Some("Healthy"),
            completed,
            metadata: OwnedMetadata {
                annotations: keptns(self.metadata.annotations),
                labels: keptns(self.metadata.labels),
            },
            progress: timeline::observation::Progress::default(),
            key,
        }))
    }
}

impl Observed for ReplicaSet {
    const KIND: Kind = Kind::ReplicaSet;

    fn observe(self) -> Option<Observation> {
        // Experiments own ReplicaSets with the same labels; they are no revisions.
        let owner = self
            .metadata
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true) && owner.kind == "Rollout")?;
        let (rollout, rollout_uid) = (owner.name.clone(), owner.uid.clone());
        let hash = self.metadata.labels.as_ref()?.get(argo::POD_TEMPLATE_HASH)?.clone();
        let template = self.spec.and_then(|spec| spec.template).unwrap_or_default();
        let metadata = template.metadata.unwrap_or_default();
        let containers = template.spec.unwrap_or_default().containers.unwrap_or_default();
        Some(Observation::ReplicaSet(ReplicaSetSeen {
            key: key(&self.metadata),
            uid: self.metadata.uid.clone()?,
            rollout,
            rollout_uid,
            hash,
            revision: revision(&self.metadata),
            created: created(&self.metadata),
            template: read_template(
                &metadata.annotations.unwrap_or_default(),
                &metadata.labels.unwrap_or_default(),
                containers.into_iter().map(container).collect(),
            ),
            available: 0,
            failure: None,
            facts: timeline::observation::RevisionFacts::default(),
        }))
    }
}

impl Observed for KeptnAppVersion {
    const KIND: Kind = Kind::AppVersion;

    fn observe(self) -> Option<Observation> {
        let (spec, status) = (self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        let text = |name: &str| status.phase_trace_ids.as_ref()?.get(name)?.get("traceparent");
        let phase = |name: &str| text(name)?.parse::<Traceparent>().ok();
        let broken = ["AppDeploy", "AppPreDeployTasks", "AppPreDeployEvaluations"]
            .into_iter()
            .find_map(|name| {
                let error = text(name)?.parse::<Traceparent>().err()?;
                Some(format!("phaseTraceIDs.{name}: {error}"))
            });
        let app_deploy = phase("AppDeploy");
        let current = status.current_phase.as_deref().unwrap_or_default();
        let before = current.is_empty() || current.starts_with("AppPreDeploy");
        let waiting = matches!(status.status.as_deref(), None | Some("" | "Pending"));
        Some(Observation::AppVersion(AppVersionSeen {
            key: key(&self.metadata),
            app: spec.app_name.unwrap_or_default(),
            workloads: spec
                .workloads
                .unwrap_or_default()
                .into_iter()
                .filter_map(|workload| Some((workload.name?, workload.version?)))
                .collect(),
            span_links: spec.span_links.unwrap_or_default(),
            created: created(&self.metadata),
            ended: status.end_time,
            deprecated: status.status.as_deref() == Some("Deprecated"),
            held: if before { !waiting } else { app_deploy.is_none() },
            before_deploy: phase("AppPreDeployTasks").or_else(|| phase("AppPreDeployEvaluations")),
            app_deploy,
            broken,
        }))
    }
}

impl Observed for KeptnWorkloadVersion {
    const KIND: Kind = Kind::WorkloadVersion;

    fn observe(self) -> Option<Observation> {
        let spec = self.spec.unwrap_or_default();
        Some(Observation::WorkloadVersion(WorkloadVersionSeen {
            key: key(&self.metadata),
            app: spec.app.unwrap_or_default(),
            workload: spec.workload_name.unwrap_or_default(),
            version: spec.version.unwrap_or_default(),
            replica_set_uid: spec.resource_reference.and_then(|reference| reference.uid),
            trace: spec.trace_id.as_ref().and_then(carrier),
        }))
    }
}

impl Observed for KeptnAppContext {
    const KIND: Kind = Kind::AppContext;

    fn observe(self) -> Option<Observation> {
        app_context(&self).map(Observation::AppContext)
    }
}

impl Observed for RolloutTrace {
    const KIND: Kind = Kind::RolloutTrace;

    fn observe(self) -> Option<Observation> {
        Some(Observation::RolloutTrace(Box::new(RolloutTraceSeen {
            key: key(&self.metadata),
            generation: self.metadata.generation,
            owners: self
                .metadata
                .owner_references
                .iter()
                .flatten()
                .map(|owner| owner.uid.clone())
                .collect(),
            settings: Settings {
                history: self
                    .spec
                    .history
                    .and_then(|n| usize::try_from(n).ok())
                    .unwrap_or(10)
                    .clamp(1, 50),
                observe_only: self.spec.mode == Some(rtr::Mode::Observe),
                keep_after_delete: self.spec.keep_after_delete.unwrap_or(false),
            },
            stored: self.status.and_then(stored),
        })))
    }
}

/// Reads a KeptnAppContext; also for the answers to our own writes.
pub fn app_context(context: &KeptnAppContext) -> Option<AppContextSeen> {
    let spec = context.spec.as_ref();
    let span_links = spec.and_then(|spec| spec.span_links.clone()).unwrap_or_default();
    if span_links.len() > LINKS_LIMIT {
        return None;
    }
    let ours = context.annotations().get(keptn::OURS);
    // An annotation that somebody broke marks nothing as ours: then nothing is ever removed.
    let ours = ours.and_then(|ours| serde_json::from_str::<Vec<String>>(ours).ok());
    Some(AppContextSeen {
        key: key(&context.metadata),
        resource_version: context.resource_version()?,
        span_links,
        ours: ours.unwrap_or_default(),
    })
}

/// Namespace and name of an object.
pub fn key(metadata: &ObjectMeta) -> Key {
    Key::new(
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

fn created(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| time.0)
}

fn revision(metadata: &ObjectMeta) -> Option<i64> {
    metadata.annotations.as_ref()?.get(argo::REVISION)?.parse().ok().filter(|n| *n > 0)
}

fn carrier(carrier: &BTreeMap<String, String>) -> Option<Traceparent> {
    carrier.get("traceparent")?.parse().ok()
}

/// The keys that Keptn reads, and no value that is too long to decide anything.
fn keptns(map: Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut map = map.unwrap_or_default();
    map.retain(|key, _| key.starts_with("keptn.sh/") || key.starts_with("app.kubernetes.io/"));
    for value in map.values_mut() {
        value.truncate(value.floor_char_boundary(VALUE_LIMIT));
    }
    map
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

fn stored(status: rtr::RolloutTraceStatus) -> Option<StoredTrace> {
    let rollout_uid = status.rollout_uid?;
    let attempts: Vec<Attempt> = status.chain.into_iter().map(attempt).collect();
    let condition = |name: &str| {
        let found = status.conditions.iter().find(|condition| condition.type_ == name)?;
        Some(Condition {
            status: match found.status.as_str() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            },
            reason: found.reason.clone(),
            message: found.message.clone(),
            since: found.last_transition_time.0,
        })
    };
    let report = Report {
        rollout_uid: rollout_uid.clone(),
        observed_generation: status.observed_generation,
        attempts: attempts.clone(),
        observed: condition("Observed")?,
        linked: condition("Linked")?,
    };
    Some(StoredTrace { rollout_uid, attempts, report })
}

fn attempt(entry: rtr::ChainEntry) -> Attempt {
    let keptn = entry.keptn;
    Attempt {
        revision: entry.revision,
        hash: entry.hash,
        number: u32::try_from(entry.attempt).unwrap_or(1),
        replica_set: entry.replica_set,
        phase: match entry.phase {
            rtr::Phase::Progressing => Phase::Progressing,
            rtr::Phase::Promoted => Phase::Promoted,
            rtr::Phase::Aborted => Phase::Aborted,
            rtr::Phase::Superseded => Phase::Superseded,
            rtr::Phase::Reverted => Phase::Reverted,
            rtr::Phase::Deleted => Phase::Deleted,
            rtr::Phase::Unknown => Phase::Unknown,
        },
        started: entry.started,
        started_source: match entry.started_source {
            rtr::Source::Observed => Source::Observed,
            rtr::Source::Status => Source::Status,
            rtr::Source::Event => Source::Event,
            rtr::Source::Inferred => Source::Inferred,
        },
        ended: entry.ended,
        follows: entry.follows.into_iter().map(follow).collect(),
        linked: Linked { state: link_state(entry.linked.state), reason: entry.linked.reason },
        trace: keptn.as_ref().and_then(|keptn| {
            Some(Trace {
                traceparent: keptn.traceparent.as_ref()?.parse().ok()?,
                app_version: keptn.app_version.clone(),
                workload_version: keptn.workload_version.clone(),
            })
        }),
        workload: keptn.map(|keptn| Workload {
            app: keptn.app,
            name: keptn.workload,
            version: keptn.version,
            hashed: keptn.version_hashed,
        }),
    }
}

fn follow(follow: rtr::Follow) -> Follow {
    Follow {
        revision: follow.revision,
        hash: follow.hash,
        number: u32::try_from(follow.attempt).unwrap_or(1),
        version: follow.version,
        relation: match follow.relation {
            rtr::Relation::Successor => Relation::Successor,
            rtr::Relation::Rollback => Relation::Rollback,
            rtr::Relation::RetryAfter => Relation::RetryAfter,
            rtr::Relation::Supersedes => Relation::Supersedes,
            rtr::Relation::After => Relation::After,
        },
        trace: follow.traceparent.and_then(|traceparent| traceparent.parse().ok()),
    }
}

fn link_state(state: rtr::LinkState) -> LinkState {
    match state {
        rtr::LinkState::None => LinkState::None,
        rtr::LinkState::Requested => LinkState::Requested,
        rtr::LinkState::Applied => LinkState::Applied,
        rtr::LinkState::Lost => LinkState::Lost,
    }
}
