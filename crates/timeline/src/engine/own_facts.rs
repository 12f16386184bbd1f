//! What a revision that comes back says of itself.
//!
//! `kubectl argo rollouts undo` changes the pod template only, and Argo copies the annotations of the
//! Rollout to the ReplicaSet, over those that it had: then it says the commit, its time and the run of
//! what is taken back (kubernetes issue 23087, argo-rollouts issue 412). What another ReplicaSet says
//! too is such a copy. What none says was written for the return, and holds.

use smol_str::SmolStr;

use super::Engine;
use crate::base::Key;
use crate::chain::Attempt;
use crate::journal::Facts;
use crate::ledger::{Kind, Line};
use crate::seen::commit::CommitTime;
use crate::seen::{ReplicaSetSeen, RevisionFacts};

impl Engine {
    /// The ReplicaSet of a return with the facts that are its own; none if they are so already.
    pub(super) fn with_own_facts(
        &self,
        key: &Key,
        set: &ReplicaSetSeen,
        attempt: &Attempt,
    ) -> Option<ReplicaSetSeen> {
        let of_rollout = self.replica_sets.of(key);
        let others: Vec<_> = of_rollout
            .filter(|other| other.rollout_uid == set.rollout_uid && other.hash != set.hash)
            .collect();
        let uid = set.rollout_uid.as_str();
        let rollout = self.rollouts.get(key)?;
        let chain = rollout.chain.attempts();
        let ledger = rollout.ledger.get().filter(|ledger| ledger.rollout_uid() == uid);
        // A retry of the same revision is no return: nothing was written over what it says. Once the
        // ReplicaSet has a later number, it says what is written for that.
        let numbered_anew = set.revision > Some(attempt.revision);
        let is_before = |hash: &str, revision| {
            hash == set.hash
                && (revision < attempt.revision || (numbered_anew && revision == attempt.revision))
        };
        let lines = ledger.map(|ledger| ledger.lines()).unwrap_or_default().iter();
        let is_earlier = |line: &&Line| is_before(line.id.hash.as_str(), line.id.revision);
        // Lines are newest first.
        let line = lines.rev().find(is_earlier);
        let stable = attempt.follows.first().map(|follow| follow.hash.as_str());
        let is_older = |other: &&ReplicaSetSeen| {
            Some(other.hash.as_str()) == stable
                && set.created.zip(other.created).is_some_and(|(this, stable)| this < stable)
        };
        // Argo gives a new ReplicaSet the highest number: one that is older than what has a lower
        // number was given its own for a return.
        let is_newer_and_lower = |other: &&ReplicaSetSeen| {
            other.revision.is_some()
                && other.revision < set.revision
                && set.created.zip(other.created).is_some_and(|(this, other)| this < other)
        };
        let comes_back = line.is_some()
            || others.iter().copied().any(|other| is_newer_and_lower(&other))
            || chain.iter().any(|it| is_before(&it.hash, it.revision))
            || others.iter().copied().any(|other| is_older(&other));
        if !comes_back {
            return None;
        }
        let journals = self.journals.of_uid(key, uid).into_iter();
        let journal = journals
            .map(|journal| (&journal.identity, &journal.facts))
            .find(|(id, _)| is_before(&id.hash, id.revision));
        let said = self.replica_sets.first_facts(key, &set.key.name).map(of_set);
        let in_line = line.map(of_line);
        let first = match (journal, said, in_line) {
            // The first attempt is often gone, and a later one may have got facts of its own.
            (Some((id, facts)), _, _) if line.is_none_or(|it| it.id.revision >= id.revision) => {
                facts.clone()
            }
            // A line has but the first digits.
            (_, Some(said), Some(line)) if !begins(&said, &line) => line,
            (_, Some(said), _) => said,
            (_, None, line) => line.unwrap_or_default(),
        };
        let facts = own(&set.facts, &others, &first);
        (facts != set.facts).then(|| ReplicaSetSeen { facts, ..set.clone() })
    }
}

/// What a ReplicaSet said.
fn of_set(set: &RevisionFacts) -> Facts {
    let text = |text: &Option<SmolStr>| text.as_ref().map(ToString::to_string);
    Facts {
        version: text(&set.version),
        commit: text(&set.commit),
        author: text(&set.author),
        repository: text(&set.repository),
        origin: set.origin,
        hotfix: set.hotfix,
        ..dated(set.commit_time)
    }
}

fn begins(said: &Facts, line: &Facts) -> bool {
    let commits = said.commit.as_deref().zip(line.commit.as_deref());
    commits.is_some_and(|(said, line)| said.starts_with(line))
}

fn dated(time: CommitTime) -> Facts {
    let mut facts = Facts::default();
    match time {
        CommitTime::Unknown => {}
        CommitTime::Refused(why) => facts.commit_time_refused = Some(why),
        CommitTime::At(at, source) => {
            facts.commit_time = Some(at);
            facts.commit_time_source = Some(source);
        }
    }
    facts
}

/// What a line knows of its revision.
fn of_line(line: &Line) -> Facts {
    let version = line.version.as_ref().filter(|version| **version != line.id.hash);
    Facts {
        version: version.map(|version| version.as_str().to_owned()),
        commit: line.commit.as_ref().map(|commit| commit.as_str().to_owned()),
        hotfix: line.kind == Kind::Hotfix,
        ..dated(line.commit_time)
    }
}

/// What the ReplicaSet says, without copies of what `others` say: instead what is known of its first
/// attempt, or nothing.
fn own(read: &RevisionFacts, others: &[&ReplicaSetSeen], first: &Facts) -> RevisionFacts {
    let copied = |is: &dyn Fn(&RevisionFacts) -> bool| others.iter().any(|it| is(&it.facts));
    let has_commit = read.commit.is_some() || read.commit_time != CommitTime::Unknown;
    let same_commit = |other: &RevisionFacts| {
        (&other.commit, other.commit_time) == (&read.commit, read.commit_time)
    };
    let mut own = read.clone();
    if has_commit && !copied(&same_commit) {
        return own;
    }
    if has_commit {
        let whole = read.commit.as_deref().zip(first.commit.as_deref());
        if whole.is_none_or(|(read, first)| !read.starts_with(first)) {
            own.commit = first.commit.as_deref().map(Into::into);
        }
        own.commit_time = first.commit_time_with_source();
    }
    if read.version.is_some() && first.version.is_some() {
        let same = |other: &RevisionFacts| other.version == read.version;
        own.version = first.version.as_deref().filter(|_| copied(&same)).map(Into::into);
        own.version = own.version.or_else(|| read.version.clone());
    }
    if read.author.is_some() && copied(&|other| other.author == read.author) {
        own.author = first.author.as_deref().map(Into::into);
    }
    if read.repository.is_some() && copied(&|other| other.repository == read.repository) {
        own.repository = first.repository.as_deref().map(Into::into);
    }
    if read.origin.is_some() && copied(&|other| other.origin == read.origin) {
        own.origin = first.origin;
    }
    // A revision that names its own commit was annotated for it, unless another of the same
    // commit does not say so any more.
    let has_own_commit = own.commit.is_some() && own.commit == read.commit;
    let is_copy = !has_own_commit && (has_commit || copied(&|other| other.hotfix));
    let stays = first.hotfix && has_own_commit && copied(&|other| other.hotfix == read.hotfix);
    own.hotfix = if is_copy { first.hotfix } else { read.hotfix || stays };
    own
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::seen::Template;
    use crate::seen::commit::Source;

    const SECOND: i64 = 1_793_491_200;

    fn facts(commit: &str, author: &str, origin: u8) -> RevisionFacts {
        let at = Timestamp::from_second(SECOND + i64::from(origin)).unwrap();
        RevisionFacts {
            commit: Some(commit.into()),
            commit_time: CommitTime::At(at, Source::Throughline),
            author: Some(author.into()),
            origin: format!("00-{origin:032x}-{origin:016x}-01").parse().ok(),
            version: Some("1.0.0".into()),
            ..RevisionFacts::default()
        }
    }

    fn set(facts: RevisionFacts) -> ReplicaSetSeen {
        ReplicaSetSeen {
            key: Key::new("shop", "cart-b"),
            uid: "b".into(),
            rollout: "cart".into(),
            rollout_uid: "u".into(),
            hash: "b".into(),
            revision: Some(2),
            created: None,
            template: Template::AskRollout(Vec::new()),
            desired: None,
            ready: 0,
            available: 0,
            failure: None,
            facts,
        }
    }

    #[test]
    fn a_line_knows_the_first_digits_of_a_commit_and_the_replica_set_knows_all() {
        let digits = "6262626262626262626262626262626262626262";
        let b = set(facts(digits, "ada", 2));
        let at = |commit: &str| Facts { commit: Some(commit.to_owned()), ..Facts::default() };
        let commit = |first: &Facts| own(&b.facts, &[&b], first).commit;
        assert_eq!(commit(&at("626262626262")).as_deref(), Some(digits));
        assert_eq!(commit(&at("616161616161")).as_deref(), Some("616161616161"));
    }

    #[test]
    fn a_hotfix_is_declared_for_the_commit_beside_it() {
        let hotfix = |commit| RevisionFacts { hotfix: true, ..facts(commit, "ada", 2) };
        let of = |commit: &str| Facts { commit: Some(commit.to_owned()), ..Facts::default() };
        let declared =
            |commit, first| own(&hotfix(commit), &[&set(hotfix("bbbb"))], &of(first)).hotfix;
        assert!(declared("bbbb", "bbbb"));
        assert!(!declared("bbbb", "aaaa"));
        assert!(declared("cccc", "aaaa"));
        // The annotations are of another revision of that commit.
        let first = Facts { hotfix: true, ..of("bbbb") };
        let plain = facts("bbbb", "ada", 2);
        assert!(own(&plain, &[&set(plain.clone())], &first).hotfix);
        assert!(!own(&plain, &[&set(plain.clone())], &of("bbbb")).hotfix);
    }

    #[test]
    fn what_another_revision_says_too_is_a_copy_and_what_none_says_is_new() {
        let b = set(facts("bbbb", "ada", 2));
        let line = Facts { commit: Some("aaaa".to_owned()), ..Facts::default() };
        let copy = own(&b.facts, &[&b], &line);
        assert_eq!(copy.commit.as_deref(), Some("aaaa"));
        assert_eq!((copy.commit_time, copy.author, copy.origin), (CommitTime::Unknown, None, None));
        let unknown = own(&b.facts, &[&b], &Facts::default());
        assert_eq!(unknown.commit, None);
        // A revert of the pipeline is a commit of its own, by the same person.
        let revert = facts("cccc", "ada", 3);
        assert_eq!(own(&revert, &[&b], &line), revert);
        // Nothing is annotated but the run.
        let run = RevisionFacts { origin: b.facts.origin, ..RevisionFacts::default() };
        assert_eq!(own(&run, &[&b], &line).origin, None);
    }
}
