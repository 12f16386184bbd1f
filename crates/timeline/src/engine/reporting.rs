//! When a RolloutTrace is written, and what it says then.

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::rollout::Write;
use super::{Effect, Engine, REPORT_DELAY, ReportWrite, ReportWritten};
use crate::base::time::later;
use crate::base::{Key, Phase};
use crate::chain::Chain;
use crate::outbox::Retry;
use crate::stored::conditions::RolloutView;
use crate::stored::{Report, conditions};

const SETTLE_DELAY: SignedDuration = SignedDuration::from_secs(5);

impl Engine {
    /// A report was stored, or not.
    pub fn reported(&mut self, key: &Key, written: impl Into<ReportWritten>, now: Timestamp) {
        let written = written.into();
        self.journals.reported(key, written == ReportWritten::Stored);
        self.wake(key);
        self.may_rest.insert(key.clone());
        if let Some(rollout) = self.rollouts.get_mut(key) {
            let before = std::mem::replace(&mut rollout.write, Write::Owed);
            match written {
                ReportWritten::Stored => {
                    (rollout.retry, rollout.write) = (Retry::default(), Write::Stored);
                    self.ledgers_changed.insert(key.clone());
                    if before == (Write::UnderWay { again: true }) {
                        self.schedule_report(key, now);
                    }
                }
                ReportWritten::NamespaceGone => rollout.retry = Retry::never(),
                ReportWritten::NotStored(why) => {
                    rollout.retry.failed(key, why, now);
                    self.schedule_report(key, now);
                }
            }
            self.report_must_stand(key, now);
        }
    }

    /// A write that a process before this one had asked for may come late, and take the place of
    /// ours. An earlier write of ours looks the same in the watch, until the last one comes.
    pub(super) fn report_must_stand(&mut self, key: &Key, now: Timestamp) {
        let Some(rollout) = self.rollouts.get_mut(key).filter(|it| !it.write.is_under_way()) else {
            return;
        };
        let ours = rollout.report.as_ref().filter(|_| rollout.write == Write::Stored);
        let (Some(ours), Some(seen)) = (ours, rollout.seen_report.take()) else {
            return;
        };
        let stands = ours.agrees_with(&seen);
        // It may know what this process cannot find out any more.
        let lines = seen.ledger.as_ref().map(|ledger| ledger.lines().to_vec());
        let uid = seen.rollout_uid.clone();
        if !stands {
            rollout.report = Some(seen);
            self.ledgers_changed.insert(key.clone());
            self.schedule_report(key, later(now, REPORT_DELAY));
        }
        self.take_lines(key, &uid, lines.unwrap_or_default(), now);
    }

    pub(super) fn report(&mut self, key: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get(key) else {
            return;
        };
        let Some(uid) = rollout.uid.clone() else {
            return;
        };
        let waits = rollout.write.is_under_way() || !rollout.exists();
        if waits || self.journals.has_unstored_end(key, now) {
            if let Some(rollout) = self.rollouts.get_mut(key) {
                rollout.report_due = None;
                if let Write::UnderWay { again } = &mut rollout.write {
                    *again = true;
                }
            }
            // An answer or a version of the Rollout comes, and schedules it again.
            return;
        }
        if let Some(by) = rollout.settles_by.filter(|by| *by > now)
            && self.settles(key)
        {
            if let Some(rollout) = self.rollouts.get_mut(key) {
                rollout.report_due = None;
            }
            self.schedule_report(key, by);
            return;
        }
        if self.waits_for_ledger(key, now, effects) {
            if let Some(rollout) = self.rollouts.get_mut(key) {
                rollout.report_due = None;
            }
            return;
        }
        let Some(rollout) = self.rollouts.get(key) else {
            return;
        };
        let view = RolloutView {
            chain: &rollout.chain,
            problem: rollout.problem.as_deref(),
            earlier: rollout.report.as_ref(),
            observe_only: self.only_observed(key),
            missing: self.reported_missing(),
            broken: self.broken_trace(key, &rollout.chain),
            export: self.journals.export_of(key),
            apps: rollout
                .apps
                .iter()
                .filter(|app| rollout.is_in(app))
                .map(|app| {
                    let of = Key::new(key.namespace.clone(), app.clone());
                    let (standing, left_out) = self.app_standing(&of, now);
                    (app.to_string(), standing, left_out)
                })
                .collect(),
        };
        let trace = self.traces.get(key);
        let mut report = Report {
            rollout_uid: uid.clone(),
            observed_generation: trace.and_then(|trace| trace.generation),
            attempts: rollout.chain.attempts().to_vec(),
            ledger: rollout.ledger.get().cloned(),
            dora: trace.map(|trace| trace.settings.dora).unwrap_or_default(),
            at: now,
            observed: conditions::observed(&view, now),
            linked: conditions::linked(&view, now),
            exported: conditions::exported(&view, now),
        };
        let keep = trace.is_some_and(|trace| trace.settings.keep_after_delete);
        let owner = (!keep).then_some(uid);
        let owners = trace.map_or(&[] as &[SmolStr], |trace| &trace.owners);
        let change_owner = match &owner {
            Some(uid) => owners != std::slice::from_ref(uid),
            None => !owners.is_empty(),
        };
        let stored = rollout.report.as_ref().filter(|_| rollout.write == Write::Stored);
        let says_as_much = stored.is_some_and(|stored| stored.says_as_much_as(&report));
        let same = says_as_much && trace.is_some() && !change_owner;
        let create = trace.is_none();
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        rollout.report_due = None;
        self.journals.reporting(key, &report.rollout_uid);
        if same {
            self.journals.reported(key, true);
            return;
        }
        report.ledger = rollout.close_ledger(&report.dora, now);
        (rollout.report, rollout.write) = (Some(report.clone()), Write::UnderWay { again: false });
        let write = ReportWrite { create, owner, change_owner, report };
        effects.push(Effect::WriteReport(key.clone(), Box::new(write)));
    }

    /// The KeptnAppVersion of the newest attempt that holds something else than a traceparent, in
    /// words, while the attempt has no trace.
    fn broken_trace(&self, key: &Key, chain: &Chain) -> Option<String> {
        let newest = chain.newest().filter(|newest| newest.trace.is_none())?;
        let workload = newest.workload.as_ref()?;
        let app = Key::new(key.namespace.clone(), workload.app.clone());
        self.keptn.broken_trace(&app, workload)
    }

    /// What is to be stored at once is stored now; an end is stored together with what follows from
    /// it, that all is available or traffic is back, if that comes soon.
    pub(super) fn schedule_end(&mut self, key: &Key, now: Timestamp) {
        if !self.stopping
            && self.settles(key)
            && let Some(rollout) = self.rollouts.get_mut(key)
        {
            rollout.settles_by = Some(later(now, SETTLE_DELAY));
        }
        self.schedule_report(key, now);
    }

    /// Whether something may still follow from the end of the newest attempt.
    fn settles(&self, key: &Key) -> bool {
        self.newest_journal(key).is_some_and(|journal| {
            let lands = matches!(journal.phase, Phase::Promoted | Phase::Aborted);
            lands && journal.settled.is_none() && journal.root_closed.is_none()
        })
    }

    pub(super) fn schedule_report(&mut self, key: &Key, due: Timestamp) {
        self.wake(key);
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        if rollout.retry.is_over() {
            return;
        }
        let due = if self.stopping { Timestamp::MIN } else { due };
        // One that was not stored is not tried again sooner because there is news.
        let due = rollout.retry.until().map_or(due, |until| until.max(due));
        if rollout.report_due.is_some_and(|earlier| earlier <= due) {
            return;
        }
        if let Some(later) = rollout.report_due.replace(due) {
            self.due_reports.remove(&(later, key.clone()));
        }
        self.due_reports.insert((due, key.clone()));
    }
}
