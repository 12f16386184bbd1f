//! Says once why a collector takes nothing, and not with each try.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::export::Reason;

/// A reason that comes and goes is told this often.
const TOLD_AGAIN: Duration = Duration::from_mins(10);

/// What was told of one collector. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outage(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    /// Why it takes nothing now.
    now: Option<Reason>,
    /// When each reason was told last.
    last: HashMap<Reason, Instant>,
    /// That it takes nothing was told, and not yet that it is over.
    open: bool,
}

impl Outage {
    /// It takes nothing: whether this is to be told.
    pub(crate) fn begins(&self, reason: Reason, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.now.replace(reason) == Some(reason) {
            return false;
        }
        let last = told.last.get(&reason);
        if last.is_some_and(|last| now.duration_since(*last) < TOLD_AGAIN) {
            return false;
        }
        told.last.insert(reason, now);
        told.open = true;
        true
    }

    /// It takes something: whether this is to be told.
    pub(crate) fn ends(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.now = None;
        std::mem::take(&mut told.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_and_another_one_is_told_too() {
        let (outage, now) = (Outage::default(), Instant::now());
        assert!(outage.begins(Reason::Dns, now));
        assert!(!outage.begins(Reason::Dns, now + TOLD_AGAIN * 9));
        assert!(outage.begins(Reason::Unauthorized, now + TOLD_AGAIN * 9));
    }

    #[test]
    fn the_end_is_told_if_the_beginning_was() {
        let (outage, now) = (Outage::default(), Instant::now());
        assert!(!outage.ends());
        assert!(outage.begins(Reason::Tls, now));
        assert!(outage.ends());
        assert!(!outage.ends());
    }

    #[test]
    fn what_comes_and_goes_is_told_every_ten_minutes() {
        let (outage, start) = (Outage::default(), Instant::now());
        let told = |minute| {
            let told = outage.begins(Reason::Timeout, start + Duration::from_mins(minute));
            outage.ends();
            told
        };
        let minutes: Vec<_> = (0..25).filter(|minute| told(*minute)).collect();
        assert_eq!(minutes, [0, 10, 20]);
    }
}
