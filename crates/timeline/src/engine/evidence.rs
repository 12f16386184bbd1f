//! What lies around a Rollout that has an attempt under way: AnalysisRuns, Experiments, pods.
//! Nothing is kept for one that has none.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::{Effect, Engine};
use crate::base::Key;
use crate::base::text::bounded;
use crate::journal::Journal;
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
    runs: BTreeMap<Key, BTreeMap<Key, AnalysisRunSeen>>,
    /// AnalysisRuns by the name of their Experiment, until that is seen.
    early: BTreeMap<Key, BTreeMap<Key, AnalysisRunSeen>>,
    experiments: BTreeMap<Key, BTreeMap<Key, ExperimentSeen>>,
    /// Rollout of each Experiment that is kept.
    rollout_of: BTreeMap<Key, Key>,
    /// By UID of the ReplicaSet: of those whose pods are watched.
    pods: BTreeMap<SmolStr, Pods>,
    set_of: BTreeMap<Key, SmolStr>,
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
        self.runs.entry(rollout.clone()).or_default().insert(seen.key.clone(), seen);
        self.bound_runs(&rollout);
        Some(rollout)
    }

    /// Of too many runs those go first that tell least: of an earlier revision, then those that
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
            self.runs.entry(rollout.clone()).or_default().extend(early);
        }
        self.rollout_of.insert(seen.key.clone(), rollout.clone());
        let experiments = self.experiments.entry(rollout.clone()).or_default();
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
    fn ask(&mut self, replica_set_uid: &str, now: Timestamp) -> Option<Vec<SmolStr>> {
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

impl Engine {
    /// Forgets what belongs to attempts whose journals are closed, whatever of them still waits for a
    /// collector.
    pub(super) fn forget_evidence(&mut self, key: &Key, names: &[Key]) {
        let journals = names.iter().filter_map(|name| self.journals.journal(name));
        let unclosed = journals.filter(|journal| journal.root_closed.is_none());
        let newest = self.chain(key).and_then(|chain| Some(chain.newest()?.revision));
        match unclosed.map(|journal| journal.identity.revision).min() {
            Some(oldest) => self.evidence.forget_until(key, oldest.saturating_sub(1), true),
            None => self.evidence.forget_until(key, newest.unwrap_or(0), false),
        }
    }

    /// The Events of the pods of a stalled attempt were read.
    pub fn events_read(&mut self, rollout: &Key, seen: &EventsSeen, now: Timestamp) {
        if self.evidence.events(seen, now) {
            self.touched_rollouts.insert(rollout.clone());
        }
    }

    /// Asks for the Events of a few pods where an attempt is stalled and nothing says why.
    pub(super) fn ask_for_events(&mut self, key: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some((_, set)) = self.pods_watched.get(key) else { return };
        let set = set.clone();
        if self.newest_journal(key).is_some_and(|journal: &Journal| journal.wants_events(now))
            && let Some(pods) = self.evidence.ask(&set, now)
        {
            effects.push(Effect::ReadEvents(key.clone(), set, pods));
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
        assert_eq!(evidence.run(run("early")), None);
        assert_eq!(evidence.experiment(experiment), Some(rollout.clone()));
        assert_eq!(evidence.run(run("late")), Some(rollout.clone()));
        let runs = evidence.runs_of(&rollout);
        let steps: Vec<_> = runs.iter().map(|run| (&*run.key.name, run.step)).collect();
        assert_eq!(steps, [("early", Some(3)), ("late", Some(3))]);
    }

    #[test]
    fn what_says_no_revision_is_kept_while_an_attempt_is_open() {
        let rollout = Key::new("shop", "cart");
        let mut evidence = Evidence::default();
        let owner = EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned());
        evidence.run(AnalysisRunSeen { owner, ..run("by-hash") });
        evidence.forget_until(&rollout, 1, true);
        assert_eq!(evidence.runs_of(&rollout).len(), 1);
        evidence.forget_until(&rollout, 2, false);
        assert!(evidence.runs.is_empty());
    }

    #[test]
    fn the_run_that_failed_stays_however_many_passed() {
        let rollout = Key::new("shop", "cart");
        let mut evidence = Evidence::default();
        let of = |name: &str, revision, phase| {
            let owner = EvidenceOwner::Rollout("cart".to_owned(), "uid".to_owned());
            AnalysisRunSeen { owner, revision: Some(revision), phase, ..run(name) }
        };
        evidence.run(of("old-failure", 1, AnalysisPhase::Failed));
        evidence.run(of("a-failure", 2, AnalysisPhase::Failed));
        evidence.run(of("b-running", 2, AnalysisPhase::Running));
        for index in 0..200 {
            evidence.run(of(&format!("passed-{index}"), 2, AnalysisPhase::Successful));
        }
        evidence.run(of("z-failure", 2, AnalysisPhase::Error));
        let kept: Vec<_> =
            evidence.runs_of(&rollout).iter().map(|it| it.key.name.clone()).collect();
        assert_eq!(kept.len(), RUNS_OF_A_ROLLOUT);
        for (name, stays) in
            [("a-failure", true), ("z-failure", true), ("b-running", true), ("old-failure", false)]
        {
            assert_eq!(kept.iter().any(|kept| *kept == name), stays, "{name}");
        }
    }

    #[test]
    fn runs_of_experiments_of_no_rollout_are_bounded_and_forgotten() {
        let mut evidence = Evidence::default();
        for index in 0..1000 {
            let owner = EvidenceOwner::Experiment(format!("alone-{index}"), "uid".to_owned());
            evidence.run(AnalysisRunSeen { owner, ..run(&format!("run-{index}")) });
        }
        assert_eq!((evidence.early.len(), evidence.runs.len()), (EARLY_RUNS, 0));
        for index in 0..1000 {
            evidence.run_gone(&Key::new("shop", format!("run-{index}")));
        }
        assert!(evidence.early.is_empty());
    }

    fn pod(name: &str, ready: bool) -> PodSeen {
        let waiting = (!ready).then(|| ("ErrImagePull".to_owned(), "not found ".repeat(90)));
        let container = crate::seen::ContainerSeen { waiting, ..Default::default() };
        PodSeen {
            key: Key::new("shop", name),
            uid: name.into(),
            replica_set_uid: "set".into(),
            ready,
            containers: vec![container],
            ..PodSeen::default()
        }
    }

    #[test]
    fn the_pods_that_are_not_ready_are_kept_and_all_are_counted() {
        let mut evidence = Evidence::default();
        evidence.expect_pods(&"set".into());
        for index in 0..500 {
            evidence.pod(pod(&format!("cart-{index:04}"), true));
        }
        evidence.pod(pod("cart-0499", false));
        let said = |evidence: &Evidence| {
            let pods = evidence.pods_of("set");
            crate::failure::of_pods(&pods, Timestamp::UNIX_EPOCH).failure.unwrap().reason
        };
        assert!(said(&evidence).ends_with("(1 of 500 pods)"), "{}", said(&evidence));
        for index in 0..1200 {
            evidence.pod(pod(&format!("late-{index:04}"), index % 2 == 0));
        }
        let (count, unready) = (evidence.pods_of("set").len(), |pod: &&PodSeen| !pod.ready);
        let waiting = evidence.pods_of("set").into_iter().filter(unready).count();
        assert_eq!((count, waiting, evidence.set_of.len()), (PODS_OF_A_SET, 601, PODS_OF_A_SET));
        evidence.forget_pods("set");
        assert!(evidence.pods.is_empty() && evidence.set_of.is_empty());
    }

    #[test]
    fn a_pod_that_is_seen_after_its_watch_has_ended_is_not_kept() {
        let mut evidence = Evidence::default();
        evidence.pod(pod("early", false));
        evidence.expect_pods(&"set".into());
        evidence.pod(pod("cart", false));
        evidence.forget_pods("set");
        evidence.pod(pod("late", false));
        assert!(evidence.pods.is_empty() && evidence.set_of.is_empty());
    }

    #[test]
    fn the_newest_event_of_a_pod_says_what_holds_it_up() {
        let now = Timestamp::constant(1_800_000_000, 0);
        let at = |ago: i64| Some(now - SignedDuration::from_secs(ago));
        let event = |reason: &str, ago| EventSeen {
            warning: true,
            pod_uid: "cart".into(),
            reason: reason.to_owned(),
            message: "words".to_owned(),
            at: at(ago),
        };
        let mut evidence = Evidence::default();
        evidence.expect_pods(&"set".into());
        evidence.pod(pod("cart", false));
        assert_eq!(evidence.ask("set", now), Some(vec!["cart".into()]));
        assert_eq!(evidence.ask("set", now + SignedDuration::from_secs(14)), None);
        assert!(evidence.ask("set", now + SignedDuration::from_secs(15)).is_some());
        let read = |evidence: &mut Evidence, events: &[EventSeen]| {
            let (pods, events) = (vec!["cart".into()], events.to_vec());
            let seen = EventsSeen { replica_set_uid: "set".into(), pods, events };
            let changed = evidence.events(&seen, now);
            (changed, evidence.pods_of("set")[0].event.clone().map(|(reason, _)| reason))
        };
        let mount = (true, Some("FailedMount".to_owned()));
        assert_eq!(read(&mut evidence, &[event("Scheduled", 60), event("FailedMount", 5)]), mount);
        evidence.pod(pod("cart", false));
        assert!(evidence.pods_of("set")[0].event.is_some(), "it is still held up");
        // It was mounted since.
        let pulls = (true, Some("Pulling".to_owned()));
        assert_eq!(read(&mut evidence, &[event("FailedMount", 5), event("Pulling", 1)]), pulls);
        assert_eq!(read(&mut evidence, &[event("FailedMount", 601)]), (true, None));
        read(&mut evidence, &[event("FailedMount", 5)]);
        evidence.pod(pod("cart", true));
        assert_eq!(evidence.pods_of("set")[0].event, None);
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
        evidence.forget_until(&rollout, 1, false);
        assert_eq!(kept(&evidence), ["of-an-experiment", "second", "third", "cart-abc-2-3"]);
        evidence.forget_until(&rollout, 2, false);
        assert_eq!(kept(&evidence), ["third"]);
        evidence.forget_until(&rollout, 3, false);
        assert_eq!(kept(&evidence), [""; 0]);
        assert!(evidence.runs.is_empty() && evidence.rollout_of.is_empty());
    }
}
