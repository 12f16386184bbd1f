//! What is done to a KeptnAppContext that is to hold nothing of ours any more; decided from the whole
//! object, its `managedFields` included.

use std::collections::BTreeMap;

use api::keptn::OURS;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use timeline::keptn::links::merge;

use crate::FIELD_MANAGER;

/// What is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing: it is not ours and nothing in it is.
    Keep,
    /// We made it, and nothing else is in it.
    Delete,
    /// Our entries and the annotation go.
    Mend {
        /// How many go.
        taken: usize,
        /// The entries of others, in their order.
        left: Vec<String>,
    },
    /// Which entries are ours cannot be known.
    Unclear(&'static str),
}

impl Change {
    pub(crate) fn of(context: &DynamicObject) -> Self {
        let annotations = context.metadata.annotations.as_ref();
        let Some(marked) = annotations.and_then(|annotations| annotations.get(OURS)) else {
            return Self::Keep;
        };
        let Ok(ours) = serde_json::from_str::<Vec<String>>(marked) else {
            return Self::Unclear(
                "its annotation throughline.dev/span-links is no list any more: take our entries \
                 and the annotation out by hand",
            );
        };
        let present = match &context.data["spec"]["spanLinks"] {
            Value::Null => Some(Vec::new()),
            Value::Array(entries) => {
                entries.iter().map(|entry| entry.as_str().map(ToOwned::to_owned)).collect()
            }
            _ => None,
        };
        let Some(present) = present else {
            return Self::Unclear("its spec.spanLinks is no list of text: correct it");
        };
        let left = merge(&present, &ours, &[]).all;
        if left.is_empty() && is_ours_alone(context) {
            return Self::Delete;
        }
        Self::Mend { taken: present.len().saturating_sub(left.len()), left }
    }
}

/// The merge patch that takes our entries out; refused if somebody else was faster.
pub(crate) fn patch(context: &DynamicObject, left: &[String]) -> Value {
    let left = (!left.is_empty()).then_some(left);
    json!({
        "metadata": {
            "resourceVersion": context.metadata.resource_version,
            "annotations": { OURS: null },
        },
        "spec": { "spanLinks": left },
    })
}

/// We made it, nobody else wrote a field of it, and it serves nothing but our links.
fn is_ours_alone(context: &DynamicObject) -> bool {
    let metadata = &context.metadata;
    let managers = metadata.managed_fields.as_deref().unwrap_or_default();
    let wrote = |name: Option<&str>| name == Some(FIELD_MANAGER);
    let is_bare = metadata.labels.as_ref().is_none_or(BTreeMap::is_empty)
        && metadata.annotations.as_ref().is_none_or(|all| all.keys().all(|key| key == OURS))
        && metadata.owner_references.as_ref().is_none_or(Vec::is_empty)
        && metadata.finalizers.as_ref().is_none_or(Vec::is_empty);
    let spec = context.data["spec"].as_object();
    !managers.is_empty()
        && managers.iter().all(|entry| wrote(entry.manager.as_deref()))
        && is_bare
        && spec.is_none_or(|spec| spec.keys().all(|key| key == "spanLinks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00-9d68c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";
    const B: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

    fn change(annotations: &Value, managers: &[&str], spec: &Value) -> Change {
        let managers: Vec<Value> =
            managers.iter().map(|name| json!({ "manager": name, "operation": "Update" })).collect();
        let context = json!({
            "metadata": { "name": "shop", "annotations": annotations, "managedFields": managers },
            "spec": spec,
        });
        Change::of(&serde_json::from_value(context).unwrap())
    }

    fn marked(ours: &[&str]) -> Value {
        json!({ OURS: json!(ours).to_string() })
    }

    #[test]
    fn what_we_made_and_nobody_touched_goes() {
        let alone = |annotations: &Value, managers: &[&str], spec: &Value| {
            change(annotations, managers, spec) == Change::Delete
        };
        let links = json!({ "spanLinks": [A] });
        assert!(alone(&marked(&[A]), &["throughline"], &links));
        assert!(alone(&marked(&[]), &["throughline"], &json!({})));
        assert!(!alone(&marked(&[A]), &["throughline", "kubectl"], &links));
        assert!(!alone(&marked(&[A]), &[], &links));
        assert!(!alone(&json!({}), &["throughline"], &links));
        let more = json!({ "spanLinks": [A], "metadata": { "team": "shop" } });
        assert!(!alone(&marked(&[A]), &["throughline"], &more));
        let mut annotations = marked(&[A]);
        annotations["team"] = json!("shop");
        assert!(!alone(&annotations, &["throughline"], &links));
    }

    #[test]
    fn entries_of_others_stay_in_their_order() {
        let spec = json!({ "spanLinks": ["theirs", A, B, "and theirs"] });
        let left = vec!["theirs".to_owned(), B.to_owned(), "and theirs".to_owned()];
        assert_eq!(change(&marked(&[A]), &["throughline"], &spec), Change::Mend { taken: 1, left });
    }

    #[test]
    fn what_cannot_be_distinguished_is_left() {
        let spec = json!({ "spanLinks": [A] });
        let broken = change(&json!({ OURS: "a, b" }), &["throughline"], &spec);
        assert!(matches!(broken, Change::Unclear(_)), "{broken:?}");
        let broken = change(&marked(&[A]), &["throughline"], &json!({ "spanLinks": "text" }));
        assert!(matches!(broken, Change::Unclear(_)), "{broken:?}");
    }
}
