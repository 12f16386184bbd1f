//! How a journal gets into the cluster: when a write is due, what it holds, what its answer means.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use super::stored::Stored;
use super::{Delivery, PATIENCE, Reported};
use crate::base::Phase;
use crate::base::time::later;
use crate::journal::Sink;
use crate::ledger::Line;
use crate::outbox::pace::{self, Retry};
use crate::outbox::write::{AttemptWrite, AttemptWritten, NotStored, Stage};
use crate::stored::RolloutAttemptSeen;

impl Delivery {
    /// The write that is due now, if one is.
    pub(crate) fn store(&mut self, sinks: &[Sink], now: Timestamp) -> Option<AttemptWrite> {
        if self.due(sinks).is_none_or(|due| due > now) {
            return None;
        }
        let due = self.store_due.take();
        let stage = self.stage(sinks);
        let resource_version = self.resource_version();
        let snapshot = self.snapshot(resource_version.clone(), stage);
        if resource_version.is_some() && self.stored.as_ref() == Some(&snapshot) {
            self.owed = None;
            return None;
        }
        self.owed = self.owed.or(due);
        self.storing = Some(snapshot);
        let (keep, journal) = (self.kept.1, self.journal.clone());
        Some(AttemptWrite { resource_version, stage, keep, journal })
    }

    /// A write came back. Says whether another journal than ours stands now.
    pub(crate) fn written(
        &mut self,
        result: AttemptWritten,
        sinks: &[Sink],
        now: Timestamp,
    ) -> bool {
        let Some(storing) = self.storing.take() else {
            return false;
        };
        let mut replaced = false;
        let failed = match result {
            AttemptWritten::Stored(resource_version) => {
                let resource_version = Some(resource_version);
                self.stored = Some(Stored { resource_version, ..storing });
                self.last_stored = Some(now);
                self.owed = None;
                if self.stage(sinks) == Stage::Done && !self.done(sinks) {
                    self.store_by(now);
                }
                None
            }
            AttemptWritten::Conflict(seen) if seen.journal.identity != self.journal.identity => {
                let name = &seen.key.name;
                let why = format!("{name} is there already and is of another attempt");
                Some(NotStored::Refused(why))
            }
            AttemptWritten::Conflict(seen) => {
                let RolloutAttemptSeen { resource_version, mut journal, .. } = *seen;
                std::mem::swap(&mut self.journal, &mut journal);
                // What is stored may have been sent: it stands, unless ours goes on from it.
                let stage = self.stage(sinks);
                self.stored = Some(self.snapshot(Some(resource_version), stage));
                if journal.continues(&self.journal) {
                    journal.catch_up_with(&self.journal);
                    self.journal = journal;
                } else {
                    self.journal.forget_pods();
                    replaced = true;
                }
                self.store_by(now);
                None
            }
            // What has left is not needed; it was deleted with its Rollout.
            AttemptWritten::Missing if storing.stage == Stage::Done => {
                self.stored = Some(storing);
                self.owed = None;
                None
            }
            AttemptWritten::Missing => {
                self.object_gone(now);
                None
            }
            AttemptWritten::NamespaceGone => {
                self.namespace_gone = true;
                self.object_gone(now);
                None
            }
            AttemptWritten::Failed => Some(NotStored::Failed),
            AttemptWritten::Later(asked) => Some(NotStored::Later(asked)),
            AttemptWritten::Forbidden => Some(NotStored::Forbidden),
            AttemptWritten::Refused(why) => Some(NotStored::Refused(why)),
        };
        match failed {
            None => self.retry = Retry::default(),
            Some(why) => {
                self.retry.failed(&self.journal.identity, why, now);
                self.store_by(now);
            }
        }
        self.look_for_unsent(sinks);
        replaced
    }

    /// The RolloutAttempt was deleted: it is made again while something of it has to be
    /// stored. One that stood in the way makes room for ours.
    pub(crate) fn missing(&mut self, now: Timestamp) {
        if self.storing.is_some() {
            return;
        }
        if self.retry.why.is_some() {
            self.retry = Retry::default();
            self.store_by(now);
        }
        if self.stored.is_some() {
            self.object_gone(now);
        }
    }

    /// What was stored may leave. What was not needs another object, if there can be one.
    pub(super) fn object_gone(&mut self, now: Timestamp) {
        if let Some(stored) = &mut self.stored {
            stored.resource_version = None;
        }
        if self.ends_without_object() {
            self.store_due = None;
            self.owed = None;
        } else {
            self.store_by(now);
        }
    }

    /// No object is needed in a namespace that is being deleted, or of a Rollout that is gone: what
    /// was stored of it leaves, and that is all.
    pub(super) fn ends_without_object(&self) -> bool {
        self.namespace_gone || (self.journal.phase == Phase::Deleted && self.all_was_stored())
    }

    /// It is over, and that is or was stored with all that happened.
    pub(super) fn all_was_stored(&self) -> bool {
        let closed = self.journal.closed;
        self.stored.as_ref().is_some_and(|stored| stored.ended.1 && stored.closed == closed)
    }

    /// When a write is due.
    pub(crate) fn due(&self, sinks: &[Sink]) -> Option<Timestamp> {
        let due = self.store_due.filter(|_| self.storing.is_none() && !self.namespace_gone)?;
        let due = self.retry.until().map_or(due, |until| until.max(due));
        // A process that starts looks at those only that are not done. So the RolloutTrace says
        // first how it ended, if it can be written.
        let waits = self.reported != Reported::Yes
            && self.journal.phase != Phase::Deleted
            && self.stage(sinks) == Stage::Done;
        let last = self.last_stored.unwrap_or(self.begun);
        Some(if waits { due.max(later(last, PATIENCE)) } else { due })
    }

    /// At which version it is stored.
    pub(in crate::outbox) fn resource_version(&self) -> Option<String> {
        self.stored.as_ref()?.resource_version.clone()
    }

    pub(super) fn stage(&self, sinks: &[Sink]) -> Stage {
        match self.journal.root_closed {
            None => Stage::Running,
            // It is read again by the next process.
            Some(_) if self.journal.awaits_recovery() => Stage::Running,
            Some(_) if !sinks.iter().all(|sink| self.journal.delivered_to(sink)) => {
                Stage::Delivering
            }
            Some(_) => Stage::Done,
        }
    }

    pub(super) fn snapshot(&self, resource_version: Option<String>, stage: Stage) -> Stored {
        let over = self.journal.root_closed.is_some() && !self.journal.awaits_recovery();
        let mut hasher = DefaultHasher::new();
        self.journal.hash(&mut hasher);
        Stored {
            resource_version,
            closed: self.journal.closed,
            placed: self.journal.placed.is_some(),
            stage,
            ended: (!self.journal.open(), over),
            news: pace::news(&self.journal),
            fingerprint: hasher.finish(),
            line: Box::new(Line::of_journal(&self.journal)),
        }
    }
}
