//! The ledger of one Rollout as this process has it.

use std::sync::Arc;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::base::{Key, attempt_name};
use crate::chain::{Attempt, Numbers};
use crate::dora;
use crate::ledger::{Ledger, Line};
use crate::stored::RolloutAttemptSeen;

/// The ledger of a Rollout, as far as there is one.
#[derive(Debug, Default)]
pub(super) struct LedgerState {
    pub(super) ledger: Option<Arc<Ledger>>,
    /// Nothing that an earlier process knew is missing in it.
    pub(super) is_whole: bool,
    /// The RolloutAttempts that are left have to be read, whatever the chain says.
    is_behind: bool,
    /// The RolloutAttempts that are left are being read.
    pub(super) reading: bool,
    /// So many reads have failed.
    pub(super) failed: u8,
    /// Revisions that passed unseen until then, unless what is left shows them.
    doubted: Option<(Numbers, Timestamp)>,
}

impl LedgerState {
    /// That of a Rollout that is looked at from its creation on.
    pub(super) fn new(uid: &str) -> Self {
        Self::whole(Some(Arc::new(Ledger::new(uid, None))))
    }

    /// As it was stored. What was stored of an attempt just before the end of that process may not
    /// have come to it.
    pub(super) fn restored(ledger: &Arc<Ledger>) -> Self {
        Self { ledger: Some(Arc::clone(ledger)), ..Self::default() }
    }

    /// As it rested.
    pub(super) fn whole(ledger: Option<Arc<Ledger>>) -> Self {
        Self { ledger, is_whole: true, ..Self::default() }
    }

    /// Whether nothing is missing, and nothing of it is being read.
    pub(super) fn is_idle(&self) -> bool {
        self.is_whole && !self.reading && self.failed == 0
    }

    pub(super) fn get(&self) -> Option<&Arc<Ledger>> {
        self.ledger.as_ref()
    }

    /// Revisions may have passed unseen until now: they have, where neither the chain nor the ledger
    /// knows their numbers.
    pub(super) fn doubt(&mut self, numbers: Numbers, now: Timestamp) {
        if numbers.are_lacking() {
            self.doubted = Some((numbers, now));
        }
        if self.is_whole {
            self.decide_doubt();
        }
    }

    /// Whether what is left may show revisions that passed unseen.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.is_some() || self.is_behind
    }

    /// Another process has stored what this one did not know: there may be more of it.
    pub(super) fn falls_behind(&mut self) {
        (self.is_whole, self.is_behind) = (false, true);
    }

    /// Decides about revisions that passed unseen, once the ledger has all that is left.
    pub(super) fn decide_doubt(&mut self) {
        self.is_behind = false;
        let (Some((mut numbers, until)), Some(ledger)) = (self.doubted.take(), &mut self.ledger)
        else {
            return;
        };
        let lines = || ledger.lines().iter().map(|line| line.id.revision);
        // What was before the first line, a ledger that is known since then does not claim to know.
        let is_known_since = |line: &Line| {
            let known = ledger.known_since();
            known.is_some_and(|known| line.started <= known || ledger.compacted().is_some())
        };
        let first = ledger.lines().iter().min_by_key(|line| line.id.revision);
        if let Some(first) = first.filter(|first| is_known_since(first)) {
            numbers.begin_at(first.id.revision);
        }
        numbers.know(lines());
        if numbers.are_lacking() {
            Arc::make_mut(ledger).missed(until);
        }
    }

    /// Attempts that were over at this time have no journal.
    pub(super) fn miss(&mut self, until: Timestamp) {
        if let Some(ledger) = &mut self.ledger {
            Arc::make_mut(ledger).missed(until);
        }
    }
}

/// What is stored of a Rollout's attempts.
#[derive(Debug, Clone)]
pub struct LedgerChange {
    /// The Rollout.
    pub rollout: Key,
    /// Its ledger, and how its figures are made; none if the Rollout is not there.
    pub stored: Option<(Arc<Ledger>, dora::Settings)>,
}

/// The line of a RolloutAttempt that was seen.
pub(super) struct Early {
    pub(super) key: Key,
    pub(super) uid: SmolStr,
    pub(super) line: Line,
}

impl Early {
    /// None if it stands under a name that is not its own.
    pub(super) fn of(seen: &RolloutAttemptSeen) -> Option<Self> {
        let identity = &seen.journal.identity;
        let own = Key::new(identity.rollout.namespace.clone(), attempt_name(identity));
        (seen.key == own).then(|| Self {
            key: identity.rollout.clone(),
            uid: identity.rollout_uid.clone(),
            line: Line::of_journal(&seen.journal),
        })
    }
}

/// Whether an attempt that is over came after the ledger is known, and has no line that says so. One
/// whose end is not known was over by the time that the next one began.
pub(super) fn lacks(ledger: &Ledger, attempt: &Attempt, next: Option<&Attempt>) -> bool {
    let has_line = |line: &Line| !line.open() && is_of(line, attempt);
    let over = over_by(attempt, next).unwrap_or(attempt.started);
    !attempt.open()
        && ledger.known_since().is_none_or(|known| over > known)
        && ledger.compacted().is_none_or(|mark| over > mark.at)
        && !ledger.lines().iter().any(has_line)
}

/// The attempts that are over and that a ledger [lacks], with when they were over.
pub(super) fn lacking<'a>(
    ledger: &'a Ledger,
    attempts: &'a [Arc<Attempt>],
) -> impl Iterator<Item = (&'a Attempt, Option<Timestamp>)> {
    let next = |index: usize| attempts.get(index.checked_sub(1)?).map(Arc::as_ref);
    let all = attempts.iter().enumerate().map(move |(index, it)| (it.as_ref(), next(index)));
    let lacking = all.filter(|(attempt, next)| lacks(ledger, attempt, *next));
    lacking.map(|(attempt, next)| (attempt, over_by(attempt, next)))
}

fn over_by(attempt: &Attempt, next: Option<&Attempt>) -> Option<Timestamp> {
    attempt.ended.or(next.map(|next| next.started))
}

/// Whether a line is that of an attempt.
pub(super) fn is_of(line: &Line, attempt: &Attempt) -> bool {
    line.id.hash.as_str() == attempt.hash
        && (line.id.revision, line.id.number) == (attempt.revision, attempt.number)
}
