//! The chain as its journals say. They are stored apart from each other, and a process that dies in
//! between leaves one behind the other.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;

use crate::base::{AttemptId, Phase, Source, Traceparent, Turn};
use crate::chain::{Attempt, Chain, Linked, Relation, View, follows_of};
use crate::journal::{Journal, LinkKind, Placement};
use crate::seen::{ReplicaSetSeen, RolloutSeen};

impl Chain {
    /// Takes over what journals say, oldest first. Where they are all that is left of a chain, the
    /// ReplicaSets show what was there before.
    pub fn learn_all(
        &mut self,
        journals: &[&Journal],
        rollout: &RolloutSeen,
        replica_sets: &[&ReplicaSetSeen],
        now: Timestamp,
    ) {
        if let Some(current) = rollout.current_hash.as_deref()
            && self.attempts.is_empty()
            && !journals.is_empty()
        {
            self.first_sight(&View { rollout, replica_sets, current, now });
            // A journal knows the number that a ReplicaSet had when the attempt began.
            for attempt in &mut self.attempts {
                let of_hash = journals.iter().rfind(|it| it.identity.hash == attempt.hash);
                if let Some(identity) = of_hash.map(|journal| &journal.identity) {
                    let attempt = Arc::make_mut(attempt);
                    (attempt.revision, attempt.number) = (identity.revision, identity.number);
                }
            }
            self.attempts.sort_by_key(|it| Reverse((it.revision, it.number)));
        }
        let stable = rollout.stable_hash.as_deref();
        let of_set = replica_sets.iter().filter(|set| Some(set.hash.as_str()) == stable);
        let of_set = of_set.max_by_key(|set| set.created).and_then(|set| set.revision);
        let of_set = of_set.filter(|of_set| rollout.revision >= Some(*of_set));
        for journal in journals {
            // What has got a later number was applied again since, and became stable then.
            self.learn(journal, stable.filter(|_| of_set <= Some(journal.identity.revision)));
        }
    }

    /// What journals say that were read after all others: how attempts ended of which the chain
    /// does not know it, and so what the newest follows. Oldest first.
    pub fn learn_ends(&mut self, journals: &[&Journal]) -> Turn {
        let turn = journals.iter().map(|it| self.project(it)).max().unwrap_or(Turn::Same);
        if turn != Turn::Same
            && let Some((newest, older)) = self.attempts.split_first_mut()
            && newest.open()
        {
            let back = newest.follows.first().is_some_and(|it| it.relation == Relation::Rollback);
            let follows = follows_of(older, &newest.hash, back);
            if newest.follows != follows {
                Arc::make_mut(newest).follows = follows;
            }
        }
        turn
    }

    /// Takes over what the journal of an attempt says, while this hash is live.
    pub fn learn(&mut self, journal: &Journal, stable: Option<&str>) -> Turn {
        let identity = &journal.identity;
        if self.attempts.iter().any(|known| is(identity, known)) {
            return self.project(journal);
        }
        let this = (identity.revision, identity.number);
        let older = self.attempts.iter().position(|it| (it.revision, it.number) < this);
        let place = older.unwrap_or(self.attempts.len());
        if let Some(before) = self.attempts.get_mut(place).filter(|before| before.open()) {
            let before = Arc::make_mut(before);
            before.phase = outcome(before, journal);
            before.ended = Some(journal.started.at.max(before.started));
        }
        let mut attempt = self.attempt(journal, place);
        if let Some(next) = place.checked_sub(1).filter(|_| attempt.open()) {
            // Something came after it, and its outcome is not known.
            let live = stable == Some(&attempt.hash) && self.live().is_none();
            attempt.phase = if live { Phase::Promoted } else { Phase::Unknown };
            attempt.ended = Some(self.attempts[next].started.max(attempt.started));
        }
        self.attempts.insert(place, Arc::new(attempt));
        Turn::Vital
    }

    /// How an attempt stands is what its journal says: when it began, what became of it, when and
    /// why. An end that was not recorded says nothing against what is found out later.
    pub fn project(&mut self, journal: &Journal) -> Turn {
        let mut known = self.attempts.iter_mut().filter(|known| is(&journal.identity, known));
        let Some(known) = known.next() else {
            return Turn::Same;
        };
        let undecided = matches!(known.phase, Phase::Progressing | Phase::Unknown);
        let over = journal.ended.filter(|_| journal.phase != Phase::Unknown || undecided);
        let phase = over.map_or(known.phase, |_| journal.phase);
        let ended = over.map_or(known.ended, |ended| Some(ended.at));
        let failure = journal.failure.as_ref().filter(|_| !journal.open());
        let reason = failure.map(|failure| failure.reason.as_str());
        // A ReplicaSet that is seen late still says when it was made: Keptn's objects are younger.
        let made = known.started_source == Source::Status && known.started < journal.started.at;
        let started = if made {
            (known.started, known.started_source)
        } else {
            (journal.started.at, journal.started.source)
        };
        let is = (known.phase, known.ended, known.reason.as_deref());
        if (phase, ended, reason) == is && started == (known.started, known.started_source) {
            return Turn::Same;
        }
        let turn = if phase == known.phase { Turn::Moved } else { Turn::Vital };
        let known = Arc::make_mut(known);
        (known.phase, known.ended) = (phase, ended);
        (known.started, known.started_source) = started;
        known.reason = reason.map(Into::into);
        turn
    }

    fn attempt(&self, journal: &Journal, place: usize) -> Attempt {
        let identity = &journal.identity;
        let back = journal.links.iter().any(|link| link.kind == LinkKind::RollsBack);
        Attempt {
            revision: identity.revision,
            hash: identity.hash.clone(),
            number: identity.number,
            replica_set: journal.facts.replica_set.clone().map(Into::into),
            workload: None,
            follows: follows_of(&self.attempts[place..], &identity.hash, back),
            phase: journal.phase,
            started: journal.started.at,
            started_source: journal.started.source,
            ended: journal.ended.map(|ended| ended.at),
            reason: None,
            trace: None,
            linked: Linked::none("not looked for yet"),
        }
    }
}

/// The outcome of an attempt whose end was not seen before the next one began: the next one says
/// what it follows.
fn outcome(before: &Attempt, next: &Journal) -> Phase {
    let identity = &next.identity;
    if before.hash == identity.hash && before.revision == identity.revision {
        return Phase::Aborted;
    }
    let root = root_of(before, identity);
    let is_to_it = |link: &&crate::journal::Link| {
        link.traceparent == root || Some(link.traceparent) == before.standing_trace()
    };
    match next.links.iter().find(is_to_it).map(|link| link.kind) {
        Some(LinkKind::PreviousRevision | LinkKind::RollsBack) => Phase::Promoted,
        Some(LinkKind::Supersedes) => Phase::Superseded,
        Some(LinkKind::RetryOf) => Phase::Aborted,
        Some(LinkKind::After | LinkKind::Origin) | None => Phase::Unknown,
    }
}

/// The root span of an attempt of the same Rollout that has a trace of its own.
fn root_of(attempt: &Attempt, other: &AttemptId) -> Traceparent {
    let identity = AttemptId {
        hash: attempt.hash.clone(),
        revision: attempt.revision,
        number: attempt.number,
        ..other.clone()
    };
    let own = Placement::own(&identity);
    Traceparent::sampled(own.trace, identity.span(&[]))
}

fn is(identity: &AttemptId, attempt: &Attempt) -> bool {
    identity.hash == attempt.hash
        && identity.revision == attempt.revision
        && identity.number == attempt.number
}
