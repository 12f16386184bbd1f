//! The objects around a Rollout that has an attempt under way: AnalysisRuns, Experiments, pods.
//! Nothing is kept for one that has none.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use crate::base::text::bounded;
use crate::base::{ByKey, Key};
use crate::seen::{
    AnalysisPhase, AnalysisRunSeen, EventSeen, EventsSeen, EvidenceOwner, ExperimentSeen, PodSeen,
};

/// Argo keeps ten runs a Rollout by default, and those of the attempt under way.
const RUNS_OF_A_ROLLOUT: usize = 64;
const EXPERIMENTS_OF_A_ROLLOUT: usize = 32;
/// Runs of Experiments that were not seen: most come soon, those of no Rollout never.
const EARLY_RUNS: usize = 256;
/// Beyond these, pods that are ready are not counted any more.
const PODS_OF_A_SET: usize = 1024;
/// The words of more pods than these add nothing to why they do not start.
const PODS_WITH_WORDS: usize = 64;
const FEW_WORDS: usize = 256;
/// The Events of so many pods are read at once, and not again before so long.
const PODS_ASKED: usize = 3;
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// An Event that is older says nothing about now: the kubelet repeats its own every few minutes.
const EVENT_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// The objects around attempts, by the Rollout or ReplicaSet that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    runs: ByKey<BTreeMap<Key, AnalysisRunSeen>>,
    /// AnalysisRuns by the name of their Experiment, until that is seen.
    early: BTreeMap<Key, BTreeMap<Key, AnalysisRunSeen>>,
    experiments: ByKey<BTreeMap<Key, ExperimentSeen>>,
    /// Rollout of each Experiment that is kept.
    rollout_of: ByKey<Key>,
    /// By UID of the ReplicaSet: of those whose pods are watched.
    pods: BTreeMap<SmolStr, Pods>,
    set_of: ByKey<SmolStr>,
}

/// The pods of a ReplicaSet.
#[derive(Debug, Default)]
struct Pods {
    seen: BTreeMap<Key, PodSeen>,
    /// When their Events may be read again.
    ask_at: Option<Timestamp>,
}

impl Evidence {
    /// Keeps an AnalysisRun; says which Rollout it belongs to. One of an Experiment is of the
    /// Experiment's step; if that was not seen yet, it waits for it.
    pub(crate) fn run(&mut self, mut seen: AnalysisRunSeen) -> Option<Key> {
        let namespace = &seen.key.namespace;
        let rollout = match &seen.owner {
            EvidenceOwner::Rollout(name, _) => Key::new(namespace.clone(), name),
            EvidenceOwner::Experiment(name, _) => {
                let experiment = Key::new(namespace.clone(), name);
                let Some(rollout) = self.rollout_of.get(&experiment) else {
                    self.early_run(experiment, seen);
                    return None;
                };
                let kept = self.experiments.get(rollout).and_then(|kept| kept.get(&experiment));
                seen.step = kept.and_then(|it| it.step);
                rollout.clone()
            }
        };
        self.runs.or_default(&rollout).insert(seen.key.clone(), seen);
        self.bound_runs(&rollout);
        Some(rollout)
    }

    /// Of too many runs those go first that say least: of an earlier revision, then those that
    /// passed, oldest first.
    fn bound_runs(&mut self, rollout: &Key) {
        let Some(runs) = self.runs.get_mut(rollout) else { return };
        while runs.len() > RUNS_OF_A_ROLLOUT {
            let experiments = self.experiments.get(rollout);
            let revision = |run: &AnalysisRunSeen| match &run.owner {
                EvidenceOwner::Rollout(..) => run.revision,
                EvidenceOwner::Experiment(_, uid) => {
                    let mut kept = experiments.into_iter().flat_map(BTreeMap::values);
                    kept.find(|experiment| experiment.uid == *uid).and_then(|it| it.revision)
                }
            };
            let least =
                runs.values().min_by_key(|run| (revision(run), weight(run.phase), run.created));
            let Some(least) = least.map(|run| run.key.clone()) else { return };
            runs.remove(&least);
        }
    }

    fn early_run(&mut self, experiment: Key, seen: AnalysisRunSeen) {
        self.early.entry(experiment).or_default().insert(seen.key.clone(), seen);
        if self.early.values().map(BTreeMap::len).sum::<usize>() > EARLY_RUNS {
            let runs = self.early.values().flat_map(BTreeMap::values);
            let oldest = runs.min_by_key(|run| (run.created, &run.key)).map(|run| run.key.clone());
            if let Some(oldest) = oldest {
                self.run_gone(&oldest);
            }
        }
    }

    /// An AnalysisRun is gone. What was found out of it stays; nothing waits for it.
    pub(crate) fn run_gone(&mut self, key: &Key) {
        self.early.retain(|_, runs| {
            runs.remove(key);
            !runs.is_empty()
        });
    }

    /// Keeps an Experiment; says which Rollout it belongs to.
    pub(crate) fn experiment(&mut self, seen: ExperimentSeen) -> Option<Key> {
        let EvidenceOwner::Rollout(name, _) = &seen.owner else {
            return None;
        };
        let rollout = Key::new(seen.key.namespace.clone(), name);
        if let Some(mut early) = self.early.remove(&seen.key) {
            for run in early.values_mut() {
                run.step = seen.step;
            }
            self.runs.or_default(&rollout).extend(early);
        }
        self.rollout_of.insert(seen.key.clone(), rollout.clone());
        let experiments = self.experiments.or_default(&rollout);
        experiments.insert(seen.key.clone(), seen);
        while experiments.len() > EXPERIMENTS_OF_A_ROLLOUT {
            let least =
                experiments.values().min_by_key(|it| (it.revision, weight(it.phase), it.created));
            let Some(least) = least.map(|experiment| experiment.key.clone()) else { break };
            experiments.remove(&least);
            self.rollout_of.remove(&least);
        }
        self.bound_runs(&rollout);
        Some(rollout)
    }

    /// The pods of a ReplicaSet are watched from now on.
    pub(crate) fn expect_pods(&mut self, replica_set_uid: &SmolStr) {
        self.pods.entry(replica_set_uid.clone()).or_default();
    }

    /// Keeps a pod of a ReplicaSet whose pods are watched; says the UID of that.
    pub(crate) fn pod(&mut self, mut seen: PodSeen) -> SmolStr {
        let set = seen.replica_set_uid.clone();
        let Some(pods) = self.pods.get_mut(&set) else {
            return set;
        };
        let known = pods.seen.get(&seen.key).filter(|known| known.uid == seen.uid);
        if !seen.ready {
            seen.event = known.and_then(|known| known.event.clone());
        }
        let new = known.is_none();
        if new && pods.seen.len() >= PODS_OF_A_SET {
            let ready = pods.seen.values().find(|pod| is_plain(pod)).map(|pod| pod.key.clone());
            let Some(ready) = ready.filter(|_| !is_plain(&seen)) else {
                return set;
            };
            pods.seen.remove(&ready);
            self.set_of.remove(&ready);
        }
        if is_plain(&seen) {
            seen.containers = Vec::new();
        } else if new && pods.seen.len() >= PODS_WITH_WORDS {
            shorten(&mut seen);
        }
        self.set_of.insert(seen.key.clone(), set.clone());
        pods.seen.insert(seen.key.clone(), seen);
        set
    }

    /// A pod is gone.
    pub(crate) fn pod_gone(&mut self, key: &Key) {
        if let Some(set) = self.set_of.remove(key)
            && let Some(pods) = self.pods.get_mut(&set)
        {
            pods.seen.remove(key);
        }
    }

    /// UIDs of the pods whose Events may say why they are not ready; none if it is too early to ask.
    pub(crate) fn ask(&mut self, replica_set_uid: &str, now: Timestamp) -> Option<Vec<SmolStr>> {
        let pods = self.pods.get_mut(replica_set_uid)?;
        if pods.ask_at.is_some_and(|at| at > now) {
            return None;
        }
        let waits = |pod: &&PodSeen| !pod.ready && !pod.over && pod.deleted.is_none();
        let uids = pods.seen.values().filter(waits).map(|pod| pod.uid.clone());
        let uids: Vec<_> = uids.filter(|uid| !uid.is_empty()).take(PODS_ASKED).collect();
        if uids.is_empty() {
            return None;
        }
        pods.ask_at = now.checked_add(ASK_AGAIN).ok();
        Some(uids)
    }

    /// The Events of some pods were read: the newest of each says what holds it up now, if any does.
    pub(crate) fn events(&mut self, seen: &EventsSeen, now: Timestamp) -> bool {
        let Some(pods) = self.pods.get_mut(&seen.replica_set_uid) else {
            return false;
        };
        let mut changed = false;
        for pod in pods.seen.values_mut().filter(|pod| seen.pods.contains(&pod.uid) && !pod.ready) {
            let fresh = |event: &&EventSeen| {
                event.at.is_some_and(|at| now.duration_since(at) <= EVENT_LASTS)
            };
            let of_pod = seen.events.iter().filter(|event| event.pod_uid == pod.uid);
            // The kubelet's times have no fraction, the scheduler's have: of one second, a warning
            // is the last word.
            let last = |event: &&EventSeen| {
                let second = event.at.map(Timestamp::as_second);
                (second, event.warning, event.at, event.reason.clone())
            };
            let newest = of_pod.filter(fresh).max_by_key(last);
            let newest = newest.map(|event| (event.reason.clone(), event.message.clone()));
            changed |= pod.event != newest;
            pod.event = newest;
        }
        changed
    }

    /// The AnalysisRuns of a Rollout, oldest first.
    pub(crate) fn runs_of(&self, rollout: &Key) -> Vec<&AnalysisRunSeen> {
        let mut runs: Vec<_> =
            self.runs.get(rollout).into_iter().flat_map(BTreeMap::values).collect();
        runs.sort_by(|a, b| (a.created, &a.key).cmp(&(b.created, &b.key)));
        runs
    }

    /// The Experiments of a Rollout, oldest first.
    pub(crate) fn experiments_of(&self, rollout: &Key) -> Vec<&ExperimentSeen> {
        let kept = self.experiments.get(rollout).into_iter().flat_map(BTreeMap::values);
        let mut experiments: Vec<_> = kept.collect();
        experiments.sort_by(|a, b| (a.created, &a.key).cmp(&(b.created, &b.key)));
        experiments
    }

    /// An Experiment of a Rollout, by its UID: Argo gives the one of a Rollout that was made again
    /// the same name.
    pub(crate) fn experiment_of(&self, rollout: &Key, uid: &str) -> Option<&ExperimentSeen> {
        self.experiments.get(rollout)?.values().find(|seen| seen.uid == uid)
    }

    /// The pods of a ReplicaSet.
    pub(crate) fn pods_of(&self, replica_set_uid: &str) -> Vec<&PodSeen> {
        self.pods.get(replica_set_uid).into_iter().flat_map(|pods| pods.seen.values()).collect()
    }

    /// The pods of a ReplicaSet are not looked at any more.
    pub(crate) fn forget_pods(&mut self, replica_set_uid: &str) {
        let pods = self.pods.remove(replica_set_uid).unwrap_or_default();
        for key in pods.seen.keys() {
            self.set_of.remove(key);
        }
    }

    /// No journal of the Rollout's revisions up to this takes in anything more. What belongs to a
    /// later one may have been seen before the Rollout's version was; what says no revision is kept
    /// while an attempt is `open`.
    pub(crate) fn forget_until(&mut self, rollout: &Key, revision: i64, open: bool) {
        let kept = self.experiments.remove(rollout).unwrap_or_default().into_iter();
        let (kept, old): (BTreeMap<_, _>, BTreeMap<_, _>) =
            kept.partition(|(_, seen)| seen.revision > Some(revision));
        for key in old.keys() {
            self.rollout_of.remove(key);
        }
        let is_later = |run: &AnalysisRunSeen| match &run.owner {
            EvidenceOwner::Rollout(..) => run.revision.map_or(open, |it| it > revision),
            EvidenceOwner::Experiment(name, _) => kept.keys().any(|key| key.name == *name),
        };
        let mut runs = self.runs.remove(rollout).unwrap_or_default();
        runs.retain(|_, run| is_later(run));
        if !runs.is_empty() {
            self.runs.insert(rollout.clone(), runs);
        }
        if !kept.is_empty() {
            self.experiments.insert(rollout.clone(), kept);
        }
    }

    /// A Rollout is gone, and with it all that lay around it.
    pub(crate) fn forget(&mut self, rollout: &Key) {
        self.runs.remove(rollout);
        for key in self.experiments.remove(rollout).into_iter().flat_map(BTreeMap::into_keys) {
            self.rollout_of.remove(&key);
        }
    }
}

/// What says more about why an attempt fails weighs more.
fn weight(phase: AnalysisPhase) -> u8 {
    match phase {
        AnalysisPhase::Successful | AnalysisPhase::Cancelled => 0,
        AnalysisPhase::Pending | AnalysisPhase::Running => 1,
        failed => failed.severity().saturating_add(1),
    }
}

/// A pod that is ready and was never restarted: it is counted, and says nothing else.
fn is_plain(pod: &PodSeen) -> bool {
    pod.ready && !pod.over && pod.containers.iter().all(|container| container.restarts <= 0)
}

fn shorten(pod: &mut PodSeen) {
    let containers = pod.containers.iter_mut();
    let of_containers = containers.flat_map(|container| {
        let waiting = container.waiting.as_mut().map(|(_, words)| words);
        waiting.into_iter().chain(container.terminated.as_mut().map(|last| &mut last.message))
    });
    let of_pod = [&mut pod.unscheduled, &mut pod.failed].into_iter().flatten();
    for words in of_containers.chain(of_pod.map(|(_, words)| words)) {
        if words.len() > FEW_WORDS {
            *words = bounded(words, FEW_WORDS);
        }
    }
}

#[cfg(test)]
mod tests;
