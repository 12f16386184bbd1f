//! What is known of one watch.

use crate::seen::{Kind, Unavailable};

/// What is known of the watch of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Watch {
    /// Its objects were listed, and it is still served and allowed.
    pub(super) listed: bool,
    pub(super) unavailable: Option<Unavailable>,
}

impl Watch {
    /// Whether absence of an object means something: all were listed, or there can be none to
    /// see. A list that merely failed is not an empty one.
    pub(super) fn looked(&self, kind: Kind) -> bool {
        let Some(why) = &self.unavailable else {
            return self.listed;
        };
        self.listed
            || match kind {
                // Without the RolloutTraces a restart would begin every chain anew.
                Kind::RolloutTrace => false,
                // They tell of the inside of attempts: links do not wait for them to heal.
                Kind::RolloutAttempt | Kind::AnalysisRun | Kind::Experiment | Kind::Pod => true,
                _ => matches!(why, Unavailable::NotInstalled | Unavailable::Forbidden(_)),
            }
    }
}
