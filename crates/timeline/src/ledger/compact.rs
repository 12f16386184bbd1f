//! How a ledger stays small: the oldest attempts are summed up by day.
//!
//! An attempt is summed up as what it counts as then. That is final once no rollback or hotfix can
//! make it a failure any more, and, if it failed, once it is known when it was made good. One that
//! has to go before is marked as `early` in the sum, and figures say `at least`.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::line::{Id, Line};
use super::{Ledger, Sum, mark_of};
use crate::attempt::Phase;
use crate::commit::{CommitTime, Refusal};
use crate::dora::{LONGEST, Lead, Settings, Verdict, judge};

/// A promotion may be told healthy, and an abort recovered, so long after it.
const SETTLE: SignedDuration = SignedDuration::from_hours(1);

/// How much a ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// How many lines, at least 2.
    pub lines: usize,
    /// How many durations of attempts that were summed up. Where there are more, those of the
    /// oldest days are forgotten, and figures over these days have no median.
    pub durations: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { lines: 90, durations: 900 }
    }
}

impl Ledger {
    /// Writes down which failure each attempt makes good, sums up what is too much, and forgets
    /// what no window reaches. To be called before the ledger is stored; whether it changed.
    ///
    /// What is live and what is under way keeps its line.
    pub fn compact(&mut self, bounds: &Bounds, settings: &Settings, now: Timestamp) -> bool {
        let before = self.clone();
        self.sum_up(bounds, settings, now);
        self.bound_durations(bounds);
        *self != before
    }

    fn sum_up(&mut self, bounds: &Bounds, settings: &Settings, now: Timestamp) {
        let lines = std::mem::take(&mut self.lines);
        let verdicts = judge(&lines, settings);
        let oldest = oldest_day(settings, now);
        self.days.retain(|day| oldest.is_none_or(|oldest| day.date >= oldest));
        let most = bounds.lines.max(2);
        let under_way = lines.iter().filter(|line| line.open()).map(|line| line.started).min();
        let horizon = under_way.unwrap_or(now).min(now);
        let mut over = lines.len().saturating_sub(most);
        let mut gone: HashSet<Id> = HashSet::new();
        for line in in_order(&lines) {
            let mark = mark_of(line);
            let day = crate::dora::date(mark.at);
            let old = oldest.is_some_and(|oldest| day < oldest);
            if !old && over == 0 {
                break;
            }
            over = over.saturating_sub(1);
            let verdict = verdicts.iter().find(|verdict| verdict.line.id == line.id);
            if let Some(verdict) = verdict.filter(|_| !old) {
                let mut sum = Sum::of(verdict);
                sum.early = u32::from(!is_final(verdict, settings, horizon));
                if !sum.is_empty() {
                    self.day(day).merge(&sum);
                }
            }
            if self.compacted.as_ref().is_none_or(|last| *last < mark) {
                self.compacted = Some(mark);
            }
            gone.insert(line.id.clone());
        }
        for day in &mut self.days {
            day.sum.sort();
        }
        let lines_after = remember(&lines, &verdicts, !gone.is_empty());
        self.lines = lines_after.into_iter().filter(|line| !gone.contains(&line.id)).collect();
        // Nothing else is bound to end: attempts that were left open.
        while self.lines.len() > most {
            if let Some(line) = self.lines.pop() {
                self.day(crate::dora::date(line.started)).early += 1;
            }
        }
    }

    fn bound_durations(&mut self, bounds: &Bounds) {
        let mut room = bounds.durations;
        for day in &mut self.days {
            if day.sum.len() > room {
                room = 0;
                day.sum.drop_durations();
            }
            room -= day.sum.len();
        }
    }
}

/// The attempts that may be summed up, in the order in which they ended.
fn in_order(lines: &[Line]) -> Vec<&Line> {
    let live = lines.iter().filter(|line| line.outcome == Phase::Promoted).max_by_key(|line| {
        let mark = mark_of(line);
        (line.ended.is_some(), mark)
    });
    let mut order: Vec<&Line> = lines
        .iter()
        .filter(|line| !line.open() && live.is_none_or(|live| live.id != line.id))
        .collect();
    order.sort_by_key(|line| mark_of(line));
    order
}

/// The lines, with what is known only beside others that may be gone soon.
fn remember(lines: &[Line], verdicts: &[Verdict<'_>], for_good: bool) -> Vec<Line> {
    let mut lines = lines.to_vec();
    for line in &mut lines {
        let Some(verdict) = verdicts.iter().find(|verdict| verdict.line.id == line.id) else {
            continue;
        };
        line.recovers = verdict.recovers;
        if for_good {
            line.kind = verdict.kind;
            if verdict.lead == Lead::Refused(Refusal::Redeployed) {
                line.commit_time = CommitTime::Refused(Refusal::Redeployed);
            }
        }
    }
    lines
}

/// Whether nothing that may still come changes what an attempt counts as.
fn is_final(verdict: &Verdict<'_>, settings: &Settings, horizon: Timestamp) -> bool {
    let wait = settings.failure_window().max(SETTLE);
    let past = |at: Timestamp| horizon.duration_since(at) > wait;
    past(verdict.at) && verdict.failure.is_none_or(|it| it.mended.is_some_and(past))
}

/// The first day that a window, or what follows from a failure before it, may reach.
fn oldest_day(settings: &Settings, now: Timestamp) -> Option<jiff::civil::Date> {
    let days = SignedDuration::from_hours(24 * i64::from(LONGEST));
    let reach = days.checked_add(settings.failure_window())?;
    now.checked_sub(reach).ok().map(crate::dora::date)
}
