//! Stories that people met, from public bug reports: each played on the real API server and the real
//! Argo Rollouts, and what is right of it, by Argo's source, in all that is stored and printed.

mod aborts;
mod crashes;
mod endings;
mod exposure;
mod hostile;
mod pods;
mod purpose;
mod read;
mod recovery;
mod stalled;
mod steps;
mod whole;

use std::error::Error;
use std::sync::Arc;

use throughline_tests::attempt::{Attempts, Which};
use throughline_tests::cluster::{Cluster, Namespace};
use throughline_tests::jaeger::Jaeger;
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::shop::{Manifest, Rollout, Shop, State, pause, weight};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

const FIRST: Which = (1, 1);
const SECOND: Which = (2, 1);
const THIRD: Which = (3, 1);

/// A namespace with a shop in it and an operator that follows it.
struct Story {
    namespace: Namespace,
    shop: Shop,
    attempts: Attempts,
    jaeger: Jaeger,
    operator: Arc<Operator>,
    /// The labels of the pods name a workload of Keptn's.
    named: bool,
}

impl Story {
    async fn begin(name: &str) -> Result<Self, Box<dyn Error>> {
        let namespace = Cluster::shared()?.namespace_without_keptn(name).await?;
        Self::of(namespace).await
    }

    async fn with_keptn(name: &str) -> Result<Self, Box<dyn Error>> {
        Keptn::shared().await?;
        let story = Self::of(Cluster::shared()?.namespace(name).await?).await?;
        Ok(Self { named: true, ..story })
    }

    /// Keptn is in the cluster and not in the namespace: the trace of an attempt is decided when
    /// Keptn was waited for in vain, long after the attempt may be over.
    async fn beside_keptn(name: &str) -> Result<Self, Box<dyn Error>> {
        Keptn::shared().await?;
        Ok(Self { named: true, ..Self::begin(name).await? })
    }

    async fn of(namespace: Namespace) -> Result<Self, Box<dyn Error>> {
        let cluster = Cluster::shared()?;
        let settings = Settings::default();
        let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
        operator.ready().await?;
        Ok(Self::beside(cluster, namespace, Arc::new(operator)))
    }

    fn beside(cluster: &Cluster, namespace: Namespace, operator: Arc<Operator>) -> Self {
        Self {
            shop: Shop::new(&namespace),
            attempts: Attempts::of(&namespace, cluster.jaeger()),
            jaeger: cluster.jaeger(),
            operator,
            namespace,
            named: false,
        }
    }

    /// Version 1.0.0 of a Rollout of two pods that waits at step 1.
    fn rollout(&self, name: &str) -> Manifest {
        let manifest = self.shop.rollout(name).version("1.0.0").replicas(2).deadline(60);
        let manifest = manifest.canary([weight(50), pause()]);
        if self.named { manifest.app("shop") } else { manifest.unnamed() }
    }

    /// Applies a first version and waits until it is live, and its attempt over.
    async fn first(&self, manifest: Manifest) -> Result<Rollout, Box<dyn Error>> {
        let rollout = manifest.apply().await?;
        rollout.healthy().await?;
        self.attempts.delivered(rollout.name(), FIRST).await?;
        Ok(rollout)
    }

    /// Applies a version, and promotes it from its pause at step 1; waits until its attempt is over.
    async fn ships(
        &self,
        rollout: &mut Rollout,
        which: Which,
        change: impl FnOnce(Manifest) -> Manifest,
    ) -> Outcome {
        self.begins(rollout, change).await?;
        rollout.paused_at(1).await?;
        rollout.promote().await?;
        rollout.healthy().await?;
        self.attempts.delivered(rollout.name(), which).await?;
        Ok(())
    }

    /// Changes the template and waits until Argo has turned to it.
    async fn begins(
        &self,
        rollout: &mut Rollout,
        change: impl FnOnce(Manifest) -> Manifest,
    ) -> Outcome {
        let before = rollout.state().await?.current().to_owned();
        rollout.change(change).await?;
        let anew = |it: &State| it.is_observed() && it.current() != before;
        rollout.until("at another template", anew).await?;
        Ok(())
    }

    /// Somebody aborts it, and Argo does so; waits until the attempt is over.
    async fn aborts(&self, rollout: &Rollout, which: Which) -> Outcome {
        rollout.abort().await?;
        rollout.aborted().await?;
        self.attempts.delivered(rollout.name(), which).await?;
        Ok(())
    }
}

/// The pause of [`Story::rollout`] behind a step that takes no time.
fn version(version: &str) -> impl FnOnce(Manifest) -> Manifest {
    move |it| it.version(version)
}
