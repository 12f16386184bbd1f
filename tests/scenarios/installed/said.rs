//! What manifests say, and what a component changes of it, a line for each value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::words;

/// An object, and a path in it. Items of a list go by their name or their value, so that another item
/// before them moves none.
type Place = (String, String);

/// What is said at each place.
pub(super) type Said = BTreeMap<Place, Value>;

/// What a component changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    put: Said,
    gone: BTreeSet<Place>,
    deleted: BTreeSet<String>,
}

pub(super) fn said(objects: &[Value]) -> Said {
    let mut said = Said::new();
    for object in objects {
        flatten(&name(object), String::new(), object, &mut said);
    }
    said
}

/// A `ClusterRole` that becomes a Role is still the same object.
fn name(object: &Value) -> String {
    let kind = words(object, "/kind").trim_start_matches("Cluster");
    format!("{kind} {}", words(object, "/metadata/name"))
}

fn flatten(object: &str, path: String, value: &Value, said: &mut Said) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                flatten(object, format!("{path}/{key}"), value, said);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                let key = match item.get("name") {
                    Some(Value::String(name)) => name.clone(),
                    _ if item.is_object() => index.to_string(),
                    _ => item.to_string(),
                };
                flatten(object, format!("{path}/{key}"), item, said);
            }
        }
        _ => {
            said.insert((object.to_owned(), path), value.clone());
        }
    }
}

impl Changes {
    /// What is different.
    pub(super) fn between(before: &Said, after: &Said) -> Self {
        let put = after.iter().filter(|(place, value)| before.get(*place) != Some(*value));
        let gone = before.keys().filter(|place| !after.contains_key(*place)).cloned();
        let left: BTreeSet<_> = after.keys().map(|(object, _)| object).collect();
        let deleted = before.keys().map(|(object, _)| object).filter(|it| !left.contains(it));
        Self {
            put: put.map(|(place, value)| (place.clone(), value.clone())).collect(),
            gone: gone.collect(),
            deleted: deleted.cloned().collect(),
        }
    }

    /// Whether it adds objects and leaves those that are there alone.
    pub(super) fn only_adds_to(&self, before: &Said) -> bool {
        let known: BTreeSet<_> = before.keys().map(|(object, _)| object).collect();
        self.gone.is_empty() && !self.put.keys().any(|(object, _)| known.contains(object))
    }
}

/// What there is when each of these changes is made, in whatever order. What one deletes another cannot
/// change.
pub(super) fn sum<'a>(before: &Said, changes: impl Iterator<Item = &'a Changes> + Clone) -> Said {
    let mut sum = before.clone();
    for change in changes.clone() {
        sum.retain(|place, _| !change.gone.contains(place));
        sum.extend(change.put.iter().map(|(place, value)| (place.clone(), value.clone())));
    }
    for change in changes {
        sum.retain(|(object, _), _| !change.deleted.contains(object));
    }
    sum
}
