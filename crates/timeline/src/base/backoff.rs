//! How long something that fails is left alone before the next try.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use jiff::{SignedDuration, Timestamp};

use super::time::{later, times};

/// A server may ask for a longer wait than ours, up to this.
pub const LONGEST_ASKED: SignedDuration = SignedDuration::from_hours(1);

/// The first wait of something that fails, and the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// After the first failure.
    pub first: SignedDuration,
    /// After many.
    pub longest: SignedDuration,
}

impl Waits {
    /// Waits between these two.
    pub const fn between(first: SignedDuration, longest: SignedDuration) -> Self {
        Self { first, longest }
    }
}

/// How often something failed in a row, and until when it is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    until: Option<Timestamp>,
}

impl Backoff {
    /// It failed. The wait doubles each time, `jitter` (0 to 1000) takes away up to half of it, and it
    /// is never shorter than what the other side asked for, up to [`LONGEST_ASKED`].
    pub fn failed(
        &mut self,
        waits: Waits,
        asked: Option<SignedDuration>,
        jitter: u32,
        now: Timestamp,
    ) {
        self.failures = self.failures.saturating_add(1);
        let wait = doubled(waits, self.failures);
        let jitter = i32::try_from(jitter.min(1000)).unwrap_or(0);
        let kept = 2000_i32.saturating_sub(jitter);
        let wait = times(wait, kept).checked_div(2000).unwrap_or(wait);
        let asked = asked.unwrap_or_default().clamp(SignedDuration::ZERO, LONGEST_ASKED);
        self.until = Some(later(now, wait.max(asked)));
    }

    /// How often in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// No try before; none if the last one came through, or the wait was cut short.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Whether a try may be made now.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// The next try may be made at once, and waits longer if it fails again.
    pub fn cut_short(&mut self) {
        self.until = None;
    }
}

/// A number from 0 to 1000 that differs between things that fail at the same moment.
pub fn jitter_of(what: impl Hash, now: Timestamp) -> u32 {
    let mut hasher = DefaultHasher::new();
    (what, now).hash(&mut hasher);
    u32::try_from(hasher.finish() % 1001).unwrap_or(0)
}

fn doubled(waits: Waits, failures: u32) -> SignedDuration {
    let factor = 1_i32.checked_shl(failures.saturating_sub(1).min(30)).unwrap_or(i32::MAX);
    times(waits.first, factor).min(waits.longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits =
        Waits::between(SignedDuration::from_secs(5), SignedDuration::from_secs(60));

    fn waits(asked: Option<SignedDuration>, jitter: u32) -> Vec<i64> {
        let mut backoff = Backoff::default();
        let now = Timestamp::UNIX_EPOCH;
        let wait = |_| {
            backoff.failed(WAITS, asked, jitter, now);
            backoff.until().unwrap().as_second()
        };
        (0..6).map(wait).collect()
    }

    #[test]
    fn a_wait_doubles_with_each_failure_up_to_the_longest() {
        assert_eq!(waits(None, 0), [5, 10, 20, 40, 60, 60]);
        let many = Backoff { failures: u32::MAX, until: None };
        assert_eq!(doubled(WAITS, many.failures()), WAITS.longest);
        assert_eq!(doubled(WAITS, 0), WAITS.first);
    }

    #[test]
    fn jitter_takes_away_up_to_half() {
        assert_eq!(waits(None, 1000), [2, 5, 10, 20, 30, 30]);
        assert_eq!(waits(None, u32::MAX), waits(None, 1000));
        let spread: Vec<u32> = (0..100).map(|n| jitter_of(n, Timestamp::UNIX_EPOCH)).collect();
        assert!(spread.iter().any(|jitter| *jitter < 200));
        assert!(spread.iter().any(|jitter| *jitter > 800));
    }

    #[test]
    fn what_the_other_side_asks_for_is_kept_up_to_an_hour() {
        let asked = |seconds| waits(Some(SignedDuration::from_secs(seconds)), 1000)[0];
        assert_eq!([1, 30, 3600, 7200, -5].map(asked), [2, 30, 3600, 3600, 2]);
    }

    #[test]
    fn a_wait_that_is_cut_short_is_longer_the_next_time() {
        let mut backoff = Backoff::default();
        let now = Timestamp::UNIX_EPOCH;
        backoff.failed(WAITS, None, 0, now);
        assert!(!backoff.is_over(now));
        backoff.cut_short();
        assert!(backoff.is_over(now));
        backoff.failed(WAITS, None, 0, now);
        assert_eq!(backoff.until().map(Timestamp::as_second), Some(10));
    }
}
