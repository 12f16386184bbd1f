//! What everything else is said in: names, ids, times, traces, text.

mod attempt_id;
pub mod backoff;
mod by_key;
pub(crate) mod groups;
mod ids;
mod key;
mod moment;
mod name;
pub(crate) mod packed;
mod phase;
mod resource_version;
pub mod text;
pub mod time;
mod traceparent;
mod turn;

pub use attempt_id::AttemptId;
pub(crate) use by_key::ByKey;
pub(crate) use ids::SpanIds;
pub use key::Key;
pub(crate) use key::in_namespace;
pub use moment::{Moment, Source};
pub use name::{attempt_name, label_of};
pub use phase::Phase;
pub(crate) use resource_version::is_older;
pub use traceparent::{SpanId, TRACEPARENT_LENGTH, TraceId, Traceparent, TraceparentError};
pub use turn::Turn;
