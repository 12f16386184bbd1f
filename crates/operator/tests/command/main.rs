//! The commands that a person types, run as a process against a scripted API server.

#![expect(clippy::unwrap_used, reason = "what a test itself makes is as it should be")]
#![expect(clippy::unnecessary_wraps, reason = "an answer that a script can return as it is")]

mod asked;
mod called;
mod documents;
mod explained;
mod figures;
mod proxied;
mod taken_back;
