//! `KeptnWorkload` and `KeptnWorkloadVersion` (keptnworkload/controller.go and
//! keptnworkloadversion/controller.go).

use std::collections::BTreeMap;
use std::time::Duration;

use kube::{Resource, ResourceExt};
use opentelemetry::trace::SpanContext;

use super::api::{KeptnAppVersion, KeptnWorkloadVersion, Progress, State, WorkloadVersionSpec};
use super::error::Error;
use super::naming::resource_name;
use super::owner::Owner;
use super::phase::{Phased, whole_second};
use super::span::parse_traceparent;

impl Owner {
    pub(super) async fn version_workload(&mut self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(mut workload) = self.workloads.get(name).cloned() else {
            return Ok(None);
        };
        let version_name = resource_name(&[name, &workload.spec.version]);
        if let Some(known) = self.workload_versions.get(&version_name) {
            if known.spec.workload != workload.spec {
                // Same version, other ReplicaSet (docs/keptn.md 4.3).
                let mut version = known.clone();
                version.spec.workload = workload.spec.clone();
                self.replace(&version).await?;
            }
            return Ok(None);
        }
        let current = workload.status.clone().unwrap_or_default().current_version;
        let same = current == workload.spec.version;
        let spec = WorkloadVersionSpec {
            workload: workload.spec.clone(),
            workload_name: name.to_owned(),
            previous_version: if same { String::new() } else { current },
            trace_id: BTreeMap::new(),
        };
        let mut version = KeptnWorkloadVersion::new(&version_name, spec);
        version.metadata.owner_references =
            workload.controller_owner_ref(&()).map(|owner| vec![owner]);
        if let Err(error) = self.create(&version).await {
            tracing::warn!(namespace = self.namespace, name, %error, "no workload version");
            return Ok(Some(self.pace.match_retry));
        }
        workload.status.get_or_insert_default().current_version.clone_from(&workload.spec.version);
        self.replace_status(&workload).await?;
        Ok(None)
    }

    pub(super) async fn deploy_workload(&mut self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(mut version) = self.workload_versions.get(name).cloned() else {
            return Ok(None);
        };
        version.progress_mut().start_time.get_or_insert_with(whole_second);
        if version.progress().current_phase.is_none() && !self.join_app(&mut version).await? {
            return Ok(Some(self.pace.match_retry));
        }
        self.advance(version).await
    }

    // checkPreEvaluationStatusOfApp: takes over the trace of the app version, once.
    async fn join_app(&mut self, version: &mut KeptnWorkloadVersion) -> Result<bool, Error> {
        let Some(app) = self.matching_app_version(version) else {
            return Ok(false);
        };
        let progress = app.progress();
        if progress.pre_deployment_evaluation_status != Some(State::Succeeded) {
            return Ok(false);
        }
        let status = version.status.get_or_insert_default();
        if status.app_context_metadata != app.spec.context.metadata {
            status.app_context_metadata.clone_from(&app.spec.context.metadata);
            *version = self.replace_status(version).await?;
        }
        if version.spec.trace_id.is_empty() {
            let deploy = progress.phase_trace_ids.get("AppDeploy").cloned();
            let trace = deploy.unwrap_or(app.spec.trace_id);
            // Without a key, as after the reuse of a span, the workload gets a trace of its own
            // (docs/keptn.md 2.1).
            if !trace.is_empty() {
                version.spec.trace_id = trace;
                let status = version.status.take();
                *version = self.replace(version).await?;
                version.status = status;
            }
        }
        Ok(true)
    }

    // The newest one that is not deprecated and lists this very version (docs/keptn.md 1.4). Keptn
    // compares creation timestamps, which are whole seconds, and lets chance decide between equals;
    // here the one that came last wins.
    fn matching_app_version(&self, version: &KeptnWorkloadVersion) -> Option<KeptnAppVersion> {
        let spec = &version.spec;
        self.app_versions
            .by_arrival()
            .filter(|(_, app)| {
                app.spec.app_name == spec.workload.app
                    && app.progress().status != Some(State::Deprecated)
                    && app.spec.app.workloads.iter().any(|workload| {
                        workload.version == spec.workload.version
                            && format!("{}-{}", app.spec.app_name, workload.name)
                                == spec.workload_name
                    })
            })
            .max_by_key(|(arrival, app)| {
                (app.creation_timestamp().map(|created| created.0), *arrival)
            })
            .map(|(_, app)| app.clone())
    }

    // reconcile_deploymentstate.go: nothing in it says which revision is running (docs/keptn.md 4).
    fn is_running(&self, version: &KeptnWorkloadVersion) -> Result<bool, Error> {
        let set = &version.spec.workload.resource_reference;
        let unknown = |kind: &str, name: &str| Error::Unknown { what: format!("{kind} {name}") };
        if set.kind != "ReplicaSet" {
            return Err(unknown(&set.kind, &set.name));
        }
        let set =
            self.replica_sets.get(&set.name).ok_or_else(|| unknown("ReplicaSet", &set.name))?;
        let mut owners = set.owner_references().iter();
        if let Some(owner) = owners.find(|owner| owner.kind == "Rollout") {
            let rollout = self.rollouts.get(&owner.name);
            let rollout = rollout.ok_or_else(|| unknown("Rollout", &owner.name))?;
            let status = rollout.status.clone().unwrap_or_default();
            return Ok(status.replicas == status.updated_replicas && status.phase == "Healthy");
        }
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas);
        let available = set.status.as_ref().and_then(|it| it.available_replicas);
        Ok(wanted.unwrap_or(1) == available.unwrap_or_default())
    }
}

impl Phased for KeptnWorkloadVersion {
    const ITEM: &'static str = "Workload";
    const TITLE: &'static str = "WorkloadVersion";
    const SCOPE: &'static str = "keptn/lifecycle-operator/workloadversion";

    fn progress(&self) -> Progress {
        self.status.clone().unwrap_or_default().progress
    }

    fn progress_mut(&mut self) -> &mut Progress {
        &mut self.status.get_or_insert_default().progress
    }

    fn deployed(&mut self) -> &mut Option<State> {
        &mut self.status.get_or_insert_default().deployment_status
    }

    fn deprecate_rest(&mut self) {
        let progress = self.progress_mut();
        progress.post_deployment_status = Some(State::Deprecated);
        progress.post_deployment_evaluation_status = Some(State::Deprecated);
    }

    fn has_same_status(&self, other: &Self) -> bool {
        self.status == other.status
    }

    fn key(&self) -> String {
        let trace = self.spec.trace_id.get("traceparent").map_or("", String::as_str);
        let namespace = self.namespace().unwrap_or_default();
        let workload = &self.spec.workload;
        format!("{trace}.{}.{namespace}.{}", self.spec.workload_name, workload.version)
    }

    fn phase_span_name(&self, phase: &str) -> String {
        format!("{}/{phase}", self.spec.workload_name)
    }

    fn attributes(&self) -> Vec<(String, String)> {
        let workload = &self.spec.workload;
        let named = [
            ("keptn.deployment.app.name", workload.app.clone()),
            ("keptn.deployment.workload.name", self.spec.workload_name.clone()),
            ("keptn.deployment.workload.version", workload.version.clone()),
            ("keptn.deployment.workload.namespace", self.namespace().unwrap_or_default()),
        ];
        let status = self.status.as_ref();
        let mut metadata = status.map(|s| s.app_context_metadata.clone()).unwrap_or_default();
        metadata.extend(workload.metadata.clone());
        named.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(metadata).collect()
    }

    fn parent(&self) -> Option<SpanContext> {
        parse_traceparent(self.spec.trace_id.get("traceparent")?)
    }

    fn links(&self) -> Vec<String> {
        Vec::new()
    }

    async fn deploy(&mut self, owner: &mut Owner) -> Result<State, Error> {
        let status = self.status.get_or_insert_default();
        let timed_out = status.deployment_start_time.as_ref().is_some_and(|start| {
            let passed = whole_second().0.duration_since(start.0).unsigned_abs();
            passed > owner.pace.observability
        });
        if timed_out {
            status.deployment_status = Some(State::Failed);
            owner.persist(self).await?;
            return Ok(State::Failed);
        }
        let running = owner.is_running(self)?;
        let status = self.status.get_or_insert_default();
        if status.deployment_start_time.is_none() {
            status.deployment_start_time = Some(whole_second());
            status.deployment_status = Some(State::Progressing);
        }
        if running {
            status.deployment_status = Some(State::Succeeded);
        }
        let state = status.deployment_status.unwrap_or(State::Unknown);
        owner.persist(self).await?;
        Ok(state)
    }
}
