//! What each attempt leaves behind: a journal, asserted line by line, and spans in Jaeger, asserted
//! one by one.

mod analysis;
mod blue_green;
mod canary;
mod delivery;
mod failures;
mod keptn;
mod outcomes;

use std::error::Error;

use throughline_tests::attempt::{Attempt, Attempts, Which};
use throughline_tests::cluster::{Cluster, Namespace};
use throughline_tests::jaeger::Trace;
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::shop::{Manifest, Rollout, Shop, Step, pause, pause_for, weight};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

const FIRST: Which = (1, 1);
const SECOND: Which = (2, 1);
const THIRD: Which = (3, 1);

/// A namespace with a shop in it and an operator that follows it.
struct Story {
    shop: Shop,
    attempts: Attempts,
    operator: Operator,
}

impl Story {
    async fn begin(name: &str) -> Result<Self, Box<dyn Error>> {
        let namespace = Cluster::shared()?.namespace_without_keptn(name).await?;
        Self::of(&namespace, Settings::default()).await
    }

    async fn with_keptn(name: &str) -> Result<Self, Box<dyn Error>> {
        Keptn::shared().await?;
        let namespace = Cluster::shared()?.namespace(name).await?;
        Self::of(&namespace, Settings::default()).await
    }

    async fn of(namespace: &Namespace, settings: Settings) -> Result<Self, Box<dyn Error>> {
        let cluster = Cluster::shared()?;
        let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
        operator.ready().await?;
        Ok(Self {
            shop: Shop::new(namespace),
            attempts: Attempts::of(namespace, cluster.jaeger()),
            operator,
        })
    }

    /// Version 1.0.0 of a Rollout that Keptn has nothing to do with, of two pods.
    fn rollout(&self, name: &str) -> Manifest {
        self.shop.rollout(name).unnamed().version("1.0.0").replicas(2)
    }

    /// Applies a first version and waits until it is live, and its attempt over.
    async fn first(&self, manifest: Manifest) -> Result<Rollout, Box<dyn Error>> {
        let rollout = manifest.apply().await?;
        rollout.healthy().await?;
        self.attempts.delivered(rollout.name(), FIRST).await?;
        Ok(rollout)
    }

    /// The journal of an attempt that is over, line by line, and its trace, span by span.
    async fn shows(
        &self,
        rollout: &Rollout,
        which: Which,
        journal: &[&str],
        spans: &[&str],
    ) -> Result<(Attempt, Trace), Box<dyn Error>> {
        let attempt = self.attempts.reads(rollout.name(), which, journal).await?;
        let trace = self.attempts.traced(&attempt, spans).await?;
        Ok((attempt, trace))
    }
}

fn waiting() -> [Step; 2] {
    [weight(50), pause()]
}

fn timed() -> [Step; 3] {
    [weight(50), pause_for(1), weight(100)]
}
