//! What DORA's figures of many Rollouts cost, and how long the text of a full ledger is.

use jiff::{SignedDuration, Timestamp};
use timeline::dora::{Settings, Window, figures_of};
use timeline::ledger::{Bounds, Ledger, Line};

use super::{REPEATS, Samples, process};
use crate::bench::Error;

/// Rollouts whose figures are made at a time.
pub(in crate::bench) const ROLLOUTS: usize = 10_000;
/// An attempt an hour for more than the longest window.
const ATTEMPTS: i64 = 24 * 95;
const WINDOWS: [u16; 3] = [7, 30, 90];

/// What was measured.
#[derive(Debug)]
pub(in crate::bench) struct Ledgers {
    /// Seconds of CPU time for the figures of all windows over all Rollouts.
    pub(in crate::bench) figures: Samples,
    /// Lines of a full ledger, and bytes of all of them.
    pub(in crate::bench) lines: (usize, usize),
    /// Days that are summed up in it, and bytes of all of them.
    pub(in crate::bench) days: (usize, usize),
}

/// Each Rollout has the same ledger: it is read, counted and let go, whoever's it is.
pub(super) fn measure() -> Result<Ledgers, Error> {
    let wrong = || Error::Sample { kind: "ledgers" };
    let now = Timestamp::from_second(1_800_000_000).map_err(|_| wrong())?;
    let ledger = full(now).ok_or_else(wrong)?;
    let windows = WINDOWS.map(|days| Window::days(days, now));
    let [Ok(week), Ok(month), Ok(quarter)] = windows else {
        return Err(wrong());
    };
    let settings = Settings::default();
    let mut figures = Samples::default();
    for repeat in 0..=REPEATS {
        let before = process::on_cpu()?;
        let ledgers = std::iter::repeat_n(&ledger, ROLLOUTS);
        let made = figures_of(ledgers, [week, month, quarter], &settings);
        let spent = process::on_cpu()?.saturating_sub(before);
        std::hint::black_box(made);
        if repeat > 0 {
            figures.add(spent.as_secs_f64());
        }
    }
    let lines = ledger.lines().iter().map(|line| line.to_string().len());
    let days = ledger.days().map(|day| day.to_string().len());
    Ok(Ledgers {
        figures,
        lines: (ledger.lines().len(), lines.sum()),
        days: (ledger.days().count(), days.sum()),
    })
}

/// One attempt of three was stopped while users could be hit.
fn full(now: Timestamp) -> Option<Ledger> {
    let (bounds, settings) = (Bounds::default(), Settings::default());
    let mut full = Ledger::new("00000000-0000-4000-8000-000000000000", None);
    for n in 1..=ATTEMPTS {
        let started = now - SignedDuration::from_hours(ATTEMPTS - n);
        let outcome = if n % 3 == 0 { "Aborted" } else { "Promoted" };
        let class = if n % 3 == 0 { " class=AnalysisFailed" } else { "" };
        let line = format!(
            "{n}.1@{n:010x} {outcome} Change {started} ended=+{} settled=+{} exposed=+{}{class} \
             version=2026.11.21-{n} commit={n:012x}@-{} replaces={}.1",
            600 + n % 97,
            720 + n % 89,
            60 + n % 7,
            7_200 + n * 31 % 9_000,
            n - 1,
        );
        full.take(line.parse::<Line>().ok()?);
        if n % 50 == 0 || n == ATTEMPTS {
            full.compact(&bounds, &settings, now);
        }
    }
    Some(full)
}
