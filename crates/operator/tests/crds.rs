//! The CRDs under crds/ are those of the Rust types, and say what a wrong value should have been.

use api::{RolloutAttempt, RolloutTrace, RolloutTraceSpec};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

fn definitions() -> [(&'static str, CustomResourceDefinition); 2] {
    [("rollouttraces", RolloutTrace::crd()), ("rolloutattempts", RolloutAttempt::definition())]
}

#[test]
fn the_crds_that_are_checked_in_are_those_that_the_types_make() {
    for (name, crd) in definitions() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds");
        let path = format!("{folder}/throughline.dev_{name}.yaml");
        let checked_in = std::fs::read_to_string(path).unwrap();
        let made = serde_norway::to_string(&crd).unwrap();
        assert_eq!(checked_in, made, "run `make generate` and commit the result");
    }
}

#[test]
fn every_part_of_the_status_is_bounded() {
    for (_, crd) in definitions() {
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let mut unbounded = Vec::new();
        walk("status", &schema["status"], &mut unbounded);
        // Conditions are Kubernetes' own type; the API server bounds the whole object.
        unbounded.retain(|path| !path.starts_with("status.conditions"));
        assert_eq!(unbounded, Vec::<String>::new());
    }
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
