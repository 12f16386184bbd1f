//! Our own objects, as an earlier process left them.

use std::sync::Arc;

use api::rollout_trace as rtr;
use api::{RolloutAttempt, RolloutTrace};
use jiff::Timestamp;
use timeline::base::{Phase, Source};
use timeline::chain::{Attempt, Follow, LinkState, Linked, Relation, Trace};
use timeline::seen::{InvalidSeen, Workload};
use timeline::stored::{Condition, Report, RolloutAttemptSeen, RolloutTraceSeen, Settings};
use timeline::{Kind, Observation};

use super::{Observed, key};
use crate::journal::ReadError;
use crate::{dora, journal};

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
                .map(|owner| owner.uid.as_str().into())
                .collect(),
            settings: Settings {
                history: self
                    .spec
                    .history
                    .and_then(|n| usize::try_from(n).ok())
                    .unwrap_or(10)
                    .clamp(1, 50),
                attempts: self
                    .spec
                    .attempts
                    .and_then(|n| usize::try_from(n).ok())
                    .unwrap_or(5)
                    .min(50),
                observe_only: self.spec.mode == Some(rtr::Mode::Observe),
                keep_after_delete: self.spec.keep_after_delete.unwrap_or(false),
                dora: dora::settings(&self.spec),
            },
            stored: self
                .status
                .and_then(|status| stored(status, dora::settings(&self.spec)).map(Box::new)),
        })))
    }
}

impl Observed for RolloutAttempt {
    const KIND: Kind = Kind::RolloutAttempt;

    fn observe(self) -> Option<Observation> {
        Some(match attempt_seen(&self) {
            Ok(seen) => Observation::RolloutAttempt(Box::new(seen)),
            Err(error) => Observation::Invalid(
                Self::KIND,
                InvalidSeen {
                    key: key(&self.metadata),
                    uid: self.metadata.uid,
                    problem: error.problem.to_string(),
                },
            ),
        })
    }
}

/// What a stored RolloutAttempt says.
pub(crate) fn attempt_seen(object: &RolloutAttempt) -> Result<RolloutAttemptSeen, ReadError> {
    Ok(RolloutAttemptSeen {
        key: key(&object.metadata),
        resource_version: object.metadata.resource_version.clone().unwrap_or_default(),
        journal: journal::read(object)?,
    })
}

fn stored(status: rtr::RolloutTraceStatus, settings: timeline::dora::Settings) -> Option<Report> {
    let ledger = dora::ledger(&status).map(Arc::new);
    let at = status.dora.as_ref().map_or(Timestamp::UNIX_EPOCH, |dora| dora.as_of);
    let rollout_uid = status.rollout_uid?;
    let mut attempts: Vec<_> =
        status.chain.into_iter().map(|entry| Arc::new(attempt(entry))).collect();
    // It took the place of the entries, which are much larger.
    attempts.shrink_to_fit();
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
    Some(Report {
        rollout_uid: rollout_uid.into(),
        observed_generation: status.observed_generation,
        attempts,
        ledger,
        dora: settings,
        at,
        observed: condition("Observed")?,
        linked: condition("Linked")?,
        // A RolloutTrace of an earlier version has none: it is written again.
        exported: condition("Exported").unwrap_or_else(|| Condition {
            status: None,
            reason: String::new(),
            message: String::new(),
            since: Timestamp::UNIX_EPOCH,
        }),
    })
}

fn attempt(entry: rtr::ChainEntry) -> Attempt {
    let keptn = entry.keptn;
    Attempt {
        revision: entry.revision,
        hash: entry.hash.into(),
        number: u32::try_from(entry.attempt).unwrap_or(1),
        replica_set: entry.replica_set.map(Into::into),
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
        reason: entry.reason.map(Into::into),
        follows: entry.follows.into_iter().map(follow).collect(),
        linked: Linked {
            state: link_state(entry.linked.state),
            reason: entry.linked.reason.into(),
        },
        trace: keptn.as_ref().and_then(|keptn| {
            Some(Trace {
                traceparent: keptn.traceparent.as_ref()?.parse().ok()?,
                app_version: keptn.app_version.clone().map(Into::into),
                workload_version: keptn.workload_version.clone().map(Into::into),
            })
        }),
        workload: keptn.map(|keptn| Workload {
            app: keptn.app.into(),
            name: keptn.workload.into(),
            version: keptn.version.into(),
            hashed: keptn.version_hashed,
        }),
    }
}

fn follow(follow: rtr::Follow) -> Follow {
    Follow {
        revision: follow.revision,
        hash: follow.hash.into(),
        number: u32::try_from(follow.attempt).unwrap_or(1),
        version: follow.version.map(Into::into),
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
