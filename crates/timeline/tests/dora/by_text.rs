//! The figures are those that docs/dora.md speaks of, over any history.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use timeline::dora::{Settings, Window, figures};
use timeline::ledger::{Kind, Line};

use crate::always::end;
use crate::any::history;
use crate::build::ledger;
use crate::lines::{entry_of_line, is_shown};
use crate::not_yet::is_known;
use crate::reckoning;

/// What happens in a history that not everybody gets right.
fn kinds(lines: &[Line]) -> BTreeSet<&'static str> {
    let mut kinds = BTreeSet::new();
    for (n, line) in lines.iter().enumerate() {
        let known = lines[..n].iter().any(|it| it.id.hash == line.id.hash);
        if line.kind == Kind::Rollback && !known {
            kinds.insert("a rollback to what nobody knows");
        }
    }
    kinds
}

/// What is shown, if that is not what the text says.
fn wrong(lines: &[Line]) -> Option<String> {
    let now = end(lines);
    let oldest = lines.iter().map(|line| line.started).min().unwrap_or(now);
    // Over more days than a window has nothing is compared.
    if now.duration_since(oldest).as_hours() >= 89 * 24 {
        return None;
    }
    let entries: Vec<_> = lines.iter().map(entry_of_line).collect();
    let real = reckoning::figures(&entries);
    let window = Window::days(90, now).unwrap();
    let shown = figures([&ledger(lines.to_vec())], window, &Settings::default());
    let told: Vec<_> = lines.iter().map(Line::to_string).collect();
    (!is_shown(&shown, &real, 0)).then(|| format!("{:?}, and not {real:?}: {told:#?}", shown.sum))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn figures_are_those_of_the_text(lines in history(14)) {
        let wrong = if kinds(&lines).into_iter().any(is_known) { None } else { wrong(&lines) };
        prop_assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}

/// A list of what is not right yet must shrink.
#[test]
fn what_is_said_not_to_be_right_yet_is_not() {
    let config = Config { rng_seed: RngSeed::Fixed(1), ..Config::default() };
    let mut runner = TestRunner::new(config);
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..2_000 {
        let lines = history(30).new_tree(&mut runner).unwrap().current();
        let known: BTreeSet<_> = kinds(&lines).into_iter().filter(|kind| is_known(kind)).collect();
        if wrong(&lines).is_some() {
            found.extend(known.iter().copied());
        }
        seen.extend(known);
    }
    assert_eq!(seen, found);
}
