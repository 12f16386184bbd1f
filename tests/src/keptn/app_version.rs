//! `KeptnAppVersion` (keptnappversion/controller.go).

use std::time::Duration;

use kube::ResourceExt;
use opentelemetry::trace::SpanContext;

use super::api::{KeptnAppVersion, Progress, State, WorkloadState};
use super::error::Error;
use super::naming::resource_name;
use super::owner::Owner;
use super::phase::{Phased, whole_second};
use super::span::parse_traceparent;

impl Owner {
    pub(super) async fn deploy_app(&mut self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(mut version) = self.app_versions.get(name).cloned() else {
            return Ok(None);
        };
        version.progress_mut().start_time.get_or_insert_with(whole_second);
        self.advance(version).await
    }
}

impl Phased for KeptnAppVersion {
    const ITEM: &'static str = "App";
    const TITLE: &'static str = "App Version";
    const SCOPE: &'static str = "keptn/lifecycle-operator/appversion";

    fn progress(&self) -> Progress {
        self.status.clone().unwrap_or_default().progress
    }

    fn progress_mut(&mut self) -> &mut Progress {
        &mut self.status.get_or_insert_default().progress
    }

    fn deployed(&mut self) -> &mut Option<State> {
        &mut self.status.get_or_insert_default().workload_overall_status
    }

    fn deprecate_rest(&mut self) {
        let status = self.status.get_or_insert_default();
        status.progress.post_deployment_status = Some(State::Deprecated);
        status.progress.post_deployment_evaluation_status = Some(State::Deprecated);
        status.promotion_status = Some(State::Deprecated);
    }

    fn has_same_status(&self, other: &Self) -> bool {
        self.status == other.status
    }

    // Neither name nor generation: an older generation's open spans are found again
    // (keptnappversion_types.go:459-461).
    fn key(&self) -> String {
        let trace = self.spec.trace_id.get("traceparent").map_or("", String::as_str);
        let namespace = self.namespace().unwrap_or_default();
        format!("{trace}.{}.{namespace}.{}", self.spec.app_name, self.spec.app.version)
    }

    fn phase_span_name(&self, phase: &str) -> String {
        phase.to_owned()
    }

    fn attributes(&self) -> Vec<(String, String)> {
        let named = [
            ("keptn.deployment.app.name", self.spec.app_name.clone()),
            ("keptn.deployment.app.version", self.spec.app.version.clone()),
            ("keptn.deployment.app.namespace", self.namespace().unwrap_or_default()),
        ];
        let metadata = self.spec.context.metadata.clone();
        named.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(metadata).collect()
    }

    fn parent(&self) -> Option<SpanContext> {
        parse_traceparent(self.spec.trace_id.get("traceparent")?)
    }

    fn links(&self) -> Vec<String> {
        self.spec.context.span_links.clone()
    }

    // keptnappversion/reconcile_workloadsstate.go
    async fn deploy(&mut self, owner: &mut Owner) -> Result<State, Error> {
        let workloads: Vec<WorkloadState> = self
            .spec
            .app
            .workloads
            .iter()
            .map(|workload| {
                let parts = [&self.spec.app_name, &workload.name, &workload.version];
                let name = resource_name(&parts.map(String::as_str));
                let found = owner
                    .workload_versions
                    .get(&name)
                    .filter(|version| version.spec.workload.app == self.spec.app_name);
                // Pending is what the CRD makes of no status.
                let status = found.and_then(|version| version.progress().status);
                let status = Some(status.unwrap_or(State::Pending));
                WorkloadState { workload: workload.clone(), status }
            })
            .collect();
        let overall = overall(&workloads);
        let status = self.status.get_or_insert_default();
        status.workload_overall_status = Some(overall);
        status.workload_status = workloads;
        owner.persist(self).await?;
        Ok(overall)
    }
}

// common.go: GetOverallState
fn overall(states: &[WorkloadState]) -> State {
    let any = |wanted: &[Option<State>]| states.iter().any(|s| wanted.contains(&s.status));
    if any(&[Some(State::Failed), Some(State::Deprecated)]) {
        State::Failed
    } else if any(&[Some(State::Progressing)]) {
        State::Progressing
    } else if any(&[Some(State::Pending), None]) {
        State::Pending
    } else if any(&[Some(State::Unknown)]) {
        State::Unknown
    } else if any(&[Some(State::Warning)]) {
        State::Pending
    } else {
        State::Succeeded
    }
}
