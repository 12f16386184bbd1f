//! The CRDs under crds/ are those of the Rust types, and say what a wrong value should have been.

use api::{RolloutTrace, RolloutTraceSpec};
use kube::CustomResourceExt as _;

#[test]
fn the_crd_that_is_checked_in_is_the_one_that_the_types_make() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds/throughline.dev_rollouttraces.yaml");
    let checked_in = std::fs::read_to_string(path).unwrap();
    let made = serde_norway::to_string(&RolloutTrace::crd()).unwrap();
    assert_eq!(checked_in, made, "run `make generate` and commit the result");
}

#[test]
fn every_part_of_the_status_is_bounded() {
    let crd = serde_json::to_value(RolloutTrace::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let mut unbounded = Vec::new();
    walk("status", &schema["status"], &mut unbounded);
    // Conditions are Kubernetes' own type; the API server bounds the whole object.
    unbounded.retain(|path| !path.starts_with("status.conditions"));
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn an_empty_spec_means_the_defaults() {
    let spec: RolloutTraceSpec = serde_json::from_str("{}").unwrap();
    assert_eq!(spec, RolloutTraceSpec::default());
}

fn walk(path: &str, schema: &serde_json::Value, unbounded: &mut Vec<String>) {
    let bounded = |field: &str| schema.get(field).is_some();
    match schema["type"].as_str() {
        Some("string") if !bounded("maxLength") && !bounded("enum") && !bounded("format") => {
            unbounded.push(path.to_owned());
        }
        Some("array") if !bounded("maxItems") => unbounded.push(path.to_owned()),
        _ => {}
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            walk(&format!("{path}.{name}"), property, unbounded);
        }
    }
    if bounded("items") {
        walk(&format!("{path}[]"), &schema["items"], unbounded);
    }
}
