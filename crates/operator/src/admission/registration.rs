//! The MutatingWebhookConfiguration that sends KeptnAppVersions here: it names the server, and gets the
//! authority that the API server is to trust.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::bundle;
use super::certificate::{CertificateError, Issued, Served};
use crate::metrics::Metrics;
use crate::rejection::Rejection;
use crate::{FIELD_MANAGER, words};

/// A tool that applies the configuration again may empty the bundle.
const EVERY: Duration = Duration::from_mins(1);
const SOONEST: Duration = Duration::from_millis(500);
/// The API server learns of a new authority by a watch.
const LEARNS: Duration = Duration::from_secs(5);
/// For a request, and for the last one.
const ANSWER: Duration = Duration::from_secs(2);

/// Why the API server does not trust this process.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistrationError {
    /// A request failed.
    #[error("MutatingWebhookConfiguration {name}: {what}")]
    Request {
        /// Its name.
        name: String,
        /// What to do, or the API server's words.
        what: String,
        /// What it means.
        rejection: Rejection,
    },
    /// It names no server.
    #[error("MutatingWebhookConfiguration {0} names no server: apply config/admission again")]
    NoServer(String),
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Keeps the configuration of one name.
pub(super) struct Registration {
    api: Api<MutatingWebhookConfiguration>,
    name: String,
    replica: String,
    served: Arc<Served>,
    metrics: Metrics,
    clock: fn() -> Timestamp,
    issued: Option<Issued>,
}

impl Registration {
    pub(super) fn new(
        client: Client,
        name: String,
        served: Arc<Served>,
        metrics: Metrics,
        clock: fn() -> Timestamp,
    ) -> Self {
        // The name of the pod: a container that is started again in it replaces its own.
        let replica =
            std::env::var("HOSTNAME").ok().filter(|name| !name.contains(char::is_whitespace));
        let replica = replica.unwrap_or_else(|| format!("process-{}", std::process::id()));
        Self { api: Api::all(client), name, replica, served, metrics, clock, issued: None }
    }

    /// Until asked to stop; takes the authority out then.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        let mut wait = SOONEST;
        let mut logged = String::new();
        loop {
            let next = match self.look().await {
                Ok(()) => {
                    (wait, logged) = (SOONEST, String::new());
                    EVERY
                }
                Err(error) => {
                    self.log(&error, &mut logged);
                    wait = wait.saturating_mul(2).min(EVERY);
                    wait
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(next) => {}
            }
        }
        match timeout(ANSWER, self.withdraw()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the authority stays until it expires"),
            Err(_) => tracing::warn!("the authority stays until it expires: no answer in time"),
        }
    }

    fn log(&self, error: &RegistrationError, logged: &mut String) {
        if let RegistrationError::Request { rejection, .. } = error {
            if *rejection == Rejection::Conflict {
                return;
            }
            let resource = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
            self.metrics.failed("write", resource, rejection.error_type());
        }
        let words = error.to_string();
        if *logged != words {
            tracing::warn!(error = words, "links are not decided by admission; trying again");
            *logged = words;
        }
    }

    /// Brings the configuration up to date, and then the certificate that is shown.
    async fn look(&mut self) -> Result<(), RegistrationError> {
        let configuration = self.read().await?;
        let names = names(&configuration);
        if names.is_empty() {
            return Err(RegistrationError::NoServer(self.name.clone()));
        }
        let now = (self.clock)();
        let good = |issued: &&Issued| issued.names == names && now < issued.renewed;
        let (issued, new) = match self.issued.as_ref().filter(good) {
            Some(issued) => (issued.clone(), false),
            None => (Issued::new(&names, now)?, true),
        };
        let whose = (self.replica.as_str(), issued.until);
        self.bring(&configuration, |now_there| {
            bundle::with(now_there, whose, &issued.authority, now)
        })
        .await?;
        if new {
            if self.issued.is_some() {
                sleep(LEARNS).await;
            }
            self.served.show(Arc::clone(&issued.key));
            tracing::info!(
                configuration = self.name,
                names = names.join(","),
                until = %issued.until,
                "the API server trusts this authority now"
            );
            self.issued = Some(issued);
        }
        Ok(())
    }

    async fn withdraw(&self) -> Result<(), RegistrationError> {
        if self.issued.is_none() {
            return Ok(());
        }
        // Another replica that stops at the same time may be faster.
        for _ in 0..5 {
            let configuration = self.read().await?;
            let now = (self.clock)();
            let bring = |bundle: &str| bundle::without(bundle, &self.replica, now);
            match self.bring(&configuration, bring).await {
                Err(RegistrationError::Request { rejection: Rejection::Conflict, .. }) => {}
                ended => return ended,
            }
        }
        Ok(())
    }

    async fn read(&self) -> Result<MutatingWebhookConfiguration, RegistrationError> {
        let read = timeout(ANSWER, self.api.get(&self.name)).await;
        self.answered(read)
    }

    /// Writes the bundles that this changes, if the configuration is still as it was read.
    async fn bring(
        &self,
        configuration: &MutatingWebhookConfiguration,
        bring: impl Fn(&str) -> String,
    ) -> Result<(), RegistrationError> {
        let Some(patch) = changed(configuration, bring) else { return Ok(()) };
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
        let patch = Patch::Strategic(patch);
        let patched = timeout(ANSWER, self.api.patch(&self.name, &params, &patch)).await;
        self.answered(patched).map(drop)
    }

    fn answered<T>(
        &self,
        answer: Result<kube::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, RegistrationError> {
        let (what, rejection) = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                let rejection = Rejection::of(&error);
                let what = match rejection {
                    Rejection::NotFound => "it is not there: apply config/admission".to_owned(),
                    Rejection::Forbidden => {
                        "no permission to get and patch it: apply config/rbac again".to_owned()
                    }
                    _ => words(&error),
                };
                (what, rejection)
            }
            Err(_) => ("no answer in time".to_owned(), Rejection::NoAnswer),
        };
        Err(RegistrationError::Request { name: self.name.clone(), what, rejection })
    }
}

/// The names by which the API server knows the server.
fn names(configuration: &MutatingWebhookConfiguration) -> Vec<String> {
    let mut names: Vec<String> = webhooks(configuration).filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

fn name(webhook: &MutatingWebhook) -> Option<String> {
    let config = &webhook.client_config;
    if let Some(service) = &config.service {
        return Some(format!("{}.{}.svc", service.name, service.namespace));
    }
    let url: hyper::Uri = config.url.as_deref()?.parse().ok()?;
    Some(url.host()?.trim_matches(['[', ']']).to_owned())
}

fn webhooks(
    configuration: &MutatingWebhookConfiguration,
) -> impl Iterator<Item = &MutatingWebhook> {
    configuration.webhooks.iter().flatten()
}

/// The patch that brings each bundle about; none if nothing changes.
fn changed(
    configuration: &MutatingWebhookConfiguration,
    bring: impl Fn(&str) -> String,
) -> Option<Value> {
    let changed: Vec<Value> = webhooks(configuration)
        .filter_map(|webhook| {
            let bundle = webhook.client_config.ca_bundle.as_ref();
            let bundle = bundle.map_or(&[][..], |bundle| &bundle.0);
            let bundle = String::from_utf8_lossy(bundle);
            let brought = bring(&bundle);
            let ca_bundle = ByteString(brought.clone().into_bytes());
            (brought != bundle)
                .then(|| json!({ "name": webhook.name, "clientConfig": { "caBundle": ca_bundle } }))
        })
        .collect();
    let version = configuration.metadata.resource_version.as_ref()?;
    (!changed.is_empty())
        .then(|| json!({ "metadata": { "resourceVersion": version }, "webhooks": changed }))
}
