//! The operator's own health: what it watches, what it stores and sends late, and what fails.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use timeline::chain::{Attempt, LinkState};
use timeline::outbox::Behind;
use timeline::seen::Unavailable;
use timeline::{Key, Kind};

use super::Resource;
use crate::watch::Connections;

/// How the watch of a kind can stand.
const STATES: [&str; 5] = ["watched", "unlisted", "not_installed", "forbidden", "failed"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    resource: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    operation: &'static str,
    resource: &'static str,
    error_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LinkResult {
    result: &'static str,
}

/// What was decided of the links of a Rollout's attempts, by start and revision.
type Decided = BTreeMap<(Timestamp, i64), LinkState>;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Health {
    watches: Family<State, Gauge>,
    last_event: Family<Resource, Gauge<f64, AtomicU64>>,
    errors: Family<Failed, Counter>,
    links: Family<LinkResult, Counter>,
    decided: Arc<Mutex<HashMap<Key, Decided>>>,
    behind: Arc<Mutex<Behind>>,
    journal_lag: Gauge<f64, AtomicU64>,
    export_lag: Gauge<f64, AtomicU64>,
    down: Family<Resource, Gauge<f64, AtomicU64>>,
    pub(super) connections: Connections,
}

impl Health {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let health = Self {
            watches: Family::default(),
            last_event: Family::default(),
            errors: Family::default(),
            links: Family::default(),
            decided: Arc::default(),
            behind: Arc::default(),
            journal_lag: Gauge::default(),
            export_lag: Gauge::default(),
            down: Family::default(),
            connections: Connections::default(),
        };
        // A rise from nothing to 1 is none to Prometheus; one from 0 is.
        for result in ["applied", "lost"] {
            drop(health.links.get_or_create(&LinkResult { result }));
        }
        for kind in Kind::ALL {
            health.watching(kind, "unlisted");
        }
        registry.register(
            "watch_state",
            "1 for the state that the watch of a resource is in, 0 for the others",
            health.watches.clone(),
        );
        registry.register_with_unit(
            "watch_last_event_timestamp",
            "When a watch last brought an object or a list, since 1970",
            Unit::Seconds,
            health.last_event.clone(),
        );
        registry.register(
            "errors",
            "Requests and objects that failed, by operation, resource and type of error",
            health.errors.clone(),
        );
        registry.register(
            "links",
            "Attempts of which it was decided whether their Keptn trace links to the one before",
            health.links.clone(),
        );
        registry.register_with_unit(
            "journal_lag",
            "How long the oldest write of a journal is due that did not come through yet",
            Unit::Seconds,
            health.journal_lag.clone(),
        );
        registry.register_with_unit(
            "export_lag",
            "How long ago the oldest entry ended that is stored and not acknowledged by a collector",
            Unit::Seconds,
            health.export_lag.clone(),
        );
        registry.register_with_unit(
            "watch_down",
            "How long the watch of a resource does not run",
            Unit::Seconds,
            health.down.clone(),
        );
        health
    }

    /// A watch brought something.
    pub(super) fn event(&self, kind: Kind, now: Timestamp) {
        let resource = Resource { resource: kind.resource() };
        self.last_event.get_or_create(&resource).set(now.as_duration().as_secs_f64());
    }

    /// All kinds that are not watched now, and why where that is known.
    pub(super) fn missing<'a>(
        &self,
        missing: impl Iterator<Item = (Kind, Option<&'a Unavailable>)>,
    ) {
        let missing: BTreeMap<_, _> = missing.collect();
        for kind in Kind::ALL {
            let state = match missing.get(&kind) {
                None => "watched",
                Some(None) => "unlisted",
                Some(Some(Unavailable::NotInstalled)) => "not_installed",
                Some(Some(Unavailable::Forbidden(_))) => "forbidden",
                Some(Some(Unavailable::Failed(_))) => "failed",
            };
            self.watching(kind, state);
        }
    }

    fn watching(&self, kind: Kind, now: &'static str) {
        let resource = kind.resource();
        for state in STATES {
            let gauge = self.watches.get_or_create(&State { resource, state });
            gauge.set(i64::from(state == now));
        }
    }

    pub(super) fn failed(
        &self,
        operation: &'static str,
        resource: &'static str,
        error_type: &'static str,
    ) {
        self.errors.get_or_create(&Failed { operation, resource, error_type }).inc();
    }

    /// What a RolloutTrace said when this process first saw it was counted by an earlier one.
    pub(super) fn links_found(&self, rollout: &Key, attempts: &[Arc<Attempt>]) {
        let mut known = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(rollout.clone()).or_insert_with(|| decided(attempts).collect());
    }

    /// A RolloutTrace with these attempts was stored. Where no links are wanted nothing is
    /// lost, now or when they are wanted later.
    pub(super) fn links_stored(&self, rollout: &Key, attempts: &[Arc<Attempt>], wanted: bool) {
        let mut known = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.entry(rollout.clone()).or_default();
        let after: Decided = decided(attempts).collect();
        for (attempt, state) in &after {
            let result = if *state == LinkState::Applied { "applied" } else { "lost" };
            if before.get(attempt) != Some(state) && (wanted || result == "applied") {
                self.links.get_or_create(&LinkResult { result }).inc();
            }
        }
        *before = after;
    }

    /// These Rollouts are not there any more.
    pub(super) fn forget(&self, gone: impl Fn(&Key) -> bool) {
        let mut known = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|rollout, _| !gone(rollout));
    }

    pub(super) fn behind(&self, behind: Behind) {
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = behind;
    }

    /// Brings what grows with time up to date.
    pub(super) fn at(&self, now: Timestamp) {
        let behind = *self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        let lag = |since: Option<Timestamp>| {
            since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0))
        };
        for kind in Kind::ALL {
            let down = self.connections.broken_for(kind, Instant::now());
            let seconds = down.map_or(0.0, |(since, _)| since.as_secs_f64());
            self.down.get_or_create(&Resource { resource: kind.resource() }).set(seconds);
        }
        self.journal_lag.set(lag(behind.journal));
        self.export_lag.set(lag(behind.export));
    }
}

fn decided(attempts: &[Arc<Attempt>]) -> impl Iterator<Item = ((Timestamp, i64), LinkState)> {
    attempts
        .iter()
        .filter(|attempt| matches!(attempt.linked.state, LinkState::Applied | LinkState::Lost))
        .map(|attempt| ((attempt.started, attempt.revision), attempt.linked.state))
}
