//! What attempts add up to: the whole of what figures are made from.
//!
//! Numbers add, and durations are kept each by itself, sorted: so the sum over a window is the same
//! from lines, from sums of days and from any mixture of both, and so are a median and a percentile.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use super::text::{TextError, read_runs, words, write_runs};

/// Most durations of one kind in one sum of a day that is read.
const VALUES: usize = 4096;
/// Most bytes of a day that is read.
const DAY: usize = 64 * 1024;

/// What attempts add up to. Durations are in seconds, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Sum {
    /// New revisions that became live, hotfixes among them, those among them that failed later.
    pub deployments: u32,
    /// Returns to an earlier revision that became live.
    pub rollbacks: u32,
    /// Of the deployments those that were rolled back or hotfixed within the failure window.
    pub failed_live: u32,
    /// Stopped while users could be hit.
    pub failed_exposed: u32,
    /// Stopped before users could be hit.
    pub failed_blocked: u32,
    /// Stopped, and it is not known whether users could be hit.
    pub failed_unclear: u32,
    /// Replaced by another revision before they were decided.
    pub superseded: u32,
    /// Of the deployments those that mend a failure.
    pub fixes: u32,
    /// Deployments whose commit has no time, or was live already.
    pub untimed: u32,
    /// Deployments whose commit has a time that cannot be right.
    pub refused: u32,
    /// Failures that users could notice and of which no time is known at which traffic was back.
    pub unrecovered: u32,
    /// Those after which no good revision has come.
    pub unmended: u32,
    /// Attempts that were summed up before all that may follow from them was known.
    pub early: u32,
    /// Durations for which there was no room.
    pub dropped: u32,
    /// Change lead times.
    pub leads: Vec<u32>,
    /// From a failure to traffic back on what is good.
    pub recoveries: Vec<u32>,
    /// From a failure to the next good revision.
    pub mends: Vec<u32>,
}

/// The attempts that ended on one day, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Day {
    /// The day.
    pub date: Date,
    /// What they add up to.
    pub sum: Sum,
}

impl Sum {
    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        for ((ours, _), theirs) in self.counts_mut().into_iter().zip(other.counts()) {
            *ours = ours.saturating_add(theirs);
        }
        for ((ours, _), theirs) in self.runs_mut().into_iter().zip(other.runs()) {
            ours.extend_from_slice(theirs);
        }
    }

    /// Sorts what was added.
    pub fn sort(&mut self) {
        for (run, _) in self.runs_mut() {
            run.sort_unstable();
        }
    }

    /// How many durations it holds.
    pub fn len(&self) -> usize {
        self.runs().iter().map(|run| run.len()).sum()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.counts().iter().all(|count| *count == 0)
    }

    /// Forgets the durations, and says so.
    pub(crate) fn drop_durations(&mut self) {
        let dropped = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.dropped = self.dropped.saturating_add(dropped);
        for (run, _) in self.runs_mut() {
            run.clear();
        }
    }

    pub(super) fn counts(&self) -> [u32; 14] {
        let mut copy = Self { leads: vec![], recoveries: vec![], mends: vec![], ..*self };
        copy.counts_mut().map(|(count, _)| *count)
    }

    pub(super) fn counts_mut(&mut self) -> [(&mut u32, &'static str); 14] {
        [
            (&mut self.deployments, "deployments"),
            (&mut self.rollbacks, "rollbacks"),
            (&mut self.failed_live, "failed-live"),
            (&mut self.failed_exposed, "failed-exposed"),
            (&mut self.failed_blocked, "failed-blocked"),
            (&mut self.failed_unclear, "failed-unclear"),
            (&mut self.superseded, "superseded"),
            (&mut self.fixes, "fixes"),
            (&mut self.untimed, "untimed"),
            (&mut self.refused, "refused"),
            (&mut self.unrecovered, "unrecovered"),
            (&mut self.unmended, "unmended"),
            (&mut self.early, "early"),
            (&mut self.dropped, "dropped"),
        ]
    }

    pub(super) fn runs(&self) -> [&Vec<u32>; 3] {
        [&self.leads, &self.recoveries, &self.mends]
    }

    pub(super) fn runs_mut(&mut self) -> [(&mut Vec<u32>, &'static str); 3] {
        [
            (&mut self.leads, "leads"),
            (&mut self.recoveries, "recoveries"),
            (&mut self.mends, "mends"),
        ]
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date)?;
        let mut sum = self.sum.clone();
        for (count, name) in sum.counts_mut() {
            if *count > 0 {
                write!(f, " {name}={count}")?;
            }
        }
        for (run, name) in sum.runs_mut() {
            if !run.is_empty() {
                write!(f, " {name}=")?;
                write_runs(f, run)?;
            }
        }
        Ok(())
    }
}

impl FromStr for Day {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut words = words(text, DAY)?;
        let date = words.next().ok_or(TextError::Missing("day"))?;
        let date = date.parse().map_err(|_| TextError::unknown("day", date))?;
        let mut sum = Sum::default();
        for word in words {
            let (name, value) =
                word.split_once('=').ok_or_else(|| TextError::unknown("name=value", word))?;
            let count = sum.counts_mut().into_iter().find(|(_, of)| *of == name);
            if let Some((count, _)) = count {
                *count = value.parse().map_err(|_| TextError::unknown("number", value))?;
                continue;
            }
            let run = sum.runs_mut().into_iter().find(|(_, of)| *of == name);
            let (run, _) = run.ok_or_else(|| TextError::unknown("name", name))?;
            *run = read_runs(value, VALUES)?;
        }
        Ok(Self { date, sum })
    }
}
