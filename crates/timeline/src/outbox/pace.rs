//! When a change of a journal is worth a write, and when a write that failed is tried again.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use jiff::{SignedDuration, Timestamp};

use super::write::NotStored;
use crate::base::backoff::{Backoff, Waits, jitter_of};
use crate::base::time::{later, since};
use crate::journal::Journal;

/// Facts of one moment arrive within about a second of each other; they are stored together.
pub(super) const GATHER: SignedDuration = SignedDuration::from_secs(1);
/// A promotion is stored together with the health that follows.
pub(super) const GATHER_END: SignedDuration = SignedDuration::from_secs(5);
/// Something that began or ended is stored within a minute, and its span leaves then; what lies
/// closer together is stored together. Sooner while an attempt is young: what a crash may cost
/// stays in proportion.
const NEWS: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(30), SignedDuration::from_mins(1));
/// What only goes on, such as measurements of an analysis, waits for other news. Without any it is
/// stored each time that the attempt has taken twice as long, at least this often.
const DETAIL: SignedDuration = SignedDuration::from_hours(1);

/// The first wait after a write that failed, and the longest.
const RETRY: Waits = Waits::between(SignedDuration::from_secs(5), SignedDuration::from_mins(1));
/// The same for one that was refused: it is of no use until something changes.
const RETRY_REFUSED: Waits =
    Waits::between(SignedDuration::from_mins(1), SignedDuration::from_hours(1));
/// Of the words of a refusal so many characters are shown.
const WORDS: usize = 256;
/// An attempt that is over and was refused so often, for about half a day, is given up.
const REFUSALS: u32 = 20;

/// What of a journal a person would look for, as a number that changes with it.
pub(super) fn news(journal: &Journal) -> u64 {
    let mut hasher = DefaultHasher::new();
    let begun = [
        journal.steps.len(),
        journal.pauses.len(),
        journal.analyses.len(),
        journal.experiments.len(),
        journal.weights.len(),
        journal.switches.len(),
        journal.marks.len(),
    ];
    let class = journal.failure.as_ref().map(|failure| failure.class);
    let state = (journal.phase, journal.exposed, journal.settled.is_some(), journal.placed);
    (begun, journal.closed, state, class).hash(&mut hasher);
    hasher.finish()
}

/// When a change that is not urgent is to be stored, after the last write.
pub(super) fn due(
    journal: &Journal,
    stored: Option<u64>,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let soon = later(now, GATHER);
    // Nothing was stored yet, or not by this process: the one before it may have ended early, and
    // so may this one.
    let Some(last) = last else {
        return soon;
    };
    let (shortest, longest) = NEWS;
    let longest = if stored == Some(news(journal)) { DETAIL } else { longest };
    let wait = since(journal.started.at, last).clamp(shortest, longest);
    later(last, wait).max(soon)
}

/// What is known of writes that do not come through.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    backoff: Backoff,
    /// Nothing can be stored any more.
    over: bool,
    pub(super) why: Option<NotStored>,
}

impl Retry {
    /// A write of this object did not come through.
    pub(crate) fn failed(&mut self, what: impl Hash, why: NotStored, now: Timestamp) {
        let (waits, asked) = match why {
            NotStored::Failed | NotStored::Forbidden => (RETRY, None),
            NotStored::Later(asked) => (RETRY, Some(asked)),
            NotStored::Refused(_) => (RETRY_REFUSED, None),
        };
        self.backoff.failed(waits, asked, jitter_of(what, now), now);
        self.why = Some(match why {
            NotStored::Refused(words) => NotStored::Refused(words.chars().take(WORDS).collect()),
            why => why,
        });
    }

    /// No write before.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.backoff.until()
    }

    /// The process ends: the last try is made now.
    pub(crate) fn cut_short(&mut self) {
        self.backoff.cut_short();
    }

    /// Nothing can be stored any more.
    pub(crate) fn never() -> Self {
        Self { over: true, ..Self::default() }
    }

    /// Whether nothing can be stored any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the same was refused again and again, for hours.
    pub(super) fn hopeless(&self) -> bool {
        matches!(self.why, Some(NotStored::Refused(_))) && self.backoff.failures() >= REFUSALS
    }
}
