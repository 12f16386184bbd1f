use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, exemplar};
use prost::Message as _;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// `AGGREGATION_TEMPORALITY_CUMULATIVE`
const CUMULATIVE: i32 = 2;
const STARTED: u64 = 1_800_000_000_000_000_000;
const NOW: u64 = 1_800_000_060_000_000_000;

fn at(nanosecond: u64) -> Timestamp {
    Timestamp::from_nanosecond(nanosecond.into()).unwrap()
}

fn requests(text: String) -> Requests {
    let attributes = vec![("service.name".to_owned(), "throughline".to_owned())];
    Requests::new(text, Resource { attributes, started: at(STARTED) }, at(NOW))
}

fn decoded(request: &Request) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(&*request.message).unwrap()
}

fn metrics_of(request: &Request) -> Vec<Metric> {
    decoded(request).resource_metrics.remove(0).scope_metrics.remove(0).metrics
}

/// What one metric comes to.
fn metric(text: &str) -> Metric {
    let all: Vec<_> = requests(text.to_owned()).map(Result::unwrap).collect();
    let [request] = &all[..] else { panic!("{} requests", all.len()) };
    let [metric] = &metrics_of(request)[..] else { panic!("not one metric") };
    metric.clone()
}

fn data(text: &str) -> Data {
    metric(text).data.unwrap()
}

fn labels(attributes: &[KeyValue]) -> Vec<(&str, &str)> {
    attributes.iter().map(|attribute| (attribute.key.as_str(), text(attribute))).collect()
}

fn text(attribute: &KeyValue) -> &str {
    match &attribute.value.as_ref().unwrap().value {
        Some(Any::StringValue(text)) => text,
        other => panic!("{other:?} is no text"),
    }
}

#[test]
fn a_counter_is_a_monotonic_sum_since_the_start_of_the_process() {
    let metric = metric(
        "# HELP throughline_spans Spans that a collector answered for.\n\
         # TYPE throughline_spans counter\n\
         throughline_spans_total{outcome=\"refused\"} 3\n# EOF\n",
    );
    assert_eq!((&*metric.name, &*metric.unit), ("throughline.spans", ""));
    assert_eq!(metric.description, "Spans that a collector answered for.");
    let Some(Data::Sum(sum)) = metric.data else { panic!("{:?}", metric.data) };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality, CUMULATIVE);
    let [point] = &sum.data_points[..] else { panic!("{:?}", sum.data_points) };
    assert_eq!(point.value, Some(Value::AsInt(3)));
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (STARTED, NOW));
    assert_eq!(labels(&point.attributes), [("outcome", "refused")]);
}

#[test]
fn a_gauge_has_its_unit_beside_its_name_and_no_start() {
    let metric = metric(
        "# HELP throughline_export_lag_seconds Lag.\n# TYPE throughline_export_lag_seconds gauge\n\
         # UNIT throughline_export_lag_seconds seconds\nthroughline_export_lag_seconds 2.5\n# EOF\n",
    );
    assert_eq!((&*metric.name, &*metric.unit), ("throughline.export_lag", "s"));
    let Some(Data::Gauge(gauge)) = metric.data else { panic!("{:?}", metric.data) };
    let [point] = &gauge.data_points[..] else { panic!("{:?}", gauge.data_points) };
    assert_eq!(point.value, Some(Value::AsDouble(2.5)));
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (0, NOW));
}

const HISTOGRAM: &str = "\
# HELP throughline_lead_time_seconds Lead time.
# TYPE throughline_lead_time_seconds histogram
# UNIT throughline_lead_time_seconds seconds
throughline_lead_time_seconds_sum{namespace=\"shop\"} 700.5
throughline_lead_time_seconds_count{namespace=\"shop\"} 5
throughline_lead_time_seconds_bucket{namespace=\"shop\",le=\"60.0\"} 2
throughline_lead_time_seconds_bucket{namespace=\"shop\",le=\"300.0\"} 2
throughline_lead_time_seconds_bucket{namespace=\"shop\",le=\"+Inf\"} 5
throughline_lead_time_seconds_sum{namespace=\"pay\"} 0.0
throughline_lead_time_seconds_count{namespace=\"pay\"} 0
throughline_lead_time_seconds_bucket{namespace=\"pay\",le=\"60.0\"} 0
throughline_lead_time_seconds_bucket{namespace=\"pay\",le=\"300.0\"} 0
throughline_lead_time_seconds_bucket{namespace=\"pay\",le=\"+Inf\"} 0
# EOF
";

#[test]
fn a_histogram_counts_each_bucket_alone_and_does_not_name_the_last_bound() {
    let Data::Histogram(histogram) = data(HISTOGRAM) else { panic!("no histogram") };
    assert_eq!(histogram.aggregation_temporality, CUMULATIVE);
    let [shop, pay] = &histogram.data_points[..] else { panic!("not two points") };
    assert_eq!(labels(&shop.attributes), [("namespace", "shop")]);
    assert_eq!((shop.count, shop.sum), (5, Some(700.5)));
    assert_eq!(shop.explicit_bounds, [60.0, 300.0]);
    assert_eq!(shop.bucket_counts, [2, 0, 3]);
    assert_eq!((shop.start_time_unix_nano, shop.time_unix_nano), (STARTED, NOW));
    assert_eq!(labels(&pay.attributes), [("namespace", "pay")]);
    assert_eq!((pay.count, &pay.bucket_counts[..]), (0, &[0, 0, 0][..]));
}

#[test]
fn the_trace_of_an_exemplar_has_a_field_of_its_own() {
    let text = format!(
        "# HELP throughline_attempts Attempts.\n# TYPE throughline_attempts counter\n\
         throughline_attempts_total 1 # {{trace_id=\"{TRACE}\",step=\"2\"}} 1.0 1800000030.5\n\
         # EOF\n"
    );
    let Data::Sum(sum) = data(&text) else { panic!("no sum") };
    let [exemplar] = &sum.data_points[0].exemplars[..] else { panic!("not one exemplar") };
    assert_eq!(exemplar.trace_id, u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes());
    assert_eq!(labels(&exemplar.filtered_attributes), [("step", "2")]);
    assert_eq!(exemplar.time_unix_nano, 1_800_000_030_500_000_000);
    assert_eq!(exemplar.value, Some(exemplar::Value::AsDouble(1.0)));
}

#[test]
fn an_exemplar_without_a_time_is_of_now_and_one_that_is_no_trace_stays_as_it_is() {
    let text = HISTOGRAM.replace("le=\"60.0\"} 2\n", "le=\"60.0\"} 2 # {trace_id=\"none\"} 50.0\n");
    let Data::Histogram(histogram) = data(&text) else { panic!("no histogram") };
    let [exemplar] = &histogram.data_points[0].exemplars[..] else { panic!("not one exemplar") };
    assert_eq!(exemplar.time_unix_nano, NOW);
    assert_eq!(labels(&exemplar.filtered_attributes), [("trace_id", "none")]);
    assert!(exemplar.trace_id.is_empty());
}

#[test]
fn labels_arrive_as_they_were_before_they_were_written() {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    let nasty = [("a", "x\",le=\"1\"} 5 # {b=\"\\n"), ("b", "line\nfeed\\"), ("c", "")];
    let family = Family::<Vec<(String, String)>, Counter>::default();
    let set = nasty.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    family.get_or_create(&set.collect()).inc();
    let mut registry = prometheus_client::registry::Registry::with_prefix("throughline");
    registry.register("things", "Things", family);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let Data::Sum(sum) = data(&text) else { panic!("no sum") };
    assert_eq!(labels(&sum.data_points[0].attributes), nasty);
}

#[test]
fn a_request_says_whose_metrics_they_are() {
    let request = requests(HISTOGRAM.to_owned()).next().unwrap().unwrap();
    assert_eq!(request.points, 2);
    let metrics = decoded(&request).resource_metrics.remove(0);
    let resource = metrics.resource.unwrap();
    assert_eq!(labels(&resource.attributes), [("service.name", "throughline")]);
    let scope = metrics.scope_metrics[0].scope.clone().unwrap();
    assert_eq!((&*scope.name, &*scope.version), ("throughline", env!("CARGO_PKG_VERSION")));
}

/// A gauge with so many points, after another metric.
fn many(points: usize, padding: &str) -> String {
    use std::fmt::Write as _;
    let mut text = "# HELP throughline_one One.\n# TYPE throughline_one gauge\nthroughline_one 1\n\
                    # HELP throughline_many_seconds Many.\n\
                    # TYPE throughline_many_seconds gauge\n\
                    # UNIT throughline_many_seconds seconds\n"
        .to_owned();
    for number in 0..points {
        let label = format!("rollout=\"r{number}{padding}\"");
        writeln!(text, "throughline_many_seconds{{{label}}} {number}").unwrap();
    }
    text + "# EOF\n"
}

#[test]
fn many_points_are_cut_into_requests_and_each_is_in_one_of_them() {
    let all: Vec<_> = requests(many(20_000, "")).map(Result::unwrap).collect();
    assert_eq!(all.iter().map(|it| it.points).collect::<Vec<_>>(), [8_000, 8_000, 4_001]);
    let mut values = Vec::new();
    for metric in all.iter().flat_map(metrics_of).filter(|it| it.name == "throughline.many") {
        // Each part says again what it is a part of.
        assert_eq!((&*metric.description, &*metric.unit), ("Many.", "s"));
        let Some(Data::Gauge(gauge)) = metric.data else { panic!("no gauge") };
        values.extend(gauge.data_points.into_iter().map(|point| point.value.unwrap()));
    }
    assert_eq!(values, (0..20_000).map(Value::AsInt).collect::<Vec<_>>());
}

#[test]
fn a_request_stays_below_the_limit_of_otlp_however_long_labels_are() {
    let all: Vec<_> = requests(many(10_000, &"x".repeat(2_000))).map(Result::unwrap).collect();
    assert_eq!(all.iter().map(|it| it.points).sum::<u64>(), 10_001);
    for request in all {
        assert!(request.message.len() < crate::export::MESSAGE_LIMIT, "{}", request.message.len());
    }
}

#[test]
fn a_metric_without_points_and_a_text_without_metrics_make_no_request() {
    let text = "# HELP throughline_a A.\n# TYPE throughline_a gauge\n# EOF\n";
    assert_eq!(requests(text.to_owned()).next(), None);
    assert_eq!(requests(String::new()).next(), None);
}

#[test]
fn what_cannot_be_read_is_named_and_ends_it() {
    let bucket = "throughline_lead_time_seconds_bucket{namespace=\"shop\",le=\"300.0\"} ";
    let cases = [
        (
            HISTOGRAM.replace("shop\",le=\"300.0\"} 2", "shop\",le=\"300.0\"} 1"),
            format!("{bucket}1"),
        ),
        (
            HISTOGRAM.replace("shop\",le=\"300.0\"} 2", "shop\",le=\"300.0\"} x"),
            format!("{bucket}x"),
        ),
        ("throughline_a{b=\"c} 1\n".to_owned(), "throughline_a{b=\"c} 1".to_owned()),
        ("throughline_a\n".to_owned(), "throughline_a".to_owned()),
    ];
    for (text, line) in cases {
        let mut requests = requests(text);
        assert_eq!(requests.next(), Some(Err(TextError { line })));
        assert_eq!(requests.next(), None);
    }
}
