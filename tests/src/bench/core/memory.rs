//! What an idle Rollout weighs: a process of its own reads very many of them, as after a restart,
//! and prints how much its resident memory grew.

use std::collections::BTreeMap;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use timeline::Kind;

use super::model::{Model, observed, read};
use super::story;
use crate::bench::{Error, process};
use crate::operator::ALLOCATOR;

/// Revisions of each Rollout, the live one among them.
pub(super) const REVISIONS: u32 = 10;
/// The Rollout that the others are copied from: digits that nothing else has.
const SAMPLE: usize = 98_765;
/// Rollouts that are read before it counts: what is made once is made for them.
const WARM_UP: usize = 200;

/// What there is of each Rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// One revision, which is live.
    Live,
    /// Ten in its RolloutTrace; Argo keeps the ReplicaSet of the live one only.
    Chain,
    /// The ReplicaSets of all ten.
    ReplicaSets,
    /// Keptn's objects for all ten, too.
    Keptn,
    /// A full ledger alone.
    Ledger,
}

/// Objects of one Rollout, to be copied.
struct Sample {
    objects: Vec<(Kind, String)>,
    at: Timestamp,
}

/// Bytes by which the resident memory of this process grows when it reads so many Rollouts.
pub fn weigh(shape: Shape, rollouts: usize) -> Result<u64, Error> {
    if shape == Shape::Ledger {
        return super::ledgers::weigh(rollouts);
    }
    let sample = sample(shape)?;
    let mut model = Model::new(shape == Shape::Keptn, sample.at);
    let mut at = sample.at;
    let mut before = 0;
    for number in 0..WARM_UP + rollouts {
        if number == WARM_UP {
            // What those read so far took while they were awake is not counted as theirs.
            at += SignedDuration::from_mins(1);
            model.wait(at);
            before = process::memory(std::process::id())?.resident;
        }
        at += SignedDuration::from_millis(5);
        model.wait(at);
        for (kind, text) in &sample.objects {
            let text = text.replace(&SAMPLE.to_string(), &format!("{number:05}"));
            let read = read(*kind, &text).ok_or(Error::Sample { kind: kind.resource() })?;
            // As at a start: what there is of a Rollout is known before anything is done about it.
            model.engine.observe(read, at);
        }
        model.act(at);
    }
    model.wait(at + SignedDuration::from_mins(1));
    let writes = model.writes;
    if writes.attempts + writes.reports + writes.contexts > 0 {
        return Err(Error::NotIdle { writes: format!("{writes:?}") });
    }
    Ok(process::memory(std::process::id())?.resident.saturating_sub(before))
}

/// The same, by a process of its own.
pub(super) fn measure(shape: Shape, rollouts: usize) -> Result<u64, Error> {
    let name = clap::ValueEnum::to_possible_value(&shape).unwrap_or_default();
    let failed = |reason: String| Error::Weighing { reason };
    let this = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut child = Command::new(this);
    child.envs([ALLOCATOR]);
    child.args(["--weigh", name.get_name(), "--rollouts", &rollouts.to_string()]);
    let output = child.output().map_err(|error| failed(error.to_string()))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.trim().parse().map_err(|_| {
        failed(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("?").to_owned())
    })
}

/// An object of a Rollout with ten revisions, each with a trace of Keptn's.
pub(super) fn stored(kind: Kind) -> Result<String, Error> {
    let objects = sample(Shape::Keptn)?.objects;
    let stored = objects.into_iter().find(|(of, _)| *of == kind).map(|(_, text)| text);
    stored.ok_or(Error::Sample { kind: kind.resource() })
}

/// Rolls one Rollout out revision by revision, and takes what is then in the cluster.
fn sample(shape: Shape) -> Result<Sample, Error> {
    let keptn = shape == Shape::Keptn;
    let revisions = if shape == Shape::Live { 1 } else { REVISIONS };
    let mut at = Timestamp::UNIX_EPOCH;
    let mut objects = BTreeMap::new();
    let mut model: Option<Model> = None;
    for number in 1..=revisions {
        let events = story::revision(number, keptn);
        for (time, observation) in observed(&events, SAMPLE) {
            let model = model.get_or_insert_with(|| Model::new(keptn, time).keeping());
            model.observe(observation, time);
            at = time + SignedDuration::from_mins(2);
        }
        let model = model.as_mut().ok_or(Error::Sample { kind: "rollouts" })?;
        model.wait(at);
        let stays = |kind| match kind {
            // Argo and Kubernetes take them away, and they are not read at a start.
            Kind::AnalysisRun => None,
            Kind::ReplicaSet if shape == Shape::Chain => Some(0),
            Kind::Rollout => Some(0),
            _ => Some(number),
        };
        for event in &events {
            if let Some(number) = stays(event.kind) {
                objects.insert((number, event.kind), event.of(SAMPLE));
            }
        }
    }
    let model = model.ok_or(Error::Sample { kind: "rollouts" })?;
    let mut copied = Vec::new();
    for (key, write) in &model.reports {
        let status = operator::report::status(&write.report);
        let owner = write.owner.clone().unwrap_or_default();
        let text = json!({
            "apiVersion": "throughline.dev/v1alpha1", "kind": "RolloutTrace",
            "metadata": {
                "name": key.name, "namespace": key.namespace, "generation": 1,
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": key.name,
                    "uid": owner, "controller": true,
                }],
            },
            "spec": {}, "status": status,
        });
        copied.push((Kind::RolloutTrace, text.to_string()));
    }
    for (key, context) in &model.contexts {
        let ours = json!(context.ours).to_string();
        let text = json!({
            "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnAppContext",
            "metadata": {
                "name": key.name, "namespace": key.namespace, "resourceVersion": "1",
                "annotations": { (api::keptn::OURS): ours },
            },
            "spec": { "spanLinks": context.span_links },
        });
        copied.push((Kind::AppContext, text.to_string()));
    }
    // The Rollout last: everything else is there when it is folded.
    let rank = |kind: Kind| u8::from(kind == Kind::Rollout);
    copied.extend(objects.into_iter().map(|((_, kind), text)| (kind, text)));
    copied.sort_by_key(|(kind, _)| rank(*kind));
    Ok(Sample { objects: copied, at })
}
