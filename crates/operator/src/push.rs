//! Pushes metrics to a collector, beside the owner: at each interval, and once more at the end, so
//! that what a process counted last is not lost.
//!
//! Counts are cumulative: what does not come through is not sent again, the next push says more.

use jiff::Timestamp;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::export::metrics::{MetricsExporter, Requests, Resource, TextError};
use crate::export::{Delivered, Reason};
use crate::metrics::Metrics;

/// Word of `throughline_errors_total` for what is sent.
const METRICS: &str = "metrics";

/// What is pushed, and where to.
pub(crate) struct Push {
    pub(crate) exporter: MetricsExporter,
    pub(crate) metrics: Metrics,
    /// When this process began to count.
    pub(crate) started: Timestamp,
    pub(crate) clock: fn() -> Timestamp,
}

/// Why not all metrics came through.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("{1}")]
    Unavailable(Reason, String),
    #[error("the collector refuses {points} points: {message}")]
    Refused { points: u64, message: String },
    #[error("the collector did not take all of them within {0:?}")]
    TooSlow(std::time::Duration),
    #[error("they cannot be written: {0}")]
    Unwritten(#[from] std::fmt::Error),
    #[error(transparent)]
    Unreadable(#[from] TextError),
    #[error("the thread that writes them is gone: {0}")]
    Gone(#[from] JoinError),
}

impl PushError {
    /// Its word in `throughline_errors_total`.
    fn error_type(&self) -> &'static str {
        match self {
            Self::Unavailable(reason, _) => reason.error_type(),
            Self::Refused { .. } => "refused",
            Self::TooSlow(_) => "timeout",
            Self::Unreadable(_) => "unreadable",
            Self::Unwritten(_) | Self::Gone(_) => "other",
        }
    }
}

impl Push {
    /// Pushes until asked to stop, then once more.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let interval = self.exporter.interval();
        let mut ticks = interval_at(Instant::now() + interval, interval);
        // One that is late is not followed by two at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taken = true;
        let pushes = async {
            loop {
                ticks.tick().await;
                taken = self.push(self.exporter.export_timeout(), taken).await;
            }
        };
        // A collector that hangs just now does not keep the last counts from being sent.
        stop.run_until_cancelled(pushes).await;
        self.push(self.exporter.timeout(), taken).await;
    }

    /// Sends everything once; whether all of it was taken. Logs when that changes.
    async fn push(&self, limit: std::time::Duration, before: bool) -> bool {
        let sent = timeout(limit, self.send()).await;
        let sent = sent.unwrap_or_else(|_| Err(self.failed(PushError::TooSlow(limit))));
        match (before, &sent) {
            (true, Err(error)) => {
                tracing::warn!(%error, "metrics do not come through; each push tries again");
            }
            (false, Ok(())) => tracing::info!("metrics come through again"),
            (false, Err(error)) => tracing::debug!(%error, "metrics do not come through"),
            (true, Ok(())) => {}
        }
        sent.is_ok()
    }

    /// Sends one request after another; the first thing that went wrong.
    async fn send(&self) -> Result<(), PushError> {
        let now = (self.clock)();
        let metrics = self.metrics.clone();
        let text = spawn_blocking(move || metrics.text_at(now)).await;
        let text = text.map_err(|error| self.failed(error.into()))?;
        let text = text.map_err(|error| self.failed(error.into()))?;
        let attributes = self.exporter.resource().to_vec();
        let mut requests = Requests::new(text, Resource { attributes, started: self.started }, now);
        let mut wrong = None;
        loop {
            let next = spawn_blocking(move || (requests.next(), requests)).await;
            let (request, rest) = next.map_err(|error| self.failed(error.into()))?;
            requests = rest;
            let Some(request) = request else { break };
            let request = request.map_err(|error| self.failed(error.into()))?;
            let points = request.points;
            match self.exporter.deliver(request).await {
                Delivered::Acknowledged => {}
                Delivered::Partly { refused: points, message } => {
                    let error = self.failed(PushError::Refused { points, message });
                    wrong.get_or_insert(error);
                }
                Delivered::Refused { message } => {
                    let error = self.failed(PushError::Refused { points, message });
                    wrong.get_or_insert(error);
                }
                // The collector is not there: it would not be for the other requests either.
                Delivered::Later { reason, message, .. }
                | Delivered::Doubtful { reason, message } => {
                    return Err(self.failed(PushError::Unavailable(reason, message)));
                }
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    fn failed(&self, error: PushError) -> PushError {
        self.metrics.failed("send", METRICS, error.error_type());
        error
    }
}

#[cfg(test)]
mod tests;
