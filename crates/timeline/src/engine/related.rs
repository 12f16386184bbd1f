//! An attempt beside the older ones of its chain, as its journal looks at it: what its spans link to,
//! when it ended at the latest, and whether it goes back to what was live.

use std::borrow::Cow;
use std::sync::Arc;

use crate::base::{Phase, Source};
use crate::chain::{Attempt, Follow, Relation};
use crate::journal::{Journal, Replaces};
use crate::seen::ReplicaSetSeen;

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

/// Nobody recorded how it ended: that was before the next attempt began.
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
/// journal has frozen.
pub(super) fn related<'a, 'b>(
    mut attempt: Cow<'a, Attempt>,
    older: &[Arc<Attempt>],
    frozen: Option<&Journal>,
    by_hash: impl Fn(&str) -> Option<&'b ReplicaSetSeen>,
) -> Cow<'a, Attempt> {
    let back = match frozen {
        Some(journal) => journal.facts.replaces.is_some_and(Replaces::goes_back),
        None => goes_back(&attempt, older, by_hash),
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
fn goes_back<'a>(
    attempt: &Attempt,
    older: &[Arc<Attempt>],
    by_hash: impl Fn(&str) -> Option<&'a ReplicaSetSeen>,
) -> bool {
    let Some(set) = by_hash(&attempt.hash) else {
        return false;
    };
    let same = |hash: &str| {
        by_hash(hash).is_some_and(|other| {
            let (one, other) = (&set.facts, &other.facts);
            one.spec_digest != 0
                && (one.spec_digest, &one.version, &one.commit)
                    == (other.spec_digest, &other.version, &other.commit)
        })
    };
    let live = attempt.follows.first().map(|follow| follow.hash.as_str());
    let lived = |other: &&Arc<Attempt>| other.phase == Phase::Promoted;
    !live.is_some_and(same) && older.iter().filter(lived).any(|other| same(&other.hash))
}
