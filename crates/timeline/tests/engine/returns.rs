//! A return to what was live before under another hash, as a chart makes it that stamps the time into
//! the template: the record says that it goes back.

use std::collections::BTreeSet;

use timeline::engine::{Effect, Options};
use timeline::journal::{Journal, LinkKind};
use timeline::outbox::AttemptWritten;
use timeline::seen::RevisionFacts;
use timeline::{Engine, Kind, Observation};

use crate::stored::{at, replica_set_with, rollout};

/// What runs in its pods is `content`, of `commit`.
fn replica_set(hash: &str, revision: i64, content: u64, commit: &str) -> Observation {
    replica_set_with(hash, revision, 100 * revision, |set| {
        set.facts = RevisionFacts {
            spec_digest: content,
            template_digest: u64::try_from(revision).unwrap(),
            commit: Some(commit.into()),
            ..RevisionFacts::default()
        };
    })
}

/// What is stored of revision 3 after `a` and `b` were live in turn.
fn third(content: u64, commit: &str) -> Journal {
    let mut engine = Engine::new(Options::default());
    for kind in Kind::ALL {
        engine.observe(Observation::Listed(kind, BTreeSet::new()), at(0));
    }
    let mut stored = None;
    for (second, seen) in [
        (100, replica_set("a", 1, 0xa, "aaaa")),
        (101, rollout(1, "a", "a")),
        (200, replica_set("b", 2, 0xb, "bbbb")),
        (201, rollout(2, "b", "a")),
        (250, rollout(2, "b", "b")),
        (300, replica_set("c", 3, content, commit)),
        (301, rollout(3, "c", "b")),
    ] {
        engine.observe(seen, at(second));
        for now in second..second + 45 {
            for effect in engine.effects(at(now)) {
                if let Effect::WriteAttempt(key, write) = effect {
                    let answer = AttemptWritten::Stored("1".to_owned());
                    engine.attempt_written(&key, answer, at(now));
                    stored = Some(write.journal).filter(|it| it.identity.hash == "c");
                }
            }
        }
    }
    stored.unwrap()
}

#[test]
fn the_same_content_of_the_same_commit_under_another_hash_goes_back() {
    for (what, content, commit, goes_back) in [
        ("what was live before", 0xa, "aaaa", true),
        ("what is live", 0xb, "bbbb", false),
        ("what was live before, of another commit", 0xa, "cccc", false),
        ("another template of the same commit", 0xc, "aaaa", false),
    ] {
        let journal = third(content, commit);
        let replaces = journal.facts.replaces.unwrap();
        assert_eq!((replaces.revision, replaces.goes_back()), (2, goes_back), "{what}");
        let links = journal.links.iter().any(|link| link.kind == LinkKind::RollsBack);
        assert_eq!(links, goes_back, "{what}");
    }
}
