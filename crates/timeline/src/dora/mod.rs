//! DORA's metrics from ledgers, so that each figure can be followed by hand to attempts.
//!
//! The way: lines of a [`Ledger`](crate::ledger::Ledger) -> [`judge`]: what each attempt counts as
//! -> [`Sum`](crate::ledger::Sum) over a [`Window`] -> [`Figures`]. Definitions and formulas are in
//! docs/dora.md. A figure over many Rollouts is made from the sum of all, never from other figures.

mod bands;
mod compact;
mod figures;
mod judge;
mod sum;
mod verdict;
mod window;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use bands::{Band, Bands};
pub use compact::Bounds;
pub use figures::{Figures, Frequency, Rate, Times, figures, figures_by, figures_of};
pub use judge::judge;
pub use verdict::{Counts, Lead, Noticed, Verdict};
pub(crate) use window::date;
pub use window::{LONGEST, Window, WindowError};

use crate::seen::commit::FIRST_COMMIT;

/// What a person may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    failure_window: SignedDuration,
    repository_since: Timestamp,
    bands: bool,
}

/// Why a setting cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The failure window is too long, or negative.
    #[error("a failure window has 0 to {most} hours, not {0}", most = Settings::LONGEST_HOURS)]
    FailureWindow(i64),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            failure_window: SignedDuration::from_hours(24),
            repository_since: FIRST_COMMIT,
            bands: true,
        }
    }
}

impl Settings {
    /// Most hours of a failure window: 30 days.
    pub const LONGEST_HOURS: i64 = 720;

    /// With another failure window, in hours; the default is 24.
    pub fn failure_window_hours(self, hours: i64) -> Result<Self, SettingsError> {
        if !(0..=Self::LONGEST_HOURS).contains(&hours) {
            return Err(SettingsError::FailureWindow(hours));
        }
        Ok(Self { failure_window: SignedDuration::from_hours(hours), ..self })
    }

    /// With a time before which no commit can have been made; the default is the year 2000.
    #[must_use]
    pub fn repository_since_time(self, since: Timestamp) -> Self {
        Self { repository_since: since.max(FIRST_COMMIT), ..self }
    }

    /// Without labels of DORA's performance levels.
    #[must_use]
    pub fn without_bands(self) -> Self {
        Self { bands: false, ..self }
    }

    /// Whether figures get labels of DORA's performance levels.
    pub fn has_bands(&self) -> bool {
        self.bands
    }

    /// How long after it became live a rollback or hotfix makes a revision a failure.
    pub fn failure_window(&self) -> SignedDuration {
        self.failure_window
    }

    /// Before this no commit can have been made.
    pub fn repository_since(&self) -> Timestamp {
        self.repository_since
    }
}
