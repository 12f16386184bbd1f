//! The ledger of each Rollout: where it comes from, and what is taken into it.
//!
//! It is stored with the chain and comes from there at a start. Where it is lost, or lacks an attempt
//! of the chain, the RolloutAttempts that are left are read once; until then nothing is reported,
//! since what is stored as known would be believed by the next process.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::ledger_state::{Early, LedgerChange, is_of, lacking};
use super::rollout::{Rollout, Write};
use super::{Effect, Engine, REPORT_DELAY};
use crate::base::time::later;
use crate::base::{Key, Phase};
use crate::chain::Attempt;
use crate::dora::{Bounds, Counts, Lead, Noticed, Verdict};
use crate::journal::Journal;
use crate::ledger::{Kind, Ledger, Line};
use crate::outbox::{Announcement, Milestone};
use crate::{dora, seen};

const READ_RETRY: SignedDuration = SignedDuration::from_secs(5);
/// After so many reads that failed the chain is worth more than lines of long ago.
const READS: u8 = 12;

impl Engine {
    /// The RolloutAttempts of the Rollout of this UID were read, or could not be. `attempts` are
    /// all that are left.
    pub fn attempts_read(
        &mut self,
        key: &Key,
        uid: &str,
        attempts: Option<Vec<Journal>>,
        now: Timestamp,
    ) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        rollout.ledger.reading = false;
        let attempts = match attempts {
            Some(attempts) if rollout.uid.as_deref() == Some(uid) => attempts,
            // Another Rollout has its name by now.
            Some(_) => return self.schedule_report(key, now),
            None if rollout.ledger.failed < READS => {
                rollout.ledger.failed = rollout.ledger.failed.saturating_add(1);
                return self.schedule_report(key, later(now, READ_RETRY));
            }
            None => Vec::new(),
        };
        self.complete(key, uid, &attempts, now);
        self.touched_rollouts.insert(key.clone());
        self.schedule_report(key, now);
    }

    /// Makes a ledger whole with what is left: stored attempts, and those in memory.
    fn complete(&mut self, key: &Key, uid: &str, stored: &[Journal], now: Timestamp) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        let stored = stored.iter().filter(|journal| journal.identity.rollout_uid == uid);
        let mut stored: Vec<&Journal> = stored.collect();
        stored.sort_by_key(|journal| (journal.identity.revision, journal.identity.number));
        rollout.chain.learn_ends(&stored);
        let own = self.journals.stored_lines(key, uid);
        let chain = rollout.chain.attempts();
        let lines: Vec<Line> = stored.into_iter().map(Line::of_journal).chain(own).collect();
        rollout.ledger.is_whole = true;
        if let Some(ledger) = &mut rollout.ledger.ledger {
            let ledger = Arc::make_mut(ledger);
            for line in lines {
                ledger.take(line);
            }
            // Of one whose journal is gone the chain may know what became of it.
            let open: Vec<Line> =
                ledger.lines().iter().filter(|line| has_ended(line, chain)).cloned().collect();
            for line in open {
                let attempt = chain.iter().find(|attempt| is_of(&line, attempt));
                let outcome = attempt.map_or(Phase::Unknown, |attempt| attempt.phase);
                let ended = attempt.and_then(|attempt| attempt.ended);
                ledger.take(Line { outcome, ended, inferred: true, ..line });
            }
            rollout.ledger.decide_doubt();
            self.miss_unrecorded(key, uid, now);
            return;
        }
        // What has just begun is known from its start on, and gets its line when it is stored.
        let begun = self.journals.of_uid(key, uid).into_iter().map(Line::of_journal);
        let known = Ledger::rebuilt(uid, lines.iter().cloned().chain(begun), now);
        let newest = known.lines().iter().map(|line| line.id.revision).max();
        let mut ledger = Ledger::restored(uid, known.known_since(), lines, [], None);
        let promoted = known.lines().iter().find(|line| line.outcome == Phase::Promoted);
        // Argo gives what is live another number when it is applied again.
        let stays = |attempt: &Attempt| {
            let hash = promoted.map(|line| line.id.hash.as_str());
            attempt.phase == Phase::Promoted && hash == Some(&attempt.hash)
        };
        let later = |attempt: &Attempt| newest.is_none_or(|newest| attempt.revision > newest);
        if chain.iter().any(|attempt| later(attempt) && !stays(attempt)) {
            ledger.missed(now);
        }
        rollout.ledger.ledger = Some(Arc::new(ledger));
        rollout.ledger.decide_doubt();
    }

    /// The stored ledgers that have changed since this was asked last.
    pub fn ledgers_changed(&mut self) -> Vec<LedgerChange> {
        let mut changes = Vec::new();
        for key in std::mem::take(&mut self.ledgers_changed) {
            self.wake(&key);
            let stored = match self.rollouts.get(&key).filter(|rollout| rollout.exists()) {
                None => Some(None),
                // One whose write is under way or failed comes again.
                Some(rollout) => rollout.stored_ledger().map(Some),
            };
            self.rest(&key);
            changes.extend(stored.map(|stored| LedgerChange { rollout: key, stored }));
        }
        changes
    }

    /// Whether a report has to wait for what the ledger begins with; asks for that.
    pub(super) fn waits_for_ledger(
        &mut self,
        key: &Key,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let served = self.watches.get(&seen::Kind::RolloutAttempt);
        let served = served.is_some_and(|watch| watch.unavailable.is_none());
        let Some(rollout) = self.rollouts.get_mut(key).filter(|rollout| rollout.folded) else {
            return false;
        };
        let (Some(uid), false) = (rollout.uid.clone(), rollout.ledger.is_whole) else {
            return false;
        };
        let attempts = rollout.chain.attempts();
        let lacks = |ledger: &Ledger| {
            lacking(ledger, attempts).next().is_some()
                || ledger.lines().iter().any(|line| has_ended(line, attempts))
        };
        let is_whole = rollout.ledger.ledger.as_deref().is_some_and(|ledger| !lacks(ledger));
        if (is_whole && !rollout.ledger.is_doubted()) || !served {
            self.complete(key, &uid, &[], now);
            return false;
        }
        if !rollout.ledger.reading {
            rollout.ledger.reading = true;
            effects.push(Effect::ReadAttempts(key.clone(), uid));
        }
        true
    }

    /// Takes lines into the ledger of a Rollout.
    pub(super) fn take_lines(
        &mut self,
        key: &Key,
        uid: &str,
        lines: impl IntoIterator<Item = Line>,
        now: Timestamp,
    ) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        let ledger = rollout.ledger.ledger.as_mut();
        let Some(ledger) = ledger.filter(|ledger| ledger.rollout_uid() == uid) else {
            return;
        };
        let mut is_over = false;
        for line in lines {
            if ledger.misses(&line) {
                is_over |= !line.open();
                Arc::make_mut(ledger).take(line);
            }
        }
        is_over |= self.miss_unrecorded(key, uid, now);
        if is_over {
            self.schedule_report(key, later(now, REPORT_DELAY));
        }
    }

    /// Moves on since when a whole ledger is known past what ended without a journal or a line:
    /// that cannot be looked up any more. Says whether there is such an attempt.
    fn miss_unrecorded(&mut self, key: &Key, uid: &str, now: Timestamp) -> bool {
        let Some(rollout) = self.rollouts.get_mut(key).filter(|it| it.ledger.is_whole) else {
            return false;
        };
        let Some(ledger) = &mut rollout.ledger.ledger else {
            return false;
        };
        let journals = self.journals.of_uid(key, uid);
        let has_journal = |attempt: &Attempt| journals.iter().any(|it| is_journal_of(it, attempt));
        let unrecorded =
            lacking(ledger, rollout.chain.attempts()).filter(|(it, _)| !has_journal(it));
        let Some(until) = unrecorded.map(|(_, over)| over.unwrap_or(now)).max() else {
            return false;
        };
        Arc::make_mut(ledger).missed(until);
        true
    }

    /// Adds to the announcements of an attempt the times that are known with it.
    pub(super) fn count(&mut self, name: &Key, announcements: &mut [Announcement], now: Timestamp) {
        let Some(journal) = self.journals.stored_journal(name) else {
            return;
        };
        let key = journal.identity.rollout.clone();
        let uid = journal.identity.rollout_uid.clone();
        let Some(line) = self.journals.stored_line(name).cloned() else {
            return;
        };
        let id = line.id.clone();
        self.take_lines(&key, &uid, [line], now);
        let settings = self.traces.get(&key).map(|trace| trace.settings.dora).unwrap_or_default();
        let ledger = self.rollouts.get(&key).and_then(|rollout| rollout.ledger.get());
        let Some(ledger) = ledger.filter(|ledger| ledger.rollout_uid() == uid) else {
            return;
        };
        let verdicts = dora::judge(ledger, &settings);
        let Some(own) = verdicts.iter().find(|verdict| verdict.line.id == id) else {
            return;
        };
        for announcement in announcements {
            match (announcement.milestone, own.lead) {
                (Milestone::Ended, Lead::Seconds(seconds, _)) => announcement.lead = Some(seconds),
                (Milestone::Settled, _) => announcement.recoveries = recoveries(own, &verdicts),
                _ => {}
            }
        }
    }

    /// Takes what a RolloutAttempt says that is not kept in memory.
    pub(super) fn take_early(&mut self, seen: Early, now: Timestamp) {
        let Early { key, uid, line } = seen;
        if self.started {
            self.take_lines(&key, &uid, [line], now);
        } else {
            self.early_lines.entry(key).or_default().push((uid, line));
        }
    }

    /// After the first look at all Rollouts.
    pub(super) fn take_all_early(&mut self, now: Timestamp) {
        for (key, lines) in std::mem::take(&mut self.early_lines) {
            for (uid, line) in lines {
                self.take_lines(&key, &uid, [line], now);
            }
        }
    }
}

impl Rollout {
    /// The ledger as it is stored, and how its figures are made.
    fn stored_ledger(&self) -> Option<(Arc<Ledger>, dora::Settings)> {
        let report = self.report.as_ref().filter(|_| self.write == Write::Stored)?;
        Some((Arc::clone(report.ledger.as_ref()?), report.dora))
    }

    /// The ledger as it is to be stored.
    pub(super) fn close_ledger(
        &mut self,
        settings: &dora::Settings,
        now: Timestamp,
    ) -> Option<Arc<Ledger>> {
        // What was stored last is let go first, so that nothing is copied.
        if let Some(report) = &mut self.report {
            report.ledger = None;
        }
        let ledger = self.ledger.ledger.as_mut()?;
        Arc::make_mut(ledger).compact(&Bounds::default(), settings, now);
        Some(Arc::clone(ledger))
    }
}

/// How long the failures took from which traffic is back with this attempt: its own, or those of
/// what it takes back.
fn recoveries(own: &Verdict<'_>, all: &[Verdict<'_>]) -> Vec<u32> {
    let took = |failure: &Noticed| {
        let recovered = failure.recovered?;
        u32::try_from(recovered.duration_since(failure.from).as_secs()).ok()
    };
    if let Some(failure) = own.failure.filter(|_| own.counts == Counts::FailedExposed) {
        return took(&failure).into_iter().collect();
    }
    let takes_back = matches!(own.kind, Kind::Rollback | Kind::Hotfix);
    let good = own.line.good_from().filter(|_| takes_back && own.line.outcome == Phase::Promoted);
    let failures = all.iter().filter(|it| it.counts == Counts::FailedDeployment);
    let failures = failures.filter_map(|it| it.failure);
    let by_this = failures.filter(|failure| good.is_some() && failure.recovered == good);
    by_this.filter_map(|failure| took(&failure)).collect()
}

fn is_journal_of(journal: &Journal, attempt: &Attempt) -> bool {
    let identity = &journal.identity;
    identity.hash == attempt.hash
        && (identity.revision, identity.number) == (attempt.revision, attempt.number)
}

/// Whether the attempt of a line that is open is not: its end did not come to the ledger.
fn has_ended(line: &Line, chain: &[Arc<Attempt>]) -> bool {
    line.open() && !chain.iter().any(|attempt| attempt.open() && is_of(line, attempt))
}
