//! Pods of the revision that is rolled out, where a test plays the kubelet.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Rollout, State, kubelet};
use crate::cluster::Error;

impl Rollout {
    /// The pods of the revision that is rolled out, once so many stand on a node.
    pub async fn new_pods(&self, count: usize) -> Result<Vec<Pod>, Error> {
        let since = Instant::now();
        loop {
            let state = self.state().await?;
            let pods = self.pods().await?;
            let stands = |pod: &Pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
            let new = |pod: &Pod| {
                let hash = pod.labels().get("rollouts-pod-template-hash");
                hash.is_some_and(|hash| hash == state.current())
            };
            let found: Vec<Pod> = pods
                .into_iter()
                .filter(|pod| new(pod) && stands(pod) && pod.metadata.deletion_timestamp.is_none())
                .collect();
            if state.is_observed() && found.len() >= count {
                return Ok(found);
            }
            if since.elapsed() > self.patience() {
                let condition = format!("with {count} new pods on a node");
                let names: Vec<_> = found.iter().map(ResourceExt::name_any).collect();
                let shown = format!("{}\n{}", names.join(" "), state.show());
                return Err(self.late(&condition, Some(shown)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Says of a pod what a kubelet would; conditions are merged by their type.
    pub async fn says(&self, pod: &Pod, status: &Value) -> Result<(), Error> {
        let name = pod.name_any();
        let patch = Patch::Strategic(json!({ "status": status }));
        let pods = self.namespace().api::<Pod>();
        let patched = pods.patch_status(&name, &PatchParams::default(), &patch).await;
        patched.map(drop).map_err(Error::api(format!("patch the status of pod {name}")))
    }

    /// Makes its pods ready as they come, until it is as it should be.
    pub async fn ready_until(
        &self,
        condition: &str,
        is: impl Fn(&State) -> bool,
    ) -> Result<State, Error> {
        tokio::select! {
            state = self.until(condition, is) => state,
            failed = self.play_kubelet() => failed.map(|never| match never {}),
        }
    }

    async fn play_kubelet(&self) -> Result<Infallible, Error> {
        loop {
            for pod in self.pods().await? {
                let known = pod.status.as_ref().is_some_and(|it| it.container_statuses.is_some());
                let here = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
                if here && !known && pod.metadata.deletion_timestamp.is_none() {
                    // One that has gone in the meantime is not needed.
                    let _ = self.says(&pod, &kubelet::ready(&pod)).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
