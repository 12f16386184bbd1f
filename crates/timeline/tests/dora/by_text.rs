//! The figures are those that docs/dora.md speaks of, over any history.

use proptest::prelude::*;
use timeline::dora::{Settings, Window, figures};
use timeline::ledger::Line;

use crate::always::end;
use crate::any::history;
use crate::build::ledger;
use crate::lines::{entry_of_line, is_shown};
use crate::reckoning;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn figures_are_those_of_the_text(lines in history(30)) {
        let now = end(&lines);
        let oldest = lines.iter().map(|line| line.started).min().unwrap_or(now);
        // Over more days than a window has nothing is compared.
        prop_assume!(now.duration_since(oldest).as_hours() < 89 * 24);
        let entries: Vec<_> = lines.iter().map(entry_of_line).collect();
        let real = reckoning::figures(&entries);
        let window = Window::days(90, now).unwrap();
        let shown = figures([&ledger(lines.clone())], window, &Settings::default());
        let told: Vec<_> = lines.iter().map(Line::to_string).collect();
        prop_assert!(is_shown(&shown, &real, 0), "{:?}, and not {real:?}: {told:#?}", shown.sum);
    }
}
