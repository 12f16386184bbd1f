//! Metrics in OpenMetrics text, which is served, and made into OTLP's: the operator's own health
//! here, what attempts came to in [`attempts`], and what ledgers come to in [`dora`].
//!
//! No label ever holds a revision, hash, version, commit or message; a Rollout is named only by
//! `throughline_attempts`, which has a few series for each that had an attempt since the start, and
//! by `throughline_attempt_failures` and `throughline_rollout_info`, which have one for each that
//! there is. `docs/metrics.md` lists all of them.

mod admissions;
mod attempts;
#[cfg(test)]
mod documented;
mod dora;
mod health;
mod process;
mod teams;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use admissions::Admissions;
use attempts::Attempts;
use dora::Dora;
pub use dora::Gauges;
use health::Health;
use jiff::Timestamp;
use process::Process;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use teams::Teams;
use timeline::engine::ReportWritten;
use timeline::keptn::app_context::ContextWritten;
use timeline::ledger::Ledger;
use timeline::outbox::{Announcement, AttemptWritten, Behind, Milestone, NotStored, Sent};
use timeline::seen::Unavailable;
use timeline::stored::{OBSERVE_ONLY, Report};
use timeline::{Key, Kind, Observation};

use crate::observe::event;
use crate::watch::Connections;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    resource: &'static str,
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Resource {
    resource: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counters and gauges; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    events: Family<Event, Counter>,
    context_writes: Family<Outcome, Counter>,
    trace_writes: Family<Outcome, Counter>,
    attempt_writes: Family<Outcome, Counter>,
    spans: Family<Outcome, Counter>,
    rollouts: Gauge<f64, AtomicU64>,
    attempts: Gauge,
    collector_away: Gauge,
    process: Process,
    ended: Attempts,
    admissions: Admissions,
    dora: Dora,
    health: Health,
    teams: Teams,
    clock: fn() -> Timestamp,
}

impl Metrics {
    /// With nothing counted yet; `clock` says how long ago is what is behind, and until when the
    /// windows of DORA's metrics reach, of which those of so many days have gauges.
    pub(crate) fn new(clock: fn() -> Timestamp, windows: &[u16]) -> Self {
        let mut registry = Registry::with_prefix("throughline");
        let events = Family::default();
        let context_writes = Family::<Outcome, Counter>::default();
        let trace_writes = Family::<Outcome, Counter>::default();
        let attempt_writes = Family::<Outcome, Counter>::default();
        let spans = Family::<Outcome, Counter>::default();
        let rollouts = Gauge::default();
        let (attempts, collector_away) = (Gauge::default(), Gauge::default());
        registry.register(
            "watch_events",
            "Objects and lists that the watches brought, by resource and event",
            events.clone(),
        );
        registry.register(
            "app_context_writes",
            "Writes to KeptnAppContexts, by outcome",
            context_writes.clone(),
        );
        registry.register(
            "rollout_trace_writes",
            "Writes of RolloutTraces, by outcome",
            trace_writes.clone(),
        );
        registry.register(
            "rollout_attempt_writes",
            "Writes of RolloutAttempts, by outcome",
            attempt_writes.clone(),
        );
        registry.register(
            "spans",
            "Spans that a collector answered for, by outcome",
            spans.clone(),
        );
        registry.register("rollouts", "Rollouts that are followed", rollouts.clone());
        registry.register(
            "attempts_pending",
            "Attempts in memory that are under way or not delivered",
            attempts.clone(),
        );
        registry.register(
            "collector_away",
            "1 while the collector does not accept spans",
            collector_away.clone(),
        );
        // A rise from nothing to 1 is none to Prometheus; one from 0 is.
        for (family, outcomes) in [
            (&context_writes, &["stored", "conflict", "failed"][..]),
            (&trace_writes, &["stored", "failed"]),
            (&attempt_writes, &["stored", "failed", "refused"]),
            (&spans, &["acknowledged", "refused"]),
        ] {
            for outcome in outcomes {
                drop(family.get_or_create(&Outcome { outcome }));
            }
        }
        let process = Process::register(&mut registry);
        let ended = Attempts::register(&mut registry);
        let admissions = Admissions::register(&mut registry);
        let dora = Dora::register(&mut registry, clock, windows);
        let health = Health::register(&mut registry);
        let teams = Teams::register(&mut registry);
        Self {
            registry: Arc::new(registry),
            events,
            context_writes,
            trace_writes,
            attempt_writes,
            spans,
            rollouts,
            attempts,
            collector_away,
            process,
            ended,
            admissions,
            dora,
            health,
            teams,
            clock,
        }
    }

    /// An observation was taken in.
    pub(crate) fn observed(&self, observation: &Observation, now: Timestamp) {
        let (kind, event) = event(observation);
        self.events.get_or_create(&Event { resource: kind.resource(), event }).inc();
        match observation {
            Observation::Unavailable(..) => return,
            Observation::Rollout(seen) => self.ended.follow(&seen.key),
            Observation::RolloutTrace(seen) => {
                let stored = seen.stored.as_ref();
                let attempts = stored.map_or(&[][..], |stored| &stored.attempts);
                self.health.links_found(&seen.key, attempts);
            }
            Observation::Gone(Kind::Rollout, key) => self.forget(|rollout| rollout == key),
            Observation::Listed(Kind::Rollout, present) => {
                self.forget(|rollout| !present.contains(rollout));
            }
            Observation::Invalid(..) => self.failed("read", kind.resource(), "invalid"),
            _ => {}
        }
        self.health.event(kind, now);
    }

    fn forget(&self, gone: impl Fn(&Key) -> bool) {
        self.ended.forget(&gone);
        self.health.forget(&gone);
        self.teams.forget(&gone);
    }

    /// There is this Rollout, and this team owns it; empty if none is known.
    pub(crate) fn owned(&self, rollout: &Key, team: &str) {
        self.teams.own(rollout, team);
    }

    /// A request failed, or an object cannot be read.
    ///
    /// `operation` is read, list, watch, write, delete or send; `error_type` is one of few words.
    pub(crate) fn failed(
        &self,
        operation: &'static str,
        resource: &'static str,
        error_type: &'static str,
    ) {
        self.health.failed(operation, resource, error_type);
    }

    /// The kinds that are not watched now, and why where that is known.
    pub(crate) fn missing<'a>(
        &self,
        missing: impl Iterator<Item = (Kind, Option<&'a Unavailable>)>,
    ) {
        self.health.missing(missing);
    }

    /// What of the journals is not where it should be.
    pub(crate) fn behind(&self, behind: Behind) {
        self.health.behind(behind);
    }

    /// A RolloutTrace that says this is stored.
    pub(crate) fn reported(&self, rollout: &Key, report: &Report) {
        let wanted = report.linked.reason != OBSERVE_ONLY;
        self.health.links_stored(rollout, &report.attempts, wanted);
    }

    /// The API server asked about a KeptnAppVersion.
    pub(crate) fn admitted(&self, answer: &'static str) {
        self.admissions.answered(answer);
    }

    /// A write to a KeptnAppContext came back.
    pub(crate) fn linked(&self, written: &ContextWritten) {
        let outcome = match written {
            ContextWritten::Stored(_) | ContextWritten::Removed => "stored",
            ContextWritten::Conflict(_) => "conflict",
            ContextWritten::Failed(_) => "failed",
        };
        self.context_writes.get_or_create(&Outcome { outcome }).inc();
    }

    /// A write of a RolloutTrace came back.
    pub(crate) fn recorded(&self, written: &ReportWritten) {
        let outcome = match written {
            ReportWritten::Stored => "stored",
            ReportWritten::NamespaceGone => "namespace_gone",
            ReportWritten::NotStored(NotStored::Failed | NotStored::Later(_)) => "failed",
            ReportWritten::NotStored(NotStored::Forbidden) => "forbidden",
            ReportWritten::NotStored(NotStored::Refused(_)) => "refused",
        };
        self.trace_writes.get_or_create(&Outcome { outcome }).inc();
    }

    /// A write of a RolloutAttempt came back.
    pub(crate) fn stored(&self, written: &AttemptWritten) {
        let outcome = match written {
            AttemptWritten::Stored(_) => "stored",
            AttemptWritten::Conflict(_) => "conflict",
            AttemptWritten::Missing => "missing",
            AttemptWritten::NamespaceGone => "namespace_gone",
            AttemptWritten::Failed | AttemptWritten::Later(_) => "failed",
            AttemptWritten::Forbidden => "forbidden",
            AttemptWritten::Refused(_) => "refused",
        };
        self.attempt_writes.get_or_create(&Outcome { outcome }).inc();
    }

    /// The beginning or the end of an attempt is stored.
    pub(crate) fn announced(&self, announcement: &Announcement) {
        if announcement.milestone == Milestone::Ended {
            self.ended.ended(&announcement.journal, (self.clock)());
        }
        self.dora.milestone(announcement);
    }

    /// The ledger of a Rollout is stored.
    pub(crate) fn ledger(&self, rollout: Key, ledger: &Ledger, settings: dora::Settings) {
        self.dora.set(rollout, ledger, settings);
    }

    /// A Rollout is gone.
    pub(crate) fn no_ledger(&self, rollout: &Key) {
        self.dora.remove(rollout);
    }

    /// A collector has answered for so many spans.
    pub(crate) fn sent(&self, sent: &Sent, spans: u64) {
        let count = |outcome, spans| {
            self.spans.get_or_create(&Outcome { outcome }).inc_by(spans);
        };
        match sent {
            Sent::Acknowledged => count("acknowledged", spans),
            Sent::Partly(refused, _) => {
                count("acknowledged", spans.saturating_sub(*refused));
                count("refused", *refused);
            }
            // One that is refused in company is sent again alone, and counted then.
            Sent::Refused(_) if spans > 1 => count("refused_in_company", spans),
            Sent::Refused(_) => count("refused", spans),
            Sent::Later(_) => count("postponed", spans),
        }
    }

    /// So many spans are given up that a collector did not take for a day.
    pub(crate) fn set_aside(&self, spans: u64) {
        if spans > 0 {
            tracing::warn!(spans, "the collector did not take them for a day: they are set aside");
            self.spans.get_or_create(&Outcome { outcome: "refused" }).inc_by(spans);
        }
    }

    /// How many attempts are pending, and whether their collector is away.
    pub(crate) fn attempts(&self, pending: usize, collector_away: bool) {
        self.attempts.set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.collector_away.set(i64::from(collector_away));
    }

    /// How many watches of pods run, and how many wait.
    pub(crate) fn pod_watches(&self, (running, waiting): (usize, usize)) {
        self.process.pod_watches(running, waiting);
    }

    /// The owner was busy for so long.
    pub(crate) fn turned(&self, busy: Duration) {
        self.process.turned(busy);
    }

    /// Where watches say whether they run.
    pub(crate) fn connections(&self) -> Connections {
        self.health.connections.clone()
    }

    /// Whether this process acts.
    pub(crate) fn leads(&self, leads: bool) {
        self.process.leads(leads);
    }

    /// Another process acts from now on: what stands is for that one to say.
    pub(crate) fn acts_no_more(&self) {
        self.forget(|_| true);
        self.dora.clear();
        self.rollouts(0);
        self.attempts(0, false);
        self.pod_watches((0, 0));
        self.behind(Behind::default());
    }

    /// How many Rollouts are followed.
    pub(crate) fn rollouts(&self, rollouts: usize) {
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 Rollouts")]
        self.rollouts.set(rollouts as f64);
    }

    /// All of them as they stand now, in OpenMetrics text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        self.text_at((self.clock)())
    }

    /// The same as they stand at a time.
    pub(crate) fn text_at(&self, now: Timestamp) -> Result<String, std::fmt::Error> {
        self.health.at(now);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
