//! What happened to a Rollout and what follows from it, without I/O.
//!
//! The way of an event, one file after another:
//!
//! 1. [`observation`]: one look at one object, in our words.
//! 2. [`chain`]: the fold of a Rollout's versions into [`attempt`]s.
//! 3. [`workload`], [`generation`], [`attribution`]: which of Keptn's objects and traces are an
//!    attempt's.
//! 4. [`links`], [`app_context`]: the links that an app wants, and how they get into a list that
//!    others edit too.
//! 5. [`report`]: what a RolloutTrace says.
//! 6. [`ledger`], [`dora`]: one line for each attempt, and the metrics that follow; [`commit`]: where
//!    the time of a commit comes from.
//!
//! [`lineage`] owns all of it and is the only thing with state. Time is always an argument.

pub mod app_context;
pub mod attempt;
pub mod attribution;
pub mod chain;
pub mod commit;
pub mod delivery;
pub mod dora;
mod evidence;
pub mod failure;
pub mod generation;
mod index;
pub mod journal;
pub mod journals;
pub mod ledger;
pub mod lineage;
pub mod links;
pub mod moment;
pub mod observation;
pub mod report;
pub mod span;
pub mod spans;
mod standing;
pub mod text;
pub mod traceparent;
pub mod workload;

pub use lineage::Lineage;
pub use observation::{Key, Kind, Observation};
pub use traceparent::Traceparent;
