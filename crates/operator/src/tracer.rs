//! The owner: one task that holds all state, is fed by one stream, and asks for everything else.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use timeline::engine::{Effect, LedgerChange, Options};
use timeline::outbox::Told;
use timeline::{Engine, Observation};
use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::pods::PodWatches;
use crate::readiness::Readiness;
use crate::writer::{Answer, WRITE_TIMEOUT, Writer};

/// With nothing due, the owner looks around this often.
const IDLE: Duration = Duration::from_mins(1);

/// An effect on its way, with its answer at the end.
type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What ends a wait of the owner.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Came {
    Observed(Observation),
    Answered(Result<Answer, JoinError>),
    Nothing,
}

/// Holds the state and runs until told to stop.
pub(crate) struct Tracer {
    engine: Engine,
    writer: Writer,
    pods: PodWatches,
    pods_seen: Receiver<Observation>,
    metrics: Metrics,
    readiness: Readiness,
}

impl Tracer {
    /// An owner that has seen nothing yet.
    pub(crate) fn new(
        options: Options,
        writer: Writer,
        (pods, pods_seen): (PodWatches, Receiver<Observation>),
        metrics: Metrics,
        readiness: Readiness,
    ) -> Self {
        Self { engine: Engine::new(options), writer, pods, pods_seen, metrics, readiness }
    }

    /// Takes in observations and answers in the order of arrival, and starts what follows.
    pub(crate) async fn run(
        mut self,
        observations: impl Stream<Item = Observation>,
        clock: impl Fn() -> Timestamp,
        stop: CancellationToken,
    ) {
        let mut observations = std::pin::pin!(observations);
        let mut work = JoinSet::new();
        let mut turn = Instant::now();
        loop {
            let now = clock();
            for effect in self.engine.effects(now) {
                if let Some(effect) = self.begin(effect) {
                    work.spawn(effect);
                }
            }
            self.tell();
            let wait = self.engine.due().map_or(IDLE, |due| {
                Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO)
            });
            self.metrics.turned(turn.elapsed());
            let came = tokio::select! {
                () = stop.cancelled() => break,
                Some(observation) = observations.next() => Came::Observed(observation),
                Some(observation) = self.pods_seen.recv() => Came::Observed(observation),
                Some(answer) = work.join_next() => Came::Answered(answer),
                () = tokio::time::sleep(wait.min(IDLE)) => Came::Nothing,
            };
            turn = Instant::now();
            match came {
                Came::Observed(observation) => self.observe(observation, clock()),
                Came::Answered(answer) => match answer {
                    Ok(answer) => {
                        let more = self.answer(answer, clock());
                        for effect in more {
                            work.spawn(effect);
                        }
                    }
                    Err(error) => tracing::error!(%error, "a write ended badly"),
                },
                Came::Nothing => {}
            }
        }
        // A write under way is let finish, so that a stop leaves no answer unknown.
        let finish = async { while work.join_next().await.is_some() {} };
        tokio::time::timeout(WRITE_TIMEOUT, finish).await.ok();
    }

    fn observe(&mut self, observation: Observation, now: Timestamp) {
        self.metrics.observed(&observation, now);
        self.engine.observe(observation, now);
    }

    /// What has to be done for an effect; none if it is done already.
    fn begin(&mut self, effect: Effect) -> Option<Work> {
        let writer = self.writer.clone();
        Some(match effect {
            Effect::WriteContext(app, write) => Box::pin(writer.link(app, write)),
            Effect::WriteReport(key, report) => Box::pin(writer.record(key, report)),
            Effect::WriteAttempt(key, write) => Box::pin(writer.store(key, write)),
            Effect::Send(key, batch) => Box::pin(writer.send(key, batch)),
            Effect::Recall(limit) => Box::pin(writer.recall(limit)),
            Effect::ReadAttempts(key, uid) => Box::pin(writer.read(key, uid.to_string())),
            Effect::Prune(attempt, keep) => Box::pin(writer.prune(attempt, keep)),
            Effect::ReadEvents(key, set, pods) => Box::pin(writer.events(key, set, pods)),
            Effect::WatchPods(rollout, hash) => {
                self.pods.watch(rollout, &hash);
                return None;
            }
            Effect::LeavePods(rollout) => {
                self.pods.leave(&rollout);
                return None;
            }
        })
    }

    /// Takes in an answer; says what it makes worth telling people.
    fn answer(&mut self, answer: Answer, now: Timestamp) -> Vec<Work> {
        match answer {
            Answer::Context(app, written) => self.engine.written(&app, written, now),
            Answer::Report(key, written) => self.engine.reported(&key, written, now),
            Answer::Attempt(key, written) => {
                let told = self.engine.attempt_written(&key, written, now);
                for told in &told {
                    self.metrics.announced(told);
                }
                let tell =
                    |announcement| -> Work { Box::pin(self.writer.clone().announce(announcement)) };
                let events = told.into_iter().filter(|told| told.told != Told::Settled);
                return events.map(tell).collect();
            }
            Answer::Sent(key, sent, spans) => {
                // Spread over a wait: the fraction of a second is as random as it needs to be.
                let jitter = now.subsec_microsecond().unsigned_abs() % 1001;
                self.engine.sent(&key, &sent, spans, jitter, now);
            }
            Answer::Recalled(attempts, more) => {
                for attempt in attempts {
                    self.engine.observe(Observation::RolloutAttempt(Box::new(attempt)), now);
                }
                self.engine.recalled(more);
            }
            Answer::Read(key, uid, attempts) => {
                self.engine.attempts_read(&key, &uid, attempts, now);
            }
            Answer::Events(key, seen) => self.engine.events_read(&key, &seen, now),
            Answer::Nothing => {}
        }
        Vec::new()
    }

    fn tell(&mut self) {
        for LedgerChange { rollout, stored } in self.engine.ledgers_changed() {
            match stored {
                Some((ledger, settings)) => self.metrics.ledger(rollout, &ledger, settings),
                None => self.metrics.no_ledger(&rollout),
            }
        }
        self.metrics.rollouts(self.engine.rollouts());
        let (attempts, collector_away, _) = self.engine.delivery();
        self.metrics.attempts(attempts, collector_away);
        self.metrics.pod_watches(self.pods.len());
        self.metrics.behind(self.engine.behind());
        if self.readiness.update(self.engine.missing()) {
            self.metrics.missing(self.engine.missing());
        }
    }
}
