//! A namespace that is deleted while an attempt is under way.

use jiff::SignedDuration;
use timeline::{Kind, Observation};

use crate::cluster::Replay;
use crate::recording::{Event, recording};

/// How many events of a recording pass before the namespace goes, and what goes first.
fn deleted(name: &str, after: usize, attempts_first: bool) -> (Replay, Vec<Event>) {
    let events = recording(name);
    let mut replay = Replay::new();
    for event in &events[..after] {
        replay.play(event);
    }
    let mut now = events[after - 1].at;
    replay.terminating = Some(0);
    let rollouts = replay.objects.keys().filter(|(kind, _)| *kind == Kind::Rollout);
    let rollouts: Vec<_> = rollouts.map(|(_, key)| key.clone()).collect();
    let attempts: Vec<_> = replay.attempts.keys().cloned().collect();
    let traces: Vec<_> = replay.traces.keys().cloned().collect();
    let ours = attempts.iter().map(|key| (Kind::RolloutAttempt, key.clone()));
    let ours = ours.chain(traces.iter().map(|key| (Kind::RolloutTrace, key.clone())));
    let rollouts = rollouts.into_iter().map(|key| (Kind::Rollout, key));
    let gone: Vec<_> = if attempts_first {
        ours.chain(rollouts).collect()
    } else {
        rollouts.chain(ours).collect()
    };
    for (kind, key) in gone {
        now += SignedDuration::from_secs(1);
        replay.wait(now);
        replay.objects.remove(&(kind, key.clone()));
        if kind == Kind::RolloutAttempt {
            replay.attempts.remove(&key);
        }
        replay.traces.retain(|trace, _| kind != Kind::RolloutTrace || *trace != key);
        replay.engine.observe(Observation::Gone(kind, key), now);
        replay.act(now);
    }
    replay.wait(now + SignedDuration::from_mins(2));
    (replay, events.to_vec())
}

#[test]
fn a_namespace_that_goes_leaves_nothing_behind_and_nothing_is_tried_again() {
    for name in ["linear", "analysis-fail", "bluegreen", "two-workloads"] {
        let half = recording(name).len() / 2;
        for after in (half..recording(name).len()).step_by(7) {
            for attempts_first in [true, false] {
                let (mut replay, _) = deleted(name, after, attempts_first);
                let what = format!("{name}, after {after}, attempts first: {attempts_first}");
                let tries = replay.terminating.unwrap();
                // One for each attempt and for each RolloutTrace.
                assert!(tries <= 4, "{what}: tried {tries} times");
                assert_eq!(replay.engine.delivery(), (0, false, false), "{what}");
                assert_eq!(replay.engine.rollouts(), 0, "{what}");
                assert_eq!(replay.engine.behind().journal, None, "{what}");
                let now = replay.engine.due();
                assert_eq!(now, None, "{what}: something is due");
                replay.terminating = Some(0);
            }
        }
    }
}
