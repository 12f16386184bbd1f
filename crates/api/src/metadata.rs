//! Metadata of objects, as far as it is read.
//!
//! `managedFields` is most of an object's metadata, and kube's type keeps it as a tree of values: 40 kB
//! of heap for a ReplicaSet.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::core::ObjectMeta;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A copy of the whole object, which is not read here.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// For `deserialize_with`: what is not read is skipped, and stays empty in kube's type.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let read = Read::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        resource_version: read.resource_version,
        generation: read.generation,
        creation_timestamp: read.creation_timestamp,
        deletion_timestamp: read.deletion_timestamp,
        labels: read.labels,
        annotations: read.annotations,
        owner_references: read.owner_references,
        ..ObjectMeta::default()
    })
}

/// An object of which only the metadata is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MetadataOnly {
    /// Standard metadata.
    #[serde(deserialize_with = "read")]
    pub metadata: ObjectMeta,
}

/// An object of ours: kube's derive reads all of the metadata.
#[derive(Debug, Clone, Deserialize)]
pub struct Object<S, T> {
    /// Standard metadata.
    #[serde(deserialize_with = "read")]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: S,
    /// What is.
    #[serde(default = "none")]
    pub status: Option<T>,
}

const fn none<T>() -> Option<T> {
    None
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Read {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "annotations")]
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

fn annotations<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    deserializer.deserialize_option(Annotations)
}

struct Annotations;

impl<'de> Visitor<'de> for Annotations {
    type Value = Option<BTreeMap<String, String>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of texts")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut read = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == LAST_APPLIED {
                map.next_value::<IgnoredAny>()?;
            } else {
                read.insert(key, map.next_value()?);
            }
        }
        Ok(Some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_of_the_metadata_is_skipped() {
        let text = r#"{"metadata":{"name":"cart","namespace":"shop","uid":"u","resourceVersion":"7",
            "generation":2,"creationTimestamp":"2026-11-26T15:00:00Z","labels":{"a":"b"},
            "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","c":"d"},
            "ownerReferences":[{"apiVersion":"v1","kind":"Rollout","name":"r","uid":"o","controller":true}],
            "finalizers":["f"],"managedFields":[{"manager":"m","fieldsV1":{"f:spec":{}}}]},"spec":1}"#;
        let read: MetadataOnly = serde_json::from_str(text).unwrap();
        let kept = serde_json::to_value(read.metadata).unwrap();
        let keys: Vec<_> = kept.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            [
                "annotations",
                "creationTimestamp",
                "generation",
                "labels",
                "name",
                "namespace",
                "ownerReferences",
                "resourceVersion",
                "uid"
            ]
        );
        assert_eq!(kept["annotations"], serde_json::json!({ "c": "d" }));
    }

    #[test]
    fn metadata_without_labels_or_annotations_is_read_however_that_is_said() {
        for metadata in ["{}", r#"{"labels":null,"annotations":null,"ownerReferences":null}"#] {
            let text = format!(r#"{{"metadata":{metadata}}}"#);
            let read: MetadataOnly = serde_json::from_str(&text).unwrap();
            assert_eq!(read.metadata, ObjectMeta::default());
        }
    }
}
