//! From a creation request to the app, and from the app to its version (docs/keptn.md 1.4 and 3).

use std::time::Duration;

use kube::api::DeleteParams;
use kube::{Resource, ResourceExt};
use tokio::time::Instant;
use tracing::warn;

use super::admission::{APP_TYPE, SINGLE_SERVICE};
use super::api::{
    AppSpec, AppVersionSpec, ContextSpec, KeptnApp, KeptnAppContext, KeptnAppCreationRequest,
    KeptnAppVersion, KeptnWorkload, State, WorkloadRef,
};
use super::error::Error;
use super::naming::{app_version, generation_hash, resource_name};
use super::owner::Owner;

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

impl Owner {
    /// keptnappcreationrequest/controller.go.
    pub(super) async fn answer_request(&mut self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(request) = self.requests.get(name).cloned() else {
            self.discovered.remove(name);
            return Ok(None);
        };
        let app = self.apps.get(&request.spec.app_name).cloned();
        // What a user made stays as it is.
        if app.as_ref().is_some_and(|a| a.labels().get(MANAGED_BY).is_none_or(|by| by != "keptn")) {
            return self.drop_request(&request).await;
        }
        let single = request.annotations().get(APP_TYPE).is_some_and(|t| t == SINGLE_SERVICE);
        let now = Instant::now();
        // Keptn counts from the creation timestamp, which knows whole seconds only: up to a second
        // less than this.
        let since = *self.discovered.entry(name.to_owned()).or_insert(now);
        let left = (since + self.pace.discovery).saturating_duration_since(now);
        if !single && !left.is_zero() {
            return Ok(Some(left));
        }
        let app_name = request.spec.app_name.as_str();
        let prefix = format!("{app_name}-");
        let workloads: Vec<(String, WorkloadRef)> = self
            .workloads
            .iter()
            .filter(|workload| workload.spec.app == app_name)
            .map(|workload| (workload.name_any(), reference(workload, &prefix)))
            .collect();
        let named: Vec<(&str, &str)> = workloads
            .iter()
            .map(|(name, workload)| (name.as_str(), workload.version.as_str()))
            .collect();
        let version = app_version(&named);
        let current = workloads.iter().map(|(_, workload)| workload.clone());
        match app {
            None => {
                let spec = AppSpec { version, revision: None, workloads: current.collect() };
                let mut app = KeptnApp::new(app_name, spec);
                app.labels_mut().insert(MANAGED_BY.into(), "keptn".into());
                app.metadata.annotations.clone_from(&request.metadata.annotations);
                self.create(&app).await?;
            }
            Some(mut app) => {
                let workloads = merged(&app.spec.workloads, current.collect());
                if workloads != app.spec.workloads || version != app.spec.version {
                    app.spec.workloads = workloads;
                    app.spec.version = version;
                    self.replace(&app).await?;
                }
            }
        }
        self.drop_request(&request).await
    }

    async fn drop_request(
        &mut self,
        request: &KeptnAppCreationRequest,
    ) -> Result<Option<Duration>, Error> {
        let name = request.name_any();
        let deleted =
            self.api::<KeptnAppCreationRequest>().delete(&name, &DeleteParams::default()).await;
        match deleted {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(source) => return Err(Error::api(format!("delete request {name}"))(source)),
        }
        self.requests.remove(request);
        self.discovered.remove(&name);
        Ok(None)
    }

    /// keptnapp/controller.go: the one moment at which the context is read.
    pub(super) async fn version_app(&mut self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(mut app) = self.apps.get(name).cloned() else {
            return Ok(None);
        };
        let generation = app.metadata.generation.unwrap_or_default();
        let version_name = resource_name(&[name, &app.spec.version, &generation_hash(generation)]);
        if self.app_versions.get(&version_name).is_some() {
            return Ok(None);
        }
        let current = app.status.clone().unwrap_or_default().current_version;
        let spec = AppVersionSpec {
            app: app.spec.clone(),
            context: self.context(name).await,
            app_name: name.to_owned(),
            previous_version: if current == app.spec.version { String::new() } else { current },
            trace_id: std::collections::BTreeMap::new(),
        };
        let mut version = KeptnAppVersion::new(&version_name, spec);
        version.metadata.owner_references = app.controller_owner_ref(&()).map(|owner| vec![owner]);
        self.create(&version).await?;
        app.status.get_or_insert_default().current_version.clone_from(&app.spec.version);
        self.replace_status(&app).await?;
        for older in (1..generation).rev() {
            self.deprecate(&resource_name(&[name, &app.spec.version, &generation_hash(older)]))
                .await?;
        }
        Ok(None)
    }

    // Asked for, not cached: what a test wrote before is there. NotFound and any other error give
    // an empty context (docs/keptn.md 3).
    async fn context(&self, app: &str) -> ContextSpec {
        match self.api::<KeptnAppContext>().get_opt(app).await {
            Ok(context) => context.map(|context| context.spec).unwrap_or_default(),
            Err(error) => {
                warn!(namespace = self.namespace, app, %error, "the context counts as empty");
                ContextSpec::default()
            }
        }
    }

    // Even one that had succeeded; its spans stay open, its end time as it was (docs/keptn.md 3).
    async fn deprecate(&mut self, name: &str) -> Result<(), Error> {
        let Some(mut version) = self.app_versions.get(name).cloned() else {
            return Ok(());
        };
        let status = version.status.get_or_insert_default();
        if status.progress.status == Some(State::Deprecated) {
            return Ok(());
        }
        let deprecated = Some(State::Deprecated);
        status.progress.status = deprecated;
        status.progress.pre_deployment_status = deprecated;
        status.progress.pre_deployment_evaluation_status = deprecated;
        status.progress.post_deployment_status = deprecated;
        status.progress.post_deployment_evaluation_status = deprecated;
        status.workload_overall_status = deprecated;
        status.promotion_status = deprecated;
        self.replace_status(&version).await.map(drop)
    }
}

fn reference(workload: &KeptnWorkload, prefix: &str) -> WorkloadRef {
    let name = workload.name_any();
    WorkloadRef {
        name: name.strip_prefix(prefix).unwrap_or(&name).to_owned(),
        version: workload.spec.version.clone(),
    }
}

// Known ones keep their place, new ones come last, those without a workload go.
fn merged(known: &[WorkloadRef], current: Vec<WorkloadRef>) -> Vec<WorkloadRef> {
    let place = |workload: &WorkloadRef| known.iter().position(|k| k.name == workload.name);
    let mut merged = current;
    merged.sort_by_key(|workload| place(workload).unwrap_or(usize::MAX));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_keep_their_place() {
        let workload =
            |name: &str, version: &str| WorkloadRef { name: name.into(), version: version.into() };
        let known = [workload("pay", "1"), workload("cart", "1"), workload("old", "1")];
        let current = vec![workload("cart", "2"), workload("mail", "1"), workload("pay", "1")];
        let expected = [workload("pay", "1"), workload("cart", "2"), workload("mail", "1")];
        assert_eq!(merged(&known, current), expected);
    }
}
