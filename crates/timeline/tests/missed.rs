//! Attempts that came and went while nobody looked have a record too.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::BTreeSet;

use jiff::Timestamp;
use timeline::base::{Moment, Source};
use timeline::engine::{Effect, Options};
use timeline::journal::Journal;
use timeline::ledger::Ledger;
use timeline::outbox::AttemptWritten;
use timeline::seen::{
    OwnedMetadata, Progress, ReplicaSetSeen, RevisionFacts, RolloutSeen, Template,
};
use timeline::stored::{Report, RolloutTraceSeen, Settings};
use timeline::{Engine, Key, Kind, Observation};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn cart() -> Key {
    Key::new("ns", "cart")
}

fn rollout(revision: i64, current: &str, stable: &str) -> Observation {
    Observation::Rollout(version(revision, current, stable))
}

fn version(revision: i64, current: &str, stable: &str) -> RolloutSeen {
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

fn replica_set(hash: &str, revision: i64, made: i64) -> Observation {
    Observation::ReplicaSet(ReplicaSetSeen {
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
    })
}

/// A process, and what it has stored.
struct Stored {
    engine: Engine,
    journals: Vec<(Key, Journal)>,
    report: Option<Report>,
}

impl Stored {
    /// Of a Rollout with these ReplicaSets that nobody has looked at before.
    fn first_sight(history: usize, seen: Vec<Observation>) -> Self {
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
        for kind in Kind::ALL {
            let there = matches!(kind, Kind::Rollout | Kind::RolloutTrace).then(cart);
            let sets = ["a", "b", "c", "d"].map(|hash| Key::new("ns", format!("cart-{hash}")));
            let sets = sets.into_iter().filter(|_| kind == Kind::ReplicaSet);
            engine.observe(
                Observation::Listed(kind, there.into_iter().chain(sets).collect()),
                at(100),
            );
        }
        let mut stored = Self { engine, journals: Vec::new(), report: None };
        stored.settle(at(100));
        stored
    }

    /// Of a Rollout with revision 1 live.
    fn of_a_live(history: usize) -> Self {
        Self::first_sight(history, vec![replica_set("a", 1, 0), rollout(1, "a", "a")])
    }

    /// After a gap these are seen.
    fn after_a_gap(mut self, seen: Vec<Observation>) -> Self {
        self.engine.observe(Observation::Listing(Kind::Rollout), at(1_000));
        for observation in seen {
            self.engine.observe(observation, at(1_000));
        }
        self.engine
            .observe(Observation::Listed(Kind::Rollout, BTreeSet::from([cart()])), at(1_000));
        self.settle(at(1_000));
        self
    }

    fn settle(&mut self, mut now: Timestamp) {
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
                        self.engine.reported(&key, true, now);
                    }
                    Effect::ReadAttempts(key, uid) => {
                        let journals = self.journals.iter().map(|(_, it)| it.clone()).collect();
                        self.engine.attempts_read(&key, &uid, Some(journals), now);
                    }
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

    fn journal(&self, hash: &str) -> &Journal {
        let is = |(_, journal): &&(Key, Journal)| journal.identity.hash == hash;
        &self.journals.iter().find(is).unwrap().1
    }

    fn phases(&self) -> Vec<String> {
        let words = |it: &Journal| format!("{} {}", it.identity.hash, it.phase);
        let mut words: Vec<_> = self.journals.iter().map(|(_, it)| words(it)).collect();
        words.sort();
        words
    }

    fn ledger(&self) -> &Ledger {
        self.report.as_ref().unwrap().ledger.as_deref().unwrap()
    }

    /// What the chain says is what the journals say.
    fn is_of_one_record(&self) {
        for attempt in &self.report.as_ref().unwrap().attempts {
            let is = |(_, it): &&(Key, Journal)| it.identity.hash == attempt.hash;
            let Some((_, journal)) = self.journals.iter().find(is) else { continue };
            let ended = journal.ended.map(|ended| ended.at);
            assert_eq!((attempt.phase, attempt.ended), (journal.phase, ended), "{attempt:?}");
            let started = (journal.started.at, journal.started.source);
            assert_eq!((attempt.started, attempt.started_source), started, "{attempt:?}");
        }
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.ledger().lines().iter();
        lines.map(|line| format!("{} {}", line.id.hash.as_str(), line.outcome)).collect()
    }
}

#[test]
fn what_was_promoted_and_replaced_unseen_has_a_journal_and_a_line() {
    let stored = Stored::of_a_live(10);
    let since = stored.ledger().known_since();
    let stored = stored.after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        rollout(3, "c", "b"),
    ]);
    assert_eq!(stored.phases(), ["b Promoted", "c Progressing"]);
    let missed = stored.journal("b");
    assert!(missed.facts.rebuilt);
    assert_eq!(missed.facts.commit.as_deref(), Some("b".repeat(40).as_str()));
    assert_eq!((missed.started.source, missed.started.at), (Source::Inferred, at(300)));
    let ended = missed.ended.unwrap();
    assert_eq!((ended.source, ended.after), (Source::Inferred, Some(at(300))));
    stored.is_of_one_record();
    assert_eq!(stored.lines(), ["c Progressing", "b Promoted"]);
    assert_eq!(stored.ledger().known_since(), since);
}

#[test]
fn of_what_passed_unseen_the_journals_have_bounds() {
    let stored = Stored::of_a_live(10).after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        replica_set("d", 4, 900),
        rollout(4, "d", "d"),
    ]);
    assert_eq!(stored.phases(), ["b Unknown", "c Unknown", "d Promoted"]);
    let ended = |hash| stored.journal(hash).ended.unwrap();
    assert_eq!((ended("b").after, ended("b").at), (Some(at(300)), at(600)));
    assert_eq!((ended("c").after, ended("c").at), (Some(at(600)), at(900)));
    stored.is_of_one_record();
    assert_eq!(stored.lines(), ["d Promoted", "c Unknown", "b Unknown"]);
}

#[test]
fn what_passed_unseen_and_comes_back_is_no_rollback() {
    let mut stored = Stored::of_a_live(10).after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        rollout(3, "c", "c"),
    ]);
    assert_eq!(stored.phases(), ["b Unknown", "c Promoted"]);
    for observation in [replica_set("b", 4, 300), rollout(4, "b", "c"), rollout(4, "b", "b")] {
        stored.engine.observe(observation, at(2_000));
        stored.settle(at(2_000));
    }
    let newest = stored.report.as_ref().unwrap().attempts.first().unwrap();
    assert_eq!(newest.follows[0].relation, timeline::chain::Relation::Successor);
}

#[test]
fn what_was_there_before_anybody_looked_has_no_journal() {
    let stored = Stored::first_sight(
        10,
        vec![
            replica_set("a", 1, 0),
            replica_set("b", 2, 20),
            replica_set("c", 3, 50),
            rollout(3, "c", "a"),
        ],
    );
    assert_eq!(stored.phases(), ["c Progressing"]);
    assert_eq!(stored.ledger().known_since(), Some(at(50)));
}

#[test]
fn what_became_live_before_the_first_look_and_after_its_creation_was_known_has_a_journal() {
    let mut engine = Engine::new(Options::default());
    for kind in Kind::ALL {
        engine.observe(Observation::Listed(kind, BTreeSet::new()), at(0));
    }
    let mut stored = Stored { engine, journals: Vec::new(), report: None };
    stored.settle(at(0));
    let mut seen = version(1, "a", "a");
    // Argo says so before any pod is ready.
    seen.completed = Some((true, at(11)));
    seen.progress.healthy_since = Some(at(60));
    for observation in [replica_set("a", 1, 10), Observation::Rollout(seen)] {
        stored.engine.observe(observation, at(100));
    }
    stored.settle(at(100));
    assert_eq!(stored.phases(), ["a Promoted"]);
    assert!(stored.journal("a").facts.rebuilt);
    assert_eq!(stored.journal("a").ended, Some(Moment::inferred(Some(at(0)), at(60))));
    assert_eq!((stored.lines(), stored.ledger().known_since()), (vec!["a Promoted".into()], None));
}

#[test]
fn what_passed_unseen_and_is_more_than_is_kept_moves_on_since_when_all_is_known() {
    let stored = Stored::of_a_live(2).after_a_gap(vec![
        replica_set("b", 2, 300),
        replica_set("c", 3, 600),
        replica_set("d", 4, 900),
        rollout(4, "d", "d"),
    ]);
    assert_eq!(stored.phases(), ["c Unknown", "d Promoted"]);
    assert_eq!(stored.ledger().known_since(), Some(at(600)));
}
