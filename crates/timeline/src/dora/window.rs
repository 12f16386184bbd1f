//! Windows: whole days in UTC, so that sums of days stay exact in them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Days of the longest window.
pub const LONGEST: u16 = 90;

/// The time from the beginning of a day in UTC, that included, to a moment, that excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    first: Date,
    /// Midnight of that day.
    from: Timestamp,
    until: Timestamp,
}

/// Why there is no such window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// None has so many days.
    #[error("a window has 1 to {LONGEST} days, not {0}")]
    Days(u16),
    /// There is no such time.
    #[error("a window cannot begin so long before {0}")]
    Time(Timestamp),
    /// It would be empty.
    #[error("a window cannot be split at {0}: that lies outside of it")]
    Split(Date),
}

impl Window {
    /// The last `days` days: today in UTC up to now, and the days before.
    pub fn days(days: u16, now: Timestamp) -> Result<Self, WindowError> {
        if !(1..=LONGEST).contains(&days) {
            return Err(WindowError::Days(days));
        }
        let back = SignedDuration::from_hours(i64::from(days).saturating_sub(1).saturating_mul(24));
        let first = now.checked_sub(back).map_err(|_| WindowError::Time(now))?;
        // What happened in the second of the look is in it.
        let until = now.checked_add(SignedDuration::from_secs(1));
        let until = until.map_err(|_| WindowError::Time(now))?;
        let first = date(first);
        Ok(Self { first, from: midnight(first).ok_or(WindowError::Time(now))?, until })
    }

    /// The same in two parts: before a day, and from that day on.
    pub fn split(self, day: Date) -> Result<(Self, Self), WindowError> {
        let start = midnight(day).ok_or(WindowError::Split(day))?;
        if day <= self.first || start >= self.until {
            return Err(WindowError::Split(day));
        }
        Ok((Self { until: start, ..self }, Self { first: day, from: start, ..self }))
    }

    /// Whether a moment lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        at >= self.from && at < self.until
    }

    /// Whether all of a day does.
    pub fn contains_day(&self, day: Date) -> bool {
        day >= self.first && midnight(day).is_some_and(|start| start < self.until)
    }

    /// Whether what happened on a day, or within `after` that day, may lie in it.
    pub(super) fn is_reached(&self, day: Date, after: SignedDuration) -> bool {
        let Some(start) = midnight(day) else { return false };
        let over = SignedDuration::from_hours(24).saturating_add(after);
        start < self.until && self.from.duration_since(start) < over
    }

    /// Its first day.
    pub fn first(&self) -> Date {
        self.first
    }

    /// Its first moment.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Its length in days, a day that has begun counted whole.
    pub fn length(&self) -> u32 {
        let seconds = self.until.as_second().saturating_sub(self.from.as_second()).max(1);
        u32::try_from(seconds.saturating_add(86_399) / 86_400)
            .unwrap_or(u32::MAX)
            .min(u32::from(LONGEST))
    }
}

/// The day of a moment in UTC.
pub(crate) fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn midnight(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
