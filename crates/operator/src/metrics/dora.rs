//! DORA's metrics as gauges, made from the stored ledgers at the scrape, and histograms of the times
//! behind them.
//!
//! Windows are whole days in UTC, so that the figures of a Rollout change with its ledger and at
//! midnight only: in between they are kept. The ledgers are kept packed and unpacked one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::registry::{Registry, Unit};
use timeline::Key;
pub(super) use timeline::dora::Settings;
use timeline::dora::{Figures, Times, Window, figures_of};
use timeline::ledger::{Ledger, PackedLedger};
use timeline::outbox::Announcement;

use super::attempts::Trace;
use crate::dora::WINDOWS;

/// From minutes to the weeks that a change may wait.
const SECONDS: [f64; 14] = [
    60.0,
    300.0,
    900.0,
    1_800.0,
    3_600.0,
    7_200.0,
    14_400.0,
    28_800.0,
    86_400.0,
    172_800.0,
    345_600.0,
    604_800.0,
    1_209_600.0,
    2_592_000.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Namespace {
    namespace: String,
}

#[derive(Debug, Clone, Copy)]
struct InSeconds;

type Histogram = HistogramWithExemplars<Trace>;

impl MetricConstructor<Histogram> for InSeconds {
    fn new_metric(&self) -> Histogram {
        HistogramWithExemplars::new(SECONDS.into_iter())
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Dora {
    books: Books,
    leads: Family<Namespace, Histogram, InSeconds>,
    recoveries: Family<Namespace, Histogram, InSeconds>,
}

impl Dora {
    /// The gauges have series of these windows, in days, and of no other.
    pub(super) fn register(
        registry: &mut Registry,
        clock: fn() -> Timestamp,
        windows: &[u16],
    ) -> Self {
        let shown = WINDOWS.map(|days| windows.contains(&days));
        let dora = Self {
            books: Books { clock, shown, all: Arc::default() },
            leads: Family::new_with_constructor(InSeconds),
            recoveries: Family::new_with_constructor(InSeconds),
        };
        registry.register_with_unit(
            "lead_time",
            "Change lead time of deployments",
            Unit::Seconds,
            dora.leads.clone(),
        );
        registry.register_with_unit(
            "recovery",
            "From a failure that users could notice until traffic was back on what is good",
            Unit::Seconds,
            dora.recoveries.clone(),
        );
        registry.register_collector(Box::new(dora.books.clone()));
        dora
    }

    /// What became of an attempt is stored.
    pub(super) fn milestone(&self, announcement: &Announcement) {
        let now = Some((self.books.clock)().into());
        let namespace =
            || Namespace { namespace: announcement.journal.identity.rollout.namespace.to_string() };
        if let Some(seconds) = announcement.lead {
            let leads = self.leads.get_or_create(&namespace());
            leads.observe(f64::from(seconds), Trace::of(&announcement.journal), now);
        }
        for seconds in &announcement.recoveries {
            let recoveries = self.recoveries.get_or_create(&namespace());
            recoveries.observe(f64::from(*seconds), Trace::of(&announcement.journal), now);
        }
    }

    /// A ledger is stored.
    pub(super) fn set(&self, rollout: Key, ledger: &Ledger, settings: Settings) {
        let ledger = Arc::new(PackedLedger::of(ledger));
        self.books.all().insert(rollout, Book { ledger, settings, made: None });
    }

    /// Another process reports them from now on.
    pub(super) fn clear(&self) {
        self.books.all().clear();
    }

    /// A Rollout is gone.
    pub(super) fn remove(&self, rollout: &Key) {
        self.books.all().remove(rollout);
    }
}

/// The part of the metrics that is made of ledgers, alone: what a scrape of it costs is measured by
/// the benchmarks.
pub struct Gauges {
    registry: Registry,
    dora: Dora,
}

impl Gauges {
    /// With no ledger yet, and these windows.
    pub fn new(clock: fn() -> Timestamp, windows: &[u16]) -> Self {
        let mut registry = Registry::with_prefix("throughline");
        let dora = Dora::register(&mut registry, clock, windows);
        Self { registry, dora }
    }

    /// A ledger is stored.
    pub fn set(&self, rollout: Key, ledger: &Ledger, settings: Settings) {
        self.dora.set(rollout, ledger, settings);
    }

    /// What a scrape finds.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}

/// The ledgers, by Rollout.
#[derive(Clone)]
struct Books {
    clock: fn() -> Timestamp,
    /// Which windows have series.
    shown: [bool; WINDOWS.len()],
    all: Arc<Mutex<BTreeMap<Key, Book>>>,
}

#[derive(Clone)]
struct Book {
    ledger: Arc<PackedLedger>,
    settings: Settings,
    /// The figures and the day that they were made on.
    made: Option<(Date, Arc<Made>)>,
}

/// Of each window, unless nothing is counted in it.
type Made = [Option<Values>; WINDOWS.len()];

struct Values {
    deployments: u32,
    /// live, exposed, blocked, unclear
    failures: [u32; 4],
    /// superseded, rollback, fix
    rework: [u32; 3],
    lead: Times,
    recovery: Times,
    mend: Times,
    at_least: bool,
}

impl Values {
    fn of(figures: &Figures) -> Option<Self> {
        let sum = &figures.sum;
        let values = Self {
            deployments: sum.deployments,
            failures: [sum.failed_live, sum.failed_exposed, sum.failed_blocked, sum.failed_unclear],
            rework: [sum.superseded, sum.rollbacks, sum.fixes],
            lead: figures.lead,
            recovery: figures.recovery,
            mend: figures.mend,
            at_least: figures.at_least,
        };
        let counted = [sum.deployments].into_iter().chain(values.failures).chain(values.rework);
        counted.into_iter().any(|count| count > 0).then_some(values)
    }
}

impl Book {
    fn figures(&self, day: Date, windows: [Window; WINDOWS.len()]) -> Arc<Made> {
        match &self.made {
            Some((of, made)) if *of == day => Arc::clone(made),
            _ => {
                let figures = figures_of(self.ledger.ledger(), windows, &self.settings);
                Arc::new(figures.each_ref().map(Values::of))
            }
        }
    }
}

impl Books {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, Book>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures of all Rollouts. The owner waits no longer than for a copy of what points to
    /// them.
    fn figures(&self) -> Vec<(Key, Arc<Made>)> {
        let now = (self.clock)();
        let [Ok(week), Ok(month), Ok(quarter)] = WINDOWS.map(|days| Window::days(days, now)) else {
            return Vec::new();
        };
        let day = now.to_zoned(TimeZone::UTC).date();
        let all: Vec<(Key, Book)> =
            self.all().iter().map(|(key, book)| (key.clone(), book.clone())).collect();
        let mut figures = Vec::with_capacity(all.len());
        for (key, book) in all {
            let made = book.figures(day, [week, month, quarter]);
            if book.made.is_none_or(|(of, _)| of != day)
                && let Some(kept) = self.all().get_mut(&key)
                && Arc::ptr_eq(&kept.ledger, &book.ledger)
            {
                kept.made = Some((day, Arc::clone(&made)));
            }
            figures.push((key, made));
        }
        figures
    }
}

impl fmt::Debug for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Books").finish_non_exhaustive()
    }
}

/// A value and the labels beside those of the Rollout and the window.
type Sample = (Vec<(&'static str, &'static str)>, f64);
type Samples = fn(&Values) -> Vec<Sample>;

/// Name, help, unit and samples of a metric.
const METRICS: [(&str, &str, Option<Unit>, Samples); 7] = [
    (
        "dora_deployments",
        "Deployments in the window, those that failed later among them",
        None,
        |values| vec![(vec![], f64::from(values.deployments))],
    ),
    (
        "dora_failures",
        "Failures in the window: live after promotion, exposed or blocked before, or unclear",
        None,
        |values| by("kind", ["live", "exposed", "blocked", "unclear"], values.failures),
    ),
    (
        "dora_rework",
        "Rework in the window: superseded attempts, rollbacks and fixes",
        None,
        |values| by("kind", ["superseded", "rollback", "fix"], values.rework),
    ),
    (
        "dora_lead_time",
        "Change lead time: percentiles over the window",
        Some(Unit::Seconds),
        |values| percentiles(&values.lead, &[]),
    ),
    (
        "dora_recovery_time",
        "Failed deployment recovery time, until traffic is back or until the next good revision",
        Some(Unit::Seconds),
        |values| {
            let mut samples = percentiles(&values.recovery, &[("until", "traffic")]);
            samples.extend(percentiles(&values.mend, &[("until", "revision")]));
            samples
        },
    ),
    ("dora_samples", "From how many attempts the percentiles are made", None, |values| {
        let of = ["lead_time", "recovery_traffic", "recovery_revision"];
        by("of", of, [values.lead.n, values.recovery.n, values.mend.n])
    }),
    (
        "dora_at_least",
        "1 if not all of the window is known, so that counts are at least these",
        None,
        |values| vec![(vec![], f64::from(u8::from(values.at_least)))],
    ),
];

fn by<const N: usize>(
    label: &'static str,
    names: [&'static str; N],
    counts: [u32; N],
) -> Vec<Sample> {
    let samples = names.into_iter().zip(counts);
    samples.map(|(name, count)| (vec![(label, name)], f64::from(count))).collect()
}

fn percentiles(times: &Times, labels: &[(&'static str, &'static str)]) -> Vec<Sample> {
    let both = [("50", times.median), ("90", times.p90)];
    let known = both.into_iter().filter_map(|(of, seconds)| Some((of, seconds?)));
    let with = |of| {
        let percentile = std::iter::once(("percentile", of));
        labels.iter().copied().chain(percentile).collect()
    };
    known.map(|(of, seconds)| (with(of), seconds)).collect()
}

impl Collector for Books {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.figures();
        for (name, help, unit, samples) in &METRICS {
            // The registry ends its own sentences.
            let help = format!("{help}.");
            let mut metric =
                encoder.encode_descriptor(name, &help, unit.as_ref(), MetricType::Gauge)?;
            for (key, made) in &figures {
                let windows = WINDOWS.iter().zip(made.iter()).zip(self.shown);
                for ((days, values), _) in windows.filter(|(_, shown)| *shown) {
                    let window = format!("{days}d");
                    for (labels, value) in values.iter().flat_map(samples) {
                        let mut all = vec![
                            ("namespace", key.namespace.as_str()),
                            ("rollout", key.name.as_str()),
                            ("window", window.as_str()),
                        ];
                        all.extend(labels);
                        metric.encode_family(&all)?.encode_gauge(&value)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
