//! A model of the API server: objects, growing versions, and watches whose events wait until they
//! are delivered. RolloutAttempts are listed and watched by the label that says they are not done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use timeline::base::AttemptId;
use timeline::engine::{ReportWrite, ReportWritten};
use timeline::journal::{Journal, Memory};
use timeline::outbox::{AttemptWrite, AttemptWritten, NotStored, Stage};
use timeline::seen::Unavailable;
use timeline::stored::{RolloutAttemptSeen, RolloutTraceSeen, Settings};
use timeline::{Key, Kind, Observation};

/// The kinds that the operator lists when it starts.
pub(crate) const KINDS: [Kind; 9] = [
    Kind::Rollout,
    Kind::ReplicaSet,
    Kind::AppVersion,
    Kind::WorkloadVersion,
    Kind::AppContext,
    Kind::RolloutTrace,
    Kind::RolloutAttempt,
    Kind::AnalysisRun,
    Kind::Experiment,
];

/// A RolloutAttempt as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredAttempt {
    pub(crate) version: u64,
    pub(crate) stage: Stage,
    pub(crate) journal: Journal,
    /// When it was made, as a count.
    made: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ApiServer {
    version: u64,
    objects: BTreeMap<(Kind, Key), Observation>,
    pub(crate) attempts: BTreeMap<Key, StoredAttempt>,
    /// The last that was stored of each, also of those that are gone.
    pub(crate) ever: BTreeMap<Key, StoredAttempt>,
    /// How often each was made after an earlier one of that name was done.
    pub(crate) made_again: BTreeSet<Key>,
    /// Successful writes of RolloutTraces.
    pub(crate) reports: usize,
    /// Successful writes of each.
    pub(crate) writes: BTreeMap<Key, usize>,
    watches: BTreeMap<Kind, VecDeque<Observation>>,
    /// The namespace is being deleted: what is there goes, and nothing new is let in.
    pub(crate) terminating: bool,
    /// Kinds that are not served now, or that the operator may not read.
    pub(crate) refused: BTreeSet<Kind>,
}

impl ApiServer {
    /// An object changes; says how many events of the kind wait now.
    pub(crate) fn put(&mut self, observation: Observation) -> Kind {
        let (kind, key) = name(&observation);
        if matches!(observation, Observation::Gone(..)) {
            self.objects.remove(&(kind, key));
        } else {
            self.objects.insert((kind, key), observation.clone());
        }
        self.send(kind, observation)
    }

    /// An object changes that is not watched.
    pub(crate) fn put_unwatched(&mut self, observation: &Observation) {
        let (kind, key) = name(observation);
        if matches!(observation, Observation::Gone(..)) {
            self.objects.remove(&(kind, key));
        } else {
            self.objects.insert((kind, key), observation.clone());
        }
    }

    fn send(&mut self, kind: Kind, observation: Observation) -> Kind {
        if self.refused.contains(&kind) {
            return kind;
        }
        self.watches.entry(kind).or_default().push_back(observation);
        kind
    }

    /// The next event of a kind; a watch is in order, but knows nothing of the others.
    pub(crate) fn next_event(&mut self, kind: Kind) -> Option<Observation> {
        self.watches.get_mut(&kind)?.pop_front()
    }

    /// The events of a kind that wait.
    pub(crate) fn waiting(&self, kind: Kind) -> impl Iterator<Item = &Observation> {
        self.watches.get(&kind).into_iter().flatten()
    }

    /// How many events of each kind wait.
    pub(crate) fn count(&self) -> BTreeMap<Kind, usize> {
        self.watches.iter().map(|(kind, events)| (*kind, events.len())).collect()
    }

    /// How many events of each kind were added to these.
    pub(crate) fn since(&self, before: &BTreeMap<Kind, usize>) -> Vec<(Kind, usize)> {
        let was = |kind| before.get(&kind).copied().unwrap_or_default();
        self.count().into_iter().map(|(kind, now)| (kind, now.saturating_sub(was(kind)))).collect()
    }

    /// The garbage collector takes what is owned by a Rollout of this name but for that of this UID.
    pub(crate) fn collect(&mut self, rollout: &Key, uid: Option<&str>) {
        let trace = (Kind::RolloutTrace, rollout.clone());
        if let Some(Observation::RolloutTrace(seen)) = self.objects.get(&trace)
            && !seen.owners.is_empty()
            && seen.owners.iter().all(|owner| Some(owner.as_str()) != uid)
        {
            self.put(Observation::Gone(Kind::RolloutTrace, rollout.clone()));
        }
        self.attempts.retain(|_, stored| {
            let identity = &stored.journal.identity;
            identity.rollout != *rollout
                || stored.stage != Stage::Done
                || Some(identity.rollout_uid.as_str()) == uid
        });
    }

    /// All that happened was delivered, but for what the operator did itself.
    pub(crate) fn is_quiet(&self) -> bool {
        let own = [Kind::RolloutTrace, Kind::RolloutAttempt];
        self.watches.iter().all(|(kind, events)| own.contains(kind) || events.is_empty())
    }

    /// Nothing watches any more.
    pub(crate) fn disconnect(&mut self) {
        self.watches.clear();
    }

    /// Puts the list of a kind in place of all events of it that wait; says how many these are.
    pub(crate) fn list(&mut self, kind: Kind) -> usize {
        if self.refused.contains(&kind) {
            self.refuse(kind, Unavailable::Forbidden("list"));
            return 1;
        }
        let mut events = VecDeque::from([Observation::Listing(kind)]);
        let mut present = BTreeSet::new();
        for ((_, key), observation) in self.objects.iter().filter(|((of, _), _)| *of == kind) {
            present.insert(key.clone());
            events.push_back(observation.clone());
        }
        if kind == Kind::RolloutAttempt {
            for (key, stored) in self.attempts.iter().filter(|(_, it)| it.stage != Stage::Done) {
                present.insert(key.clone());
                events.push_back(Observation::RolloutAttempt(Box::new(seen(key, stored))));
            }
        }
        events.push_back(Observation::Listed(kind, present));
        let count = events.len();
        self.watches.insert(kind, events);
        count
    }

    /// The kind cannot be read.
    pub(crate) fn refuse(&mut self, kind: Kind, why: Unavailable) {
        let why = Observation::Unavailable(kind, why);
        self.watches.insert(kind, VecDeque::from([why]));
    }

    /// The pods of a ReplicaSet's hash are watched from now on: those that are there.
    pub(crate) fn list_pods(&mut self, rollout: &Key, hash: &str) -> usize {
        let prefix = format!("{}-{hash}-", rollout.name);
        let pods = self.objects.iter().filter(|((of, pod), _)| {
            *of == Kind::Pod && pod.namespace == rollout.namespace && pod.name.starts_with(&prefix)
        });
        let pods: VecDeque<Observation> = pods.map(|(_, pod)| pod.clone()).collect();
        let count = pods.len();
        self.watches.entry(Kind::Pod).or_default().extend(pods);
        count
    }

    /// A RolloutAttempt is created, or replaced if it still is of that version.
    pub(crate) fn store(&mut self, key: &Key, write: &AttemptWrite) -> AttemptWritten {
        if self.refused.contains(&Kind::RolloutAttempt) {
            return AttemptWritten::Failed;
        }
        let there = self.attempts.get(key);
        match (&write.resource_version, there) {
            (Some(version), Some(there)) if *version == there.version.to_string() => {}
            (None, None) if self.terminating => return AttemptWritten::NamespaceGone,
            (None, None) => {}
            (Some(_), None) => return AttemptWritten::Missing,
            (_, Some(there)) => return AttemptWritten::Conflict(Box::new(seen(key, there))),
        }
        self.version += 1;
        let was = there.map(|there| there.stage);
        let made = there.map_or(self.version, |there| there.made);
        let done_before =
            there.is_none() && self.ever.get(key).is_some_and(|ever| ever.stage == Stage::Done);
        if done_before {
            self.made_again.insert(key.clone());
        }
        *self.writes.entry(key.clone()).or_default() += 1;
        // What only a process remembers is stored nowhere.
        let journal = Journal { memory: Memory::default(), ..write.journal.clone() };
        let stored = StoredAttempt { version: self.version, stage: write.stage, journal, made };
        if write.stage != Stage::Done {
            let seen = Observation::RolloutAttempt(Box::new(seen(key, &stored)));
            self.send(Kind::RolloutAttempt, seen);
        } else if was.is_some_and(|was| was != Stage::Done) {
            // It has lost the label that is watched for.
            let gone = Observation::Gone(Kind::RolloutAttempt, key.clone());
            self.send(Kind::RolloutAttempt, gone);
        }
        self.attempts.insert(key.clone(), stored.clone());
        self.ever.insert(key.clone(), stored);
        AttemptWritten::Stored(self.version.to_string())
    }

    /// A RolloutAttempt is deleted.
    pub(crate) fn remove(&mut self, key: &Key) -> bool {
        let Some(stored) = self.attempts.remove(key) else {
            return false;
        };
        if stored.stage != Stage::Done {
            let gone = Observation::Gone(Kind::RolloutAttempt, key.clone());
            self.send(Kind::RolloutAttempt, gone);
        }
        stored.stage != Stage::Done
    }

    /// Up to so many RolloutAttempts that wait for a collector, after the one of this name, and the
    /// last of their names if there are more.
    pub(crate) fn recall(
        &self,
        limit: usize,
        after: Option<&str>,
    ) -> (Vec<RolloutAttemptSeen>, Option<String>) {
        let waiting = self.attempts.iter().filter(|(key, it)| {
            it.stage == Stage::Delivering && after.is_none_or(|after| *key.name > *after)
        });
        let mut found: Vec<_> = waiting.map(|(key, stored)| seen(key, stored)).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| last.key.name.to_string());
        (found, next)
    }

    /// The journals that are left of a Rollout.
    pub(crate) fn left_of(&self, uid: &str) -> Vec<Journal> {
        let journals = self.attempts.values().map(|stored| &stored.journal);
        journals.filter(|journal| journal.identity.rollout_uid == uid).cloned().collect()
    }

    /// Removes the oldest of a Rollout's that are done, beyond the newest so many.
    pub(crate) fn prune(&mut self, attempt: &AttemptId, keep: usize) {
        let mut done: Vec<_> = self
            .attempts
            .iter()
            .filter(|(_, it)| it.journal.identity.rollout_uid == attempt.rollout_uid)
            .filter(|(_, it)| it.stage == Stage::Done)
            .map(|(key, it)| (it.made, key.clone()))
            .collect();
        done.sort();
        let old = done.len().saturating_sub(keep);
        for (_, key) in done.into_iter().take(old) {
            self.attempts.remove(&key);
        }
    }

    /// A RolloutTrace is stored, with its times as precise as Kubernetes keeps them.
    pub(crate) fn report(&mut self, key: &Key, write: &ReportWrite) -> ReportWritten {
        if self.refused.contains(&Kind::RolloutTrace) {
            return ReportWritten::NotStored(NotStored::Failed);
        }
        let there = self.objects.contains_key(&(Kind::RolloutTrace, key.clone()));
        if !there && self.terminating {
            return ReportWritten::NamespaceGone;
        }
        if !there && !write.create {
            return ReportWritten::NotStored(NotStored::Failed);
        }
        self.reports += 1;
        let seen = RolloutTraceSeen {
            key: key.clone(),
            generation: Some(1),
            owners: write.owner.iter().cloned().collect(),
            settings: Settings { attempts: 3, ..Settings::default() },
            stored: Some(Box::new(write.report.clone())),
        };
        self.put(Observation::RolloutTrace(Box::new(seen)));
        ReportWritten::Stored
    }

    /// The namespace controller deletes all that is there.
    pub(crate) fn terminate(&mut self) {
        self.terminating = true;
        for key in self.attempts.keys().cloned().collect::<Vec<_>>() {
            self.remove(&key);
        }
        let of = |(kind, key): &(Kind, Key)| (*kind == Kind::RolloutTrace).then(|| key.clone());
        for rollout in self.objects.keys().filter_map(of).collect::<Vec<_>>() {
            self.forget(&rollout);
        }
    }

    /// A RolloutTrace is deleted.
    pub(crate) fn forget(&mut self, rollout: &Key) -> bool {
        let there = self.objects.contains_key(&(Kind::RolloutTrace, rollout.clone()));
        if there {
            self.put(Observation::Gone(Kind::RolloutTrace, rollout.clone()));
        }
        there
    }

    pub(crate) fn trace(&self, rollout: &Key) -> Option<&timeline::stored::Report> {
        match self.objects.get(&(Kind::RolloutTrace, rollout.clone()))? {
            Observation::RolloutTrace(seen) => seen.stored.as_deref(),
            _ => None,
        }
    }
}

fn seen(key: &Key, stored: &StoredAttempt) -> RolloutAttemptSeen {
    RolloutAttemptSeen {
        key: key.clone(),
        resource_version: stored.version.to_string(),
        journal: stored.journal.clone(),
    }
}

fn name(observation: &Observation) -> (Kind, Key) {
    match observation {
        Observation::Rollout(seen) => (Kind::Rollout, seen.key.clone()),
        Observation::ReplicaSet(seen) => (Kind::ReplicaSet, seen.key.clone()),
        Observation::AppVersion(seen) => (Kind::AppVersion, seen.key.clone()),
        Observation::WorkloadVersion(seen) => (Kind::WorkloadVersion, seen.key.clone()),
        Observation::RolloutTrace(seen) => (Kind::RolloutTrace, seen.key.clone()),
        Observation::AnalysisRun(seen) => (Kind::AnalysisRun, seen.key.clone()),
        Observation::Pod(seen) => (Kind::Pod, seen.key.clone()),
        Observation::Gone(kind, key) => (*kind, key.clone()),
        other => panic!("the model has no {other:?}"),
    }
}
