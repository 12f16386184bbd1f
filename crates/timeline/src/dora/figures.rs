//! Figures from sums.

use std::borrow::Borrow;

use super::{Bands, Settings, Window, judge};
use crate::ledger::{Day, Ledger, Sum};

/// DORA's metrics over a window. Where nothing is counted there is no figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Deployment frequency.
    pub frequency: Frequency,
    /// Change lead time.
    pub lead: Times,
    /// Change fail rate of what users could notice: stopped while exposed, or rolled back or
    /// hotfixed after the promotion; of those and all other deployments.
    pub failed_exposed: Rate,
    /// Change fail rate of all attempts that failed, those that were blocked before users could be
    /// hit among them; of those and all other deployments.
    pub failed_all: Rate,
    /// Failed deployment recovery time: from the moment at which users could be hit until traffic
    /// was back on what is good.
    pub recovery: Times,
    /// The same until the next good revision was live.
    pub mend: Times,
    /// Rework rate: superseded attempts, rollbacks and fixes; of superseded attempts and all that
    /// became live.
    pub rework: Rate,
    /// What they are made from; without the durations.
    pub sum: Sum,
    /// Not all of the window is known, or something was summed up too early, or durations were
    /// forgotten: counts are at least these.
    pub at_least: bool,
    /// How many Rollouts they are made from.
    pub rollouts: u32,
    /// DORA's performance levels, unless they are switched off.
    pub bands: Option<Bands>,
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frequency {
    /// How often it happened.
    pub n: u32,
    /// By day of the window.
    pub per_day: Option<f64>,
}

/// A share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many of them.
    pub part: u32,
    /// Of how many.
    pub n: u32,
    /// 0 to 1.
    pub rate: Option<f64>,
}

/// Durations in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// How many are known.
    pub n: u32,
    /// How many are not known, or not yet.
    pub unknown: u32,
    /// How many cannot be right and were left out.
    pub refused: u32,
    /// The one in the middle; of an even number the mean of the two there.
    pub median: Option<f64>,
    /// The 90th percentile, between two of them in proportion (PERCENTILE_CONT of SQL).
    pub p90: Option<f64>,
}

/// The figures of Rollouts over a window. No ledger is kept: each may be read, counted and let go.
pub fn figures<L: Borrow<Ledger>>(
    ledgers: impl IntoIterator<Item = L>,
    window: Window,
    settings: &Settings,
) -> Figures {
    let [figures] = figures_of(ledgers, [window], settings);
    figures
}

/// The same over several windows, each ledger looked at once.
pub fn figures_of<L: Borrow<Ledger>, const N: usize>(
    ledgers: impl IntoIterator<Item = L>,
    windows: [Window; N],
    settings: &Settings,
) -> [Figures; N] {
    let ledgers = ledgers.into_iter().map(|ledger| (ledger, *settings));
    figures_by(ledgers, windows, settings.bands)
}

/// The same, each ledger judged by settings of its own; `bands` says whether the figures get labels
/// of DORA's performance levels.
pub fn figures_by<L: Borrow<Ledger>, const N: usize>(
    ledgers: impl IntoIterator<Item = (L, Settings)>,
    windows: [Window; N],
    bands: bool,
) -> [Figures; N] {
    let mut totals = windows.map(Total::new);
    for (ledger, settings) in ledgers {
        let ledger = ledger.borrow();
        let verdicts = judge(ledger, &settings);
        // What such an attempt has to do with those after it is not known any more: with what ended
        // on its day, and with what began within the failure window after that.
        let early: Vec<_> = ledger.days().filter(|day| day.sum.early > 0).collect();
        for total in &mut totals {
            total.rollouts = total.rollouts.saturating_add(1);
            let reached = |day: &&Day| total.window.is_reached(day.date, settings.failure_window());
            total.partly |= early.iter().any(reached);
            total.partly |= ledger.known_since().is_some_and(|known| known > total.window.from());
            for verdict in verdicts.iter().filter(|verdict| total.window.contains(verdict.at)) {
                total.sum.add(verdict);
            }
            for day in ledger.days().filter(|day| total.window.contains_day(day.date)) {
                total.sum.merge(&day.sum);
            }
        }
    }
    totals.map(|total| total.figures(bands))
}

struct Total {
    window: Window,
    sum: Sum,
    rollouts: u32,
    partly: bool,
}

impl Total {
    fn new(window: Window) -> Self {
        Self { window, sum: Sum::default(), rollouts: 0, partly: false }
    }

    fn figures(mut self, bands: bool) -> Figures {
        self.sum.sort();
        let sum = &mut self.sum;
        let leads = std::mem::take(&mut sum.leads);
        let recoveries = std::mem::take(&mut sum.recoveries);
        let mends = std::mem::take(&mut sum.mends);
        let exposed = sum.failed_live.saturating_add(sum.failed_exposed);
        let stopped = sum.failed_blocked.saturating_add(sum.failed_unclear);
        let all = exposed.saturating_add(stopped);
        let decided = sum.deployments.saturating_add(sum.failed_exposed);
        let live = sum.deployments.saturating_add(sum.rollbacks);
        let rework = sum.rollbacks.saturating_add(sum.fixes).saturating_add(sum.superseded);
        // A duration that was dropped may be any of the three: none of them is whole.
        let lost = sum.dropped;
        let mut figures = Figures {
            frequency: Frequency::of(sum.deployments, self.window),
            lead: Times::of(&leads, sum.untimed, sum.refused, lost),
            failed_exposed: Rate::of(exposed, decided),
            failed_all: Rate::of(all, decided.saturating_add(stopped)),
            recovery: Times::of(&recoveries, sum.unrecovered, 0, lost),
            mend: Times::of(&mends, sum.unmended, 0, lost),
            rework: Rate::of(rework, live.saturating_add(sum.superseded)),
            at_least: self.partly || lost > 0,
            sum: self.sum,
            rollouts: self.rollouts,
            bands: None,
        };
        let (lead, recovery) = (figures.lead.median, figures.recovery.median);
        let (per_day, failed) = (figures.frequency.per_day, figures.failed_exposed.rate);
        figures.bands = bands.then(|| Bands::of(per_day, lead, failed, recovery));
        figures
    }
}

impl Frequency {
    fn of(n: u32, window: Window) -> Self {
        let per_day = f64::from(n) / f64::from(window.length());
        Self { n, per_day: (n > 0).then_some(per_day) }
    }
}

impl Rate {
    fn of(part: u32, n: u32) -> Self {
        Self { part, n, rate: (n > 0).then(|| f64::from(part) / f64::from(n)) }
    }
}

impl Times {
    /// Of sorted durations. Dropped values are unknown, so that there is no middle.
    fn of(sorted: &[u32], unknown: u32, refused: u32, dropped: u32) -> Self {
        let n = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
        let at = |tenths| percentile(sorted, tenths).filter(|_| dropped == 0);
        Self { n, unknown, refused, median: at(5), p90: at(9) }
    }
}

/// So many tenths of the way from the first to the last.
fn percentile(sorted: &[u32], tenths: usize) -> Option<f64> {
    let way = sorted.len().checked_sub(1)?.saturating_mul(tenths);
    let below = f64::from(*sorted.get(way / 10)?);
    let above = sorted.get((way / 10).saturating_add(1)).map_or(below, |above| f64::from(*above));
    let part = f64::from(u8::try_from(way % 10).unwrap_or(0)) / 10.0;
    Some(below + (above - below) * part)
}
