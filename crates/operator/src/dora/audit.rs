//! The lines behind the figures.

use jiff::{SignedDuration, Timestamp};
use timeline::dora::{Counts, Lead, Verdict, Window, judge};

use super::select::Book;
use super::words::duration;

/// What a line counts as, and what follows from it.
pub(super) struct Audited<'a> {
    pub(super) verdict: Verdict<'a>,
    pub(super) counts: &'static str,
    /// `lead 2h`, `recovered after 5m`, in words.
    pub(super) notes: Vec<String>,
}

/// The lines of a ledger that ended in a window, newest first.
pub(super) fn lines(book: &Book, window: Window) -> Vec<Audited<'_>> {
    let verdicts = judge(&book.ledger, &book.settings);
    let counted = verdicts.into_iter().rev().filter(|verdict| window.contains(verdict.at));
    counted
        .map(|verdict| Audited { counts: counts(verdict.counts), notes: notes(&verdict), verdict })
        .collect()
}

/// The sums of days in a window, newest first.
pub(super) fn days(book: &Book, window: Window) -> Vec<String> {
    let days = book.ledger.days().filter(|day| window.contains_day(day.date));
    days.map(ToString::to_string).collect()
}

fn counts(counts: Counts) -> &'static str {
    match counts {
        Counts::Deployment => "deployment",
        Counts::FailedDeployment => "failed deployment",
        Counts::Rollback => "rollback",
        Counts::FailedExposed => "failed, exposed",
        Counts::FailedBlocked => "failed, blocked",
        Counts::FailedUnclear => "failed, unclear",
        Counts::Superseded => "superseded",
        Counts::Nothing => "nothing",
    }
}

fn notes(verdict: &Verdict<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    match verdict.lead {
        Lead::Seconds(seconds, source) => {
            notes.push(format!("lead time {} ({source})", duration(f64::from(seconds))));
        }
        Lead::Refused(why) => notes.push(format!("lead time refused: {why}")),
        Lead::None => {}
    }
    if let Some(failure) = verdict.failure {
        let after = |at: Timestamp| {
            let seconds = at.duration_since(failure.from).max(SignedDuration::ZERO).as_secs_f64();
            duration(seconds)
        };
        notes.push(failure.recovered.map_or_else(
            || "recovery unknown".to_owned(),
            |at| format!("recovered after {}", after(at)),
        ));
        notes.push(failure.mended.map_or_else(
            || "no good revision since".to_owned(),
            |at| format!("next good revision after {}", after(at)),
        ));
    }
    notes.extend(verdict.recovers.map(|failed| format!("makes good {failed}")));
    notes
}
