//! A ledger at rest takes little room and is the same when it is needed again.

use proptest::collection::vec;
use proptest::prelude::*;
use timeline::dora::{Bounds, Settings};
use timeline::ledger::{Ledger, Line, PackedLedger};

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
}

#[test]
fn two_hundred_lines_take_less_than_eight_kilobytes() {
    let mut ledger = Ledger::new("3b1f6a52-75ab-4a5e-8e8d-4f5c4d4c9a33", None);
    // Digits as of a generator that repeats nothing.
    let mut state = 1u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    for n in 1..=200i64 {
        let (hash, commit) = (random() & 0xff_ffff_ffff, random() & 0xffff_ffff_ffff);
        let outcome = if n % 7 == 0 { "Aborted" } else { "Promoted" };
        let class = if n % 7 == 0 { " class=AnalysisFailed" } else { "" };
        let started = second(n * 28_800 + i64::try_from(random() % 9_000).unwrap());
        let line = format!(
            "{n}.1@{hash:010x} {outcome} {started} ended=+{} settled=+{} exposed=+{}{class} \
             version=2.{}.{} commit={commit:012x}@-{} replaces={}.1",
            600 + random() % 900,
            1_500 + random() % 100,
            60 + random() % 9,
            n / 10,
            n % 10,
            7_200 + random() % 90_000,
            n - 1,
        );
        ledger.take(line.parse::<Line>().unwrap());
    }
    let packed = PackedLedger::of(&ledger);
    assert_eq!(packed.ledger().as_ref(), Some(&ledger));
    assert!(packed.size() <= 7_400, "{} bytes", packed.size());
}
