//! How long a request that failed is not made again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// More is not waited, whatever the server asks for.
const HOUR: Duration = Duration::from_hours(1);

/// Waits that double from `first` up to what is allowed for each failure.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    times: u32,
}

impl Backoff {
    pub(super) const fn new(first: Duration) -> Self {
        Self { first, times: 0 }
    }

    /// It went well: the next failure is the first again.
    pub(super) fn reset(&mut self) {
        self.times = 0;
    }

    /// How long to wait after one more failure: at most `longest`, and at least what the server asks
    /// for, up to an hour. `chance` is any number: a quarter of the wait hangs on it, so that those
    /// who failed together do not come back together.
    pub(super) fn next(
        &mut self,
        longest: Duration,
        asked: Option<Duration>,
        chance: u64,
    ) -> Duration {
        let wait = self.first.saturating_mul(1 << self.times.min(16)).min(longest);
        self.times = self.times.saturating_add(1);
        let quarter = wait / 4;
        let part = u32::try_from(chance % 1000).unwrap_or(0);
        let less = quarter * part / 1000;
        match asked {
            Some(asked) if asked > wait => asked.min(HOUR) + less.min(HOUR / 60),
            _ => wait.saturating_sub(less),
        }
    }
}

/// Any number: no two processes, and no two calls, get the same ones.
pub(super) fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(45);

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_when_it_went_well() {
        let mut backoff = Backoff::new(Duration::from_millis(500));
        let waits: Vec<_> = (0..9).map(|_| backoff.next(LONGEST, None, 0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 45000, 45000]);
        backoff.reset();
        assert_eq!(backoff.next(LONGEST, None, 0).as_millis(), 500);
    }

    #[test]
    fn those_who_failed_together_come_back_apart_within_a_quarter_of_the_wait() {
        let waits: Vec<_> = (0..100)
            .map(|_| Backoff::new(LONGEST).next(LONGEST, None, chance()).as_millis())
            .collect();
        assert!(waits.iter().all(|wait| (33_750..=45_000).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed_up_to_an_hour() {
        let asked = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            Backoff::new(Duration::from_secs(1)).next(LONGEST, asked, 0).as_secs()
        };
        assert_eq!(asked(0), 1, "never sooner than without it");
        assert_eq!(asked(90), 90);
        assert_eq!(asked(u64::MAX), 3600);
    }

    #[test]
    fn any_number_of_failures_is_no_overflow() {
        let mut backoff = Backoff { first: Duration::MAX, times: u32::MAX };
        assert!(backoff.next(LONGEST, None, u64::MAX) <= LONGEST);
    }
}
