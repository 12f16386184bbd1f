//! What a real lifecycle-operator needs outside of a cluster of its own (docs/keptn.md 7). It has been
//! written from its source; where there is no binary, only the manifests are tested.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::Error;
use super::launch::cluster_failed;
use super::webhook::{CONFIGURATION, PATH, configuration};
use crate::cluster::Cluster;

// Both are fixed in lifecycle-operator/main.go and the flags for them do not work (docs/keptn.md 7).
const PORT: u16 = 9443;
const CERTIFICATES: &str = "/tmp/webhook/certs";
const NAMESPACE: &str = "keptn-system";
// Left over from older versions, without controllers.
const UNUSED: [&str; 2] = ["keptnworkloadinstances", "keptnevaluationproviders"];

/// A prepared cluster: CRDs, configuration and certificate are there.
#[derive(Debug)]
pub(super) struct Prepared {
    authority: CertificateDer<'static>,
    authority_pem: String,
}

/// Puts everything in place that must be there before the operator starts.
pub(super) async fn prepare(cluster: &Cluster, crds: &Path) -> Result<Prepared, Error> {
    let (authority, leaf, key) = certificates()?;
    let folder = Path::new(CERTIFICATES);
    std::fs::create_dir_all(folder).map_err(file("create", folder))?;
    for (name, text) in [("tls.crt", leaf), ("tls.key", key)] {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(file("write", &path))?;
    }
    for path in manifests(crds)? {
        let text = std::fs::read_to_string(&path).map_err(file("read", &path))?;
        cluster.apply(&text).await.map_err(cluster_failed)?;
    }
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    });
    cluster.apply(&namespace.to_string()).await.map_err(cluster_failed)?;
    let config = keptn_config(cluster.otlp_grpc()).to_string();
    // The API server serves a new kind a moment after its CRD was accepted.
    let mut attempts = 0;
    while let Err(error) = cluster.apply(&config).await {
        attempts += 1;
        if attempts > 50 {
            return Err(cluster_failed(error));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(Prepared { authority: authority.1, authority_pem: authority.0 })
}

/// The command line. No flag for leader election: outside of a cluster that fails.
pub(super) fn command(binary: &Path, kubeconfig: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        // "0" means none.
        .args(["--metrics-bind-address", "0", "--health-probe-bind-address", "0"])
        .envs([
            ("POD_NAMESPACE", NAMESPACE),
            ("POD_NAME", "lifecycle-operator"),
            ("CERT_MANAGER_ENABLED", "false"),
            ("PROMOTION_TASKS_ENABLED", "false"),
            ("KEPTN_DORA_METRICS_PORT", "0"),
        ]);
    command
}

impl Prepared {
    /// Whether the webhook accepts TLS. The readiness probe says nothing about it.
    pub(super) async fn serves(&self) -> bool {
        self.handshake().await.is_ok()
    }

    async fn handshake(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address()).await?;
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(())
    }

    /// Sends pods its way.
    pub(super) async fn register(&self, client: &Client) -> Result<(), Error> {
        let url = format!("https://{}{PATH}", address());
        let configuration = configuration(&url, &self.authority_pem);
        Api::<MutatingWebhookConfiguration>::all(client.clone())
            .patch(
                CONFIGURATION,
                &PatchParams::apply("keptn").force(),
                &Patch::Apply(configuration),
            )
            .await
            .map_err(Error::api("send pods to the webhook"))?;
        Ok(())
    }
}

fn address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
}

// As in the recordings.
fn keptn_config(otlp: &str) -> Value {
    json!({
        "apiVersion": "options.keptn.sh/v1alpha1",
        "kind": "KeptnConfig",
        "metadata": {"name": "keptn-config", "namespace": NAMESPACE},
        "spec": {
            "OTelCollectorUrl": otlp,
            "keptnAppCreationRequestTimeoutSeconds": 1,
            "observabilityTimeout": "5m",
            "blockDeployment": true,
        },
    })
}

fn manifests(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(file("read", folder))? {
        let path = entry.map_err(file("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml");
        let is_unused = UNUSED.iter().any(|unused| name.contains(unused));
        if is_yaml && name.contains(".keptn.sh_") && !is_unused {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

type Authority = (String, CertificateDer<'static>);

// A CA, and a certificate of it for loopback with its key.
fn certificates() -> Result<(Authority, String, String), Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "tests");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?
        .signed_by(&key, &authority)?;
    Ok(((authority.pem(), authority.der().clone()), leaf.pem(), key.serialize_pem()))
}

fn file(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { action, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_given_what_it_needs_and_no_more() {
        let command = command(Path::new("operator"), Path::new("kc"));
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        let expected = "--kubeconfig kc --metrics-bind-address 0 --health-probe-bind-address 0";
        assert_eq!(args.join(" "), expected);
        let manager = command.get_envs().find(|(name, _)| *name == "CERT_MANAGER_ENABLED");
        assert_eq!(manager.and_then(|(_, value)| value), Some("false".as_ref()));
    }

    #[test]
    fn the_configuration_names_the_collector_without_a_scheme() {
        let config = keptn_config("127.0.0.1:4317");
        assert_eq!(config["spec"]["OTelCollectorUrl"], "127.0.0.1:4317");
        assert_eq!(config["spec"]["keptnAppCreationRequestTimeoutSeconds"], 1);
    }

    #[test]
    fn leftover_crds_are_skipped() {
        let folder = std::env::temp_dir().join(format!("keptn-crds-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let names = [
            "lifecycle.keptn.sh_keptnapps.yaml",
            "lifecycle.keptn.sh_keptnworkloadinstances.yaml",
            "options.keptn.sh_keptnconfigs.yaml",
            "kustomization.yaml",
        ];
        for name in names {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let found = manifests(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(found, [names[0], names[2]]);
    }

    #[tokio::test]
    async fn the_certificate_is_good_for_loopback() {
        let ((_, authority), leaf, key) = certificates().unwrap();
        let prepared = Prepared { authority, authority_pem: String::new() };
        // Nobody listens on the fixed port here, or somebody with another certificate.
        assert!(!prepared.serves().await);
        assert!(leaf.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(key.contains("PRIVATE KEY"));
    }
}
