//! Figures in words.

use std::fmt::Write as _;

use jiff::SignedDuration;
use timeline::dora::{Band, Figures, Frequency, Rate, Times};

/// All figures of a window in one line: `30d: 4 deployments (0.13 a day, Medium); lead time …`.
///
/// N is how many attempts a figure is made from; where N is 0, `-` stands for it.
pub fn line(days: u16, figures: &Figures) -> String {
    let bands = figures.bands.unwrap_or_default();
    let mut text = format!("{days}d: ");
    let at_least = if figures.at_least { "at least " } else { "" };
    let n = figures.frequency.n;
    let s = if n == 1 { "" } else { "s" };
    // Writing to a String cannot fail.
    let _ = match per_day(&figures.frequency) {
        Some(per_day) => {
            write!(text, "{at_least}{n} deployment{s} ({per_day} a day{})", label(bands.frequency))
        }
        None => write!(text, "{at_least}{n} deployment{s}"),
    };
    let _ = write!(text, "; lead time {}", in_line(&figures.lead, bands.lead));
    let exposed = rate_in_line(&figures.failed_exposed, bands.fail_rate);
    let all = rate_in_line(&figures.failed_all, None);
    let _ = write!(text, "; change fail rate {exposed} exposed, {all} all");
    let _ = write!(text, "; recovery {}", in_line(&figures.recovery, bands.recovery));
    let _ = write!(text, ", next good revision {}", in_line(&figures.mend, None));
    let _ = write!(text, "; rework {}", rate_in_line(&figures.rework, None));
    text
}

fn in_line(times: &Times, band: Option<Band>) -> String {
    let mut notes = vec![format!("N {}", times.n)];
    if let Some(p90) = times.p90.map(duration) {
        notes.insert(0, format!("90% {p90}"));
    }
    notes.extend(left_out(times));
    notes.extend(band.map(|band| band.to_string()));
    format!("{} ({})", times.median.map_or_else(|| "-".to_owned(), duration), notes.join(", "))
}

fn rate_in_line(rate: &Rate, band: Option<Band>) -> String {
    let share = share(rate).unwrap_or_else(|| "-".to_owned());
    format!("{share} ({} of {}{})", rate.part, rate.n, label(band))
}

fn label(band: Option<Band>) -> String {
    band.map(|band| format!(", {band}")).unwrap_or_default()
}

/// What is not in a figure of durations.
pub(super) fn left_out(times: &Times) -> Option<String> {
    match (times.unknown, times.refused) {
        (0, 0) => None,
        (unknown, 0) => Some(format!("{unknown} unknown")),
        (0, refused) => Some(format!("{refused} refused")),
        (unknown, refused) => Some(format!("{unknown} unknown, {refused} refused")),
    }
}

/// `0.43`
pub(super) fn per_day(frequency: &Frequency) -> Option<String> {
    frequency.per_day.map(|per_day| format!("{per_day:.2}"))
}

/// `12.5%`
pub(super) fn share(rate: &Rate) -> Option<String> {
    rate.rate.map(|rate| {
        let percent = format!("{:.1}", rate * 100.0);
        format!("{}%", percent.strip_suffix(".0").unwrap_or(&percent))
    })
}

/// Two units at most: `45s`, `12m30s`, `3h5m`, `2d4h`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = SignedDuration::try_from_secs_f64(seconds.round()).map_or(0, |it| it.as_secs());
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| whole >= *size).unwrap_or(3);
    let mut rest = whole;
    let mut text = String::new();
    for (place, (size, unit)) in units.iter().enumerate().skip(first).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 || (place == first && text.is_empty()) {
            let _ = write!(text, "{count}{unit}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0s"),
            (0.4, "0s"),
            (59.5, "1m"),
            (90.0, "1m30s"),
            (3_600.0, "1h"),
            (3_661.0, "1h1m"),
            (86_400.0 * 2.0 + 4.0 * 3600.0 + 61.0, "2d4h"),
            (f64::MAX, "0s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_share_is_as_exact_as_it_is_worth() {
        let share_of = |part, n| {
            let rate = (n > 0).then(|| f64::from(part) / f64::from(n));
            share(&Rate { part, n, rate })
        };
        assert_eq!(share_of(1, 4).as_deref(), Some("25%"));
        assert_eq!(share_of(1, 3).as_deref(), Some("33.3%"));
        assert_eq!(share_of(0, 3).as_deref(), Some("0%"));
        assert_eq!(share_of(0, 0), None);
    }
}
