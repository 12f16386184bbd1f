//! A real Prometheus scrapes the operator: every panel finds data, and an alert fires when it should.

use throughline_tests::attempt::Attempts;
use throughline_tests::cluster::Cluster;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::prometheus::{Prometheus, Sample};
use throughline_tests::relay::Relay;
use throughline_tests::shop::{Gauge, Shop, analysis, pause_for, weight};
use timeline::base::Phase;

use super::dashboards::{Query, queries};
use super::{read, root};
use crate::attempts::Outcome;

const FAILED: &str = "ThroughlineRolloutFailed";

fn is_number(sample: &Sample) -> bool {
    sample.value().is_some_and(f64::is_finite)
}

/// Whether a query is about what the ledger says. Its gauges are served where they are documented.
fn asks_the_ledger(query: &Query) -> bool {
    ["throughline_dora_", "throughline_lead_time_", "throughline_recovery_"]
        .iter()
        .any(|name| query.expr.contains(name))
}

#[tokio::test]
async fn every_panel_finds_data_and_a_failed_rollout_fires() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("scraped").await?;
    let relay = Relay::to(cluster.otlp_grpc()).await?;
    let settings = Settings { collector: Some(relay.address()), ..Settings::default() };
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;
    let admin = operator.admin().ok_or("the operator serves no metrics")?;
    let rules = [root().join("config/components/alerts/rules.yaml")];
    let name = format!("prometheus-{}", namespace.name());
    let prometheus = Prometheus::start(cluster, &name, admin, &rules).await?;
    prometheus.await_data("throughline_rollouts").await?;

    let shop = Shop::new(&namespace);
    let attempts = Attempts::of(&namespace, cluster.jaeger());
    let gauge = Gauge::show(0.99).await?;
    shop.analysis_template("rate", &gauge.metric().count(1)).await?;
    let steps = [weight(50), pause_for(1), analysis("rate")];
    let manifest = shop.rollout("cart").unnamed().version("1.0.0").replicas(2).canary(steps);
    let manifest = manifest.label("team", "checkout");
    let mut cart = manifest.apply().await?;
    cart.healthy().await?;
    attempts.delivered("cart", (1, 1)).await?;

    // Two that go live, the first of them while nobody takes its spans.
    relay.close();
    let with_commit = |version: &'static str, digits: &'static str| {
        move |it: throughline_tests::shop::Manifest| {
            it.version(version)
                .annotation("throughline.dev/commit", digits)
                .annotation("throughline.dev/commit-time", "2026-01-02T03:04:05Z")
        }
    };
    cart.change(with_commit("2.0.0", "aaaaaaaaaaaa")).await?;
    cart.healthy_at("2.0.0").await?;
    let failed = "throughline_errors_total{operation=\"send\"}";
    prometheus.await_data(failed).await?;
    relay.open();
    attempts.delivered("cart", (2, 1)).await?;
    cart.change(with_commit("3.0.0", "bbbbbbbbbbbb")).await?;
    cart.healthy_at("3.0.0").await?;
    attempts.delivered("cart", (3, 1)).await?;
    prometheus.await_data("throughline_attempts_total{outcome=\"promoted\"} == 3").await?;
    let alerts = prometheus.alerts().await?;
    assert!(!alerts.iter().any(|alert| alert.fires(FAILED)), "{alerts:?}");

    // And two that do not.
    gauge.set(0.5);
    for (revision, version) in [(4, "4.0.0"), (5, "5.0.0")] {
        cart.apply_version(version).await?;
        let aborted = attempts.delivered("cart", (revision, 1)).await?;
        assert_eq!(aborted.journal.phase, Phase::Aborted);
        let (trace, _) = aborted.root().ok_or("an attempt without a trace")?;
        let alerts = prometheus
            .await_alerts("a failed Rollout", |all| all.iter().any(|alert| alert.fires(FAILED)))
            .await?;
        let alert = alerts.iter().find(|alert| alert.fires(FAILED)).ok_or("no alert")?;
        assert_eq!(alert.labels["namespace"], namespace.name());
        assert_eq!(alert.labels["rollout"], "cart");
        let summary = format!("Rollout {}/cart failed", namespace.name());
        assert_eq!(alert.annotations["summary"], summary);
        let others = alerts.iter().filter(|alert| !alert.fires(FAILED) && alert.state == "firing");
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&_>::new());
        // From the count to the trace.
        let count =
            format!("throughline_attempts_total{{outcome=\"aborted\"}} == {}", revision - 3);
        prometheus.await_data(&count).await?;
        let exemplars = prometheus.exemplars("throughline_attempts_total").await?;
        let leads = exemplars.iter().any(|it| it.labels.get("trace_id") == Some(&trace));
        assert!(leads, "{exemplars:?} do not lead to {trace}");
    }

    let ledger = read("docs/dora.md").contains("throughline_dora_deployments");
    for query in queries("checkout", namespace.name(), "cart") {
        if ledger || !asks_the_ledger(&query) {
            let Query { panel, expr } = query;
            let found = prometheus.await_data(&expr).await;
            let found = found.map_err(|error| format!("{panel}: {error}"))?;
            assert!(found.iter().any(is_number), "{panel}: {expr} finds no number: {found:?}");
        }
    }
    Ok(())
}
