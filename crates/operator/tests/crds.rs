//! The CRDs under crds/ are those of the Rust types, and say what a wrong value should have been.

use std::path::Path;

use api::{RolloutAttempt, RolloutTrace, RolloutTraceSpec};
use kube::CustomResourceExt as _;
use operator::crds::documents;
use serde_json::Value;

#[test]
fn the_crds_that_are_checked_in_are_those_that_the_types_make() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    let mut expected = vec!["kustomization.yaml".to_owned()];
    for (name, made) in documents().unwrap() {
        let checked_in = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(checked_in, made, "run `make generate` and commit the result");
        expected.push(name.to_owned());
    }
    let kustomization = std::fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
    for name in &expected[1..] {
        assert!(kustomization.contains(name), "crds/kustomization.yaml lacks {name}");
    }
    let files = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, expected);
}

#[test]
fn every_part_that_we_write_is_bounded() {
    let mut unbounded = Vec::new();
    for crd in [RolloutTrace::crd(), RolloutAttempt::definition()] {
        let kind = crd.spec.names.kind.clone();
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        for part in ["spec", "status"] {
            walk(&format!("{kind}.{part}"), &schema[part], &mut unbounded);
        }
    }
    // Conditions are Kubernetes' own type; the API server bounds the whole object.
    unbounded.retain(|path| !path.starts_with("RolloutTrace.status.conditions"));
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_field_is_explained() {
    fn walk(path: &str, schema: &Value, silent: &mut Vec<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, property) in properties {
                let path = format!("{path}.{name}");
                if property["description"].as_str().is_none_or(str::is_empty) {
                    silent.push(path.clone());
                }
                walk(&path, property, silent);
            }
        }
        if schema.get("items").is_some() {
            walk(path, &schema["items"], silent);
        }
    }
    let mut silent = Vec::new();
    for crd in [RolloutTrace::crd(), RolloutAttempt::definition()] {
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        for part in ["spec", "status"] {
            walk(part, &schema[part], &mut silent);
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn the_identity_of_an_attempt_never_changes_and_one_write_stores_all_of_it() {
    let crd = serde_json::to_value(RolloutAttempt::definition()).unwrap();
    let version = &crd["spec"]["versions"][0];
    assert_eq!(version.get("subresources"), None);
    let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
    assert_eq!(spec["x-kubernetes-validations"][0]["rule"], "self == oldSelf");
}

#[test]
fn an_empty_spec_means_the_defaults() {
    let spec: RolloutTraceSpec = serde_json::from_str("{}").unwrap();
    assert_eq!(spec, RolloutTraceSpec::default());
}

fn walk(path: &str, schema: &Value, unbounded: &mut Vec<String>) {
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
