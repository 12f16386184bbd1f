//! The name of an object.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Namespace and name of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// `metadata.namespace`
    pub namespace: SmolStr,
    /// `metadata.name`
    pub name: SmolStr,
}

impl Key {
    /// The object `name` of `namespace`.
    pub fn new(namespace: impl Into<SmolStr>, name: impl Into<SmolStr>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl Ord for Key {
    // Most comparisons are of two names of one namespace: its few bytes are compared in place, which
    // costs less than an order of them.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.namespace == other.namespace {
            self.name.cmp(&other.name)
        } else {
            self.namespace.cmp(&other.namespace)
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The keys of one namespace.
pub(crate) fn in_namespace<T>(map: &BTreeMap<Key, T>, namespace: &SmolStr) -> Vec<Key> {
    let keys = map.range(Key::new(namespace.clone(), "")..).map(|(key, _)| key);
    keys.take_while(|key| key.namespace == *namespace).cloned().collect()
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
