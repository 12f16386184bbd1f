//! OTLP over HTTP.

use std::time::Duration;

use axum::body::{Body, Bytes};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use operator::export::{Delivered, Exporter, Reason, encoded};
use prost::Message as _;
use tokio::net::TcpListener;

use crate::collector::{Collector, Reply, reply, silence};
use crate::sample::batch;
use crate::{assert_later, exporter};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn to(collector: &Collector) -> Exporter {
    exporter(&[("ENDPOINT", &collector.url())])
}

async fn delivered(answer: Reply) -> Delivered {
    to(&Collector::start(vec![answer]).await).deliver(&batch()).await
}

fn partial(rejected_spans: i64, error_message: &str) -> Vec<u8> {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: error_message.into() };
    ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

fn later(seconds: u64, reason: Reason, message: &str) -> Delivered {
    let (after, message) = (Some(Duration::from_secs(seconds)), message.to_owned());
    Delivered::Later { after, reason, message }
}

#[tokio::test]
async fn a_batch_is_posted_as_protobuf_to_the_path_of_traces() {
    let collector = Collector::start(vec![reply(200, &[PROTOBUF], "")]).await;
    assert_eq!(to(&collector).deliver(&batch()).await, Delivered::Acknowledged);
    let [request] = &collector.received()[..] else { panic!("not one request") };
    assert_eq!(request.path, "/v1/traces");
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    assert_eq!(request.body, encoded(&batch()));
}

#[tokio::test]
async fn a_batch_without_spans_is_not_sent() {
    let collector = Collector::start(vec![]).await;
    let empty = timeline::spans::Batch { spans: vec![], ..batch() };
    assert_eq!(to(&collector).deliver(&empty).await, Delivered::Acknowledged);
    assert_eq!(collector.connections(), 0);
}

#[tokio::test]
async fn a_batch_beyond_the_limit_of_otlp_is_refused_before_it_is_sent() {
    let collector = Collector::start(vec![]).await;
    let mut batch = batch();
    batch.spans[0].name = "x".repeat(4 << 20);
    let delivered = to(&collector).deliver(&batch).await;
    assert!(matches!(delivered, Delivered::Refused { .. }), "{delivered:?}");
    assert_eq!(collector.connections(), 0);
}

#[tokio::test]
async fn headers_and_compression_arrive_and_a_compressed_answer_is_read() {
    let answer = compressed(&partial(1, "too old"));
    let headers = [PROTOBUF, ("content-encoding", "gzip")];
    let collector = Collector::start(vec![reply(200, &headers, answer)]).await;
    let exporter = exporter(&[
        ("TRACES_ENDPOINT", &format!("{}/in", collector.url())),
        ("HEADERS", "x-tenant=a%20b,authorization=Bearer%20t"),
        ("COMPRESSION", "gzip"),
    ]);
    let partly = Delivered::Partly { refused: 1, message: "too old".to_owned() };
    assert_eq!(exporter.deliver(&batch()).await, partly);
    let [request] = &collector.received()[..] else { panic!("not one request") };
    assert_eq!(request.path, "/in");
    assert_eq!(request.headers["x-tenant"], "a b");
    assert_eq!(request.headers["authorization"], "Bearer t");
    assert_eq!(request.headers["content-encoding"], "gzip");
    assert_eq!(request.message().encode_to_vec(), encoded(&batch()));
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut plain = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut plain, &mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_warning_without_rejected_spans_is_an_acknowledgement() {
    let answer = reply(200, &[PROTOBUF], partial(0, "use a newer version"));
    assert_eq!(delivered(answer).await, Delivered::Acknowledged);
}

#[tokio::test]
async fn a_bad_request_is_never_sent_again() {
    let refused = Delivered::Refused { message: "HTTP 400 Bad Request: no spans".to_owned() };
    assert_eq!(delivered(reply(400, &[("content-type", "text/plain")], "no spans")).await, refused);
}

#[tokio::test]
async fn an_overloaded_collector_says_in_seconds_or_as_a_date_how_long_to_wait() {
    let answer = reply(429, &[("retry-after", "17")], "");
    assert_eq!(delivered(answer).await, later(17, Reason::Throttled, "HTTP 429 Too Many Requests"));
    let dates = [
        ("date", "Sun, 01 Mar 2026 10:00:00 GMT"),
        ("retry-after", "Sun, 01 Mar 2026 10:02:00 GMT"),
    ];
    let answer = reply(503, &dates, "");
    assert_eq!(
        delivered(answer).await,
        later(120, Reason::ServerError, "HTTP 503 Service Unavailable")
    );
    assert_later(&delivered(reply(503, &[], "")).await, "HTTP 503 Service Unavailable");
}

#[tokio::test]
async fn garbage_with_a_good_status_is_an_acknowledgement_and_a_web_page_is_none() {
    let garbage = reply(200, &[PROTOBUF], &b"\xff\xff\xff"[..]);
    assert_eq!(delivered(garbage).await, Delivered::Acknowledged);
    let page = reply(200, &[("content-type", "text/html")], "<h1>Welcome to nginx</h1>");
    assert_later(&delivered(page).await, "a web page came back");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_header_along() {
    let elsewhere = Collector::start(vec![]).await;
    for status in [301, 302, 307, 308] {
        let location = format!("{}/v1/traces", elsewhere.url());
        let answer = reply(status, &[("location", &location)], "");
        assert_later(&delivered(answer).await, "redirects are not followed");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_collector_that_says_nothing_is_given_up_with_its_connection() {
    let collector = Collector::start(vec![silence()]).await;
    let exporter = exporter(&[("ENDPOINT", &collector.url()), ("TIMEOUT", "300")]);
    assert_later(&exporter.deliver(&batch()).await, "within 300ms");
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
    assert_eq!(collector.connections(), 2);
    let [one, other] = &collector.received()[..] else { panic!("not two requests") };
    assert_eq!(one.body, other.body);
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up_in_time() {
    // The pace of the answer is what is tested: always something, and never an end.
    let drip = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"\x0a")), ()))
    });
    let collector = Collector::start(vec![reply(200, &[PROTOBUF], Body::from_stream(drip))]).await;
    let exporter = exporter(&[("ENDPOINT", &collector.url()), ("TIMEOUT", "300")]);
    assert_later(&exporter.deliver(&batch()).await, "within 300ms");
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_up_to_the_limit() {
    let flood =
        futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 65536])));
    let answer = reply(400, &[("content-type", "text/plain")], Body::from_stream(flood));
    let refused = Delivered::Refused { message: "HTTP 400 Bad Request".to_owned() };
    assert_eq!(delivered(answer).await, refused);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let broken = futures::stream::iter([
        Ok(Bytes::from_static(b"\x0a")),
        Err(std::io::Error::other("the collector crashed")),
    ]);
    let answer = reply(200, &[PROTOBUF], Body::from_stream(broken));
    assert_later(&delivered(answer).await, "does not answer");
}

#[tokio::test]
async fn a_collector_that_comes_back_is_found_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let exporter = exporter(&[("ENDPOINT", &format!("http://{free}"))]);
    assert_later(&exporter.deliver(&batch()).await, "Connection refused");
    let collector = Collector::start_at(&free.to_string(), None, vec![]).await;
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
    assert_eq!(collector.received().len(), 1);
}

#[tokio::test]
async fn batches_one_after_another_share_a_connection() {
    let collector = Collector::start(vec![]).await;
    let exporter = to(&collector);
    for _ in 0..3 {
        assert_eq!(exporter.clone().deliver(&batch()).await, Delivered::Acknowledged);
    }
    assert_eq!((collector.received().len(), collector.connections()), (3, 1));
}
