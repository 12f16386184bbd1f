//! A day as bytes.

use jiff::civil::Date;

use super::codes::length;
use crate::base::packed::{Reader, Writer};
use crate::ledger::{Day, Sum};

/// Which counts and durations follow, and whether these are sorted; then the counts, then the durations.
pub(super) fn write_day(writer: &mut Writer, day: &Day, before: i64) {
    writer.signed(before.saturating_sub(number_of(day.date)));
    let (counts, runs) = (day.sum.counts(), day.sum.runs());
    let follow = counts.iter().map(|count| *count > 0);
    let follow = follow.chain(runs.iter().map(|run| !run.is_empty()));
    let follow = follow.chain(runs.iter().map(|run| run.is_sorted()));
    writer.one_of_few(follow.enumerate().map(|(n, is)| u64::from(is) << n).sum());
    for count in counts.into_iter().filter(|count| *count > 0) {
        writer.number(u64::from(count));
    }
    for run in runs.into_iter().filter(|run| !run.is_empty()) {
        writer.number(run.len() as u64);
        let sorted = run.is_sorted();
        let mut before = 0;
        for value in run {
            let more = i64::from(*value).saturating_sub(before);
            match u64::try_from(more).ok().filter(|_| sorted) {
                Some(more) => writer.number(more),
                None => writer.signed(more),
            }
            before = i64::from(*value);
        }
    }
}

pub(super) fn read_day(reader: &mut Reader<'_>, before: i64) -> Option<Day> {
    let date = date_of(before.checked_sub(reader.signed()?)?)?;
    let mut sum = Sum::default();
    let mut follow = reader.one_of_few()?;
    let mut next = || {
        let is = follow & 1 == 1;
        follow >>= 1;
        is
    };
    for (count, _) in sum.counts_mut() {
        if next() {
            *count = u32::MAX;
        }
    }
    let runs = [next(), next(), next()];
    let sorted = [next(), next(), next()];
    for (count, _) in sum.counts_mut().into_iter().filter(|(count, _)| **count > 0) {
        *count = u32::try_from(reader.number()?).ok()?;
    }
    for (((run, _), follows), sorted) in sum.runs_mut().into_iter().zip(runs).zip(sorted) {
        let mut before = 0i64;
        for _ in 0..if follows { length(reader)? } else { 0 } {
            let more = if sorted { reader.number()?.try_into().ok()? } else { reader.signed()? };
            before = before.checked_add(more)?;
            run.push(u32::try_from(before).ok()?);
        }
        run.shrink_to_fit();
    }
    Some(Day { date, sum })
}

/// Each day has one, and most follow on that of the day before.
pub(super) fn number_of(date: Date) -> i64 {
    let year = i64::from(date.year()).saturating_mul(366);
    year.saturating_add(i64::from(date.day_of_year()))
}

fn date_of(number: i64) -> Option<Date> {
    let day = number.checked_sub(1)?;
    let year = i16::try_from(day.div_euclid(366)).ok()?;
    let day = i16::try_from(day.rem_euclid(366)).ok()?.checked_add(1)?;
    Date::new(year, 1, 1).ok()?.with().day_of_year(day).build().ok()
}
