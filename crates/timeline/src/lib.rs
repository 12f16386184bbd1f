//! What happened to a Rollout and what follows from it, without I/O. Time is always an argument.
//!
//! Modules from the ground up; each knows only those before it (tests/arrows holds the table, and
//! that no file imports one that imports it):
//!
//! 1. [`base`]: names, ids, times, traces, text.
//! 2. [`seen`]: what one look at one object says, one file for each kind.
//! 3. [`chain`]: versions of a Rollout into attempts, and what follows what.
//! 4. [`keptn`]: which of Keptn's traces is an attempt's; the links that an app wants, and how they
//!    get into a list that others edit too.
//! 5. [`failure`]: why an attempt does not get on, from pods, ReplicaSets and Argo.
//! 6. [`journal`]: the record of an attempt, and how it follows from what is seen.
//! 7. [`spans`], [`ledger`], [`dora`]: what follows from journals alone.
//! 8. [`stored`]: what RolloutTrace and RolloutAttempt say.
//! 9. [`outbox`]: stored first, delivered after.
//! 10. [`engine`]: the one owner: routes what is seen, asks the world for effects, and lets a Rollout
//!     rest of which nothing is open, owed or due.

// Numbers and times are of other people: arithmetic on them saturates (`base::time`).
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::string_slice))]

pub mod base;
pub mod chain;
pub mod dora;
pub mod engine;
pub mod failure;
pub mod journal;
pub mod keptn;
pub mod ledger;
pub mod outbox;
pub mod seen;
pub mod spans;
pub mod stored;

pub use base::{Key, Traceparent};
pub use engine::{Engine, Observation};
pub use seen::Kind;
