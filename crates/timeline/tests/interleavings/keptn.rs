//! A model of Keptn: the objects that it makes of the pods that it sees.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;
use timeline::seen::{AppVersionSeen, WorkloadVersionSeen};
use timeline::{Key, Kind, Observation, Traceparent};

use crate::api_server::{ApiServer, NAMESPACE};
use crate::cluster::{APPS, Cluster, ROLLOUTS, app_key, app_of, version_of, whole};

/// A KeptnApp, which versions its pods brought, and the KeptnAppVersions made of that.
#[derive(Default)]
pub(crate) struct App {
    pub(crate) versions: BTreeMap<SmolStr, SmolStr>,
    pub(crate) made: Vec<AppVersion>,
    /// The trace that Keptn took for a workload's version when it first had pods.
    pub(crate) named: BTreeMap<(SmolStr, SmolStr), Traceparent>,
    unnamed: BTreeMap<(SmolStr, SmolStr), String>,
}

pub(crate) struct AppVersion {
    pub(crate) seen: AppVersionSeen,
    /// The trace that it is part of: its own, or that of the open spans that it goes on with.
    pub(crate) trace: Traceparent,
    own: bool,
}

impl Cluster {
    /// The first new pod of the current revision, or one in place of an old pod that died. Keptn
    /// sees its version, and makes a KeptnAppVersion if that is not what its app had.
    pub(crate) fn pods_start(
        &mut self,
        server: &mut ApiServer,
        r: usize,
        old: bool,
        now: Timestamp,
    ) {
        let rollout = &self.rollouts[r];
        let old = old || rollout.aborted_at.is_some();
        let Some(template) = (if old { rollout.stable } else { rollout.current }) else {
            return;
        };
        let (app, version) = (app_of(template), version_of(template));
        let key = workload_version_key(app, r, template);
        let name: (SmolStr, SmolStr) = (ROLLOUTS[r].into(), version.into());
        let set = self.rollouts[r].sets[&template].uid.clone();
        let this = &mut self.apps[app];
        let before = this.versions.insert(name.0.clone(), name.1.clone());
        if before.as_deref() != Some(version) {
            self.make_app_version(server, app, now);
        }
        let this = &mut self.apps[app];
        if !this.named.contains_key(&name) {
            this.unnamed.insert(name.clone(), set.to_string());
        }
        let seen = WorkloadVersionSeen {
            key: key.clone(),
            app: APPS[app].into(),
            workload: format!("{}-{}", APPS[app], name.0).into(),
            version: name.1.clone(),
            replica_set_uid: Some(set),
            trace: this.named.get(&name).copied(),
        };
        server.put(Kind::WorkloadVersion, key, Observation::WorkloadVersion(seen), now);
    }

    /// Keptn's spans are known, some hundred milliseconds after the KeptnAppVersion.
    pub(crate) fn spans_are_known(&mut self, server: &mut ApiServer, now: Timestamp) {
        for version in self.apps.iter_mut().flat_map(|app| &mut app.made) {
            if version.own && version.seen.app_deploy.is_none() {
                version.seen.app_deploy = Some(version.trace);
                version.write(server, now);
            }
        }
    }

    /// Keptn names the newest trace of each version of a Rollout that is new to it; up to ten
    /// seconds after the first pod, and so before Argo's next step.
    pub(crate) fn name_workloads(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        self.spans_are_known(server, now);
        for (index, app) in self.apps.iter_mut().enumerate() {
            let names = app.unnamed.keys().filter(|name| name.0 == ROLLOUTS[r]).cloned();
            for name in names.collect::<Vec<_>>() {
                let listing = app.made.iter().rfind(|version| version.lists(&name));
                let Some(trace) = listing.map(|version| version.trace) else {
                    continue;
                };
                let set = app.unnamed.remove(&name);
                app.named.insert(name.clone(), trace);
                let workload = format!("{}-{}", APPS[index], name.0);
                let seen = WorkloadVersionSeen {
                    key: Key::new(NAMESPACE, format!("{workload}-{}", name.1)),
                    app: APPS[index].into(),
                    workload: workload.into(),
                    version: name.1,
                    replica_set_uid: set.map(Into::into),
                    trace: Some(trace),
                };
                let key = seen.key.clone();
                server.put(Kind::WorkloadVersion, key, Observation::WorkloadVersion(seen), now);
            }
        }
    }

    pub(crate) fn make_app_version(&mut self, server: &mut ApiServer, app: usize, now: Timestamp) {
        self.traces += 1;
        let own = traceparent(self.traces);
        let links = server.span_links(&app_key(app)).unwrap_or_default();
        let workloads: Vec<_> = self.apps[app].versions.clone().into_iter().collect();
        let versions: Vec<&str> = workloads.iter().map(|(_, version)| version.as_str()).collect();
        let number = self.apps[app].made.len() + 1;
        let name = format!("{}-v{}-{number}", APPS[app], versions.join("."));
        // What the operator has not seen yet it takes for an entry of another writer.
        let ours = if server.has_events() { Vec::new() } else { server.ours(&app_key(app)) };
        let seen = !server.hides_a_deletion();
        let links = self.admit(app, (&name, &workloads), (links, ours), seen, now);
        let this = &mut self.apps[app];
        for older in &mut this.made {
            if older.seen.ended.is_none() && !older.seen.deprecated {
                older.seen.deprecated = true;
                older.write(server, now);
            }
        }
        // The spans of the same version are still open: Keptn goes on with them.
        let open = this
            .made
            .iter()
            .rfind(|older| older.seen.ended.is_none() && older.seen.workloads == workloads)
            .map(|older| older.trace);
        let version = AppVersion {
            seen: AppVersionSeen {
                key: Key::new(NAMESPACE, name),
                app: APPS[app].into(),
                workloads,
                span_links: links,
                created: Some(whole(now)),
                ended: None,
                deprecated: false,
                held: false,
                before_deploy: Some(open.unwrap_or(own)),
                app_deploy: None,
                broken: None,
            },
            trace: open.unwrap_or(own),
            own: open.is_none(),
        };
        version.write(server, now);
        this.made.push(version);
    }
}

impl AppVersion {
    pub(crate) fn lists(&self, name: &(SmolStr, SmolStr)) -> bool {
        self.seen.workloads.contains(name)
    }

    pub(crate) fn made_between(&self, from: Timestamp, until: Option<Timestamp>) -> bool {
        let created = self.seen.created.unwrap() + SignedDuration::from_secs(1);
        created >= from && until.is_none_or(|until| created <= until + SignedDuration::from_secs(1))
    }

    pub(crate) fn write(&self, server: &mut ApiServer, now: Timestamp) {
        let seen = self.seen.clone();
        server.put(Kind::AppVersion, seen.key.clone(), Observation::AppVersion(seen), now);
    }
}

pub(crate) fn workload_version_key(app: usize, r: usize, template: u8) -> Key {
    Key::new(NAMESPACE, format!("{}-{}-{}", APPS[app], ROLLOUTS[r], version_of(template)))
}

fn traceparent(n: u32) -> Traceparent {
    format!("00-{n:032x}-{n:016x}-01").parse().unwrap()
}
