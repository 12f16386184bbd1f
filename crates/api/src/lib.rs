//! Kubernetes types: our own resources, and the few fields that we read of others'.
//!
//! Others' types are written by hand, every field optional, unknown values kept as strings: a
//! field that is missing or new harms nothing. A field of the wrong type makes its object invalid
//! and no other.

pub mod argo;
mod fence;
mod foreign;
pub mod keptn;
pub mod metadata;
pub mod rollout_attempt;
pub mod rollout_trace;

pub use fence::FENCED;
use fence::fence;
pub use foreign::Unread;
pub use rollout_attempt::{RolloutAttempt, RolloutAttemptSpec, RolloutAttemptStatus};
pub use rollout_trace::{RolloutTrace, RolloutTraceSpec, RolloutTraceStatus};
