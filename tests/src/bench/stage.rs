//! Plays Argo and Keptn: writes what they write, straight through the API.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::Value;

use super::objects::{App, Revision};
use crate::cluster::Error;

/// The time, read from the system once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: Timestamp,
    since: Instant,
}

impl Clock {
    pub(super) fn new(began: Timestamp) -> Self {
        Self { began, since: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.began + SignedDuration::try_from(self.since.elapsed()).unwrap_or_default()
    }
}

/// A kind that is played with.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Rollout,
    ReplicaSet,
    AppVersion,
    WorkloadVersion,
}

impl Kind {
    fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::Rollout => ("argoproj.io", "v1alpha1", "Rollout", "rollouts"),
            Self::ReplicaSet => ("apps", "v1", "ReplicaSet", "replicasets"),
            Self::AppVersion => ("lifecycle.keptn.sh", "v1", "KeptnAppVersion", "keptnappversions"),
            Self::WorkloadVersion => {
                ("lifecycle.keptn.sh", "v1", "KeptnWorkloadVersion", "keptnworkloadversions")
            }
        };
        ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: format!("{group}/{version}"),
            kind: kind.into(),
            plural: plural.into(),
        }
    }

    // Whose fields they are in reality: managedFields are most of an object's metadata.
    fn writer(self) -> &'static str {
        match self {
            Self::Rollout | Self::ReplicaSet => "rollouts-controller",
            Self::AppVersion | Self::WorkloadVersion => "keptn-lifecycle-operator",
        }
    }
}

/// Argo and Keptn in one.
#[derive(Clone)]
pub(super) struct Stage {
    client: Client,
    clock: Clock,
}

impl Stage {
    pub(super) fn new(client: Client, clock: Clock) -> Self {
        Self { client, clock }
    }

    /// Makes namespaces.
    pub(super) async fn namespaces(&self, names: &[String]) -> Result<(), Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        for name in names {
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(name.clone());
            let made = api.create(&PostParams::default(), &namespace).await;
            made.map_err(Error::api(format!("create namespace {name}")))?;
        }
        Ok(())
    }

    /// Argo begins a revision: template, ReplicaSet, status.
    pub(super) async fn begin(&self, revision: Revision<'_>) -> Result<Begun, Error> {
        let app = revision.app;
        let rollout_uid = if revision.number == 1 {
            self.create(Kind::Rollout, app, revision.rollout()).await?
        } else {
            self.patch(Kind::Rollout, app, &app.name, None, revision.applied()).await?
        };
        let set = revision.replica_set_of(&rollout_uid);
        let replica_set_uid = self.create(Kind::ReplicaSet, app, set).await?;
        self.rollout_status(revision, false).await?;
        Ok(Begun { replica_set_uid })
    }

    /// Keptn makes its objects for the revision, without a trace yet.
    pub(super) async fn admit(&self, revision: Revision<'_>) -> Result<(), Error> {
        let version = revision.keptn_app_version();
        self.create(Kind::AppVersion, revision.app, version).await.map(drop)
    }

    /// The same where nothing is written ahead; the links that the version was created with.
    pub(super) async fn ask(&self, revision: Revision<'_>) -> Result<Vec<String>, Error> {
        let version = revision.unlinked_app_version();
        let made = self.made(Kind::AppVersion, revision.app, version).await?;
        let links = made.data["spec"]["spanLinks"].as_array().into_iter().flatten();
        Ok(links.filter_map(|link| link.as_str().map(str::to_owned)).collect())
    }

    /// Keptn begins the span AppDeploy and says so; or it is over with all phases.
    pub(super) async fn deploy(&self, revision: Revision<'_>, over: bool) -> Result<(), Error> {
        let status = revision.app_version_status(over, self.clock.now());
        let name = revision.app_version();
        self.patch(Kind::AppVersion, revision.app, &name, Some("status"), status).await.map(drop)
    }

    /// Keptn names the trace in the KeptnWorkloadVersion.
    pub(super) async fn name(&self, revision: Revision<'_>, begun: &Begun) -> Result<(), Error> {
        let version = revision.keptn_workload_version(&begun.replica_set_uid);
        self.create(Kind::WorkloadVersion, revision.app, version).await.map(drop)
    }

    /// Argo promotes the revision.
    pub(super) async fn promote(&self, revision: Revision<'_>) -> Result<(), Error> {
        self.rollout_status(revision, true).await
    }

    async fn rollout_status(&self, revision: Revision<'_>, healthy: bool) -> Result<(), Error> {
        let status = revision.rollout_status(healthy, self.clock.now());
        let name = &revision.app.name;
        self.patch(Kind::Rollout, revision.app, name, Some("status"), status).await.map(drop)
    }

    fn api(&self, kind: Kind, app: &App) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &app.namespace, &kind.resource())
    }

    // Both give back the uid.
    async fn create(&self, kind: Kind, app: &App, object: Value) -> Result<String, Error> {
        let made = self.made(kind, app, object).await?;
        Ok(made.metadata.uid.unwrap_or_default())
    }

    async fn made(&self, kind: Kind, app: &App, object: Value) -> Result<DynamicObject, Error> {
        let what = format!("create {kind:?} for {}/{}", app.namespace, app.name);
        let object: DynamicObject = serde_json::from_value(object).map_err(|error| {
            Error::Manifest { reason: error.to_string(), manifest: what.clone() }
        })?;
        let params =
            PostParams { field_manager: Some(kind.writer().into()), ..PostParams::default() };
        let made = self.api(kind, app).create(&params, &object).await;
        made.map_err(Error::api(what))
    }

    async fn patch(
        &self,
        kind: Kind,
        app: &App,
        name: &str,
        subresource: Option<&str>,
        patch: Value,
    ) -> Result<String, Error> {
        let params =
            PatchParams { field_manager: Some(kind.writer().into()), ..PatchParams::default() };
        let api = self.api(kind, app);
        let patch = Patch::Merge(patch);
        let patched = match subresource {
            Some(_) => api.patch_status(name, &params, &patch).await,
            None => api.patch(name, &params, &patch).await,
        };
        let what = || format!("patch {kind:?} {}/{name}", app.namespace);
        let patched = patched.map_err(|error| Error::api(what())(error))?;
        Ok(patched.metadata.uid.unwrap_or_default())
    }

    /// How many apps have links.
    pub(super) async fn linked(&self) -> Result<usize, Error> {
        let contexts: Api<api::keptn::KeptnAppContext> = Api::all(self.client.clone());
        let listed = contexts.list(&kube::api::ListParams::default()).await;
        let listed = listed.map_err(Error::api("list KeptnAppContexts"))?;
        let has = |context: &&api::keptn::KeptnAppContext| {
            let links = context.spec.as_ref().and_then(|spec| spec.span_links.as_ref());
            links.is_some_and(|links| !links.is_empty())
        };
        Ok(listed.iter().filter(has).count())
    }
}

/// A revision that Argo has begun.
#[derive(Debug)]
pub(super) struct Begun {
    replica_set_uid: String,
}
