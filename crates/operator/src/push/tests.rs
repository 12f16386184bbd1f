use std::time::Duration;

use clap::Parser;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;

use super::*;
use crate::export::collector::{Collector, Log, Mood};
use crate::export::{MetricsSettings, OtlpArgs};

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    otlp: OtlpArgs,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// The value of a counter or gauge without labels in what the collector took last.
fn value(collector: &Collector, name: &str) -> Option<Value> {
    let request = ExportMetricsServiceRequest::decode(collector.took().pop()?).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let metric = metrics.iter().find(|metric| metric.name == name)?;
    match metric.data.as_ref()? {
        Data::Gauge(gauge) => gauge.data_points[0].value,
        Data::Sum(sum) => sum.data_points[0].value,
        _ => None,
    }
}

fn push(url: &str, variables: &[(&str, &str)]) -> Push {
    let command =
        Command::parse_from(["throughline", "--otlp-metrics", &format!("--otlp-endpoint={url}")]);
    let env = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let settings = MetricsSettings::resolve(&command.otlp, env).unwrap();
    let exporter = MetricsExporter::new(&settings).unwrap().unwrap();
    let metrics = Metrics::new(|| at(100), &crate::dora::WINDOWS);
    Push { exporter, metrics, started: at(0), clock: || at(100) }
}

const OFTEN: (&str, &str) = ("OTEL_METRIC_EXPORT_INTERVAL", "20");
/// Longer than a test lasts.
const NEVER: (&str, &str) = ("OTEL_METRIC_EXPORT_INTERVAL", "600000");

fn errors(push: &Push, error_type: &str) -> u64 {
    let text = push.metrics.text_at(at(100)).unwrap();
    let name = format!(
        "throughline_errors_total{{operation=\"send\",resource=\"metrics\",error_type=\"{error_type}\"}} "
    );
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |it| it.parse().unwrap())
}

#[tokio::test]
async fn metrics_are_pushed_at_each_interval() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let push = push(&url, &[OFTEN]);
    let metrics = push.metrics.clone();
    let pushing = tokio::spawn(push.run(CancellationToken::new()));
    collector.arrival().await;
    metrics.pod_watches((7, 0));
    let seven = async {
        while value(&collector, "throughline.pod_watches") != Some(Value::AsInt(7)) {
            collector.arrival().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seven).await.unwrap();
    pushing.abort();
}

#[tokio::test]
async fn what_was_counted_last_is_pushed_at_the_end() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let push = push(&url, &[NEVER]);
    push.metrics.pod_watches((7, 0));
    let stop = CancellationToken::new();
    stop.cancel();
    push.run(stop).await;
    assert_eq!(collector.asked(), 1);
    assert_eq!(value(&collector, "throughline.pod_watches"), Some(Value::AsInt(7)));
}

#[tokio::test]
async fn a_push_that_hangs_does_not_keep_the_last_one_back() {
    let (collector, url) = Collector::start(Mood::Hangs).await;
    let push = push(&url, &[OFTEN, ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")]);
    let stop = CancellationToken::new();
    let pushing = tokio::spawn(push.run(stop.clone()));
    collector.arrival().await;
    // The one under way is left, and the last one comes through.
    collector.is(Mood::Takes);
    stop.cancel();
    pushing.await.unwrap();
    assert_eq!(collector.asked(), 2);
    assert!(value(&collector, "throughline.pod_watches").is_some());
}

#[tokio::test]
async fn the_last_one_is_given_up_in_time() {
    let (collector, url) = Collector::start(Mood::Hangs).await;
    let push = push(&url, &[NEVER, ("OTEL_EXPORTER_OTLP_TIMEOUT", "100")]);
    let stop = CancellationToken::new();
    stop.cancel();
    push.run(stop).await;
    assert_eq!(collector.asked(), 1);
}

#[tokio::test]
async fn what_does_not_come_through_is_counted_by_what_became_of_it() {
    for (mood, error_type) in [
        (Mood::Refuses, "refused"),
        (Mood::TakesInPart, "refused"),
        (Mood::IsAway, "server_error"),
        (Mood::Hangs, "timeout"),
    ] {
        let (collector, url) = Collector::start(mood).await;
        let push = push(&url, &[NEVER, ("OTEL_EXPORTER_OTLP_TIMEOUT", "300")]);
        assert!(!push.push(Duration::from_mins(1), true).await, "{mood:?}");
        assert_eq!(errors(&push, error_type), 1, "{mood:?}");
        assert_eq!(collector.asked(), 1, "{mood:?}: nothing is sent again");
        collector.is(Mood::Takes);
        assert!(push.push(Duration::from_mins(1), false).await, "{mood:?}");
        assert_eq!(errors(&push, error_type), 1, "{mood:?}");
    }
}

#[tokio::test]
async fn all_requests_of_a_push_together_have_a_time_too() {
    let (_, url) = Collector::start(Mood::Hangs).await;
    let push = push(&url, &[NEVER]);
    assert!(!push.push(Duration::from_millis(100), true).await);
    assert_eq!(errors(&push, "timeout"), 1);
}

#[tokio::test]
async fn many_series_come_through_one_request_after_the_other() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let push = push(&url, &[NEVER]);
    for number in 0..9_000 {
        let seen = format!("cart-{number}");
        push.metrics.failed("read", "rollouts.argoproj.io", seen.leak());
    }
    assert!(push.push(Duration::from_mins(1), true).await);
    assert_eq!(collector.asked(), 2);
    // One who takes nothing is asked once.
    collector.is(Mood::IsAway);
    assert!(!push.push(Duration::from_mins(1), true).await);
    assert_eq!(collector.asked(), 3);
}

#[tokio::test]
async fn a_failure_is_logged_when_it_begins_and_when_it_is_over() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let push = push(&url, &[NEVER]);
    let log = Log::default();
    let _here = tracing::subscriber::set_default(log.subscriber());
    let mut taken = true;
    for mood in [Mood::Takes, Mood::IsAway, Mood::Refuses, Mood::IsAway, Mood::Takes, Mood::Takes] {
        collector.is(mood);
        taken = push.push(Duration::from_mins(1), taken).await;
        assert_eq!(taken, mood == Mood::Takes);
    }
    let text = log.text();
    let lines: Vec<_> = text.lines().collect();
    let [begins, ends] = lines[..] else { panic!("not two lines: {text}") };
    assert!(begins.contains("WARN") && begins.contains("HTTP 503"), "{begins}");
    assert!(ends.contains("metrics come through again"), "{ends}");
}
