//! The webhook by which the API server asks an operator beside the cluster about KeptnAppVersions: the
//! one of `config/admission`, sent to a port of this machine and for one namespace.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use api::keptn::KeptnAppVersion;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::{Cluster, Error, Namespace, free_port};
use crate::operator::Operator;

/// The path that the shipped configuration names.
const SHIPPED: &str = "config/admission/webhook.yaml";
const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook for one namespace.
#[derive(Debug, Clone)]
pub struct Webhook {
    name: String,
    address: SocketAddr,
}

impl Webhook {
    /// Sends the KeptnAppVersions of a namespace to a free port, and lets the operator put its
    /// authority there.
    pub async fn register(cluster: &Cluster, namespace: &str) -> Result<Self, Error> {
        Self::register_at(cluster, namespace, free_port()?).await
    }

    /// The same for a port that somebody listens on already.
    pub async fn register_at(cluster: &Cluster, namespace: &str, port: u16) -> Result<Self, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let name = format!("throughline-{namespace}");
        cluster.apply(&configuration(&name, namespace, address)?).await?;
        cluster.apply(&permission(&name)).await?;
        Ok(Self { name, address })
    }

    /// Flags of an operator that serves it.
    pub fn flags(&self) -> Vec<String> {
        let address = self.address.to_string();
        ["--admission-address", &address, "--admission-configuration", &self.name]
            .map(str::to_owned)
            .to_vec()
    }

    /// The name of its configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often the API server had no answer in time and made a KeptnAppVersion as it was.
    pub async fn unanswered(&self, cluster: &Cluster) -> Result<usize, Error> {
        let metrics = cluster.kubectl(&["get", "--raw", "/metrics"]).await?;
        let labels = format!("name=\"{}\"", webhook_name(&self.name));
        let of = |line: &&str| {
            line.starts_with("apiserver_admission_webhook_fail_open_count{")
                && line.contains(&labels)
        };
        let counts = metrics.lines().filter(of).filter_map(|line| line.rsplit(' ').next());
        Ok(counts.filter_map(|count| count.parse::<usize>().ok()).sum())
    }

    /// The authorities that the API server trusts, as PEM.
    pub async fn bundle(&self, cluster: &Cluster) -> Result<String, Error> {
        let api: Api<MutatingWebhookConfiguration> = Api::all(cluster.client().await?);
        let found = api.get(&self.name).await;
        let found = found.map_err(Error::api(format!("read the webhook {}", self.name)))?;
        let bundle = found.webhooks.into_iter().flatten().next();
        let bundle = bundle.and_then(|webhook| webhook.client_config.ca_bundle);
        Ok(bundle.map(|bundle| String::from_utf8_lossy(&bundle.0).into()).unwrap_or_default())
    }

    /// Waits until the API server reaches the operator: it is asked about KeptnAppVersions that are
    /// made for the sake of asking alone.
    pub async fn asked(&self, namespace: &Namespace, operator: &Operator) -> Result<(), Error> {
        let kind = ApiResource::erase::<KeptnAppVersion>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(namespace.client(), namespace.name(), &kind);
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let probe = DynamicObject::new("probe", &kind)
            .data(json!({ "spec": { "appName": "nobody", "version": "1", "workloads": [] } }));
        let counted = async || operator.metric("throughline_admissions_total", "not_ours").await;
        let (since, before) = (Instant::now(), counted().await);
        loop {
            let made = api.create(&dry_run, &probe).await;
            made.map_err(Error::api("ask about a KeptnAppVersion"))?;
            if counted().await > before {
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                return Err(Error::Waited {
                    object: self.name.clone(),
                    condition: "answered by the operator".into(),
                    seconds: PATIENCE.as_secs(),
                    state: "the API server was not answered".into(),
                });
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What is shipped, for one namespace, and sent to an address of this machine.
fn configuration(name: &str, namespace: &str, address: SocketAddr) -> Result<String, Error> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SHIPPED);
    let refuse = |reason: String| Error::Manifest { reason, manifest: SHIPPED.into() };
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    let mut shipped: Value =
        serde_norway::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    shipped["metadata"]["name"] = json!(name);
    let webhook = &mut shipped["webhooks"][0];
    let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap_or_default().to_owned();
    webhook["name"] = json!(webhook_name(name));
    webhook["clientConfig"] = json!({ "url": format!("https://{address}{path}") });
    webhook["namespaceSelector"] =
        json!({ "matchLabels": { "kubernetes.io/metadata.name": namespace } });
    Ok(shipped.to_string())
}

/// The API server counts by this name: one for each configuration.
fn webhook_name(configuration: &str) -> String {
    format!("{configuration}.throughline.dev")
}

/// The shipped permission, for the webhook of this name.
fn permission(name: &str) -> String {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": [{
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["mutatingwebhookconfigurations"],
            "resourceNames": [name],
            "verbs": ["get", "patch"],
        }],
    });
    let account = json!({
        "kind": "ServiceAccount", "name": "throughline", "namespace": "throughline-system",
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
        "subjects": [account],
    });
    format!("{role}\n---\n{binding}\n")
}
