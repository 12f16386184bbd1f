//! Keptn's objects by their app. An app that no Rollout works with is kept as few bytes: which of its
//! objects was claimed is frozen in the chains, and they are asked for only by what changes.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use super::packer::{Packer, fingerprint};
use crate::base::{ByKey, Key, in_namespace};
use crate::keptn::objects::KeptnObjects;
use crate::seen::{AppVersionSeen, Kind, Workload, WorkloadVersionSeen};

/// An app with more objects than these stays awake: to pack them costs more with each.
const PACKED: usize = 64;

/// Keptn's objects of all apps.
#[derive(Debug, Default)]
pub(super) struct KeptnApps {
    awake: ByKey<KeptnObjects>,
    resting: BTreeMap<Key, Resting>,
    /// App of each KeptnAppVersion, of apps that are awake.
    app_versions: ByKey<Key>,
    /// App, workload and version of each KeptnWorkloadVersion, of apps that are awake.
    workload_versions: ByKey<(Key, SmolStr, SmolStr)>,
    /// Those that may rest if no Rollout works with them.
    woken: BTreeSet<Key>,
    packer: Packer,
}

/// The objects of an app that rests.
#[derive(Debug)]
struct Resting {
    /// What was seen of each last.
    seen: Box<[u64]>,
    objects: Box<[u8]>,
}

type Objects = (Vec<AppVersionSeen>, Vec<WorkloadVersionSeen>);

impl KeptnApps {
    /// Keeps a KeptnAppVersion; says the short names of the workloads that it lists or has listed,
    /// none if it says nothing new.
    pub(super) fn app_version(&mut self, seen: &AppVersionSeen) -> BTreeSet<SmolStr> {
        let app = Key::new(seen.key.namespace.clone(), seen.app.clone());
        if self.rests_with(&app, fingerprint(seen)) {
            return BTreeSet::new();
        }
        self.wake(&app);
        let known = self.app_versions.get(&seen.key).and_then(|app| self.awake.get(app));
        let known = known.and_then(|app| app.app_version(&seen.key.name));
        if known == Some(seen) {
            return BTreeSet::new();
        }
        let listed = [Some(seen), known].into_iter().flatten().flat_map(|it| &it.workloads);
        let listed = listed.map(|(name, _)| name.clone()).collect();
        self.forget(Kind::AppVersion, &seen.key);
        self.woken.insert(app.clone());
        self.awake.or_default(&app).insert_app_version(seen.clone());
        self.app_versions.insert(seen.key.clone(), app);
        listed
    }

    /// Keeps a KeptnWorkloadVersion; says whether it says anything new.
    pub(super) fn workload_version(&mut self, seen: &WorkloadVersionSeen) -> bool {
        let app = Key::new(seen.key.namespace.clone(), seen.app.clone());
        if self.rests_with(&app, fingerprint(seen)) {
            return false;
        }
        self.wake(&app);
        self.forget(Kind::WorkloadVersion, &seen.key);
        self.woken.insert(app.clone());
        self.awake.or_default(&app).insert_workload_version(seen.clone());
        let of = (app, seen.workload.clone(), seen.version.clone());
        self.workload_versions.insert(seen.key.clone(), of);
        true
    }

    /// Forgets an object. What was found out from it stays in the chains.
    pub(super) fn remove(&mut self, kind: Kind, key: &Key) {
        let is_known = match kind {
            Kind::AppVersion => self.app_versions.contains_key(key),
            _ => self.workload_versions.contains_key(key),
        };
        if !is_known {
            self.wake_app_of(key);
        }
        self.forget(kind, key);
    }

    fn forget(&mut self, kind: Kind, key: &Key) {
        match kind {
            Kind::AppVersion => {
                if let Some(app) = self.app_versions.remove(key) {
                    self.change(&app, |objects| objects.remove_app_version(&key.name));
                }
            }
            _ => {
                if let Some((app, workload, version)) = self.workload_versions.remove(key) {
                    self.change(&app, |objects| {
                        objects.remove_workload_version(&workload, &version, &key.name);
                    });
                }
            }
        }
    }

    /// The objects of a kind that it keeps.
    pub(super) fn keys(&self, kind: Kind) -> Vec<Key> {
        let resting =
            self.resting.values().filter_map(|resting| self.packer.unpack(&resting.objects));
        let resting = resting.flat_map(|(app_versions, workload_versions): Objects| {
            let keys: Vec<_> = match kind {
                Kind::AppVersion => app_versions.into_iter().map(|it| it.key).collect(),
                _ => workload_versions.into_iter().map(|it| it.key).collect(),
            };
            keys
        });
        match kind {
            Kind::AppVersion => self.app_versions.keys().cloned().chain(resting).collect(),
            _ => self.workload_versions.keys().cloned().chain(resting).collect(),
        }
    }

    /// The objects of an app that is awake, if there are any.
    pub(super) fn get(&self, app: &Key) -> Option<&KeptnObjects> {
        debug_assert!(!self.resting.contains_key(app), "{app} rests");
        self.awake.get(app)
    }

    /// In words, what a KeptnAppVersion that lists this workload holds instead of a traceparent.
    pub(super) fn broken_trace(&self, app: &Key, workload: &Workload) -> Option<String> {
        self.get(app)?.listing(workload).rev().find_map(|version| {
            let broken = version.broken.as_ref()?;
            Some(format!("KeptnAppVersion {}: {broken}", version.key.name))
        })
    }

    /// An app may rest, once no Rollout works with it.
    pub(super) fn may_rest(&mut self, app: Key) {
        self.woken.insert(app);
    }

    /// Those that may rest, since this was asked last.
    pub(super) fn woken(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.woken)
    }

    /// Wakes an app that rests.
    pub(super) fn wake(&mut self, app: &Key) {
        let Some(resting) = self.resting.remove(app) else { return };
        self.woken.insert(app.clone());
        let Some((app_versions, workload_versions)) =
            self.packer.unpack::<Objects>(&resting.objects)
        else {
            return;
        };
        let objects = self.awake.or_default(app);
        for seen in app_versions {
            self.app_versions.insert(seen.key.clone(), app.clone());
            objects.insert_app_version(seen);
        }
        for seen in workload_versions {
            let of = (app.clone(), seen.workload.clone(), seen.version.clone());
            self.workload_versions.insert(seen.key.clone(), of);
            objects.insert_workload_version(seen);
        }
    }

    /// Lets an app rest that no Rollout works with.
    pub(super) fn rest(&mut self, app: &Key) {
        let Some(objects) = self.awake.get(app).filter(|it| it.len() <= PACKED) else { return };
        let app_versions: Vec<_> = objects.app_versions().collect();
        let workload_versions: Vec<_> = objects.workload_versions().collect();
        let bytes = self.packer.pack(&(&app_versions, &workload_versions));
        let Some(bytes) = bytes else { return };
        let seen = app_versions.iter().map(fingerprint);
        let seen = seen.chain(workload_versions.iter().map(fingerprint)).collect();
        for seen in &app_versions {
            self.app_versions.remove(&seen.key);
        }
        for seen in &workload_versions {
            self.workload_versions.remove(&seen.key);
        }
        self.awake.remove(app);
        self.resting.insert(app.clone(), Resting { seen, objects: bytes });
    }

    fn rests_with(&self, app: &Key, seen: u64) -> bool {
        self.resting.get(app).is_some_and(|resting| resting.seen.contains(&seen))
    }

    /// Keptn names its objects after the app first (keptn lifecycle-operator
    /// operatorcommon.CreateResourceName); where it cut that, each app of the namespace may be it.
    fn wake_app_of(&mut self, key: &Key) {
        let ends = key.name.match_indices('-').map(|(end, _)| end);
        let named = ends.filter_map(|end| key.name.get(..end));
        let named = named.map(|app| Key::new(key.namespace.clone(), app));
        let named: Vec<_> = named.filter(|app| self.resting.contains_key(app)).collect();
        let apps =
            if named.is_empty() { in_namespace(&self.resting, &key.namespace) } else { named };
        for app in apps {
            self.wake(&app);
        }
    }

    fn change(&mut self, app: &Key, change: impl FnOnce(&mut KeptnObjects)) {
        if let Some(objects) = self.awake.get_mut(app) {
            change(objects);
            if objects.is_empty() {
                self.awake.remove(app);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn app_version(number: usize) -> AppVersionSeen {
        AppVersionSeen {
            key: Key::new("ns", format!("shop-{number}-6b86b273")),
            app: "shop".into(),
            workloads: vec![("cart".into(), "1.0.0".into())],
            span_links: Vec::new(),
            created: Some(Timestamp::UNIX_EPOCH),
            ended: None,
            deprecated: false,
            held: false,
            before_deploy: None,
            app_deploy: None,
            broken: None,
        }
    }

    fn workload_version() -> WorkloadVersionSeen {
        WorkloadVersionSeen {
            key: Key::new("ns", "shop-cart-1.0.0"),
            app: "shop".into(),
            workload: "shop-cart".into(),
            version: "1.0.0".into(),
            replica_set_uid: Some("uid".into()),
            trace: None,
        }
    }

    fn shop() -> Key {
        Key::new("ns", "shop")
    }

    fn at_rest() -> KeptnApps {
        let mut apps = KeptnApps::default();
        assert_eq!(apps.app_version(&app_version(1)), ["cart".into()].into());
        assert!(apps.workload_version(&workload_version()));
        assert_eq!(apps.woken(), [shop()].into());
        apps.rest(&shop());
        assert!(apps.awake.is_empty() && apps.app_versions.is_empty());
        apps
    }

    #[test]
    fn what_was_seen_already_wakes_no_app() {
        let mut apps = at_rest();
        assert!(apps.app_version(&app_version(1)).is_empty());
        assert!(!apps.workload_version(&workload_version()));
        assert!(apps.awake.is_empty() && apps.woken().is_empty());
        assert_eq!(apps.keys(Kind::AppVersion), [app_version(1).key]);
        assert_eq!(apps.keys(Kind::WorkloadVersion), [workload_version().key]);
    }

    #[test]
    fn what_is_new_wakes_its_app_with_all_that_it_had() {
        let mut apps = at_rest();
        let changed = WorkloadVersionSeen { replica_set_uid: None, ..workload_version() };
        assert!(apps.workload_version(&changed));
        let objects = apps.get(&shop()).unwrap();
        assert_eq!(objects.app_versions().collect::<Vec<_>>(), [&app_version(1)]);
        assert_eq!(objects.workload_versions().collect::<Vec<_>>(), [&changed]);
        assert_eq!(apps.woken(), [shop()].into());
    }

    #[test]
    fn an_object_that_goes_is_forgotten_whatever_its_name() {
        for key in [app_version(1).key, Key::new("ns", "another-name")] {
            let mut apps = at_rest();
            apps.wake(&shop());
            apps.app_version(&AppVersionSeen { key: key.clone(), ..app_version(1) });
            apps.rest(&shop());
            apps.remove(Kind::AppVersion, &key);
            assert!(!apps.keys(Kind::AppVersion).contains(&key), "{key}");
            assert_eq!(apps.keys(Kind::WorkloadVersion).len(), 1);
        }
        let mut apps = at_rest();
        apps.remove(Kind::AppVersion, &app_version(1).key);
        apps.remove(Kind::WorkloadVersion, &workload_version().key);
        apps.rest(&shop());
        assert!(apps.awake.is_empty() && apps.resting.is_empty());
    }

    #[test]
    fn an_app_with_very_many_objects_stays_awake() {
        let mut apps = KeptnApps::default();
        for number in 0..1_000 {
            apps.app_version(&app_version(number));
        }
        apps.rest(&shop());
        assert_eq!(apps.get(&shop()).map(KeptnObjects::len), Some(1_000));
    }
}
