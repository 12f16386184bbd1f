//! What the pod webhook does (docs/keptn.md 1.1).

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, PodSchedulingGate};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::PartialObjectMeta;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::api::{CreationRequestSpec, KeptnAppCreationRequest, KeptnWorkload, Rollout};
use super::error::Error;
use super::gate::GATE;
use super::identity::{Identity, adopt, is_annotated, supported_owner};
use super::owner::Owner;

/// Marks requests and apps of pods that name no app.
pub(super) const APP_TYPE: &str = "keptn.sh/app-type";
/// Value of [`APP_TYPE`].
pub(super) const SINGLE_SERVICE: &str = "single-service";

impl Owner {
    /// Gates the pod, and writes down its workload and that its app is wanted. A pod that is not
    /// annotated, nor its parent, passes as it is.
    pub(super) async fn admit(&mut self, mut pod: Pod) -> Result<Pod, Error> {
        if !is_annotated(&pod) {
            let Some(parent) = self.parent(&pod).await? else {
                return Ok(pod);
            };
            if !adopt(&parent, &mut pod) {
                return Ok(pod);
            }
        }
        // Whatever gates there were are replaced (docs/keptn.md 1.1, 5).
        if let Some(spec) = pod.spec.as_mut() {
            spec.scheduling_gates = Some(vec![PodSchedulingGate { name: GATE.into() }]);
        }
        let Some(identity) = Identity::of(&mut pod) else {
            return Ok(pod);
        };
        self.register(&identity).await?;
        self.request_app(&identity).await?;
        Ok(pod)
    }

    // An error denies the pod, and the ReplicaSet controller comes again with another one
    // (docs/keptn.md 1.1, 6).
    async fn register(&mut self, identity: &Identity) -> Result<(), Error> {
        let owners = Some(vec![identity.owner.clone()]);
        let Some(known) = self.workloads.get(&identity.workload) else {
            let mut workload = KeptnWorkload::new(&identity.workload, identity.spec.clone());
            workload.metadata.owner_references = owners;
            return self.create(&workload).await.map(drop);
        };
        if known.spec == identity.spec && known.metadata.owner_references == owners {
            return Ok(());
        }
        let mut workload = known.clone();
        workload.spec = identity.spec.clone();
        workload.metadata.owner_references = owners;
        self.replace(&workload).await.map(drop)
    }

    async fn request_app(&mut self, identity: &Identity) -> Result<(), Error> {
        if self.requests.get(&identity.app).is_some() {
            return Ok(());
        }
        let spec = CreationRequestSpec { app_name: identity.app.clone() };
        let mut request = KeptnAppCreationRequest::new(&identity.app, spec);
        if identity.single_service {
            request.annotations_mut().insert(APP_TYPE.into(), SINGLE_SERVICE.into());
        }
        self.create(&request).await.map(drop)
    }

    // The live parent, not the template's (docs/keptn.md 1.1, 4). Keptn asks a cache; a parent that the
    // cache lacks makes it let the pod pass, which no test should depend on.
    async fn parent(&self, pod: &Pod) -> Result<Option<ObjectMeta>, Error> {
        let Some(owner) = supported_owner(&pod.metadata) else {
            return Ok(None);
        };
        match owner.kind.as_str() {
            "ReplicaSet" => {
                let Some(set) = self.metadata::<ReplicaSet>(&owner).await? else {
                    return Ok(None);
                };
                match supported_owner(&set) {
                    Some(rollout) if rollout.kind == "Rollout" => {
                        self.metadata::<Rollout>(&rollout).await
                    }
                    Some(deployment) => self.metadata::<Deployment>(&deployment).await,
                    None => Ok(None),
                }
            }
            "StatefulSet" => self.metadata::<StatefulSet>(&owner).await,
            "DaemonSet" => self.metadata::<DaemonSet>(&owner).await,
            _ => Ok(None),
        }
    }

    async fn metadata<T>(&self, owner: &OwnerReference) -> Result<Option<ObjectMeta>, Error>
    where
        T: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        T: Clone + Debug + DeserializeOwned,
    {
        let found: Option<PartialObjectMeta<T>> = self
            .api::<T>()
            .get_metadata_opt(&owner.name)
            .await
            .map_err(Error::api(format!("read {} {}", owner.kind, owner.name)))?;
        Ok(found.map(|object| object.metadata))
    }
}
