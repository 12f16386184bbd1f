//! What was seen of ReplicaSets and of Keptn's objects, and what hangs on what, so that one event
//! costs only what it touches.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use crate::base::Key;
use crate::base::groups::forget;
use crate::keptn::objects::KeptnObjects;
use crate::seen::{
    AppVersionSeen, Kind, ReplicaSetSeen, RevisionFacts, Workload, WorkloadVersionSeen,
};

/// The objects that chains are made from, by what they belong to.
#[derive(Debug, Default)]
pub(crate) struct Index {
    replica_sets: Grouped<ReplicaSetSeen>,
    /// What ReplicaSets said of their commit before something else was written over it.
    first_facts: BTreeMap<Key, RevisionFacts>,
    apps: BTreeMap<Key, KeptnObjects>,
    /// App of each KeptnAppVersion.
    app_versions: BTreeMap<Key, Key>,
    /// App, workload and version of each KeptnWorkloadVersion.
    workload_versions: BTreeMap<Key, (Key, SmolStr, SmolStr)>,
}

/// Objects, and which of them belong to one Rollout.
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

    /// Keeps a KeptnAppVersion; says the short names of the workloads that it lists or has listed,
    /// none if it says nothing new.
    pub(crate) fn app_version(&mut self, seen: &AppVersionSeen) -> BTreeSet<SmolStr> {
        let app = Key::new(seen.key.namespace.clone(), seen.app.clone());
        let known = self.app_versions.get(&seen.key).and_then(|app| self.apps.get(app));
        let known = known.and_then(|app| app.app_version(&seen.key.name));
        if known == Some(seen) {
            return BTreeSet::new();
        }
        let listed = [Some(seen), known].into_iter().flatten().flat_map(|it| &it.workloads);
        let listed = listed.map(|(name, _)| name.clone()).collect();
        self.remove(Kind::AppVersion, &seen.key);
        self.apps.entry(app.clone()).or_default().insert_app_version(seen.clone());
        self.app_versions.insert(seen.key.clone(), app);
        listed
    }

    /// Keeps a KeptnWorkloadVersion; says which one it was until now.
    pub(crate) fn workload_version(&mut self, seen: &WorkloadVersionSeen) {
        self.remove(Kind::WorkloadVersion, &seen.key);
        let app = Key::new(seen.key.namespace.clone(), seen.app.clone());
        self.apps.entry(app.clone()).or_default().insert_workload_version(seen.clone());
        let of = (app, seen.workload.clone(), seen.version.clone());
        self.workload_versions.insert(seen.key.clone(), of);
    }

    /// Forgets an object. What was found out from it stays in the chains.
    pub(crate) fn remove(&mut self, kind: Kind, key: &Key) {
        match kind {
            Kind::ReplicaSet => {
                self.first_facts.remove(key);
                self.replica_sets.remove(key);
            }
            Kind::AppVersion => {
                if let Some(app) = self.app_versions.remove(key) {
                    self.change(&app, |objects| objects.remove_app_version(&key.name));
                }
            }
            Kind::WorkloadVersion => {
                if let Some((app, workload, version)) = self.workload_versions.remove(key) {
                    self.change(&app, |objects| {
                        objects.remove_workload_version(&workload, &version, &key.name);
                    });
                }
            }
            _ => {}
        }
    }

    /// The objects of a kind that it keeps.
    pub(crate) fn keys(&self, kind: Kind) -> Vec<Key> {
        match kind {
            Kind::ReplicaSet => self.replica_sets.objects.keys().cloned().collect(),
            Kind::AppVersion => self.app_versions.keys().cloned().collect(),
            Kind::WorkloadVersion => self.workload_versions.keys().cloned().collect(),
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

    /// UID of a ReplicaSet of the Rollout of this UID. One that was made again names its
    /// ReplicaSets as before.
    pub(crate) fn uid(&self, replica_set: &Key, rollout_uid: &str) -> Option<&SmolStr> {
        let seen = self.replica_sets.objects.get(replica_set).map(|(_, seen)| seen);
        seen.filter(|seen| seen.rollout_uid == rollout_uid).map(|seen| &seen.uid)
    }

    /// Keptn's objects of an app, if there are any.
    pub(crate) fn keptn(&self, app: &Key) -> Option<&KeptnObjects> {
        self.apps.get(app)
    }

    /// The KeptnAppVersion for a workload that holds something else than a traceparent, in words.
    pub(crate) fn broken_trace(&self, app: &Key, workload: &Workload) -> Option<String> {
        self.apps.get(app)?.listing(workload).find_map(|version| {
            let broken = version.broken.as_ref()?;
            Some(format!("KeptnAppVersion {}: {broken}", version.key.name))
        })
    }

    fn change(&mut self, app: &Key, change: impl FnOnce(&mut KeptnObjects)) {
        if let Some(objects) = self.apps.get_mut(app) {
            change(objects);
            if objects.is_empty() {
                self.apps.remove(app);
            }
        }
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
