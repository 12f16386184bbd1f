//! The owner: one task that holds all state, is fed by one stream, and asks for everything else.

use std::time::{Duration, Instant};

use futures::{FutureExt, Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use timeline::base::time::later;
use timeline::engine::{Effect, LedgerChange, Options};
use timeline::outbox::Milestone;
use timeline::{Engine, Observation};
use tokio::sync::mpsc::Receiver;

use crate::admission::Published;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::own_traces::{Cause, Causes};
use crate::pods::PodWatches;
use crate::readiness::Readiness;
use crate::stop::Stop;
use crate::work::{Asked, Work};
use crate::writer::{Answer, Writer};

/// With nothing due, the owner looks around this often.
const IDLE: Duration = Duration::from_mins(1);

/// While something is due that is under way already, no faster than this.
const SHORT: Duration = Duration::from_millis(10);
/// Observations that are taken in after the stop, at most.
const ARRIVED: usize = 10_000;

/// What ends a wait of the owner.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Came {
    Observed(Observation),
    Answered(Answer, Cause),
    Nothing,
}

/// Holds the state and runs until asked to stop.
pub(crate) struct Owner {
    engine: Engine,
    writer: Writer,
    pods: PodWatches,
    pods_seen: Receiver<Observation>,
    metrics: Metrics,
    readiness: Readiness,
    published: Published,
    causes: Causes,
}

impl Owner {
    /// An owner that has seen nothing yet.
    pub(crate) fn new(
        options: Options,
        writer: Writer,
        (pods, pods_seen): (PodWatches, Receiver<Observation>),
        metrics: Metrics,
        readiness: Readiness,
        published: Published,
        causes: Causes,
    ) -> Self {
        let engine = Engine::new(options);
        Self { engine, writer, pods, pods_seen, metrics, readiness, published, causes }
    }

    /// Takes in observations and answers in the order of arrival, and starts what follows. Asked to
    /// stop, it stores what is due first; it drops all when it leads no more.
    pub(crate) async fn run(
        mut self,
        observations: impl Stream<Item = Observation>,
        clock: impl Fn() -> Timestamp,
        stop: &Stop,
        leadership: &Leadership,
    ) {
        let mut observations = std::pin::pin!(observations);
        let mut work = Work::default();
        let mut publishes = false;
        let mut turn = Instant::now();
        let mut cause = self.causes.due(clock());
        loop {
            let now = clock();
            for effect in self.engine.effects(now) {
                self.begin(effect, &cause, &mut work);
            }
            drop(std::mem::take(&mut cause));
            self.published.take_from(&mut self.engine, &mut publishes);
            self.report();
            let wait = self.engine.due().map_or(IDLE, |due| {
                Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO)
            });
            self.metrics.turned(turn.elapsed());
            let came = tokio::select! {
                () = stop.begun() => break,
                () = leadership.lost() => return,
                Some(observation) = observations.next() => Came::Observed(observation),
                Some(observation) = self.pods_seen.recv() => Came::Observed(observation),
                Some((answer, cause)) = work.next() => Came::Answered(answer, cause),
                () = tokio::time::sleep(wait.min(IDLE)) => Came::Nothing,
            };
            turn = Instant::now();
            match came {
                Came::Observed(observation) => {
                    cause = self.causes.seen(&observation, clock());
                    self.observe(observation, clock());
                }
                Came::Answered(answer, of) => {
                    self.answer(answer, &of, clock(), &mut work);
                    cause = of;
                }
                Came::Nothing => cause = self.causes.due(clock()),
            }
        }
        // What arrived before the stop was seen, too.
        for _ in 0..ARRIVED {
            let Some(Some(observation)) = observations.next().now_or_never() else { break };
            self.observe(observation, clock());
        }
        let by = stop.stores_by();
        tokio::select! {
            () = leadership.lost() => {}
            () = self.store_all(&mut work, &clock, by) => {}
            () = tokio::time::sleep_until(by) => {
                tracing::warn!("not all that was due is stored: the API server took too long");
            }
        }
    }

    /// Stores what is due or waits for company. What can be done by the next process is left to it.
    async fn store_all(
        &mut self,
        work: &mut Work,
        clock: impl Fn() -> Timestamp,
        by: tokio::time::Instant,
    ) {
        // Its journals are asked for beside the RolloutTraces that may be due already.
        self.engine.stop(clock());
        loop {
            let now = clock();
            let cause = self.causes.due(now);
            for effect in self.engine.effects(now) {
                if Asked::by(&effect).stores() {
                    self.begin(effect, &cause, work);
                }
            }
            let left = by.saturating_duration_since(tokio::time::Instant::now());
            let last = SignedDuration::try_from(left).map_or(now, |left| later(now, left));
            if !work.stores() && !self.engine.owes(last) {
                break;
            }
            let wait = self.engine.due().map_or(IDLE, |due| {
                Duration::try_from(due.duration_since(now)).unwrap_or(SHORT).max(SHORT)
            });
            tokio::select! {
                Some((answer, of)) = work.next() => self.answer(answer, &of, clock(), work),
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.report();
    }

    fn observe(&mut self, observation: Observation, now: Timestamp) {
        self.metrics.observed(&observation, now);
        self.engine.observe(observation, now);
    }

    /// Begins an effect, or does it if it takes no time.
    fn begin(&mut self, effect: Effect, cause: &Cause, work: &mut Work) {
        let writer = self.writer.clone();
        let asked = Asked::by(&effect);
        match effect {
            Effect::WriteContext(app, write) => work.begin(asked, cause, writer.link(app, write)),
            Effect::WriteReport(key, report) => {
                work.begin(asked, cause, writer.record(key, report));
            }
            Effect::WriteAttempt(key, write) => work.begin(asked, cause, writer.store(key, write)),
            Effect::Send(key, batch) => work.begin(asked, cause, writer.send(key, batch)),
            Effect::Recall(limit, page) => work.begin(asked, cause, writer.recall(limit, page)),
            Effect::ReadAttempts(key, uid) => {
                work.begin(asked, cause, writer.read(key, uid.to_string()));
            }
            Effect::Prune(attempt, keep) => work.begin(asked, cause, writer.prune(attempt, keep)),
            Effect::ReadEvents(key, set, pods) => {
                work.begin(asked, cause, writer.events(key, set, pods));
            }
            Effect::WatchPods(rollout, hash) => self.pods.watch(rollout, &hash),
            Effect::LeavePods(rollout) => self.pods.leave(&rollout),
        }
    }

    /// Takes in an answer, and begins to announce what it makes worth announcing.
    fn answer(&mut self, answer: Answer, cause: &Cause, now: Timestamp, work: &mut Work) {
        match answer {
            Answer::Context(app, written) => self.engine.written(&app, written, now),
            Answer::Report(key, written) => self.engine.reported(&key, written, now),
            Answer::Attempt(key, written) => {
                let announcements = self.engine.attempt_written(&key, written, now);
                for announcement in &announcements {
                    self.metrics.announced(announcement);
                }
                let for_people =
                    announcements.into_iter().filter(|it| it.milestone != Milestone::Settled);
                for announcement in for_people {
                    let asked = Asked::Courtesy("write events");
                    work.begin(asked, cause, self.writer.clone().announce(announcement));
                }
            }
            Answer::Sent(key, sent, spans) => {
                // Spread over a wait: the fraction of a second is as random as it needs to be.
                let jitter = now.subsec_microsecond().unsigned_abs() % 1001;
                let aside = self.engine.sent(&key, &sent, spans, jitter, now);
                self.metrics.set_aside(aside);
            }
            Answer::Recalled(attempts, page, recalled) => {
                for attempt in attempts {
                    self.engine.observe(Observation::RolloutAttempt(Box::new(attempt)), now);
                }
                self.engine.recalled(page, recalled, now);
            }
            Answer::Read(key, uid, attempts) => {
                self.engine.attempts_read(&key, &uid, attempts, now);
            }
            Answer::Events(key, seen) => self.engine.events_read(&key, &seen, now),
            Answer::Nothing => {}
        }
    }

    fn report(&mut self) {
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
