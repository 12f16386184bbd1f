//! Namespaces, one for each test.

use k8s_openapi::api::core::v1::Namespace as Object;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::{Error, Tools, apply};

/// The annotation by which a namespace takes part in Keptn.
const KEPTN: &str = "keptn.sh/lifecycle-toolkit";

/// A namespace, and a client of the admin for the runtime in which it was made.
#[derive(Clone)]
pub struct Namespace {
    name: String,
    client: Client,
    tools: Tools,
}

impl std::fmt::Debug for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Namespace").field(&self.name).finish()
    }
}

impl Namespace {
    pub(super) async fn make(
        key: &str,
        name: &str,
        keptn: bool,
        client: Client,
        tools: Tools,
    ) -> Result<Self, Error> {
        let mut metadata = json!({ key: name });
        if keptn {
            metadata["annotations"] = json!({ KEPTN: "enabled" });
        }
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        let object: Object = serde_json::from_value(object).map_err(|error| Error::Manifest {
            reason: error.to_string(),
            manifest: name.into(),
        })?;
        let made = Api::all(client.clone()).create(&PostParams::default(), &object).await;
        let name = made.map_err(Error::api(format!("create namespace {name}")))?.name_any();
        Ok(Self { name, client, tools })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client of the admin.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The objects of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client(), &self.name)
    }

    /// What `kubectl -n NAMESPACE ARGS` writes.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String, Error> {
        self.tools.kubectl(&[&["-n", &self.name], args].concat()).await
    }

    /// What `kubectl argo rollouts -n NAMESPACE ARGS` writes.
    pub async fn argo(&self, args: &[&str]) -> Result<String, Error> {
        self.tools.argo(&[&["-n", &self.name], args].concat()).await
    }

    /// Server-side apply of all documents of a manifest. Documents that name no namespace go to
    /// this one.
    pub async fn apply(&self, manifest: &str) -> Result<(), Error> {
        apply::apply(&self.client, &self.name, manifest).await
    }

    /// From now on Keptn takes part.
    pub async fn enable_keptn(&self) -> Result<(), Error> {
        let namespaces: Api<Object> = Api::all(self.client());
        let patch = json!({ "metadata": { "annotations": { KEPTN: "enabled" } } });
        let patched =
            namespaces.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(Error::api(format!("annotate namespace {}", self.name)))
    }

    /// Deletes the namespace with all that is in it; does not wait for the end of that.
    pub async fn delete(&self) -> Result<(), Error> {
        let namespaces: Api<Object> = Api::all(self.client());
        let deleted = namespaces.delete(&self.name, &DeleteParams::default()).await;
        deleted.map(drop).map_err(Error::api(format!("delete namespace {}", self.name)))
    }
}
