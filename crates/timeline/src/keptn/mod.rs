//! Keptn: which of its traces is an attempt's, and the links that an app wants.

pub mod admission;
pub mod app_context;
pub mod attribution;
pub mod generation;
pub mod links;
pub mod objects;
