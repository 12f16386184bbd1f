//! Scenarios on a real control plane. The first run builds its programs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "all of it is tests, and they have a clock"
)]

mod attempts;
mod cluster;
mod dora;
mod installed;
mod linked;
mod metrics;
mod replicas;
mod reported;
mod shop;
mod stand_in;
