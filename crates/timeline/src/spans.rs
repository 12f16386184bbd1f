//! Spans as a pure function of a journal.

use crate::journal::Journal;
use crate::span::Batch;

/// The spans of the entries that ended as number `after + 1` to `until`, in that order; none before
/// it is decided where they belong.
pub fn of(_journal: &Journal, _after: u32, _until: u32) -> Option<Batch> {
    None
}
