//! A journal as data. docs/cli.md names the fields; they are added to and never renamed.

use api::RolloutTrace;
use serde_json::{Value, json};
use timeline::base::{Moment, attempt_name};
use timeline::journal::{Analysis, Journal, Metric, Service};

use super::render::entry_of;
use crate::journal::{moment_of, status};

/// What the page says, with times and their sources; null where nothing is known.
pub fn data(journal: &Journal, trace: Option<&RolloutTrace>) -> Value {
    let identity = &journal.identity;
    // What is no line of text is there as it is stored.
    let stored = status(journal);
    let ended = journal.ended.map(|ended| ended.at.duration_since(journal.started.at));
    let keptn = entry_of(journal, trace)
        .map(|entry| json!({ "follows": entry.follows, "link": entry.linked }));
    json!({
        "name": attempt_name(identity),
        "namespace": identity.rollout.namespace,
        "rollout": identity.rollout.name,
        "rolloutUid": identity.rollout_uid,
        "hash": identity.hash,
        "revision": identity.revision,
        "attempt": identity.number,
        "phase": stored.phase,
        "outcome": stored.outcome,
        "durationSeconds": ended.map(|length| length.as_secs_f64()),
        "exposed": stored.exposed,
        "exposedAt": stored.exposed_at,
        "started": stored.started,
        "ended": stored.ended,
        "settled": stored.settled.or(stored.recovered),
        "failure": stored.failure,
        "facts": stored.facts,
        "trace": stored.trace,
        "links": stored.links,
        "keptn": keptn,
        "maxWeight": stored.max_weight,
        "steps": of_all(&journal.steps, |step| json!({
            "index": step.index,
            "kind": step.kind,
            "setting": step.setting,
            "result": format!("{:?}", step.result),
            "started": at(&step.started),
            "ended": step.ended.as_ref().map(at),
        })),
        "pauses": of_all(&journal.pauses, |pause| json!({
            "step": pause.step,
            "kind": format!("{:?}", pause.kind),
            "plannedSeconds": pause.planned,
            "resumedBy": pause.resumed_by.map(|by| format!("{by:?}")),
            "started": at(&pause.started),
            "ended": pause.ended.as_ref().map(at),
        })),
        "analyses": of_all(&journal.analyses, analysis),
        "experiments": of_all(&journal.experiments, |experiment| json!({
            "name": experiment.name,
            "uid": experiment.uid,
            "step": experiment.step,
            "phase": format!("{:?}", experiment.phase),
            "message": experiment.message,
            "started": at(&experiment.started),
            "ended": experiment.ended.as_ref().map(at),
        })),
        "weights": of_all(&journal.weights, |weight| json!({
            "percent": weight.percent,
            "started": at(&weight.started),
            "ended": weight.ended.as_ref().map(at),
        })),
        "switches": of_all(&journal.switches, |switch| json!({
            "service": match switch.service { Service::Preview => "Preview", Service::Active => "Active" },
            "toNew": switch.to_new,
            "at": at(&switch.at),
        })),
        "marks": of_all(&journal.marks, |mark| json!({
            "kind": format!("{:?}", mark.kind),
            "note": mark.note,
            "at": at(&mark.at),
        })),
        "leftOut": journal.cut,
        "exported": {
            "spans": journal.exported.until,
            "of": journal.closed,
            "refused": journal.exported.refused,
            "refusal": journal.exported.refusal,
        },
    })
}

fn of_all<T>(all: &[T], one: impl FnMut(&T) -> Value) -> Value {
    all.iter().map(one).collect()
}

fn at(moment: &Moment) -> Value {
    json!(moment_of(moment))
}

fn analysis(analysis: &Analysis) -> Value {
    json!({
        "name": analysis.name,
        "uid": analysis.uid,
        "kind": format!("{:?}", analysis.kind),
        "step": analysis.step,
        "phase": format!("{:?}", analysis.phase),
        "message": analysis.message,
        "started": at(&analysis.started),
        "ended": analysis.ended.as_ref().map(at),
        "metrics": of_all(&analysis.metrics, metric),
    })
}

fn metric(metric: &Metric) -> Value {
    json!({
        "name": metric.name,
        "phase": format!("{:?}", metric.phase),
        "message": metric.message,
        "dryRun": metric.dry_run,
        "count": metric.count,
        "failed": metric.failed,
        "measurements": of_all(&metric.measurements, |one| json!({
            "value": one.value,
            "phase": format!("{:?}", one.phase),
            "message": one.message,
            "started": at(&one.started),
            "ended": at(&one.ended),
        })),
    })
}
