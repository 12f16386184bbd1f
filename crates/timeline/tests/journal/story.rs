//! A Rollout as Argo writes it, version by version, in the order of the recordings; folded into a
//! chain and into the journals of its attempts as it is seen.

use jiff::{SignedDuration, Timestamp};
use timeline::Key;
use timeline::base::{AttemptId, Moment, Turn};
use timeline::chain::Chain;
use timeline::journal::{Journal, Look};
use timeline::seen::{
    ConditionSeen, OwnedMetadata, PauseKind, PauseSeen, Progress, ReplicaSetSeen, RevisionFacts,
    RolloutSeen, StepPlan, Strategy, Template, Workload,
};

/// When a story begins. Versions come a tenth of a second after what they show.
pub(crate) const BEGIN: i64 = 1_800_000_000;

#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) chain: Chain,
    pub(crate) journals: Vec<Journal>,
    pub(crate) rollout: RolloutSeen,
    pub(crate) before: Option<RolloutSeen>,
    pub(crate) sets: Vec<ReplicaSetSeen>,
    pub(crate) now: Timestamp,
    /// What the last version was worth to the newest journal.
    pub(crate) turn: Turn,
    pub(crate) keptn_may_come: bool,
    revision: i64,
    away: bool,
}

pub(crate) fn step(kind: &str, setting: &str) -> StepPlan {
    let seconds = setting.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
    StepPlan {
        kind: kind.to_owned().into(),
        setting: setting.to_owned().into(),
        seconds,
        matches: true,
    }
}

/// setWeight 20, pause 30s, setWeight 50, pause for a person.
pub(crate) fn canary() -> Vec<StepPlan> {
    vec![step("setWeight", "20"), step("pause", "30s"), step("setWeight", "50"), step("pause", "")]
}

impl Story {
    /// A Rollout that was made just now: Argo has not looked at it.
    pub(crate) fn begins(strategy: Strategy, steps: Vec<StepPlan>) -> Self {
        let now = Timestamp::from_millisecond(BEGIN * 1000 + 100).unwrap();
        let rollout = RolloutSeen {
            key: Key::new("ns", "cart"),
            uid: "uid-1".into(),
            created: Some(floor(now)),
            revision: None,
            current_hash: None,
            stable_hash: None,
            abort: false,
            aborted_at: None,
            healthy: false,
            completed: None,
            metadata: OwnedMetadata::default(),
            progress: Progress {
                strategy: Some(strategy),
                step_count: u32::try_from(steps.len()).unwrap(),
                step_hash: Some("steps-1".into()),
                steps,
                up_to_date: true,
                replicas: Some(3),
                ..Progress::default()
            },
        };
        Self {
            chain: Chain::default(),
            journals: Vec::new(),
            rollout,
            before: None,
            sets: Vec::new(),
            now,
            turn: Turn::Same,
            keptn_may_come: false,
            revision: 0,
            away: false,
        }
        .observed()
    }

    /// A canary with revision 1 of hash `a` live.
    pub(crate) fn canary() -> Self {
        Self::begins(Strategy::Canary, canary()).gets_live("a")
    }

    /// A blue-green Rollout with revision 1 of hash `a` live.
    pub(crate) fn blue_green() -> Self {
        Self::begins(Strategy::BlueGreen, Vec::new()).gets_live("a").version(|rollout| {
            rollout.progress.preview = Some("a".into());
            rollout.progress.active = Some("a".into());
        })
    }

    /// The first revision: Argo calls it stable before any pod is ready.
    pub(crate) fn gets_live(self, hash: &str) -> Self {
        self.applies(hash).promoted().after(10).available(3).healthy()
    }

    pub(crate) fn after(mut self, seconds: i64) -> Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    pub(crate) fn after_ms(mut self, milliseconds: i64) -> Self {
        self.now += SignedDuration::from_millis(milliseconds);
        self
    }

    /// A version of the Rollout.
    pub(crate) fn version(mut self, change: impl FnOnce(&mut RolloutSeen)) -> Self {
        let before = self.rollout.clone();
        change(&mut self.rollout);
        if !self.away {
            self = self.observed();
            self.before = Some(self.rollout.clone());
        } else if self.rollout != before {
            self.before = None;
        }
        self
    }

    /// A person applies the template of this hash; Argo turns to it two versions later.
    pub(crate) fn applies(mut self, hash: &str) -> Self {
        self.revision += 1;
        let revision = Some(self.revision);
        match self.sets.iter_mut().find(|set| set.hash == hash) {
            Some(set) => set.revision = revision,
            None => self.sets.push(self.set(hash)),
        }
        let at = floor(self.now);
        let hash = hash.to_owned();
        self.version(|rollout| rollout.progress.up_to_date = false)
            .version(|rollout| rollout.revision = revision)
            .version(move |rollout| {
                let stable = rollout.stable_hash.as_deref() == Some(hash.as_str());
                if stable || rollout.completed.is_none_or(|(done, _)| done) {
                    rollout.completed = Some((stable, at));
                }
                rollout.current_hash = Some(hash.clone().into());
                (rollout.abort, rollout.aborted_at, rollout.healthy) = (false, None, false);
                let progress = &mut rollout.progress;
                progress.up_to_date = true;
                progress.pauses.clear();
                (progress.controller_pause, progress.promote_full) = (false, false);
                let canary = progress.strategy == Some(Strategy::Canary);
                // A return to what is stable jumps to the end.
                let index = if stable { progress.step_count } else { 0 };
                progress.step = (canary && progress.step_count > 0).then_some(index);
                if !canary {
                    progress.preview = Some(hash.into());
                }
                progress.progressing = Some(condition("ReplicaSetUpdated", "", at));
            })
    }

    /// Argo goes on to a step.
    pub(crate) fn reaches(self, step: u32) -> Self {
        self.version(|rollout| rollout.progress.step = Some(step))
    }

    pub(crate) fn paused(self, kind: PauseKind) -> Self {
        let started = (kind != PauseKind::Spec).then(|| floor(self.now));
        self.version(|rollout| {
            rollout.progress.pauses.push(PauseSeen { kind, started });
            rollout.progress.controller_pause |= kind != PauseKind::Spec;
        })
    }

    /// Both vanish and the next step begins in one version.
    pub(crate) fn resumed_by_timer(self) -> Self {
        self.version(|rollout| {
            rollout.progress.pauses.clear();
            rollout.progress.controller_pause = false;
            rollout.progress.step = rollout.progress.step.map(|step| step + 1);
        })
    }

    /// A client takes the pause away; Argo goes on a version later.
    pub(crate) fn promoted_by_hand(self) -> Self {
        self.version(|rollout| rollout.progress.pauses.clear()).after_ms(10).resumed_by_timer()
    }

    pub(crate) fn promoted_in_full(self) -> Self {
        self.version(|rollout| rollout.progress.promote_full = true).after_ms(30).version(
            |rollout| {
                rollout.progress.pauses.clear();
                rollout.progress.controller_pause = false;
                rollout.progress.step = Some(rollout.progress.step_count);
            },
        )
    }

    /// What is current becomes stable.
    pub(crate) fn promoted(self) -> Self {
        let at = floor(self.now);
        self.version(|rollout| {
            rollout.stable_hash.clone_from(&rollout.current_hash);
            rollout.completed = Some((true, at));
            rollout.progress.promote_full = false;
            if rollout.progress.step.is_some() {
                rollout.progress.step = Some(rollout.progress.step_count);
            }
        })
    }

    pub(crate) fn healthy(self) -> Self {
        let at = floor(self.now);
        self.version(|rollout| {
            rollout.healthy = true;
            rollout.progress.healthy_since = Some(at);
        })
    }

    /// Argo aborts, in one version.
    pub(crate) fn aborted(self, why: &str) -> Self {
        let at = floor(self.now);
        let message = format!("Rollout aborted update to revision {}{why}", self.revision);
        self.version(|rollout| {
            (rollout.abort, rollout.aborted_at) = (true, Some(at));
            let progress = &mut rollout.progress;
            progress.pauses.clear();
            progress.controller_pause = false;
            progress.step = progress.step.map(|_| 0);
            progress.progressing = Some(condition("RolloutAborted", &message, at));
        })
    }

    /// Argo forgets the abort three versions later.
    pub(crate) fn retried(self) -> Self {
        let at = floor(self.now);
        self.version(|rollout| rollout.abort = false)
            .after_ms(10)
            .version(|rollout| {
                rollout.progress.progressing = Some(condition("RolloutRetry", "", at));
            })
            .version(|rollout| rollout.aborted_at = None)
    }

    /// So many pods of the current revision are available.
    pub(crate) fn available(mut self, pods: i32) -> Self {
        let hash = self.rollout.current_hash.clone();
        self.available_of(&hash.unwrap_or_default(), pods)
    }

    pub(crate) fn available_of(&mut self, hash: &str, pods: i32) -> Self {
        for set in self.sets.iter_mut().filter(|set| set.hash == hash) {
            set.available = pods;
        }
        self.clone().version(|_| {})
    }

    /// The operator does not see these versions, but how things are after them.
    pub(crate) fn while_away(mut self, versions: impl FnOnce(Self) -> Self) -> Self {
        self.away = true;
        let mut story = versions(self);
        story.away = false;
        story.before = None;
        story.version(|_| {})
    }

    /// Nothing arrives until it is due.
    pub(crate) fn waits_until_due(mut self) -> Self {
        if let Some(due) = self.journal().due() {
            self.now = self.now.max(due);
            let now = self.now;
            self.turn = self.journal_mut().tick(now);
        }
        self
    }

    /// Shows the version to the chain, and to the journals oldest first.
    pub(crate) fn observed(mut self) -> Self {
        let sets: Vec<_> = self.sets.iter().collect();
        self.chain.observe(&self.rollout, &sets, self.now);
        self.turn = Turn::Same;
        for index in (0..self.chain.attempts().len()).rev() {
            let attempt = &self.chain.attempts()[index];
            let identity = AttemptId {
                rollout: self.rollout.key.clone(),
                rollout_uid: self.rollout.uid.clone(),
                hash: attempt.hash.clone(),
                revision: attempt.revision,
                number: attempt.number,
            };
            let known = self.journals.iter().position(|journal| journal.identity == identity);
            let known = match known {
                Some(known) => known,
                // What was over at first sight has no journal.
                None if index > 0 => continue,
                None => {
                    let started = Moment::observed(attempt.started);
                    self.journals.push(Journal::begin(identity, started));
                    self.journals.len() - 1
                }
            };
            let stable = self.rollout.stable_hash.as_deref();
            let turn = self.journals[known].observe(&Look {
                rollout: &self.rollout,
                before: self.before.as_ref(),
                attempt,
                newest: index == 0,
                replica_set: self.sets.iter().find(|set| set.hash == attempt.hash),
                stable_set: self.sets.iter().find(|set| Some(set.hash.as_str()) == stable),
                keptn_may_come: self.keptn_may_come,
                now: self.now,
            });
            if index == 0 {
                self.turn = turn;
            }
        }
        self
    }

    /// The journal of the newest attempt.
    pub(crate) fn journal(&self) -> &Journal {
        self.journals.last().unwrap()
    }

    pub(crate) fn journal_mut(&mut self) -> &mut Journal {
        self.journals.last_mut().unwrap()
    }

    fn set(&self, hash: &str) -> ReplicaSetSeen {
        let digest = hash.bytes().fold(7u64, |sum, byte| sum * 31 + u64::from(byte));
        ReplicaSetSeen {
            key: Key::new("ns", format!("cart-{hash}")),
            uid: format!("uid-of-{hash}").into(),
            rollout: "cart".into(),
            rollout_uid: self.rollout.uid.clone(),
            hash: hash.into(),
            revision: Some(self.revision),
            created: Some(floor(self.now)),
            template: Template::Decided(Ok(Workload {
                app: "shop".into(),
                name: "shop-cart".into(),
                version: format!("version-{hash}").into(),
                hashed: false,
            })),
            desired: None,
            ready: 0,
            available: 0,
            failure: None,
            facts: RevisionFacts { template_digest: digest, ..RevisionFacts::default() },
        }
    }
}

pub(crate) fn condition(reason: &str, message: &str, since: Timestamp) -> ConditionSeen {
    ConditionSeen {
        status: None,
        reason: reason.to_owned(),
        message: message.to_owned(),
        since: Some(since),
    }
}

/// As Kubernetes writes it.
pub(crate) fn floor(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}
