//! What the stand-in knows of one kind of object in one namespace.

use std::collections::{BTreeMap, HashSet};

use kube::ResourceExt;

/// The newest known state of each object, by name. What was written is put here as well, so the
/// next step sees it before the watch brings it.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    objects: BTreeMap<String, (u64, T)>,
    removed: HashSet<String>,
    arrivals: u64,
}

/// What a look at an object brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It was unknown, or another one of that name.
    New,
    /// Its generation changed: the change that Keptn's controllers react to.
    Generation,
    /// Something else changed.
    Other,
    /// It was known, or something newer was.
    Old,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), removed: HashSet::new(), arrivals: 0 }
    }
}

impl<T: ResourceExt> Shelf<T> {
    /// Takes in a state of an object, from the watch or from the answer to a write.
    pub(super) fn put(&mut self, object: T) -> News {
        if object.uid().is_some_and(|uid| self.removed.contains(&uid)) {
            return News::Old;
        }
        let name = object.name_any();
        let Some((arrival, known)) = self.objects.get(&name) else {
            self.arrivals += 1;
            self.objects.insert(name, (self.arrivals, object));
            return News::New;
        };
        if revision(known) >= revision(&object) {
            return News::Old;
        }
        let arrival = *arrival;
        let other = known.uid() != object.uid();
        let generation = known.meta().generation != object.meta().generation;
        self.objects.insert(name, (arrival, object));
        match (other, generation) {
            (true, _) => News::New,
            (false, true) => News::Generation,
            (false, false) => News::Other,
        }
    }

    /// The object is gone, says the watch.
    pub(super) fn gone(&mut self, object: &T) {
        if let Some(uid) = object.uid() {
            self.removed.remove(&uid);
        }
        self.drop_same(object);
    }

    /// The object was deleted by us: later news of it are old, until the watch says it is gone.
    pub(super) fn remove(&mut self, object: &T) {
        self.drop_same(object);
        self.removed.extend(object.uid());
    }

    fn drop_same(&mut self, object: &T) {
        let name = object.name_any();
        if self.objects.get(&name).is_some_and(|(_, known)| known.uid() == object.uid()) {
            self.objects.remove(&name);
        }
    }

    /// The object of that name.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.objects.get(name).map(|(_, object)| object)
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.objects.values().map(|(_, object)| object)
    }

    /// All of them, each with a number that is higher for what came later.
    pub(super) fn by_arrival(&self) -> impl Iterator<Item = (u64, &T)> {
        self.objects.values().map(|(arrival, object)| (*arrival, object))
    }
}

// Comparable numbers in practice, and by contract since Kubernetes 1.35.
fn revision<T: ResourceExt>(object: &T) -> u64 {
    object.resource_version().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    fn map(uid: &str, revision: u64, generation: i64) -> ConfigMap {
        serde_json::from_value(json!({"metadata": {
            "name": "a", "uid": uid, "resourceVersion": revision.to_string(), "generation": generation,
        }}))
        .unwrap()
    }

    #[test]
    fn news_are_distinguished_from_echoes() {
        let mut shelf = Shelf::default();
        assert_eq!(shelf.put(map("1", 5, 1)), News::New);
        assert_eq!(shelf.put(map("1", 5, 1)), News::Old);
        assert_eq!(shelf.put(map("1", 4, 2)), News::Old);
        assert_eq!(shelf.put(map("1", 6, 1)), News::Other);
        assert_eq!(shelf.put(map("1", 7, 2)), News::Generation);
    }

    #[test]
    fn what_was_removed_stays_away_and_its_successor_comes() {
        let mut shelf = Shelf::default();
        shelf.put(map("1", 5, 1));
        shelf.remove(&map("1", 5, 1));
        assert_eq!(shelf.put(map("1", 6, 1)), News::Old);
        assert_eq!(shelf.put(map("2", 9, 1)), News::New);
        shelf.gone(&map("1", 8, 1));
        assert!(shelf.get("a").is_some());
    }
}
