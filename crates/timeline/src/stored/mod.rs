//! RolloutTrace and RolloutAttempt: what they say, and how they stand in the cluster.

mod attempt;
pub(crate) mod conditions;
mod report;
mod settings;

pub use attempt::RolloutAttemptSeen;
pub use report::{Condition, OBSERVE_ONLY, Report};
pub use settings::{RolloutTraceSeen, Settings};
