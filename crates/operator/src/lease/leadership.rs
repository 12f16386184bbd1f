//! Whether this process may act now.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

/// A request was held back.
#[derive(Debug, thiserror::Error)]
#[error("not sent: this process does not lead")]
pub struct NotLeading;

/// Shared between the election, which knows, and all that act. Cheap to clone.
#[derive(Clone)]
pub struct Leadership(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Signals that the state has changed.
    changes: watch::Sender<()>,
    /// The highest epoch that refused a write of a process without a lease.
    stored: AtomicI64,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// There is no lease: this process is the only one.
    Alone,
    /// Another process leads, or none; in words, with what is wrong.
    StandsBy(String),
    /// This process leads.
    Leads { epoch: i64, until: Instant },
}

impl Leadership {
    /// Of the only process.
    pub fn alone() -> Self {
        Self::new(State::Alone)
    }

    /// Of a process that may come to lead.
    pub fn candidate() -> Self {
        Self::new(State::StandsBy("the lease was not read yet".to_owned()))
    }

    fn new(state: State) -> Self {
        let (changes, _) = watch::channel(());
        Self(Arc::new(Shared { state: Mutex::new(state), changes, stored: AtomicI64::new(0) }))
    }

    fn state(&self) -> State {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn turn(&self, state: State) {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.0.changes.send_replace(());
    }

    /// Whether this process may act at this moment. To be asked again after each wait.
    pub fn holds(&self) -> bool {
        self.holds_at(Instant::now())
    }

    /// The same at a moment of this process's clock.
    pub fn holds_at(&self, now: Instant) -> bool {
        match self.state() {
            State::Alone => true,
            State::StandsBy(_) => false,
            State::Leads { until, .. } => now < until,
        }
    }

    /// The same as an error.
    pub fn check(&self) -> Result<(), NotLeading> {
        self.holds().then_some(()).ok_or(NotLeading)
    }

    /// The number that this leader's writes carry; none where there never was a lease.
    pub fn epoch(&self) -> Option<i64> {
        match self.state() {
            State::Leads { epoch, .. } => Some(epoch),
            State::Alone | State::StandsBy(_) => {
                Some(self.0.stored.load(Ordering::Relaxed)).filter(|epoch| *epoch > 0)
            }
        }
    }

    /// Why this process does not lead, in words; none if it does.
    pub fn stands_by(&self) -> Option<String> {
        match self.state() {
            State::StandsBy(why) => Some(why),
            State::Alone | State::Leads { .. } => None,
        }
    }

    /// Waits until this process leads.
    pub async fn gained(&self) {
        self.until(|state| !matches!(state, State::StandsBy(_))).await;
    }

    /// Waits until it leads no more.
    pub async fn lost(&self) {
        self.until(|state| matches!(state, State::StandsBy(_))).await;
    }

    async fn until(&self, is: impl Fn(&State) -> bool) {
        let mut changes = self.0.changes.subscribe();
        while !is(&self.state()) {
            // The sender lives as long as this.
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// The lease is held until then at least.
    pub fn renewed(&self, epoch: i64, until: Instant) {
        self.turn(State::Leads { epoch, until });
    }

    /// Another process holds the lease, or none does.
    pub fn waits(&self, why: String) {
        if !matches!(self.state(), State::StandsBy(known) if known == why) {
            tracing::info!(why, "standby");
            self.turn(State::StandsBy(why));
        }
    }

    /// A write was refused because a later leader has written the object at this epoch.
    pub fn refused(&self, stored: i64) {
        match self.state() {
            State::Alone => {
                tracing::warn!(
                    stored,
                    "an operator with a lease has written here: do not run this one beside it"
                );
                self.0.stored.fetch_max(stored, Ordering::Relaxed);
            }
            State::StandsBy(_) => {}
            State::Leads { epoch, .. } => {
                tracing::warn!(epoch, stored, "a later leader has written: leading no more");
                self.turn(State::StandsBy(REFUSED.to_owned()));
            }
        }
    }

    /// Whether the last term ended because its writes were refused.
    pub fn was_refused(&self) -> bool {
        matches!(self.state(), State::StandsBy(why) if why == REFUSED)
    }
}

const REFUSED: &str = "a later leader has written";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_leader_that_was_not_renewed_in_time_may_not_act() {
        let leadership = Leadership::candidate();
        assert!(!leadership.holds());
        leadership.renewed(3, Instant::now() + Duration::from_secs(10));
        assert!(leadership.holds());
        assert_eq!(leadership.epoch(), Some(3));
        leadership.renewed(3, Instant::now());
        assert!(leadership.check().is_err());
    }

    #[tokio::test]
    async fn a_leader_whose_write_is_refused_leads_no_more() {
        let leadership = Leadership::candidate();
        leadership.renewed(3, Instant::now() + Duration::from_secs(10));
        leadership.gained().await;
        leadership.refused(4);
        leadership.lost().await;
        assert!(!leadership.holds() && leadership.was_refused());
    }

    #[test]
    fn the_only_process_goes_on_from_the_epoch_that_it_finds() {
        let leadership = Leadership::alone();
        assert_eq!((leadership.holds(), leadership.epoch()), (true, None));
        leadership.refused(4);
        assert_eq!((leadership.holds(), leadership.epoch()), (true, Some(4)));
    }
}
