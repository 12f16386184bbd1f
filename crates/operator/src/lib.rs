//! The I/O around the pure core: watches, writes, configuration and the command line.
//!
//! `replica` runs while its `lease` lets it, and is a `standby` else, whose `shadow` decides for admission.
//!
//! The way of an event, one file after another: `watch` reads it over `connection`, [`observe`] puts it into our
//! words, `owner` hands it to the pure core (crate `timeline`) and carries out what the core asks
//! for by `writer`, each in a task of its own that `work` keeps (`rejection` says what an error of the API server means):
//! `linker` writes KeptnAppContexts, `recorder` RolloutTraces as [`report`] words
//! them, `journalist` RolloutAttempts as [`journal`] words them, [`export`] sends spans, `announcer`
//! informs people by Events; `admission` answers the API server from what the owner has published; and
//! `pods` watches those of attempts that lack some. What is counted on the way is served by `admin` and
//! sent by `push`, and what took how long by `own_traces`; `stop` says until when. [`explain`] shows a
//! person what a RolloutAttempt says, [`dora`] what all ledgers come to, both by `cluster`, and by [`annotate`] a
//! pipeline names its commit. `uninstall` takes back what was written into objects of others.

mod admin;
mod admission;
pub mod annotate;
mod announcer;
pub mod cli;
pub mod cluster;
mod completion;
mod connection;
pub mod crds;
pub mod dora;
mod events;
pub mod exit;
pub mod explain;
pub mod export;
pub mod journal;
mod journalist;
pub mod lease;
mod linker;
pub mod metrics;
pub mod observe;
mod outage;
mod own_traces;
mod owner;
mod pods;
mod push;
mod readiness;
mod recorder;
mod rejection;
mod render;
mod replica;
pub mod report;
pub mod runtime;
mod shadow;
pub mod standby;
mod stop;
pub mod terminal;
pub mod uninstall;
mod watch;
mod work;
mod writer;

/// The name under which the API server knows our fields.
const FIELD_MANAGER: &str = "throughline";

/// An error of the client in one line; its own words repeat the whole answer.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// An error and what led to it, in one line.
fn cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    timeline::base::text::bounded(&text, 512)
}
