use super::*;
use crate::base::{AttemptId, Key, Moment};
use crate::journal::{Placement, Step, StepResult};
use crate::outbox::{AttemptWritten, Sent, Wait};

pub(super) const SINKS: &[Sink] = &[Sink::TRACES];

/// An API server that answers each write with this, and the seconds at which it was asked.
pub(super) fn writes(delivery: &mut Delivery, answer: &AttemptWritten, until: i64) -> Vec<i64> {
    let mut seconds = Vec::new();
    while let Some(due) = delivery.due(SINKS).filter(|due| *due <= at(until)) {
        if delivery.store(SINKS, due).is_some() {
            seconds.push(due.as_second() - 1_800_000_000);
            assert!(seconds.len() < 10_000, "it is asked for ever");
            delivery.written(answer.clone(), SINKS, due);
        }
    }
    seconds
}

pub(super) fn stored() -> AttemptWritten {
    AttemptWritten::Stored("1".to_owned())
}

/// One whose beginning is stored.
pub(super) fn begun() -> Delivery {
    let mut delivery = delivery();
    delivery.journal.placed = Some(Placement::own(&delivery.journal.identity.clone()));
    assert_eq!(writes(&mut delivery, &stored(), 1), [1]);
    delivery
}

/// A step that took no time.
pub(super) fn step(delivery: &mut Delivery, second: i64) {
    let journal = &mut delivery.journal;
    let closed = Some(journal.next_closed());
    let (index, moment) =
        (u32::try_from(journal.steps.len()).unwrap(), Moment::observed(at(second)));
    journal.steps.push(Step {
        index,
        kind: "setWeight".to_owned(),
        setting: String::new(),
        started: moment,
        ended: Some(moment),
        result: StepResult::Completed,
        closed,
    });
    delivery.turned(Turn::Moved, at(second));
}

/// The RolloutTrace says how it ended.
pub(super) fn report(delivery: &mut Delivery) {
    delivery.reporting();
    delivery.end_reported(true);
}

pub(super) fn end(delivery: &mut Delivery, phase: Phase, second: i64) {
    let journal = &mut delivery.journal;
    journal.phase = phase;
    journal.ended = Some(Moment::observed(at(second)));
    journal.root_closed = Some(journal.next_closed());
    delivery.turned(Turn::Vital, at(second));
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn delivery() -> Delivery {
    let identity = AttemptId {
        rollout: Key::new("shop", "cart"),
        rollout_uid: "uid".into(),
        hash: "abc".into(),
        revision: 2,
        number: 1,
    };
    Delivery::new(Journal::begin(identity, Moment::observed(at(0))), at(0))
}

#[test]
fn a_write_is_owed_from_when_it_was_first_due_until_one_comes_through() {
    let mut delivery = delivery();
    assert!(delivery.store(SINKS, at(0)).is_none());
    assert_eq!(delivery.owed(), None);
    for second in [1, 6, 16] {
        assert!(delivery.store(SINKS, at(second)).is_some());
        assert_eq!(delivery.owed(), Some(at(1)));
        delivery.written(AttemptWritten::Failed, SINKS, at(second));
        assert_eq!(delivery.owed(), Some(at(1)));
    }
    assert!(delivery.store(SINKS, at(36)).is_some());
    delivery.written(AttemptWritten::Stored("1".to_owned()), SINKS, at(36));
    assert_eq!(delivery.owed(), None);
}

#[test]
fn an_entry_is_unsent_from_its_end_until_it_is_acknowledged() {
    let mut delivery = delivery();
    let journal = &mut delivery.journal;
    let trace = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
    journal.placed = Some(Placement { trace, parent: None });
    journal.phase = Phase::Promoted;
    journal.ended = Some(Moment::observed(at(5)));
    journal.root_closed = Some(journal.next_closed());
    assert_eq!(delivery.unsent(), None);
    assert!(delivery.store(SINKS, at(9)).is_some());
    delivery.written(AttemptWritten::Stored("1".to_owned()), SINKS, at(9));
    assert_eq!(delivery.unsent(), Some(at(5)));
    for sent in [Sent::Later(Wait::default()), Sent::Acknowledged] {
        assert!(delivery.send(&Sink::TRACES).is_some());
        assert_eq!(delivery.unsent(), Some(at(5)));
        delivery.sent(&Sink::TRACES, (&sent, 1), SINKS, (0, at(12)));
    }
    assert_eq!(delivery.unsent(), None);
}

#[test]
fn an_end_is_announced_once_and_not_again_when_its_spans_have_left() {
    let mut delivery = delivery();
    let trace = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
    delivery.journal.placed = Some(Placement { trace, parent: None });
    let mut news = Vec::new();
    let store = |delivery: &mut Delivery, second| {
        assert!(delivery.store(SINKS, at(second)).is_some());
        delivery.written(AttemptWritten::Stored(second.to_string()), SINKS, at(second));
        delivery.news()
    };
    news.push(store(&mut delivery, 2));
    delivery.journal.phase = Phase::Promoted;
    delivery.journal.ended = Some(Moment::observed(at(5)));
    delivery.journal.root_closed = Some(delivery.journal.next_closed());
    delivery.turned(Turn::Vital, at(5));
    news.push(store(&mut delivery, 10));
    report(&mut delivery);
    assert!(delivery.send(&Sink::TRACES).is_some());
    delivery.sent(&Sink::TRACES, (&Sent::Acknowledged, 1), SINKS, (0, at(11)));
    news.push(store(&mut delivery, 13));
    assert!(delivery.done(SINKS));
    assert_eq!(news, [[true, false, false], [false, true, true], [false; 3]]);
}

#[test]
fn an_end_is_said_once_its_trace_is_known() {
    let mut delivery = delivery();
    let mut said = Vec::new();
    let mut store = |delivery: &mut Delivery, second| {
        assert!(delivery.store(SINKS, at(second)).is_some());
        delivery.written(AttemptWritten::Stored(second.to_string()), SINKS, at(second));
        said.push(delivery.news());
    };
    delivery.journal.phase = Phase::Aborted;
    delivery.journal.ended = Some(Moment::observed(at(1)));
    delivery.turned(Turn::Vital, at(1));
    store(&mut delivery, 5);
    delivery.journal.placed = Some(Placement::own(&delivery.journal.identity.clone()));
    delivery.turned(Turn::Vital, at(10));
    store(&mut delivery, 15);
    end(&mut delivery, Phase::Aborted, 20);
    store(&mut delivery, 25);
    let [begun, ended, over] = [[true, false, false], [false, true, false], [false, false, true]];
    assert_eq!(said, [begun, ended, over]);
}

#[test]
fn a_write_that_fails_is_tried_again_after_longer_and_longer_waits() {
    let busy = AttemptWritten::Later(SignedDuration::from_secs(90));
    for (answer, waits) in [
        (AttemptWritten::Failed, vec![5, 10, 20, 40, 60]),
        (AttemptWritten::Forbidden, vec![5, 10, 20, 40, 60]),
        (busy, vec![90, 90]),
        (AttemptWritten::Refused("too large".to_owned()), vec![60, 120]),
        (AttemptWritten::NamespaceGone, vec![]),
    ] {
        let seconds = writes(&mut delivery(), &answer, 200);
        let waited: Vec<i64> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waited.len() >= waits.len(), "{answer:?}: {waited:?}");
        // Spread over the half before the full wait; each second is cut to a whole one.
        for (waited, wait) in waited.iter().zip(waits) {
            assert!(
                *waited >= wait / 2 - 1 && *waited <= wait + 1,
                "{answer:?}: {waited} of {wait}"
            );
        }
    }
}

#[test]
fn what_is_due_later_is_due_when_the_process_ends_also_after_a_failure() {
    let mut delivery = begun();
    step(&mut delivery, 10);
    assert!(delivery.due(SINKS).is_some_and(|due| due > at(20)));
    delivery.hurry(at(12));
    assert_eq!(writes(&mut delivery, &AttemptWritten::Failed, 12), [12]);
    assert!(delivery.due(SINKS).is_some_and(|due| due > at(13)), "the next try waits");
    delivery.hurry(at(13));
    assert_eq!(writes(&mut delivery, &stored(), 13).len(), 1);
    delivery.hurry(at(14));
    assert_eq!(delivery.due(SINKS), None, "nothing is owed");
}

#[test]
fn news_makes_a_write_that_fails_no_more_frequent() {
    let mut delivery = delivery();
    let refused = AttemptWritten::Refused("too large".to_owned());
    let mut seconds = Vec::new();
    for second in 1..200 {
        step(&mut delivery, second);
        seconds.extend(writes(&mut delivery, &refused, second));
    }
    assert!((3..6).contains(&seconds.len()), "{seconds:?}");
    assert_eq!(delivery.failing(), Some(&NotStored::Refused("too large".to_owned())));
}

#[test]
fn what_is_refused_for_half_a_day_after_its_end_is_given_up() {
    let mut delivery = delivery();
    end(&mut delivery, Phase::Promoted, 5);
    let refused = AttemptWritten::Refused("too large".to_owned());
    assert!((6..9).contains(&writes(&mut delivery, &refused, 3600).len()));
    assert!(!delivery.done(SINKS));
    while !delivery.done(SINKS) {
        let due = delivery.due(SINKS).unwrap();
        assert!(due < at(86_400), "given up in time");
        assert_eq!(writes(&mut delivery, &refused, due.as_second() - 1_799_999_999).len(), 1);
    }
}

#[test]
fn a_step_that_is_over_is_stored_within_a_minute_however_long_the_attempt_takes() {
    let mut delivery = begun();
    for (ended, stored_at) in [(10, 31), (3600, 3601), (3605, 3661), (40_000, 40_001)] {
        step(&mut delivery, ended);
        assert_eq!(writes(&mut delivery, &stored(), 50_000), [stored_at]);
    }
}

#[test]
fn steps_that_end_one_after_another_are_stored_once_a_minute() {
    let mut delivery = begun();
    let mut seconds = Vec::new();
    for second in 2..602 {
        step(&mut delivery, second);
        seconds.extend(writes(&mut delivery, &stored(), second));
    }
    assert_eq!(seconds, [31, 62, 122, 182, 242, 302, 362, 422, 482, 542]);
}

#[test]
fn what_only_goes_on_is_stored_ever_less_often_and_at_least_each_hour() {
    let mut delivery = begun();
    let mut seconds = Vec::new();
    for second in (10..36_000).step_by(10) {
        delivery.journal.cut += 1;
        delivery.turned(Turn::Moved, at(second));
        seconds.extend(writes(&mut delivery, &stored(), second));
    }
    let expected = [31, 62, 124, 248, 496, 992, 1984, 3968, 7568, 11_168];
    assert_eq!(seconds[..10], expected);
    assert_eq!(seconds.len(), 16);
}

#[test]
fn a_restart_makes_nothing_more_frequent_but_one_write() {
    let before = begun();
    let seen = RolloutAttemptSeen {
        key: Key::new("shop", "cart"),
        resource_version: "1".to_owned(),
        journal: before.journal,
    };
    let mut delivery = Delivery::restored(seen, SINKS, at(1000));
    assert_eq!(delivery.due(SINKS), None);
    let mut seconds = Vec::new();
    for second in 1000..1200 {
        step(&mut delivery, second);
        seconds.extend(writes(&mut delivery, &stored(), second));
    }
    assert_eq!(seconds, [1001, 1061, 1121, 1181]);
}

#[test]
fn an_object_that_is_deleted_is_made_again_while_the_attempt_is_under_way() {
    let mut delivery = begun();
    delivery.missing(at(10));
    let write = delivery.store(SINKS, at(10)).unwrap();
    assert_eq!(write.resource_version, None);
    delivery.written(stored(), SINKS, at(10));
    assert_eq!(delivery.due(SINKS), None);
    step(&mut delivery, 100);
    assert!(delivery.store(SINKS, at(101)).unwrap().resource_version.is_some());
    // It is deleted while it is being written.
    delivery.written(AttemptWritten::Missing, SINKS, at(101));
    assert_eq!(delivery.store(SINKS, at(101)).unwrap().resource_version, None);
}

#[test]
fn of_a_rollout_that_is_gone_what_was_stored_is_sent_and_nothing_made_again() {
    let mut delivery = begun();
    end(&mut delivery, Phase::Deleted, 10);
    assert_eq!(writes(&mut delivery, &stored(), 20), [11]);
    delivery.missing(at(30));
    assert_eq!(delivery.due(SINKS), None);
    assert!(!delivery.done(SINKS), "its root has still to leave");
    assert!(delivery.waits_here_only() && !delivery.can_wait_outside());
    assert!(delivery.send(&Sink::TRACES).is_some());
    delivery.sent(&Sink::TRACES, (&Sent::Acknowledged, 1), SINKS, (0, at(31)));
    assert_eq!(delivery.due(SINKS), None);
    assert!(delivery.done(SINKS));
}

#[test]
fn when_the_namespace_goes_what_was_stored_is_sent_and_the_rest_is_dropped_at_the_end() {
    let mut delivery = begun();
    step(&mut delivery, 70);
    assert_eq!(writes(&mut delivery, &stored(), 80), [71]);
    delivery.missing(at(90));
    assert_eq!(writes(&mut delivery, &AttemptWritten::NamespaceGone, 100_000), [90]);
    assert_eq!(delivery.failing(), None);
    assert_eq!(delivery.owed(), None);
    step(&mut delivery, 110);
    assert_eq!(writes(&mut delivery, &stored(), 100_000), Vec::<i64>::new());
    assert!(!delivery.done(SINKS), "the Rollout may live on for a while");
    let sent = delivery.send(&Sink::TRACES).map(|batch| batch.spans.len());
    assert_eq!(sent, Some(1), "what was not stored does not leave");
    delivery.sent(&Sink::TRACES, (&Sent::Acknowledged, 1), SINKS, (0, at(111)));
    assert!(!delivery.done(SINKS));
    end(&mut delivery, Phase::Deleted, 120);
    assert_eq!(delivery.due(SINKS), None);
    assert!(delivery.send(&Sink::TRACES).is_none());
    assert!(delivery.done(SINKS));
    assert!(!delivery.is_unstored_end(at(121)));
}

#[test]
fn it_is_done_once_its_rollout_trace_says_how_it_ended_or_a_minute_later() {
    for reported in [true, false] {
        let mut delivery = begun();
        end(&mut delivery, Phase::Promoted, 10);
        assert_eq!(writes(&mut delivery, &stored(), 20), [11]);
        assert!(delivery.send(&Sink::TRACES).is_some());
        delivery.reporting();
        delivery.sent(&Sink::TRACES, (&Sent::Acknowledged, 1), SINKS, (0, at(12)));
        assert_eq!(writes(&mut delivery, &stored(), 20), Vec::<i64>::new());
        delivery.end_reported(reported);
        assert_eq!(writes(&mut delivery, &stored(), 99), [if reported { 13 } else { 71 }]);
        assert!(delivery.done(SINKS));
    }
}

#[test]
fn an_attempt_whose_traffic_is_not_back_is_looked_at_by_the_next_process() {
    let mut delivery = begun();
    delivery.journal.exposed = true;
    end(&mut delivery, Phase::Aborted, 100);
    let stage = |delivery: &mut Delivery, second| {
        let write = delivery.store(SINKS, at(second)).unwrap();
        delivery.written(stored(), SINKS, at(second));
        write.stage
    };
    assert_eq!(stage(&mut delivery, 101), Stage::Running);
    delivery.journal.recovered = Some(Moment::observed(at(400)));
    delivery.turned(Turn::Vital, at(400));
    assert_eq!(stage(&mut delivery, 401), Stage::Delivering);
}
