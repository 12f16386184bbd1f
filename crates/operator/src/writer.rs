//! Carries out what the owner asks for, each effect in a task of its own, and brings the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kube::Client;
use smol_str::SmolStr;
use timeline::base::AttemptId;
use timeline::engine::{ReportWrite, ReportWritten};
use timeline::journal::Journal;
use timeline::keptn::app_context::{ContextWrite, ContextWritten, WriteProblem};
use timeline::outbox::{
    Announcement, AttemptWrite, AttemptWritten, NotStored, Recalled, Sent, Wait,
};
use timeline::seen::EventsSeen;
use timeline::spans::Batch;
use timeline::stored::RolloutAttemptSeen;
use timeline::{Key, Kind};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::export::{Delivered, Exporter, Reason};
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::outage::Outage;
use crate::rejection::Rejection;
use crate::{announcer, events, journalist, linker, recorder};

/// Links have a deadline, the others have none: they do not share their places.
const LINKS_AT_ONCE: usize = 16;
/// More writes at once halve what the API server gets done.
const OTHERS_AT_ONCE: usize = 16;
/// Of those places, RolloutTraces take no more than this, and what nothing waits for no more than
/// that: a journal finds one.
const TRACES_AT_ONCE: usize = 10;
const COURTESIES_AT_ONCE: usize = 4;
/// A write that hangs counts as lost; the next look shows what became of it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Words of `throughline_errors_total`: no answer within that time, and what is sent.
const TIMEOUT: &str = "timeout";
const SPANS: &str = "spans";

/// The answer to an effect.
pub(crate) enum Answer {
    /// A KeptnAppContext was written, or not.
    Context(Key, ContextWritten),
    /// A RolloutTrace was stored, or not.
    Report(Key, ReportWritten),
    /// A RolloutAttempt was stored, or not.
    Attempt(Key, AttemptWritten),
    /// A collector has answered for so many spans.
    Sent(Key, Sent, u64),
    /// RolloutAttempts that wait for the collector; the page that was asked for, and what became of
    /// it.
    Recalled(Vec<RolloutAttemptSeen>, Option<String>, Recalled),
    /// The attempts that are left of the Rollout of this UID; none if they could not be read.
    Read(Key, String, Option<Vec<Journal>>),
    /// The Events of pods of a stalled attempt.
    Events(Key, EventsSeen),
    /// Nothing waits for it.
    Nothing,
}

impl Answer {
    /// The word for what went wrong, none if nothing did.
    pub(crate) fn failed(&self) -> Option<&'static str> {
        match self {
            Self::Context(_, ContextWritten::Conflict(_))
            | Self::Attempt(_, AttemptWritten::Conflict(_)) => Some("conflict"),
            Self::Context(_, ContextWritten::Failed(_)) => Some("not_written"),
            Self::Report(_, written) if *written != ReportWritten::Stored => Some("not_stored"),
            Self::Attempt(_, written) if !matches!(written, AttemptWritten::Stored(_)) => {
                Some("not_stored")
            }
            Self::Sent(_, Sent::Partly(..) | Sent::Refused(_), _) => Some("refused"),
            Self::Sent(_, Sent::Later(_), _) => Some("postponed"),
            Self::Recalled(_, _, Recalled::Failed(_) | Recalled::Expired)
            | Self::Read(_, _, None) => Some("not_read"),
            _ => None,
        }
    }
}

/// Carries out effects; cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    namespace: Option<String>,
    exporter: Option<Exporter>,
    links: Arc<Semaphore>,
    others: Arc<Semaphore>,
    traces: Arc<Semaphore>,
    courtesies: Arc<Semaphore>,
    leadership: Leadership,
    metrics: Metrics,
    /// That Events cannot be read was logged.
    events_forbidden: Arc<AtomicBool>,
    outage: Outage,
}

impl Writer {
    pub(crate) fn new(
        client: Client,
        namespace: Option<String>,
        exporter: Option<Exporter>,
        leadership: Leadership,
        metrics: Metrics,
    ) -> Self {
        let places = |places| Arc::new(Semaphore::new(places));
        let (links, others) = (places(LINKS_AT_ONCE), places(OTHERS_AT_ONCE));
        let (traces, courtesies) = (places(TRACES_AT_ONCE), places(COURTESIES_AT_ONCE));
        let (events_forbidden, outage) = (Arc::default(), Outage::default());
        Self {
            client,
            namespace,
            exporter,
            links,
            others,
            traces,
            courtesies,
            leadership,
            metrics,
            events_forbidden,
            outage,
        }
    }

    pub(crate) async fn link(self, app: Key, write: ContextWrite) -> Answer {
        let _place = self.links.acquire().await;
        let written = linker::write(self.client.clone(), &app, write);
        let written = timeout(WRITE_TIMEOUT, written).await.unwrap_or_else(|_| {
            let problem = "the API server gave no answer in time";
            ContextWritten::Failed(WriteProblem::Failed(problem.to_owned()))
        });
        match &written {
            ContextWritten::Stored(seen) => {
                tracing::info!(%app, ours = seen.ours.len(), "links written");
            }
            ContextWritten::Removed => {
                tracing::info!(%app, "KeptnAppContext deleted: it held nothing but our links");
            }
            ContextWritten::Conflict(_) => {
                tracing::debug!(%app, "somebody else was faster; trying again");
            }
            ContextWritten::Failed(WriteProblem::NamespaceGone) => {
                tracing::info!(%app, "no links are written: the namespace is being deleted");
            }
            ContextWritten::Failed(problem) => {
                tracing::warn!(%app, ?problem, "KeptnAppContext not written; trying again");
                let error_type = match problem {
                    WriteProblem::NamespaceGone => Rejection::NamespaceGone.error_type(),
                    WriteProblem::Forbidden(_) => Rejection::Forbidden.error_type(),
                    WriteProblem::Failed(_) => "other",
                };
                self.metrics.failed("write", Kind::AppContext.resource(), error_type);
            }
        }
        self.metrics.linked(&written);
        Answer::Context(app, written)
    }

    pub(crate) async fn record(self, key: Key, report: Box<ReportWrite>) -> Answer {
        let _turn = self.traces.acquire().await;
        let _place = self.others.acquire().await;
        let recorded =
            recorder::record(self.client.clone(), &key, &report, self.leadership.epoch());
        let written = match timeout(WRITE_TIMEOUT, recorded).await {
            Ok(Ok(())) => {
                self.metrics.reported(&key, &report.report);
                ReportWritten::Stored
            }
            Ok(Err(error)) => {
                if let Some(epoch) = error.stored_epoch() {
                    self.leadership.refused(epoch);
                }
                self.not_stored(Kind::RolloutTrace, error.rejection(), &error);
                error.written()
            }
            Err(_) => {
                tracing::warn!(%key, "RolloutTrace: no answer in time; trying again");
                self.metrics.failed("write", Kind::RolloutTrace.resource(), TIMEOUT);
                ReportWritten::NotStored(NotStored::Failed)
            }
        };
        self.metrics.recorded(&written);
        Answer::Report(key, written)
    }

    pub(crate) async fn store(self, key: Key, write: Box<AttemptWrite>) -> Answer {
        let _place = self.others.acquire().await;
        let stored = journalist::store(self.client.clone(), &key, &write, self.leadership.epoch());
        let written = match timeout(WRITE_TIMEOUT, stored).await {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => {
                if let Some(epoch) = error.stored_epoch() {
                    self.leadership.refused(epoch);
                }
                self.not_stored(Kind::RolloutAttempt, error.rejection(), &error);
                error.written()
            }
            Err(_) => {
                tracing::warn!(%key, "RolloutAttempt: no answer in time; trying again");
                self.metrics.failed("write", Kind::RolloutAttempt.resource(), TIMEOUT);
                AttemptWritten::Failed
            }
        };
        if let AttemptWritten::Refused(why) = &written {
            tracing::warn!(%key, why, "the RolloutAttempt is refused; trying again ever less often");
        }
        self.metrics.stored(&written);
        Answer::Attempt(key, written)
    }

    /// Says and counts once that something was not stored.
    fn not_stored(&self, kind: Kind, rejection: Rejection, error: &impl std::error::Error) {
        match rejection {
            Rejection::NamespaceGone => {
                tracing::info!(%error, "not stored, and not tried again");
                return;
            }
            Rejection::Refused if kind == Kind::RolloutAttempt => {}
            _ => tracing::warn!(%error, "not stored; trying again"),
        }
        self.metrics.failed("write", kind.resource(), rejection.error_type());
    }

    pub(crate) async fn send(self, key: Key, batch: Box<Batch>) -> Answer {
        let spans = batch.spans.len() as u64;
        let Some(exporter) = &self.exporter else {
            return Answer::Nothing;
        };
        if let Err(error) = self.leadership.check() {
            tracing::debug!(%key, %error, "spans stay");
            return Answer::Sent(key, Sent::Later(Wait::default()), spans);
        }
        let sent = match exporter.deliver(&batch).await {
            Delivered::Acknowledged => Sent::Acknowledged,
            Delivered::Partly { refused, message } => {
                tracing::warn!(%key, refused, message, "the collector refused spans for good");
                self.metrics.failed("send", SPANS, "refused");
                Sent::Partly(refused, message)
            }
            Delivered::Refused { message } => {
                tracing::warn!(%key, spans, message, "the collector refuses these spans");
                self.metrics.failed("send", SPANS, "refused");
                Sent::Refused(message)
            }
            Delivered::Later { after, reason, message } => {
                self.postponed(&key, spans, reason, &message);
                let after = after.and_then(|after| after.try_into().ok());
                Sent::Later(Wait { after, why: Some(reason.words()), doubt: None })
            }
            Delivered::Doubtful { reason, message } => {
                self.postponed(&key, spans, reason, &message);
                let (why, doubt) = (Some(reason.words()), Some(message));
                Sent::Later(Wait { after: None, why, doubt })
            }
        };
        if !matches!(sent, Sent::Later(_)) && self.outage.ends() {
            tracing::info!("the collector takes spans again");
        }
        self.metrics.sent(&sent, spans);
        Answer::Sent(key, sent, spans)
    }

    /// Says and counts that the collector takes nothing now.
    fn postponed(&self, key: &Key, spans: u64, reason: Reason, message: &str) {
        if self.outage.begins(reason, Instant::now()) {
            tracing::warn!(%key, spans, message, "the collector takes no spans now: they are kept and sent again; logged again when the reason changes");
        } else {
            tracing::debug!(%key, spans, message, "the collector takes no spans now");
        }
        self.metrics.failed("send", SPANS, reason.error_type());
    }

    pub(crate) async fn recall(self, limit: usize, page: Option<String>) -> Answer {
        let token = page.as_deref();
        let recalled =
            journalist::recall(self.client.clone(), self.namespace.as_deref(), limit, token);
        let (error_type, why) = match timeout(WRITE_TIMEOUT, recalled).await {
            Ok(Ok((seen, next))) => return Answer::Recalled(seen, page, Recalled::Page(next)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "attempts that wait for the collector cannot be listed; trying again");
                let why = match error.rejection() {
                    Rejection::Expired => Recalled::Expired,
                    _ => Recalled::Failed(error.asked()),
                };
                (error.rejection().error_type(), why)
            }
            Err(_) => (TIMEOUT, Recalled::Failed(None)),
        };
        self.metrics.failed("list", Kind::RolloutAttempt.resource(), error_type);
        Answer::Recalled(Vec::new(), page, why)
    }

    pub(crate) async fn read(self, key: Key, uid: String) -> Answer {
        let _turn = self.courtesies.acquire().await;
        let _place = self.others.acquire().await;
        let read = journalist::read_all(self.client.clone(), &key, &uid);
        let attempts = match timeout(WRITE_TIMEOUT, read).await {
            Ok(Ok(attempts)) => Some(attempts),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the attempts that are left cannot be read; trying again");
                None
            }
            Err(_) => None,
        };
        Answer::Read(key, uid, attempts)
    }

    pub(crate) async fn events(self, key: Key, set: SmolStr, pods: Vec<SmolStr>) -> Answer {
        let _turn = self.courtesies.acquire().await;
        let _place = self.others.acquire().await;
        let read = events::read(self.client.clone(), &key.namespace, set, pods);
        match timeout(WRITE_TIMEOUT, read).await {
            Ok(Ok(seen)) => return Answer::Events(key, seen),
            Ok(Err(error)) => {
                let rejection = Rejection::of(&error);
                // It goes without them: pods and Argo still say most of what goes wrong.
                if rejection != Rejection::Forbidden {
                    tracing::debug!(%key, %error, "Events not read");
                } else if !self.events_forbidden.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "no permission to list Events: reasons go without them");
                }
                self.metrics.failed("list", "events", rejection.error_type());
            }
            Err(_) => self.metrics.failed("list", "events", TIMEOUT),
        }
        Answer::Nothing
    }

    pub(crate) async fn prune(self, attempt: AttemptId, keep: usize) -> Answer {
        let _turn = self.courtesies.acquire().await;
        let _place = self.others.acquire().await;
        let pruned = journalist::prune(self.client.clone(), &attempt, keep);
        if let Ok(Err(error)) = timeout(WRITE_TIMEOUT, pruned).await {
            tracing::warn!(%error, "old attempts stay until the next one ends");
            let error_type = error.rejection().error_type();
            self.metrics.failed("delete", Kind::RolloutAttempt.resource(), error_type);
        }
        Answer::Nothing
    }

    pub(crate) async fn announce(self, announcement: Announcement) -> Answer {
        let _turn = self.courtesies.acquire().await;
        let _place = self.others.acquire().await;
        let announced = announcer::announce(self.client.clone(), &announcement);
        if let Ok(Err(error)) = timeout(WRITE_TIMEOUT, announced).await {
            // An Event is a courtesy: the RolloutAttempt says the same.
            tracing::debug!(%error, "Event not written");
            let error_type = Rejection::of(&error).error_type();
            self.metrics.failed("write", "events.events.k8s.io", error_type);
        }
        Answer::Nothing
    }
}
