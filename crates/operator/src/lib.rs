//! The I/O around the pure core: watches, writes, configuration and the command line.
//!
//! The way of an event, one file after another: `watch` reads it, [`observe`] puts it into our
//! words, `tracer` hands it to the pure core (crate `timeline`) and carries out what the core asks
//! for: `linker` writes KeptnAppContexts, `recorder` writes RolloutTraces as [`report`] words them,
//! [`export`] sends spans.

mod admin;
pub mod cli;
pub mod export;
mod linker;
mod metrics;
pub mod observe;
mod readiness;
mod recorder;
pub mod report;
pub mod runtime;
mod tracer;
mod watch;

/// The name under which the API server knows our fields.
const FIELD_MANAGER: &str = "throughline";

/// An error of the client in one line; its own words repeat the whole answer.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
