//! The names and versions in the recordings of the real Keptn, computed once more.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::identity::{Identity, is_annotated};
use super::naming::{generation_hash, resource_name};

/// By kind, all states of all objects.
fn states(path: &Path) -> BTreeMap<String, Vec<Value>> {
    let file = GzDecoder::new(std::fs::File::open(path).unwrap());
    let mut states: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in BufReader::new(file).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let kind = event["kind"].as_str().unwrap().to_owned();
        states.entry(kind).or_default().push(event["object"].clone());
    }
    states
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn names(states: &[Value]) -> BTreeSet<&str> {
    states.iter().map(|it| text(it, "/metadata/name")).collect()
}

#[test]
fn names_and_versions_are_those_of_the_recordings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let recordings: Vec<_> =
        entries.filter(|path| path.to_string_lossy().ends_with(".watch.jsonl.gz")).collect();
    assert_eq!(recordings.len(), 15);
    let (mut pods, mut versions) = (0, 0);
    for path in recordings {
        let states = states(&path);
        let workloads = &states["keptnworkloads"];
        for state in &states["pods"] {
            let mut pod: Pod = serde_json::from_value(state.clone()).unwrap();
            assert!(is_annotated(&pod));
            let identity = Identity::of(&mut pod).unwrap();
            let spec = serde_json::to_value(&identity.spec).unwrap();
            let known = workloads
                .iter()
                .any(|it| text(it, "/metadata/name") == identity.workload && it["spec"] == spec);
            assert!(known, "{}: {} with {spec}", path.display(), identity.workload);
            pods += 1;
        }
        let made = names(&states["keptnappversions"]);
        for app in &states["keptnapps"] {
            let hash = generation_hash(app["metadata"]["generation"].as_i64().unwrap());
            let parts = [text(app, "/metadata/name"), text(app, "/spec/version"), &hash];
            let name = resource_name(&parts);
            assert!(made.contains(&*name), "{}: {name}", path.display());
            versions += 1;
        }
        let made = names(&states["keptnworkloadversions"]);
        for workload in workloads {
            let parts = [text(workload, "/metadata/name"), text(workload, "/spec/version")];
            assert!(made.contains(&*resource_name(&parts)), "{}", path.display());
        }
    }
    assert!(pods > 500 && versions > 50, "{pods} pods, {versions} versions");
}
