//! A report of the pure core as `RolloutTrace.status`.

use std::sync::Arc;

use api::rollout_trace as rtr;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as KubeCondition, Time};
use smol_str::SmolStr;
use timeline::base::{Phase, Source};
use timeline::chain::{Attempt, Follow, LinkState, Relation, Trace};
use timeline::stored::{Condition, Report};

use crate::dora;

/// The status that says what the report says.
pub fn status(report: &Report) -> rtr::RolloutTraceStatus {
    let mut status = rtr::RolloutTraceStatus {
        rollout_uid: Some(report.rollout_uid.to_string()),
        observed_generation: report.observed_generation,
        head: report.attempts.first().map(|newest| head(newest, &report.attempts)),
        chain: report.attempts.iter().map(|attempt| entry(attempt)).collect(),
        conditions: vec![
            condition("Observed", &report.observed, report.observed_generation),
            condition("Linked", &report.linked, report.observed_generation),
            condition("Exported", &report.exported, report.observed_generation),
        ],
        ..rtr::RolloutTraceStatus::default()
    };
    dora::write(report, &mut status);
    status
}

fn head(newest: &Attempt, attempts: &[Arc<Attempt>]) -> rtr::Head {
    let named = |version: Option<&str>, hash: &str| version.unwrap_or(hash).to_owned();
    let follows = newest.follows.iter();
    let follows: Vec<String> =
        follows.map(|follow| named(follow.version.as_deref(), &follow.hash)).collect();
    rtr::Head {
        revision: newest.revision,
        version: named(newest.version(), &newest.hash),
        phase: phase(newest.phase),
        follows: if follows.is_empty() { "-".to_owned() } else { follows.join(", ") },
        linked: link_state(newest.linked.state),
        last_outcome: attempts.iter().find(|attempt| !attempt.open()).map_or_else(
            || "-".to_owned(),
            |over| {
                let version = named(over.version(), &over.hash);
                match &over.reason {
                    Some(reason) => format!("{version} {}: {reason}", over.phase),
                    None => format!("{version} {}", over.phase),
                }
            },
        ),
        trace_id: match &newest.trace {
            Some(trace) => trace.traceparent.trace_id().to_string(),
            None => "-".to_owned(),
        },
    }
}

fn entry(attempt: &Attempt) -> rtr::ChainEntry {
    let named = |name: fn(&Trace) -> Option<&SmolStr>| {
        attempt.trace.as_ref().and_then(name).map(ToString::to_string)
    };
    rtr::ChainEntry {
        revision: attempt.revision,
        hash: attempt.hash.to_string(),
        attempt: i32::try_from(attempt.number).unwrap_or(i32::MAX),
        replica_set: attempt.replica_set.as_ref().map(ToString::to_string),
        phase: phase(attempt.phase),
        started: attempt.started,
        started_source: match attempt.started_source {
            Source::Observed => rtr::Source::Observed,
            Source::Status => rtr::Source::Status,
            Source::Event => rtr::Source::Event,
            Source::Inferred => rtr::Source::Inferred,
        },
        ended: attempt.ended,
        reason: attempt.reason.as_ref().map(ToString::to_string),
        follows: attempt.follows.iter().map(follow).collect(),
        linked: rtr::Linked {
            state: link_state(attempt.linked.state),
            reason: attempt.linked.reason.to_string(),
        },
        keptn: attempt.workload.as_ref().map(|workload| rtr::Keptn {
            app: workload.app.to_string(),
            workload: workload.name.to_string(),
            version: workload.version.to_string(),
            version_hashed: workload.hashed,
            traceparent: attempt.trace.as_ref().map(|trace| trace.traceparent.to_string()),
            app_version: named(|trace| trace.app_version.as_ref()),
            workload_version: named(|trace| trace.workload_version.as_ref()),
        }),
    }
}

fn follow(follow: &Follow) -> rtr::Follow {
    rtr::Follow {
        revision: follow.revision,
        hash: follow.hash.to_string(),
        attempt: i32::try_from(follow.number).unwrap_or(i32::MAX),
        version: follow.version.as_ref().map(ToString::to_string),
        relation: match follow.relation {
            Relation::Successor => rtr::Relation::Successor,
            Relation::Rollback => rtr::Relation::Rollback,
            Relation::RetryAfter => rtr::Relation::RetryAfter,
            Relation::Supersedes => rtr::Relation::Supersedes,
            Relation::After => rtr::Relation::After,
        },
        traceparent: follow.trace.map(|trace| trace.to_string()),
    }
}

pub(crate) fn phase(phase: Phase) -> rtr::Phase {
    match phase {
        Phase::Progressing => rtr::Phase::Progressing,
        Phase::Promoted => rtr::Phase::Promoted,
        Phase::Aborted => rtr::Phase::Aborted,
        Phase::Superseded => rtr::Phase::Superseded,
        Phase::Reverted => rtr::Phase::Reverted,
        Phase::Deleted => rtr::Phase::Deleted,
        Phase::Unknown => rtr::Phase::Unknown,
    }
}

fn link_state(state: LinkState) -> rtr::LinkState {
    match state {
        LinkState::None => rtr::LinkState::None,
        LinkState::Requested => rtr::LinkState::Requested,
        LinkState::Applied => rtr::LinkState::Applied,
        LinkState::Lost => rtr::LinkState::Lost,
    }
}

fn condition(name: &str, condition: &Condition, generation: Option<i64>) -> KubeCondition {
    KubeCondition {
        type_: name.to_owned(),
        status: match condition.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
        .to_owned(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        last_transition_time: Time(condition.since),
        observed_generation: generation,
    }
}
