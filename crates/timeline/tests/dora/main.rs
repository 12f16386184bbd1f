//! The ledger and DORA's metrics: as stories, from worked examples that others published, and
//! over any history.

#![expect(clippy::unwrap_used, reason = "what a story does not have fails the test")]

mod always;
mod any;
mod bad;
mod build;
mod by_text;
mod compacting;
mod documented;
mod journals;
mod lines;
mod packed;
mod published;
mod reckoning;
mod returns;
mod story;
mod text;
