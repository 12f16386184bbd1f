//! Keptn's objects of one app, by what is asked of them: the answer costs the same however many
//! versions the app has had.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::generation;
use crate::base::TraceId;
use crate::seen::{AppVersionSeen, Workload, WorkloadVersionSeen};

/// Order of creation: the API server's clock, then Keptn's generation as its names say it.
type Order = Arc<(Option<Timestamp>, Option<u32>, SmolStr)>;

/// Keptn's objects of one app.
#[derive(Debug, Default)]
pub struct KeptnObjects {
    app_versions: BTreeMap<Order, AppVersionSeen>,
    order_of: BTreeMap<SmolStr, Order>,
    /// By short name and version of a workload that they list.
    listing: BTreeMap<(SmolStr, SmolStr), BTreeSet<Order>>,
    /// By the trace that their spans are in.
    of_trace: BTreeMap<TraceId, BTreeSet<Order>>,
    /// By workload and version, then by name.
    workload_versions: BTreeMap<(SmolStr, SmolStr), BTreeMap<SmolStr, WorkloadVersionSeen>>,
}

impl KeptnObjects {
    /// Keeps a KeptnAppVersion.
    pub fn insert_app_version(&mut self, seen: AppVersionSeen) {
        let name = seen.key.name.clone();
        self.remove_app_version(&name);
        let order = Arc::new((seen.created, generation::of_name(&name), name.clone()));
        for listed in &seen.workloads {
            self.listing.entry(listed.clone()).or_default().insert(Arc::clone(&order));
        }
        if let Some(trace) = trace_of(&seen) {
            self.of_trace.entry(trace).or_default().insert(Arc::clone(&order));
        }
        self.order_of.insert(name, Arc::clone(&order));
        self.app_versions.insert(order, seen);
    }

    /// Forgets a KeptnAppVersion.
    pub fn remove_app_version(&mut self, name: &str) {
        let Some(order) = self.order_of.remove(name) else { return };
        let Some(seen) = self.app_versions.remove(&order) else { return };
        for listed in &seen.workloads {
            take_out(&mut self.listing, listed, &order);
        }
        if let Some(trace) = trace_of(&seen) {
            take_out(&mut self.of_trace, &trace, &order);
        }
    }

    /// Keeps a KeptnWorkloadVersion.
    pub fn insert_workload_version(&mut self, seen: WorkloadVersionSeen) {
        let of = (seen.workload.clone(), seen.version.clone());
        self.workload_versions.entry(of).or_default().insert(seen.key.name.clone(), seen);
    }

    /// Forgets the KeptnWorkloadVersion of this name, of a workload and version.
    pub fn remove_workload_version(&mut self, workload: &str, version: &str, name: &str) {
        let of = (workload.into(), version.into());
        if let Some(versions) = self.workload_versions.get_mut(&of) {
            versions.remove(name);
            if versions.is_empty() {
                self.workload_versions.remove(&of);
            }
        }
    }

    /// All KeptnAppVersions.
    pub fn app_versions(&self) -> impl Iterator<Item = &AppVersionSeen> {
        self.app_versions.values()
    }

    /// All KeptnWorkloadVersions.
    pub fn workload_versions(&self) -> impl Iterator<Item = &WorkloadVersionSeen> {
        self.workload_versions.values().flat_map(BTreeMap::values)
    }

    /// How many there are, of both kinds. Workloads that have one version count once.
    pub fn len(&self) -> usize {
        self.app_versions.len().saturating_add(self.workload_versions.len())
    }

    /// Nothing of the app is left.
    pub fn is_empty(&self) -> bool {
        self.app_versions.is_empty() && self.workload_versions.is_empty()
    }

    /// The KeptnAppVersion of this name.
    pub fn app_version(&self, name: &str) -> Option<&AppVersionSeen> {
        self.app_versions.get(self.order_of.get(name)?)
    }

    /// The KeptnAppVersions that list a workload in its version, oldest first.
    pub fn listing<'a>(
        &'a self,
        workload: &Workload,
    ) -> impl DoubleEndedIterator<Item = &'a AppVersionSeen> + use<'a> {
        let of = (workload.short_name().into(), workload.version.clone());
        let orders = self.listing.get(&of).into_iter().flatten();
        orders.filter_map(|order| self.app_versions.get(order))
    }

    /// Those of them that were made at this time or later, oldest first.
    pub fn listing_since<'a>(
        &'a self,
        workload: &Workload,
        since: Timestamp,
    ) -> impl Iterator<Item = &'a AppVersionSeen> + use<'a> {
        let of = (workload.short_name().into(), workload.version.clone());
        let first: Order = Arc::new((Some(since), None, SmolStr::default()));
        let orders = self.listing.get(&of).into_iter();
        let orders = orders.flat_map(move |orders| orders.range(Arc::clone(&first)..));
        orders.filter_map(|order| self.app_versions.get(order))
    }

    /// When the first was made of those that came after this one.
    pub fn replaced_at(&self, version: &AppVersionSeen) -> Option<Timestamp> {
        let order = self.order_of.get(&version.key.name)?;
        let later = (Bound::Excluded(order.clone()), Bound::Unbounded);
        self.app_versions.range(later).find_map(|(_, later)| later.created)
    }

    /// The oldest whose spans are in the trace of this one, if that is another.
    pub fn continued(&self, version: &AppVersionSeen) -> Option<&AppVersionSeen> {
        let order = self.order_of.get(&version.key.name)?;
        let first = self.of_trace.get(&trace_of(version)?)?.first()?;
        if first < order { self.app_versions.get(first) } else { None }
    }

    /// Whether the one of this name came after `other`.
    pub fn is_later(&self, name: &str, other: &str) -> bool {
        let (one, other) = (self.order_of.get(name), self.order_of.get(other));
        one.zip(other).is_some_and(|(one, other)| one > other)
    }

    /// The KeptnWorkloadVersion of a workload in its version.
    pub fn workload_version(&self, workload: &Workload) -> Option<&WorkloadVersionSeen> {
        let of = (workload.name.clone(), workload.version.clone());
        self.workload_versions.get(&of)?.values().next()
    }

    /// The KeptnWorkloadVersion of this workload, in any version, that points at a ReplicaSet.
    pub fn of_replica_set(&self, workload: &str, uid: &str) -> Option<&WorkloadVersionSeen> {
        let first = (SmolStr::from(workload), SmolStr::default());
        let versions = self.workload_versions.range(first..);
        versions
            .take_while(|((name, _), _)| name == workload)
            .flat_map(|(_, versions)| versions.values())
            .find(|seen| seen.replica_set_uid.as_deref() == Some(uid))
    }
}

fn trace_of(version: &AppVersionSeen) -> Option<TraceId> {
    version.app_deploy.or(version.before_deploy).map(|trace| trace.trace_id())
}

fn take_out<K: Ord>(groups: &mut BTreeMap<K, BTreeSet<Order>>, group: &K, order: &Order) {
    if let Some(orders) = groups.get_mut(group) {
        orders.remove(order);
        if orders.is_empty() {
            groups.remove(group);
        }
    }
}
