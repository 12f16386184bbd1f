//! OTLP over gRPC, against tonic's server, and against answers that it never gives.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, Version};
use http_body_util::{BodyExt as _, Full};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use operator::export::{Delivered, Exporter, Reason, encoded};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};

use crate::collector::{Collector, Reply, silence};
use crate::sample::{self, batch};
use crate::{assert_later, exporter};

type Answer = Result<ExportTraceServiceResponse, Status>;

#[derive(Clone, Default)]
struct Traces {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    received: Arc<Mutex<Vec<(MetadataMap, ExportTraceServiceRequest)>>>,
}

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.received.lock().unwrap().push((metadata, message));
        let answer = self.answers.lock().unwrap().pop_front();
        answer
            .unwrap_or_else(|| Ok(ExportTraceServiceResponse::default()))
            .map(tonic::Response::new)
    }
}

impl Traces {
    async fn serve(&self, answers: impl IntoIterator<Item = Answer>) -> SocketAddr {
        self.answers.lock().unwrap().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(self.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }

    fn received(&self) -> Vec<(MetadataMap, ExportTraceServiceRequest)> {
        self.received.lock().unwrap().clone()
    }
}

fn to(address: SocketAddr, more: &[(&str, &str)]) -> Exporter {
    let endpoint = format!("http://{address}");
    exporter(&[&[("ENDPOINT", endpoint.as_str()), ("PROTOCOL", "grpc")], more].concat())
}

async fn delivered(answer: Answer) -> Delivered {
    let address = Traces::default().serve([answer]).await;
    to(address, &[]).deliver(&batch()).await
}

/// An answer whose trailers and body are written by hand.
fn raw(body: &'static [u8], trailers: &[(&'static str, &'static str)]) -> Reply {
    let trailers: HeaderMap = trailers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let body = Full::from(body).with_trailers(std::future::ready(Some(Ok(trailers))));
    let response = Response::builder().header("content-type", "application/grpc");
    let response = response.body(Body::new(body)).unwrap();
    Box::new(|| Some(response))
}

async fn to_raw(answer: Reply) -> Delivered {
    let collector = Collector::start(vec![answer]).await;
    to(collector.address, &[]).deliver(&batch()).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// `google.rpc.Status` with a `RetryInfo`, as a server would encode it.
fn exhausted(code: Code, seconds: Option<u8>) -> Status {
    let Some(seconds) = seconds else { return Status::new(code, "busy") };
    let info = [0x0a, 2, 0x08, seconds];
    let kind = b"type.googleapis.com/google.rpc.RetryInfo";
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let any = [&[0x0a, length(kind)], &kind[..], &[0x12, length(&info)], &info].concat();
    let details = [&[0x1a, length(&any)], &any[..]].concat();
    Status::with_details(code, "busy", details.into())
}

#[tokio::test]
async fn ids_times_flags_links_and_status_arrive_as_they_were_made() {
    let traces = Traces::default();
    let address = traces.serve([]).await;
    assert_eq!(to(address, &[]).deliver(&batch()).await, Delivered::Acknowledged);
    let [(_, request)] = &traces.received()[..] else { panic!("not one request") };
    assert_eq!(request.encode_to_vec(), encoded(&batch()));

    let [resource_spans] = &request.resource_spans[..] else { panic!("not one resource") };
    let resource = resource_spans.resource.as_ref().unwrap();
    assert_eq!(resource.attributes[0].key, "service.name");
    let [scope_spans] = &resource_spans.scope_spans[..] else { panic!("not one scope") };
    assert_eq!(scope_spans.scope.as_ref().unwrap().name, "throughline");
    assert!(scope_spans.schema_url.starts_with("https://opentelemetry.io/schemas/1."));
    let [step, root] = &scope_spans.spans[..] else { panic!("not two spans") };

    assert_eq!(
        (hex(&step.trace_id), hex(&step.span_id)),
        (sample::TRACE.into(), sample::STEP.into())
    );
    assert_eq!(hex(&step.parent_span_id), sample::ROOT);
    assert_eq!(hex(&root.parent_span_id), sample::KEPTN);
    assert_eq!((step.flags, root.flags), (0x101, 0x301));
    assert_eq!((step.kind, root.kind), (1, 2));
    assert_eq!(step.start_time_unix_nano, 1_772_359_200_000_000_001);
    assert_eq!(step.end_time_unix_nano, 1_772_359_230_123_456_789);
    assert_eq!(step.events[0].time_unix_nano, 1_772_359_210_000_000_000);
    assert_eq!((&*step.trace_state, &*root.trace_state), ("", ""));
    assert_eq!(step.status, None);
    let status = root.status.as_ref().unwrap();
    assert_eq!((status.code, &*status.message), (2, "ImagePullFailed: cart: not found"));
    let [before, unsampled] = &root.links[..] else { panic!("not two links") };
    assert_eq!((before.flags, unsampled.flags), (0x301, 0x300));
    let to = format!("00-{}-{}-01", hex(&before.trace_id), hex(&before.span_id));
    assert_eq!(to, sample::BEFORE);

    let values: Vec<_> = step
        .attributes
        .iter()
        .map(|attribute| attribute.value.clone().unwrap().value.unwrap())
        .collect();
    assert_eq!(
        values[..3],
        [Value::BoolValue(true), Value::IntValue(-20), Value::DoubleValue(0.5)]
    );
    let Value::ArrayValue(array) = &values[3] else { panic!("{:?} is no array", values[3]) };
    assert_eq!(array.values.len(), 2);
    assert_eq!(values[4], Value::StringValue("ü".to_owned()));
}

#[tokio::test]
async fn headers_and_compression_arrive_and_a_compressed_answer_is_read() {
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".into() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
    let traces = Traces::default();
    let address = traces.serve([Ok(answer)]).await;
    let exporter = to(address, &[("HEADERS", "x-tenant=a%20b"), ("COMPRESSION", "gzip")]);
    let partly = Delivered::Partly { refused: 1, message: "too old".to_owned() };
    assert_eq!(exporter.deliver(&batch()).await, partly);
    let [(metadata, request)] = &traces.received()[..] else { panic!("not one request") };
    assert_eq!(metadata.get("x-tenant").unwrap(), "a b");
    assert_eq!(metadata.get("grpc-encoding").unwrap(), "gzip");
    assert!(metadata.get("user-agent").unwrap().to_str().unwrap().starts_with("throughline/"));
    assert_eq!(request.encode_to_vec(), encoded(&batch()));
}

#[tokio::test]
async fn a_warning_without_rejected_spans_is_an_acknowledgement() {
    let partial = ExportTracePartialSuccess { rejected_spans: 0, error_message: "hm".into() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
    assert_eq!(delivered(Ok(answer)).await, Delivered::Acknowledged);
}

#[tokio::test]
async fn a_refusal_is_never_sent_again() {
    let message = "gRPC INVALID_ARGUMENT: schlechte Spanne: ü".to_owned();
    let answer = Status::invalid_argument("schlechte\nSpanne: ü");
    assert_eq!(delivered(Err(answer)).await, Delivered::Refused { message });
}

#[tokio::test]
async fn an_exhausted_collector_is_in_doubt_unless_it_says_when() {
    let message = "gRPC RESOURCE_EXHAUSTED: busy".to_owned();
    let asked = delivered(Err(exhausted(Code::ResourceExhausted, Some(9)))).await;
    let after = Some(Duration::from_secs(9));
    assert_eq!(
        asked,
        Delivered::Later { after, reason: Reason::Throttled, message: message.clone() }
    );
    let not_asked = delivered(Err(exhausted(Code::ResourceExhausted, None))).await;
    assert_eq!(not_asked, Delivered::Doubtful { reason: Reason::Throttled, message });
}

#[tokio::test]
async fn an_unavailable_collector_is_asked_again_and_heeded_if_it_says_when() {
    let message = "gRPC UNAVAILABLE: busy".to_owned();
    let asked = delivered(Err(exhausted(Code::Unavailable, Some(30)))).await;
    let after = Some(Duration::from_secs(30));
    assert_eq!(asked, Delivered::Later { after, reason: Reason::ServerError, message });
    let not_asked = delivered(Err(exhausted(Code::Unavailable, None))).await;
    assert_later(&not_asked, "gRPC UNAVAILABLE: busy");
}

#[tokio::test]
async fn details_that_are_no_base64_are_passed_over() {
    let trailers = [("grpc-status", "14"), ("grpc-status-details-bin", "!!!")];
    assert_later(&to_raw(raw(b"", &trailers)).await, "gRPC UNAVAILABLE");
}

#[tokio::test]
async fn garbage_with_a_good_status_is_an_acknowledgement() {
    let good = [("grpc-status", "0")];
    assert_eq!(to_raw(raw(b"\0\0\0\0\x03\xff\xff\xff", &good)).await, Delivered::Acknowledged);
    assert_eq!(to_raw(raw(b"", &good)).await, Delivered::Acknowledged);
}

#[tokio::test]
async fn an_answer_without_a_status_is_no_acknowledgement() {
    assert_later(&to_raw(raw(b"\0\0\0\0\0", &[])).await, "an answer without grpc-status");
    let gateway = crate::collector::reply(502, &[], "");
    assert_later(&to_raw(gateway).await, "HTTP 502 Bad Gateway");
}

#[tokio::test]
async fn a_collector_that_says_nothing_is_given_up_with_its_connection() {
    let acknowledged = || raw(b"\0\0\0\0\0", &[("grpc-status", "0")]);
    let collector = Collector::start(vec![silence(), acknowledged(), acknowledged()]).await;
    let exporter = to(collector.address, &[("TIMEOUT", "300")]);
    assert_later(&exporter.deliver(&batch()).await, "within 300ms");
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
    assert_eq!(collector.connections(), 2);
    let received = collector.received();
    assert!(received.iter().all(|request| request.version == Version::HTTP_2));
    assert!(received.iter().all(|request| request.body == received[0].body));
    assert_eq!(received[0].headers["te"], "trailers");
}

#[tokio::test]
async fn a_collector_that_comes_back_is_found_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let exporter = to(free, &[]);
    assert_later(&exporter.deliver(&batch()).await, "Connection refused");
    let answer = raw(b"", &[("grpc-status", "0")]);
    let _collector = Collector::start_at(&free.to_string(), None, vec![answer]).await;
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
}

#[tokio::test]
async fn one_who_speaks_the_other_protocol_loses_nothing() {
    // A server of gRPC alone does not understand HTTP/1.
    let address = Traces::default().serve([]).await;
    let over_http = exporter(&[("ENDPOINT", &format!("http://{address}"))]);
    let delivered = over_http.deliver(&batch()).await;
    assert!(matches!(delivered, Delivered::Later { .. }), "{delivered:?}");
    // A collector's port of HTTP does not know the method.
    let collector = Collector::start(vec![]).await;
    assert_later(&to(collector.address, &[]).deliver(&batch()).await, "without grpc-status");
}
