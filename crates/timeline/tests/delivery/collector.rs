//! A model of a collector: it takes spans, or is away, or refuses some, and checks each on arrival.

use std::collections::BTreeMap;

use jiff::Timestamp;
use timeline::base::{SpanId, TraceId};
use timeline::journal::Journal;
use timeline::outbox::{Sent, Wait};
use timeline::spans::{Attribute, Batch, Span};
use timeline::{Key, spans};

/// How a collector deals with spans that it does not like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taste {
    /// It takes all.
    Everything,
    /// It drops pauses and says so, but not which they were.
    DropsPauses,
    /// It refuses whole requests that have a pause in them.
    RefusesPauses,
}

#[derive(Debug, Clone)]
pub(crate) struct Collector {
    pub(crate) taste: Taste,
    /// From when until when it does not answer.
    pub(crate) away: Vec<(Timestamp, Timestamp)>,
    /// Every span that was taken, with its Resource.
    pub(crate) spans: BTreeMap<(TraceId, SpanId), (Span, Vec<Attribute>)>,
    /// Requests that were taken or refused.
    pub(crate) requests: usize,
}

impl Collector {
    pub(crate) fn new(taste: Taste) -> Self {
        Self { taste, away: Vec::new(), spans: BTreeMap::new(), requests: 0 }
    }

    /// Takes a batch of spans of an attempt, of which this is stored.
    pub(crate) fn take(
        &mut self,
        attempt: &Key,
        batch: &Batch,
        stored: Option<&Journal>,
        now: Timestamp,
    ) -> Sent {
        if self.away.iter().any(|(from, until)| (*from..*until).contains(&now)) {
            return Sent::Later(Wait::default());
        }
        let Some(stored) = stored else {
            panic!("spans of {attempt} arrive, and nothing of it is stored");
        };
        assert!(stored.placed.is_some(), "spans of {attempt} arrive before it is placed");
        let after = batch.spans.iter().map(|span| span.closed).min().unwrap_or(1) - 1;
        let known = spans::of(stored, after, stored.closed);
        for span in &batch.spans {
            assert!(
                span.closed <= stored.closed,
                "{attempt}: {} is number {}, and {} are stored",
                span.name,
                span.closed,
                stored.closed
            );
            let known = known.as_ref().and_then(|known| {
                assert_eq!(known.resource, batch.resource, "{attempt}: another Resource");
                known.spans.iter().find(|known| known.id == span.id)
            });
            assert_eq!(known, Some(span), "{attempt}: what is stored makes another span");
        }
        self.requests += 1;
        let disliked = batch.spans.iter().filter(|span| self.dislikes(span)).count();
        if self.taste == Taste::RefusesPauses && disliked > 0 {
            return Sent::Refused("no pauses".to_owned());
        }
        for span in &batch.spans {
            if self.dislikes(span) {
                continue;
            }
            let received = (span.clone(), batch.resource.clone());
            let known = self.spans.entry((span.trace, span.id)).or_insert_with(|| received.clone());
            assert_eq!(*known, received, "{attempt}: one id, two spans");
        }
        match disliked {
            0 => Sent::Acknowledged,
            some => Sent::Partly(some as u64, "no pauses".to_owned()),
        }
    }

    /// Whether it does not take such a span.
    pub(crate) fn dislikes(&self, span: &Span) -> bool {
        self.taste != Taste::Everything && span.name == "pause"
    }
}
