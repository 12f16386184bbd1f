use hyper::StatusCode;

use super::*;

fn ended(trailers: &[(&'static str, String)], body: &[u8]) -> Answer {
    let trailers = trailers.iter().map(|(name, value)| {
        (hyper::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    });
    Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Body::Whole(Bytes::copy_from_slice(body)),
        trailers: trailers.collect(),
    }
}

fn code(code: usize) -> Delivered {
    judge(&ended(&[("grpc-status", code.to_string())], b""), 1)
}

fn details(delay: Option<(i64, i32)>) -> String {
    let delay = delay.map(|(seconds, nanos)| google::Duration { seconds, nanos });
    let info = google::RetryInfo { retry_delay: delay }.encode_to_vec();
    let info = google::Any { type_url: RETRY_INFO.to_owned(), value: info };
    let other =
        google::Any { type_url: "type.googleapis.com/google.rpc.Help".to_owned(), value: vec![1] };
    let status = google::Status { message: String::new(), details: vec![other, info] };
    BASE64.encode(status.encode_to_vec())
}

fn exhausted(details: String) -> Delivered {
    let trailers = [("grpc-status", "8".to_owned()), ("grpc-status-details-bin", details)];
    judge(&ended(&trailers, b""), 1)
}

#[test]
fn the_codes_that_are_to_be_tried_again_are_those_of_otlp_and_of_wrong_settings() {
    let again: Vec<_> = (0..CODES.len())
        .filter(|number| matches!(code(*number), Delivered::Later { .. }))
        .map(|number| CODES[number])
        .collect();
    let expected = [
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "PERMISSION_DENIED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    assert_eq!(again, expected);
    assert_eq!(code(0), Delivered::Acknowledged);
    assert_eq!(code(3), Delivered::Refused { message: "gRPC INVALID_ARGUMENT".to_owned() });
    let for_a_day: Vec<_> = (0..CODES.len())
        .filter(|number| matches!(code(*number), Delivered::Doubtful { .. }))
        .map(|number| CODES[number])
        .collect();
    assert_eq!(for_a_day, ["UNKNOWN", "RESOURCE_EXHAUSTED", "INTERNAL"]);
    assert_eq!(code(99), code(2));
}

#[test]
fn an_exhausted_collector_is_asked_for_a_day_unless_it_says_that_it_recovers() {
    let later = |after| {
        let (reason, message) = (Reason::Throttled, "gRPC RESOURCE_EXHAUSTED".to_owned());
        Delivered::Later { after, reason, message }
    };
    let doubtful = Delivered::Doubtful {
        reason: Reason::Throttled,
        message: "gRPC RESOURCE_EXHAUSTED".to_owned(),
    };
    assert_eq!(
        exhausted(details(Some((3, 500_000_000)))),
        later(Some(Duration::from_millis(3500)))
    );
    assert_eq!(
        exhausted(details(Some((i64::MAX, i32::MAX)))),
        later(Some(Duration::from_hours(1)))
    );
    assert_eq!(exhausted(details(Some((-1, -1)))), later(None));
    assert_eq!(exhausted(details(None)), later(None));
    assert_eq!(exhausted(BASE64.encode(b"\xff")), doubtful);
    assert_eq!(exhausted("no base64!".to_owned()), doubtful);
    assert_eq!(exhausted(String::new()), doubtful);
}

#[test]
fn the_padding_of_details_may_be_left_out() {
    let unpadded = details(Some((3, 0)));
    let unpadded = unpadded.trim_end_matches('=').to_owned();
    assert!(matches!(exhausted(unpadded), Delivered::Later { after: Some(_), .. }));
}

#[test]
fn the_words_of_a_status_are_percent_decoded_and_shown_in_one_line() {
    let trailers =
        [("grpc-status", "3".to_owned()), ("grpc-message", "zu gro%C3%9F:%0Aspan%FF".to_owned())];
    let message = "gRPC INVALID_ARGUMENT: zu groß: span\u{fffd}".to_owned();
    assert_eq!(judge(&ended(&trailers, b""), 1), Delivered::Refused { message });
}

#[test]
fn a_message_that_is_not_whole_changes_no_acknowledgement() {
    for body in [&b""[..], b"\0\0\0", b"\0\0\0\0\x09\x01", b"\x01\0\0\0\0", b"\x07\0\0\0\0"] {
        let answer = ended(&[("grpc-status", "0".to_owned())], body);
        assert_eq!(judge(&answer, 1), Delivered::Acknowledged, "{body:?}");
    }
}

#[test]
fn an_answer_that_is_no_grpc_acknowledges_nothing() {
    assert!(matches!(judge(&ended(&[], b""), 1), Delivered::Later { after: None, .. }));
    let proxy = |status| Answer { status, ..ended(&[], b"") };
    let unavailable = judge(&proxy(StatusCode::SERVICE_UNAVAILABLE), 1);
    assert!(matches!(unavailable, Delivered::Later { .. }));
    assert!(matches!(judge(&proxy(StatusCode::GONE), 1), Delivered::Refused { .. }));
}
