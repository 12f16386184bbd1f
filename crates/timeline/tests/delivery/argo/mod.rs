//! A model of Argo Rollouts, as far as attempts show it: which versions of which objects it
//! writes, one after the other, and the truth behind them. The order of its writes is that of
//! recordings of the real controller.

mod evidence;
mod plan;
mod pods;
mod progress;
mod troubles;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
pub(crate) use plan::Plan;
pub(crate) use pods::is_without_volume;
use timeline::base::Phase;
use timeline::failure::FailureClass;
use timeline::seen::commit::{CommitTime, Source};
use timeline::seen::{
    AnalysisRunSeen, ConditionSeen, OwnedMetadata, PodSeen, Progress, ReplicaSetSeen,
    RevisionFacts, RolloutSeen, StepPlan, Strategy, Template, Workload,
};
use timeline::{Key, Observation};
pub(crate) use truth::{Purpose, Tried, commit_of, committed, version_of};

pub(crate) const NAMESPACE: &str = "ns";

/// Something in the cluster becomes another.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    pub(crate) what: Observation,
}

/// One Rollout, its controller, and the people around it.
#[derive(Debug)]
pub(crate) struct Argo {
    pub(crate) now: Timestamp,
    pub(crate) changes: Vec<Change>,
    pub(crate) truth: Vec<Tried>,
    /// What happened that not everybody gets right.
    pub(crate) kinds: BTreeSet<&'static str>,
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
    /// Hashes that are declared to mend.
    hotfixes: BTreeSet<String>,
    /// Hashes that were healthy once.
    healthy: BTreeSet<String>,
    /// What is wrong with the pods of a hash now.
    trouble: BTreeMap<String, FailureClass>,
    /// Since when pods cannot start for something that only an Event says.
    silent: Option<Timestamp>,
    /// When pods that are up now crashed last.
    crashed: Option<Timestamp>,
    /// What Argo says now of the attempt under way.
    says: Option<FailureClass>,
    /// Whose weight the traffic router has.
    weight_of: Option<String>,
    /// After an abort the weight goes back only as pods of what is stable get ready.
    slow: bool,
    /// The annotations of the Rollout: commit, its time, and whether it is a hotfix.
    annotated: (String, Timestamp, bool),
}

/// Kubernetes' times have no fraction.
pub(crate) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

/// What is deployed: other letters of a hash are a stamp.
pub(crate) fn content(hash: &str) -> &str {
    &hash[..1]
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
            kinds: BTreeSet::new(),
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
            hotfixes: BTreeSet::new(),
            healthy: BTreeSet::new(),
            trouble: BTreeMap::new(),
            silent: None,
            crashed: None,
            says: None,
            weight_of: None,
            slow: false,
            annotated: (String::new(), now, false),
        };
        argo.create();
        argo
    }

    pub(crate) fn routed(mut self) -> Self {
        self.routed = true;
        self.rollout.progress.routed = true;
        for change in &mut self.changes {
            if let Observation::Rollout(seen) = &mut change.what {
                seen.progress.routed = true;
            }
        }
        self
    }

    /// With `dynamicStableScale`: traffic goes back only as fast as pods get ready.
    pub(crate) fn slow(mut self) -> Self {
        self.slow = true;
        self.routed()
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
        self.changes.push(Change { at: self.now, what });
        self.reckon();
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
                Plan::Header => ("setHeaderRoute", "beta".to_owned(), None),
                Plan::Mirror => ("setMirrorRoute", "mirror".to_owned(), None),
                Plan::Scale(pods) => ("setCanaryScale", pods.to_string(), None),
            };
            StepPlan {
                kind: kind.to_owned().into(),
                setting: setting.into(),
                seconds,
                matches: *plan == Plan::Header,
            }
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
                routed: self.routed,
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
            && self.rollout.progress.invalid_spec.is_none()
            && self.rollout.current_hash.is_some()
            && self.rollout.current_hash != self.rollout.stable_hash
    }

    /// A pipeline applies a template with the annotations of its commit, or makes the Rollout
    /// again.
    pub(crate) fn apply(&mut self, hash: &str) -> &mut Self {
        self.annotated = (commit_of(hash), committed(hash), self.hotfixes.contains(hash));
        self.applies(hash)
    }

    /// The same, declared to mend.
    pub(crate) fn hotfix(&mut self, hash: &str) -> &mut Self {
        if !self.sets.contains_key(hash) && self.exists {
            self.hotfixes.insert(hash.to_owned());
        }
        self.apply(hash)
    }

    /// A person puts a template back, and leaves the annotations as they are.
    pub(crate) fn undo(&mut self, hash: &str) -> &mut Self {
        if !self.sets.contains_key(hash) {
            return self;
        }
        if self.annotated.0 != commit_of(hash) {
            self.kinds.insert("an undo keeps the annotations");
        }
        self.applies(hash)
    }

    fn applies(&mut self, hash: &str) -> &mut Self {
        let never_live = |argo: &Self| !argo.healthy.contains(hash);
        if self.is(hash) || (self.rollout.stable_hash.as_deref() == Some(hash) && never_live(self))
        {
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
                version: version_of(hash).into(),
                hashed: false,
            })),
            desired: None,
            ready: 0,
            available: 0,
            failure: None,
            facts: RevisionFacts::default(),
        });
        set.revision = Some(revision);
        set.desired = Some(2);
        // Argo copies what stands at the Rollout, also to a ReplicaSet that exists.
        let template = hash.strip_suffix('u').unwrap_or(hash);
        set.facts = RevisionFacts {
            version: Some(version_of(hash).into()),
            commit: Some(self.annotated.0.as_str().into()),
            commit_time: CommitTime::At(whole(self.annotated.1), Source::Throughline),
            hotfix: self.annotated.2,
            images: vec![format!("cart=example/cart:{}", content(hash)).into()],
            template_digest: template
                .bytes()
                .fold(7, |digest, byte| digest * 257 + u64::from(byte)),
            // A stamp is an annotation of the template.
            spec_digest: u64::from(content(hash).as_bytes()[0]),
            ..RevisionFacts::default()
        };
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
        let was = self.current();
        let back = self.rollout.stable_hash.as_deref() == Some(hash);
        self.ends(if back { Phase::Reverted } else { Phase::Superseded });
        self.stop_runs();
        self.rollout.current_hash = Some(hash.to_owned().into());
        (self.rollout.abort, self.rollout.aborted_at) = (false, None);
        if back {
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
            self.scales_down(&was);
            return;
        }
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
        self.scales_down(&was);
    }

    /// Pods that neither are stable nor become so go.
    fn scales_down(&mut self, hash: &str) {
        if !hash.is_empty() && self.rollout.stable_hash.as_deref() != Some(hash) {
            self.available(hash, 0);
        }
    }

    fn resets(&mut self, step: Option<u32>) {
        let now = whole(self.now);
        let hash = self.current();
        let words = format!("ReplicaSet \"{}-{hash}\" is progressing.", self.rollout.key.name);
        let progress = &mut self.rollout.progress;
        progress.up_to_date = true;
        progress.step = step;
        progress.step_hash = step.map(|_| "steps-1".to_owned()).map(Into::into);
        progress.pauses.clear();
        progress.controller_pause = false;
        progress.promote_full = false;
        progress.healthy_since = None;
        progress.invalid_spec = None;
        progress.step_run = false;
        progress.progressing = Some(condition(Some(true), "ReplicaSetUpdated", &words, now));
        if self.strategy == Strategy::BlueGreen {
            progress.preview = Some(hash.into());
        }
        if self.routed && !(self.slow && self.rollout.progress.weight > Some(0)) {
            self.weighs(0);
        }
    }

    /// The traffic router is given a weight of the revision at hand.
    fn weighs(&mut self, percent: u32) {
        self.rollout.progress.weight = Some(percent);
        self.weight_of = self.rollout.current_hash.as_ref().map(ToString::to_string);
        self.rollout.progress.weight_hash.clone_from(&self.rollout.current_hash);
    }
}
