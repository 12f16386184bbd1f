use hyper::header::{HeaderName, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use proptest::prelude::*;

use super::*;
use crate::export::{grpc, http};

type Headers<'a> = &'a [(&'a str, &'a str)];

fn answer(status: u16, headers: Headers<'_>, body: &[u8]) -> Answer {
    let headers = headers.iter().map(|(name, value)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    });
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.collect(),
        body: Body::Whole(Bytes::copy_from_slice(body)),
        trailers: HeaderMap::new(),
    }
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn partial(rejected_spans: i64, error_message: &str) -> Vec<u8> {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: error_message.into() };
    ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

fn later(seconds: Option<u64>, reason: Reason, message: &str) -> Delivered {
    let (after, message) = (seconds.map(Duration::from_secs), message.to_owned());
    Delivered::Later { after, reason, message }
}

fn refused(message: &str) -> Delivered {
    Delivered::Refused { message: message.to_owned() }
}

#[test]
fn what_is_busy_or_wrongly_set_up_is_tried_again_and_nothing_else() {
    for status in 400..600 {
        let delivered = turned_down(&answer(status, &[], b""));
        let again = matches!(delivered, Delivered::Later { .. });
        assert_eq!(again, [401, 403, 404, 429, 502, 503, 504].contains(&status), "{status}");
        let for_a_day = matches!(delivered, Delivered::Doubtful { .. });
        assert_eq!(for_a_day, !again && status >= 500, "{status}");
    }
}

#[test]
fn a_redirect_loses_nothing() {
    let words = "HTTP 307 Temporary Redirect: redirects are not followed, set the endpoint to \
                 where it leads";
    assert_eq!(
        turned_down(&answer(307, &[("location", "http://x/")], b"")),
        later(None, Reason::Redirect, words)
    );
}

#[test]
fn the_words_of_a_refusal_are_read_from_protobuf_and_from_text() {
    let status = google::Status { message: "bad span".to_owned(), details: vec![] };
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("application/x-protobuf", status.encode_to_vec(), "HTTP 400 Bad Request: bad span"),
        ("text/plain; charset=utf-8", b"no\r\nway\n".to_vec(), "HTTP 400 Bad Request: no  way"),
        ("text/html", b"<h1>Bad Request</h1>".to_vec(), "HTTP 400 Bad Request"),
        ("application/x-protobuf", b"\xff\xff".to_vec(), "HTTP 400 Bad Request"),
    ];
    for (kind, body, expected) in cases {
        let delivered = turned_down(&answer(400, &[("content-type", kind)], &body));
        assert_eq!(delivered, refused(expected), "{kind}");
    }
}

#[test]
fn retry_after_is_in_seconds_or_a_date_that_counts_from_the_answers_own() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let cases: [(Headers<'_>, Option<u64>); 9] = [
        (&[("retry-after", "7")], Some(7)),
        (&[("retry-after", " 7 ")], Some(7)),
        (&[date, ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], Some(60)),
        (&[date, ("retry-after", "Sun, 06 Nov 1994 08:49:36 GMT")], None),
        (&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], None),
        (&[("retry-after", "18446744073709551615")], Some(3600)),
        (&[("retry-after", "99999999999999999999999")], None),
        (&[("retry-after", "-3")], None),
        (&[("retry-after", "0")], None),
    ];
    for (headers, expected) in cases {
        let delivered = turned_down(&answer(503, headers, b""));
        assert_eq!(
            delivered,
            later(expected, Reason::ServerError, "HTTP 503 Service Unavailable"),
            "{headers:?}"
        );
    }
}

#[test]
fn a_partial_success_says_how_many_and_never_more_than_were_sent() {
    let judge =
        |rejected, words| http::judge(&answer(200, &[PROTOBUF], &partial(rejected, words)), 5);
    let partly = |refused| Delivered::Partly { refused, message: "too old".to_owned() };
    assert_eq!(judge(2, "too old"), partly(2));
    assert_eq!(judge(i64::MAX, "too old"), partly(5));
    assert_eq!(judge(0, "use a newer version"), Delivered::Acknowledged);
    assert_eq!(judge(-1, ""), Delivered::Acknowledged);
}

#[test]
fn what_was_taken_is_acknowledged_even_if_the_answer_cannot_be_read() {
    let cases: [(Headers<'_>, &[u8]); 6] = [
        (&[PROTOBUF], b""),
        (&[PROTOBUF], b"\xff\xff\xff"),
        (&[], b""),
        (&[("content-type", "application/json")], b"{}"),
        (&[("content-type", "text/plain")], b"ok"),
        (&[PROTOBUF, ("content-encoding", "br")], b"whatever"),
    ];
    for (headers, body) in cases {
        let delivered = http::judge(&answer(200, headers, body), 1);
        assert_eq!(delivered, Delivered::Acknowledged, "{headers:?}");
    }
    let endless = Answer { body: Body::TooLong, ..answer(200, &[PROTOBUF], b"") };
    assert_eq!(http::judge(&endless, 1), Delivered::Acknowledged);
}

#[test]
fn a_web_page_acknowledges_nothing() {
    let page = answer(200, &[("content-type", "text/html; charset=utf-8")], b"<h1>Log in</h1>");
    let words = "a web page came back: is the endpoint a collector's?";
    assert_eq!(http::judge(&page, 1), later(None, Reason::NotACollector, words));
}

#[test]
fn a_compressed_answer_that_grows_beyond_the_limit_is_not_unpacked() {
    let zeros = vec![0; MESSAGE_LIMIT + 1];
    let bomb = crate::export::encode::compressed(&zeros).unwrap();
    assert!(gunzip(&bomb).is_none());
    let fits = crate::export::encode::compressed(&zeros[1..]).unwrap();
    assert_eq!(gunzip(&fits).unwrap().len(), MESSAGE_LIMIT);
}

#[test]
fn what_a_collector_says_is_one_line_that_moves_no_cursor_and_turns_no_text() {
    assert_eq!(quoted("a\nb\u{1b}[2J\u{202e}c\u{2028}d "), "a b [2J c d");
    assert_eq!(quoted(&"ä".repeat(1000)).len(), 256);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic_or_say_too_much(
        status in 200u16..600,
        headers in prop::collection::vec(
            (prop::sample::select(vec![
                "content-type", "content-encoding", "retry-after", "date",
                "grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding",
            ]), prop_oneof![
                prop::collection::vec(32u8..=255, 0..40).prop_map(|bytes| bytes
                    .into_iter().filter(|byte| *byte != 127).collect()),
                prop::sample::select(vec![
                    "gzip", "application/x-protobuf", "0", "8", "14", "text/plain",
                ]).prop_map(|text| text.as_bytes().to_vec()),
            ]),
            0..8,
        ),
        body in prop::collection::vec(any::<u8>(), 0..80),
        in_trailers in any::<bool>(),
    ) {
        let headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(&value).unwrap())
            })
            .collect();
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            trailers: if in_trailers { headers.clone() } else { HeaderMap::new() },
            headers,
            body: Body::Whole(body.into()),
        };
        for delivered in [http::judge(&answer, 3), grpc::judge(&answer, 3)] {
            match delivered {
                Delivered::Acknowledged => {}
                Delivered::Partly { refused, message } => {
                    prop_assert!((1..=3).contains(&refused) && message.len() <= 256);
                }
                Delivered::Refused { message } | Delivered::Doubtful { message, .. } => {
                    prop_assert!(message.len() <= 512);
                }
                Delivered::Later { after, message, .. } => {
                    prop_assert!(message.len() <= 512);
                    prop_assert!(after.is_none_or(|after| after <= LONGEST_ASKED));
                }
            }
        }
    }
}
