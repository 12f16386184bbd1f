use super::super::Delivery;
use super::super::tests::*;
use super::*;
use crate::base::Phase;
use crate::outbox::Wait;
use crate::outbox::write::Stage;

#[test]
fn a_second_sink_has_an_offset_of_its_own() {
    let events = Sink::new("events");
    let sinks = &[Sink::TRACES, events.clone()][..];
    let mut delivery = begun();
    end(&mut delivery, Phase::Promoted, 10);
    assert!(delivery.store(sinks, at(11)).is_some());
    delivery.written(stored(), sinks, at(11));
    assert!(delivery.send(&Sink::TRACES).is_some());
    delivery.sent(&Sink::TRACES, (&Sent::Acknowledged, 1), sinks, (0, at(12)));
    assert_eq!(delivery.sendable(&Sink::TRACES), None);
    assert_eq!(delivery.sendable(&events), Some(1));
    report(&mut delivery);
    let write = delivery.store(sinks, at(13)).unwrap();
    assert_eq!(write.stage, Stage::Delivering);
    delivery.written(stored(), sinks, at(13));
    assert!(delivery.send(&events).is_some());
    delivery.sent(&events, (&Sent::Refused("no".to_owned()), 1), sinks, (0, at(14)));
    assert_eq!(delivery.store(sinks, at(15)).unwrap().stage, Stage::Done);
    delivery.written(stored(), sinks, at(15));
    assert!(delivery.done(sinks));
    let journal = &delivery.journal;
    assert_eq!((journal.exported.until, journal.exported.refused), (1, 0));
    assert_eq!((journal.offset(&events).until, journal.offset(&events).refused), (1, 1));
}

#[test]
fn the_span_of_a_step_leaves_once_it_is_stored_and_not_before() {
    let mut delivery = begun();
    step(&mut delivery, 100);
    assert_eq!(delivery.sendable(&Sink::TRACES), None);
    assert_eq!(writes(&mut delivery, &stored(), 200).len(), 1);
    assert!(delivery.journal.open());
    assert_eq!(delivery.sendable(&Sink::TRACES), Some(1));
}

/// What a sink answers that may never take this.
fn doubtful() -> Sent {
    let doubt = Some("HTTP 500".to_owned());
    Sent::Later(Wait { why: Some("see its log"), doubt, ..Wait::default() })
}

/// Sends what may leave until this second, whenever it may; the seconds, and what was set aside.
fn sends(delivery: &mut Delivery, answer: &Sent, from: i64, until: i64) -> (Vec<i64>, u64) {
    let (mut seconds, mut aside, mut now) = (Vec::new(), 0, at(from));
    while now <= at(until) && delivery.waits_for(&Sink::TRACES, now).is_some() {
        let batch = delivery.send(&Sink::TRACES).unwrap();
        seconds.push(now.as_second() - 1_800_000_000);
        let items = batch.spans.len() as u64;
        aside += delivery.sent(&Sink::TRACES, (answer, items), SINKS, (0, now));
        now = delivery.held(SINKS, now).unwrap_or(now);
    }
    (seconds, aside)
}

#[test]
fn what_may_never_be_taken_is_tried_ever_less_often_and_set_aside_after_a_day() {
    const DAY: i64 = 24 * 60 * 60;
    let mut delivery = begun();
    step(&mut delivery, 2);
    assert!(!writes(&mut delivery, &stored(), 100).is_empty());
    let (seconds, aside) = sends(&mut delivery, &doubtful(), 100, 100 + DAY - 1);
    let gaps: Vec<_> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert!(gaps[9..].iter().all(|gap| *gap == 300));
    assert_eq!((aside, delivery.journal.exported.until), (0, 0));
    let doubted = delivery.doubted(&Sink::TRACES).map(|it| it.why);
    assert_eq!(doubted, Some(Some("see its log")));
    let (_, aside) = sends(&mut delivery, &doubtful(), 100 + DAY + 300, 100 + DAY + 300);
    assert_eq!((aside, delivery.journal.exported.refused), (1, 1));
    assert_eq!(delivery.journal.exported.refusal.as_deref(), Some("HTTP 500"));
    assert_eq!(delivery.doubted(&Sink::TRACES), None);
}

#[test]
fn what_may_be_too_large_is_sent_in_halves() {
    let mut delivery = begun();
    for second in 2..10 {
        step(&mut delivery, second);
    }
    assert!(!writes(&mut delivery, &stored(), 100).is_empty());
    let mut sizes = Vec::new();
    let mut now = at(100);
    for _ in 0..4 {
        let batch = delivery.send(&Sink::TRACES).unwrap();
        sizes.push(batch.spans.len());
        delivery.sent(&Sink::TRACES, (&doubtful(), 1), SINKS, (0, now));
        now = delivery.held(SINKS, now).unwrap();
    }
    assert_eq!(sizes, [8, 4, 2, 1]);
    let (_, aside) = sends(&mut delivery, &Sent::Acknowledged, 1000, 1000);
    assert_eq!((aside, delivery.journal.exported.until), (0, 8));
    assert!(!delivery.ways.in_doubt());
}
