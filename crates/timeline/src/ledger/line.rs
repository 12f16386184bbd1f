//! One attempt in short.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::base::text::bounded;
use crate::base::{Phase, Source};
use crate::failure::FailureClass;
use crate::journal::{Facts, Journal, LinkKind, MarkKind, Replaces, Service};
use crate::seen::commit;
use crate::seen::commit::{CommitTime, Refusal};

/// Most bytes of a version.
const VERSION: usize = 40;
/// Most bytes of a commit that is not one of git's digests.
const COMMIT: usize = 40;
/// Digits that are kept of a digest of git's: what `git log --abbrev=12` shows.
const DIGITS: usize = 12;
/// Most bytes of a pod-template-hash.
const HASH: usize = 40;

/// Which attempt of a Rollout.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Argo's number for the ReplicaSet when the attempt began; 0 if it is not known.
    pub revision: i64,
    /// 1, and one more for each retry of the same revision.
    pub number: u32,
    /// The pod-template-hash.
    pub hash: Word,
}

/// Another attempt of the same Rollout, in short: Argo gives no two ReplicaSets the same revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref {
    /// Its revision.
    pub revision: i64,
    /// Its number within that revision.
    pub number: u32,
}

/// A text without white space and control characters that is not empty, of bounded length.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word(SmolStr);

/// One attempt of a Rollout. All times are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Line {
    /// Which one.
    pub id: Id,
    /// Where it stands; after the end its outcome.
    pub outcome: Phase,
    /// What it was for.
    pub kind: Kind,
    /// When it began.
    pub started: Timestamp,
    /// When it was decided; none while it is open, and if it is not known.
    pub ended: Option<Timestamp>,
    /// The end is a bound: it was not later.
    pub inferred: bool,
    /// After a promotion, when all was available; after an abort, when traffic was back on what is
    /// stable.
    pub settled: Option<Timestamp>,
    /// Whether users could have been hit.
    pub exposed: Exposed,
    /// Since when they could, if that is known.
    pub exposed_at: Option<Timestamp>,
    /// Why it failed.
    pub class: Option<FailureClass>,
    /// Version of the service.
    pub version: Option<Word>,
    /// Commit of the source, the first digits.
    pub commit: Option<Word>,
    /// When the commit was made.
    pub commit_time: CommitTime,
    /// Digest of the pod template without what does not run: equal ones with the same version and
    /// commit are the same thing deployed.
    pub template: Option<u32>,
    /// What was live when it began.
    pub replaces: Option<Ref>,
    /// The failed attempt that it makes good, see [`crate::dora::judge`].
    pub recovers: Option<Ref>,
}

/// What an attempt was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A new revision.
    Change,
    /// A new revision that is declared to mend what it replaces.
    Hotfix,
    /// Back to a revision that was live before.
    Rollback,
    /// What is live already, under another hash: only labels and annotations differ.
    Redeploy,
    /// A revision that only a controller's upgrade made: its template is that of what was live.
    Upgrade,
    /// The first revision of a new Rollout.
    Initial,
}

/// Whether users could have been hit by an attempt. A later look may say more, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exposed {
    /// No traffic reached it.
    No,
    /// Part of it was not observed.
    Unknown,
    /// Traffic reached it.
    Yes,
}

impl Id {
    /// The attempt `number` of a revision; a hash that is no word becomes `-`.
    pub fn new(revision: i64, number: u32, hash: &str) -> Self {
        let hash = Word::new(hash, HASH).unwrap_or_else(|| Word("-".into()));
        Self { revision, number, hash }
    }

    /// The same in short.
    pub fn short(&self) -> Ref {
        Ref { revision: self.revision, number: self.number }
    }
}

impl Word {
    /// The text as a word of at most `bytes` bytes: white space becomes `_`. None if it is empty.
    pub fn new(text: &str, bytes: usize) -> Option<Self> {
        let word = bounded(text, bytes).replace(char::is_whitespace, "_");
        (!word.is_empty()).then(|| Self(word.into()))
    }

    /// One that was packed.
    pub(super) fn packed(text: SmolStr) -> Self {
        Self(text)
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Line {
    /// An attempt that began at `started`, and nothing more has happened.
    pub fn begin(id: Id, started: Timestamp) -> Self {
        Self {
            id,
            outcome: Phase::Progressing,
            kind: Kind::Change,
            started: whole(started),
            ended: None,
            inferred: false,
            settled: None,
            exposed: Exposed::No,
            exposed_at: None,
            class: None,
            version: None,
            commit: None,
            commit_time: CommitTime::Unknown,
            template: None,
            replaces: None,
            recovers: None,
        }
    }

    /// The attempt of a journal. Nothing else decides: what was known beside it is among its facts.
    pub fn of_journal(journal: &Journal) -> Self {
        let identity = &journal.identity;
        let started = whole(journal.started.at);
        let after = |at: Timestamp| whole(at).max(started);
        // For what was over at first sight, the time of its end is not known.
        let ended =
            journal.ended.filter(|ended| ended.source != Source::Inferred || ended.after.is_some());
        let exposed_at = exposed_at(journal).map(after);
        // What may still be read otherwise would stay in the line.
        let unread = Facts::default();
        let facts = if is_frozen(journal) { &journal.facts } else { &unread };
        Self {
            id: Id::new(identity.revision, identity.number, &identity.hash),
            outcome: journal.phase,
            kind: kind(journal),
            started,
            ended: ended.map(|ended| after(ended.at)),
            inferred: ended.is_some_and(|ended| ended.source == Source::Inferred),
            settled: journal.settled.or(journal.recovered).map(|settled| after(settled.at)),
            exposed: exposed(journal),
            exposed_at,
            class: class(journal),
            version: facts.version.as_deref().and_then(|version| Word::new(version, VERSION)),
            commit: facts.commit.as_deref().and_then(short),
            commit_time: match facts.commit_time_with_source() {
                CommitTime::At(at, source) => CommitTime::At(whole(at), source),
                time => time,
            },
            template: template(facts.spec_digest),
            replaces: facts.replaces.map(|it| Ref { revision: it.revision, number: it.number }),
            recovers: None,
        }
    }

    /// What two looks at the same attempt say together: the same in whichever order they come,
    /// and however often. What is known wins over what is not, the later outcome over the earlier.
    pub(super) fn join(&mut self, other: &Self) {
        if rank(other.outcome) > rank(self.outcome) {
            self.outcome = other.outcome;
        }
        self.kind = self.kind.max(other.kind);
        self.started = self.started.min(other.started);
        self.inferred = match self.ended.cmp(&other.ended) {
            Ordering::Less => other.inferred,
            Ordering::Equal => self.inferred && other.inferred,
            Ordering::Greater => self.inferred,
        };
        self.ended = self.ended.max(other.ended);
        self.settled = first(self.settled, other.settled);
        self.exposed = self.exposed.max(other.exposed);
        self.exposed_at = first(self.exposed_at, other.exposed_at);
        // What failed on the way to a promotion is no failure of the attempt.
        let promoted = self.outcome == Phase::Promoted;
        self.class = first(self.class, other.class).filter(|_| !promoted);
        self.version = self.version.take().max(other.version.clone());
        // The time of one commit never stands beside the digits of another.
        if (&other.commit, commit_time_rank(other.commit_time))
            > (&self.commit, commit_time_rank(self.commit_time))
        {
            self.commit.clone_from(&other.commit);
            self.commit_time = other.commit_time;
        }
        self.template = self.template.max(other.template);
        self.replaces = self.replaces.max(other.replaces);
        self.recovers = self.recovers.max(other.recovers);
    }

    /// Whether the same was deployed: template, version and commit are equal.
    pub fn is_same_as(&self, other: &Self) -> bool {
        // One that has no version is called by its hash.
        fn version(line: &Line) -> Option<&Word> {
            line.version.as_ref().filter(|version| **version != line.id.hash)
        }
        self.template.is_some()
            && self.template == other.template
            && version(self) == version(other)
            && self.commit == other.commit
    }

    /// Whether it is still to be decided.
    pub fn open(&self) -> bool {
        self.outcome == Phase::Progressing
    }

    /// Since when users could have been hit, as far as it is known: the start is before that.
    pub fn hit_from(&self) -> Timestamp {
        self.exposed_at.unwrap_or(self.started).max(self.started)
    }

    /// Since when all traffic is on it; of a promotion that was not seen healthy, when it was
    /// promoted.
    pub fn good_from(&self) -> Option<Timestamp> {
        let ended = self.ended?;
        Some(self.settled.unwrap_or(ended).max(ended))
    }
}

/// The earlier of two that are known.
fn first<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A later one has the last word.
fn rank(outcome: Phase) -> u8 {
    match outcome {
        Phase::Progressing => 0,
        Phase::Unknown => 1,
        Phase::Deleted => 2,
        Phase::Reverted => 3,
        Phase::Superseded => 4,
        Phase::Aborted => 5,
        Phase::Promoted => 6,
    }
}

/// A time wins over none, and over both that the commit was live already: what that was seen beside
/// may be gone.
fn commit_time_rank(time: CommitTime) -> (bool, CommitTime) {
    (time == CommitTime::Refused(Refusal::Redeployed), time)
}

/// The time without its fraction, so that what is written is what is read.
pub(super) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A whole digest is cut to its first digits.
fn short(text: &str) -> Option<Word> {
    let digits = commit::digits(text.trim());
    if commit::is_digest(digits) {
        return Word::new(digits.get(..DIGITS)?, DIGITS);
    }
    Word::new(digits, COMMIT)
}

/// The digest in the few digits that a line has room for: a Rollout has few templates.
fn template(digest: u64) -> Option<u32> {
    let folded = (digest >> 32) ^ (digest & u64::from(u32::MAX));
    u32::try_from(folded).ok().filter(|_| digest != 0)
}

/// Of a promoted attempt none: its pods were not ready for a while, as any pod is that starts.
fn class(journal: &Journal) -> Option<FailureClass> {
    let failure = journal.failure.as_ref().filter(|_| journal.phase != Phase::Promoted)?;
    // Evidence of an attempt that is open, or of an abort whose cause Argo has not named yet, may be
    // taken back.
    let waits =
        journal.phase == Phase::Aborted && failure.cause.is_none() && journal.root_closed.is_none();
    (!journal.open() && !waits).then_some(failure.class)
}

/// Whether its facts stay what they are: they freeze when it is placed.
fn is_frozen(journal: &Journal) -> bool {
    journal.placed.is_some() || !journal.open()
}

fn kind(journal: &Journal) -> Kind {
    let initial = journal.identity.revision == 1 || journal.facts.adopted;
    if !is_frozen(journal) && journal.identity.revision != 1 {
        return Kind::Change;
    }
    let goes_back = journal.facts.replaces.is_some_and(Replaces::goes_back);
    let rolls_back = || journal.links.iter().any(|link| link.kind == LinkKind::RollsBack);
    if initial {
        Kind::Initial
    } else if journal.facts.upgrade {
        Kind::Upgrade
    } else if goes_back || rolls_back() {
        Kind::Rollback
    } else if journal.facts.hotfix {
        Kind::Hotfix
    } else {
        Kind::Change
    }
}

/// That no traffic was seen says nothing where versions passed unseen.
fn exposed(journal: &Journal) -> Exposed {
    let unseen =
        |mark: &crate::journal::Mark| matches!(mark.kind, MarkKind::Gap | MarkKind::FirstSight);
    if journal.exposed || journal.phase == Phase::Promoted {
        Exposed::Yes
    } else if journal.facts.rebuilt
        || journal.phase == Phase::Unknown
        || journal.marks.iter().any(unseen)
    {
        Exposed::Unknown
    } else {
        Exposed::No
    }
}

/// As the journal says it. One of release 0.1 does not: there it is the first weight above 0, or
/// the switch of the active service.
fn exposed_at(journal: &Journal) -> Option<Timestamp> {
    if let Some(exposed_at) = journal.exposed_at {
        return (exposed_at.source != Source::Inferred).then_some(exposed_at.at);
    }
    let weight = journal.weights.iter().filter(|weight| weight.percent > 0);
    let weight = weight.map(|weight| weight.started);
    let switch = journal.switches.iter().filter(|it| it.to_new && it.service == Service::Active);
    let moments = weight.chain(switch.map(|switch| switch.at));
    moments.filter(|moment| moment.source != Source::Inferred).map(|moment| moment.at).min()
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
