//! Rollouts at rest: nothing of them is open, owed or due, and they are kept as few bytes.
//!
//! A cluster has thousands of Rollouts of which a few are rolled out at a time. One that rests wakes
//! when something of it changes, as it was; what the links of an app need of it never sleeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Engine;
use super::ledgers::Book;
use super::linking::Wants;
use super::packer::{Packer, fingerprint};
use super::replica_sets::Sets;
use super::rollout::{Rollout, Write};
use crate::base::Key;
use crate::chain::{Chain, PackedChain};
use crate::dora;
use crate::ledger::{Ledger, PackedLedger};
use crate::seen::{ReplicaSetSeen, RolloutSeen};
use crate::stored::{Condition, Report, RolloutTraceSeen};

/// All Rollouts. Those at rest are woken by [`Engine::wake`] before anything is done with them.
#[derive(Debug, Default)]
pub(super) struct Rollouts {
    awake: BTreeMap<Key, Rollout>,
    resting: BTreeMap<Key, Resting>,
    packer: Packer,
}

/// One that rests.
#[derive(Debug)]
struct Resting {
    /// What its apps know of it.
    wants: Wants,
    /// What was seen of it last.
    seen: u64,
    /// Versions may have passed since.
    gap: bool,
    has_trace: bool,
    chain: PackedChain,
    /// What was seen of its ReplicaSets last.
    sets: Box<[u64]>,
    /// All else.
    rest: Box<[u8]>,
}

/// What is known of a Rollout at rest, beside its chain.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Rest {
    seen: RolloutSeen,
    apps: Vec<SmolStr>,
    workloads: Vec<SmolStr>,
    settles_by: Option<Timestamp>,
    ledger: Option<PackedLedger>,
    report: RestingReport,
    trace: Option<RolloutTraceSeen>,
    sets: Sets,
}

/// What is stored, where that is not what is known.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RestingReport {
    observed_generation: Option<i64>,
    dora: dora::Settings,
    at: Timestamp,
    conditions: [Condition; 3],
    attempts: Option<PackedChain>,
    ledger: StoredLedger,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum StoredLedger {
    None,
    /// The one that is known.
    Same,
    Other(PackedLedger),
}

impl Rollouts {
    pub(super) fn get(&self, key: &Key) -> Option<&Rollout> {
        debug_assert!(!self.resting.contains_key(key), "{key} rests");
        self.awake.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Rollout> {
        debug_assert!(!self.resting.contains_key(key), "{key} rests");
        self.awake.get_mut(key)
    }

    /// The one of this name, or a new one.
    pub(super) fn or_default(&mut self, key: &Key) -> &mut Rollout {
        debug_assert!(!self.resting.contains_key(key), "{key} rests");
        self.awake.entry(key.clone()).or_default()
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Rollout> {
        debug_assert!(!self.resting.contains_key(key), "{key} rests");
        self.awake.remove(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.awake.keys().chain(self.resting.keys())
    }

    /// How many rest.
    pub(super) fn resting(&self) -> usize {
        self.resting.len()
    }

    /// Whether one is in the cluster.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.resting.contains_key(key) || self.awake.get(key).is_some_and(Rollout::exists)
    }

    /// What its apps know of one.
    pub(super) fn wants(&self, key: &Key) -> Option<&Wants> {
        let resting = self.resting.get(key).map(|resting| &resting.wants);
        resting.or_else(|| Some(&self.awake.get(key)?.wants))
    }

    /// The chain of one.
    pub(super) fn chain(&self, key: &Key) -> Option<Chain> {
        match self.resting.get(key) {
            Some(resting) => resting.chain.chain(),
            None => self.awake.get(key).map(|rollout| rollout.chain.clone()),
        }
    }

    /// Of all of them versions may pass now.
    pub(super) fn begin_gap(&mut self) {
        self.awake.values_mut().for_each(|rollout| rollout.gap = true);
        self.resting.values_mut().for_each(|rollout| rollout.gap = true);
    }

    /// Whether one rests and this is what was seen of it last.
    pub(super) fn rests_as(&mut self, seen: &RolloutSeen) -> bool {
        let resting = self.resting.get_mut(&seen.key);
        let Some(resting) = resting.filter(|resting| resting.seen == fingerprint(seen)) else {
            return false;
        };
        resting.gap = false;
        true
    }

    /// Whether the Rollout of a ReplicaSet rests and this is what was seen of that last.
    pub(super) fn rests_with(&self, rollout: &Key, seen: &ReplicaSetSeen) -> bool {
        let resting = self.resting.get(rollout);
        resting.is_some_and(|resting| resting.sets.contains(&fingerprint(seen)))
    }

    /// Those that rest and have a RolloutTrace.
    pub(super) fn resting_traces(&self) -> impl Iterator<Item = &Key> {
        self.resting.iter().filter(|(_, resting)| resting.has_trace).map(|(key, _)| key)
    }

    /// The names of the ReplicaSets of those that rest.
    pub(super) fn resting_sets(&self) -> impl Iterator<Item = Key> {
        let sets = self.resting.values().filter_map(|resting| self.packer.unpack(&resting.rest));
        sets.flat_map(|rest: Rest| rest.sets.keys().cloned().collect::<Vec<_>>())
    }

    /// Those that rest in a namespace.
    pub(super) fn resting_in(&self, namespace: &SmolStr) -> Vec<Key> {
        let first = Key::new(namespace.clone(), "");
        let keys = self.resting.range(first..).map(|(key, _)| key);
        keys.take_while(|key| key.namespace == *namespace).cloned().collect()
    }
}

impl Engine {
    /// Wakes a Rollout that rests.
    pub(super) fn wake(&mut self, key: &Key) {
        let Some(resting) = self.rollouts.resting.remove(key) else { return };
        let mut rollout = Rollout { folded: true, gap: resting.gap, ..Rollout::default() };
        // It was read back once when it was packed.
        let rest: Option<Rest> = self.rollouts.packer.unpack(&resting.rest);
        if let Some((chain, rest)) = resting.chain.chain().zip(rest) {
            let ledger = rest.ledger.as_ref().and_then(PackedLedger::ledger).map(Arc::new);
            let uid = rest.seen.uid.clone();
            rollout.report = Some(rest.report.unpack(uid.clone(), &chain, ledger.as_ref()));
            rollout.write = Write::Stored;
            rollout.uid = Some(uid);
            rollout.seen = Some(rest.seen);
            rollout.chain = chain;
            rollout.apps = rest.apps.into_iter().collect();
            rollout.workloads = rest.workloads.into_iter().collect();
            rollout.settles_by = rest.settles_by;
            rollout.wants = resting.wants;
            rollout.book = Book::whole(ledger);
            self.traces.extend(rest.trace.map(|trace| (key.clone(), trace)));
            self.replica_sets.put(key.clone(), rest.sets);
        }
        for app in &rollout.apps {
            self.keptn.wake(&Key::new(key.namespace.clone(), app.clone()));
        }
        self.rollouts.awake.insert(key.clone(), rollout);
    }

    /// Lets an app rest that no Rollout works with.
    pub(super) fn rest_app(&mut self, app: &Key) {
        let mut rollouts = self.rollouts_of_app.of(app);
        if rollouts.all(|rollout| self.rollouts.resting.contains_key(&rollout)) {
            drop(rollouts);
            self.keptn.rest(app);
        }
    }

    /// Lets a Rollout rest of which nothing is open, owed or due.
    pub(super) fn rest(&mut self, key: &Key) {
        let idle = self.rollouts.awake.get(key).is_some_and(Rollout::is_idle)
            && !self.journals.has_any(key)
            && !self.pods_watched.contains_key(key)
            && !self.ledgers_changed.contains(key)
            && !self.touched_rollouts.contains(key)
            && !self.folded_rollouts.contains(key)
            && !self.early_lines.contains_key(key);
        if !idle {
            return;
        }
        let Some(rollout) = self.rollouts.awake.remove(key) else { return };
        for app in &rollout.apps {
            self.keptn.may_rest(Key::new(key.namespace.clone(), app.clone()));
        }
        let (trace, sets) = (self.traces.remove(key), self.replica_sets.take(key));
        match Resting::of(rollout, trace, sets, &mut self.rollouts.packer) {
            Ok(resting) => {
                self.rollouts.resting.insert(key.clone(), resting);
            }
            Err(back) => {
                let (rollout, trace, sets) = *back;
                self.rollouts.awake.insert(key.clone(), rollout);
                self.traces.extend(trace.map(|trace| (key.clone(), trace)));
                self.replica_sets.put(key.clone(), sets);
            }
        }
    }
}

type Whole = (Rollout, Option<RolloutTraceSeen>, Sets);

impl Resting {
    /// Gives back what it was given if it cannot rest.
    fn of(
        rollout: Rollout,
        trace: Option<RolloutTraceSeen>,
        sets: Sets,
        packer: &mut Packer,
    ) -> Result<Self, Box<Whole>> {
        let (Some(seen), Some(report)) = (&rollout.seen, &rollout.report) else {
            return Err(Box::new((rollout, trace, sets)));
        };
        if rollout.uid.as_ref() != Some(&seen.uid) || report.rollout_uid != seen.uid {
            return Err(Box::new((rollout, trace, sets)));
        }
        let rest = Rest {
            seen: seen.clone(),
            apps: rollout.apps.iter().cloned().collect(),
            workloads: rollout.workloads.iter().cloned().collect(),
            settles_by: rollout.settles_by,
            ledger: rollout.book.ledger().map(|ledger| PackedLedger::of(ledger)),
            report: RestingReport::of(report, &rollout.chain, rollout.book.ledger()),
            trace,
            sets,
        };
        let fingerprints = rest.sets.seen().map(fingerprint).collect();
        let bytes = packer.pack(&rest);
        let Some(bytes) = bytes else {
            return Err(Box::new((rollout, rest.trace, rest.sets)));
        };
        let chain = PackedChain::of(&rollout.chain);
        debug_assert_eq!(packer.unpack(&bytes).as_ref(), Some(&rest), "it wakes as it was");
        debug_assert_eq!(chain.chain().as_ref(), Some(&rollout.chain), "it wakes as it was");
        Ok(Self {
            seen: fingerprint(seen),
            gap: rollout.gap,
            has_trace: rest.trace.is_some(),
            chain,
            sets: fingerprints,
            rest: bytes,
            wants: rollout.wants,
        })
    }
}

impl RestingReport {
    fn of(report: &Report, chain: &Chain, ledger: Option<&Arc<Ledger>>) -> Self {
        let own_attempts = report.attempts != chain.attempts();
        let stored = match &report.ledger {
            None => StoredLedger::None,
            Some(stored) if Some(stored) == ledger => StoredLedger::Same,
            Some(stored) => StoredLedger::Other(PackedLedger::of(stored)),
        };
        let conditions = [&report.observed, &report.linked, &report.exported];
        Self {
            observed_generation: report.observed_generation,
            dora: report.dora,
            at: report.at,
            conditions: conditions.map(Clone::clone),
            attempts: own_attempts
                .then(|| PackedChain::of(&Chain::restored(report.attempts.clone()))),
            ledger: stored,
        }
    }

    fn unpack(self, uid: SmolStr, chain: &Chain, ledger: Option<&Arc<Ledger>>) -> Report {
        let own = self.attempts.as_ref().and_then(PackedChain::chain);
        let [observed, linked, exported] = self.conditions;
        Report {
            rollout_uid: uid,
            observed_generation: self.observed_generation,
            attempts: own.as_ref().unwrap_or(chain).attempts().to_vec(),
            ledger: match self.ledger {
                StoredLedger::None => None,
                StoredLedger::Same => ledger.cloned(),
                StoredLedger::Other(stored) => stored.ledger().map(Arc::new),
            },
            dora: self.dora,
            at: self.at,
            observed,
            linked,
            exported,
        }
    }
}
