//! What keeps new pods out of a namespace.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::Shop;
use crate::cluster::Error;

impl Shop {
    /// From now on a quota is used up, and no pod is made. Those that run go on.
    pub async fn exhaust_quota(&self) -> Result<(), Error> {
        let quota = json!({
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": { "name": "pods" },
            "spec": { "hard": { "pods": "3" } },
        });
        self.namespace().apply(&quota.to_string()).await?;
        // The API server believes the status. The controller that would count does not run here.
        let counted = json!({ "status": { "hard": { "pods": "3" }, "used": { "pods": "3" } } });
        let quotas = self.namespace().api::<ResourceQuota>();
        let counted = Patch::Merge(counted);
        let patched = quotas.patch_status("pods", &PatchParams::default(), &counted).await;
        patched.map_err(Error::api("use up the quota"))?;
        self.refused("exceeded quota").await
    }

    /// From now on a quota of some kind of objects is used up; it is called `exhausted`. Returns when
    /// the API server knows it.
    pub async fn exhaust(&self, resource: &str, hard: u32) -> Result<(), Error> {
        let hard = json!({ resource: hard.to_string() });
        let quota = json!({
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": { "name": "exhausted" },
            "spec": { "hard": hard },
        });
        self.namespace().apply(&quota.to_string()).await?;
        let counted = Patch::Merge(json!({ "status": { "hard": hard, "used": hard } }));
        let quotas = self.namespace().api::<ResourceQuota>();
        let patched = quotas.patch_status("exhausted", &PatchParams::default(), &counted).await;
        patched.map(drop).map_err(Error::api("use up the quota"))
    }

    /// From now on pods have to be of Pod Security's profile `restricted`, and none is.
    pub async fn refuse_pods(&self) -> Result<(), Error> {
        let namespace = self.namespace();
        let label = "pod-security.kubernetes.io/enforce=restricted";
        namespace.kubectl(&["label", "namespace", namespace.name(), label]).await?;
        self.refused("violates PodSecurity").await
    }

    /// Waits until the API server knows what it has to refuse.
    async fn refused(&self, words: &str) -> Result<(), Error> {
        let pod = json!({
            "metadata": { "name": "refused" },
            "spec": { "containers": [{ "name": "refused", "image": "example/refused:1.0.0" }] },
        });
        let pod: Pod = serde_json::from_value(pod.clone()).map_err(|error| Error::Manifest {
            reason: error.to_string(),
            manifest: pod.to_string(),
        })?;
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let (since, patience) = (Instant::now(), Duration::from_secs(20));
        loop {
            let said = match self.namespace().api::<Pod>().create(&dry, &pod).await {
                Err(kube::Error::Api(status)) => status.message,
                Err(error) => return Err(Error::api("try a pod")(error)),
                Ok(_) => "it was allowed".into(),
            };
            if said.contains(words) {
                return Ok(());
            }
            if since.elapsed() > patience {
                return Err(Error::Waited {
                    object: format!("a pod of {}", self.namespace().name()),
                    condition: format!("refused: {words}"),
                    seconds: patience.as_secs(),
                    state: said,
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
