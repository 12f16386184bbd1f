//! The figures are those that docs/dora.md speaks of, over any history.

use proptest::option;
use proptest::prelude::*;
use timeline::dora::{Settings, Window, figures};
use timeline::ledger::{Ledger, Line};

use crate::always::end;
use crate::any::history;
use crate::build::UID;
use crate::lines::{entry_of_line, is_shown};
use crate::reckoning;

/// What is shown, if that is not what the text says. Some attempts before the beginning of one of
/// the lines may be missing.
fn wrong(lines: &[Line], missing_before: Option<usize>) -> Option<String> {
    let now = end(lines);
    let oldest = lines.iter().map(|line| line.started).min().unwrap_or(now);
    // Over more days than a window has nothing is compared.
    if now.duration_since(oldest).as_hours() >= 89 * 24 {
        return None;
    }
    let since = missing_before.and_then(|n| lines.get(n)).map(|line| line.started);
    let entries: Vec<_> = lines.iter().map(entry_of_line).collect();
    let real = reckoning::figures(&entries, since.map(jiff::Timestamp::as_second));
    let window = Window::days(90, now).unwrap();
    let mut ledger = Ledger::new(UID, since);
    for line in lines {
        ledger.take(line.clone());
    }
    let shown = figures([&ledger], window, &Settings::default());
    let texts: Vec<_> = lines.iter().map(Line::to_string).collect();
    (!is_shown(&shown, &real, 0)).then(|| format!("{:?}, and not {real:?}: {texts:#?}", shown.sum))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn figures_are_those_of_the_text(
        lines in history(14),
        missing_before in option::weighted(0.3, 0usize..14),
    ) {
        let wrong = wrong(&lines, missing_before);
        prop_assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}
