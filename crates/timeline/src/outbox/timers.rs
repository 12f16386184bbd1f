//! When each journal is due next, even if nothing arrives.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::base::{ByKey, Key};

/// One time for each key at most, in both orders.
#[derive(Debug, Default)]
pub(super) struct Timers {
    order: BTreeSet<(Timestamp, Key)>,
    due_of: ByKey<Timestamp>,
}

impl Timers {
    /// Files a key under when it is due, in place of what stood there; None takes it out.
    pub(super) fn set(&mut self, key: &Key, due: Option<Timestamp>) {
        if let Some(earlier) = self.due_of.remove(key) {
            self.order.remove(&(earlier, key.clone()));
        }
        if let Some(due) = due {
            self.order.insert((due, key.clone()));
            self.due_of.insert(key.clone(), due);
        }
    }

    /// When the first one is due.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Takes one out that is due by now.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<Key> {
        let (due, _) = self.order.first()?;
        if *due > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.due_of.remove(&key);
        Some(key)
    }
}
