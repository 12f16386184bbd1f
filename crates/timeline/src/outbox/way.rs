//! The way of one journal to each sink: what is under way, and how much may go at once.

use std::collections::BTreeMap;

use super::write::Sent;
use crate::journal::{Exported, Sink};

/// Entries of one request; an AnalysisRun brings its measurements beyond that.
const ENTRIES_AT_ONCE: u32 = 64;

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
    ) -> Option<Exported> {
        let way = self.of(sink);
        let until = way.sending.take()?;
        let entries = until.saturating_sub(offset.until);
        let mut offset = offset.clone();
        match sent {
            Sent::Later(_) => return None,
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
        Some(offset)
    }

    /// Whether anything is under way.
    pub(super) fn busy(&self) -> bool {
        self.0.values().any(|way| way.sending.is_some())
    }

    fn of(&mut self, sink: &Sink) -> &mut Way {
        let new = || Way { sending: None, at_once: ENTRIES_AT_ONCE };
        self.0.entry(sink.clone()).or_insert_with(new)
    }
}
