//! The owner: one task that holds all state, is fed by one stream, and asks for everything else.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::Client;
use timeline::app_context::{ContextWrite, ContextWritten, WriteProblem};
use timeline::lineage::{Effect, Options, ReportWrite};
use timeline::{Key, Lineage, Observation};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::{linker, recorder};

/// Links have a deadline, reports have none: they do not share their places.
const LINKS_AT_ONCE: usize = 16;
/// More writes at once halve what the API server gets done.
const REPORTS_AT_ONCE: usize = 16;
/// A write that hangs is taken for lost; the next look tells what became of it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// With nothing due, the owner looks around this often.
const IDLE: Duration = Duration::from_mins(1);

/// The answer to an effect.
enum Answer {
    Context(Key, ContextWritten),
    Report(Key, bool),
}

/// Holds the state and runs until told to stop.
pub(crate) struct Tracer {
    lineage: Lineage,
    writer: Writer,
    metrics: Metrics,
    readiness: Readiness,
}

impl Tracer {
    /// An owner that has seen nothing yet.
    pub(crate) fn new(
        client: Client,
        options: Options,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Self {
        let writer = Writer {
            client,
            links: Arc::new(Semaphore::new(LINKS_AT_ONCE)),
            reports: Arc::new(Semaphore::new(REPORTS_AT_ONCE)),
            metrics: metrics.clone(),
        };
        Self { lineage: Lineage::new(options), writer, metrics, readiness }
    }

    /// Takes in observations and answers in the order of arrival, and starts what follows.
    pub(crate) async fn run(
        mut self,
        observations: impl Stream<Item = Observation>,
        clock: impl Fn() -> Timestamp,
        stop: CancellationToken,
    ) {
        let mut observations = std::pin::pin!(observations);
        let mut writes = JoinSet::new();
        loop {
            let now = clock();
            for effect in self.lineage.effects(now) {
                writes.spawn(self.writer.clone().perform(effect));
            }
            self.metrics.rollouts(self.lineage.rollouts());
            self.readiness.update(self.lineage.missing());
            let wait = self.lineage.due().map_or(IDLE, |due| {
                Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO)
            });
            tokio::select! {
                () = stop.cancelled() => break,
                Some(observation) = observations.next() => {
                    self.metrics.observed(&observation);
                    self.lineage.observe(observation, clock());
                }
                Some(answer) = writes.join_next() => match answer {
                    Ok(Answer::Context(app, written)) => {
                        self.lineage.written(&app, written, clock());
                    }
                    Ok(Answer::Report(key, stored)) => self.lineage.reported(&key, stored, clock()),
                    Err(error) => tracing::error!(%error, "a write ended badly"),
                },
                () = tokio::time::sleep(wait.min(IDLE)) => {}
            }
        }
        // A write under way is let finish, so that a stop leaves no answer unknown.
        let finish = async { while writes.join_next().await.is_some() {} };
        tokio::time::timeout(WRITE_TIMEOUT, finish).await.ok();
    }
}

/// Carries out effects, each in a task of its own.
#[derive(Clone)]
struct Writer {
    client: Client,
    links: Arc<Semaphore>,
    reports: Arc<Semaphore>,
    metrics: Metrics,
}

impl Writer {
    async fn perform(self, effect: Effect) -> Answer {
        match effect {
            Effect::WriteContext(app, write) => {
                let written = self.link(&app, write).await;
                Answer::Context(app, written)
            }
            Effect::WriteReport(key, report) => {
                let stored = self.record(&key, &report).await;
                Answer::Report(key, stored)
            }
        }
    }

    async fn link(self, app: &Key, write: ContextWrite) -> ContextWritten {
        let _place = self.links.acquire().await;
        let written = linker::write(self.client, app, write);
        let written = timeout(WRITE_TIMEOUT, written).await.unwrap_or_else(|_| {
            let problem = "the API server gave no answer in time";
            ContextWritten::Failed(WriteProblem::Failed(problem.to_owned()))
        });
        match &written {
            ContextWritten::Stored(seen) => {
                tracing::info!(%app, ours = seen.ours.len(), "links written");
            }
            ContextWritten::Conflict(_) => {
                tracing::debug!(%app, "somebody else was faster; trying again");
            }
            ContextWritten::Failed(problem) => {
                tracing::warn!(%app, ?problem, "KeptnAppContext not written; trying again");
            }
        }
        self.metrics.linked(&written);
        written
    }

    async fn record(self, key: &Key, report: &ReportWrite) -> bool {
        let _place = self.reports.acquire().await;
        let stored = match timeout(WRITE_TIMEOUT, recorder::record(self.client, key, report)).await
        {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "not stored; trying again");
                false
            }
            Err(_) => {
                tracing::warn!(%key, "RolloutTrace: no answer in time; trying again");
                false
            }
        };
        self.metrics.recorded(stored);
        stored
    }
}
