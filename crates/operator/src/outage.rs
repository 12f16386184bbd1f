//! Logs once why a collector takes nothing, and not with each try.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::export::Reason;

/// A reason that comes and goes is logged this often.
const LOGGED_AGAIN: Duration = Duration::from_mins(10);

/// What was logged about one collector. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outage(Arc<Mutex<Logged>>);

#[derive(Debug, Default)]
struct Logged {
    /// Why it takes nothing now.
    now: Option<Reason>,
    /// When each reason was logged last.
    last: HashMap<Reason, Instant>,
    /// That it takes nothing was logged, and not yet that it is over.
    open: bool,
}

impl Outage {
    /// It takes nothing: whether this is to be logged.
    pub(crate) fn begins(&self, reason: Reason, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.now.replace(reason) == Some(reason) {
            return false;
        }
        let last = logged.last.get(&reason);
        if last.is_some_and(|last| now.duration_since(*last) < LOGGED_AGAIN) {
            return false;
        }
        logged.last.insert(reason, now);
        logged.open = true;
        true
    }

    /// It takes something: whether this is to be logged.
    pub(crate) fn ends(&self) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.now = None;
        std::mem::take(&mut logged.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_logged_once_and_another_one_is_logged_too() {
        let (outage, now) = (Outage::default(), Instant::now());
        assert!(outage.begins(Reason::Dns, now));
        assert!(!outage.begins(Reason::Dns, now + LOGGED_AGAIN * 9));
        assert!(outage.begins(Reason::Unauthorized, now + LOGGED_AGAIN * 9));
    }

    #[test]
    fn the_end_is_logged_if_the_beginning_was() {
        let (outage, now) = (Outage::default(), Instant::now());
        assert!(!outage.ends());
        assert!(outage.begins(Reason::Tls, now));
        assert!(outage.ends());
        assert!(!outage.ends());
    }

    #[test]
    fn what_comes_and_goes_is_logged_every_ten_minutes() {
        let (outage, start) = (Outage::default(), Instant::now());
        let logged = |minute| {
            let logged = outage.begins(Reason::Timeout, start + Duration::from_mins(minute));
            outage.ends();
            logged
        };
        let minutes: Vec<_> = (0..25).filter(|minute| logged(*minute)).collect();
        assert_eq!(minutes, [0, 10, 20]);
    }
}
