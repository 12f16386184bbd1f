//! A journal of the pure core as a RolloutAttempt, and back.
//!
//! Each entry of the timeline is one line of text: readable in `kubectl describe`, and a third of
//! the size of an object with named fields. What is written is read back to the same journal, to
//! the nanosecond; the spans that are made of it are then the same too.

mod line;
mod offset;
mod read;
mod summary;
mod write;

pub use line::LineError;
pub(crate) use offset::moment;
pub use read::{Problem, ReadError, read};
pub(crate) use summary::{outcome, short};
pub(crate) use write::moment as moment_of;
pub use write::{object, status};
