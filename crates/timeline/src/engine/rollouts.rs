//! All Rollouts: those that are worked with, and those at rest, of which nothing is open, owed or
//! due. These are kept as few bytes.
//!
//! A cluster has thousands of Rollouts of which a few are rolled out at a time. One that rests wakes
//! when something of it changes, as it was; what the links of an app need of it never sleeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::ledger_state::LedgerState;
use super::packer::{Packer, fingerprint};
use super::replica_sets::Sets;
use super::rollout::{Rollout, Write};
use super::wants::Wants;
use crate::base::{ByKey, Key, in_namespace};
use crate::chain::{Chain, PackedChain};
use crate::dora;
use crate::keptn::admission::ChainKnown;
use crate::ledger::{Ledger, PackedLedger};
use crate::seen::{ReplicaSetSeen, RolloutSeen};
use crate::stored::{Condition, Report, RolloutTraceSeen};

/// All Rollouts. One at rest has to be woken before anything is done with it.
#[derive(Debug, Default)]
pub(super) struct Rollouts {
    awake: ByKey<Rollout>,
    resting: BTreeMap<Key, Box<Resting>>,
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
    chain: Arc<PackedChain>,
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
        self.awake.or_default(key)
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
        let awake = self.awake.get(key);
        awake.map_or_else(|| self.resting.contains_key(key), Rollout::exists)
    }

    /// What its apps know of one.
    pub(super) fn wants(&self, key: &Key) -> Option<&Wants> {
        let awake = self.awake.get(key).map(|rollout| &rollout.wants);
        awake.or_else(|| Some(&self.resting.get(key)?.wants))
    }

    /// The chain of one.
    pub(super) fn chain(&self, key: &Key) -> Option<Chain> {
        match self.awake.get(key) {
            Some(rollout) => Some(rollout.chain.clone()),
            None => self.resting.get(key)?.chain.chain(),
        }
    }

    /// The chain of one, to be published.
    pub(super) fn chain_known(&self, key: &Key) -> Option<ChainKnown> {
        match self.awake.get(key) {
            Some(rollout) => Some(ChainKnown::Awake(rollout.chain.clone())),
            None => Some(ChainKnown::Resting(Arc::clone(&self.resting.get(key)?.chain))),
        }
    }

    /// Of all of them versions may pass now.
    pub(super) fn begin_gap(&mut self) {
        self.awake.each(|rollout| rollout.gap = true);
        self.resting.values_mut().for_each(|rollout| rollout.gap = true);
    }

    /// Whether one rests and this is what was seen of it last.
    pub(super) fn rests_as(&mut self, seen: &RolloutSeen) -> bool {
        if self.awake.contains_key(&seen.key) {
            return false;
        }
        let resting = self.resting.get_mut(&seen.key);
        let Some(resting) = resting.filter(|resting| resting.seen == fingerprint(seen)) else {
            return false;
        };
        resting.gap = false;
        true
    }

    /// Whether the Rollout of a ReplicaSet rests and this is what was seen of that last.
    pub(super) fn rests_with(&self, rollout: &Key, seen: &ReplicaSetSeen) -> bool {
        if self.awake.contains_key(rollout) {
            return false;
        }
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
        in_namespace(&self.resting, namespace)
    }
}

impl Rollouts {
    /// Wakes one that rests, as it was; hands out its RolloutTrace and its ReplicaSets.
    pub(super) fn wake(&mut self, key: &Key) -> Option<(Option<RolloutTraceSeen>, Sets)> {
        // What moves is found among few.
        if self.awake.contains_key(key) {
            return None;
        }
        let resting = self.resting.remove(key)?;
        let mut rollout = Rollout { folded: true, gap: resting.gap, ..Rollout::default() };
        let mut beside = (None, Sets::default());
        let rest: Option<Rest> = self.packer.unpack(&resting.rest);
        // What this process has packed it can read.
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
            rollout.ledger = LedgerState::whole(ledger);
            beside = (rest.trace, rest.sets);
        }
        self.awake.insert(key.clone(), rollout);
        Some(beside)
    }

    /// Whether nothing is owed or due of one that is awake.
    pub(super) fn is_idle(&self, key: &Key) -> bool {
        self.awake.get(key).is_some_and(Rollout::is_idle)
    }

    /// Whether the report of one is due since then.
    pub(super) fn is_due(&self, key: &Key, since: Timestamp) -> bool {
        self.awake.get(key).is_some_and(|rollout| rollout.report_due == Some(since))
    }

    /// Whether one rests.
    pub(super) fn rests(&self, key: &Key) -> bool {
        !self.awake.contains_key(key) && self.resting.contains_key(key)
    }

    /// Lets one rest that is idle, with its RolloutTrace and its ReplicaSets. Gives these back if it
    /// cannot.
    pub(super) fn rest(
        &mut self,
        key: &Key,
        trace: Option<RolloutTraceSeen>,
        sets: Sets,
    ) -> Result<(), Box<(Option<RolloutTraceSeen>, Sets)>> {
        let rollout = self.awake.get(key);
        let known = rollout.and_then(|rollout| {
            let (seen, report) = (rollout.seen.as_ref()?, rollout.report.as_ref()?);
            let same = rollout.uid.as_ref() == Some(&seen.uid) && report.rollout_uid == seen.uid;
            same.then_some((rollout, seen, report))
        });
        let Some((rollout, seen, report)) = known else {
            return Err(Box::new((trace, sets)));
        };
        let rest = Rest {
            seen: seen.clone(),
            apps: rollout.apps.iter().cloned().collect(),
            workloads: rollout.workloads.iter().cloned().collect(),
            settles_by: rollout.settles_by,
            ledger: rollout.ledger.get().map(|ledger| PackedLedger::of(ledger)),
            report: RestingReport::of(report, &rollout.chain, rollout.ledger.get()),
            trace,
            sets,
        };
        let Some(bytes) = self.packer.pack(&rest) else {
            return Err(Box::new((rest.trace, rest.sets)));
        };
        let chain = Arc::new(PackedChain::of(&rollout.chain));
        debug_assert_eq!(self.packer.unpack(&bytes).as_ref(), Some(&rest), "it wakes as it was");
        debug_assert_eq!(chain.chain().as_ref(), Some(&rollout.chain), "it wakes as it was");
        let Some(rollout) = self.awake.remove(key) else {
            return Err(Box::new((rest.trace, rest.sets)));
        };
        let resting = Box::new(Resting {
            seen: fingerprint(&rest.seen),
            gap: rollout.gap,
            has_trace: rest.trace.is_some(),
            chain,
            sets: rest.sets.seen().map(fingerprint).collect(),
            rest: bytes,
            wants: rollout.wants,
        });
        self.resting.insert(key.clone(), resting);
        Ok(())
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
