//! When no operator ran: what happened then, or was known and not stored yet, may not be knowable
//! any more.

use jiff::{SignedDuration, Timestamp};
use timeline::chain::Attempt;
use timeline::{Key, Kind};

use super::World;
use crate::argo::Tried;
use crate::story::start;

/// Times of the story come about so much later in the world.
const LATER: SignedDuration = SignedDuration::from_secs(1);
/// What a watch may take, and a second of a clock without fractions.
const SLACK: SignedDuration = SignedDuration::from_millis(1_200);
/// What is read when a process starts, before it knows all that is there.
pub(super) const READ: [Kind; 5] =
    [Kind::Rollout, Kind::ReplicaSet, Kind::AnalysisRun, Kind::RolloutTrace, Kind::RolloutAttempt];

impl World<'_> {
    /// Whether a new process would know all that this one knows of a Rollout.
    fn is_stored_of(&self, rollout: &Key) -> bool {
        let Some(operator) = &self.operator else {
            return false;
        };
        let of = self.story.truth.iter().filter(|it| it.identity.rollout == *rollout);
        of.filter(|tried| tried.turned + LATER <= self.now).all(|tried| {
            let key = &tried.key;
            let Some(journal) = operator.journal(key) else {
                return self.server.ever.contains_key(key);
            };
            self.server.attempts.get(key).is_some_and(|stored| {
                let mut journal = journal.clone();
                journal.exported = stored.journal.exported.clone();
                journal == stored.journal
            })
        })
    }

    /// Whether a new process would know all that this one knows, and nothing is on its way to it.
    pub(super) fn is_stored(&self) -> bool {
        self.server.is_quiet() && self.knows_no_more()
    }

    /// Whether a new process would know all that this one knows.
    pub(super) fn knows_no_more(&self) -> bool {
        let Some(operator) = &self.operator else {
            return true;
        };
        let line = |it: &Attempt| (it.revision, it.number, it.phase);
        let newest = |attempts: &[std::sync::Arc<Attempt>]| -> Vec<_> {
            attempts.iter().take(10).map(|it| line(it)).collect()
        };
        self.keys.iter().all(|rollout| {
            let known = operator.chain(rollout).map(|chain| newest(chain.attempts()));
            let stored = self.server.trace(rollout).map(|trace| newest(&trace.attempts));
            self.is_stored_of(rollout) && known.unwrap_or_default() == stored.unwrap_or_default()
        })
    }

    /// Something of a Rollout was seen or stored.
    pub(super) fn looks_at(&mut self, rollout: &Key) {
        if !self.faults.is_empty() && self.is_stored_of(rollout) {
            self.safe.insert(rollout.clone(), self.now);
        }
    }

    /// Nothing is watched from now on; and what was not stored is lost.
    pub(super) fn goes_dark(&mut self, unread: impl IntoIterator<Item = Kind>) {
        for rollout in &self.keys {
            let safe = self.safe.get(rollout).copied().unwrap_or_else(start);
            let dark = self.dark.entry(rollout.clone()).or_insert(safe);
            *dark = (*dark).min(safe);
        }
        self.unread.extend(unread);
    }

    /// A list was read.
    pub(super) fn has_read(&mut self, kind: Kind) {
        self.unread.remove(&kind);
        if self.unread.is_empty() && self.operator.is_some() {
            for (rollout, since) in std::mem::take(&mut self.dark) {
                self.blind.entry(rollout.clone()).or_default().push((since, self.now));
                // What was read and is not stored yet, the next process may have to find out again.
                let safe = if self.is_stored_of(&rollout) { self.now } else { since };
                self.safe.insert(rollout, safe);
            }
        }
    }

    /// A watch begins again: what still waited is not seen any more.
    pub(super) fn loses_watch(&mut self) {
        let since = self.now - SignedDuration::from_millis(100);
        for rollout in &self.keys {
            self.blind.entry(rollout.clone()).or_default().push((since, self.now));
        }
    }

    /// Whether the operator may not have watched at a time of the story; until when.
    pub(crate) fn unseen(&self, rollout: &Key, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.unseen_within(rollout, at, at)
    }

    /// The same of any time between two.
    pub(crate) fn unseen_within(
        &self,
        rollout: &Key,
        from: Timestamp,
        until: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let blind = self.blind.get(rollout)?;
        let mut within = blind
            .iter()
            .filter(|(since, to)| *since - SLACK <= until + LATER && from + LATER <= *to + SLACK);
        let first = *within.next()?;
        let all = within.fold(first, |all, it| (all.0.min(it.0), all.1.max(it.1)));
        Some((all.0 - LATER, all.1 - LATER))
    }

    /// The same of all that is known of an attempt.
    pub(crate) fn partly_unseen(&self, tried: &Tried) -> bool {
        let until = tried.settled.or(tried.ended).unwrap_or(tried.began);
        let until = until.max(tried.ended.unwrap_or(until)) + SignedDuration::from_secs(3);
        self.unseen_within(&tried.identity.rollout, tried.began, until).is_some()
    }

    pub(crate) fn never_blind(&self, rollout: &Key) -> bool {
        self.blind.get(rollout).is_none_or(Vec::is_empty)
    }

    /// The stored journal of an attempt, if it was ever stored.
    pub(crate) fn stored(&self, tried: &Tried) -> Option<&timeline::journal::Journal> {
        self.server.ever.get(&tried.key).map(|it| &it.journal)
    }
}
