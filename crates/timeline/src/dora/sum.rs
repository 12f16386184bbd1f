//! What an attempt adds to a sum.

use jiff::Timestamp;

use super::verdict::{Counts, Lead, Verdict};
use crate::ledger::{Kind, Sum};
use crate::seen::commit::Refusal;

impl Sum {
    /// What one attempt adds.
    pub fn of(verdict: &Verdict<'_>) -> Self {
        let mut sum = Self::default();
        sum.add(verdict);
        sum
    }

    /// Adds one attempt; what was added is to be sorted in the end.
    pub fn add(&mut self, verdict: &Verdict<'_>) {
        let count = |number: &mut u32| *number = number.saturating_add(1);
        match verdict.counts {
            Counts::Deployment => count(&mut self.deployments),
            Counts::FailedDeployment => {
                count(&mut self.deployments);
                count(&mut self.failed_live);
            }
            Counts::Rollback => count(&mut self.rollbacks),
            Counts::FailedExposed => count(&mut self.failed_exposed),
            Counts::FailedBlocked => count(&mut self.failed_blocked),
            Counts::FailedUnclear => count(&mut self.failed_unclear),
            Counts::Superseded => count(&mut self.superseded),
            Counts::Nothing => {}
        }
        if verdict.is_live_change() {
            if verdict.recovers.is_some() || verdict.kind == Kind::Hotfix {
                count(&mut self.fixes);
            }
            match verdict.lead {
                Lead::Seconds(seconds, _) => self.leads.push(seconds),
                Lead::None | Lead::Refused(Refusal::Redeployed) => count(&mut self.untimed),
                Lead::Refused(_) => count(&mut self.refused),
            }
        }
        if let Some(failure) = verdict.failure {
            let since = |at: Timestamp| u32::try_from(seconds(failure.from, at)).unwrap_or(0);
            match failure.recovered {
                Some(at) => self.recoveries.push(since(at)),
                None => count(&mut self.unrecovered),
            }
            match failure.mended {
                Some(at) => self.mends.push(since(at)),
                None => count(&mut self.unmended),
            }
        }
    }
}

pub(super) fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second().saturating_sub(from.as_second())
}
