//! What lies around a Rollout that has an attempt under way: AnalysisRuns, Experiments, pods.
//! Nothing is kept for one that has none.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::base::Key;
use crate::seen::{AnalysisRunSeen, EvidenceOwner, ExperimentSeen, PodSeen};

/// Argo keeps ten runs a Rollout by default, and those of the attempt under way.
const RUNS_OF_A_ROLLOUT: usize = 64;
const EXPERIMENTS_OF_A_ROLLOUT: usize = 32;
/// More pods than these add nothing to why they do not start.
const PODS_OF_A_SET: usize = 64;

/// The objects around attempts, by the Rollout or ReplicaSet that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    runs: BTreeMap<Key, BTreeMap<Key, AnalysisRunSeen>>,
    experiments: BTreeMap<Key, BTreeMap<Key, ExperimentSeen>>,
    /// Rollout of each Experiment that is kept.
    rollout_of: BTreeMap<Key, Key>,
    /// By UID of the ReplicaSet.
    pods: BTreeMap<SmolStr, BTreeMap<Key, PodSeen>>,
    set_of: BTreeMap<Key, SmolStr>,
}

impl Evidence {
    /// Keeps an AnalysisRun; says which Rollout it belongs to. One of an Experiment is of the
    /// Experiment's step; if that was not told yet, it is filed under its name until it is.
    pub(crate) fn run(&mut self, mut seen: AnalysisRunSeen) -> Key {
        let namespace = &seen.key.namespace;
        let rollout = match &seen.owner {
            EvidenceOwner::Rollout(name, _) => Key::new(namespace.clone(), name),
            EvidenceOwner::Experiment(name, _) => {
                let experiment = Key::new(namespace.clone(), name);
                let rollout = self.rollout_of.get(&experiment);
                let kept = rollout.and_then(|rollout| self.experiments.get(rollout));
                seen.step = kept.and_then(|kept| kept.get(&experiment)).and_then(|it| it.step);
                rollout.cloned().unwrap_or(experiment)
            }
        };
        let runs = self.runs.entry(rollout.clone()).or_default();
        if runs.len() < RUNS_OF_A_ROLLOUT || runs.contains_key(&seen.key) {
            runs.insert(seen.key.clone(), seen);
        }
        rollout
    }

    /// Keeps an Experiment; says which Rollout it belongs to.
    pub(crate) fn experiment(&mut self, seen: ExperimentSeen) -> Option<Key> {
        let EvidenceOwner::Rollout(name, _) = &seen.owner else {
            return None;
        };
        let rollout = Key::new(seen.key.namespace.clone(), name);
        if let Some(mut early) = self.runs.remove(&seen.key) {
            for run in early.values_mut() {
                run.step = seen.step;
            }
            self.runs.entry(rollout.clone()).or_default().extend(early);
        }
        self.rollout_of.insert(seen.key.clone(), rollout.clone());
        let experiments = self.experiments.entry(rollout.clone()).or_default();
        if experiments.len() < EXPERIMENTS_OF_A_ROLLOUT || experiments.contains_key(&seen.key) {
            experiments.insert(seen.key.clone(), seen);
        }
        Some(rollout)
    }

    /// Keeps a pod; says the UID of its ReplicaSet.
    pub(crate) fn pod(&mut self, seen: PodSeen) -> SmolStr {
        let set = seen.replica_set_uid.clone();
        let pods = self.pods.entry(set.clone()).or_default();
        if pods.len() < PODS_OF_A_SET || pods.contains_key(&seen.key) {
            self.set_of.insert(seen.key.clone(), set.clone());
            pods.insert(seen.key.clone(), seen);
        }
        set.clone()
    }

    /// A pod is gone.
    pub(crate) fn pod_gone(&mut self, key: &Key) {
        if let Some(set) = self.set_of.remove(key)
            && let Some(pods) = self.pods.get_mut(&set)
        {
            pods.remove(key);
        }
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
        self.pods.get(replica_set_uid).into_iter().flat_map(BTreeMap::values).collect()
    }

    /// The pods of a ReplicaSet are not looked at any more.
    pub(crate) fn forget_pods(&mut self, replica_set_uid: &str) {
        for key in self.pods.remove(replica_set_uid).into_iter().flat_map(BTreeMap::into_keys) {
            self.set_of.remove(&key);
        }
    }

    /// A Rollout has no attempt under way: nothing is needed any more of its revisions up to this.
    /// What belongs to a later one was told before the Rollout's version was.
    pub(crate) fn forget_until(&mut self, rollout: &Key, revision: i64) {
        let kept = self.experiments.remove(rollout).unwrap_or_default().into_iter();
        let (kept, old): (BTreeMap<_, _>, BTreeMap<_, _>) =
            kept.partition(|(_, seen)| seen.revision > Some(revision));
        for key in old.keys() {
            self.rollout_of.remove(key);
        }
        let is_later = |run: &AnalysisRunSeen| match &run.owner {
            EvidenceOwner::Rollout(..) => run.revision > Some(revision),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::{AnalysisKind, AnalysisPhase};

    fn run(name: &str) -> AnalysisRunSeen {
        AnalysisRunSeen {
            key: Key::new("shop", name),
            uid: name.to_owned(),
            owner: EvidenceOwner::Experiment("cart-abc-2-3".to_owned(), "uid".to_owned()),
            revision: None,
            hash: None,
            kind: AnalysisKind::Experiment,
            step: None,
            phase: AnalysisPhase::Running,
            message: String::new(),
            created: None,
            started: None,
            completed: None,
            metrics: Vec::new(),
            metric_count: 0,
        }
    }

    fn experiment(name: &str, revision: i64) -> ExperimentSeen {
        ExperimentSeen {
            key: Key::new("shop", name),
            uid: "uid".to_owned(),
            owner: EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned()),
            revision: Some(revision),
            step: Some(3),
            phase: AnalysisPhase::Running,
            message: String::new(),
            created: None,
            available: None,
        }
    }

    #[test]
    fn a_run_is_of_the_step_of_its_experiment_whichever_is_told_first() {
        let experiment = experiment("cart-abc-2-3", 2);
        let rollout = Key::new("shop", "cart");
        let mut evidence = Evidence::default();
        assert_eq!(evidence.run(run("early")), experiment.key);
        assert_eq!(evidence.experiment(experiment), Some(rollout.clone()));
        assert_eq!(evidence.run(run("late")), rollout);
        let runs = evidence.runs_of(&rollout);
        let steps: Vec<_> = runs.iter().map(|run| (&*run.key.name, run.step)).collect();
        assert_eq!(steps, [("early", Some(3)), ("late", Some(3))]);
    }

    #[test]
    fn what_is_told_before_the_version_that_begins_its_revision_is_kept() {
        let rollout = Key::new("shop", "cart");
        let mut evidence = Evidence::default();
        evidence.experiment(experiment("cart-abc-2-3", 2));
        evidence.run(run("of-an-experiment"));
        for (name, revision) in [("second", 2), ("third", 3)] {
            let owner = EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned());
            evidence.run(AnalysisRunSeen { owner, revision: Some(revision), ..run(name) });
        }
        let kept = |evidence: &Evidence| -> Vec<_> {
            let runs = evidence.runs_of(&rollout).into_iter().map(|run| run.key.name.clone());
            let experiments = evidence.experiments_of(&rollout).into_iter();
            runs.chain(experiments.map(|it| it.key.name.clone())).collect()
        };
        evidence.forget_until(&rollout, 1);
        assert_eq!(kept(&evidence), ["of-an-experiment", "second", "third", "cart-abc-2-3"]);
        evidence.forget_until(&rollout, 2);
        assert_eq!(kept(&evidence), ["third"]);
        evidence.forget_until(&rollout, 3);
        assert_eq!(kept(&evidence), [""; 0]);
        assert!(evidence.runs.is_empty() && evidence.rollout_of.is_empty());
    }
}
