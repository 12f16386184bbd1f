//! Metrics over both protocols.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use operator::export::metrics::{MetricsExporter, Request, Requests, Resource};
use operator::export::{Delivered, MetricsSettings, OtlpArgs};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::assert_later;
use crate::collector::{Collector, reply, silence};

const TEXT: &str = "\
# HELP throughline_rollouts Rollouts.
# TYPE throughline_rollouts gauge
throughline_rollouts 3.0
# HELP throughline_spans Spans.
# TYPE throughline_spans counter
throughline_spans_total{outcome=\"acknowledged\"} 5
throughline_spans_total{outcome=\"refused\"} 1
# EOF
";

/// An exporter that is asked for by its endpoint; `TIMEOUT` of `OTEL_EXPORTER_OTLP_METRICS_TIMEOUT`
/// and so on.
fn exporter(variables: &[(&str, &str)]) -> MetricsExporter {
    let env = |name: &str| {
        let suffix = name.strip_prefix("OTEL_EXPORTER_OTLP_METRICS_")?;
        let found = variables.iter().find(|(variable, _)| *variable == suffix);
        found.map(|(_, value)| (*value).to_owned())
    };
    let settings = MetricsSettings::resolve(&OtlpArgs::default(), env).unwrap();
    MetricsExporter::new(&settings).unwrap().unwrap()
}

fn over_http(collector: &Collector, more: &[(&str, &str)]) -> MetricsExporter {
    let endpoint = format!("{}/v1/metrics", collector.url());
    exporter(&[&[("ENDPOINT", endpoint.as_str())], more].concat())
}

fn request() -> Request {
    let at = |second: &str| format!("2026-11-21T12:00:{second}Z").parse().unwrap();
    let attributes = vec![("service.name".to_owned(), "throughline".to_owned())];
    let resource = Resource { attributes, started: at("00") };
    let mut requests = Requests::new(TEXT.to_owned(), resource, at("30"));
    let request = requests.next().unwrap().unwrap();
    assert_eq!((requests.next(), request.points), (None, 3));
    request
}

fn in_part(rejected_data_points: i64) -> ExportMetricsServiceResponse {
    let error_message = "too old".to_owned();
    let partial = ExportMetricsPartialSuccess { rejected_data_points, error_message };
    ExportMetricsServiceResponse { partial_success: Some(partial) }
}

fn partly(refused: u64) -> Delivered {
    Delivered::Partly { refused, message: "too old".to_owned() }
}

#[tokio::test]
async fn metrics_are_posted_as_protobuf_to_the_path_of_metrics() {
    let collector = Collector::start(vec![]).await;
    let exporter = over_http(&collector, &[("HEADERS", "x-tenant=a")]);
    assert_eq!(exporter.deliver(request()).await, Delivered::Acknowledged);
    let [received] = &collector.received()[..] else { panic!("not one request") };
    assert_eq!(received.path, "/v1/metrics");
    assert_eq!(received.headers["content-type"], "application/x-protobuf");
    assert_eq!(received.headers["x-tenant"], "a");
    assert_eq!(received.body, request().message);
}

#[tokio::test]
async fn compressed_metrics_are_the_same_metrics() {
    let collector = Collector::start(vec![]).await;
    let exporter = over_http(&collector, &[("COMPRESSION", "gzip")]);
    assert_eq!(exporter.deliver(request()).await, Delivered::Acknowledged);
    let [received] = &collector.received()[..] else { panic!("not one request") };
    assert_eq!(received.headers["content-encoding"], "gzip");
    assert_eq!(received.plain(), request().message);
}

#[tokio::test]
async fn points_that_were_thrown_away_are_counted_and_never_more_than_were_sent() {
    for (rejected, refused) in [(2, 2), (100, 3)] {
        let body = Bytes::from(in_part(rejected).encode_to_vec());
        let answer = reply(200, &[("content-type", "application/x-protobuf")], body);
        let collector = Collector::start(vec![answer]).await;
        let delivered = over_http(&collector, &[]).deliver(request()).await;
        assert_eq!(delivered, partly(refused));
    }
}

#[tokio::test]
async fn a_backend_without_metrics_a_busy_one_and_one_that_hangs_take_nothing() {
    let replies = vec![reply(404, &[], ""), reply(503, &[], ""), silence()];
    let collector = Collector::start(replies).await;
    let exporter = over_http(&collector, &[("TIMEOUT", "300")]);
    for words in ["HTTP 404", "HTTP 503", "within 300ms"] {
        assert_later(&exporter.deliver(request()).await, words);
    }
    assert_eq!(exporter.deliver(request()).await, Delivered::Acknowledged);
}

#[derive(Clone, Default)]
struct Metrics {
    received: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

#[tonic::async_trait]
impl MetricsService for Metrics {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        let mut received = self.received.lock().unwrap();
        received.push(request.into_inner());
        match received.len() {
            1 => Ok(tonic::Response::new(ExportMetricsServiceResponse::default())),
            2 => Ok(tonic::Response::new(in_part(1))),
            3 => Err(Status::invalid_argument("no")),
            _ => Err(Status::unavailable("busy")),
        }
    }
}

#[tokio::test]
async fn metrics_arrive_over_grpc_and_its_answers_are_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = Metrics::default();
    let service = MetricsServiceServer::new(metrics.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let server = Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let endpoint = format!("http://{address}");
    let exporter =
        exporter(&[("ENDPOINT", &endpoint), ("PROTOCOL", "grpc"), ("COMPRESSION", "gzip")]);
    assert_eq!(exporter.deliver(request()).await, Delivered::Acknowledged);
    assert_eq!(exporter.deliver(request()).await, partly(1));
    let message = "gRPC INVALID_ARGUMENT: no".to_owned();
    assert_eq!(exporter.deliver(request()).await, Delivered::Refused { message });
    assert_later(&exporter.deliver(request()).await, "gRPC UNAVAILABLE: busy");
    let received = metrics.received.lock().unwrap();
    assert!(received.iter().all(|it| it.encode_to_vec() == request().message));
}

#[test]
fn how_it_is_sent_is_shown_without_secrets() {
    let exporter = exporter(&[
        ("ENDPOINT", "http://c:4318/v1/metrics?key=hidden"),
        ("HEADERS", "token=hidden"),
    ]);
    let shown = exporter.to_string();
    assert_eq!(shown, "http://c:4318/v1/metrics by http/protobuf every 60s");
}
