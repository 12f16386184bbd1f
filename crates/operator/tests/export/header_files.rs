//! Headers in files that change while the exporter runs.

use operator::export::{Delivered, Exporter, Reason};

use crate::collector::Collector;
use crate::directory::Directory;
use crate::sample::batch;
use crate::{assert_later, exporter, settings};

#[tokio::test]
async fn a_token_that_is_replaced_goes_with_the_next_request() {
    let directory = Directory::new("token");
    let file = directory.write("token", "first\n");
    let collector = Collector::start(vec![]).await;
    let exporter = exporter(&[("ENDPOINT", &collector.url()), ("BEARER_TOKEN_FILE", &file)]);
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
    directory.write("token", "second\n");
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
    let received = collector.received();
    let tokens: Vec<_> = received.iter().map(|it| &it.headers["authorization"]).collect();
    assert_eq!(tokens, ["Bearer first", "Bearer second"]);
    assert_eq!(collector.connections(), 1, "a token that is replaced needs no new connection");
}

#[tokio::test]
async fn headers_of_a_file_win_over_those_of_the_variable_by_key() {
    let directory = Directory::new("headers");
    let file = directory.write("headers", "x-tenant=b%20c\n\nx-more=1,x-last=2\n");
    let collector = Collector::start(vec![]).await;
    for protocol in ["http/protobuf", "grpc"] {
        let exporter = exporter(&[
            ("ENDPOINT", &collector.url()),
            ("PROTOCOL", protocol),
            ("HEADERS", "x-tenant=a,x-own=0"),
            ("HEADERS_FILE", &file),
        ]);
        exporter.deliver(&batch()).await;
    }
    assert_eq!(collector.received().len(), 2);
    for request in collector.received() {
        let headers = ["x-tenant", "x-own", "x-more", "x-last"].map(|key| &request.headers[key]);
        assert_eq!(headers, ["b c", "0", "1", "2"]);
    }
}

#[tokio::test]
async fn a_file_that_goes_keeps_the_spans_back_until_it_is_there_again() {
    let directory = Directory::new("gone");
    let file = directory.write("token", "first");
    let collector = Collector::start(vec![]).await;
    let exporter = exporter(&[("ENDPOINT", &collector.url()), ("BEARER_TOKEN_FILE", &file)]);
    std::fs::remove_file(&file).unwrap();
    let delivered = exporter.deliver(&batch()).await;
    assert_later(&delivered, "OTEL_EXPORTER_OTLP_BEARER_TOKEN_FILE: cannot use");
    assert!(matches!(delivered, Delivered::Later { reason: Reason::File, .. }));
    assert_eq!(collector.connections(), 0, "nothing leaves without its token");
    directory.write("token", "second");
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
}

#[test]
fn files_that_hold_no_headers_stop_the_start_and_nothing_of_them_is_shown() {
    let directory = Directory::new("no-headers");
    let cases = [
        ("BEARER_TOKEN_FILE", "\n", "there is no token in it"),
        ("BEARER_TOKEN_FILE", "hidden\nhidden", "it takes one token in one line"),
        ("HEADERS_FILE", "x=1\nhidden", "entry 2 is not understood"),
        ("HEADERS_FILE", "host=hidden", "the protocol itself sets host"),
    ];
    for (variable, text, expected) in cases {
        let file = directory.write("file", text);
        let settings = settings(&[("ENDPOINT", "http://127.0.0.1:1"), (variable, &file)]);
        let error = Exporter::new(&settings).unwrap_err().to_string();
        assert!(error.starts_with(&format!("OTEL_EXPORTER_OTLP_{variable}")), "{error}");
        assert!(error.contains(expected) && !error.contains("hidden"), "{error}");
    }
}

#[tokio::test]
async fn no_token_shows_in_what_is_logged() {
    let directory = Directory::new("shown");
    let file = directory.write("token", "hidden");
    let exporter = exporter(&[("ENDPOINT", "http://127.0.0.1:1"), ("BEARER_TOKEN_FILE", &file)]);
    let delivered = exporter.deliver(&batch()).await;
    assert!(!format!("{exporter} {exporter:?} {delivered:?}").contains("hidden"));
}
