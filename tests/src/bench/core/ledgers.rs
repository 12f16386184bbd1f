//! What full ledgers cost: DORA's figures of many Rollouts, a scrape of these, memory, and the size of
//! the object that holds one.

use jiff::{SignedDuration, Timestamp};
use operator::metrics::Gauges;
use serde_json::{Value, json};
use timeline::dora::{Bounds, Settings, Window, figures_of};
use timeline::ledger::{Ledger, Line, PackedLedger};
use timeline::{Key, Kind};

use super::memory::{self, Shape};
use super::{REPEATS, Samples, process, ratio};
use crate::bench::Error;

/// Rollouts that are measured at a time.
pub(in crate::bench) const ROLLOUTS: usize = 10_000;
/// More than the longest window, in days.
const DAYS: i64 = 95;
const WINDOWS: [u16; 3] = [7, 30, 90];

/// What was measured.
#[derive(Debug)]
pub(in crate::bench) struct Ledgers {
    /// Seconds of CPU time for the figures of all windows over all Rollouts.
    pub(in crate::bench) figures: Samples,
    /// Seconds of CPU time for a scrape of all Rollouts: one that makes their figures, one after it.
    pub(in crate::bench) scrapes: [Samples; 2],
    /// Bytes and series of such a scrape.
    pub(in crate::bench) scraped: (usize, usize),
    /// Bytes of memory of a ledger.
    pub(in crate::bench) memory: Samples,
    /// Of a team that deploys three times a day, and of one that does so each hour.
    pub(in crate::bench) sizes: [Size; 2],
}

/// How long a full ledger is.
#[derive(Debug)]
pub(in crate::bench) struct Size {
    pub(in crate::bench) a_day: i64,
    /// Lines, and bytes of all of them.
    pub(in crate::bench) lines: (usize, usize),
    /// Days that are summed up, and bytes of all of them.
    pub(in crate::bench) days: (usize, usize),
    /// Bytes of the RolloutTrace that holds it, with ten attempts of Keptn's in its chain.
    pub(in crate::bench) object: usize,
}

/// Each Rollout has the same ledger: it is read, counted and let go, whoever's it is.
pub(super) fn measure() -> Result<Ledgers, Error> {
    let ledger = full(3)?;
    let (scrapes, of_each) = scrapes(&ledger)?;
    let mut memory = Samples::default();
    for _ in 0..REPEATS {
        memory.add(ratio(memory::measure(Shape::Ledger, ROLLOUTS)?, ROLLOUTS));
    }
    let sizes = [size(3)?, size(24)?];
    Ok(Ledgers { figures: figures(&ledger)?, scrapes, scraped: of_each, memory, sizes })
}

fn figures(ledger: &Ledger) -> Result<Samples, Error> {
    let windows = WINDOWS.map(|days| Window::days(days, now()));
    let [Ok(week), Ok(month), Ok(quarter)] = windows else {
        return Err(wrong());
    };
    let settings = Settings::default();
    let mut figures = Samples::default();
    for repeat in 0..=REPEATS {
        let before = process::on_cpu()?;
        let ledgers = std::iter::repeat_n(ledger, ROLLOUTS);
        std::hint::black_box(figures_of(ledgers, [week, month, quarter], &settings));
        let spent = process::on_cpu()?.saturating_sub(before);
        if repeat > 0 {
            figures.add(spent.as_secs_f64());
        }
    }
    Ok(figures)
}

fn scrapes(ledger: &Ledger) -> Result<([Samples; 2], (usize, usize)), Error> {
    let mut samples: [Samples; 2] = Default::default();
    let mut scraped = (0, 0);
    for repeat in 0..=REPEATS {
        let gauges = Gauges::new(now, &WINDOWS);
        for n in 0..ROLLOUTS {
            let rollout = Key::new(format!("team-{:03}", n % 100), format!("service-{n:05}"));
            gauges.set(rollout, ledger, Settings::default());
        }
        for of in &mut samples {
            let before = process::on_cpu()?;
            let text = gauges.text().map_err(|_| wrong())?;
            let spent = process::on_cpu()?.saturating_sub(before);
            if repeat > 0 {
                of.add(spent.as_secs_f64());
            }
            scraped = (text.len(), text.lines().filter(|line| !line.starts_with('#')).count());
        }
    }
    Ok((samples, scraped))
}

fn size(a_day: i64) -> Result<Size, Error> {
    let ledger = full(a_day)?;
    let texts = |all: Vec<String>| (all.len(), all.iter().map(String::len).sum(), all);
    let lines = texts(ledger.lines().iter().map(ToString::to_string).collect());
    let days = texts(ledger.days().map(ToString::to_string).collect());
    let mut object: Value =
        serde_json::from_str(&memory::stored(Kind::RolloutTrace)?).map_err(|_| wrong())?;
    object["status"]["ledger"] = json!(lines.2);
    object["status"]["days"] = json!(days.2);
    object["status"]["compacted"] = json!(ledger.compacted().map(ToString::to_string));
    let object = object.to_string().len();
    Ok(Size { a_day, lines: (lines.0, lines.1), days: (days.0, days.1), object })
}

/// Bytes by which the resident memory of this process grows when it reads so many, as at a start.
pub(super) fn weigh(ledgers: usize) -> Result<u64, Error> {
    let ledger = full(3)?;
    let lines: Vec<String> = ledger.lines().iter().map(ToString::to_string).collect();
    let read = || -> Result<Ledger, Error> {
        let lines: Result<Vec<Line>, _> = lines.iter().map(|line| line.parse()).collect();
        let (uid, days) = (ledger.rollout_uid(), ledger.days().cloned());
        let compacted = ledger.compacted().cloned();
        Ok(Ledger::restored(uid, None, lines.map_err(|_| wrong())?, days, compacted))
    };
    let mut all = Vec::with_capacity(ledgers);
    let before = process::memory(std::process::id())?.resident;
    for _ in 0..ledgers {
        // As it rests, and as the gauges keep it.
        all.push(PackedLedger::of(&read()?));
    }
    let after = process::memory(std::process::id())?.resident;
    std::hint::black_box(all);
    Ok(after.saturating_sub(before))
}

/// The ledger of a Rollout with so many attempts a day for longer than the longest window, of which
/// one of seven was stopped while users could be hit.
fn full(a_day: i64) -> Result<Ledger, Error> {
    let (bounds, settings) = (Bounds::default(), Settings::default());
    let mut full = Ledger::new("00000000-0000-4000-8000-000000000000", None);
    let attempts = a_day * DAYS;
    for n in 1..=attempts {
        let started = now() - SignedDuration::from_mins((attempts - n) * 24 * 60 / a_day);
        let outcome = if n % 7 == 0 { "Aborted" } else { "Promoted" };
        let class = if n % 7 == 0 { " class=AnalysisFailed" } else { "" };
        let line = format!(
            "{n}.1@{n:010x} {outcome} {started} ended=+{} settled=+{} exposed=+{}{class} \
             version=2.{n}.1 commit={n:012x}@-{} replaces={}.1",
            600 + n % 97,
            720 + n % 89,
            60 + n % 7,
            7_200 + n * 31 % 9_000,
            n - 1,
        );
        full.take(line.parse::<Line>().map_err(|_| wrong())?);
        if n % 50 == 0 || n == attempts {
            full.compact(&bounds, &settings, now());
        }
    }
    Ok(full)
}

/// The time at which all is measured.
fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap_or_default()
}

fn wrong() -> Error {
    Error::Sample { kind: "ledgers" }
}
