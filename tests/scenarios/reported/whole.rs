//! A cluster beside the shared one: with an operator of all namespaces, and with Istio's CRDs.

use std::error::Error;
use std::sync::Arc;

use throughline_tests::cluster::{Cluster, Options};
use throughline_tests::operator::{Operator, Settings, install};
use throughline_tests::shop::ISTIO;
use tokio::sync::OnceCell;

use super::Story;

pub(super) struct Whole {
    pub(super) cluster: &'static Cluster,
    operator: Arc<Operator>,
}

impl Whole {
    /// Started by the first caller, with a collector; it ends with the process.
    pub(super) async fn cluster() -> Result<&'static Self, Box<dyn Error>> {
        static ONE: OnceCell<Whole> = OnceCell::const_new();
        ONE.get_or_try_init(async || {
            let options = Options { argo: false, ..Options::default() };
            let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(options)?));
            // Argo Rollouts looks for it once, when it starts.
            cluster.apply(ISTIO).await?;
            let crd = "crd/virtualservices.networking.istio.io";
            cluster.kubectl(&["wait", "--for=condition=Established", crd, "--timeout=20s"]).await?;
            cluster.install_argo().await?;
            install(cluster).await?;
            let operator = Operator::start(cluster, "throughline", Settings::default()).await?;
            operator.ready().await?;
            Ok(Whole { cluster, operator: Arc::new(operator) })
        })
        .await
    }

    pub(super) async fn story(&self, name: &str) -> Result<Story, Box<dyn Error>> {
        let namespace = self.cluster.namespace_without_keptn(name).await?;
        Ok(Story::beside(self.cluster, namespace, Arc::clone(&self.operator)))
    }

    /// What the operator has logged so far.
    pub(super) fn log(&self) -> std::io::Result<String> {
        std::fs::read_to_string(self.cluster.logs().join("throughline.log"))
    }
}
