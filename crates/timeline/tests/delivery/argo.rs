//! A model of Argo Rollouts, as far as attempts tell of it: which versions of which objects it
//! writes, one after the other, and the truth behind them. The order of its writes is that of
//! recordings of the real controller.

mod evidence;
mod pods;
mod progress;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use timeline::base::{AttemptId, Phase};
use timeline::seen::{
    AnalysisRunSeen, ConditionSeen, OwnedMetadata, PodSeen, Progress, ReplicaSetSeen,
    RevisionFacts, RolloutSeen, StepPlan, Strategy, Template, Workload,
};
use timeline::{Key, Observation};

pub(crate) const NAMESPACE: &str = "ns";

/// A step of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Weight(u32),
    /// Seconds; none waits for a person.
    Pause(Option<u64>),
    Analysis,
}

/// Something in the cluster becomes another.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    pub(crate) what: Observation,
    /// How many attempts of the Rollout had begun or ended when it came about.
    pub(crate) turns: usize,
}

/// An attempt as it was.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) identity: AttemptId,
    /// Progressing until it is decided.
    pub(crate) outcome: Phase,
    /// At which turns it began and ended.
    pub(crate) turns: (usize, Option<usize>),
}

/// One Rollout, its controller, and the people around it.
#[derive(Debug)]
pub(crate) struct Argo {
    pub(crate) now: Timestamp,
    pub(crate) changes: Vec<Change>,
    pub(crate) truth: Vec<Tried>,
    plan: Vec<Plan>,
    strategy: Strategy,
    /// A traffic router shifts weights.
    routed: bool,
    exists: bool,
    made: u32,
    rollout: RolloutSeen,
    sets: BTreeMap<String, ReplicaSetSeen>,
    runs: BTreeMap<Key, AnalysisRunSeen>,
    pods: BTreeMap<Key, PodSeen>,
    /// Hashes whose pods never start.
    broken: BTreeSet<String>,
    turns: usize,
    /// Turns at which no attempt began or ended, with the UID of the Rollout.
    pub(crate) silent: Vec<(String, usize)>,
}

/// Kubernetes' times have no fraction.
pub(crate) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

fn condition(status: Option<bool>, reason: &str, message: &str, at: Timestamp) -> ConditionSeen {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    ConditionSeen { status, reason, message, since: Some(whole(at)) }
}

impl Argo {
    /// A Rollout of this name is made at this time.
    pub(crate) fn new(name: &str, strategy: Strategy, plan: &[Plan], now: Timestamp) -> Self {
        let rollout = RolloutSeen {
            key: Key::new(NAMESPACE, name),
            uid: String::new().into(),
            created: None,
            revision: None,
            current_hash: None,
            stable_hash: None,
            abort: false,
            aborted_at: None,
            healthy: false,
            completed: None,
            metadata: OwnedMetadata::default(),
            progress: Progress::default(),
        };
        let mut argo = Self {
            now,
            changes: Vec::new(),
            truth: Vec::new(),
            plan: plan.to_vec(),
            strategy,
            routed: false,
            exists: false,
            made: 0,
            rollout,
            sets: BTreeMap::new(),
            runs: BTreeMap::new(),
            pods: BTreeMap::new(),
            broken: BTreeSet::new(),
            turns: 0,
            silent: Vec::new(),
        };
        argo.create();
        argo
    }

    pub(crate) fn routed(mut self) -> Self {
        self.routed = true;
        self
    }

    pub(crate) fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now += SignedDuration::from_secs(i64::try_from(seconds).unwrap());
        self
    }

    /// Nothing is as exact as a second, and no clock is as exact as ours.
    fn shortly(&mut self) {
        self.now += SignedDuration::new(0, 57_300_411);
    }

    fn put(&mut self, what: Observation) {
        self.changes.push(Change { at: self.now, what, turns: self.turns });
    }

    /// The Rollout is written.
    fn write(&mut self) {
        self.put(Observation::Rollout(self.rollout.clone()));
        self.shortly();
    }

    fn create(&mut self) {
        self.made += 1;
        self.exists = true;
        let steps = self.plan.iter().map(|plan| {
            let (kind, setting, seconds) = match plan {
                Plan::Weight(percent) => ("setWeight", percent.to_string(), None),
                Plan::Pause(None) => ("pause", String::new(), None),
                Plan::Pause(Some(seconds)) => ("pause", format!("{seconds}s"), Some(*seconds)),
                Plan::Analysis => ("analysis", "success-rate".to_owned(), None),
            };
            StepPlan { kind: kind.to_owned().into(), setting: setting.into(), seconds }
        });
        self.rollout = RolloutSeen {
            uid: format!("uid-{}-{}", self.rollout.key.name, self.made).into(),
            created: Some(whole(self.now)),
            revision: None,
            current_hash: None,
            stable_hash: None,
            abort: false,
            aborted_at: None,
            healthy: false,
            completed: None,
            progress: Progress {
                strategy: Some(self.strategy),
                steps: steps.collect(),
                step_count: u32::try_from(self.plan.len()).unwrap(),
                replicas: Some(2),
                ..Progress::default()
            },
            ..self.rollout.clone()
        };
        self.write();
    }

    fn is(&self, hash: &str) -> bool {
        self.rollout.current_hash.as_deref() == Some(hash)
    }

    fn current(&self) -> String {
        self.rollout.current_hash.clone().unwrap_or_default().to_string()
    }

    /// Whether an attempt is under way and may go on.
    fn moves(&self) -> bool {
        self.exists
            && !self.rollout.abort
            && self.rollout.current_hash.is_some()
            && self.rollout.current_hash != self.rollout.stable_hash
    }

    fn open(&mut self) -> Option<&mut Tried> {
        let uid = &self.rollout.uid;
        self.truth
            .last_mut()
            .filter(|it| it.identity.rollout_uid == *uid && it.outcome == Phase::Progressing)
    }

    fn begins(&mut self) {
        self.turns += 1;
        let (hash, revision) = (self.current(), self.rollout.revision.unwrap());
        let same = self.truth.iter().filter(|it| {
            it.identity.rollout_uid == self.rollout.uid
                && it.identity.hash == hash
                && it.identity.revision == revision
        });
        let identity = AttemptId {
            rollout: self.rollout.key.clone(),
            rollout_uid: self.rollout.uid.clone(),
            number: u32::try_from(same.count()).unwrap() + 1,
            hash: hash.into(),
            revision,
        };
        let outcome = Phase::Progressing;
        self.truth.push(Tried { identity, outcome, turns: (self.turns, None) });
    }

    fn ends(&mut self, outcome: Phase) {
        let turns = self.turns + 1;
        if let Some(open) = self.open() {
            (open.outcome, open.turns.1) = (outcome, Some(turns));
            self.turns = turns;
        }
    }

    /// A person applies a template, or makes the Rollout anew with it.
    pub(crate) fn apply(&mut self, hash: &str) -> &mut Self {
        if self.is(hash) {
            return self;
        }
        if !self.exists {
            self.create();
        }
        let revision = self.rollout.revision.unwrap_or(0) + 1;
        let set = self.sets.entry(hash.to_owned()).or_insert_with(|| ReplicaSetSeen {
            key: Key::new(NAMESPACE, format!("{}-{hash}", self.rollout.key.name)),
            uid: format!("{}-{hash}", self.rollout.uid).into(),
            rollout: self.rollout.key.name.clone(),
            rollout_uid: self.rollout.uid.clone(),
            hash: hash.into(),
            revision: None,
            created: Some(whole(self.now)),
            template: Template::Decided(Ok(Workload {
                app: "shop".into(),
                name: format!("shop-{}", self.rollout.key.name).into(),
                version: format!("version-{hash}").into(),
                hashed: false,
            })),
            available: 0,
            failure: None,
            facts: RevisionFacts::default(),
        });
        set.revision = Some(revision);
        let set = set.clone();
        self.put(Observation::ReplicaSet(set));
        self.shortly();
        self.rollout.revision = Some(revision);
        self.rollout.progress.up_to_date = false;
        self.write();
        let created = format!("Created new replica set \"{}-{hash}\"", self.rollout.key.name);
        let created = condition(Some(true), "NewReplicaSetCreated", &created, self.now);
        self.rollout.progress.progressing = Some(created);
        self.write();
        self.turns_to(hash);
        self.starts_pods();
        self
    }

    /// The status is of the new template.
    fn turns_to(&mut self, hash: &str) {
        let was_first = self.rollout.stable_hash == self.rollout.current_hash;
        let back = self.rollout.stable_hash.as_deref() == Some(hash);
        let ended = self.turns;
        self.ends(match (was_first, back) {
            (true, _) => Phase::Promoted,
            (_, true) => Phase::Reverted,
            _ => Phase::Superseded,
        });
        self.stop_runs();
        self.rollout.current_hash = Some(hash.to_owned().into());
        (self.rollout.abort, self.rollout.aborted_at) = (false, None);
        if back {
            if self.turns == ended {
                // Nothing ends, but what was before is seen no more.
                self.turns += 1;
                self.silent.push((self.rollout.uid.to_string(), self.turns));
            }
            let steps = u32::try_from(self.plan.len()).unwrap();
            self.resets(if self.strategy == Strategy::Canary { Some(steps) } else { None });
            self.rollout.completed = Some((true, whole(self.now)));
            if self.strategy == Strategy::BlueGreen {
                self.rollout.progress.active = Some(hash.to_owned().into());
            }
            self.write();
            self.shortly();
            self.rollout.healthy = true;
            self.write();
            return;
        }
        // The end of one and the beginning of the next are one version.
        self.turns = ended;
        self.begins();
        let first = self.rollout.stable_hash.is_none();
        self.resets((self.strategy == Strategy::Canary).then_some(0));
        self.rollout.healthy = false;
        if self.rollout.completed.is_none_or(|(done, _)| done) {
            self.rollout.completed = Some((false, whole(self.now)));
        }
        self.write();
        if first {
            self.rollout.stable_hash = Some(hash.to_owned().into());
            self.rollout.completed = Some((true, whole(self.now)));
            if self.strategy == Strategy::Canary {
                self.rollout.progress.step = Some(u32::try_from(self.plan.len()).unwrap());
            }
            self.write();
        }
    }

    fn resets(&mut self, step: Option<u32>) {
        let now = whole(self.now);
        let hash = self.current();
        let progress = &mut self.rollout.progress;
        progress.up_to_date = true;
        progress.step = step;
        progress.step_hash = step.map(|_| "steps-1".to_owned()).map(Into::into);
        progress.pauses.clear();
        progress.controller_pause = false;
        progress.promote_full = false;
        progress.healthy_since = None;
        let words = format!("ReplicaSet \"{hash}\" is progressing.");
        progress.progressing = Some(condition(Some(true), "ReplicaSetUpdated", &words, now));
        if self.strategy == Strategy::BlueGreen {
            progress.preview = Some(hash.into());
        }
        if self.routed {
            progress.weight = Some(0);
        }
    }
}
