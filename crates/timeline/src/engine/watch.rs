//! What is known of one watch.

use jiff::{SignedDuration, Timestamp};

use crate::seen::{Kind, Unavailable};

/// A list that fails for so long may go on failing: what needs it least no longer waits for it. An
/// API server that is just starting refuses lists for some seconds.
const FAILS_LONG: SignedDuration = SignedDuration::from_secs(30);

/// What is known of the watch of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Watch {
    /// Its objects were listed, and it is still served and allowed.
    pub(super) listed: bool,
    pub(super) unavailable: Option<Unavailable>,
    /// Since when its list fails.
    pub(super) failing: Option<Timestamp>,
}

impl Watch {
    /// All objects were listed.
    pub(super) const fn listed() -> Self {
        Self { listed: true, unavailable: None, failing: None }
    }

    /// The same watch after it was said that the kind is not available. A list that fails takes
    /// nothing back of what is known.
    pub(super) fn without(&self, why: Unavailable, now: Timestamp) -> Self {
        let fails = matches!(why, Unavailable::Failed(_));
        Self {
            listed: self.listed && fails,
            failing: fails.then(|| self.failing.unwrap_or(now)),
            unavailable: Some(why),
        }
    }

    /// Whether absence of an object means something: all were listed, or there can be none to
    /// see. A list that merely failed is not an empty one.
    pub(super) fn looked(&self, kind: Kind, now: Timestamp) -> bool {
        if self.unavailable.is_none() {
            return self.listed;
        }
        self.listed
            || match kind {
                // Without the RolloutTraces a restart would begin every chain again.
                Kind::RolloutTrace => false,
                // They show the inside of attempts: links do not wait for them to heal.
                Kind::RolloutAttempt | Kind::AnalysisRun | Kind::Experiment | Kind::Pod => true,
                // Absent Keptn stops nothing else, and one that fails does not either.
                Kind::AppVersion | Kind::WorkloadVersion | Kind::AppContext => {
                    self.failing.is_none_or(|since| now.duration_since(since) >= FAILS_LONG)
                }
                Kind::Rollout | Kind::ReplicaSet => self.failing.is_none(),
            }
    }

    /// What of it decides about Rollouts and links. That a list fails, and in which words, does not:
    /// what was listed before still stands.
    pub(super) fn decides(&self) -> (bool, Option<&Unavailable>) {
        let why = self.unavailable.as_ref();
        (self.listed, why.filter(|why| !matches!(why, Unavailable::Failed(_))))
    }

    /// Why the kind is not available, as the status of each Rollout reports it. One list that fails
    /// is reported of the operator, not of each Rollout.
    pub(super) fn reported(&self) -> Option<&Unavailable> {
        self.unavailable.as_ref().filter(|_| !self.listed)
    }
}
