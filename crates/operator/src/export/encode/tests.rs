use proptest::prelude::*;
use timeline::base::{SpanId, TraceId};

use super::*;

fn span(start: i64, end: i64) -> timeline::spans::Span {
    timeline::spans::Span {
        trace: TraceId::ONES,
        id: SpanId::ONES,
        parent: None,
        name: "pause".to_owned(),
        kind: SpanKind::Internal,
        start: Timestamp::from_second(start).unwrap(),
        end: Timestamp::from_second(end).unwrap(),
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        error: None,
        closed: 1,
    }
}

fn batch(spans: Vec<timeline::spans::Span>) -> Batch {
    let attribute = |key, value: &str| Attribute { key, value: Value::Text(value.to_owned()) };
    Batch {
        resource: vec![attribute("service.name", "cart"), attribute("service.version", "4.0.0")],
        spans,
    }
}

fn extra(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn resource_of(batch: &Batch, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let attributes = resource(batch, &extra(pairs)).into_iter();
    attributes
        .map(|attribute| match attribute.value.and_then(|value| value.value) {
            Some(Any::StringValue(value)) => (attribute.key, value),
            other => panic!("{other:?} is no text"),
        })
        .collect()
}

#[test]
fn what_the_batch_says_of_the_service_wins_over_the_environment() {
    let pairs = [("deployment.environment.name", "prod"), ("service.name", "throughline")];
    let expected = extra(&[
        ("deployment.environment.name", "prod"),
        ("service.name", "cart"),
        ("service.version", "4.0.0"),
    ]);
    assert_eq!(resource_of(&batch(vec![]), &pairs), expected);
}

#[test]
fn times_that_otlp_cannot_say_are_the_first_or_the_last_that_it_can() {
    let request = request(&batch(vec![span(-1, 253_402_207_200)]), &[]);
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.start_time_unix_nano, 0);
    assert_eq!(span.end_time_unix_nano, 9_223_372_036_854_775_807);
}

#[test]
fn a_span_that_took_no_time_has_the_least_that_backends_take() {
    let request = request(&batch(vec![span(5, 5), span(5, 6)]), &[]);
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let took = |index: usize| spans[index].end_time_unix_nano - spans[index].start_time_unix_nano;
    assert_eq!((took(0), took(1)), (1, 1_000_000_000));
}

#[test]
fn the_scope_has_the_number_of_a_schema_and_not_of_a_release() {
    let request = request(&batch(vec![span(1, 2)]), &[]);
    let scope = request.resource_spans[0].scope_spans[0].scope.clone().unwrap();
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("throughline", "1"));
}

/// What stands in backends already: if this changes, so must the version of the scope.
#[test]
fn the_bytes_of_a_span_are_these() {
    let bytes = encoded(&batch(vec![span(1, 2)]));
    let mut checksum = flate2::Crc::new();
    checksum.update(&bytes);
    assert_eq!((bytes.len(), checksum.sum()), (222, 2_454_122_588));
}

proptest! {
    #[test]
    fn the_same_batch_is_always_the_same_bytes_plain_and_compressed(
        times in prop::collection::vec((any::<u32>(), any::<u32>()), 1..8),
    ) {
        let spans = |times: &[(u32, u32)]| {
            batch(times.iter().map(|(start, end)| span((*start).into(), (*end).into())).collect())
        };
        let (one, other) = (encoded(&spans(&times)), encoded(&spans(&times)));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(compressed(&one).unwrap(), compressed(&other).unwrap());
    }

    #[test]
    fn every_time_has_nanoseconds_that_fit_a_signed_number(second in -377_705_023_201i64..=253_402_207_200) {
        let at = Timestamp::from_second(second).unwrap();
        prop_assert!(i64::try_from(nanoseconds(at)).is_ok());
    }
}
