//! An operator with components/one-namespace, and what is left where one is deleted.

use std::collections::BTreeSet;

use api::RolloutTrace;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use serde_json::Value;
use throughline_tests::chain::Chains;
use throughline_tests::cluster::{Cluster, Options, User};
use throughline_tests::keptn::Keptn;
use throughline_tests::kustomize::{Overlay, config};
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::shop::{Shop, pause_for, weight};

use super::{rendered, words};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const COMPONENT: &str = "one-namespace";

#[test]
fn nothing_of_it_belongs_to_the_cluster() {
    for components in [&[COMPONENT][..], &["observe-only", COMPONENT], &[COMPONENT, "observe-only"]]
    {
        for object in rendered(Some("shop"), components) {
            let (kind, name) = (words(&object, "/kind"), words(&object, "/metadata/name"));
            assert_eq!(words(&object, "/metadata/namespace"), "shop", "{kind} {name}");
            for subject in object["subjects"].as_array().into_iter().flatten() {
                assert_eq!(words(subject, "/namespace"), "shop", "{kind} {name}");
            }
            if (kind, name) == ("Role", "throughline-link") {
                let empty = object["rules"].as_array().unwrap().is_empty();
                assert_eq!(empty, components.contains(&"observe-only"));
            }
        }
    }
}

/// The user that the operator is in a namespace.
fn account(namespace: &str) -> User {
    User::service_account(namespace, namespace, "throughline")
}

async fn apply(cluster: &Cluster, folder: &std::path::Path) -> Outcome {
    let folder = folder.display().to_string();
    cluster.kubectl(&["apply", "--server-side", "-k", &folder]).await?;
    Ok(())
}

async fn delete(cluster: &Cluster, folder: &std::path::Path) -> Outcome {
    let folder = folder.display().to_string();
    cluster.kubectl(&["delete", "-k", &folder, "--timeout=60s"]).await?;
    Ok(())
}

/// Verb and resource of each rule of the Roles of a namespace.
async fn granted(
    cluster: &Cluster,
    namespace: &str,
) -> Result<BTreeSet<(String, String)>, Box<dyn std::error::Error>> {
    let roles = cluster.kubectl(&["get", "role", "-n", namespace, "-o", "json"]).await?;
    let roles: Value = serde_json::from_str(&roles)?;
    let mut granted = BTreeSet::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for rule in list(&roles["items"]).iter().flat_map(|role| list(&role["rules"])) {
        for resource in list(&rule["resources"]) {
            for verb in list(&rule["verbs"]) {
                granted.insert((words(&verb, "").to_owned(), words(&resource, "").to_owned()));
            }
        }
    }
    Ok(granted)
}

#[tokio::test]
async fn each_of_two_namespaces_has_an_operator_that_asks_for_nothing_outside_of_it() -> Outcome {
    let namespaces = ["billing", "shop"];
    let users = namespaces.map(account).into();
    let options = Options { audit: true, users, ..Options::default() };
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(options)?));
    apply(cluster, &config("crd")).await?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]).await?;
    let _keptn = Keptn::from_env()?.start(cluster).await?;

    let mut installed = Vec::new();
    for name in namespaces {
        let namespace = cluster.namespace_named(name).await?;
        let overlay = Overlay::of_default(Some(name), &[COMPONENT, "network-policy"])?;
        apply(cluster, overlay.folder()).await?;
        let settings = Settings {
            namespace: Some(name.to_owned()),
            user: name.to_owned(),
            flags: ["--links=context".to_owned(), format!("--lease={name}/throughline")].into(),
            ..Settings::default()
        };
        let operator = Operator::start(cluster, &format!("throughline-{name}"), settings).await?;
        installed.push((namespace, overlay, operator));
    }
    for (namespace, _, operator) in &installed {
        operator.ready().await?;
        let chains = Chains::of(namespace, cluster.jaeger());
        let steps = [weight(34), pause_for(1)];
        let first = Shop::new(namespace).rollout("cart").app("shop").version("1.0.0").canary(steps);
        let mut cart = first.apply().await?;
        cart.healthy_at("1.0.0").await?;
        chains.written_ahead("cart", "1.0.0").await?;
        cart.apply_version("2.0.0").await?;
        cart.healthy_at("2.0.0").await?;
        let chain = [
            "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
            "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
        ];
        chains.reads("cart", &chain).await?;
        assert_eq!(operator.ready().await?, "everything is watched\n");
    }

    for name in namespaces {
        let granted = granted(cluster, name).await?;
        let user = account(name).username;
        let requests = cluster.audit()?.requests()?;
        let requests: Vec<_> = requests.into_iter().filter(|it| it.user == user).collect();
        assert!(!requests.is_empty());
        for request in requests {
            // What is no resource has a path, and everybody may read it.
            let discovery = request.resource.starts_with('/');
            assert!(discovery || request.namespace == name, "outside of {name}: {request:?}");
            assert_ne!(request.code, 403, "{request:?}");
            let needed = (request.verb, request.resource);
            assert!(
                discovery || granted.contains(&needed),
                "beyond the Roles of {name}: {needed:?}"
            );
        }
    }

    // Deleted, it takes nothing away that was there before, nor the history.
    for (namespace, overlay, operator) in installed {
        operator.terminate().await?;
        delete(cluster, overlay.folder()).await?;
        let object = Api::<Namespace>::all(namespace.client()).get(namespace.name()).await?;
        let phase = object.status.and_then(|status| status.phase);
        assert_eq!(phase.as_deref(), Some("Active"));
        namespace.api::<RolloutTrace>().get("cart").await?;
    }
    let default = Overlay::of_default(None, &["ha", "flow-control"])?;
    apply(cluster, default.folder()).await?;
    delete(cluster, default.folder()).await?;
    let shop = Api::<RolloutTrace>::namespaced(cluster.client().await?, "shop");
    shop.get("cart").await?;
    Ok(())
}
