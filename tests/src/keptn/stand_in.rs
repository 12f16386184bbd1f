//! The stand-in as a whole.

use std::net::SocketAddr;
use std::path::Path;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tracing::info;

use super::api::{
    KeptnApp, KeptnAppCreationRequest, KeptnAppVersion, KeptnWorkload, KeptnWorkloadVersion,
    Rollout,
};
use super::crds::{crds, install};
use super::error::Error;
use super::export::{export, exporter};
use super::owner::Object;
use super::pace::Pace;
use super::watch::Namespaces;
use super::webhook::{CONFIGURATION, Webhook};

/// What the stand-in needs to know.
#[derive(Clone)]
pub struct Config {
    /// The cluster.
    pub client: Client,
    /// Where spans go: `host:port` of an OTLP gRPC collector.
    pub otlp_endpoint: String,
    /// Port of the webhook on loopback; 0 means a free one.
    pub webhook_port: u16,
    /// How long it waits.
    pub pace: Pace,
}

/// A stand-in that runs. Dropping it stops it as SIGKILL would stop Keptn: open spans are lost,
/// and the webhook configuration stays, so that no pod can be created until it runs again.
#[derive(Debug)]
pub struct StandIn {
    webhook: SocketAddr,
    tasks: JoinSet<()>,
}

impl StandIn {
    /// Installs the CRDs, listens, and sends pods its way. When this returns, it works.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let Config { client, otlp_endpoint, webhook_port, pace } = config;
        install(&client, &crds()?).await?;
        let mut tasks = JoinSet::new();
        let (ended, spans) = unbounded_channel();
        tasks.spawn(export(exporter(&otlp_endpoint)?, spans));
        let namespaces = Namespaces::new(client.clone(), pace, ended);
        tasks.spawn(namespaces.clone().follow_namespaces());
        tasks.spawn(namespaces.clone().follow::<KeptnApp>(Object::App));
        tasks.spawn(namespaces.clone().follow::<KeptnAppVersion>(Object::AppVersion));
        tasks.spawn(namespaces.clone().follow::<KeptnAppCreationRequest>(Object::CreationRequest));
        tasks.spawn(namespaces.clone().follow::<KeptnWorkload>(Object::Workload));
        tasks.spawn(namespaces.clone().follow::<KeptnWorkloadVersion>(Object::WorkloadVersion));
        tasks.spawn(namespaces.clone().follow::<Pod>(Object::Pod));
        tasks.spawn(namespaces.clone().follow::<ReplicaSet>(Object::ReplicaSet));
        tasks.spawn(namespaces.clone().follow::<Rollout>(Object::Rollout));
        // A stand-in that knew nothing yet would make versions anew that exist.
        namespaces.listed(tasks.len() - 1).await;
        let webhook = Webhook::listen(webhook_port).await?;
        let configuration = webhook.configuration();
        let address = webhook.address();
        tasks.spawn(webhook.serve(namespaces));
        Api::<MutatingWebhookConfiguration>::all(client)
            .patch(
                CONFIGURATION,
                &PatchParams::apply("keptn").force(),
                &Patch::Apply(configuration),
            )
            .await
            .map_err(Error::api("send pods to the webhook"))?;
        info!(webhook = %address, ?pace, "the stand-in for Keptn runs");
        Ok(Self { webhook: address, tasks })
    }

    /// Starts it and stays until the future is dropped.
    pub async fn run(config: Config) -> Result<(), Error> {
        Self::start(config).await?.ended().await;
        Ok(())
    }

    /// Waits until it ends, which it does not by itself.
    pub async fn ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Where the webhook listens.
    pub fn webhook(&self) -> SocketAddr {
        self.webhook
    }
}

/// A client for a kubeconfig file.
pub async fn client(kubeconfig: &Path) -> Result<Client, Error> {
    let failed = |source| Error::Kubeconfig { path: kubeconfig.into(), source: Box::new(source) };
    let file = Kubeconfig::read_from(kubeconfig).map_err(failed)?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(failed)?;
    Client::try_from(config).map_err(|source| Error::Client(Box::new(source)))
}
