//! A process, and what it has stored.

use std::collections::BTreeSet;

use jiff::Timestamp;
use timeline::engine::{Effect, Options};
use timeline::journal::{Journal, Memory};
use timeline::ledger::Ledger;
use timeline::outbox::AttemptWritten;
use timeline::seen::{
    OwnedMetadata, Progress, ReplicaSetSeen, RevisionFacts, RolloutSeen, Template, Unavailable,
};
use timeline::stored::{Report, RolloutAttemptSeen, RolloutTraceSeen, Settings};
use timeline::{Engine, Key, Kind, Observation};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn cart() -> Key {
    Key::new("ns", "cart")
}

pub(crate) fn rollout(revision: i64, current: &str, stable: &str) -> Observation {
    Observation::Rollout(version(revision, current, stable))
}

pub(crate) fn version(revision: i64, current: &str, stable: &str) -> RolloutSeen {
    RolloutSeen {
        key: cart(),
        uid: "uid".into(),
        created: Some(at(0)),
        revision: Some(revision),
        current_hash: Some(current.into()),
        stable_hash: Some(stable.into()),
        abort: false,
        aborted_at: None,
        healthy: current == stable,
        completed: None,
        metadata: OwnedMetadata::default(),
        progress: Progress { was_healthy: true, ..Progress::default() },
    }
}

pub(crate) fn replica_set(hash: &str, revision: i64, made: i64) -> Observation {
    replica_set_with(hash, revision, made, |_| {})
}

pub(crate) fn replica_set_with(
    hash: &str,
    revision: i64,
    made: i64,
    change: impl FnOnce(&mut ReplicaSetSeen),
) -> Observation {
    let mut seen = ReplicaSetSeen {
        key: Key::new("ns", format!("cart-{hash}")),
        uid: format!("uid-{hash}").into(),
        rollout: "cart".into(),
        rollout_uid: "uid".into(),
        hash: hash.into(),
        revision: Some(revision),
        created: Some(at(made)),
        template: Template::AskRollout(Vec::new()),
        desired: None,
        ready: 0,
        available: 0,
        failure: None,
        facts: RevisionFacts { commit: Some(hash.repeat(40).into()), ..RevisionFacts::default() },
    };
    change(&mut seen);
    Observation::ReplicaSet(seen)
}

/// A process, and what it has stored.
pub(crate) struct Stored {
    pub(crate) engine: Engine,
    pub(crate) journals: Vec<(Key, Journal)>,
    pub(crate) report: Option<Report>,
    /// The Rollouts whose pods were asked for.
    pub(crate) pods_watched: BTreeSet<Key>,
    /// The API server takes long over a RolloutTrace: it is not answered.
    pub(crate) is_slow: bool,
}

impl Stored {
    /// Of a process that has stored nothing.
    pub(crate) fn of(engine: Engine) -> Self {
        Self {
            engine,
            journals: Vec::new(),
            report: None,
            pods_watched: BTreeSet::new(),
            is_slow: false,
        }
    }

    /// Of a Rollout with these ReplicaSets that were not looked at before.
    pub(crate) fn first_sight(history: usize, seen: Vec<Observation>) -> Self {
        let mut engine = Engine::new(Options::default());
        let settings = Settings { history, ..Settings::default() };
        let trace = RolloutTraceSeen {
            key: cart(),
            generation: None,
            owners: Vec::new(),
            settings,
            stored: None,
        };
        engine.observe(Observation::RolloutTrace(Box::new(trace)), at(100));
        for observation in seen {
            engine.observe(observation, at(100));
        }
        let mut stored = Self::of(engine);
        for kind in Kind::ALL {
            stored.lists(kind, at(100));
        }
        stored.run_until_idle(at(100));
        stored
    }

    /// Of a Rollout with revision 1 live.
    pub(crate) fn of_a_live(history: usize) -> Self {
        Self::first_sight(history, vec![replica_set("a", 1, 0), rollout(1, "a", "a")])
    }

    /// After a gap these are seen.
    pub(crate) fn after_a_gap(mut self, seen: Vec<Observation>) -> Self {
        self.engine.observe(Observation::Listing(Kind::Rollout), at(1_000));
        for observation in seen {
            self.engine.observe(observation, at(1_000));
        }
        self.engine
            .observe(Observation::Listed(Kind::Rollout, BTreeSet::from([cart()])), at(1_000));
        self.run_until_idle(at(1_000));
        self
    }

    /// Another process sees these, and what is stored but for what it cannot list.
    pub(crate) fn after_a_restart(
        self,
        not_served: Option<Kind>,
        seen: Vec<Observation>,
        second: i64,
    ) -> Self {
        let Self { journals, report, .. } = self;
        let mut stored = Self { journals, report, ..Self::of(Engine::new(Options::default())) };
        let trace = RolloutTraceSeen {
            key: cart(),
            generation: None,
            owners: Vec::new(),
            settings: Settings::default(),
            stored: stored.report.clone().map(Box::new),
        };
        stored.engine.observe(Observation::RolloutTrace(Box::new(trace)), at(second));
        for observation in seen {
            stored.engine.observe(observation, at(second));
        }
        for kind in Kind::ALL {
            if Some(kind) == not_served {
                let why = Observation::Unavailable(kind, Unavailable::Forbidden("list"));
                stored.engine.observe(why, at(second));
            } else {
                stored.lists(kind, at(second));
            }
        }
        stored.run_until_idle(at(second));
        stored
    }

    /// The list of a kind is read. Of RolloutAttempts those are in it that are under way.
    pub(crate) fn lists(&mut self, kind: Kind, now: Timestamp) {
        if kind == Kind::RolloutAttempt {
            for (key, journal) in self.journals.iter().filter(|(_, it)| it.root_closed.is_none()) {
                let journal = Journal { memory: Memory::default(), ..journal.clone() };
                let resource_version = "1".to_owned();
                let seen = RolloutAttemptSeen { key: key.clone(), resource_version, journal };
                self.engine.observe(Observation::RolloutAttempt(Box::new(seen)), now);
            }
        }
        let sets = ["a", "b", "c", "d"].map(|hash| Key::new("ns", format!("cart-{hash}")));
        let there: BTreeSet<Key> = match kind {
            Kind::Rollout | Kind::RolloutTrace => [cart()].into(),
            Kind::ReplicaSet => sets.into(),
            _ => BTreeSet::new(),
        };
        self.engine.observe(Observation::Listed(kind, there), now);
    }

    pub(crate) fn run_until_idle(&mut self, mut now: Timestamp) {
        for _ in 0..50 {
            let effects = self.engine.effects(now);
            let nothing = effects.is_empty();
            for effect in effects {
                match effect {
                    Effect::WriteAttempt(key, write) => {
                        self.journals.retain(|(stored, _)| *stored != key);
                        self.journals.push((key.clone(), write.journal.clone()));
                        let version = AttemptWritten::Stored(String::new());
                        self.engine.attempt_written(&key, version, now);
                    }
                    Effect::WriteReport(key, write) => {
                        self.report = Some(write.report);
                        if !self.is_slow {
                            self.engine.reported(&key, true, now);
                        }
                    }
                    Effect::ReadAttempts(key, uid) => {
                        let journals = self.journals.iter().map(|(_, it)| it.clone()).collect();
                        self.engine.attempts_read(&key, &uid, Some(journals), now);
                    }
                    Effect::WatchPods(rollout, _) => drop(self.pods_watched.insert(rollout)),
                    Effect::LeavePods(rollout) => drop(self.pods_watched.remove(&rollout)),
                    _ => {}
                }
            }
            match self.engine.due().filter(|due| due.duration_since(now).as_secs() < 100) {
                Some(due) => now = now.max(due),
                None if nothing => break,
                None => {}
            }
        }
    }

    pub(crate) fn journal(&self, hash: &str) -> &Journal {
        let is = |(_, journal): &&(Key, Journal)| journal.identity.hash == hash;
        &self.journals.iter().find(is).unwrap().1
    }

    pub(crate) fn phases(&self) -> Vec<String> {
        let words = |it: &Journal| format!("{} {}", it.identity.hash, it.phase);
        let mut words: Vec<_> = self.journals.iter().map(|(_, it)| words(it)).collect();
        words.sort();
        words
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        self.report.as_ref().unwrap().ledger.as_deref().unwrap()
    }

    /// What the chain says is what the journals say.
    pub(crate) fn is_of_one_record(&self) {
        for attempt in &self.report.as_ref().unwrap().attempts {
            let is = |(_, it): &&(Key, Journal)| it.identity.hash == attempt.hash;
            let Some((_, journal)) = self.journals.iter().find(is) else { continue };
            let ended = journal.ended.map(|ended| ended.at);
            assert_eq!((attempt.phase, attempt.ended), (journal.phase, ended), "{attempt:?}");
            let started = (journal.started.at, journal.started.source);
            assert_eq!((attempt.started, attempt.started_source), started, "{attempt:?}");
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.ledger().lines().iter();
        lines.map(|line| format!("{} {}", line.id.hash.as_str(), line.outcome)).collect()
    }
}
