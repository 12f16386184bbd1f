//! The recordings, read as the operator's watches would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use api::argo::{AnalysisRun, Experiment, POD_TEMPLATE_HASH, Pod, ReplicaSet, Rollout};
use api::keptn::{KeptnAppVersion, KeptnWorkloadVersion};
use flate2::read::GzDecoder;
use jiff::{SignedDuration, Timestamp};
use operator::observe::Decoded;
use serde_json::Value;
use timeline::{Key, Kind, Observation};

/// All that were recorded.
pub(crate) const ALL: [&str; 15] = [
    "abort-retry",
    "analysis-fail",
    "bad-image-deadline-abort",
    "bad-image-then-fix",
    "bluegreen",
    "hash-version",
    "linear",
    "promote-full",
    "restart-and-scale",
    "revert-midway",
    "rollback",
    "same-version",
    "single-service",
    "superseded",
    "two-workloads",
];

/// What the watch brought.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) key: Key,
    pub(crate) deleted: bool,
    /// What the operator makes of the object; none if it does not concern it.
    pub(crate) observation: Option<Observation>,
    /// `metadata.labels[rollouts-pod-template-hash]`
    pub(crate) hash: Option<String>,
    /// `status.phaseTraceIDs.AppDeploy.traceparent`
    pub(crate) app_deploy: Option<String>,
}

/// All of a scenario, in order; only kinds that the operator reads.
pub(crate) fn recording(name: &str) -> Arc<Vec<Event>> {
    static READ: Mutex<BTreeMap<String, Arc<Vec<Event>>>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    read.entry(name.to_owned()).or_insert_with(|| Arc::new(events(name))).clone()
}

/// A file of a scenario.
pub(crate) fn open(file: &str) -> BufReader<GzDecoder<std::fs::File>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    BufReader::new(GzDecoder::new(std::fs::File::open(folder.join(file)).unwrap()))
}

/// The lines of a scenario as they stand in the file.
pub(crate) fn lines(name: &str) -> Vec<Value> {
    let lines = open(&format!("{name}.watch.jsonl.gz")).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn events(name: &str) -> Vec<Event> {
    lines(name).iter().filter_map(event).collect()
}

/// What the watch brought by a line; none of a kind that the operator does not read.
pub(crate) fn event(line: &Value) -> Option<Event> {
    let kind = match line["kind"].as_str().unwrap() {
        "rollouts" => Kind::Rollout,
        "replicasets" => Kind::ReplicaSet,
        "keptnappversions" => Kind::AppVersion,
        "keptnworkloadversions" => Kind::WorkloadVersion,
        "analysisruns" => Kind::AnalysisRun,
        "experiments" => Kind::Experiment,
        "pods" => Kind::Pod,
        // The contexts of the recordings were written by hand; here the core writes them.
        _ => return None,
    };
    let at = SignedDuration::from_secs_f64(line["t"].as_f64().unwrap());
    let object = &line["object"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name_of = |field: &str| text(&object["metadata"][field]).unwrap();
    Some(Event {
        at: Timestamp::UNIX_EPOCH + at,
        kind,
        key: Key::new(name_of("namespace"), name_of("name")),
        deleted: line["type"] == "DELETED",
        observation: observe(kind, object),
        hash: text(&object["metadata"]["labels"][POD_TEMPLATE_HASH]),
        app_deploy: text(&object["status"]["phaseTraceIDs"]["AppDeploy"]["traceparent"]),
    })
}

fn observe(kind: Kind, object: &Value) -> Option<Observation> {
    // As the operator's watches read it. With metadata that no API server sends it says nothing.
    fn read<K: Decoded>(object: &Value) -> Option<Observation> {
        operator::observe::read::<K>(&object.to_string(), |_| {}).ok()?
    }
    match kind {
        Kind::Rollout => read::<Rollout>(object),
        Kind::ReplicaSet => read::<ReplicaSet>(object),
        Kind::AppVersion => read::<KeptnAppVersion>(object),
        Kind::WorkloadVersion => read::<KeptnWorkloadVersion>(object),
        Kind::AnalysisRun => read::<AnalysisRun>(object),
        Kind::Experiment => read::<Experiment>(object),
        Kind::Pod => read::<Pod>(object),
        Kind::AppContext | Kind::RolloutTrace | Kind::RolloutAttempt => unreachable!(),
    }
}
