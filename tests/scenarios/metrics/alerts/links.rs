//! Links that come too late.

use api::RolloutTrace;
use api::rollout_trace::LinkState;
use serde_json::json;
use throughline_tests::chain::{Chains, newest};
use throughline_tests::cluster::Cluster;
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::shop::{Shop, weight};

use super::{Alerts, Grants, Outcome, TENANT};

#[tokio::test]
async fn a_link_that_was_due_and_is_lost_fires_and_one_that_nobody_wants_does_not() -> Outcome {
    let cluster = Cluster::shared()?;
    Keptn::shared().await?;
    let namespace = cluster.namespace("unlinked").await?;
    let grants = Grants::of(cluster, &namespace, &["throughline", "throughline-link"]).await?;
    grants.all().await?;
    let settings = Settings { user: TENANT.into(), ..Settings::default() };
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;
    let alerts = Alerts::of(cluster, &namespace, &operator).await?;
    let shop = Shop::new(&namespace);
    let chains = Chains::of(&namespace, cluster.jaeger());
    let first = async |name: &str| {
        let rollout = shop.rollout(name).app(name).version("1.0.0").canary([weight(50)]);
        let rollout = rollout.apply().await?;
        rollout.healthy_at("1.0.0").await?;
        Ok::<_, Box<dyn std::error::Error>>(rollout)
    };
    let newest_is = |trace: &RolloutTrace, revision: i64, state: LinkState| {
        newest(trace).is_some_and(|it| (it.revision, it.linked.state) == (revision, state))
    };

    // A person wants to see what would be linked, and no link.
    let observed = json!({
        "apiVersion": "throughline.dev/v1alpha1",
        "kind": "RolloutTrace",
        "metadata": { "name": "seen" },
        "spec": { "mode": "Observe" },
    });
    namespace.apply(&observed.to_string()).await?;
    let mut seen = first("seen").await?;
    let traced = |trace: &RolloutTrace| {
        newest(trace).and_then(|entry| entry.keptn.as_ref()?.traceparent.as_ref()).is_some()
    };
    chains.trace_until("seen", "with a trace of Keptn's", traced).await?;
    seen.apply_version("2.0.0").await?;
    chains
        .trace_until("seen", "without its link", |trace| newest_is(trace, 2, LinkState::Lost))
        .await?;

    let mut cart = first("cart").await?;
    chains.written_ahead("cart", "1.0.0").await?;
    // The next one is linked, but not the one after it.
    grants.all_but(&["create", "patch"], "keptnappcontexts").await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    chains.trace_until("cart", "linked", |trace| newest_is(trace, 2, LinkState::Applied)).await?;
    let linked = "throughline_links_total{result=\"applied\"} == 1";
    alerts.prometheus.await_data(linked).await?;
    alerts.none().await?;
    cart.apply_version("3.0.0").await?;
    chains
        .trace_until("cart", "with a lost link", |trace| newest_is(trace, 3, LinkState::Lost))
        .await?;
    alerts
        .only(
            "ThroughlineLinksLost",
            &[("severity", "warning")],
            "Traces of Keptn lack the link to the attempt before",
        )
        .await
}
