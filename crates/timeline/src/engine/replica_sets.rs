//! What was seen of ReplicaSets, by the Rollout that they belong to.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::base::{ByKey, Key};
use crate::seen::{ReplicaSetSeen, RevisionFacts};

/// The ReplicaSets of all Rollouts that are awake.
#[derive(Debug, Default)]
pub(super) struct ReplicaSets(ByKey<Sets>);

/// The ReplicaSets of one Rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sets {
    /// By name.
    seen: Vec<ReplicaSetSeen>,
    /// What they said of themselves before something else was written over it, by their name.
    first_facts: Vec<(SmolStr, RevisionFacts)>,
}

impl Sets {
    pub(super) fn seen(&self) -> impl Iterator<Item = &ReplicaSetSeen> {
        self.seen.iter()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.seen.iter().map(|set| &set.key)
    }

    fn get(&self, name: &str) -> Option<&ReplicaSetSeen> {
        self.seen.iter().find(|set| set.key.name == name)
    }

    fn first_facts(&self, name: &str) -> Option<&RevisionFacts> {
        self.first_facts.iter().find(|(of, _)| of == name).map(|(_, facts)| facts)
    }

    /// Keeps a ReplicaSet; says whether it is new or has changed.
    fn insert(&mut self, seen: ReplicaSetSeen) -> bool {
        let name = seen.key.name.clone();
        let place = match self.seen.binary_search_by(|set| set.key.name.cmp(&name)) {
            Err(place) => {
                self.seen.insert(place, seen);
                return true;
            }
            Ok(place) => place,
        };
        let Some(known) = self.seen.get_mut(place).filter(|known| **known != seen) else {
            return false;
        };
        let known = std::mem::replace(known, seen);
        let seen = &self.seen[place];
        let said = |set: &ReplicaSetSeen| (set.facts.commit.clone(), set.facts.hotfix);
        let overwritten =
            known.uid == seen.uid && known.facts.commit.is_some() && said(&known) != said(seen);
        if overwritten && self.first_facts(&name).is_none() {
            self.first_facts.push((name, known.facts));
        }
        true
    }

    fn remove(&mut self, name: &str) {
        self.seen.retain(|set| set.key.name != name);
        self.first_facts.retain(|(of, _)| of != name);
    }
}

impl ReplicaSets {
    /// Keeps a ReplicaSet; says which Rollout that touches, if it says anything new.
    pub(super) fn insert(&mut self, seen: ReplicaSetSeen) -> Option<Key> {
        let owner = Key::new(seen.key.namespace.clone(), seen.rollout.clone());
        let named = seen.key.name.rsplit_once('-').is_some_and(|(named, _)| named == owner.name);
        if !named && self.0.get(&owner).is_none_or(|it| it.get(&seen.key.name).is_none()) {
            // It may have been of another Rollout until now.
            self.remove(&seen.key);
        }
        let new = self.0.or_default(&owner).insert(seen);
        new.then_some(owner)
    }

    /// Forgets a ReplicaSet; says whether it was known.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let has = |owner: &Key| self.0.get(owner).is_some_and(|sets| sets.get(&key.name).is_some());
        let named = key.name.rsplit_once('-');
        let named = named.map(|(owner, _)| Key::new(key.namespace.clone(), owner));
        let owner = named.filter(has).or_else(|| {
            let mut owners = self.0.keys().filter(|owner| owner.namespace == key.namespace);
            owners.find(|owner| has(owner)).cloned()
        });
        let Some(owner) = owner else { return false };
        let sets = self.0.or_default(&owner);
        sets.remove(&key.name);
        if sets.seen.is_empty() {
            self.0.remove(&owner);
        }
        true
    }

    /// Hands the ReplicaSets of a Rollout over.
    pub(super) fn take(&mut self, rollout: &Key) -> Sets {
        self.0.remove(rollout).unwrap_or_default()
    }

    /// Takes the ReplicaSets of a Rollout back.
    pub(super) fn put(&mut self, rollout: Key, sets: Sets) {
        if !sets.seen.is_empty() {
            self.0.insert(rollout, sets);
        }
    }

    /// Those that it keeps.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.keys().filter_map(|rollout| self.0.get(rollout)).flat_map(Sets::keys)
    }

    /// The ReplicaSets of a Rollout.
    pub(super) fn of(&self, rollout: &Key) -> impl Iterator<Item = &ReplicaSetSeen> {
        self.0.get(rollout).into_iter().flat_map(Sets::seen)
    }

    /// What a ReplicaSet of a Rollout said of its commit before something else was written over it.
    pub(super) fn first_facts(&self, rollout: &Key, name: &str) -> Option<&RevisionFacts> {
        self.0.get(rollout)?.first_facts(name)
    }

    /// A ReplicaSet of the Rollout of this UID. One that was made again names its ReplicaSets as
    /// before.
    pub(super) fn get(
        &self,
        rollout: &Key,
        name: &str,
        rollout_uid: &str,
    ) -> Option<&ReplicaSetSeen> {
        let seen = self.0.get(rollout)?.get(name);
        seen.filter(|seen| seen.rollout_uid == rollout_uid)
    }
}
