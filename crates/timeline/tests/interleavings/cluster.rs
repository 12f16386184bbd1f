//! A model of Argo Rollouts: what it would write, and the truth behind it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use timeline::seen::{OwnedMetadata, ReplicaSetSeen, RolloutSeen, Template, Workload};
use timeline::{Key, Kind, Observation};

use crate::admitted::Published;
use crate::api_server::{ApiServer, NAMESPACE};
use crate::keptn::{App, workload_version_key};

pub(crate) const ROLLOUTS: [&str; 2] = ["cart", "pay"];
pub(crate) const APPS: [&str; 2] = ["shop", "market"];
/// Application and version of each template. The fifth is built again from the sources of the
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
    pub(crate) traces: u32,
    /// What the operator has published last.
    pub(crate) published: Published,
    uids: u32,
}

#[derive(Default)]
pub(crate) struct Rollout {
    pub(crate) uid: Option<String>,
    created: Timestamp,
    revision: i64,
    pub(crate) sets: BTreeMap<u8, ReplicaSetSeen>,
    pub(crate) current: Option<u8>,
    pub(crate) stable: Option<u8>,
    pub(crate) aborted_at: Option<Timestamp>,
    healthy: bool,
    completed: Option<(bool, Timestamp)>,
    /// The truth, oldest first.
    pub(crate) attempts: Vec<Tried>,
    /// The operator never saw some of its versions.
    pub(crate) dropped: bool,
    /// The operator saw some of them long after they were made.
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
pub(crate) fn whole(at: Timestamp) -> Timestamp {
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
            self.write(server, r, now, false);
        }
        self.name_workloads(server, r, now);
        let rollout = &mut self.rollouts[r];
        rollout.revision += 1;
        let uid = rollout.uid.clone().unwrap();
        let set = rollout.sets.entry(template).or_insert_with(|| ReplicaSetSeen {
            key: Key::new(NAMESPACE, format!("{}-{}", ROLLOUTS[r], hash_of(template))),
            uid: format!("{uid}-{template}").into(),
            rollout: ROLLOUTS[r].into(),
            rollout_uid: uid.into(),
            hash: hash_of(template).into(),
            revision: None,
            created: Some(whole(now)),
            template: Template::Decided(Ok(Workload {
                app: APPS[app_of(template)].into(),
                name: format!("{}-{}", APPS[app_of(template)], ROLLOUTS[r]).into(),
                version: version_of(template).into(),
                hashed: false,
            })),
            desired: None,
            ready: 0,
            available: 0,
            failure: None,
            facts: timeline::seen::RevisionFacts::default(),
        });
        set.revision = Some(rollout.revision);
        let set = set.clone();
        server.put(Kind::ReplicaSet, set.key.clone(), Observation::ReplicaSet(set), now);
        self.write(server, r, now, false);

        let rollout = &mut self.rollouts[r];
        // Argo calls the first revision stable though it never was healthy: a return to it is a try.
        let reverts = rollout.stable == Some(template) && rollout.live().is_some();
        if let Some(newest) = rollout.attempts.last_mut().filter(|newest| newest.is_open()) {
            newest.outcome = Outcome::Other;
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
        self.write(server, r, now, true);
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
        self.write(server, r, now, true);
        if let Some(version) = self.apps[app].made.last_mut() {
            version.seen.ended.get_or_insert(whole(now));
            version.write(server, now);
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
        self.write(server, r, now, true);
    }

    pub(crate) fn retry(&mut self, server: &mut ApiServer, r: usize, now: Timestamp) {
        let rollout = &mut self.rollouts[r];
        if rollout.aborted_at.take().is_some()
            && let Some(template) = rollout.current
        {
            rollout.begin(template, now);
            self.write(server, r, now, true);
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
            self.write(server, r, now, false);
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

    fn write(&self, server: &mut ApiServer, r: usize, now: Timestamp, matters: bool) {
        let rollout = &self.rollouts[r];
        let seen = RolloutSeen {
            key: rollout_key(r),
            uid: rollout.uid.clone().unwrap().into(),
            created: Some(rollout.created),
            revision: (rollout.revision > 0).then_some(rollout.revision),
            current_hash: rollout.current.map(hash_of).map(Into::into),
            stable_hash: rollout.stable.map(hash_of).map(Into::into),
            abort: rollout.aborted_at.is_some(),
            aborted_at: rollout.aborted_at,
            healthy: rollout.healthy,
            completed: rollout.completed,
            metadata: OwnedMetadata::default(),
            progress: timeline::seen::Progress {
                was_healthy: rollout.live().is_some(),
                ..timeline::seen::Progress::default()
            },
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
