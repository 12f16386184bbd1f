//! What is stored of each attempt, against what really happened.

use jiff::{SignedDuration, Timestamp};
use timeline::base::{Moment, Phase, Source};
use timeline::journal::{Journal, LinkKind, MarkKind, StepResult};

use super::Findings;
use crate::argo::{Purpose, Tried};
use crate::world::{World, attempt_key};

/// The world is a second later than the story, and Kubernetes' times have no fractions.
const EARLY: SignedDuration = SignedDuration::from_millis(2_100);
const LATE: SignedDuration = SignedDuration::from_millis(3_200);

const AWAY: &str = "our own resources are away";

/// Whether a time that is stored is one of the story.
pub(super) fn is_about(stored: Timestamp, real: Timestamp) -> bool {
    (real - EARLY..=real + LATE).contains(&stored)
}

impl World<'_> {
    pub(super) fn judge_attempts(&self, findings: &Findings, undisturbed: &World<'_>) {
        for tried in &self.story.truth {
            let Some(stored) = self.journal_of(tried) else {
                findings.rule("missing", self.may_be_missing(tried), || {
                    let trace = self.server.trace(&tried.identity.rollout);
                    let since = trace
                        .and_then(|it| it.ledger.as_deref())
                        .map(timeline::ledger::Ledger::known_since);
                    let tries = self.next_tries(tried).filter_map(|it| self.journal_of(it));
                    let marks: Vec<_> = tries.map(|it| (&it.identity, &it.marks)).collect();
                    format!(
                        "{} was never stored, known since {since:?}: {tried} {marks:?}",
                        tried.key
                    )
                });
                continue;
            };
            if self.judge_outcome(findings, tried, stored) {
                self.judge_times(findings, tried, stored);
                self.judge_exposure(findings, tried, stored);
                self.judge_failure(findings, tried, stored);
                self.judge_facts(findings, tried, stored);
                let same = stored.identity == tried.identity;
                if let Some(expected) = undisturbed.stored(tried).filter(|_| same) {
                    self.judge_likeness(findings, tried, stored, expected);
                }
            }
        }
        for (key, ever) in &self.server.ever {
            let identity = &ever.journal.identity;
            let real = self.story.truth.iter().any(|it| it.identity == *identity);
            // Argo numbers a revision again when it comes back, which was not seen here.
            let began = ever.journal.started.at;
            let unseen = self.unseen_within(&identity.rollout, began - EARLY, began + LATE);
            let tried = self.story.truth.iter().any(|it| {
                it.identity.rollout_uid == identity.rollout_uid && it.identity.hash == identity.hash
            });
            findings.rule("phantom", real || (unseen.is_some() && tried), || {
                format!("{key} never was: {:?}", ever.journal)
            });
        }
    }

    /// The journal that is of an attempt. Where it was not seen that it was stopped and tried
    /// again, two attempts are one, and later ones have the number of an earlier.
    fn journal_of(&self, tried: &Tried) -> Option<&Journal> {
        let own = self.stored(tried);
        let ended = |it: &Tried, journal: &Journal| {
            let both = journal.ended.zip(it.ended);
            journal.phase == it.outcome && both.is_some_and(|(is, was)| is_about(is.at, was))
        };
        if own.is_some_and(|own| ended(tried, own)) {
            return own;
        }
        let rollout = &tried.identity.rollout;
        let family: Vec<_> = self.story.truth.iter().filter(|it| is_try(tried, it)).collect();
        let merged = |it: &&Tried| it.ended.is_some_and(|at| self.unseen(rollout, at).is_some());
        if !family.iter().any(merged) {
            return own;
        }
        let others = family.iter().filter_map(|it| self.stored(it));
        let mut journals = others.filter(|journal| ended(tried, journal));
        journals.next().or(own
            .filter(|own| family.iter().all(|it| it.identity == tried.identity || !ended(it, own))))
    }

    /// It was not watched from its beginning to its end: then something has to say that.
    fn may_be_missing(&self, tried: &Tried) -> bool {
        let rollout = &tried.identity.rollout;
        if self.server.terminating && tried.outcome == Phase::Deleted {
            return true;
        }
        if self.is_one_with_next(tried) {
            return true;
        }
        let Some((from, until)) = self.unseen(rollout, tried.turned) else {
            return false;
        };
        let over = tried.ended.or(tried.gone);
        if tried.gone.is_some_and(|gone| is_within(gone, from, until)) {
            return true;
        }
        // A retry that came and went leaves nothing in the cluster.
        if tried.identity.number > 1 && over.is_some_and(|over| is_within(over, from, until)) {
            return true;
        }
        // It was retried or numbered again unseen, and is there under another number.
        let known = |it: &Journal| {
            it.identity.rollout_uid == tried.identity.rollout_uid
                && it.identity.hash == tried.identity.hash
                && (it.phase == tried.outcome || it.phase == Phase::Unknown)
        };
        if self.server.ever.values().any(|it| known(&it.journal)) {
            return true;
        }
        over.is_some_and(|over| is_within(over, from, until))
            && (tried.gone.is_some() || self.is_known_only_since(tried, over))
    }

    /// It was not seen that it was stopped and tried again: then both are one. Argo takes back what
    /// it said of the abort, so that nothing in the cluster shows it.
    fn is_one_with_next(&self, tried: &Tried) -> bool {
        let unseen = tried.ended.and_then(|at| self.unseen(&tried.identity.rollout, at));
        unseen.is_some_and(|(from, until)| {
            let mut next = self.next_tries(tried);
            next.any(|it| is_within(it.turned, from, until) && self.journal_of(it).is_some())
        })
    }

    /// The ledger says that it does not know what was before.
    fn is_known_only_since(&self, tried: &Tried, over: Option<Timestamp>) -> bool {
        let ledger = self.server.trace(&tried.identity.rollout).and_then(|it| it.ledger.as_deref());
        let since = ledger.and_then(timeline::ledger::Ledger::known_since);
        since.zip(over).is_some_and(|(since, over)| since + LATE >= over)
    }

    fn judge_outcome(&self, findings: &Findings, tried: &Tried, stored: &Journal) -> bool {
        let mut honest = vec![tried.outcome];
        if self.server.terminating && tried.outcome == Phase::Deleted {
            // The end could not be stored.
            honest.push(Phase::Progressing);
        }
        if let Some((from, until)) =
            tried.ended.and_then(|at| self.unseen(&tried.identity.rollout, at))
        {
            honest.push(Phase::Unknown);
            if tried.gone.is_some_and(|gone| is_within(gone, from, until)) {
                honest.push(Phase::Deleted);
            }
            if matches!(tried.outcome, Phase::Aborted | Phase::Reverted) {
                // What stopped it was cleared when another revision was applied.
                honest.extend([Phase::Superseded, Phase::Reverted]);
                // It was tried again, and it was not seen that it had been stopped.
                honest.extend(self.next_tries(tried).map(|it| it.outcome));
            }
        }
        if tried.outcome == Phase::Superseded && stored.phase == Phase::Reverted && honest.len() > 1
        {
            return findings.rule("reverted unseen", false, || tried.to_string());
        }
        if tried.outcome == Phase::Promoted && stored.phase == Phase::Superseded {
            // Another one became stable before the operator looked again.
            let unseen = honest.len() > 1;
            return findings.rule("promoted unseen", !unseen, || tried.to_string())
                && findings.rule("outcome", unseen, || tried.to_string());
        }
        let forgotten = self.forgot && self.crashes > 0 && stored.phase == Phase::Unknown;
        findings.rule("outcome", forgotten || honest.contains(&stored.phase), || {
            format!("{} is {:?}, and was {honest:?}: {tried}", tried.key, stored.phase)
        }) && stored.phase == tried.outcome
    }

    /// Later tries of the same revision.
    pub(super) fn next_tries<'a>(&'a self, tried: &'a Tried) -> impl Iterator<Item = &'a Tried> {
        let later = |it: &&Tried| is_try(tried, it) && tried.identity.number < it.identity.number;
        self.story.truth.iter().filter(later)
    }

    /// Earlier tries of the same revision that were not seen to stop: what is stored is of all of
    /// them.
    pub(super) fn merged_tries<'a>(&'a self, tried: &'a Tried) -> impl Iterator<Item = &'a Tried> {
        let unseen = |at| self.unseen(&tried.identity.rollout, at).is_some();
        let earlier = |it: &&Tried| is_try(tried, it) && it.identity.number < tried.identity.number;
        self.story.truth.iter().filter(earlier).filter(move |it| it.ended.is_some_and(unseen))
    }

    /// Whether a time that is stored is right: about the real one, or a bound if it was not
    /// watched.
    fn is_honest(&self, tried: &Tried, stored: Option<Moment>, real: Option<Timestamp>) -> bool {
        let rollout = &tried.identity.rollout;
        match (stored, real) {
            (None, None) => true,
            (Some(stored), Some(real)) if is_about(stored.at, real) => true,
            // What a process knew gives way to what another has stored.
            (Some(stored), Some(real)) if self.kinds.contains(AWAY) && holds(stored, real) => true,
            (stored, Some(real)) => self.unseen(rollout, real).is_some_and(|(from, until)| {
                stored.is_none_or(|it| is_within(it.at, from, until) || holds(it, real))
            }),
            (Some(_), None) => false,
        }
    }

    fn judge_times(&self, findings: &Findings, tried: &Tried, stored: &Journal) {
        let words = |what, is: Option<Moment>, was: Option<Timestamp>| {
            format!("{what} {is:?}, and not {was:?}: {tried}")
        };
        let started = Some(stored.started);
        let began = Some(tried.began);
        // Of two tries that are one the first began.
        let merged = stored.identity != tried.identity
            || self.story.truth.iter().any(|it| {
                is_try(tried, it)
                    && is_about(stored.started.at, it.began)
                    && it.ended.is_some_and(|at| self.unseen(&it.identity.rollout, at).is_some())
            });
        // The first may be known by its ReplicaSet alone.
        let end = tried.ended.unwrap_or(tried.began);
        let unseen = self.unseen_within(&tried.identity.rollout, tried.began, end).is_some();
        let merged = merged || (tried.purpose == Purpose::Initial && unseen);
        findings.rule("began", merged || self.is_honest(tried, started, began), || {
            words("began", started, began)
        });
        let (is, was) = (stored.ended, tried.ended);
        findings.rule("ended", self.is_honest(tried, is, was), || words("ended", is, was));
        let (is, was) = (stored.settled.or(stored.recovered), tried.settled);
        let recovers = matches!(tried.outcome, Phase::Promoted | Phase::Aborted | Phase::Reverted);
        let end = was.or(tried.gone).unwrap_or(Timestamp::MAX - SignedDuration::from_hours(24));
        let unseen = || self.unseen_within(&tried.identity.rollout, tried.began, end).is_some();
        let unknown = is.is_none() && (tried.crowded || unseen());
        let late = tried.crowded && is.is_some_and(|is| was.is_none_or(|was| is.at < was + LATE));
        // With the next try it cannot be known whose traffic it is: only never before the end.
        let apart = late && tried.settled.is_none() && tried.hit.is_none();
        findings.rule(
            "recovery",
            !recovers || unknown || apart || self.is_honest(tried, is, was),
            || words("recovered", is, was),
        );
    }

    fn judge_exposure(&self, findings: &Findings, tried: &Tried, stored: &Journal) {
        let (rollout, hit) = (&tried.identity.rollout, tried.hit.is_some());
        let end = tried.ended.unwrap_or(tried.began);
        let unseen = self.unseen_within(rollout, tried.began, end).is_some();
        let exposed = stored.exposed || stored.phase == Phase::Promoted;
        let gap = stored.facts.rebuilt
            || stored
                .marks
                .iter()
                .any(|mark| matches!(mark.kind, MarkKind::Gap | MarkKind::FirstSight))
            || (stored.phase == Phase::Deleted
                && stored.ended.is_some_and(|ended| ended.source == Source::Inferred));
        let merged = || self.merged_tries(tried).any(|it| it.hit.is_some());
        let honest = exposed == hit || (hit && unseen && gap) || (exposed && merged());
        let rule = match stored.phase {
            Phase::Deleted if unseen => "deleted unseen",
            _ => "exposed",
        };
        findings.rule(rule, honest, || {
            format!("{} is exposed: {exposed}, and not {hit}: {stored:?} {tried}", tried.key)
        });
        let weight = stored.max_weight().unwrap_or(0);
        let most = self.merged_tries(tried).map(|it| it.weight).max().unwrap_or(0);
        let honest = weight == tried.weight || (unseen && weight < tried.weight.max(most + 1));
        findings.rule("weight", honest, || {
            format!("{} had weight {weight}, and not {}: {stored:?}", tried.key, tried.weight)
        });
    }

    fn judge_facts(&self, findings: &Findings, tried: &Tried, stored: &Journal) {
        let rollout = &tried.identity.rollout;
        let unseen = self.unseen_within(rollout, tried.began, tried.ended.unwrap_or(tried.began));
        let steps = stored.steps.iter().filter(|step| {
            !(unseen.is_some()
                && matches!(step.result, StepResult::Unobserved | StepResult::Stopped))
        });
        let wrong: Vec<_> = steps
            .filter(|step| tried.steps.get(&step.index) != Some(&step.result))
            .map(|step| (step.index, step.result))
            .collect();
        let first = tried.purpose == Purpose::Initial || stored.facts.strategy.is_none();
        let whole = unseen.is_some() || first || stored.steps.len() == tried.steps.len();
        findings.rule("steps", wrong.is_empty() && whole, || {
            let is: Vec<_> = stored.steps.iter().map(|step| (step.index, step.result)).collect();
            format!("{}: steps {is:?}, and not {:?}: {tried}", tried.key, tried.steps)
        });
        if stored.facts.rebuilt || unseen.is_some() {
            return;
        }
        let commit = stored.facts.commit.as_deref();
        let earlier = |it: &&Tried| {
            let (one, other) = (&it.identity, &tried.identity);
            one.rollout_uid == other.rollout_uid && one.hash == other.hash && it.began < tried.began
        };
        let returns = self.story.truth.iter().any(|it| earlier(&it));
        findings.rule(
            "commit",
            commit == Some(&tried.commit)
                // Of a return the ledger's line may be all that is left: it has the first digits.
                || (returns && commit.is_none_or(|it| it.len() >= 12 && tried.commit.starts_with(it))),
            || format!("{} has commit {commit:?}, and not {}", tried.key, tried.commit),
        );
        let version = stored.facts.version.as_deref();
        findings.rule("version", version == Some(&tried.version), || {
            format!("{} has version {version:?}, and not {}", tried.key, tried.version)
        });
        if self.never_blind(rollout) && !self.forgot && !self.taken {
            self.judge_links(findings, tried, stored);
        }
    }

    /// Whether the same hash was promoted before, and is not what was live just before.
    fn was_live(&self, tried: &Tried) -> bool {
        let of_rollout = self.story.truth.iter().filter(|it| {
            it.identity.rollout_uid == tried.identity.rollout_uid
                && it.outcome == Phase::Promoted
                && it.ended <= Some(tried.began)
        });
        let hashes: Vec<_> = of_rollout.map(|it| it.identity.hash.as_str()).collect();
        let hash = tried.identity.hash.as_str();
        tried.purpose == Purpose::Redeploy && hashes.contains(&hash) && hashes.last() != Some(&hash)
    }

    fn judge_links(&self, findings: &Findings, tried: &Tried, stored: &Journal) {
        let has = |kind| stored.links.iter().any(|link| link.kind == kind);
        let (back, previous) = (has(LinkKind::RollsBack), has(LinkKind::PreviousRevision));
        let was = tried.replaces.is_some();
        // What its own hash was before is linked even where it changes nothing.
        let rolls_back = tried.purpose == Purpose::Rollback || self.was_live(tried);
        findings.rule("links", (back, previous) == (was && rolls_back, was && !rolls_back), || {
            format!("{} links to {:?}: {tried}", tried.key, stored.links)
        });
        let same = |hash: &str| hash == tried.identity.hash;
        let wanted = tried.after.as_ref().map(|(last, outcome)| match outcome {
            Phase::Superseded => LinkKind::Supersedes,
            Phase::Aborted if same(&last.hash) => LinkKind::RetryOf,
            _ => LinkKind::After,
        });
        // A trace that links to itself says nothing.
        let last =
            tried.after.as_ref().and_then(|(last, _)| self.server.ever.get(&attempt_key(last)));
        let trace = |it: &Journal| it.placed.map(|placed| placed.trace);
        let inside = |it: &Journal| it.placed.is_some_and(|placed| placed.parent.is_some());
        // Keptn's trace may have come after the first try was placed in one of its own.
        let own = last.is_some_and(|last| {
            trace(&last.journal) == trace(stored)
                || (same(&last.journal.identity.hash) && inside(stored))
        });
        let kinds = [LinkKind::Supersedes, LinkKind::RetryOf, LinkKind::After];
        let is = kinds.into_iter().find(|kind| has(*kind));
        findings.rule("follows", is == wanted || (own && is.is_none()), || {
            format!("{} follows by {is:?}, and not {wanted:?}: {tried}", tried.key)
        });
    }
}

/// Whether both are tries of the same revision.
fn is_try(one: &Tried, other: &Tried) -> bool {
    let (one, other) = (&one.identity, &other.identity);
    (&one.rollout_uid, one.revision, &one.hash) == (&other.rollout_uid, other.revision, &other.hash)
}

fn is_within(at: Timestamp, from: Timestamp, until: Timestamp) -> bool {
    (from - EARLY..=until + LATE).contains(&at)
}

/// Whether the bounds of a time that was not seen are right.
fn holds(stored: Moment, real: Timestamp) -> bool {
    stored.source == Source::Inferred
        && real <= stored.at + LATE
        && stored.after.is_none_or(|after| after <= real + LATE)
}
