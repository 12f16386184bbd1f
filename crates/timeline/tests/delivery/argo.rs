//! A model of Argo Rollouts, as far as attempts tell of it: which versions of which objects it
//! writes, one after the other, and the truth behind them. The order of its writes is that of
//! recordings of the real controller.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use timeline::attempt::Phase;
use timeline::journal::{AnalysisKind, AnalysisPhase, Identity, PauseKind, Strategy};
use timeline::observation::{
    AnalysisRunSeen, AppVersionSeen, ConditionSeen, ContainerSeen, EvidenceOwner, MeasurementSeen,
    MetricSeen, OwnedMetadata, PauseSeen, PodSeen, Progress, ReplicaSetSeen, RevisionFacts,
    RolloutSeen, StepPlan, Template, WorkloadVersionSeen,
};
use timeline::workload::Workload;
use timeline::{Key, Kind, Observation, Traceparent};

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
    pub(crate) identity: Identity,
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
            uid: String::new(),
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
        };
        argo.create();
        argo
    }

    pub(crate) fn routed(mut self) -> Self {
        self.routed = true;
        self
    }

    pub(crate) fn key(&self) -> &Key {
        &self.rollout.key
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
            StepPlan { kind: kind.to_owned(), setting, seconds }
        });
        self.rollout = RolloutSeen {
            uid: format!("uid-{}-{}", self.rollout.key.name, self.made),
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
        self.rollout.current_hash.clone().unwrap_or_default()
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
        let identity = Identity {
            rollout: self.rollout.key.clone(),
            rollout_uid: self.rollout.uid.clone(),
            number: u32::try_from(same.count()).unwrap() + 1,
            hash,
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
            uid: format!("{}-{hash}", self.rollout.uid),
            rollout: self.rollout.key.name.clone(),
            rollout_uid: self.rollout.uid.clone(),
            hash: hash.to_owned(),
            revision: None,
            created: Some(whole(self.now)),
            template: Template::Decided(Ok(Workload {
                app: "shop".to_owned(),
                name: format!("shop-{}", self.rollout.key.name),
                version: format!("version-{hash}"),
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
        self.rollout.current_hash = Some(hash.to_owned());
        (self.rollout.abort, self.rollout.aborted_at) = (false, None);
        if back {
            let steps = u32::try_from(self.plan.len()).unwrap();
            self.resets(if self.strategy == Strategy::Canary { Some(steps) } else { None });
            self.rollout.completed = Some((true, whole(self.now)));
            if self.strategy == Strategy::BlueGreen {
                self.rollout.progress.active = Some(hash.to_owned());
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
            self.rollout.stable_hash = Some(hash.to_owned());
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
        progress.step_hash = step.map(|_| "steps-1".to_owned());
        progress.pauses.clear();
        progress.controller_pause = false;
        progress.promote_full = false;
        progress.healthy_since = None;
        let words = format!("ReplicaSet \"{hash}\" is progressing.");
        progress.progressing = Some(condition(Some(true), "ReplicaSetUpdated", &words, now));
        if self.strategy == Strategy::BlueGreen {
            progress.preview = Some(hash);
        }
        if self.routed {
            progress.weight = Some(0);
        }
    }

    fn starts_pods(&mut self) {
        let hash = self.current();
        let Some(set) = self.sets.get(&hash).filter(|set| set.available == 0).cloned() else {
            return;
        };
        for n in 0..2 {
            let broken = self.broken.contains(&hash);
            let why = if broken { "ImagePullBackOff" } else { "ContainerCreating" };
            let words = if broken { "Back-off pulling image \"example/cart:bad\"" } else { "" };
            let container = ContainerSeen {
                name: "cart".to_owned(),
                image: format!("example/cart:{hash}"),
                waiting: Some((why.to_owned(), words.to_owned())),
                ..ContainerSeen::default()
            };
            let pod = PodSeen {
                key: Key::new(NAMESPACE, format!("{}-{n}", set.key.name)),
                replica_set_uid: set.uid.clone(),
                ready: false,
                unscheduled: None,
                failed: None,
                containers: vec![container],
            };
            self.pods.insert(pod.key.clone(), pod.clone());
            self.put(Observation::Pod(Box::new(pod)));
            self.shortly();
        }
    }

    /// The pods of the current revision are ready, unless they never get so.
    pub(crate) fn pods_get_ready(&mut self) -> &mut Self {
        let hash = self.current();
        if !self.exists || self.broken.contains(&hash) || !self.sets.contains_key(&hash) {
            return self;
        }
        let uid = self.sets[&hash].uid.clone();
        let ours: Vec<_> =
            self.pods.values().filter(|pod| pod.replica_set_uid == uid).cloned().collect();
        for mut pod in ours.into_iter().filter(|pod| !pod.ready) {
            pod.ready = true;
            (pod.containers[0].ready, pod.containers[0].running) = (true, true);
            pod.containers[0].waiting = None;
            self.pods.insert(pod.key.clone(), pod.clone());
            self.put(Observation::Pod(Box::new(pod)));
        }
        self.available(&hash, 2);
        if self.rollout.stable_hash.as_deref() == Some(&hash) && !self.rollout.healthy {
            self.gets_healthy();
        }
        self
    }

    fn available(&mut self, hash: &str, pods: i32) {
        if let Some(set) = self.sets.get_mut(hash)
            && set.available != pods
        {
            set.available = pods;
            let set = set.clone();
            self.put(Observation::ReplicaSet(set));
            self.shortly();
        }
    }

    fn gets_healthy(&mut self) {
        self.ends(Phase::Promoted);
        self.rollout.healthy = true;
        self.rollout.progress.healthy_since = Some(whole(self.now));
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.active.clone_from(&self.rollout.current_hash);
        }
        self.write();
    }

    /// The step at hand is done, as far as it goes by itself.
    pub(crate) fn step(&mut self) -> &mut Self {
        let step = self.rollout.progress.step.filter(|_| self.moves());
        let Some(at) = step.map(|step| step as usize) else {
            return self;
        };
        let hash = self.current();
        if self.broken.contains(&hash) || !self.rollout.progress.pauses.is_empty() {
            return self;
        }
        self.pods_get_ready();
        match self.plan.get(at).copied() {
            None => return self.promotes(),
            Some(Plan::Weight(percent)) => {
                if self.routed {
                    self.rollout.progress.weight = Some(percent);
                    self.write();
                }
                self.wait(1);
            }
            Some(Plan::Pause(seconds)) => {
                let Some(seconds) = seconds else {
                    self.pauses(PauseKind::Manual);
                    return self;
                };
                self.pauses(PauseKind::Timed);
                self.wait(seconds);
            }
            Some(Plan::Analysis) => {
                self.analyses(AnalysisKind::Step, AnalysisPhase::Successful);
            }
        }
        self.goes_on();
        self
    }

    fn pauses(&mut self, kind: PauseKind) {
        let progress = &mut self.rollout.progress;
        progress.pauses = vec![PauseSeen { kind, started: Some(whole(self.now)) }];
        progress.controller_pause = true;
        self.write();
        let paused = condition(None, "RolloutPaused", "Rollout is paused", self.now);
        self.rollout.progress.progressing = Some(paused);
        self.write();
    }

    /// The timer takes the pause away and goes to the next step in one version.
    fn goes_on(&mut self) {
        let now = self.now;
        let progress = &mut self.rollout.progress;
        progress.step = progress.step.map(|step| step + 1);
        progress.pauses.clear();
        progress.controller_pause = false;
        progress.runs.clear();
        progress.progressing = Some(condition(Some(true), "ReplicaSetUpdated", "", now));
        self.write();
    }

    /// A person promotes out of a pause.
    pub(crate) fn resume(&mut self) -> &mut Self {
        if !self.moves() || self.rollout.progress.pauses.is_empty() {
            return self;
        }
        self.rollout.progress.pauses.clear();
        self.write();
        let resumed = condition(None, "RolloutResumed", "Rollout is resumed", self.now);
        self.rollout.progress.progressing = Some(resumed);
        self.write();
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.controller_pause = false;
            return self;
        }
        self.goes_on();
        self
    }

    /// All steps until something waits for a person, and what follows.
    pub(crate) fn run(&mut self) -> &mut Self {
        for _ in 0..=self.plan.len() {
            self.step();
        }
        self
    }

    fn promotes(&mut self) -> &mut Self {
        let hash = self.current();
        let was = self.rollout.stable_hash.replace(hash);
        self.ends(Phase::Promoted);
        self.stop_runs();
        self.rollout.progress.promote_full = false;
        self.rollout.completed = Some((true, whole(self.now)));
        if self.routed {
            self.rollout.progress.weight = Some(0);
        }
        self.write();
        self.wait(2);
        self.gets_healthy();
        if let Some(was) = was {
            self.available(&was, 0);
        }
        self
    }

    /// `promote --full`
    pub(crate) fn promote_full(&mut self) -> &mut Self {
        if !self.moves() || self.broken.contains(&self.current()) {
            return self;
        }
        self.rollout.progress.promote_full = true;
        self.write();
        let progress = &mut self.rollout.progress;
        progress.pauses.clear();
        progress.controller_pause = false;
        if self.strategy == Strategy::Canary {
            progress.step = Some(progress.step_count);
        }
        self.write();
        self.pods_get_ready();
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.active.clone_from(&self.rollout.current_hash);
            self.write();
        }
        self.promotes()
    }

    /// A person aborts: first they say so, then Argo acts on it.
    pub(crate) fn abort(&mut self) -> &mut Self {
        if !self.moves() {
            return self;
        }
        self.rollout.abort = true;
        self.ends(Phase::Aborted);
        self.write();
        self.aborts("")
    }

    fn aborts(&mut self, why: &str) -> &mut Self {
        self.ends(Phase::Aborted);
        self.rollout.abort = true;
        self.rollout.aborted_at = Some(whole(self.now));
        let words = format!(
            "Rollout aborted update to revision {}{why}",
            self.rollout.revision.unwrap_or_default()
        );
        self.resets((self.strategy == Strategy::Canary).then_some(0));
        let aborted = condition(Some(false), "RolloutAborted", &words, self.now);
        self.rollout.progress.progressing = Some(aborted);
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.active.clone_from(&self.rollout.stable_hash);
        }
        self.write();
        self.stop_runs();
        self.wait(1);
        let hash = self.current();
        self.available(&hash, 0);
        self
    }

    /// Argo gives up, because nothing gets on.
    pub(crate) fn times_out(&mut self) -> &mut Self {
        if !self.moves() {
            return self;
        }
        let words = format!(": ReplicaSet \"{}\" has timed out progressing.", self.current());
        self.aborts(&words)
    }

    pub(crate) fn retry(&mut self) -> &mut Self {
        if !self.exists || !self.rollout.abort {
            return self;
        }
        self.rollout.abort = false;
        self.begins();
        self.write();
        let retried = condition(None, "RolloutRetry", "Retrying Rollout", self.now);
        self.rollout.progress.progressing = Some(retried);
        self.write();
        self.rollout.aborted_at = None;
        self.write();
        self
    }

    /// The Rollout goes, with all that it owns.
    pub(crate) fn delete(&mut self) -> &mut Self {
        if !self.exists {
            return self;
        }
        self.ends(Phase::Deleted);
        self.exists = false;
        let gone = |kind, keys: Vec<Key>| keys.into_iter().map(move |key| (kind, key));
        let sets = std::mem::take(&mut self.sets).into_values().map(|set| set.key).collect();
        let runs = std::mem::take(&mut self.runs).into_keys().collect();
        let pods = std::mem::take(&mut self.pods).into_keys().collect();
        let all = gone(Kind::Rollout, vec![self.rollout.key.clone()])
            .chain(gone(Kind::ReplicaSet, sets))
            .chain(gone(Kind::AnalysisRun, runs))
            .chain(gone(Kind::Pod, pods));
        for (kind, key) in all {
            self.put(Observation::Gone(kind, key));
            self.shortly();
        }
        self.rollout.revision = None;
        self.rollout.current_hash = None;
        self.rollout.stable_hash = None;
        self
    }

    /// The image of this revision does not exist.
    pub(crate) fn cannot_pull(&mut self, hash: &str) -> &mut Self {
        self.broken.insert(hash.to_owned());
        self
    }

    /// Pods restart, people scale: nothing of it is an attempt.
    pub(crate) fn flaps(&mut self) -> &mut Self {
        if self.exists && self.rollout.current_hash.is_some() {
            self.rollout.progress.replicas = self.rollout.progress.replicas.map(|n| n % 5 + 1);
            self.write();
        }
        self
    }

    /// A blue-green Rollout gets on, until it waits for a person.
    pub(crate) fn previews(&mut self) -> &mut Self {
        if self.moves() && self.strategy == Strategy::BlueGreen {
            self.pods_get_ready();
            self.analyses(AnalysisKind::PrePromotion, AnalysisPhase::Successful);
            self.pauses(PauseKind::BlueGreen);
        }
        self
    }

    /// Argo points the active Service to the new revision, and looks how it does.
    pub(crate) fn switches(&mut self, outcome: AnalysisPhase) -> &mut Self {
        let waits = !self.rollout.progress.pauses.is_empty();
        if !self.moves() || self.strategy != Strategy::BlueGreen || waits {
            return self;
        }
        self.pods_get_ready();
        self.rollout.progress.active.clone_from(&self.rollout.current_hash);
        self.write();
        self.analyses(AnalysisKind::PostPromotion, outcome);
        match outcome {
            AnalysisPhase::Successful => self.promotes(),
            _ => self.aborts(
                ": Blue/green post-promotion analysis phase error/failed: Metric \"rate\" assessed",
            ),
        }
    }

    /// The analysis of the step at hand fails, and Argo aborts for it.
    pub(crate) fn fails_analysis(&mut self) -> &mut Self {
        let step = self.rollout.progress.step.map(|step| step as usize);
        let plan = step.and_then(|step| self.plan.get(step));
        if !self.moves() || plan != Some(&Plan::Analysis) {
            return self;
        }
        self.pods_get_ready();
        self.analyses(AnalysisKind::Step, AnalysisPhase::Failed);
        self.aborts(": Step-based analysis phase error/failed: Metric \"rate\" assessed Failed")
    }

    /// An AnalysisRun is made, measures twice, and ends.
    fn analyses(&mut self, kind: AnalysisKind, outcome: AnalysisPhase) {
        let (hash, revision) = (self.current(), self.rollout.revision.unwrap_or_default());
        let step = self.rollout.progress.step.filter(|_| kind == AnalysisKind::Step);
        let name = format!("{}-{hash}-{revision}-{}", self.rollout.key.name, self.runs.len());
        let mut run = AnalysisRunSeen {
            key: Key::new(NAMESPACE, &name),
            uid: format!("{}-{name}", self.rollout.uid),
            owner: EvidenceOwner::Rollout(self.rollout.key.name.clone(), self.rollout.uid.clone()),
            revision: Some(revision),
            hash: Some(hash),
            kind,
            step,
            phase: AnalysisPhase::Pending,
            message: String::new(),
            created: Some(whole(self.now)),
            started: None,
            completed: None,
            metrics: Vec::new(),
            metric_count: 0,
        };
        self.tell_run(&run);
        self.rollout.progress.runs = vec![name];
        self.write();
        (run.phase, run.started) = (AnalysisPhase::Running, Some(whole(self.now)));
        for n in 0..2 {
            self.wait(2);
            let failed = n == 1 && outcome == AnalysisPhase::Failed;
            let phase = if failed { AnalysisPhase::Failed } else { AnalysisPhase::Successful };
            let before = run.metrics.pop().map(|metric| metric.measurements).unwrap_or_default();
            let measurement = MeasurementSeen {
                phase,
                value: format!("0.{n}"),
                message: String::new(),
                started: Some(whole(self.now)),
                finished: Some(whole(self.now)),
            };
            let over = n == 1;
            run.metrics = vec![MetricSeen {
                name: "rate".to_owned(),
                phase: if over { phase } else { AnalysisPhase::Running },
                message: String::new(),
                dry_run: false,
                count: n + 1,
                failed: u32::from(failed),
                measurements: before.into_iter().chain([measurement]).collect(),
            }];
            run.metric_count = 1;
            if over {
                (run.phase, run.completed) = (outcome, Some(whole(self.now)));
            }
            self.tell_run(&run);
        }
        self.rollout.progress.runs.clear();
    }

    fn tell_run(&mut self, run: &AnalysisRunSeen) {
        self.runs.insert(run.key.clone(), run.clone());
        self.put(Observation::AnalysisRun(Box::new(run.clone())));
        self.shortly();
    }

    /// Keptn has made a trace for the current revision, and says so in its two objects.
    pub(crate) fn keptn(&mut self, n: u8) -> &mut Self {
        let hash = self.current();
        let Some(set) = self.sets.get(&hash).filter(|_| self.exists) else {
            return self;
        };
        let trace: Traceparent =
            format!("00-{:032x}-{:016x}-01", 1000 + u32::from(n), 5).parse().unwrap();
        let (uid, name) = (set.uid.clone(), self.rollout.key.name.clone());
        let version = format!("version-{hash}");
        self.put(Observation::AppVersion(AppVersionSeen {
            key: Key::new(NAMESPACE, format!("shop-{name}-{hash}-{n}")),
            app: "shop".to_owned(),
            workloads: vec![(name.clone(), version.clone())],
            span_links: Vec::new(),
            created: Some(whole(self.now)),
            ended: None,
            deprecated: false,
            held: false,
            before_deploy: None,
            app_deploy: Some(trace),
            broken: None,
        }));
        self.shortly();
        self.put(Observation::WorkloadVersion(WorkloadVersionSeen {
            key: Key::new(NAMESPACE, format!("shop-{name}-{version}")),
            app: "shop".to_owned(),
            workload: format!("shop-{name}"),
            version,
            replica_set_uid: Some(uid),
            trace: Some(trace),
        }));
        self.shortly();
        self
    }

    /// An analysis beside the steps is begun, which nobody ends but Argo.
    pub(crate) fn watches_in_background(&mut self) -> &mut Self {
        if !self.moves() {
            return self;
        }
        self.analyses(AnalysisKind::Background, AnalysisPhase::Running);
        self
    }

    /// Argo terminates the runs that nobody needs any more.
    fn stop_runs(&mut self) {
        let running: Vec<_> = self
            .runs
            .values()
            .filter(|run| matches!(run.phase, AnalysisPhase::Pending | AnalysisPhase::Running))
            .cloned()
            .collect();
        for mut run in running {
            (run.phase, run.completed) = (AnalysisPhase::Cancelled, Some(whole(self.now)));
            self.tell_run(&run);
        }
    }
}
