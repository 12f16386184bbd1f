//! How a ledger stays small: the oldest attempts are summed up by day.
//!
//! An attempt is summed up as what it counts as then. That is final once no rollback or hotfix can
//! make it a failure any more, and, if it failed, once it is known when it was made good. One that
//! has to go before is marked as `early` in the sum, and figures say `at least`.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use jiff::{SignedDuration, Timestamp};

use crate::base::Phase;
use crate::dora::judge::judge_lines;
use crate::dora::{LONGEST, Lead, Settings, Verdict};
use crate::ledger::{Id, Ledger, Line, Sum, mark_of};
use crate::seen::commit::{CommitTime, Refusal};

/// A promotion may be reported healthy, and an abort recovered, so long after it.
const SETTLE: SignedDuration = SignedDuration::from_hours(1);

/// What is live, and what is to replace it.
const LEAST: usize = 2;

/// How much a ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// How many lines; two are kept in any case.
    pub lines: usize,
    /// How many durations of attempts that were summed up. Where there are more, those of the
    /// oldest days are forgotten, and figures over these days have no median.
    pub durations: usize,
    /// How long the text of lines and sums is, in bytes, with three around each for JSON. Where there
    /// is more, there are fewer lines.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { lines: 200, durations: 900, bytes: 32_000 }
    }
}

impl Ledger {
    /// Writes down which failure each attempt makes good, sums up what is too much, and forgets
    /// what no window reaches. To be called before the ledger is stored; whether it changed.
    ///
    /// What is live and what is under way keeps its line.
    pub fn compact(&mut self, bounds: &Bounds, settings: &Settings, now: Timestamp) -> bool {
        let mut changed = false;
        let mut most = self.fitting(bounds);
        loop {
            let before = self.lines.len();
            changed |= self.sum_up(most, settings, now);
            changed |= self.bound_durations(bounds);
            // A sum is longer by what it was added, and what is under way stays.
            let lines = self.lines.len();
            most = self.fitting(bounds);
            if lines <= most || lines == before || lines <= LEAST {
                return changed;
            }
        }
    }

    /// How many of the newest lines there is room for.
    fn fitting(&self, bounds: &Bounds) -> usize {
        let days: usize = self.days.iter().map(length).sum();
        let mut room = bounds.bytes.saturating_sub(days);
        let fits = |line: &&Line| {
            let left = room.checked_sub(length(line));
            room = left.unwrap_or(0);
            left.is_some()
        };
        self.lines.iter().take(bounds.lines).take_while(fits).count()
    }

    fn sum_up(&mut self, most: usize, settings: &Settings, now: Timestamp) -> bool {
        let since = self.lines_since();
        let lines = std::mem::take(&mut self.lines);
        let verdicts = judge_lines(&lines, since, settings);
        let oldest = oldest_day(settings, now);
        let days = self.days.len();
        self.days.retain(|day| oldest.is_none_or(|oldest| day.date >= oldest));
        let forgotten = self.days.len() < days;
        let most = most.max(LEAST);
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
                let day = self.day(crate::dora::date(line.started));
                day.early = day.early.saturating_add(1);
            }
        }
        forgotten || self.lines != lines
    }

    fn bound_durations(&mut self, bounds: &Bounds) -> bool {
        let mut room = bounds.durations;
        let mut dropped = false;
        for day in &mut self.days {
            if day.sum.len() > room {
                room = 0;
                day.sum.drop_durations();
                dropped = true;
            }
            room = room.saturating_sub(day.sum.len());
        }
        dropped
    }
}

/// Bytes of a line or a day in the JSON of a list.
fn length(line: &impl fmt::Display) -> usize {
    struct Length(usize);
    impl fmt::Write for Length {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.saturating_add(text.len());
            Ok(())
        }
    }
    let mut length = Length("\"\",".len());
    // Counting does not fail.
    let _ = write!(length, "{line}");
    length.0
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
    let days = SignedDuration::from_hours(i64::from(LONGEST).saturating_mul(24));
    let reach = days.checked_add(settings.failure_window())?;
    now.checked_sub(reach).ok().map(crate::dora::date)
}
