//! What may reach Throughline from outside, as bytes, and what must hold of it whatever they
//! are. Each module is a target of cargo-fuzz; with what is kept in `corpus` it is a test.

pub mod abort_message;
pub mod collector_answer;
pub mod failure_texts;
pub mod fold;
pub mod journal;
pub mod observe;
pub mod traceparent;
