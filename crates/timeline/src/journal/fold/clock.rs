//! Which times of objects are believed.

use jiff::{SignedDuration, Timestamp};

use super::super::{Journal, MarkKind};
use crate::base::Moment;

/// How the note about the time of a commit begins, which is of another clock.
pub(super) const COMMIT_TIME: &str = "commit time: ";
/// A clock that is further ahead than this is wrong.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// Kubernetes' timestamps have no fraction, ours have.
pub(super) const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The same time without what is below a millisecond, which no source is good for.
pub(super) fn milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Whether a time can be one of this cluster.
pub(super) fn sane(at: Timestamp, now: Timestamp) -> bool {
    at >= Timestamp::UNIX_EPOCH && at.duration_since(now) <= AHEAD
}

/// The end of a wait; the last of all times if there is none.
pub(super) fn not_after(since: Timestamp, wait: SignedDuration) -> Timestamp {
    since.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Whether a wait is over. One that begins in the future is not waited for.
pub(super) fn waited(since: Timestamp, wait: SignedDuration, now: Timestamp) -> bool {
    let passed = now.duration_since(since);
    passed >= wait || passed.checked_neg().is_some_and(|ahead| ahead > wait)
}

/// Seconds as a duration; the longest one if they are too many.
pub(super) fn seconds(seconds: u64) -> SignedDuration {
    i64::try_from(seconds).map_or(SignedDuration::MAX, SignedDuration::from_secs)
}

impl Journal {
    /// A time that an object states, if it can be right: `what` happened then, and not before
    /// `bound`.
    pub(super) fn stated_time(
        &mut self,
        what: &str,
        at: Option<Timestamp>,
        bound: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Moment> {
        let at = at?;
        let early = bound.is_some_and(|bound| bound.duration_since(at) > SECOND);
        if early || !sane(at, now) {
            self.doubt(what, at, now);
            return None;
        }
        let at = milliseconds(at);
        Some(Moment::status(bound.map_or(at, |bound| at.max(bound))))
    }

    /// Says once that a clock is wrong.
    pub(super) fn doubt(&mut self, what: &str, at: Timestamp, now: Timestamp) {
        if self
            .marks
            .iter()
            .all(|mark| mark.kind != MarkKind::ClockDoubted || mark.note.starts_with(COMMIT_TIME))
        {
            self.mark(MarkKind::ClockDoubted, Moment::observed(now), &format!("{what}: {at}"));
        }
    }
}
