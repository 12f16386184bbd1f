//! The ledger and the settings as they are stored in a RolloutTrace.

use api::rollout_trace as rtr;
use jiff::Timestamp;
use timeline::dora::{Settings, Window, figures_of};
use timeline::ledger::{Day, Ledger, Line};
use timeline::stored::Report;

use super::words;

/// The windows that figures are shown for, in days.
pub const WINDOWS: [u16; 3] = [7, 30, 90];

/// What a person has set; what cannot be followed is as if it were not set.
pub fn settings(spec: &rtr::RolloutTraceSpec) -> Settings {
    let dora = spec.dora.clone().unwrap_or_default();
    let settings = Settings::default();
    let hours = dora.failure_window_hours.map(i64::from);
    let settings =
        hours.map_or(settings, |hours| settings.failure_window_hours(hours).unwrap_or(settings));
    if dora.bands == Some(false) { settings.without_bands() } else { settings }
}

/// The ledger that a status holds; none if it was written before there were any.
///
/// A line that cannot be read was changed by somebody: the ledger is taken to be known from the last
/// write on, and the line is left out.
pub fn ledger(status: &rtr::RolloutTraceStatus) -> Option<Ledger> {
    let (uid, dora) = (status.rollout_uid.as_ref()?, status.dora.as_ref()?);
    let lines: Vec<Line> = status.ledger.iter().filter_map(|line| line.parse().ok()).collect();
    let days: Vec<Day> = status.days.iter().filter_map(|day| day.parse().ok()).collect();
    let compacted = status.compacted.as_ref().map(|mark| mark.parse());
    let broken = lines.len() < status.ledger.len()
        || days.len() < status.days.len()
        || compacted.as_ref().is_some_and(Result::is_err);
    let compacted = compacted.and_then(Result::ok);
    let mut ledger = Ledger::restored(uid, status.known_since, lines, days, compacted);
    if broken {
        tracing::warn!(uid, "a ledger was changed by somebody: not all of it can be read");
        ledger.missed(dora.as_of);
    }
    Some(ledger)
}

/// How many lines of a ledger cannot be read.
pub(super) fn unreadable(status: &rtr::RolloutTraceStatus) -> usize {
    let lines = status.ledger.iter().filter(|line| line.parse::<Line>().is_err()).count();
    let days = status.days.iter().filter(|day| day.parse::<Day>().is_err()).count();
    lines.saturating_add(days)
}

/// Writes the ledger of a report, and figures as of its time, into a status.
pub(crate) fn write(report: &Report, status: &mut rtr::RolloutTraceStatus) {
    let Some(ledger) = report.ledger.as_deref() else {
        return;
    };
    status.known_since = ledger.known_since();
    status.ledger = ledger.lines().iter().map(ToString::to_string).collect();
    status.days = ledger.days().map(ToString::to_string).collect();
    status.compacted = ledger.compacted().map(ToString::to_string);
    let as_of = Timestamp::from_second(report.at.as_second()).unwrap_or(report.at);
    status.dora = Some(rtr::Dora { as_of, figures: figures(ledger, &report.dora, as_of) });
}

fn figures(ledger: &Ledger, settings: &Settings, as_of: Timestamp) -> Vec<String> {
    let windows = WINDOWS.map(|days| Window::days(days, as_of));
    let [Ok(week), Ok(month), Ok(quarter)] = windows else {
        return Vec::new();
    };
    let figures = figures_of([ledger], [week, month, quarter], settings);
    WINDOWS.iter().zip(&figures).map(|(days, figures)| words::line(*days, figures)).collect()
}
