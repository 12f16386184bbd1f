//! What a cluster gets of `config`: rendered by kustomize, and applied to a real API server.

mod combined;
mod one_namespace;
mod said;

use std::path::Path;

use serde_json::Value;
use throughline_tests::kustomize::{Overlay, config};

/// All components, by name.
fn components() -> Vec<String> {
    let entries = std::fs::read_dir(config("components")).unwrap();
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// The objects of `config/default` with components.
fn rendered(namespace: Option<&str>, components: &[&str]) -> Vec<Value> {
    objects(&Overlay::of_default(namespace, components).unwrap())
}

/// The same over another kustomization.
fn rendered_over(below: &Path, namespace: &str, components: &[&str]) -> Vec<Value> {
    objects(&Overlay::over(below, Some(namespace), components).unwrap())
}

fn objects(overlay: &Overlay) -> Vec<Value> {
    overlay.objects().expect("kustomize takes it")
}

fn words<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
