//! Spans as a pure function of a journal: what they look like, what always holds of them, and that
//! `docs/spans.md` says the truth about them.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod always;
mod any_journal;
mod documented;
mod golden;
mod parents;
mod results;
mod rich;
