//! DORA's performance levels: labels beside figures, that decide nothing.
//!
//! They are those of the Accelerate State of DevOps Report 2023, where each metric has levels that
//! follow one another. In the report of 2024 the level Medium fails less often than High, and that
//! of 2025 has none, so neither can label a single figure. DORA warns of taking them for targets
//! (<https://dora.dev/guides/dora-metrics/>).

use std::fmt;

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;
const MONTH: f64 = 30.0 * DAY;

/// A level of performance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Band {
    /// The best.
    Elite,
    /// The second.
    High,
    /// The third.
    Medium,
    /// The last.
    Low,
}

/// The level of each figure that there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bands {
    /// Of the deployment frequency: more than one a day, at least one a week, one in 30 days.
    pub frequency: Option<Band>,
    /// Of the median change lead time: under a day, a week, a month.
    pub lead: Option<Band>,
    /// Of the change fail rate that users could notice: up to 5, 10, 15 percent.
    pub fail_rate: Option<Band>,
    /// Of the median failed deployment recovery time: under an hour, a day, a week.
    pub recovery: Option<Band>,
}

impl Bands {
    /// Of deployments a day, the median change lead time and recovery time in seconds, and the change
    /// fail rate.
    pub(super) fn of(
        per_day: Option<f64>,
        lead: Option<f64>,
        fail_rate: Option<f64>,
        recovery: Option<f64>,
    ) -> Self {
        Self {
            frequency: per_day.map(frequency),
            lead: lead.map(|median| level(&[DAY, WEEK, MONTH], |it| median < it)),
            fail_rate: fail_rate.map(|rate| level(&[0.05, 0.10, 0.15], |it| rate <= it)),
            recovery: recovery.map(|median| level(&[HOUR, DAY, WEEK], |it| median < it)),
        }
    }
}

fn frequency(per_day: f64) -> Band {
    if per_day > 1.0 {
        return Band::Elite;
    }
    let high_or_less = level(&[1.0 / 7.0, 1.0 / 30.0], |it| per_day >= it);
    match high_or_less {
        Band::Elite => Band::High,
        Band::High => Band::Medium,
        Band::Medium | Band::Low => Band::Low,
    }
}

/// The first level whose bound is kept.
fn level(bounds: &[f64], keeps: impl Fn(f64) -> bool) -> Band {
    let levels = [Band::Elite, Band::High, Band::Medium];
    let kept = levels.into_iter().zip(bounds).find(|(_, bound)| keeps(**bound));
    kept.map_or(Band::Low, |(level, _)| level)
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
