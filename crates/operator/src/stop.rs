//! The end of the process: who is asked to stop, and until when what remains has to be done.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// All that a stop does is done by then. A pod has longer (`terminationGracePeriodSeconds`).
const LONGEST: Duration = Duration::from_secs(11);
/// What is due is stored by then; the rest is for the lease, the metrics and the admin server.
const STORED: Duration = Duration::from_secs(8);
/// The code of a process that was asked twice, and left things undone.
const UNDONE: i32 = 2;

/// That the process has to stop. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    since: Arc<OnceLock<Instant>>,
}

impl Stop {
    /// From now on the process stops.
    pub(crate) fn begin(&self) {
        self.since.get_or_init(Instant::now);
        self.token.cancel();
    }

    /// Waits until it has to.
    pub(crate) async fn begun(&self) {
        self.token.cancelled().await;
    }

    /// Whether it has to.
    pub(crate) fn has_begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// By when everything is stored.
    pub(crate) fn stores_by(&self) -> Instant {
        self.since.get().copied().unwrap_or_else(Instant::now) + STORED
    }

    /// By when the process ends.
    pub(crate) fn ends_by(&self) -> Instant {
        self.since.get().copied().unwrap_or_else(Instant::now) + LONGEST
    }

    /// SIGTERM or SIGINT begins the stop; the next one ends the process at once.
    pub(crate) fn on_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = self.clone();
        tokio::spawn(async move {
            for first in [true, false] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if first {
                    tracing::info!("asked to stop: storing what is due");
                    stop.begin();
                }
            }
            tracing::warn!("asked to stop twice: ending at once, what is due may not be stored");
            std::process::exit(UNDONE);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_shorter_than_a_pod_is_given() {
        let deployment = include_str!("../../../config/manager/deployment.yaml");
        let grace = deployment.split("terminationGracePeriodSeconds:").nth(1).unwrap();
        let grace: u64 = grace.split_whitespace().next().unwrap().parse().unwrap();
        assert!(STORED < LONGEST);
        assert!(LONGEST + Duration::from_secs(2) <= Duration::from_secs(grace));
    }
}
