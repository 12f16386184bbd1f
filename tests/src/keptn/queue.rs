//! What is due when.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

/// One object to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Work {
    /// A `KeptnAppCreationRequest`.
    CreationRequest(String),
    /// A `KeptnApp`.
    App(String),
    /// A `KeptnAppVersion`.
    AppVersion(String),
    /// A `KeptnWorkload`.
    Workload(String),
    /// A `KeptnWorkloadVersion`.
    WorkloadVersion(String),
    /// A gated pod.
    Pod(String),
}

/// Work by the time it is due, then in the order it came. Each piece is in it once, at its
/// earliest time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: BTreeSet<(Instant, u64, Work)>,
    entries: HashMap<Work, (Instant, u64)>,
    count: u64,
}

impl Queue {
    /// Puts work in, unless it is due earlier already.
    pub(super) fn add(&mut self, work: Work, now: Instant, after: Duration) {
        let due = now + after;
        if let Some(&(earlier, count)) = self.entries.get(&work) {
            if earlier <= due {
                return;
            }
            self.order.remove(&(earlier, count, work.clone()));
        }
        self.count += 1;
        self.entries.insert(work.clone(), (due, self.count));
        self.order.insert((due, self.count, work));
    }

    /// When the next piece is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.order.first().map(|(due, ..)| *due)
    }

    /// Takes the next piece, if it is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Work> {
        if self.next_due()? > now {
            return None;
        }
        let (_, _, work) = self.order.pop_first()?;
        self.entries.remove(&work);
        Some(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_once_at_its_earliest_time() {
        let (now, app) = (Instant::now(), Work::App("shop".into()));
        let mut queue = Queue::default();
        queue.add(app.clone(), now, Duration::from_secs(9));
        queue.add(Work::Pod("a".into()), now, Duration::ZERO);
        queue.add(app.clone(), now, Duration::ZERO);
        queue.add(app.clone(), now, Duration::from_secs(5));
        assert_eq!(queue.take(now), Some(Work::Pod("a".into())));
        assert_eq!(queue.take(now), Some(app));
        assert_eq!(queue.take(now + Duration::from_secs(99)), None);
    }
}
