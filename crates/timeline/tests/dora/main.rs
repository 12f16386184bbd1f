//! The ledger and DORA's metrics: told as stories, from worked examples that others published, and
//! over any history.

#![expect(clippy::unwrap_used, reason = "what a story does not have fails the test")]
#![expect(clippy::float_cmp, reason = "the same numbers make the same figure")]

mod always;
mod any;
mod bad;
mod build;
mod compacting;
mod journals;
mod published;
mod story;
mod text;
