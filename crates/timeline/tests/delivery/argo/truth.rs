//! What really happened: decided here from what the controller, the pods and the traffic router do,
//! and from nothing that the product says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use timeline::Key;
use timeline::base::{AttemptId, Phase};
use timeline::failure::{AbortCause, FailureClass};
use timeline::journal::StepResult;
use timeline::seen::Strategy;

use super::{Argo, Plan, content};
use crate::world::attempt_key;

/// What an attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Initial,
    Change,
    Hotfix,
    /// Back to what was live before.
    Rollback,
    /// What is live already, under another hash.
    Redeploy,
    /// The same template, by a newer controller.
    Upgrade,
}

/// An attempt as it was. Times are those of the controller.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) identity: AttemptId,
    /// Name of its RolloutAttempt.
    pub(crate) key: Key,
    pub(crate) purpose: Purpose,
    /// Progressing until it is decided.
    pub(crate) outcome: Phase,
    pub(crate) began: Timestamp,
    /// When its hash became current: of the first attempt later than it began.
    pub(crate) turned: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    /// Since when users could be hit.
    pub(crate) hit: Option<Timestamp>,
    /// When traffic was back on what is stable, or all was available.
    pub(crate) settled: Option<Timestamp>,
    /// Another attempt began before that.
    pub(crate) crowded: bool,
    /// A later one made the same revision stable: its traffic never went back to what was so before.
    pub(crate) went_live: bool,
    pub(crate) cause: Option<AbortCause>,
    pub(crate) class: Option<FailureClass>,
    /// All that was wrong with it at any time.
    pub(crate) troubles: BTreeSet<FailureClass>,
    /// Pods that crashed are up for some time: that may be taken for the reason or not.
    pub(crate) doubtful: bool,
    /// What was live when it began: revision and number.
    pub(crate) replaces: Option<(i64, u32)>,
    /// The attempt before it, if that is another, and how that had ended.
    pub(crate) after: Option<(AttemptId, Phase)>,
    pub(crate) commit: String,
    pub(crate) committed: Timestamp,
    pub(crate) version: String,
    pub(crate) steps: BTreeMap<u32, StepResult>,
    /// The highest weight that it had.
    pub(crate) weight: u32,
    /// When its Rollout went.
    pub(crate) gone: Option<Timestamp>,
}

impl std::fmt::Display for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = |at: Timestamp| at.duration_since(crate::story::start()).as_secs_f64();
        let (it, at) = (&self.identity, |at: Option<Timestamp>| at.map(since));
        write!(
            f,
            "{}.{}@{} {:?} {:?} {:.2} to {:.2?}, hit {:.2?}, settled {:.2?}, {:?} by {:?}, over {:?}",
            it.revision,
            it.number,
            it.hash,
            self.purpose,
            self.outcome,
            since(self.began),
            at(self.ended),
            at(self.hit),
            at(self.settled),
            self.class,
            self.cause,
            self.replaces,
        )
    }
}

impl Tried {
    pub(crate) fn is_of(&self, uid: &str) -> bool {
        self.identity.rollout_uid == uid
    }

    pub(crate) fn open(&self) -> bool {
        self.outcome == Phase::Progressing
    }
}

/// The commit that a template is built from.
pub(crate) fn commit_of(hash: &str) -> String {
    format!("{:x}", content(hash).as_bytes()[0]).repeat(20)
}

pub(crate) fn version_of(hash: &str) -> String {
    format!("version-{}", content(hash))
}

/// When that commit was made.
pub(crate) fn committed(hash: &str) -> Timestamp {
    let age = i64::from(content(hash).as_bytes()[0]) * 600;
    crate::story::start() - SignedDuration::new(age, 123_456_789)
}

impl Argo {
    fn attempts(&self) -> impl DoubleEndedIterator<Item = &Tried> {
        self.truth.iter().filter(|it| it.is_of(&self.rollout.uid))
    }

    pub(super) fn open(&mut self) -> Option<&mut Tried> {
        let uid = &self.rollout.uid;
        self.truth.last_mut().filter(|it| it.is_of(uid) && it.open())
    }

    /// What users get: the last that was promoted.
    fn live(&self) -> Option<&Tried> {
        self.attempts().rev().find(|it| it.outcome == Phase::Promoted)
    }

    /// Other templates may be the same deployment.
    fn was_live(&self, deployed: &str) -> bool {
        self.attempts()
            .any(|it| it.outcome == Phase::Promoted && content(&it.identity.hash) == deployed)
    }

    fn was_live_by_hash(&self, hash: &str) -> bool {
        self.attempts().any(|it| it.outcome == Phase::Promoted && it.identity.hash == hash)
    }

    fn purpose(&self, hash: &str, revision: i64) -> Purpose {
        let live = self.live();
        match live.map(|live| live.identity.hash.as_str()) {
            _ if revision == 1 => Purpose::Initial,
            Some(live) if is_upgrade(hash, live) => Purpose::Upgrade,
            Some(live) if live != hash && content(live) == content(hash) => Purpose::Redeploy,
            Some(live) if live != hash && self.was_live_by_hash(hash) => Purpose::Rollback,
            Some(_) if self.was_live(content(hash)) => Purpose::Rollback,
            _ if self.hotfixes.contains(hash) => Purpose::Hotfix,
            _ => Purpose::Change,
        }
    }

    pub(super) fn begins(&mut self) {
        let (hash, revision) = (self.current(), self.rollout.revision.unwrap());
        let same = self
            .attempts()
            .filter(|it| it.identity.hash == hash && it.identity.revision == revision);
        let identity = AttemptId {
            rollout: self.rollout.key.clone(),
            rollout_uid: self.rollout.uid.clone(),
            number: u32::try_from(same.count()).unwrap() + 1,
            hash: hash.clone().into(),
            revision,
        };
        let live = self.live().map(|it| it.identity.clone());
        let last = self.attempts().next_back().map(|it| (it.identity.clone(), it.outcome));
        let purpose = self.purpose(&hash, revision);
        let tried_before = self.attempts().any(|it| it.identity.hash == hash);
        let retried = identity.number > 1;
        let open_failure = self.attempts().next_back().is_some_and(|it| {
            matches!(it.outcome, Phase::Aborted | Phase::Reverted) && it.hit.is_some()
        });
        let by_hash = self.was_live_by_hash(&hash);
        self.kinds.extend(match purpose {
            _ if revision > 1 && live.is_none() => Some("a first revision is never healthy"),
            Purpose::Change if tried_before && !retried => Some("stopped, and shipped later"),
            Purpose::Hotfix if open_failure => Some("a hotfix for what was stopped"),
            Purpose::Redeploy => Some("a template with a stamp"),
            Purpose::Rollback if !by_hash => Some("a template with a stamp"),
            _ => None,
        });
        let tried = Tried {
            key: attempt_key(&identity),
            identity,
            purpose,
            outcome: Phase::Progressing,
            // A new Rollout's first attempt begins with it.
            began: self.rollout.created.filter(|_| revision == 1).unwrap_or(self.now),
            turned: self.now,
            ended: None,
            hit: None,
            settled: None,
            crowded: false,
            went_live: false,
            cause: None,
            class: None,
            troubles: BTreeSet::new(),
            doubtful: false,
            replaces: live.as_ref().map(|live| (live.revision, live.number)),
            after: last.filter(|(last, _)| live.as_ref() != Some(last)),
            commit: commit_of(&hash),
            committed: committed(&hash),
            version: version_of(&hash),
            steps: BTreeMap::new(),
            weight: 0,
            gone: None,
        };
        let uid = self.rollout.uid.clone();
        if self.rollout.progress.weight > Some(0) {
            self.kinds.insert("a weight of another revision");
        }
        let again = self.attempts().any(|it| {
            let ended = it.ended.map_or(i64::MAX, |ended| self.now.duration_since(ended).as_secs());
            it.identity.hash == hash && it.hit.is_none() && ended < 120
        });
        if again {
            self.kinds.insert("a hash is tried again at once");
        }
        for before in self.truth.iter_mut().filter(|it| it.is_of(&uid)) {
            before.crowded |= before.settled.is_none();
        }
        self.truth.push(tried);
    }

    pub(super) fn ends(&mut self, outcome: Phase) {
        self.ends_for(outcome, None);
    }

    /// The attempt under way is decided. What Argo acted upon is only there for an abort.
    pub(super) fn ends_for(&mut self, outcome: Phase, cause: Option<AbortCause>) {
        use FailureClass::{AnalysisFailed, DeadlineExceeded, ManualAbort};
        let now = self.now;
        let hash = self.current();
        let up = self.crashed.map_or(0, |crashed| now.duration_since(crashed).as_secs());
        let crashing = |class: &FailureClass| *class != FailureClass::OutOfMemory || up < 400;
        let trouble = self.trouble.get(&hash).copied();
        let doubtful = trouble == Some(FailureClass::OutOfMemory) && (10..400).contains(&up);
        let silent = self.silent.map_or(0, |since| now.duration_since(since).as_secs());
        let doubtful = doubtful || trouble == Some(FailureClass::VolumeFailed) && silent < 60;
        let seen = trouble.filter(crashing).or(self.says);
        let class = match (outcome, cause) {
            (Phase::Promoted, _) => None,
            (Phase::Aborted, Some(AbortCause::Manual)) => Some(seen.unwrap_or(ManualAbort)),
            (Phase::Aborted, Some(AbortCause::Deadline)) => Some(seen.unwrap_or(DeadlineExceeded)),
            (Phase::Aborted, Some(_)) => Some(AnalysisFailed),
            _ => seen,
        };
        let (step, full) = (self.rollout.progress.step, self.rollout.progress.promote_full);
        let count = self.rollout.progress.step_count;
        let Some(open) = self.open() else { return };
        (open.outcome, open.ended, open.cause, open.class) = (outcome, Some(now), cause, class);
        open.doubtful = doubtful;
        let stopped = matches!(outcome, Phase::Aborted | Phase::Superseded | Phase::Reverted);
        let planned = step.filter(|step| *step < count);
        if let Some(step) = planned.filter(|_| (stopped || outcome == Phase::Deleted) && !full) {
            open.steps.entry(step).or_insert(StepResult::Stopped);
        }
        if matches!(outcome, Phase::Aborted | Phase::Reverted) && open.hit.is_none() {
            open.settled = Some(now);
        }
        if outcome == Phase::Promoted {
            open.hit.get_or_insert(now);
        }
        self.says = None;
    }

    pub(super) fn step_is(&mut self, result: StepResult) {
        let step = self.rollout.progress.step;
        if let Some((open, step)) = self.open().zip(step) {
            open.steps.insert(step, result);
        }
    }

    /// All steps from the one at hand are passed over.
    pub(super) fn steps_are_skipped(&mut self) {
        let (step, count) = (self.rollout.progress.step, self.rollout.progress.step_count);
        if let Some((open, step)) = self.open().zip(step) {
            open.steps.extend((step..count).map(|step| (step, StepResult::Skipped)));
        }
    }

    /// All is available of what was promoted last.
    pub(super) fn is_available(&mut self) {
        let (now, uid, hash) = (self.now, self.rollout.uid.clone(), self.current());
        if let Some(last) = self.truth.last_mut().filter(|it| it.is_of(&uid))
            && last.outcome == Phase::Promoted
            && last.identity.hash == hash
        {
            last.settled.get_or_insert(now);
        }
    }

    /// Whether traffic of users reaches the pods of a hash.
    pub(super) fn reaches(&self, hash: &str) -> bool {
        let progress = &self.rollout.progress;
        let ready = self.sets.get(hash).is_some_and(|set| set.ready > 0);
        if self.strategy == Strategy::BlueGreen {
            return progress.active.as_deref() == Some(hash);
        }
        if !self.routed {
            return ready;
        }
        let weighted = progress.weight > Some(0) && self.weight_of.as_deref() == Some(hash);
        let header = self.plan.iter().position(|plan| *plan == Plan::Header);
        let header = header.and_then(|at| u32::try_from(at).ok());
        let routed = self.is(hash)
            && !self.rollout.abort
            && !progress.promote_full
            && header.is_some_and(|at| progress.step > Some(at));
        let stable = self.rollout.stable_hash.as_deref() == Some(hash);
        weighted || (ready && (routed || stable))
    }

    /// Looks where traffic goes, after anything has changed.
    pub(super) fn reckon(&mut self) {
        let (now, uid) = (self.now, self.rollout.uid.clone());
        let mut truth = std::mem::take(&mut self.truth);
        let mut kinds = std::mem::take(&mut self.kinds);
        for tried in truth.iter_mut().filter(|it| it.is_of(&uid)) {
            let reaches = || self.reaches(&tried.identity.hash);
            if tried.open() {
                let trouble = self.trouble.get(tried.identity.hash.as_str());
                tried.troubles.extend(trouble.copied().into_iter().chain(self.says));
                if tried.hit.is_none() && reaches() {
                    tried.hit = Some(now);
                    if self.routed
                        && self.rollout.progress.weight == Some(0)
                        && self.plan.contains(&Plan::Header)
                    {
                        kinds.insert("a header route at weight 0");
                    }
                }
                let ours = self.weight_of.as_deref() == Some(tried.identity.hash.as_str());
                let weight = self.rollout.progress.weight.filter(|_| ours).unwrap_or(0);
                tried.weight = tried.weight.max(weight);
            } else if matches!(tried.outcome, Phase::Aborted | Phase::Reverted)
                && tried.settled.is_none()
                && self.exists
                && !tried.crowded_by_its_own(self)
            {
                let hash = Some(tried.identity.hash.as_str());
                tried.went_live |= self.rollout.stable_hash.as_deref() == hash;
                if tried.went_live {
                    continue;
                }
                if !reaches() {
                    tried.settled = Some(now);
                } else if tried.ended.is_some_and(|ended| now.duration_since(ended).as_secs() > 5) {
                    kinds.insert("traffic comes back slowly");
                }
            }
        }
        (self.truth, self.kinds) = (truth, kinds);
    }
}

impl Tried {
    /// The same revision is tried again, so that its traffic says nothing about this attempt.
    fn crowded_by_its_own(&self, argo: &Argo) -> bool {
        let hash = self.identity.hash.as_str();
        let stable = argo.rollout.stable_hash.as_deref() == Some(hash);
        self.crowded && argo.is(hash) && !argo.rollout.abort && !stable
    }
}

/// The hash of a controller's upgrade is that of the template and `u`.
pub(crate) fn is_upgrade(hash: &str, live: &str) -> bool {
    hash.strip_suffix('u') == Some(live)
}
