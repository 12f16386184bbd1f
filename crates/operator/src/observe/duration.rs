//! Lengths of time as Argo reads them.

use api::argo::Duration;

/// No wait is longer; more would only overflow further on.
const CENTURY: u64 = 100 * 366 * 24 * 60 * 60;

/// Whole seconds, at most a century; none where Argo refuses the value (`RolloutPause.
/// DurationSeconds` in argo-rollouts `pkg/apis/rollouts/v1alpha1/types.go`: a number of seconds,
/// the same in digits, or a duration of Go's).
pub(super) fn seconds(duration: &Duration) -> Option<u64> {
    let seconds = match duration {
        Duration::Seconds(seconds) => u64::try_from(*seconds).ok(),
        Duration::Text(text) => match text.parse::<i64>() {
            Ok(seconds) => u64::try_from(seconds).ok(),
            Err(_) => go(text),
        },
    };
    seconds.map(|seconds| seconds.min(CENTURY))
}

/// `time.ParseDuration`: a sum of decimal numbers, each with its unit.
fn go(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    let mut nanoseconds = 0_u128;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        nanoseconds = nanoseconds.checked_add(times(number, unit)?)?;
        rest = after;
    }
    let some = !text.trim_start_matches('+').is_empty();
    some.then(|| u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX))
}

/// A decimal number of units.
fn times(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut share = unit;
    let mut sum = whole.checked_mul(unit)?;
    for digit in fraction.bytes() {
        share /= 10;
        sum = sum.checked_add(u128::from(digit - b'0') * share)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_argo_reads_them() {
        let text = |text: &str| Duration::Text(text.to_owned());
        for (duration, expected) in [
            (Duration::Seconds(30), Some(30)),
            (Duration::Seconds(0), Some(0)),
            (Duration::Seconds(-1), None),
            (Duration::Seconds(i64::MAX), Some(CENTURY)),
            (text("30"), Some(30)),
            (text("-30"), None),
            (text("30s"), Some(30)),
            (text("5m"), Some(300)),
            (text("1h"), Some(3600)),
            (text("1h30m"), Some(5400)),
            (text("1.5h"), Some(5400)),
            (text(".5m"), Some(30)),
            (text("1500ms"), Some(1)),
            (text("3000000us1s"), Some(4)),
            (text("0"), Some(0)),
            (text("+30s"), Some(30)),
            (text("-30s"), None),
            (text(""), None),
            (text("+"), None),
            (text("s"), None),
            (text("."), None),
            (text(".s"), None),
            (text("1..5s"), None),
            (text("1d"), None),
            (text("30 s"), None),
            (text("1e3s"), None),
            (text("999999999999999999999h"), Some(CENTURY)),
            (text(&"9".repeat(400)), None),
        ] {
            assert_eq!(seconds(&duration), expected, "{duration:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.+hmsnuµ -]{0,40}") {
            seconds(&Duration::Text(text));
        }
    }
}
