//! A real Prometheus takes metrics by OTLP: they are the same series, by the same names, as those
//! that are served.

use std::collections::BTreeMap;

use throughline_tests::attempt::Attempts;
use throughline_tests::cluster::Cluster;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::prometheus::{Prometheus, Sample};
use throughline_tests::shop::{Shop, pause_for, weight};
use timeline::base::Phase;

use crate::attempts::Outcome;

const INSTANCE: &str = "throughline-5f7d8c-x2x9q";

/// Name and labels of a series.
type Series = (String, BTreeMap<String, String>);

/// An operator that pushes to this endpoint this often, and sends its spans elsewhere.
fn pushing(endpoint: &str, milliseconds: &str) -> Settings {
    let variables = [
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", milliseconds),
        ("HOSTNAME", INSTANCE),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Settings { variables: variables.into(), ..Settings::default() }
}

/// A bound is a number, however it is written; an empty label is none.
fn series(name: &str, labels: impl Iterator<Item = (String, String)>) -> Series {
    let labels = labels.filter(|(_, value)| !value.is_empty());
    let same = |(name, value): (String, String)| {
        let bound = if name == "le" { value.parse::<f64>().ok() } else { None };
        (name, bound.map_or(value, |bound| bound.to_string()))
    };
    (name.to_owned(), labels.map(same).collect())
}

/// The series that an operator serves.
fn served(text: &str) -> BTreeMap<Series, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (of, value) = line.split(" # ").next().unwrap().rsplit_once(' ').unwrap();
        let (name, labels) = of.split_once('{').unwrap_or((of, "}"));
        let labels = labels.trim_end_matches('}').split_terminator("\",").map(|label| {
            let (name, value) = label.split_once("=\"").unwrap();
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        });
        (series(name, labels), value.parse().unwrap())
    };
    samples.map(sample).collect()
}

/// The series that were pushed, without the labels that say by whom.
fn pushed(samples: Vec<Sample>) -> BTreeMap<Series, f64> {
    let sample = |mut sample: Sample| {
        let value = sample.value().unwrap();
        let name = sample.labels.remove("__name__").unwrap();
        assert_eq!(sample.labels.remove("job").as_deref(), Some("throughline"));
        assert_eq!(sample.labels.remove("instance").as_deref(), Some(INSTANCE));
        (series(&name, sample.labels.into_iter()), value)
    };
    samples.into_iter().map(sample).collect()
}

/// Each series that only one of them has, or has with another value.
fn differences(served: &BTreeMap<Series, f64>, pushed: &BTreeMap<Series, f64>) -> Vec<String> {
    let differs = |series: &&Series| served.get(*series) != pushed.get(*series);
    let mut all: Vec<_> = served.keys().chain(pushed.keys()).filter(differs).collect();
    all.dedup();
    let line = |it: &Series| format!("{it:?}: {:?} {:?}", served.get(it), pushed.get(it));
    all.into_iter().map(line).collect()
}

#[tokio::test]
async fn a_prometheus_has_by_otlp_what_it_would_have_scraped() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("pushed").await?;
    let name = format!("prometheus-{}", namespace.name());
    let prometheus = Prometheus::receiver(cluster, &name).await?;
    let settings = pushing(&prometheus.otlp(), "200");
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;

    // One that goes live, with a lead time, and one that does not.
    let shop = Shop::new(&namespace);
    let attempts = Attempts::of(&namespace, cluster.jaeger());
    let steps = [weight(50), pause_for(1)];
    let manifest = shop.rollout("cart").unnamed().version("1.0.0").replicas(2).canary(steps);
    let mut cart = manifest.apply().await?;
    cart.healthy().await?;
    attempts.delivered("cart", (1, 1)).await?;
    cart.change(|it| {
        it.version("2.0.0")
            .annotation("throughline.dev/commit", "aaaaaaaaaaaa")
            .annotation("throughline.dev/commit-time", "2026-01-02T03:04:05Z")
    })
    .await?;
    cart.healthy_at("2.0.0").await?;
    let promoted = attempts.delivered("cart", (2, 1)).await?;
    assert_eq!(promoted.journal.phase, Phase::Promoted);

    for query in [
        "throughline_attempts_total{rollout=\"cart\",outcome=\"promoted\"} == 2",
        "throughline_attempt_duration_seconds_count{outcome=\"promoted\"} == 2",
        "throughline_lead_time_seconds_bucket{le=\"+Inf\"} == 1",
        "throughline_dora_deployments{window=\"7d\"} == 1",
        "throughline_rollouts == 1",
    ] {
        prometheus.await_data(query).await?;
    }
    prometheus
        .await_same("the same, served and pushed", async || {
            let (_, text) = operator.get("metrics").await.unwrap_or_default();
            let found = prometheus.query("{__name__=~\"throughline_.+\"}").await?;
            Ok(differences(&served(&text), &pushed(found)))
        })
        .await?;

    // From the count to the trace, and from a bucket.
    let (trace, _) = promoted.root().ok_or("an attempt without a trace")?;
    for name in ["throughline_attempts_total", "throughline_attempt_duration_seconds_bucket"] {
        let exemplars = prometheus.exemplars(name).await?;
        let leads = exemplars.iter().any(|it| it.labels.get("trace_id") == Some(&trace));
        assert!(leads, "{name}: {exemplars:?} do not lead to {trace}");
    }
    Ok(())
}

#[tokio::test]
async fn what_an_operator_counted_last_is_there_after_its_end() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("pushed-last").await?;
    let name = format!("prometheus-{}", namespace.name());
    let prometheus = Prometheus::receiver(cluster, &name).await?;
    // It ends long before the first interval does.
    let settings = pushing(&prometheus.otlp(), "600000");
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;
    assert_eq!(prometheus.query("throughline_rollouts").await?, []);
    operator.terminate().await?;
    assert!(!prometheus.query("throughline_watch_events_total > 0").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_collector_of_metrics_that_hangs_holds_up_neither_spans_nor_the_end() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("pushed-hanging").await?;
    // Connections wait here for ever.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}/v1/metrics", nobody.local_addr()?);
    let settings = pushing(&endpoint, "100");
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;

    let shop = Shop::new(&namespace);
    let attempts = Attempts::of(&namespace, cluster.jaeger());
    let mut cart = shop.rollout("cart").unnamed().version("1.0.0").apply().await?;
    cart.healthy().await?;
    attempts.delivered("cart", (1, 1)).await?;
    let failed = "operation=\"send\",resource=\"metrics\",error_type=\"timeout\"";
    operator.await_metric("throughline_errors_total", failed).await?;
    cart.apply_version("2.0.0").await?;
    attempts.delivered("cart", (2, 1)).await?;
    operator.terminate().await?;
    Ok(())
}
