//! Why nothing was taken: what a person mends in different places is distinguished.

use operator::export::{Delivered, Exporter, Reason};
use tokio::net::TcpListener;

use crate::collector::{Collector, reply, silence};
use crate::exporter;
use crate::sample::batch;

async fn reason(exporter: &Exporter) -> Reason {
    match exporter.deliver(&batch()).await {
        Delivered::Later { reason, .. } => reason,
        other => panic!("{other:?} is not sent again"),
    }
}

#[tokio::test]
async fn what_a_collector_answers_is_distinguished() {
    for (status, expected) in [
        (401, Reason::Unauthorized),
        (403, Reason::Unauthorized),
        (404, Reason::NotFound),
        (307, Reason::Redirect),
        (429, Reason::Throttled),
        (503, Reason::ServerError),
    ] {
        let collector = Collector::start(vec![reply(status, &[], "")]).await;
        let exporter = exporter(&[("ENDPOINT", &collector.url())]);
        assert_eq!(reason(&exporter).await, expected, "HTTP {status}");
    }
}

#[tokio::test]
async fn what_a_collector_answers_over_grpc_is_distinguished() {
    for (status, expected) in [
        ("16", Reason::Unauthorized),
        ("7", Reason::Unauthorized),
        ("12", Reason::NotFound),
        ("14", Reason::ServerError),
    ] {
        let answer = reply(200, &[("grpc-status", status)], "");
        let collector = Collector::start(vec![answer]).await;
        let exporter = exporter(&[("ENDPOINT", &collector.url()), ("PROTOCOL", "grpc")]);
        assert_eq!(reason(&exporter).await, expected, "grpc-status {status}");
    }
}

#[tokio::test]
async fn what_fails_on_the_way_is_distinguished() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for protocol in ["http/protobuf", "grpc"] {
        let to = |endpoint: &str| exporter(&[("ENDPOINT", endpoint), ("PROTOCOL", protocol)]);
        let refused = reason(&to(&format!("http://{free}"))).await;
        assert_eq!(refused, Reason::ConnectionRefused, "{protocol}");
        let unknown = reason(&to("http://collector.invalid:4318")).await;
        assert_eq!(unknown, Reason::Dns, "{protocol}");
        let plain = Collector::start(vec![]).await;
        let in_clear = reason(&to(&format!("https://{}", plain.address))).await;
        assert_eq!(in_clear, Reason::Tls, "{protocol}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout() {
    let collector = Collector::start(vec![silence()]).await;
    let exporter = exporter(&[("ENDPOINT", &collector.url()), ("TIMEOUT", "200")]);
    assert_eq!(reason(&exporter).await, Reason::Timeout);
}
