//! What ails an operator.

use axum::Router;
use hyper::StatusCode;
use throughline_tests::attempt::Attempts;
use throughline_tests::cluster::Cluster;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::relay::Relay;
use throughline_tests::shop::{Shop, weight};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Alerts, Grants, Outcome, TENANT};

/// A collector that refuses all that it is sent, for good.
struct Refusal {
    address: String,
    server: JoinHandle<()>,
}

impl Refusal {
    async fn listen() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let refuse = Router::new().fallback(|| async { StatusCode::BAD_REQUEST });
        let server = tokio::spawn(async move {
            // It ends when it is dropped, and then nobody waits for its result.
            let _ = axum::serve(listener, refuse).await;
        });
        Ok(Self { address, server })
    }
}

impl Drop for Refusal {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test]
async fn each_ailment_of_an_operator_fires_its_own_alert_and_the_alert_goes_with_it() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("ailing").await?;
    let grants = Grants::of(cluster, &namespace, &["throughline"]).await?;
    // A role that is older than the operator.
    grants.all_but(&["list", "watch"], "analysisruns").await?;
    let collector = Relay::to(cluster.otlp_http()).await?;
    let endpoint = format!("http://{}", collector.address());
    let flags = ["--otlp-endpoint", &endpoint, "--otlp-protocol", "http/protobuf"];
    let settings = Settings {
        user: TENANT.into(),
        flags: flags.map(str::to_owned).to_vec(),
        ..Settings::default()
    };
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;
    let alerts = Alerts::of(cluster, &namespace, &operator).await?;
    alerts
        .only(
            "ThroughlineWatchBroken",
            &[("severity", "critical"), ("resource", "analysisruns.argoproj.io")],
            "analysisruns.argoproj.io cannot be watched",
        )
        .await?;
    grants.all().await?;
    alerts.none().await?;

    let shop = Shop::new(&namespace);
    let attempts = Attempts::of(&namespace, cluster.jaeger());
    let manifest = shop.rollout("cart").unnamed().version("1.0.0").replicas(2).canary([weight(50)]);
    let mut cart = manifest.apply().await?;
    cart.healthy().await?;
    attempts.delivered("cart", (1, 1)).await?;
    alerts.none().await?;

    collector.close();
    cart.apply_version("2.0.0").await?;
    alerts
        .only("ThroughlineExportBehind", &[("severity", "warning")], "Spans wait for the collector")
        .await?;
    collector.open();
    attempts.delivered("cart", (2, 1)).await?;
    alerts.none().await?;

    grants.all_but(&["create", "update"], "rolloutattempts").await?;
    cart.apply_version("3.0.0").await?;
    alerts
        .only("ThroughlineJournalBehind", &[("severity", "critical")], "Attempts cannot be stored")
        .await?;
    grants.all().await?;
    attempts.delivered("cart", (3, 1)).await?;
    alerts.none().await?;

    operator.kill();
    alerts.only("ThroughlineDown", &[("severity", "critical")], "No operator is scraped").await?;
    operator.resume()?;
    operator.ready().await?;
    let listens = operator.admin().ok_or("the operator serves no metrics")?;
    alerts.admin.lead(&listens.to_string());
    alerts.none().await?;

    // Last, because it looks back an hour.
    alerts.prometheus.await_data("throughline_spans_total{outcome=\"refused\"} == 0").await?;
    let refusal = Refusal::listen().await?;
    collector.close();
    collector.lead(&refusal.address);
    collector.open();
    cart.apply_version("4.0.0").await?;
    alerts
        .only(
            "ThroughlineSpansRefused",
            &[("severity", "warning")],
            "The collector throws spans away",
        )
        .await
}
