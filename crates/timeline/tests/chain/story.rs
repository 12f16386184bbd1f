//! A Rollout as Argo writes it, step by step, folded into a chain as it is seen.

use jiff::{SignedDuration, Timestamp};
use timeline::Key;
use timeline::base::Turn;
use timeline::chain::{Attempt, Chain};
use timeline::seen::{OwnedMetadata, ReplicaSetSeen, RolloutSeen, Template, Workload};

pub(crate) fn key() -> Key {
    Key::new("ns", "cart")
}

/// Each step takes ten seconds and is seen at once, unless the operator is away.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) chain: Chain,
    pub(crate) rollout: RolloutSeen,
    pub(crate) sets: Vec<ReplicaSetSeen>,
    pub(crate) now: Timestamp,
    pub(crate) turn: Turn,
    revision: i64,
    away: bool,
    blind: bool,
}

impl Story {
    /// A Rollout that was made just now: Argo has not looked at it.
    pub(crate) fn begins() -> Self {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let rollout = RolloutSeen {
            key: key(),
            uid: "uid-1".into(),
            created: Some(now),
            revision: None,
            current_hash: None,
            stable_hash: None,
            abort: false,
            aborted_at: None,
            healthy: false,
            completed: None,
            metadata: OwnedMetadata::default(),
            progress: timeline::seen::Progress::default(),
        };
        Self {
            chain: Chain::default(),
            rollout,
            sets: Vec::new(),
            now,
            turn: Turn::Same,
            revision: 0,
            away: false,
            blind: false,
        }
        .observed()
    }

    /// With revision 1 of hash `a` live.
    pub(crate) fn of_a_live() -> Self {
        Self::begins().applies("a").gets_promoted()
    }

    /// A person applies the template of this hash.
    pub(crate) fn applies(mut self, hash: &str) -> Self {
        self.now += SignedDuration::from_secs(10);
        self.revision += 1;
        self.rollout.revision = Some(self.revision);
        match self.sets.iter_mut().find(|set| set.hash == hash) {
            // Argo uses it again under a new number.
            Some(set) => set.revision = Some(self.revision),
            None => self.sets.push(self.set(hash)),
        }
        let rollout = &mut self.rollout;
        let nothing_in_flight = rollout.current_hash == rollout.stable_hash;
        rollout.current_hash = Some(hash.into());
        rollout.progress.was_healthy |= rollout.healthy && nothing_in_flight;
        (rollout.abort, rollout.aborted_at, rollout.healthy) = (false, None, false);
        let first = rollout.stable_hash.is_none();
        let stable = rollout.stable_hash.get_or_insert(hash.into()) == hash;
        if first || stable || rollout.completed.is_none_or(|(done, _)| done) {
            rollout.completed = Some((stable, self.now));
        }
        self.observed()
    }

    pub(crate) fn gets_promoted(mut self) -> Self {
        self.now += SignedDuration::from_secs(10);
        if self.rollout.stable_hash != self.rollout.current_hash {
            self.rollout.completed = Some((true, self.now));
        }
        self.rollout.stable_hash.clone_from(&self.rollout.current_hash);
        (self.rollout.healthy, self.rollout.progress.was_healthy) = (true, true);
        self.observed()
    }

    pub(crate) fn gets_aborted(mut self) -> Self {
        self.now += SignedDuration::from_secs(10);
        (self.rollout.abort, self.rollout.aborted_at) = (true, Some(self.now));
        self.observed()
    }

    pub(crate) fn gets_retried(mut self) -> Self {
        self.now += SignedDuration::from_secs(10);
        (self.rollout.abort, self.rollout.aborted_at) = (false, None);
        self.observed()
    }

    /// Anything else changes.
    pub(crate) fn changes(mut self, change: impl FnOnce(&mut Self)) -> Self {
        self.now += SignedDuration::from_secs(10);
        change(&mut self);
        self.observed()
    }

    /// The operator does not see these steps, but how things are after them.
    pub(crate) fn while_away(self, steps: impl FnOnce(Self) -> Self) -> Self {
        steps(self.leaves()).returns()
    }

    pub(crate) fn leaves(mut self) -> Self {
        self.away = true;
        self
    }

    pub(crate) fn returns(mut self) -> Self {
        self.away = false;
        self.observed()
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away
    }

    pub(crate) fn is_blind(&self) -> bool {
        self.blind
    }

    /// The operator sees these steps before it sees any new ReplicaSet.
    pub(crate) fn before_replica_sets(self, steps: impl FnOnce(Self) -> Self) -> Self {
        steps(self.sees_replica_sets(false)).sees_replica_sets(true)
    }

    pub(crate) fn sees_replica_sets(mut self, sees: bool) -> Self {
        self.blind = !sees;
        self
    }

    pub(crate) fn keeps(mut self, history: usize) -> Self {
        self.chain.trim(history);
        self
    }

    pub(crate) fn observed(mut self) -> Self {
        if !self.away {
            let sets = if self.blind { Vec::new() } else { self.sets.iter().collect() };
            self.turn = self.chain.observe(&self.rollout, &sets, self.now);
        }
        self
    }

    fn set(&self, hash: &str) -> ReplicaSetSeen {
        ReplicaSetSeen {
            key: Key::new("ns", format!("cart-{hash}")),
            uid: format!("uid-of-{hash}").into(),
            rollout: "cart".into(),
            rollout_uid: self.rollout.uid.clone(),
            hash: hash.into(),
            revision: Some(self.revision),
            created: Some(self.now),
            template: Template::Decided(Ok(Workload {
                app: "shop".into(),
                name: "shop-cart".into(),
                version: format!("version-{hash}").into(),
                hashed: false,
            })),
            desired: None,
            ready: 0,
            available: 0,
            failure: None,
            facts: timeline::seen::RevisionFacts::default(),
        }
    }

    /// The chain, oldest first: revision, hash, phase, and what it follows.
    pub(crate) fn lines(&self) -> Vec<String> {
        lines(self.chain.attempts())
    }

    #[track_caller]
    pub(crate) fn reads(self, lines: &[&str]) -> Self {
        assert_eq!(self.lines(), lines);
        self
    }

    /// The step before changed nothing.
    #[track_caller]
    pub(crate) fn nothing_happened(self) -> Self {
        assert_eq!(self.turn, Turn::Same);
        self
    }

    pub(crate) fn newest(&self) -> &Attempt {
        self.chain.newest().unwrap()
    }
}

pub(crate) fn lines(attempts: &[std::sync::Arc<Attempt>]) -> Vec<String> {
    let number = |number| {
        if number == 1 { String::new() } else { format!("#{number}") }
    };
    let line = |attempt: &Attempt| {
        let follows = attempt.follows.iter().map(|follow| {
            format!("{} {}{}", follow.relation, follow.revision, number(follow.number))
        });
        let follows: Vec<String> = follows.collect();
        let (revision, hash, phase) = (attempt.revision, &attempt.hash, attempt.phase);
        format!("{revision}{} {hash} {phase} [{}]", number(attempt.number), follows.join(", "))
    };
    attempts.iter().rev().map(|attempt| line(attempt)).collect()
}
