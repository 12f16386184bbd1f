//! How what is stored of a journal gets to each sink.

use jiff::Timestamp;

use super::Delivery;
use crate::base::Turn;
use crate::journal::Sink;
use crate::outbox::way::Doubted;
use crate::outbox::write::Sent;
use crate::spans::{self, Batch};

impl Delivery {
    /// What of it may leave for a sink now.
    pub(crate) fn sendable(&self, sink: &Sink) -> Option<u32> {
        let stored = self.stored.as_ref().filter(|stored| stored.placed)?;
        self.ways.sendable(sink, self.journal.offset(sink).until, stored.closed)
    }

    /// The spans that may leave now.
    pub(crate) fn send(&mut self, sink: &Sink) -> Option<Batch> {
        let until = self.sendable(sink)?;
        let batch = spans::of(&self.journal, self.journal.offset(sink).until, until)?;
        self.ways.sending(sink, until);
        Some(batch)
    }

    /// A sink has answered for so many spans or events; how many of them are set aside though it may
    /// have taken them one day.
    pub(crate) fn sent(
        &mut self,
        sink: &Sink,
        (answer, items): (&Sent, u64),
        sinks: &[Sink],
        (jitter, now): (u32, Timestamp),
    ) -> u64 {
        let offset = self.journal.offset(sink);
        let Some(offset) = self.ways.answered(sink, answer, offset, items, (jitter, now)) else {
            return 0;
        };
        *self.journal.offset_mut(sink) = offset;
        self.look_for_unsent(sinks);
        let gone = self.stored.as_ref().is_some_and(|stored| !stored.exists());
        if !(gone && self.ends_without_object()) {
            let over = self.journal.delivered_to(sink);
            self.turned(if over { Turn::Vital } else { Turn::Moved }, now);
        }
        if matches!(answer, Sent::Later(_)) { items } else { 0 }
    }

    /// Since when the oldest entry waits that a sink could have.
    pub(crate) fn unsent(&self) -> Option<Timestamp> {
        self.unsent.values().min().copied()
    }

    /// Since when one waits for this sink, if one may leave now.
    pub(crate) fn waits_for(&self, sink: &Sink, now: Timestamp) -> Option<Timestamp> {
        self.sendable(sink)?;
        if self.ways.held(sink).is_some_and(|until| until > now) {
            return None;
        }
        Some(self.unsent.get(sink).copied().unwrap_or(self.journal.started.at))
    }

    /// When it waits for a sink again that may never take it.
    pub(crate) fn held(&self, sinks: &[Sink], now: Timestamp) -> Option<Timestamp> {
        let held = sinks.iter().filter(|sink| self.sendable(sink).is_some());
        held.filter_map(|sink| self.ways.held(sink)).filter(|until| *until > now).min()
    }

    /// Why a sink did not take what is to leave next, if that may be because of what it is.
    pub(crate) fn doubted(&self, sink: &Sink) -> Option<Doubted> {
        self.ways.doubted(sink)
    }

    pub(super) fn look_for_unsent(&mut self, sinks: &[Sink]) {
        self.unsent.clear();
        let Some(stored) = self.stored.as_ref().filter(|stored| stored.placed) else {
            return;
        };
        for sink in sinks {
            let until = self.journal.offset(sink).until;
            let next = until.saturating_add(1);
            if stored.closed > until
                && let Some(at) = self.journal.closed_at(next)
            {
                self.unsent.insert(sink.clone(), at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
