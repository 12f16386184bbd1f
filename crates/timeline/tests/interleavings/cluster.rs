//! A model of Argo Rollouts and of Keptn: what they would write, and the truth behind it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use timeline::observation::{
    AppVersionSeen, OwnedMetadata, ReplicaSetSeen, RolloutSeen, Template, WorkloadVersionSeen,
};
use timeline::workload::Workload;
use timeline::{Key, Kind, Observation, Traceparent};

use crate::api_server::{ApiServer, NAMESPACE};

pub(crate) const ROLLOUTS: [&str; 2] = ["cart", "pay"];
pub(crate) const APPS: [&str; 2] = ["shop", "market"];
/// Application and version of each template. The fifth is built anew from the sources of the
/// first; the sixth moves to another app.
const TEMPLATES: [(usize, &str); 7] =
    [(0, "1"), (0, "2"), (0, "3"), (0, "4"), (0, "1"), (1, "5"), (0, "6")];
/// How many templates a random interleaving chooses from.
pub(crate) const RANDOM_TEMPLATES: u8 = 6;
/// Never tried before the end, so nothing about it is ambiguous.
pub(crate) const LAST_TEMPLATE: u8 = 6;

#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) rollouts: [Rollout; 2],
    pub(crate) apps: [App; 2],
    uids: u32,
    traces: u32,
}

#[derive(Default)]
pub(crate) struct Rollout {
    pub(crate) uid: Option<String>,
    created: Timestamp,
    revision: i64,
    sets: BTreeMap<u8, ReplicaSetSeen>,
    pub(crate) current: Option<u8>,
    pub(crate) stable: Option<u8>,
    pub(crate) aborted_at: Option<Timestamp>,
    healthy: bool,
    completed: Option<(bool, Timestamp)>,
    /// The truth, oldest first.
    pub(crate) attempts: Vec<Tried>,
    /// The operator was never told of some of its versions.
    pub(crate) dropped: bool,
    /// The operator was told of some of them long after they were made.
    pub(crate) late: bool,
}

pub(crate) struct Tried {
    pub(crate) template: u8,
    pub(crate) began: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) outcome: Outcome,
    /// Index of what was live when it began.
    pub(crate) live_before: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Open,
    Promoted,
    Aborted,
    Other,
}

/// A KeptnApp, which versions its pods brought, and the KeptnAppVersions made of that.
#[derive(Default)]
pub(crate) struct App {
    versions: BTreeMap<String, String>,
    pub(crate) app_versions: Vec<AppVersion>,
    /// The trace that Keptn took for a workload's version when it first had pods.
    pub(crate) named: BTreeMap<(String, String), Traceparent>,
    unnamed: BTreeMap<(String, String), String>,
}

pub(crate) struct AppVersion {
    pub(crate) seen: AppVersionSeen,
    /// The trace that it is part of: its own, or that of the open spans that it goes on with.
    pub(crate) trace: Traceparent,
    own: bool,
}

pub(crate) fn app_key(app: usize) -> Key {
    Key::new(NAMESPACE, APPS[app])
}

pub(crate) fn rollout_key(rollout: usize) -> Key {
    Key::new(NAMESPACE, ROLLOUTS[rollout])
}

pub(crate) fn app_of(template: u8) -> usize {
    TEMPLATES[usize::from(template)].0
}

pub(crate) fn version_of(template: u8) -> &'static str {
    TEMPLATES[usize::from(template)].1
}

pub(crate) fn hash_of(template: u8) -> String {
    format!("hash{template}")
}

/// Kubernetes' times have no fraction.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

impl Cluster {
    /// A person applies a template; Argo sees to the ReplicaSet, then to the annotation, then to
    /// the status.
    pub(crate) fn apply(&mut self, server: &mut ApiServer, r: usize, template: u8, now: Timestamp) {
        let was = self.rollouts[r].current;
        if was == Some(template) {
            return;
        }
        if self.rollouts[r].uid.is_none() {
            self.uids += 1;
            let uid = Some(format!("uid-{r}-{}", self.uids));
            self.rollouts[r] = Rollout { uid, created: whole(now), ..Rollout::default() };
            self.tell(server, r, now, false);
        }
        self.name_workloads(server, r, now);
        let rollout = &mut self.rollouts[r];
        rollout.revision += 1;
        let uid = rollout.uid.clone().unwrap();
        let set = rollout.sets.entry(template).or_insert_with(|| ReplicaSetSeen {
            key: Key::new(NAMESPACE, format!("{}-{}", ROLLOUTS[r], hash_of(template))),
            uid: format!("{uid}-{template}"),
            rollout: ROLLOUTS[r].to_owned(),
            rollout_uid: uid,
            hash: hash_of(template),
            revision: None,
            created: Some(whole(now)),
            template: Template::Decided(Ok(Workload {
                app: APPS[app_of(template)].to_owned(),
                name: format!("{}-{}", APPS[app_of(template)], ROLLOUTS[r]),
                version: version_of(template).to_owned(),
                hashed: false,
            })),
        });
        set.revision = Some(rollout.revision);
        let set = set.clone();
        server.put(Kind::ReplicaSet, set.key.clone(), Observation::ReplicaSet(set), now);
        self.tell(server, r, now, false);

        let rollout = &mut self.rollouts[r];
        let reverts = rollout.stable == Some(template);
        if let Some(newest) = rollout.attempts.last_mut().filter(|newest| newest.is_open()) {
            // Argo calls the first revision stable even if it never was healthy.
            let first = rollout.stable == was;
            newest.outcome = if first { Outcome::Promoted } else { Outcome::Other };
            newest.ended = Some(now);
        }
        rollout.current = Some(template);
        rollout.aborted_at = None;
        if rollout.stable.is_none() {
            rollout.stable = Some(template);
            rollout.completed = Some((true, whole(now)));
        }
        if reverts {
            rollout.completed = Some((true, whole(now)));
        } else {
            if rollout.stable != Some(template) && rollout.completed.is_none_or(|(done, _)| done) {
                rollout.completed = Some((false, whole(now)));
            }
            rollout.healthy = false;
            rollout.begin(template, now);
        }
        self.tell(server, r, now, true);
    }

    pub(crate) fn promote(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        let rollout = &self.rollouts[r];
        if rollout.aborted_at.is_some() || !rollout.attempts.last().is_some_and(Tried::is_open) {
            return;
        }
        self.pods_start(server, r, false, now);
        self.name_workloads(server, r, now);
        let rollout = &mut self.rollouts[r];
        if rollout.stable != rollout.current {
            rollout.completed = Some((true, whole(now)));
        }
        rollout.stable = rollout.current;
        rollout.healthy = true;
        let app = rollout.current.map_or(0, app_of);
        if let Some(newest) = rollout.attempts.last_mut() {
            newest.outcome = Outcome::Promoted;
            newest.ended = Some(now);
        }
        self.tell(server, r, now, true);
        if let Some(version) = self.apps[app].app_versions.last_mut() {
            version.seen.ended.get_or_insert(whole(now));
            version.tell(server, now);
        }
    }

    pub(crate) fn abort(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        let rollout = &self.rollouts[r];
        if rollout.stable == rollout.current || rollout.aborted_at.is_some() {
            return;
        }
        self.name_workloads(server, r, now);
        let rollout = &mut self.rollouts[r];
        rollout.aborted_at = Some(whole(now));
        if let Some(newest) = rollout.attempts.last_mut() {
            newest.outcome = Outcome::Aborted;
            newest.ended = Some(now);
        }
        self.tell(server, r, now, true);
    }

    pub(crate) fn retry(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        let rollout = &mut self.rollouts[r];
        if rollout.aborted_at.take().is_some()
            && let Some(template) = rollout.current
        {
            rollout.begin(template, now);
            self.tell(server, r, now, true);
        }
    }

    pub(crate) fn revert(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        if let Some(stable) = self.rollouts[r].stable {
            self.apply(server, r, stable, now);
        }
    }

    /// Pods restart and phases flap.
    pub(crate) fn flap(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        let rollout = &mut self.rollouts[r];
        if rollout.uid.is_some() && !rollout.attempts.last().is_none_or(Tried::is_open) {
            rollout.healthy = !rollout.healthy;
            self.tell(server, r, now, false);
        }
    }

    /// The Rollout goes, with what it owns; Keptn's app forgets the workload, its versions stay.
    pub(crate) fn delete(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        if self.rollouts[r].uid.is_none() {
            return;
        }
        self.name_workloads(server, r, now);
        server.delete(Kind::Rollout, &rollout_key(r), now);
        let rollout = std::mem::take(&mut self.rollouts[r]);
        for (template, set) in rollout.sets {
            server.delete(Kind::ReplicaSet, &set.key, now);
            let app = app_of(template);
            server.delete(Kind::WorkloadVersion, &workload_version_key(app, r, template), now);
            if self.apps[app].versions.remove(ROLLOUTS[r]).is_some() {
                self.make_app_version(server, app, now);
            }
        }
    }

    /// The first new pod of the current revision, or one in place of an old pod that died. Keptn
    /// sees its version, and makes a KeptnAppVersion if that is not what its app had.
    pub(crate) fn pods_start(&mut self, server: &mut ApiServer, r: usize, old: bool, now: Timestamp) {
        let rollout = &self.rollouts[r];
        let old = old || rollout.aborted_at.is_some();
        let Some(template) = (if old { rollout.stable } else { rollout.current }) else { return };
        let (app, version) = (app_of(template), version_of(template));
        let key = workload_version_key(app, r, template);
        let name = (ROLLOUTS[r].to_owned(), version.to_owned());
        let set = self.rollouts[r].sets[&template].uid.clone();
        let this = &mut self.apps[app];
        let before = this.versions.insert(name.0.clone(), name.1.clone());
        if before.as_deref() != Some(version) {
            self.make_app_version(server, app, now);
        }
        let this = &mut self.apps[app];
        if !this.named.contains_key(&name) {
            this.unnamed.insert(name.clone(), set.clone());
        }
        let seen = WorkloadVersionSeen {
            key: key.clone(),
            app: APPS[app].to_owned(),
            workload: format!("{}-{}", APPS[app], name.0),
            version: name.1.clone(),
            replica_set_uid: Some(set),
            trace: this.named.get(&name).copied(),
        };
        server.put(Kind::WorkloadVersion, key, Observation::WorkloadVersion(seen), now);
    }

    /// Keptn's spans are known, some hundred milliseconds after the KeptnAppVersion.
    pub(crate) fn spans_are_known(&mut self, server: &mut ApiServer, now: Timestamp) {
        for version in self.apps.iter_mut().flat_map(|app| &mut app.app_versions) {
            if version.own && version.seen.app_deploy.is_none() {
                version.seen.app_deploy = Some(version.trace);
                version.tell(server, now);
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
                let listing = app.app_versions.iter().rfind(|version| version.lists(&name));
                let Some(trace) = listing.map(|version| version.trace) else { continue };
                let set = app.unnamed.remove(&name);
                app.named.insert(name.clone(), trace);
                let workload = format!("{}-{}", APPS[index], name.0);
                let seen = WorkloadVersionSeen {
                    key: Key::new(NAMESPACE, format!("{workload}-{}", name.1)),
                    app: APPS[index].to_owned(),
                    workload,
                    version: name.1,
                    replica_set_uid: set,
                    trace: Some(trace),
                };
                let key = seen.key.clone();
                server.put(Kind::WorkloadVersion, key, Observation::WorkloadVersion(seen), now);
            }
        }
    }

    fn make_app_version(&mut self, server: &mut ApiServer, app: usize, now: Timestamp) {
        self.traces += 1;
        let own = traceparent(self.traces);
        let links = server.span_links(&app_key(app)).unwrap_or_default();
        let this = &mut self.apps[app];
        let workloads: Vec<_> = this.versions.clone().into_iter().collect();
        for older in &mut this.app_versions {
            if older.seen.ended.is_none() && !older.seen.deprecated {
                older.seen.deprecated = true;
                older.tell(server, now);
            }
        }
        // The spans of the same version are still open: Keptn goes on with them.
        let open = this
            .app_versions
            .iter()
            .rfind(|older| older.seen.ended.is_none() && older.seen.workloads == workloads)
            .map(|older| older.trace);
        let number = this.app_versions.len() + 1;
        let version = AppVersion {
            seen: AppVersionSeen {
                key: Key::new(NAMESPACE, format!("{}-v-{number}", APPS[app])),
                app: APPS[app].to_owned(),
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
        version.tell(server, now);
        this.app_versions.push(version);
    }

    fn tell(&self, server: &mut ApiServer, r: usize, now: Timestamp, matters: bool) {
        let rollout = &self.rollouts[r];
        let seen = RolloutSeen {
            key: rollout_key(r),
            uid: rollout.uid.clone().unwrap(),
            created: Some(rollout.created),
            revision: (rollout.revision > 0).then_some(rollout.revision),
            current_hash: rollout.current.map(hash_of),
            stable_hash: rollout.stable.map(hash_of),
            abort: rollout.aborted_at.is_some(),
            aborted_at: rollout.aborted_at,
            healthy: rollout.healthy,
            completed: rollout.completed,
            metadata: OwnedMetadata::default(),
        };
        server.put(Kind::Rollout, seen.key.clone(), Observation::Rollout(seen), now);
        server.last_matters(Kind::Rollout, matters);
    }
}

impl Rollout {
    fn begin(&mut self, template: u8, now: Timestamp) {
        let live_before = self.live();
        self.attempts.push(Tried {
            template,
            began: now,
            ended: None,
            outcome: Outcome::Open,
            live_before,
        });
    }

    pub(crate) fn live(&self) -> Option<usize> {
        self.attempts.iter().rposition(|attempt| attempt.outcome == Outcome::Promoted)
    }
}

impl Tried {
    pub(crate) fn is_open(&self) -> bool {
        self.outcome == Outcome::Open
    }
}

impl AppVersion {
    pub(crate) fn lists(&self, name: &(String, String)) -> bool {
        self.seen.workloads.contains(name)
    }

    pub(crate) fn made_between(&self, from: Timestamp, until: Option<Timestamp>) -> bool {
        let created = self.seen.created.unwrap() + SignedDuration::from_secs(1);
        created >= from && until.is_none_or(|until| created <= until + SignedDuration::from_secs(1))
    }

    fn tell(&self, server: &mut ApiServer, now: Timestamp) {
        let seen = self.seen.clone();
        server.put(Kind::AppVersion, seen.key.clone(), Observation::AppVersion(seen), now);
    }
}

fn workload_version_key(app: usize, r: usize, template: u8) -> Key {
    Key::new(NAMESPACE, format!("{}-{}-{}", APPS[app], ROLLOUTS[r], version_of(template)))
}

fn traceparent(n: u32) -> Traceparent {
    format!("00-{n:032x}-{n:016x}-01").parse().unwrap()
}
