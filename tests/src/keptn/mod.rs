//! A stand-in for Keptn's lifecycle-operator, for tests and the demo.
//!
//! Keptn itself cannot be a dependency of this project. The stand-in makes the same objects and
//! the same spans as Keptn does at commit 40e195d78dd1, its oddities included, and is held to
//! recordings of the real one: `tests/recordings`. Where a comment names `docs/keptn.md`, it means the
//! notes on Keptn's behaviour from which the stand-in was written; file names are those of
//! Keptn's `lifecycle-operator`.
//!
//! ```text
//!  API server ── pods ──> webhook ──┐
//!      │                            v
//!      └─ watches ──> Namespaces ──> Owner (one per namespace: objects, open spans, queue)
//!                                     │                     │
//!                      writes <───────┘                     └──> export ──> OTLP collector
//! ```
//!
//! Not there: tasks, evaluations, promotion, Kubernetes Events, metrics, Deployments' own
//! rollout checks, and the races between Keptn's controllers.

mod admission;
pub mod api;
mod app;
mod app_version;
mod crds;
mod error;
mod export;
mod gate;
mod identity;
mod launch;
mod naming;
mod owner;
mod pace;
mod phase;
mod queue;
mod real;
#[cfg(test)]
mod recordings;
mod shelf;
mod span;
mod stand_in;
mod watch;
mod webhook;
mod workload_version;

pub use crds::{crds, install};
pub use error::Error;
pub use launch::{BINARY, CRDS, Keptn};
pub use naming::{app_version, generation_hash, pod_version, resource_name};
pub use pace::Pace;
pub use stand_in::{Config, StandIn, client};
