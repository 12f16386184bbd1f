//! An attempt beside the older ones of its chain, as its journal looks at it: what its spans link to,
//! when it ended at the latest, and whether it goes back to what was live.

use std::borrow::Cow;
use std::sync::Arc;

use crate::base::{Phase, Source};
use crate::chain::{Attempt, Follow, Relation};
use crate::journal::{Journal, Replaces};
use crate::seen::RevisionFacts;

/// Of a commit a line of the ledger keeps so many.
const DIGITS: usize = 12;

/// The attempt with the traces of what it follows as spans of ours link to them. Where Keptn made
/// no trace, it goes on in an older one, but the spans of that attempt are in a trace of its own.
pub(super) fn linked_to_spans<'a>(
    attempt: &'a Attempt,
    older: &[Arc<Attempt>],
) -> Cow<'a, Attempt> {
    let own = |follow: &Follow| {
        let is_own =
            |older: &Attempt| older.trace.is_none() && older.started_source != Source::Inferred;
        follow.trace.is_some() && older.iter().any(|older| older.is(follow) && is_own(older))
    };
    if !attempt.follows.iter().any(own) {
        return Cow::Borrowed(attempt);
    }
    let mut attempt = attempt.clone();
    for follow in &mut attempt.follows {
        follow.trace = follow.trace.filter(|_| !own(follow));
    }
    Cow::Owned(attempt)
}

/// How it ended was not recorded: that was before the next attempt began.
pub(super) fn bound_end<'a>(
    mut attempt: Cow<'a, Attempt>,
    newer: Option<&Arc<Attempt>>,
) -> Cow<'a, Attempt> {
    if let Some(newer) = newer.filter(|_| !attempt.open() && attempt.ended.is_none()) {
        let ended = newer.started.max(attempt.started);
        attempt.to_mut().ended = Some(ended);
    }
    attempt
}

/// The attempt, as a rollback if it goes back to what was live under another hash. It stays what the
/// journal has frozen. `facts_of` are those that an attempt's ReplicaSet has of its own.
pub(super) fn related<'a, 'b>(
    mut attempt: Cow<'a, Attempt>,
    older: &[Arc<Attempt>],
    frozen: Option<&Journal>,
    facts_of: impl Fn(&Attempt) -> Option<Cow<'b, RevisionFacts>>,
) -> Cow<'a, Attempt> {
    let back = match frozen {
        Some(journal) => journal.facts.replaces.is_some_and(Replaces::goes_back),
        None => goes_back(&attempt, older, facts_of),
    };
    let goes_on = |it: &Follow| it.relation == Relation::Successor;
    if back
        && attempt.follows.first().is_some_and(goes_on)
        && let Some(live) = attempt.to_mut().follows.first_mut()
    {
        live.relation = Relation::Rollback;
    }
    attempt
}

/// Whether what was live earlier comes back under another hash, in place of something else: a chart
/// may stamp the time into the template.
fn goes_back<'b>(
    attempt: &Attempt,
    older: &[Arc<Attempt>],
    facts_of: impl Fn(&Attempt) -> Option<Cow<'b, RevisionFacts>>,
) -> bool {
    let Some(facts) = facts_of(attempt).filter(|facts| facts.spec_digest != 0) else {
        return false;
    };
    let same = |other: &Attempt| facts_of(other).is_some_and(|other| is_same(&facts, &other));
    let live = attempt.follows.first();
    let live = live.and_then(|live| older.iter().find(|other| other.is(live)));
    let lived = |other: &&Arc<Attempt>| other.phase == Phase::Promoted;
    !live.is_some_and(|live| same(live)) && older.iter().filter(lived).any(|other| same(other))
}

/// Whether the same is deployed. Of a commit the first digits may be all that is left.
fn is_same(one: &RevisionFacts, other: &RevisionFacts) -> bool {
    let same_commit = match (&one.commit, &other.commit) {
        (Some(one), Some(other)) => begins(one, other) || begins(other, one),
        (one, other) => one == other,
    };
    (one.spec_digest, &one.version) == (other.spec_digest, &other.version) && same_commit
}

fn begins(whole: &str, digits: &str) -> bool {
    whole == digits || (digits.len() >= DIGITS && whole.starts_with(digits))
}
