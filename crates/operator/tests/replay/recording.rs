//! The recordings, read as the operator's watches would.

use std::io::{BufRead, BufReader};
use std::path::Path;

use api::argo::{AnalysisRun, Experiment, Pod, ReplicaSet, Rollout};
use api::keptn::{KeptnAppVersion, KeptnWorkloadVersion};
use jiff::{SignedDuration, Timestamp};
use operator::observe::Observed;
use serde::de::DeserializeOwned;
use serde_json::Value;
use timeline::{Key, Kind, Observation};

/// What the watch brought.
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) deleted: bool,
    pub(crate) object: Value,
}

/// All of a scenario, in order; only kinds that the operator reads.
pub(crate) fn recording(name: &str) -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let file = std::fs::File::open(folder.join(format!("{name}.watch.jsonl.gz"))).unwrap();
    BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .filter_map(|line| {
            let mut line: Value = serde_json::from_str(&line.unwrap()).unwrap();
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
            Some(Event {
                at: Timestamp::UNIX_EPOCH + at,
                kind,
                deleted: line["type"] == "DELETED",
                object: line["object"].take(),
            })
        })
        .collect()
}

pub(crate) fn key_of(object: &Value) -> Key {
    let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    Key::new(text("namespace"), text("name"))
}

pub(crate) fn observe(kind: Kind, object: &Value) -> Option<Observation> {
    fn read<K: Observed + DeserializeOwned>(object: &Value) -> Option<Observation> {
        serde_json::from_value::<K>(object.clone()).unwrap().observe()
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
