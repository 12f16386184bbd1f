//! What a process knows, what is stored of that, and what nobody can find out any more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use timeline::base::Phase;
use timeline::{Key, Kind, Observation};

use super::{World, attempt_key};
use crate::api_server::ApiServer;

/// What a process that starts has read so far: RolloutTraces, RolloutAttempts, Rollouts.
pub(super) type Lists =
    (Option<BTreeMap<Key, usize>>, Option<BTreeMap<Key, Phase>>, Option<BTreeMap<Key, usize>>);

impl World<'_> {
    /// Whether a new process would know all that this one knows.
    pub(super) fn is_stored(&self) -> bool {
        let Some(operator) = &self.operator else {
            return true;
        };
        let stored = |key: &Key| self.server.attempts.get(key).map(|stored| &stored.journal);
        let known = self.told == self.saved;
        let journals = self.story.truth.iter().map(|tried| attempt_key(&tried.identity));
        known
            && self.server.is_quiet()
            && journals.into_iter().all(|key| {
                operator.journal(&key).is_none_or(|journal| {
                    stored(&key).is_some_and(|stored| {
                        let mut journal = journal.clone();
                        journal.exported = stored.exported.clone();
                        journal == *stored
                    })
                })
            })
    }

    /// A list is read. A new process knows what is stored, at the time when it reads it.
    pub(super) fn reads(&mut self, kind: Kind) {
        let Some(lists) = &mut self.lists else {
            if kind == Kind::Rollout {
                let (told, happened) = (self.told.clone(), self.happened.clone());
                self.miss(&told, &outcomes(&self.server), &happened, false);
            }
            return;
        };
        match kind {
            Kind::RolloutTrace => lists.0 = Some(self.saved.clone()),
            Kind::RolloutAttempt => lists.1 = Some(outcomes(&self.server)),
            Kind::Rollout => lists.2 = Some(self.happened.clone()),
            _ => return,
        }
        if let Some((Some(saved), Some(outcomes), Some(happened))) = self.lists.clone() {
            self.lists = None;
            self.miss(&saved, &outcomes, &happened, true);
        }
    }

    /// Of each Rollout, one turn that was neither told nor stored is found out from how things are.
    /// More are lost, and so is what a Rollout that is gone did last.
    fn miss(
        &mut self,
        known: &BTreeMap<Key, usize>,
        outcomes: &BTreeMap<Key, Phase>,
        happened: &BTreeMap<Key, usize>,
        anew: bool,
    ) {
        let mut unknown: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for tried in &self.story.truth {
            let identity = &tried.identity;
            let uid = identity.rollout_uid.as_str();
            let told = |turn: usize| {
                let happened = happened.get(&identity.rollout).is_some_and(|it| turn <= *it);
                !happened || known.get(&identity.rollout).is_some_and(|it| turn <= *it)
            };
            let stored = outcomes.get(&attempt_key(identity));
            let gone =
                self.rollouts.get(&identity.rollout) != Some(&identity.rollout_uid.to_string());
            // With a Rollout that is gone goes its RolloutTrace: a new process has nothing of it.
            let began = stored.is_some() || (told(tried.turns.0) && !(gone && anew));
            let ended = tried.turns.1.is_none_or(told)
                || stored == Some(&tried.outcome)
                || (gone && tried.outcome == Phase::Deleted);
            let turns = [(began, Some(tried.turns.0)), (ended, tried.turns.1)];
            let turns = turns.into_iter().filter(|(known, _)| !known).filter_map(|(_, turn)| turn);
            let unknown = unknown.entry(uid).or_default();
            unknown.extend(turns);
            let silent = self.story.silent.iter().filter(|(of, _)| of == uid);
            unknown.extend(silent.map(|(_, turn)| *turn).filter(|turn| !told(*turn)));
            if unknown.len() > 1 || (gone && !unknown.is_empty()) {
                self.dropped.insert(identity.rollout_uid.to_string().into());
            }
        }
    }

    /// A version of the Rollout is told: it is the one after those that wait still.
    pub(super) fn knows(&mut self, rollout: &Key) {
        // Versions are told one by one, so the last change up to now that is not waiting.
        let waiting = self
            .server
            .waiting(Kind::Rollout)
            .filter(|waiting| match waiting {
                Observation::Rollout(seen) => seen.key == *rollout,
                Observation::Gone(_, key) => key == rollout,
                _ => false,
            })
            .count();
        let until = self.now - SignedDuration::from_secs(1);
        let of_rollout = self.story.changes.iter().filter(|change| match &change.what {
            Observation::Rollout(seen) => seen.key == *rollout,
            Observation::Gone(Kind::Rollout, key) => key == rollout,
            _ => false,
        });
        let happened: Vec<usize> =
            of_rollout.filter(|change| change.at <= until).map(|change| change.turns).collect();
        if let Some(told) = happened.len().checked_sub(waiting + 1).map(|at| happened[at]) {
            let known = self.told.entry(rollout.clone()).or_default();
            *known = (*known).max(told);
        }
    }
}

/// What is stored of the attempts.
fn outcomes(server: &ApiServer) -> BTreeMap<Key, Phase> {
    let stored = server.ever.iter();
    stored.map(|(key, stored)| (key.clone(), stored.journal.phase)).collect()
}
