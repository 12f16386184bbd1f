//! Dashboards and rules: each query parses, asks only for metrics that there are, and finds data.

mod alerts;
mod dashboards;
mod deployed;
mod promql;
mod pushed;
mod rules;
mod scraped;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use throughline_tests::kustomize::Overlay;

/// DORA's metrics and their labels; docs/dora.md says what they mean.
const DORA: [(&str, &[&str]); 9] = [
    ("throughline_dora_deployments", &["namespace", "rollout", "window"]),
    ("throughline_dora_failures", &["namespace", "rollout", "window", "kind"]),
    ("throughline_dora_rework", &["namespace", "rollout", "window", "kind"]),
    ("throughline_dora_lead_time_seconds", &["namespace", "rollout", "window", "percentile"]),
    (
        "throughline_dora_recovery_time_seconds",
        &["namespace", "rollout", "window", "until", "percentile"],
    ),
    ("throughline_dora_samples", &["namespace", "rollout", "window", "of"]),
    ("throughline_dora_at_least", &["namespace", "rollout", "window"]),
    ("throughline_lead_time_seconds", &["namespace", "le"]),
    ("throughline_recovery_seconds", &["namespace", "le"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    let text = std::fs::read_to_string(&path);
    assert!(text.is_ok(), "{} cannot be read", path.display());
    text.unwrap()
}

fn files(folder: &str) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Each series that there is, and its labels.
fn series() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, histogram: bool, labels: BTreeSet<String>| {
        let parts = if histogram { &["_bucket", "_sum", "_count"][..] } else { &[""] };
        for part in parts {
            let mut labels = labels.clone();
            if *part == "_bucket" {
                labels.insert("le".to_owned());
            }
            all.insert(format!("{name}{part}"), labels);
        }
    };
    for row in read("docs/metrics.md").lines().filter(|line| line.starts_with("| `throughline_")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let labels = cells[3].split(", ").map(|label| label.trim_matches('`').to_owned());
        add(cells[0].trim_matches('`'), cells[1] == "histogram", labels.collect());
    }
    for (name, labels) in DORA {
        let histogram = labels.contains(&"le");
        add(name, histogram, labels.iter().map(ToString::to_string).collect());
    }
    all
}

fn yaml(text: &str) -> Value {
    serde_norway::from_str(text).unwrap()
}

fn words<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What kustomize makes of everything with these components.
fn kustomized(components: &[&str]) -> Vec<Value> {
    Overlay::of_default(None, components).and_then(|overlay| overlay.objects()).unwrap()
}

/// A new folder of this process.
fn tempfile(name: &str) -> PathBuf {
    let name = format!("throughline-metrics-{}-{name}", std::process::id());
    let folder = std::env::temp_dir().canonicalize().unwrap().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
