//! The test cluster and what runs on it, shared by tests, demo and benches.

pub mod admission;
pub mod attempt;
pub mod bench;
pub mod chain;
pub mod cluster;
pub mod demo;
pub mod jaeger;
pub mod keptn;
pub mod kustomize;
pub mod operator;
pub mod prometheus;
pub mod relay;
pub mod shop;
