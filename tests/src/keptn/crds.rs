//! The CRDs of Keptn's group, as small as the stand-in can do with (docs/keptn.md 5).

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Api, Client, ResourceExt};
use tokio::time::timeout;

use super::error::Error;

const PATIENCE: Duration = Duration::from_secs(30);
const MANIFESTS: [(&str, &str); 6] = [
    ("keptnapps.yaml", include_str!("../../keptn/crds/keptnapps.yaml")),
    ("keptnappcontexts.yaml", include_str!("../../keptn/crds/keptnappcontexts.yaml")),
    ("keptnappversions.yaml", include_str!("../../keptn/crds/keptnappversions.yaml")),
    (
        "keptnappcreationrequests.yaml",
        include_str!("../../keptn/crds/keptnappcreationrequests.yaml"),
    ),
    ("keptnworkloads.yaml", include_str!("../../keptn/crds/keptnworkloads.yaml")),
    ("keptnworkloadversions.yaml", include_str!("../../keptn/crds/keptnworkloadversions.yaml")),
];

/// The CRDs.
pub fn crds() -> Result<Vec<CustomResourceDefinition>, Error> {
    MANIFESTS
        .iter()
        .map(|(name, text)| {
            serde_norway::from_str(text)
                .map_err(|source| Error::Manifest { name: (*name).to_owned(), source })
        })
        .collect()
}

/// Puts CRDs into force and waits until they are.
pub async fn install(client: &Client, crds: &[CustomResourceDefinition]) -> Result<(), Error> {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let params = PatchParams::apply("keptn").force();
    for crd in crds {
        let name = crd.name_any();
        api.patch(&name, &params, &Patch::Apply(crd))
            .await
            .map_err(Error::api(format!("apply CRD {name}")))?;
    }
    for crd in crds {
        let name = crd.name_any();
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        match timeout(PATIENCE, established).await {
            Ok(Ok(_)) => {}
            _ => {
                return Err(Error::NotEstablished { name, seconds: PATIENCE.as_secs() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_status_and_v1_is_stored() {
        let crds = crds().unwrap();
        assert_eq!(crds.len(), 6);
        for crd in crds {
            assert_eq!(crd.spec.group, "lifecycle.keptn.sh");
            let stored = crd.spec.versions.iter().find(|version| version.storage).unwrap();
            assert_eq!(stored.name, "v1");
            assert!(stored.subresources.as_ref().unwrap().status.is_some());
        }
    }

    #[test]
    fn contexts_are_served_in_two_versions_with_one_schema() {
        let crds = crds().unwrap();
        let contexts = crds.iter().find(|crd| crd.spec.names.kind == "KeptnAppContext").unwrap();
        let [one, beta] = &contexts.spec.versions[..] else { panic!("two versions") };
        assert_eq!((one.name.as_str(), beta.name.as_str()), ("v1", "v1beta1"));
        assert_eq!(one.schema, beta.schema);
        let spec = &one.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let links =
            &spec.properties.as_ref().unwrap()["spec"].properties.as_ref().unwrap()["spanLinks"];
        assert_eq!(links.type_.as_deref(), Some("array"));
        assert_eq!(links.x_kubernetes_list_type, None);
    }
}
