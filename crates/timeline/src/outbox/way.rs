//! The way of one journal to each sink: what is under way, and how much may go at once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::write::{Sent, Wait};
use crate::base::backoff::{Backoff, Waits};
use crate::base::time::since;
use crate::journal::{Exported, Sink};

/// A sink did not take something, perhaps because of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Doubted {
    /// What the sink said, if it said anything.
    pub(crate) why: Option<&'static str>,
}

/// Entries of one request; an AnalysisRun brings its measurements beyond that.
const ENTRIES_AT_ONCE: u32 = 64;

/// Between tries of what the sink may never take; others go meanwhile.
const DOUBT: Waits = Waits::between(SignedDuration::from_secs(1), SignedDuration::from_mins(5));
/// After this time and so many tries it is set aside.
const LONGEST_DOUBT: (SignedDuration, u32) = (SignedDuration::from_hours(24), 8);

/// The ways to all sinks.
#[derive(Debug, Default)]
pub(super) struct Ways(BTreeMap<Sink, Way>);

/// The way to one sink.
#[derive(Debug)]
struct Way {
    /// The number up to which entries are under way.
    sending: Option<u32>,
    /// How many entries may go at once; halved to find one that is refused.
    at_once: u32,
    doubt: Option<Doubt>,
}

/// What is to leave next was not taken, perhaps because of what it is.
#[derive(Debug)]
struct Doubt {
    since: Timestamp,
    backoff: Backoff,
    why: Option<&'static str>,
}

impl Ways {
    /// The number of the last entry that may leave now; none if nothing may.
    pub(super) fn sendable(&self, sink: &Sink, sent: u32, stored: u32) -> Option<u32> {
        let way = self.0.get(sink);
        let busy = way.is_some_and(|way| way.sending.is_some());
        let at_once = way.map_or(ENTRIES_AT_ONCE, |way| way.at_once);
        let until = stored.min(sent.saturating_add(at_once));
        (!busy && until > sent).then_some(until)
    }

    /// Entries up to this number have left for a sink.
    pub(super) fn sending(&mut self, sink: &Sink, until: u32) {
        self.of(sink).sending = Some(until);
    }

    /// A sink has answered for so many spans or events: where its offset is then, if it moves.
    pub(super) fn answered(
        &mut self,
        sink: &Sink,
        sent: &Sent,
        offset: &Exported,
        items: u64,
        (jitter, now): (u32, Timestamp),
    ) -> Option<Exported> {
        let way = self.of(sink);
        let until = way.sending.take()?;
        let entries = until.saturating_sub(offset.until);
        let mut offset = offset.clone();
        match sent {
            Sent::Later(Wait { doubt: None, .. }) => return None,
            Sent::Later(Wait { doubt: Some(words), why, after }) => {
                // A message that is too large for the sink gets through in parts.
                way.at_once = entries.div_ceil(2).max(1);
                let doubt = way.doubt.get_or_insert_with(|| Doubt {
                    since: now,
                    backoff: Backoff::default(),
                    why: *why,
                });
                doubt.why = *why;
                doubt.backoff.failed(DOUBT, *after, jitter, now);
                let (longest, tries) = LONGEST_DOUBT;
                let hopeless =
                    since(doubt.since, now) >= longest && doubt.backoff.failures() >= tries;
                if entries > 1 || !hopeless {
                    return None;
                }
                offset.refuse(until, items, words);
            }
            Sent::Refused(_) if entries > 1 => {
                way.at_once = entries.div_ceil(2);
                return None;
            }
            Sent::Acknowledged => {
                offset.until = offset.until.max(until);
                way.at_once = way.at_once.saturating_mul(2).min(ENTRIES_AT_ONCE);
            }
            Sent::Partly(refused, why) => offset.refuse(until, *refused, why),
            Sent::Refused(why) => offset.refuse(until, items, why),
        }
        way.doubt = None;
        Some(offset)
    }

    /// Until when nothing leaves for a sink that it may never take.
    pub(super) fn held(&self, sink: &Sink) -> Option<Timestamp> {
        self.0.get(sink)?.doubt.as_ref()?.backoff.until()
    }

    /// Why a sink did not take what is to leave next, if that may be because of what it is.
    pub(super) fn doubted(&self, sink: &Sink) -> Option<Doubted> {
        Some(Doubted { why: self.0.get(sink)?.doubt.as_ref()?.why })
    }

    /// Whether a sink may never take what is to leave next.
    pub(super) fn in_doubt(&self) -> bool {
        self.0.values().any(|way| way.doubt.is_some())
    }

    /// Whether anything is under way.
    pub(super) fn busy(&self) -> bool {
        self.0.values().any(|way| way.sending.is_some())
    }

    fn of(&mut self, sink: &Sink) -> &mut Way {
        let new = || Way { sending: None, at_once: ENTRIES_AT_ONCE, doubt: None };
        self.0.entry(sink.clone()).or_insert_with(new)
    }
}
