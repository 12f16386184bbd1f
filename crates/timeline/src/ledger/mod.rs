//! The ledger of a Rollout: one line for each of its attempts, the truth that DORA's metrics are
//! computed from, see [`crate::dora`].
//!
//! A line may be taken in any order and any number of times. Beyond a number of lines the oldest
//! are summed up by day, so that no figure over a window changes by it; see [`Bounds`].
//! Everything has a form as text, one line each, that a person reads in `kubectl describe`:
//! [`Line`] and [`Day`] are written by `Display` and read by `FromStr`.

mod line;
mod packed;
mod sum;
mod text;

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

pub use line::{Exposed, Id, Kind, Line, Ref, Word};
pub use packed::PackedLedger;
pub use sum::{Day, Sum};
pub use text::TextError;

use crate::base::Phase;
use crate::base::time::later;
use crate::journal::Journal;
use line::whole;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The attempts of one Rollout.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ledger {
    rollout_uid: SmolStr,
    known_since: Option<Timestamp>,
    /// Newest first.
    pub(crate) lines: Vec<Line>,
    /// Newest first.
    pub(crate) days: Vec<Day>,
    pub(crate) compacted: Option<Compacted>,
}

/// The last attempt that was summed up: what ended before it, and has no line, was so as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Compacted {
    /// When it ended.
    pub at: Timestamp,
    /// Which one it was.
    pub id: Id,
}

/// An attempt of another Rollout was to be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("attempt {id} is of the Rollout with UID {uid}, the ledger of that with UID {ledger}")]
pub struct Foreign {
    /// The attempt.
    pub id: Id,
    /// UID of its Rollout.
    pub uid: SmolStr,
    /// UID of the ledger's Rollout.
    pub ledger: SmolStr,
}

impl Ledger {
    /// An empty one. `known_since` is when the Rollout was first looked at; none if it has been
    /// looked at from its creation on.
    pub fn new(rollout_uid: impl Into<SmolStr>, known_since: Option<Timestamp>) -> Self {
        Self {
            rollout_uid: rollout_uid.into(),
            known_since: known_since.map(whole),
            lines: Vec::new(),
            days: Vec::new(),
            compacted: None,
        }
    }

    /// As it was stored.
    pub fn restored(
        rollout_uid: impl Into<SmolStr>,
        known_since: Option<Timestamp>,
        lines: impl IntoIterator<Item = Line>,
        days: impl IntoIterator<Item = Day>,
        compacted: Option<Compacted>,
    ) -> Self {
        let mut ledger = Self::new(rollout_uid, known_since);
        for line in lines {
            ledger.add(line);
        }
        for day in days {
            ledger.day(day.date).merge(&day.sum);
        }
        for day in &mut ledger.days {
            day.sum.sort();
        }
        ledger.compacted = compacted;
        ledger.sort();
        // Most are read once and never grow again.
        ledger.lines.shrink_to_fit();
        ledger.days.shrink_to_fit();
        ledger
    }

    /// What can be rebuilt where the stored one is lost: the attempts that are still there. It is
    /// known since the oldest of them after which none is missing: Argo numbers revisions without
    /// a gap, and attempts of one revision are numbered on.
    pub fn rebuilt(
        rollout_uid: impl Into<SmolStr>,
        lines: impl IntoIterator<Item = Line>,
        now: Timestamp,
    ) -> Self {
        let mut ledger = Self::new(rollout_uid, None);
        for line in lines {
            ledger.add(line);
        }
        ledger.sort();
        let mut by_revision: Vec<&Line> = ledger.lines.iter().collect();
        by_revision.sort_by_key(|line| Reverse((line.id.revision, line.id.number)));
        let follows = |newer: &Line, older: &Line| {
            let (this, last) = (&newer.id, &older.id);
            let retry =
                this.revision == last.revision && this.number.checked_sub(1) == Some(last.number);
            let next = this.number == 1 && this.revision.checked_sub(1) == Some(last.revision);
            retry || next
        };
        let whole_to = by_revision.windows(2).position(|pair| !follows(pair[0], pair[1]));
        let oldest = whole_to.map_or(by_revision.last(), |place| by_revision.get(place));
        let known_since = match oldest {
            Some(line) if line.kind == Kind::Initial && line.id.number == 1 => None,
            Some(line) => Some(line.started),
            None => Some(whole(now)),
        };
        Self { known_since, ..ledger }
    }

    /// Takes an attempt as its journal has it; whether that changed anything.
    pub fn take_journal(&mut self, journal: &Journal) -> Result<bool, Foreign> {
        let line = Line::of_journal(journal);
        let uid = &journal.identity.rollout_uid;
        if *uid != self.rollout_uid {
            let ledger = self.rollout_uid.clone();
            return Err(Foreign { id: line.id, uid: uid.clone(), ledger });
        }
        Ok(self.take(line))
    }

    /// Takes an attempt of this Rollout; whether that changed anything. One that was summed up
    /// already is not taken again.
    pub fn take(&mut self, line: Line) -> bool {
        let changed = self.add(line);
        if changed {
            self.sort();
        }
        changed
    }

    /// Whether [`Ledger::take`] would change anything.
    pub fn misses(&self, line: &Line) -> bool {
        match self.lines.iter().find(|known| known.id == line.id) {
            Some(known) => {
                let mut joined = known.clone();
                joined.join(line);
                joined != *known
            }
            None => !self.summed_up(line),
        }
    }

    /// Attempts passed unseen until then: from the next whole second on none is missing.
    pub fn missed(&mut self, until: Timestamp) {
        let known = if whole(until) < until { whole(later(until, SECOND)) } else { until };
        self.known_since = self.known_since.max(Some(known));
    }

    /// Whether `newer` says nothing new of what is over.
    pub fn says_as_much_as(&self, newer: &Self) -> bool {
        self.rollout_uid == newer.rollout_uid
            && self.known_since == newer.known_since
            && self.days == newer.days
            && self.compacted == newer.compacted
            && self.over().eq(newer.over())
    }

    /// Whether all that is over for this one is so for the other.
    pub fn is_within(&self, other: &Self) -> bool {
        self.rollout_uid == other.rollout_uid && self.over().all(|line| !other.misses(line))
    }

    fn over(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.open())
    }

    fn summed_up(&self, line: &Line) -> bool {
        self.compacted.as_ref().is_some_and(|mark| !line.open() && mark_of(line) <= *mark)
    }

    fn add(&mut self, mut line: Line) -> bool {
        if line.outcome == Phase::Promoted {
            // An earlier release wrote one.
            line.class = None;
        }
        if let Some(known) = self.lines.iter_mut().find(|known| known.id == line.id) {
            let before = known.clone();
            known.join(&line);
            return *known != before;
        }
        if self.summed_up(&line) {
            return false;
        }
        self.lines.push(line);
        true
    }

    fn sort(&mut self) {
        self.lines.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    }

    /// The sum of a day.
    pub(crate) fn day(&mut self, date: jiff::civil::Date) -> &mut Sum {
        let place = self.days.binary_search_by(|day| date.cmp(&day.date));
        let place = place.unwrap_or_else(|place| {
            self.days.insert(place, Day { date, sum: Sum::default() });
            place
        });
        &mut self.days[place].sum
    }

    /// UID of the Rollout.
    pub fn rollout_uid(&self) -> &str {
        &self.rollout_uid
    }

    /// Since when no attempt is missing; none if that is since the creation of the Rollout.
    pub fn known_since(&self) -> Option<Timestamp> {
        self.known_since
    }

    /// Since when every attempt has a line; none if none is missing and none was summed up.
    pub(crate) fn lines_since(&self) -> Option<Timestamp> {
        self.known_since.max(self.compacted.as_ref().map(|mark| mark.at))
    }

    /// The attempts that are not summed up, newest first.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The others by day, newest first.
    pub fn days(&self) -> impl Iterator<Item = &Day> {
        self.days.iter()
    }

    /// The last attempt that was summed up.
    pub fn compacted(&self) -> Option<&Compacted> {
        self.compacted.as_ref()
    }
}

/// Where an attempt stands in the order in which they are summed up.
pub(crate) fn mark_of(line: &Line) -> Compacted {
    Compacted { at: line.ended.unwrap_or(line.started), id: line.id.clone() }
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.id)
    }
}

impl FromStr for Compacted {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut words = text::words(text, 128)?;
        let at = text::time(words.next().ok_or(TextError::Missing("time"))?)?;
        let id = words.next().ok_or(TextError::Missing("attempt"))?.parse()?;
        Ok(Self { at, id })
    }
}
