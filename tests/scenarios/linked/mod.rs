//! Throughline on a real cluster: each scenario with its own chain, asserted in the RolloutTrace,
//! in the KeptnAppContext and in Jaeger.

mod admission;
mod bad_input;
mod histories;
mod interference;
mod own_traces;
mod restarts;

use std::error::Error;

use throughline_tests::chain::Chains;
use throughline_tests::cluster::{Cluster, Namespace};
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::Operator;
use throughline_tests::shop::{Manifest, Rollout, Shop, Step, pause, pause_for, weight};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A namespace with a shop in it, a Keptn beside it and an operator that follows it.
struct Story {
    namespace: Namespace,
    shop: Shop,
    chains: Chains,
    operator: Operator,
}

impl Story {
    async fn begin(name: &str) -> Result<Self, Box<dyn Error>> {
        let cluster = Cluster::shared()?;
        Keptn::shared().await?;
        let namespace = cluster.namespace(name).await?;
        Ok(Self {
            shop: Shop::new(&namespace),
            chains: Chains::of(&namespace, cluster.jaeger()),
            operator: Operator::in_namespace(cluster, namespace.name()).await?,
            namespace,
        })
    }

    /// Version 1.0.0 of a Rollout of the app `shop`, with two short pauses.
    fn rollout(&self, name: &str) -> Manifest {
        self.shop.rollout(name).app("shop").version("1.0.0").canary(timed())
    }

    /// Applies a first version and waits until the next one would be linked to it.
    async fn first(&self, manifest: Manifest) -> Result<Rollout, Box<dyn Error>> {
        let rollout = manifest.apply().await?;
        rollout.healthy_at("1.0.0").await?;
        self.chains.written_ahead(rollout.name(), "1.0.0").await?;
        Ok(rollout)
    }

    /// Rolls a version out to its end and waits until the next one would be linked to it.
    async fn update(&self, rollout: &mut Rollout, version: &str) -> Outcome {
        rollout.apply_version(version).await?;
        rollout.healthy_at(version).await?;
        self.promoted(rollout, version).await
    }

    /// Waits until a version is the newest and promoted, and the context links to nothing else of
    /// this Rollout.
    async fn promoted(&self, rollout: &Rollout, version: &str) -> Outcome {
        let condition = format!("promoted at {version}");
        self.chains
            .trace_until(rollout.name(), &condition, |trace| {
                let head = trace.status.as_ref().and_then(|status| status.head.as_ref());
                head.is_some_and(|head| {
                    head.version == version
                        && head.phase == api::rollout_trace::Phase::Promoted
                        && head.trace_id != "-"
                })
            })
            .await?;
        Ok(())
    }

    /// The chain, oldest first; the KeptnAppVersions that the context links to; and Jaeger.
    async fn shows(&self, rollout: &str, chain: &[&str], links: &[&str]) -> Outcome {
        let trace = self.chains.reads(rollout, chain).await?;
        let app = trace
            .status
            .iter()
            .flat_map(|status| &status.chain)
            .find_map(|entry| entry.keptn.as_ref())
            .map_or("shop", |keptn| &*keptn.app);
        self.chains.context_links(app, links).await?;
        self.chains.jaeger_agrees(&trace, &[]).await?;
        Ok(())
    }
}

fn timed() -> [Step; 4] {
    [weight(34), pause_for(1), weight(67), pause_for(1)]
}

fn waiting() -> [Step; 3] {
    [weight(34), pause(), weight(100)]
}
