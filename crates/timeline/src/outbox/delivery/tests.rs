use super::*;
use crate::base::{AttemptId, Key, Moment};
use crate::journal::Placement;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn delivery() -> Delivery {
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
    assert!(delivery.store(true, at(0)).is_none());
    assert_eq!(delivery.owed(), None);
    for second in [1, 6, 11] {
        assert!(delivery.store(true, at(second)).is_some());
        assert_eq!(delivery.owed(), Some(at(1)));
        delivery.written(AttemptWritten::Failed, true, at(second));
        assert_eq!(delivery.owed(), Some(at(1)));
    }
    assert!(delivery.store(true, at(20)).is_some());
    delivery.written(AttemptWritten::Stored("1".to_owned()), true, at(20));
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
    assert!(delivery.store(true, at(9)).is_some());
    delivery.written(AttemptWritten::Stored("1".to_owned()), true, at(9));
    assert_eq!(delivery.unsent(), Some(at(5)));
    for sent in [Sent::Later(None), Sent::Acknowledged] {
        assert!(delivery.send().is_some());
        assert_eq!(delivery.unsent(), Some(at(5)));
        delivery.sent(&sent, 1, at(12));
    }
    assert_eq!(delivery.unsent(), None);
}

#[test]
fn an_end_is_told_once_and_not_again_when_its_spans_have_left() {
    let mut delivery = delivery();
    let trace = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
    delivery.journal.placed = Some(Placement { trace, parent: None });
    let mut told = Vec::new();
    let store = |delivery: &mut Delivery, second| {
        assert!(delivery.store(true, at(second)).is_some());
        delivery.written(AttemptWritten::Stored(second.to_string()), true, at(second));
        delivery.news()
    };
    told.push(store(&mut delivery, 2));
    delivery.journal.phase = Phase::Promoted;
    delivery.journal.ended = Some(Moment::observed(at(5)));
    delivery.journal.root_closed = Some(delivery.journal.next_closed());
    delivery.turned(Turn::Vital, at(5));
    told.push(store(&mut delivery, 10));
    assert!(delivery.send().is_some());
    delivery.sent(&Sent::Acknowledged, 1, at(11));
    told.push(store(&mut delivery, 13));
    assert!(delivery.done());
    assert_eq!(told, [[true, false, false], [false, true, true], [false; 3]]);
}
