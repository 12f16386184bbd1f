//! Which watches run: what the owner cannot know, because a watch that is begun again in time, and
//! one that is not, bring nothing alike.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use timeline::Kind;

/// The watches that do not run; shared between them and what asks.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<BTreeMap<Kind, Broken>>>);

struct Broken {
    since: Instant,
    why: String,
}

impl Connections {
    /// Nothing has been heard of a kind since then. What was said first stands, the newest reason is
    /// kept.
    pub(crate) fn broken(&self, kind: Kind, since: Instant, why: String) {
        let mut broken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = broken.entry(kind).or_insert_with(|| Broken { since, why: String::new() });
        entry.since = entry.since.min(since);
        entry.why = why;
    }

    /// It runs, or there is nothing to watch.
    pub(crate) fn well(&self, kind: Kind) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&kind);
    }

    /// How long the watch of a kind does not run, and why; none if it does.
    pub(crate) fn broken_for(&self, kind: Kind, now: Instant) -> Option<(Duration, String)> {
        let broken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = broken.get(&kind)?;
        Some((now.saturating_duration_since(entry.since), entry.why.clone()))
    }
}
