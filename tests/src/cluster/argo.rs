//! Argo Rollouts: CRDs of its own module, then its controller.

use std::path::Path;

use axum::http;
use futures::future::try_join_all;
use kube::Client;

use super::programs::{Module, Program};
use super::{Cluster, Error};

const MODULE: &str = "github.com/argoproj/argo-rollouts";

const CRDS: [(&str, &str); 5] = [
    ("rollouts", "rollout-crd.yaml"),
    ("analysisruns", "analysis-run-crd.yaml"),
    ("analysistemplates", "analysis-template-crd.yaml"),
    ("clusteranalysistemplates", "cluster-analysis-template-crd.yaml"),
    ("experiments", "experiment-crd.yaml"),
];

impl Cluster {
    /// Adds Argo Rollouts to a cluster that was started without it, and waits until it is ready.
    pub async fn install_argo(&self) -> Result<(), Error> {
        self.install_argo_with(&self.client().await?).await
    }

    /// The CRDs of Argo Rollouts without its controller.
    pub async fn install_argo_crds(&self) -> Result<(), Error> {
        self.apply_argo_crds(&self.client().await?).await
    }

    pub(super) async fn install_argo_with(&self, client: &Client) -> Result<(), Error> {
        self.apply_argo_crds(client).await?;
        self.launch(Program::RolloutsController)?;
        let http = crate::jaeger::loopback();
        let url = format!("http://{}/healthz", self.addresses.argo_health);
        self.ready(Program::RolloutsController, async || {
            let answer = http.get(&url).send().await.and_then(reqwest::Response::error_for_status);
            answer.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    async fn apply_argo_crds(&self, client: &Client) -> Result<(), Error> {
        let folder = Module::Kubernetes.files_of(MODULE)?.join("manifests/crds");
        let applied = CRDS.map(|(plural, file)| apply(client, plural, folder.join(file)));
        try_join_all(applied).await?;
        self.ready(Program::KubeApiserver, async || {
            for (plural, _) in CRDS {
                let path = format!("/apis/argoproj.io/v1alpha1/{plural}?limit=1");
                super::start::get(client, &path).await?;
            }
            Ok(())
        })
        .await
    }
}

// As YAML, byte for byte: half a megabyte each, too much to parse in a debug build.
async fn apply(client: &Client, plural: &str, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let name = format!("{plural}.argoproj.io");
    let body = std::fs::read(path).map_err(Error::file("read", path))?;
    let uri = format!(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}\
         ?fieldManager=throughline-tests&force=true"
    );
    let request = http::Request::patch(uri)
        .header("Content-Type", "application/apply-patch+yaml")
        .body(body)
        .map_err(|error| Error::Manifest {
            reason: error.to_string(),
            manifest: path.display().to_string(),
        })?;
    let answer = client.request_text(request).await;
    answer.map(drop).map_err(Error::api(format!("apply CRD {name}")))
}
