//! A shop whose services are rolled out: fixtures and what one does to them, as sentences.
//!
//! ```no_run
//! # use throughline_tests::{cluster::{Cluster, Error}, shop::{Shop, pause_for, weight}};
//! # async fn example() -> Result<(), Error> {
//! let shop = Shop::new(&Cluster::shared()?.namespace("linear").await?);
//! let steps = [weight(34), pause_for(1), weight(67), pause_for(1)];
//! let mut cart = shop.rollout("cart").app("shop").version("1.0.0").canary(steps).apply().await?;
//! cart.healthy_at("1.0.0").await?;
//! cart.apply_version("2.0.0").await?;
//! cart.healthy_at("2.0.0").await?;
//! # Ok(()) }
//! ```

mod admission;
mod analysis;
pub mod kubelet;
mod manifest;
mod pods;
mod rollout;
mod router;
mod state;
mod strategy;

pub use analysis::{Gauge, Job, Metric};
pub use manifest::{Manifest, PodKind};
pub use rollout::Rollout;
pub use router::{ISTIO, Router};
pub use state::State;
pub use strategy::{
    BlueGreen, Step, analysis, canary_scale, experiment, experiment_weighing, experiment_with,
    header_route, mirror_route, pause, pause_for, weight,
};

use crate::cluster::{Error, Namespace};

/// The services in a namespace.
#[derive(Debug, Clone)]
pub struct Shop {
    namespace: Namespace,
}

impl Shop {
    /// A shop without services yet.
    pub fn new(namespace: &Namespace) -> Self {
        Self { namespace: namespace.clone() }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The manifest of a Rollout, to be described further and applied.
    pub fn rollout(&self, name: &str) -> Manifest {
        Manifest::new(&self.namespace, name)
    }

    /// Applies an `AnalysisTemplate` that reads a metric.
    pub async fn analysis_template(&self, name: &str, metric: &Metric) -> Result<(), Error> {
        self.namespace.apply(&metric.template(name).to_string()).await
    }
}
