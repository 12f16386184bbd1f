//! The pod webhook: HTTPS on loopback, with a certificate of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::error::Error;
use super::identity::{is_released, supported_owner};
use super::owner::Input;
use super::watch::Namespaces;

/// Where pods are sent.
pub(super) const PATH: &str = "/mutate-v1-pod";
/// Name of the configuration.
pub(super) const CONFIGURATION: &str = "lifecycle-mutating-webhook-configuration";
/// Annotation of the configuration with the id of the process that serves the webhook: how one
/// sees that a stand-in is ready. Keptn has nothing like it.
pub(super) const PROCESS: &str = "keptn-stand-in/process";
const LARGEST: usize = 8 * 1024 * 1024;

/// A webhook that listens already and answers once it is served.
pub(super) struct Webhook {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    address: SocketAddr,
    certificate: String,
}

#[derive(Deserialize)]
struct Review {
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    uid: String,
    namespace: String,
    object: Value,
}

impl Webhook {
    /// Listens on loopback; port 0 means a free one.
    pub(super) async fn listen(port: u16) -> Result<Self, Error> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { listener, acceptor, address, certificate: cert.pem() })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The configuration that sends pods here.
    pub(super) fn configuration(&self) -> Value {
        let url = format!("https://{}{PATH}", self.address);
        let mut configuration = configuration(&url, &self.certificate);
        let id = std::process::id().to_string();
        configuration["metadata"]["annotations"] = json!({ PROCESS: id });
        configuration
    }

    /// Answers, for ever.
    pub(super) async fn serve(self, namespaces: Namespaces) {
        let router = Router::new()
            .route(PATH, post(review))
            .layer(DefaultBodyLimit::max(LARGEST))
            .with_state(namespaces);
        loop {
            let (stream, _) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    debug!(%error, "a connection was lost");
                    continue;
                }
            };
            let (acceptor, router) = (self.acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let served = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
                    .await;
                if let Err(error) = served {
                    debug!(%error, "a connection was lost");
                }
            });
        }
    }
}

async fn review(State(namespaces): State<Namespaces>, Json(review): Json<Review>) -> Json<Value> {
    let Review { request } = review;
    let uid = request.uid.clone();
    let response = match verdict(&namespaces, request).await {
        Ok(None) => json!({"uid": uid, "allowed": true}),
        Ok(Some(patch)) => json!({
            "uid": uid,
            "allowed": true,
            "patchType": "JSONPatch",
            "patch": ByteString(patch.to_string().into_bytes()),
        }),
        Err(message) => json!({
            "uid": uid,
            "allowed": false,
            "status": {"code": 400, "message": message},
        }),
    };
    Json(json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    }))
}

async fn verdict(namespaces: &Namespaces, request: Request) -> Result<Option<Value>, String> {
    let pod: Pod = serde_json::from_value(request.object).map_err(|error| error.to_string())?;
    let enabled = namespaces.is_enabled(&request.namespace).await.map_err(|e| e.to_string())?;
    // Released pods must not wait for the owner: it waits for the answer to its own update.
    if !enabled || supported_owner(&pod.metadata).is_none() || is_released(&pod) {
        return Ok(None);
    }
    let (answer, verdict) = oneshot::channel();
    namespaces.send(&request.namespace, Input::Admit(Box::new(pod.clone()), answer));
    let admitted = verdict.await.map_err(|_| "the stand-in is going away".to_owned())??;
    Ok(difference(&pod, &admitted))
}

// Only annotations and gates ever change.
fn difference(before: &Pod, after: &Pod) -> Option<Value> {
    let gates = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.clone());
    let mut patch = Vec::new();
    if before.annotations() != after.annotations() {
        patch.push(json!({
            "op": "add", "path": "/metadata/annotations", "value": after.annotations(),
        }));
    }
    if gates(before) != gates(after) {
        patch.push(json!({
            "op": "add", "path": "/spec/schedulingGates", "value": gates(after),
        }));
    }
    (!patch.is_empty()).then_some(Value::Array(patch))
}

/// The configuration of Keptn's chart, with a URL instead of a service
/// (chart/templates/lifecycle-mutating-webhook-configuration.yaml).
pub(super) fn configuration(url: &str, certificate: &str) -> Value {
    let not_in = |values: &[&str]| json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": values});
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [{
            "name": "mpod.keptn.sh",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "clientConfig": {"url": url, "caBundle": ByteString(certificate.as_bytes().to_vec())},
            "namespaceSelector": {"matchExpressions": [
                {"key": "control-plane", "operator": "NotIn", "values": ["lifecycle-operator"]},
                not_in(&["cert-manager", "keptn-system", "observability", "monitoring"]),
                not_in(&["keptn-system", "kube-system", "kube-public", "kube-node-lease"]),
            ]},
            "rules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["pods"],
            }],
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(value: Value) -> Pod {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_patch_says_what_changed() {
        let before = pod(json!({"metadata": {}, "spec": {"containers": []}}));
        let after = pod(json!({
            "metadata": {"annotations": {"keptn.sh/app": "shop"}},
            "spec": {"containers": [], "schedulingGates": [{"name": "keptn-prechecks-gate"}]},
        }));
        assert_eq!(difference(&before, &before), None);
        let expected = json!([
            {"op": "add", "path": "/metadata/annotations", "value": {"keptn.sh/app": "shop"}},
            {"op": "add", "path": "/spec/schedulingGates", "value": [{"name": "keptn-prechecks-gate"}]},
        ]);
        assert_eq!(difference(&before, &after), Some(expected));
    }
}
