//! What was seen of ReplicaSets and of Keptn's objects, and what hangs on what, so that one event
//! costs only what it touches.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use crate::base::Key;
use crate::base::groups::forget;
use crate::keptn::attribution::{KeptnObjects, in_order};
use crate::seen::{
    AppVersionSeen, Kind, ReplicaSetSeen, RevisionFacts, Workload, WorkloadVersionSeen,
};

/// The objects that chains are made from, by what they belong to.
#[derive(Debug, Default)]
pub(crate) struct Index {
    replica_sets: Grouped<ReplicaSetSeen>,
    /// What ReplicaSets said of their commit before something else was written over it.
    first_facts: BTreeMap<Key, RevisionFacts>,
    app_versions: Grouped<AppVersionSeen>,
    workload_versions: Grouped<WorkloadVersionSeen>,
}

/// Objects, and which of them belong to one Rollout or app.
#[derive(Debug)]
struct Grouped<T> {
    objects: BTreeMap<Key, (Key, T)>,
    groups: BTreeMap<Key, BTreeSet<Key>>,
}

impl Index {
    /// Keeps a ReplicaSet; says which Rollout that touches, if it says anything new.
    pub(crate) fn replica_set(&mut self, seen: ReplicaSetSeen) -> Option<Key> {
        let owner = Key::new(seen.key.namespace.clone(), seen.rollout.clone());
        if let Some((_, known)) = self.replica_sets.objects.get(&seen.key)
            && known.uid == seen.uid
            && known.facts.commit.is_some()
            && known.facts.commit != seen.facts.commit
        {
            let first = self.first_facts.entry(seen.key.clone());
            first.or_insert_with(|| known.facts.clone());
        }
        let new = self.replica_sets.insert(seen.key.clone(), owner.clone(), seen);
        new.then_some(owner)
    }

    /// Keeps a KeptnAppVersion; says which app that touches.
    pub(crate) fn app_version(&mut self, seen: AppVersionSeen) -> Key {
        let app = Key::new(seen.key.namespace.clone(), seen.app.clone());
        self.app_versions.insert(seen.key.clone(), app.clone(), seen);
        app
    }

    /// Keeps a KeptnWorkloadVersion; says which app that touches.
    pub(crate) fn workload_version(&mut self, seen: WorkloadVersionSeen) -> Key {
        let app = Key::new(seen.key.namespace.clone(), seen.app.clone());
        self.workload_versions.insert(seen.key.clone(), app.clone(), seen);
        app
    }

    /// Forgets an object. What was found out from it stays in the chains.
    pub(crate) fn remove(&mut self, kind: Kind, key: &Key) {
        match kind {
            Kind::ReplicaSet => {
                self.first_facts.remove(key);
                self.replica_sets.remove(key);
            }
            Kind::AppVersion => self.app_versions.remove(key),
            Kind::WorkloadVersion => self.workload_versions.remove(key),
            _ => {}
        }
    }

    /// The objects of a kind that it keeps.
    pub(crate) fn keys(&self, kind: Kind) -> Vec<Key> {
        match kind {
            Kind::ReplicaSet => self.replica_sets.objects.keys().cloned().collect(),
            Kind::AppVersion => self.app_versions.objects.keys().cloned().collect(),
            Kind::WorkloadVersion => self.workload_versions.objects.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// The ReplicaSets of a Rollout.
    pub(crate) fn replica_sets_of(&self, rollout: &Key) -> impl Iterator<Item = &ReplicaSetSeen> {
        self.replica_sets.of(rollout)
    }

    /// What a ReplicaSet said of its commit before something else was written over it.
    pub(crate) fn first_facts(&self, replica_set: &Key) -> Option<&RevisionFacts> {
        self.first_facts.get(replica_set)
    }

    /// UID of a ReplicaSet.
    pub(crate) fn uid(&self, replica_set: &Key) -> Option<&SmolStr> {
        self.replica_sets.objects.get(replica_set).map(|(_, seen)| &seen.uid)
    }

    /// Keptn's objects of an app.
    pub(crate) fn keptn(&self, app: &Key) -> KeptnObjects<'_> {
        let mut app_versions: Vec<_> = self.app_versions.of(app).collect();
        in_order(&mut app_versions);
        KeptnObjects { app_versions, workload_versions: self.workload_versions.of(app).collect() }
    }

    /// The KeptnAppVersion for a workload that holds something else than a traceparent, in words.
    pub(crate) fn broken_trace(&self, app: &Key, workload: &Workload) -> Option<String> {
        let lists = |(name, version): &(SmolStr, SmolStr)| {
            name == workload.short_name() && *version == workload.version
        };
        self.app_versions.of(app).find_map(|version| {
            let broken = version.broken.as_ref().filter(|_| version.workloads.iter().any(lists))?;
            Some(format!("KeptnAppVersion {}: {broken}", version.key.name))
        })
    }
}

impl<T> Default for Grouped<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), groups: BTreeMap::new() }
    }
}

impl<T: PartialEq> Grouped<T> {
    /// Says whether the object is new or has changed.
    fn insert(&mut self, key: Key, group: Key, object: T) -> bool {
        let known = self.objects.get(&key);
        if known.is_some_and(|(known_group, known)| *known_group == group && *known == object) {
            return false;
        }
        self.remove(&key);
        self.groups.entry(group.clone()).or_default().insert(key.clone());
        self.objects.insert(key, (group, object));
        true
    }

    fn remove(&mut self, key: &Key) {
        if let Some((group, _)) = self.objects.remove(key) {
            forget(&mut self.groups, &group, key);
        }
    }

    fn of(&self, group: &Key) -> impl Iterator<Item = &T> {
        let keys = self.groups.get(group).into_iter().flatten();
        keys.filter_map(|key| self.objects.get(key)).map(|(_, object)| object)
    }
}
