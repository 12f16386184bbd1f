//! Keptn's lifecycle objects.

use std::collections::BTreeMap;

use api::keptn::{self, KeptnAppContext, KeptnAppVersion, KeptnWorkloadVersion};
use kube::ResourceExt;
use timeline::seen::{AppContextSeen, AppVersionSeen, WorkloadVersionSeen};
use timeline::{Kind, Observation, Traceparent};

use super::{Observed, created, key};

/// Keptn's own limit of links on a span is 128; a longer list is nobody's intent.
const LINKS_LIMIT: usize = 1024;

impl Observed for KeptnAppVersion {
    const KIND: Kind = Kind::AppVersion;

    fn observe(self) -> Option<Observation> {
        let (spec, status) = (self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        let text = |name: &str| status.phase_trace_ids.as_ref()?.get(name)?.get("traceparent");
        let phase = |name: &str| text(name)?.parse::<Traceparent>().ok();
        let broken = ["AppDeploy", "AppPreDeployTasks", "AppPreDeployEvaluations"]
            .into_iter()
            .find_map(|name| {
                let error = text(name)?.parse::<Traceparent>().err()?;
                Some(format!("phaseTraceIDs.{name}: {error}"))
            });
        let app_deploy = phase("AppDeploy");
        let current = status.current_phase.as_deref().unwrap_or_default();
        let before = current.is_empty() || current.starts_with("AppPreDeploy");
        let waiting = matches!(status.status.as_deref(), None | Some("" | "Pending"));
        Some(Observation::AppVersion(AppVersionSeen {
            key: key(&self.metadata),
            app: spec.app_name.unwrap_or_default().into(),
            workloads: spec
                .workloads
                .unwrap_or_default()
                .into_iter()
                .filter_map(|workload| Some((workload.name?.into(), workload.version?.into())))
                .collect(),
            span_links: spec.span_links.unwrap_or_default(),
            created: created(&self.metadata),
            ended: status.end_time,
            deprecated: status.status.as_deref() == Some("Deprecated"),
            held: if before { !waiting } else { app_deploy.is_none() },
            before_deploy: phase("AppPreDeployTasks").or_else(|| phase("AppPreDeployEvaluations")),
            app_deploy,
            broken,
        }))
    }
}

impl Observed for KeptnWorkloadVersion {
    const KIND: Kind = Kind::WorkloadVersion;

    fn observe(self) -> Option<Observation> {
        let spec = self.spec.unwrap_or_default();
        Some(Observation::WorkloadVersion(WorkloadVersionSeen {
            key: key(&self.metadata),
            app: spec.app.unwrap_or_default().into(),
            workload: spec.workload_name.unwrap_or_default().into(),
            version: spec.version.unwrap_or_default().into(),
            replica_set_uid: spec
                .resource_reference
                .and_then(|reference| reference.uid)
                .map(Into::into),
            trace: spec.trace_id.as_ref().and_then(carrier),
        }))
    }
}

impl Observed for KeptnAppContext {
    const KIND: Kind = Kind::AppContext;

    fn observe(self) -> Option<Observation> {
        app_context(&self).map(Observation::AppContext)
    }
}

/// Reads a KeptnAppContext; also for the answers to our own writes.
pub fn app_context(context: &KeptnAppContext) -> Option<AppContextSeen> {
    let spec = context.spec.as_ref();
    let span_links = spec.and_then(|spec| spec.span_links.clone()).unwrap_or_default();
    if span_links.len() > LINKS_LIMIT {
        return None;
    }
    let ours = context.annotations().get(keptn::OURS);
    // An annotation that somebody broke marks nothing as ours: then nothing is ever removed.
    let ours = ours.and_then(|ours| serde_json::from_str::<Vec<String>>(ours).ok());
    Some(AppContextSeen {
        key: key(&context.metadata),
        resource_version: context.resource_version()?,
        span_links,
        ours: ours.unwrap_or_default(),
    })
}

fn carrier(carrier: &BTreeMap<String, String>) -> Option<Traceparent> {
    carrier.get("traceparent")?.parse().ok()
}
