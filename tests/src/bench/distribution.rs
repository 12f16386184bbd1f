//! Durations, and how they are distributed.

use std::time::Duration;

/// Durations in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Distribution(Vec<Duration>);

impl FromIterator<Duration> for Distribution {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut sorted: Vec<_> = durations.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }
}

impl Distribution {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest duration that so many percent of all do not exceed; zero if there is none.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    pub(super) fn least(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn most(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    /// Both together.
    pub(super) fn with(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).copied().collect()
    }
}

/// The same figure, measured several times.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn add(&mut self, sample: f64) {
        let at = self.0.partition_point(|other| *other < sample);
        self.0.insert(at, sample);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one in the middle, the lower of two; zero if there is none.
    pub(super) fn median(&self) -> f64 {
        self.0.get(self.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }

    pub(super) fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or_default()
    }
}

/// As milliseconds, finer where goals are near.
pub(super) fn ms(duration: Duration) -> String {
    let places = if duration < Duration::from_millis(20) { 2 } else { 1 };
    format!("{:.places$} ms", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_shown_by_their_middle_and_their_ends() {
        let mut samples = Samples::default();
        assert_eq!((samples.median(), samples.least(), samples.most()), (0.0, 0.0, 0.0));
        for sample in [3.0, 1.0, 9.0, 2.0] {
            samples.add(sample);
        }
        assert_eq!((samples.median(), samples.least(), samples.most()), (2.0, 1.0, 9.0));
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let of = |n: u64| (1..=n).rev().map(Duration::from_millis).collect::<Distribution>();
        let hundred = of(100);
        assert_eq!(hundred.percentile(50), Duration::from_millis(50));
        assert_eq!(hundred.percentile(99), Duration::from_millis(99));
        assert_eq!(of(1).percentile(99), Duration::from_millis(1));
        assert_eq!(of(10).percentile(99), Duration::from_millis(10));
        assert_eq!(of(0).percentile(50), Duration::ZERO);
        assert_eq!(of(2).with(&of(3)).len(), 5);
        assert_eq!(ms(Duration::from_micros(10_040)), "10.04 ms");
        assert_eq!(ms(Duration::from_micros(40_040)), "40.0 ms");
    }
}
