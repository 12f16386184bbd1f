//! Attempts in few words: times are hours after the first of them.

use jiff::{SignedDuration, Timestamp};
use timeline::base::Phase;
use timeline::dora::{Figures, Settings, Window, figures};
use timeline::ledger::{Exposed, Id, Kind, Ledger, Line, Word};
use timeline::seen::commit::{CommitTime, Source};

/// The midnight that hours are counted from.
pub(crate) const DAY_ONE: Timestamp = Timestamp::constant(1_793_491_200, 0);
/// UID of the Rollout.
pub(crate) const UID: &str = "1ca4f93b-c37f-437d-8401-e966a2eef6f4";

pub(crate) fn second(seconds: i64) -> Timestamp {
    DAY_ONE.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub(crate) fn minute(minutes: i64) -> Timestamp {
    second(minutes * 60)
}

pub(crate) fn hour(hours: i64) -> Timestamp {
    minute(hours * 60)
}

/// An attempt at `revision` of the hash `hash`, from `started` to `ended`.
pub(crate) fn attempt(
    revision: i64,
    hash: &str,
    outcome: Phase,
    started: Timestamp,
    ended: Timestamp,
) -> Line {
    let exposed = if outcome == Phase::Promoted { Exposed::Yes } else { Exposed::No };
    let line = Line::begin(Id::new(revision, 1, hash), started);
    Line { outcome, ended: Some(ended), exposed, ..line }
}

pub(crate) trait Build: Sized {
    fn line(self) -> Line;

    fn kind(self, kind: Kind) -> Line {
        Line { kind, ..self.line() }
    }

    fn number(self, number: u32) -> Line {
        let mut line = self.line();
        line.id.number = number;
        line
    }

    fn exposed_at(self, at: Timestamp) -> Line {
        Line { exposed: Exposed::Yes, exposed_at: Some(at), ..self.line() }
    }

    fn settled(self, at: Timestamp) -> Line {
        Line { settled: Some(at), ..self.line() }
    }

    fn commit(self, digits: &str, at: Timestamp) -> Line {
        let commit_time = CommitTime::At(at, Source::Throughline);
        Line { commit: Word::new(digits, 40), commit_time, ..self.line() }
    }
}

impl Build for Line {
    fn line(self) -> Line {
        self
    }
}

pub(crate) fn ledger(lines: impl IntoIterator<Item = Line>) -> Ledger {
    let mut ledger = Ledger::new(UID, None);
    for line in lines {
        ledger.take(line);
    }
    ledger
}

/// Figures over the last `days` days.
pub(crate) fn over(days: u16, now: Timestamp, ledger: &Ledger) -> Figures {
    figures([ledger], Window::days(days, now).unwrap(), &Settings::default())
}
