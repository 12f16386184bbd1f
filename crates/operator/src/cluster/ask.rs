//! Asks the API server, and shows a person who waits what for.

use std::fmt::Debug;
use std::time::Duration;

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, DeserializeGuard, NamespaceResourceScope, ObjectMeta, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Cluster;
use crate::{cause, terminal};

/// Objects of one answer.
const PAGE: u32 = 250;
/// When a person is shown first what is waited for, and how often after that.
const FIRST: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_secs(10);

/// Why the API server did not say; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Our CRDs are not there.
    #[error(
        "this cluster serves no {0}: install Throughline, or at least its CRDs: kubectl apply \
         --server-side -k config/crd"
    )]
    NotServed(String),
    /// A permission is missing.
    #[error("no permission to {verb} {resource} in {place}: {hint}")]
    Forbidden {
        /// To do what.
        verb: &'static str,
        /// With what.
        resource: String,
        /// Where.
        place: String,
        /// Who has it.
        hint: &'static str,
    },
    /// The API server does not know who asks.
    #[error("{server} does not accept your credentials ({reason}): log in again, or see --context")]
    Unauthorized {
        /// Its URL.
        server: String,
        /// Its words.
        reason: String,
    },
    /// There is no answer.
    #[error("no answer from {server} ({reason}): see --context and whether the cluster is up")]
    NoAnswer {
        /// The URL of the API server.
        server: String,
        /// What the system says.
        reason: String,
    },
    /// The API server says something else.
    #[error("cannot {verb} {resource}: {reason}")]
    Api {
        /// To do what.
        verb: &'static str,
        /// With what.
        resource: String,
        /// Its words.
        reason: String,
    },
}

/// One namespace or all, in words.
pub(crate) fn place(namespace: Option<&str>) -> String {
    namespace.map_or_else(|| "all namespaces".to_owned(), |it| format!("namespace {it}"))
}

impl Cluster {
    /// Lists all objects of a kind; one that cannot be read is named on stderr and left out.
    pub(crate) async fn list<K>(
        &self,
        namespace: Option<&str>,
        mut each: impl FnMut(K),
    ) -> Result<(), AskError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<DeserializeGuard<K>> = match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let plural = K::plural(&());
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = self.noted("list", &plural, api.list(&params)).await;
            let page = page
                .map_err(|error| self.refused(&error, "list", &named::<K>(), &place(namespace)))?;
            for DeserializeGuard(object) in page.items {
                match object {
                    Ok(object) => each(object),
                    Err(broken) => warn_of::<K>(&broken.metadata, &broken.error),
                }
            }
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(());
            }
        }
    }

    /// One object; none if it is not there or, with a word on stderr, cannot be read.
    pub(crate) async fn get<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, AskError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<DeserializeGuard<K>> = Api::namespaced(self.client.clone(), namespace);
        let found = self.noted("get", &K::plural(&()), api.get_opt(name)).await;
        let found = found
            .map_err(|error| self.refused(&error, "get", &named::<K>(), &place(Some(namespace))))?;
        Ok(found.and_then(|DeserializeGuard(object)| match object {
            Ok(object) => Some(object),
            Err(broken) => {
                warn_of::<K>(&broken.metadata, &broken.error);
                None
            }
        }))
    }

    /// Lists all objects of a kind as they are.
    pub(crate) async fn list_whole(
        &self,
        kind: &ApiResource,
        namespace: Option<&str>,
    ) -> Result<Vec<DynamicObject>, AskError> {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, kind),
            None => Api::all_with(self.client.clone(), kind),
        };
        let mut params = ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = self.noted("list", &kind.plural, api.list(&params)).await;
            let page = page.map_err(|error| {
                let resource = format!("{}.{}", kind.plural, kind.group);
                self.refused(&error, "list", &resource, &place(namespace))
            })?;
            all.extend(page.items);
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The answer to a request; while it takes long, a person is shown what is waited for.
    pub(crate) async fn noted<T>(
        &self,
        verb: &str,
        resource: &str,
        request: impl Future<Output = T>,
    ) -> T {
        let since = Instant::now();
        let mut request = std::pin::pin!(request);
        let mut next = FIRST;
        loop {
            match tokio::time::timeout(next, &mut request).await {
                Ok(answer) => return answer,
                Err(_) => terminal::note(&format!(
                    "waiting for {} to {verb} {resource}, for {} s now; Ctrl-C ends it",
                    self.server,
                    since.elapsed().as_secs(),
                )),
            }
            next = AGAIN;
        }
    }

    /// What an error of the client means for a person.
    pub(crate) fn refused(
        &self,
        error: &kube::Error,
        verb: &'static str,
        resource: &str,
        place: &str,
    ) -> AskError {
        let resource = resource.to_owned();
        match error {
            kube::Error::Api(status) => match status.code {
                401 => AskError::Unauthorized { server: self.server.clone(), reason: cause(error) },
                403 => AskError::Forbidden {
                    verb,
                    resource,
                    place: place.to_owned(),
                    hint: hint(verb, place),
                },
                404 => AskError::NotServed(resource),
                _ => AskError::Api { verb, resource, reason: cause(error) },
            },
            kube::Error::SerdeError(_) => AskError::Api { verb, resource, reason: cause(error) },
            _ => AskError::NoAnswer { server: self.server.clone(), reason: cause(error) },
        }
    }
}

fn hint(verb: &str, place: &str) -> &'static str {
    match (verb, place) {
        ("list" | "get", "all namespaces") => {
            "the role `view` has it there; or name one namespace with --namespace"
        }
        ("list" | "get", _) => "the role `view` has it there; see --as and --context, too",
        _ => "the role `admin` has it there, or see --as and --context",
    }
}

/// `rollouttraces.throughline.dev`
fn named<K: Resource<DynamicType = ()>>() -> String {
    format!("{}.{}", K::plural(&()), K::group(&()))
}

fn warn_of<K: Resource<DynamicType = ()>>(metadata: &ObjectMeta, reason: &str) {
    let name = metadata.name.as_deref().unwrap_or("without a name");
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let reason = timeline::base::text::bounded(reason, 256);
    terminal::note(&format!(
        "{} {namespace}/{name} is left out, it cannot be read: {reason}",
        K::kind(&())
    ));
}
