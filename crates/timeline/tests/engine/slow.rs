//! An API server that takes long over a write.

use crate::stored::{Stored, at, cart, replica_set, rollout};

#[test]
fn what_is_due_while_a_report_is_written_is_written_after_it() {
    let mut stored = Stored::of_a_live(10);
    stored.is_slow = true;
    stored.engine.observe(replica_set("b", 2, 200), at(200));
    stored.engine.observe(rollout(2, "b", "a"), at(200));
    stored.run_until_idle(at(200));
    let on_the_way = stored.lines();
    assert!(on_the_way.contains(&"b Progressing".to_owned()), "{on_the_way:?}");
    stored.engine.observe(rollout(2, "b", "b"), at(300));
    stored.run_until_idle(at(300));
    assert_eq!(stored.lines(), on_the_way, "one write at a time");

    stored.is_slow = false;
    stored.engine.reported(&cart(), true, at(400));
    stored.run_until_idle(at(400));
    let lines = stored.lines();
    assert!(lines.contains(&"b Promoted".to_owned()), "{lines:?}");
}
