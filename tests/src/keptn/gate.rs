//! Taking the scheduling gate away (docs/keptn.md 4.8).

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::api::State;
use super::error::Error;
use super::owner::Owner;

/// The gate that the webhook sets.
pub(super) const GATE: &str = "keptn-prechecks-gate";

/// Whether the pod waits for Keptn.
pub(super) fn is_gated(pod: &Pod) -> bool {
    let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_deref());
    gates.unwrap_or_default().iter().any(|gate| gate.name == GATE)
}

impl Owner {
    /// A pod goes when any workload version that names its first owner has begun or ended its
    /// deployment (schedulinggates/controller.go:53-87).
    pub(super) async fn release(&mut self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(pod) = self.pods.get(name) else {
            return Ok(None);
        };
        let Some(owner) = pod.owner_references().first() else {
            return Ok(None);
        };
        let released = self.workload_versions.iter().any(|version| {
            let state = version.status.as_ref().and_then(|status| status.deployment_status);
            version.spec.workload.resource_reference.uid == owner.uid
                && state.is_some_and(|s| s.is_completed() || s == State::Progressing)
        });
        if !released {
            return Ok(Some(self.pace.gate_poll));
        }
        // The annotation makes the webhook let this update pass (docs/keptn.md 1.1, 5).
        let patch = Patch::Merge(json!({
            "metadata": {"uid": pod.uid(), "annotations": {"keptn.sh/scheduling-gate-removed": "true"}},
            "spec": {"schedulingGates": null},
        }));
        match self.api::<Pod>().patch(name, &PatchParams::default(), &patch).await {
            Ok(pod) => {
                self.pods.gone(&pod);
                Ok(None)
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(source) => Err(Error::api(format!("release pod {name}"))(source)),
        }
    }
}
