//! A time, its source, and how precise it is.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// When something happened, and the source of that time.
///
/// An inferred moment is an interval: it happened after `after` (or an unknown time) and
/// not later than `at`. Any other is a point, precise to [`Moment::precision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// The time; of an interval its end.
    pub at: Timestamp,
    /// Where it is from.
    pub source: Source,
    /// Start of the interval in which it happened, if the moment is inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
}

/// Where a time is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// Our own clock, when the change arrived.
    Observed,
    /// A timestamp of the object, to the second.
    Status,
    /// The name of a Kubernetes Event, best effort.
    Event,
    /// Not recorded anywhere: a bound.
    Inferred,
}

impl Moment {
    /// Seen as it happened, by our own clock.
    pub fn observed(at: Timestamp) -> Self {
        Self { at, source: Source::Observed, after: None }
    }

    /// From a timestamp of an object, to the second.
    pub fn status(at: Timestamp) -> Self {
        Self { at, source: Source::Status, after: None }
    }

    /// From the name of a Kubernetes Event, best effort.
    pub fn event(at: Timestamp) -> Self {
        Self { at, source: Source::Event, after: None }
    }

    /// Not recorded: after `after`, not later than `at`.
    pub fn inferred(after: Option<Timestamp>, at: Timestamp) -> Self {
        Self { at, source: Source::Inferred, after: after.map(|after| after.min(at)) }
    }

    /// How exactly it is known; none if only bounds are.
    pub fn precision(&self) -> Option<SignedDuration> {
        match self.source {
            Source::Observed | Source::Event => Some(SignedDuration::from_millis(1)),
            Source::Status => Some(SignedDuration::from_secs(1)),
            Source::Inferred => None,
        }
    }

    /// The same without what is below a millisecond, which no source is good for.
    #[must_use]
    pub fn to_milliseconds(self) -> Self {
        let cut = |at: Timestamp| Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        Self { at: cut(self.at), after: self.after.map(cut), ..self }
    }

    /// The same, but not before `bound`: an end is never before its start.
    #[must_use]
    pub fn not_before(self, bound: Timestamp) -> Self {
        Self { at: self.at.max(bound), ..self }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.source, self.after) {
            (Source::Inferred, Some(after)) => write!(f, "between {after} and {}", self.at),
            (Source::Inferred, None) => write!(f, "before {}", self.at),
            _ => write!(f, "{}", self.at),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
