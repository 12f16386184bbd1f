//! A ledger at rest takes little room and is the same when it is needed again.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use timeline::dora::{Bounds, Settings};
use timeline::ledger::{Day, Ledger, Line, PackedLedger, Sum};

use crate::any;
use crate::build::second;

proptest! {
    #[test]
    fn any_ledger_is_the_same_after_it_was_packed(lines in vec(any::line(), 0..12), known in any::<bool>()) {
        let mut ledger = Ledger::new("3b1f6a52-75ab-4a5e-8e8d-4f5c4d4c9a33", known.then(|| second(7)));
        for line in lines {
            ledger.take(line);
        }
        prop_assert_eq!(PackedLedger::of(&ledger).ledger(), Some(ledger.clone()));
        let few = Bounds { lines: 3, ..Bounds::default() };
        ledger.compact(&few, &Settings::default(), second(5_000_000));
        prop_assert_eq!(PackedLedger::of(&ledger).ledger(), Some(ledger));
    }

    #[test]
    fn templates_and_fractions_of_seconds_are_the_same_too(
        lines in vec((any::line(), option::of(any::<u32>()), 0i64..3, 0i64..3, any::<bool>()), 0..12),
    ) {
        let lines = lines.into_iter().map(|(line, template, starts, ends, orderly)| {
            let later = |at: Timestamp, by| at.checked_add(SignedDuration::from_millis(by)).unwrap_or(at);
            let ended = line.ended.map(|at| later(at, ends));
            let settled = if orderly { line.settled.max(ended) } else { line.settled };
            Line { template, started: later(line.started, starts), ended, settled, ..line }
        });
        let ledger = Ledger::restored("3b1f6a52", None, lines, [], None);
        prop_assert_eq!(PackedLedger::of(&ledger).ledger(), Some(ledger));
    }

    #[test]
    fn any_days_are_the_same_after_they_were_packed(days in vec((day(), sum()), 0..12)) {
        let days = days.into_iter().map(|(date, sum)| Day { date, sum });
        let ledger = Ledger::restored("3b1f6a52", None, [], days, None);
        prop_assert_eq!(PackedLedger::of(&ledger).ledger(), Some(ledger));
    }
}

fn day() -> impl Strategy<Value = Date> {
    let likely = (2020i16..2030, 1i8..=12, 1i8..=28);
    let far = (-9999i16..=9999, 1i8..=12, 1i8..=28);
    let edges = prop_oneof![Just((2028i16, 12i8, 31i8)), Just((2029, 1, 1)), Just((2027, 12, 31))];
    prop_oneof![8 => likely, 1 => far, 1 => edges].prop_map(|(y, m, d)| Date::new(y, m, d).unwrap())
}

fn sum() -> impl Strategy<Value = Sum> {
    let count = || prop_oneof![3 => Just(0u32), 3 => 1u32..200, 1 => any::<u32>()];
    let run = || vec(prop_oneof![5 => 0u32..100_000, 1 => any::<u32>()], 0..8);
    ([count(), count(), count(), count()], [run(), run(), run()]).prop_map(|(counts, runs)| {
        let [deployments, failed_exposed, fixes, dropped] = counts;
        let [leads, recoveries, mends] = runs;
        Sum {
            deployments,
            failed_exposed,
            fixes,
            dropped,
            leads,
            recoveries,
            mends,
            ..Sum::default()
        }
    })
}

/// A full ledger whose hashes, commits, templates and times are those of a generator that repeats
/// nothing.
fn full(a_day: i64) -> Ledger {
    let mut state = 1u64;
    let mut random = |of: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 16) % of
    };
    let letters = b"bcdfghjklmnpqrstvwxz2456789";
    let (bounds, settings) = (Bounds::default(), Settings::default());
    let mut ledger = Ledger::new("3b1f6a52-75ab-4a5e-8e8d-4f5c4d4c9a33", None);
    let attempts = a_day * 95;
    for n in 1..=attempts {
        let at = second(n * 86_400 / a_day);
        let started = at + SignedDuration::from_secs(i64::try_from(random(3_600)).unwrap());
        let hash: String =
            (0..10).map(|_| char::from(letters[usize::try_from(random(27)).unwrap()])).collect();
        let outcome = if n % 7 == 0 { "Aborted" } else { "Promoted" };
        let class = if n % 7 == 0 { " class=AnalysisFailed" } else { "" };
        let line = format!(
            "{n}.1@{hash} {outcome} {started} ended=+{} settled=+{} exposed=+{}{class} \
             version=2.{}.{} commit={:012x}@-{} template={:08x} replaces={}.1",
            600 + random(900),
            1_500 + random(100),
            60 + random(9),
            n / 10,
            n % 10,
            random(1 << 48),
            7_200 + random(90_000),
            random(1 << 32),
            n - 1,
        );
        ledger.take(line.parse::<Line>().unwrap());
        if n % 50 == 0 || n == attempts {
            ledger.compact(&bounds, &settings, at);
        }
    }
    ledger
}

#[test]
fn a_full_ledger_takes_less_than_seven_kilobytes() {
    for (a_day, least) in [(3, 170), (24, 110)] {
        let ledger = full(a_day);
        assert!(ledger.lines().len() > least, "{} lines", ledger.lines().len());
        let packed = PackedLedger::of(&ledger);
        assert_eq!(packed.ledger().as_ref(), Some(&ledger));
        assert!(packed.size() <= 6_500, "{a_day} a day: {} bytes", packed.size());
    }
}
