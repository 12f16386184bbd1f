//! Where facts are delivered: each sink has an offset of its own into the journal.

use smol_str::SmolStr;

use super::{Exported, Journal};

/// Name of something that facts are delivered to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sink(SmolStr);

impl Sink {
    /// The collector that spans are sent to.
    pub const TRACES: Self = Self(SmolStr::new_static("traces"));

    /// A sink of this name.
    pub fn new(name: impl Into<SmolStr>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Journal {
    /// What a sink has acknowledged.
    pub fn offset(&self, sink: &Sink) -> &Exported {
        const NOTHING: &Exported = &Exported { until: 0, refused: 0, refusal: None };
        if *sink == Sink::TRACES {
            &self.exported
        } else {
            self.offsets.get(sink).unwrap_or(NOTHING)
        }
    }

    /// The same, to move it.
    pub fn offset_mut(&mut self, sink: &Sink) -> &mut Exported {
        if *sink == Sink::TRACES {
            &mut self.exported
        } else {
            self.offsets.entry(sink.clone()).or_default()
        }
    }

    /// Whether everything that can leave for a sink has left and nothing will follow.
    pub fn delivered_to(&self, sink: &Sink) -> bool {
        self.root_closed.is_some_and(|root| self.offset(sink).until >= root)
    }

    /// The same for the collector of traces.
    pub fn delivered(&self) -> bool {
        self.delivered_to(&Sink::TRACES)
    }

    /// What was acknowledged of another copy of this journal was acknowledged.
    pub(crate) fn catch_up_with(&mut self, other: &Self) {
        self.exported.until = self.exported.until.max(other.exported.until);
        for (sink, offset) in &other.offsets {
            let ours = self.offset_mut(sink);
            ours.until = ours.until.max(offset.until);
        }
    }
}
