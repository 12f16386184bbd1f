//! What this process does at the moment: whether it leads, how busy it is, whose pods it watches.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds, in seconds. While the owner is busy for a second, nothing else is looked at.
const TURNS: [f64; 9] = [0.0001, 0.000_5, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 20.0];

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Process {
    leader: Gauge,
    turns: Histogram,
    pod_watches: Gauge,
    pod_watches_waiting: Gauge,
}

impl Process {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (leader, turns) = (Gauge::default(), Histogram::new(TURNS));
        let (pod_watches, pod_watches_waiting) = (Gauge::default(), Gauge::default());
        registry.register(
            "pod_watches",
            "Watches of pods of attempts that lack some",
            pod_watches.clone(),
        );
        registry.register(
            "pod_watches_waiting",
            "Attempts that lack pods and whose pods are not watched, because too many are",
            pod_watches_waiting.clone(),
        );
        registry.register_with_unit(
            "turn_duration",
            "How long the owner takes for one observation or answer and what follows from it",
            Unit::Seconds,
            turns.clone(),
        );
        registry.register(
            "leader",
            "1 while this process acts, 0 while it stands by",
            leader.clone(),
        );
        Self { leader, turns, pod_watches, pod_watches_waiting }
    }

    pub(super) fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    pub(super) fn turned(&self, busy: Duration) {
        self.turns.observe(busy.as_secs_f64());
    }

    pub(super) fn pod_watches(&self, running: usize, waiting: usize) {
        self.pod_watches.set(i64::try_from(running).unwrap_or(i64::MAX));
        self.pod_watches_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}
