//! Each alert on a cluster, with a Prometheus that scrapes an operator: it fires for a real cause,
//! in words for a person, and for no other; it goes with its cause. `ThroughlineRolloutFailed` is
//! in [`super::scraped`].

mod changes;
mod links;
mod operator;
mod shortened;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use throughline_tests::cluster::{Cluster, Namespace};
use throughline_tests::operator::install;
use throughline_tests::prometheus::{Alert, Prometheus};
use throughline_tests::relay::Relay;

pub(crate) use crate::attempts::Outcome;

/// Whom operators run as whose permissions change.
const TENANT: &str = "tenant";

/// What a Prometheus makes of an operator. It scrapes by a way of its own, so that the operator may
/// come back at another port, and does not wait as long as the shipped rules do.
struct Alerts {
    prometheus: Prometheus,
    /// The way to the operator.
    admin: Relay,
}

impl Alerts {
    async fn of(
        cluster: &Cluster,
        namespace: &Namespace,
        operator: &throughline_tests::operator::Operator,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let listens = operator.admin().ok_or("the operator serves no metrics")?;
        let admin = Relay::to(&listens.to_string()).await?;
        let rules = cluster.dir().join(format!("rules-{}.yaml", namespace.name()));
        std::fs::write(&rules, shortened::rules().to_string())?;
        let name = format!("prometheus-{}", namespace.name());
        let prometheus = Prometheus::start(cluster, &name, admin.socket(), &[rules]).await?;
        prometheus.await_data("throughline_rollouts").await?;
        Ok(Self { prometheus, admin })
    }

    /// Waits until these alerts fire and no other.
    async fn are(&self, names: &[&str]) -> Result<Vec<Alert>, Box<dyn std::error::Error>> {
        let are = |all: &[Alert]| {
            let mut firing: Vec<_> = all.iter().filter(|it| it.state == "firing").collect();
            firing.sort_by_key(|alert| alert.labels.get("alertname"));
            firing.len() == names.len()
                && firing.iter().zip(names).all(|(alert, name)| alert.fires(name))
        };
        let condition = format!("of which {names:?} fire");
        let mut alerts = self.prometheus.await_alerts(&condition, are).await?;
        alerts.retain(|alert| alert.state == "firing");
        Ok(alerts)
    }

    /// Waits until one alert fires, and no other, with these labels and this summary.
    async fn only(&self, name: &str, labels: &[(&str, &str)], summary: &str) -> Outcome {
        let alerts = self.are(&[name]).await?;
        says(&alerts, name, labels, summary);
        Ok(())
    }

    /// Waits until nothing fires.
    async fn none(&self) -> Outcome {
        self.are(&[]).await?;
        Ok(())
    }
}

fn says(alerts: &[Alert], name: &str, labels: &[(&str, &str)], summary: &str) {
    let alert = alerts.iter().find(|alert| alert.fires(name)).expect(name);
    let own = [("alertname", name)];
    let labels = labels.iter().chain(&own);
    let labels: BTreeMap<_, _> = labels.map(|(k, v)| ((*k).into(), (*v).into())).collect();
    assert_eq!(alert.labels, labels);
    assert_eq!(alert.annotations["summary"], summary);
    let description = &alert.annotations["description"];
    assert!(!description.contains("error") && !description.contains("no value"), "{description}");
}

/// Grants an operator that runs as [`TENANT`] what the shipped roles grant, but in one namespace
/// only and without what is left out.
struct Grants<'a> {
    namespace: &'a Namespace,
    shipped: Vec<Value>,
}

impl<'a> Grants<'a> {
    async fn of(
        cluster: &'static Cluster,
        namespace: &'a Namespace,
        roles: &[&str],
    ) -> Result<Self, Box<dyn std::error::Error>> {
        install(cluster).await?;
        let mut shipped = Vec::new();
        for role in roles {
            let role = cluster.kubectl(&["get", "clusterrole", role, "-o", "json"]).await?;
            let role: Value = serde_json::from_str(&role)?;
            shipped.extend(super::list(&role, "/rules").to_vec());
        }
        Ok(Self { namespace, shipped })
    }

    /// From now on all of it but these verbs on this resource.
    async fn all_but(&self, verbs: &[&str], resource: &str) -> Outcome {
        let mut rules = self.shipped.clone();
        let mut more = Vec::new();
        for rule in &mut rules {
            if let Some(resources) = rule["resources"].as_array_mut()
                && let Some(at) = resources.iter().position(|it| it == resource)
            {
                let taken = resources.remove(at);
                let mut rest = rule.clone();
                rest["resources"] = json!([taken]);
                if let Some(granted) = rest["verbs"].as_array_mut() {
                    granted.retain(|verb| !verbs.iter().any(|taken| verb == taken));
                }
                more.push(rest);
            }
        }
        assert!(resource.is_empty() || !more.is_empty(), "nothing is granted on {resource}");
        rules.extend(more);
        rules.retain(|rule| {
            ["resources", "verbs"]
                .iter()
                .all(|key| !super::list(rule, &format!("/{key}")).is_empty())
        });
        let group = "rbac.authorization.k8s.io";
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": { "name": "throughline" },
            "rules": rules,
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": { "name": "throughline" },
            "roleRef": { "apiGroup": group, "kind": "Role", "name": "throughline" },
            "subjects": [{ "apiGroup": group, "kind": "User", "name": TENANT }],
        });
        Ok(self.namespace.apply(&format!("{role}\n---\n{binding}")).await?)
    }

    /// From now on all of it.
    async fn all(&self) -> Outcome {
        self.all_but(&[], "").await
    }
}
