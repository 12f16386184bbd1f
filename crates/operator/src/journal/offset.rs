//! Moments as a line writes them: counted from the start of the attempt.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use timeline::base::{Moment, Source};

/// `+12.5s` observed, `=+12s` by a status, `^+12s` by an Event, `~+12s` or `~+5s<+12s` inferred.
pub(crate) fn moment(moment: &Moment, start: Timestamp) -> String {
    let mark = match moment.source {
        Source::Observed => "",
        Source::Status => "=",
        Source::Event => "^",
        Source::Inferred => "~",
    };
    let at = offset(moment.at, start);
    match moment.after {
        Some(after) => format!("{mark}{}<{at}", offset(after, start)),
        None => format!("{mark}{at}"),
    }
}

/// The moment that a word names.
pub(super) fn read_moment(word: &str, start: Timestamp) -> Option<Moment> {
    let (source, rest) = match word.split_at_checked(1)? {
        ("=", rest) => (Source::Status, rest),
        ("^", rest) => (Source::Event, rest),
        ("~", rest) => (Source::Inferred, rest),
        _ => (Source::Observed, word),
    };
    let (after, at) = match rest.split_once('<') {
        Some((after, at)) => (Some(read_offset(after, start)?), at),
        None => (None, rest),
    };
    let at = read_offset(at, start)?;
    after.is_none_or(|after| after <= at).then_some(Moment { at, source, after })
}

fn offset(time: Timestamp, start: Timestamp) -> String {
    let length = time.duration_since(start);
    let sign = if length.is_negative() { '-' } else { '+' };
    format!("{sign}{}", length_of(length))
}

/// A length of time without its sign, and without parts that are zero: `1h2m3.5s`, `10m`, `0s`.
pub(super) fn length_of(length: SignedDuration) -> String {
    let length = length.unsigned_abs();
    let (seconds, nanoseconds) = (length.as_secs(), length.subsec_nanos());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    // Writing to a String cannot fail.
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    if nanoseconds > 0 {
        let fraction = format!("{nanoseconds:09}");
        let _ = write!(text, "{seconds}.{}s", fraction.trim_end_matches('0'));
    } else if seconds > 0 || text.is_empty() {
        let _ = write!(text, "{seconds}s");
    }
    text
}

fn read_offset(word: &str, start: Timestamp) -> Option<Timestamp> {
    let (sign, rest) = word.split_at_checked(1)?;
    let negative = match sign {
        "+" => false,
        "-" => true,
        _ => return None,
    };
    let (hours, rest) = unit(rest, 'h')?;
    let (minutes, rest) = unit(rest, 'm')?;
    // Without seconds, hours or minutes stand there.
    let zero = if word.len() > sign.len() { "0s" } else { "" };
    let rest = if rest.is_empty() { zero } else { rest }.strip_suffix('s')?;
    let (seconds, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let seconds = number(seconds)?;
    if fraction.len() > 9 {
        return None;
    }
    let nanoseconds: i32 = format!("{:0<9}", number(fraction).map(|_| fraction)?).parse().ok()?;
    let seconds =
        hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    let length = SignedDuration::new(seconds, nanoseconds);
    let length = if negative { length.checked_neg()? } else { length };
    start.checked_add(length).ok()
}

/// A number before its unit; 0 if the unit does not occur.
fn unit(text: &str, unit: char) -> Option<(i64, &str)> {
    match text.split_once(unit) {
        Some((digits, rest)) => Some((number(digits)?, rest)),
        None => Some((0, text)),
    }
}

fn number(digits: &str) -> Option<i64> {
    // `parse` would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(nanoseconds: i128) -> Timestamp {
        Timestamp::from_nanosecond(nanoseconds).unwrap()
    }

    #[test]
    fn moments_read_as_a_person_would_say_them() {
        let start = time(1_700_000_000_000_000_000);
        let later = |nanoseconds: i64| start + SignedDuration::from_nanos(nanoseconds);
        let second = 1_000_000_000;
        for (it, expected) in [
            (Moment::observed(start), "+0s"),
            (Moment::observed(later(12_345_000_000)), "+12.345s"),
            (Moment::observed(later(1)), "+0.000000001s"),
            (Moment::observed(later(-5 * second)), "-5s"),
            (Moment::status(later(60 * second)), "=+1m"),
            (Moment::event(later(3600 * second)), "^+1h"),
            (Moment::event(later(3_600_500_000_000)), "^+1h0.5s"),
            (Moment::inferred(None, later(second)), "~+1s"),
            (Moment::inferred(Some(start), later(second)), "~+0s<+1s"),
        ] {
            assert_eq!(moment(&it, start), expected);
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let start = time(0);
        for word in [
            "",
            "+",
            "+s",
            "12s",
            "+12",
            "+1.s",
            "+.5s",
            "+1.0000000001s",
            "+h",
            "+m",
            "+1hm",
            "+1m2h3s",
            "+-1s",
            "+1s<+2s<",
            "~+2s<+1s",
            "==+1s",
            "+99999999999999999999s",
            "+9999999999999999h",
            "é",
            "+9999999999999s",
        ] {
            assert_eq!(read_moment(word, start), None, "{word:?}");
        }
    }

    fn any_time() -> impl Strategy<Value = Timestamp> {
        let range = Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond();
        prop_oneof![
            range.prop_map(time),
            (0i64..4_000_000_000).prop_map(|s| time(i128::from(s) * 1_000_000_000))
        ]
    }

    proptest! {
        #[test]
        fn any_moment_is_read_back(
            start in any_time(),
            at in any_time(),
            after in prop::option::of(any_time()),
            source in 0..4,
        ) {
            let any = match source {
                0 => Moment::observed(at),
                1 => Moment::status(at),
                2 => Moment::event(at),
                _ => Moment::inferred(after, at),
            };
            prop_assert_eq!(read_moment(&moment(&any, start), start), Some(any));
        }

        #[test]
        fn any_word_is_read_or_refused(word in "[~=^<+0-9hms.é-]{0,24}", start in any_time()) {
            read_moment(&word, start);
        }
    }
}
