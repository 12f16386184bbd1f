//! A Rollout, what lies around it, and the journals of its attempts.

use jiff::Timestamp;
use timeline::Key;
use timeline::base::{AttemptId, Moment};
use timeline::chain::{Attempt, Chain};
use timeline::journal::{Journal, Look};
use timeline::seen::{
    ConditionSeen, OwnedMetadata, PauseKind, PauseSeen, Progress, ReplicaSetSeen, RevisionFacts,
    RolloutSeen, StepPlan, Strategy, Template,
};

use super::evidence::{experiment, pods, run};
use super::rules::Said;

const START: i64 = 1_800_000_000;
const KINDS: [&str; 9] = [
    "setWeight",
    "pause",
    "analysis",
    "experiment",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
    "plugin",
    "",
];
const REASONS: [&str; 8] = [
    "NewReplicaSetCreated",
    "ReplicaSetUpdated",
    "RolloutPaused",
    "RolloutAborted",
    "ProgressDeadlineExceeded",
    "RolloutRetry",
    "ReplicaSetCreateError",
    "NewReplicaSetAvailable",
];

pub(crate) struct World {
    second: i64,
    rollout: RolloutSeen,
    before: Option<RolloutSeen>,
    sets: Vec<ReplicaSetSeen>,
    chain: Chain,
    tales: Vec<Tale>,
    keptn: bool,
}

/// A journal, and what it said.
struct Tale {
    journal: Journal,
    said: Said,
    /// What was live when it began.
    stable: Option<String>,
    /// It knows that its attempt is over.
    over: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let rollout = RolloutSeen {
            key: Key::new("shop", "cart"),
            uid: "uid-1".into(),
            created: Timestamp::from_second(START).ok(),
            revision: None,
            current_hash: None,
            stable_hash: None,
            abort: false,
            aborted_at: None,
            healthy: false,
            completed: None,
            metadata: OwnedMetadata::default(),
            progress: Progress { up_to_date: true, ..Progress::default() },
        };
        Self {
            second: START,
            rollout,
            before: None,
            sets: Vec::new(),
            chain: Chain::default(),
            tales: Vec::new(),
            keptn: false,
        }
    }

    pub(crate) fn journals(self) -> Vec<Journal> {
        self.tales.into_iter().map(|tale| tale.journal).collect()
    }

    pub(crate) fn must_be_right(&mut self) {
        for tale in &mut self.tales {
            tale.said.must_hold(&tale.journal);
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn pass(&mut self, seconds: i64) {
        let (least, most) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        self.second = self.second.saturating_add(seconds).clamp(least, most);
    }

    /// Does what a word says, and updates the journals. A second passes with each.
    pub(crate) fn perform(&mut self, word: u8, number: u8) {
        self.pass(1);
        let (now, n) = (self.now(), usize::from(number));
        match word {
            b'n' => self.applies(number),
            b't' => self.pass(i64::from(number) * i64::from(number) * 60),
            // A clock that is wrong by up to all of time, either way.
            b'T' => self.pass(if n % 2 == 0 { 1 } else { -1 } << (n / 2).min(40)),
            b'g' => self.before = None,
            b'k' => self.keptn = n % 2 == 1,
            b'v' => {
                return self.each(|journal| journal.analysis_seen(&run(number, now), now));
            }
            b'e' => {
                return self.each(|journal| journal.experiment_seen(&experiment(number, now), now));
            }
            b'd' => {
                let pods = pods(n);
                let pods: Vec<_> = pods.iter().collect();
                return self.each(|journal| journal.pods_seen(&pods, now));
            }
            b'z' => return self.each(|journal| journal.tick(now)),
            b'D' => return self.each(|journal| journal.deleted(Moment::observed(now))),
            b'X' => {
                return self.each(|journal| {
                    let until = journal.exported.until.saturating_add(u32::from(number));
                    journal.exported.until = until.min(journal.closed);
                });
            }
            _ => self.status(word, number, now),
        }
        self.update();
    }

    /// A new template, or one that was there before: 0 is `a`, 1 is `b`.
    fn applies(&mut self, number: u8) {
        let hash = char::from(b'a' + number % 26).to_string();
        let revision = self.rollout.revision.unwrap_or(0) + 1;
        let now = self.now();
        self.rollout.revision = Some(revision);
        self.rollout.current_hash = Some(hash.clone().into());
        (self.rollout.abort, self.rollout.aborted_at) = (false, None);
        let back = self.rollout.stable_hash.as_deref() == Some(&hash);
        self.rollout.completed = Some((back, now));
        self.rollout.progress.step = Some(0);
        self.rollout.progress.pauses.clear();
        match self.sets.iter_mut().find(|set| set.hash == hash) {
            Some(set) => set.revision = Some(revision),
            None => self.sets.push(replica_set(hash, revision, now)),
        }
    }

    fn status(&mut self, word: u8, number: u8, now: Timestamp) {
        let (rollout, n) = (&mut self.rollout, usize::from(number));
        let progress = &mut rollout.progress;
        match word {
            b'p' => {
                rollout.stable_hash.clone_from(&rollout.current_hash);
                rollout.completed = Some((true, now));
                (progress.promote_full, progress.controller_pause) = (false, false);
                progress.pauses.clear();
            }
            b'h' => {
                rollout.healthy = n % 2 == 0;
                progress.healthy_since = rollout.healthy.then_some(now);
            }
            b'S' => {
                progress.strategy = Some(Strategy::Canary);
                progress.steps = (0..n).map(|index| step(index + n)).collect();
                progress.step_count = u32::from(number);
                progress.step_hash = Some(format!("steps-{n}").into());
            }
            b'G' => progress.strategy = Some(Strategy::BlueGreen),
            b's' => progress.step = Some(u32::from(number)),
            b'P' => {
                let kind = pause(n);
                let started = (kind != PauseKind::Spec).then_some(now);
                progress.pauses.push(PauseSeen { kind, started });
                progress.controller_pause = kind != PauseKind::Spec;
            }
            b'r' => {
                progress.pauses.clear();
                progress.controller_pause = n % 2 == 1;
            }
            b'w' => progress.weight = Some(u32::from(number)),
            b'f' => progress.promote_full = true,
            b'b' => {
                let hashes = [&rollout.current_hash, &rollout.stable_hash, &None];
                progress.preview.clone_from(hashes[n % 3]);
                progress.active.clone_from(hashes[n / 3 % 3]);
            }
            // By a client, or by the controller.
            b'a' => {
                rollout.abort = true;
                rollout.aborted_at = (n % 2 == 0).then_some(now);
            }
            b'y' => (rollout.abort, rollout.aborted_at) = (false, None),
            b'c' => {
                let reason = REASONS[n % REASONS.len()];
                progress.progressing = Some(ConditionSeen {
                    status: Some(n % 2 == 0),
                    reason: reason.to_owned(),
                    message: format!("Rollout aborted update to revision {n}"),
                    since: Some(now),
                });
            }
            b'i' => progress.invalid_spec = (n % 2 == 1).then(|| "steps[0]: \u{1b}".repeat(n)),
            b'R' => progress.restart_at = Some(now),
            b'x' => progress.replicas = Some(i32::from(number)),
            b'u' => progress.up_to_date = n % 2 == 1,
            _ => {}
        }
    }

    fn each<T>(&mut self, mut does: impl FnMut(&mut Journal) -> T) {
        for tale in &mut self.tales {
            let _ = does(&mut tale.journal);
        }
    }

    /// A version of the Rollout, to the journals of all attempts that are not known to be over.
    fn update(&mut self) {
        let now = self.now();
        let sets: Vec<_> = self.sets.iter().collect();
        let _ = self.chain.observe(&self.rollout, &sets, now);
        for (age, attempt) in self.chain.attempts().iter().enumerate() {
            let identity = identity(&self.rollout, attempt);
            let known = self.tales.iter().position(|tale| tale.journal.identity == identity);
            let Some(index) = known.or_else(|| (age == 0).then_some(self.tales.len())) else {
                continue;
            };
            if index == self.tales.len() {
                let (at, source) = (attempt.started, attempt.started_source);
                self.tales.push(Tale {
                    journal: Journal::begin(identity, Moment { at, source, after: None }),
                    said: Said::default(),
                    stable: self.rollout.stable_hash.as_ref().map(ToString::to_string),
                    over: false,
                });
            }
            let tale = &mut self.tales[index];
            if tale.over {
                continue;
            }
            let set =
                |hash: Option<&str>| self.sets.iter().find(|set| hash == Some(set.hash.as_str()));
            let _ = tale.journal.observe(&Look {
                rollout: &self.rollout,
                before: self.before.as_ref(),
                attempt,
                newest: age == 0,
                replica_set: set(Some(&attempt.hash)),
                stable_set: set(tale.stable.as_deref()),
                keptn_may_come: self.keptn,
                now,
            });
            tale.over = age > 0 && !attempt.open();
        }
        self.before = Some(self.rollout.clone());
    }
}

fn identity(rollout: &RolloutSeen, attempt: &Attempt) -> AttemptId {
    AttemptId {
        rollout: rollout.key.clone(),
        rollout_uid: rollout.uid.clone(),
        hash: attempt.hash.clone(),
        revision: attempt.revision,
        number: attempt.number,
    }
}

fn replica_set(hash: String, revision: i64, now: Timestamp) -> ReplicaSetSeen {
    ReplicaSetSeen {
        key: Key::new("shop", format!("cart-{hash}")),
        uid: format!("uid-{hash}").into(),
        rollout: "cart".into(),
        rollout_uid: "uid-1".into(),
        hash: hash.into(),
        revision: Some(revision),
        created: Some(now),
        template: Template::AskRollout(Vec::new()),
        desired: None,
        ready: 0,
        available: 0,
        failure: None,
        facts: RevisionFacts::default(),
    }
}

fn step(n: usize) -> StepPlan {
    let kind = KINDS[n % KINDS.len()];
    let seconds = (kind == "pause" && n.is_multiple_of(2)).then(|| u64::MAX >> (n % 64));
    StepPlan {
        kind: kind.to_owned().into(),
        setting: n.to_string().into(),
        seconds,
        matches: n.is_multiple_of(2),
    }
}

fn pause(n: usize) -> PauseKind {
    use PauseKind::{BlueGreen, InconclusiveAnalysis, InconclusiveExperiment, Manual, Spec, Timed};
    [Timed, Manual, InconclusiveAnalysis, InconclusiveExperiment, BlueGreen, Spec][n % 6]
}
