//! Which attempts of a chain begin a journal: each that is under way, and each that came since this
//! was looked at last, also if it was over by the time that it was seen. What was there before the
//! first look has none, unless the ledger is known from before it.

use std::sync::Arc;

use jiff::Timestamp;

use super::Engine;
use super::attempts::identity;
use super::ledger_state::lacks;
use crate::base::{Key, Moment, Phase, Source};
use crate::chain::Attempt;

impl Engine {
    /// Begins the journals of attempts that are new since the chain had the attempts `before`.
    /// `trimmed` are those that it has just forgotten: what of them is new moves on since when the
    /// ledger is known.
    pub(super) fn begin_journals(
        &mut self,
        key: &Key,
        before: &[Arc<Attempt>],
        trimmed: &[Arc<Attempt>],
        now: Timestamp,
    ) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        let Some(uid) = rollout.uid.as_deref() else {
            return;
        };
        let attempts = rollout.chain.attempts();
        for (index, attempt) in attempts.iter().enumerate() {
            let older = attempts.get(index.saturating_add(1)..).unwrap_or_default();
            let was = before.iter().find(|was| is_earlier(was, attempt));
            let under_way = index == 0
                && (attempt.open() || (was.is_none() && attempt.phase == Phase::Aborted));
            // It came before the first look, and after the ledger is known.
            let is_counted = || {
                let ledger = rollout.ledger.get().filter(|_| before.is_empty());
                let next = index.checked_sub(1).and_then(|next| attempts.get(next));
                ledger.is_some_and(|ledger| lacks(ledger, attempt, next.map(Arc::as_ref)))
            };
            let is_new = || came_after(older.iter().chain(trimmed), before) || is_counted();
            let begins = under_way || was.map_or_else(is_new, |was| was.open());
            if begins {
                let last = older.first().or(trimmed.first());
                let started = start_of(attempt, last, before);
                self.journals.begin(&identity(key, uid, attempt), started, now);
            }
        }
        let is_new = |attempt: &Attempt| !before.iter().any(|was| is_earlier(was, attempt));
        let missed = trimmed.iter().enumerate().find(|(index, attempt)| {
            let older = trimmed.get(index.saturating_add(1)..).unwrap_or_default();
            is_new(attempt) && came_after(older.iter(), before)
        });
        if let Some((index, missed)) = missed {
            let newer = index.checked_sub(1).and_then(|newer| trimmed.get(newer));
            let next = newer.or(attempts.last()).map(|newer| newer.started);
            rollout.ledger.miss(missed.ended.or(next).unwrap_or(now));
        }
    }
}

/// Whether `was` is what is known of `attempt` now, perhaps before its revision was known.
fn is_earlier(was: &Attempt, attempt: &Attempt) -> bool {
    was.is_same(attempt)
        || (was.revision == 0 && (&was.hash, was.number) == (&attempt.hash, attempt.number))
}

/// Whether these older attempts were known before: only then what follows them came since.
fn came_after<'a>(
    mut older: impl Iterator<Item = &'a Arc<Attempt>>,
    before: &[Arc<Attempt>],
) -> bool {
    older.any(|older| before.iter().any(|was| is_earlier(was, older)))
}

fn start_of(attempt: &Attempt, last: Option<&Arc<Attempt>>, before: &[Arc<Attempt>]) -> Moment {
    match attempt.started_source {
        Source::Observed => Moment::observed(attempt.started),
        Source::Status => Moment::status(attempt.started),
        Source::Event => Moment::event(attempt.started),
        Source::Inferred => {
            let was = before.iter().any(|was| is_earlier(was, attempt));
            let last = last.filter(|_| !was && !before.is_empty());
            let after = last.map(|last| last.ended.unwrap_or(last.started));
            Moment::inferred(after, attempt.started)
        }
    }
}
