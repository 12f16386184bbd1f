//! The same recordings, seen worse: each event twice, with a restart after each event, from the objects
//! that are there when somebody looks first, and with versions of the Rollout that nobody saw.
//!
//! What an attempt was and what became of it is the same. What nobody saw is said to be so.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use timeline::base::AttemptId;
use timeline::journal::{Journal, MarkKind};
use timeline::seen::EvidenceOwner;
use timeline::{Key, Kind, Observation};

use crate::cluster::{How, Replay, live};
use crate::differences::Differences;
use crate::recording::{ALL, Event, recording};

/// What is wrong with the journals of a replay, one line each.
fn complain(replayed: &str, live: &Replay, other: &Replay, wrong: &mut Vec<String>) {
    for (key, stored) in &live.attempts {
        let Some(seen) = other.attempts.get(key) else {
            wrong.push(format!("{replayed}: no {}", key.name));
            continue;
        };
        let found = Differences::between(&stored.journal, &seen.journal);
        wrong.extend(found.iter().map(|it| format!("{replayed}: {}: {it}", key.name)));
    }
    for key in other.attempts.keys().filter(|key| !live.attempts.contains_key(key)) {
        wrong.push(format!("{replayed}: {} never was", key.name));
    }
}

#[test]
fn what_is_seen_twice_is_the_same() {
    for name in ALL {
        let (once, twice) = (live(name), Replay::of(name, How::Twice));
        assert_eq!(once.attempts.len(), twice.attempts.len());
        for (key, stored) in &once.attempts {
            let again = &twice.attempts[key];
            assert_eq!(stored.journal, again.journal, "{name}");
            assert_eq!(stored.sent, again.sent, "{name}");
            assert_eq!(stored.writes, again.writes, "{name}");
        }
    }
}

#[test]
fn with_a_list_or_a_restart_after_each_event_what_nobody_saw_is_unknown() {
    let mut wrong = Vec::new();
    for name in ALL {
        let live = live(name);
        for how in [How::AsLists, How::WithRestarts] {
            let replayed = format!("{name}, {how:?}");
            complain(&replayed, &live, &Replay::of(name, how), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_restart_at_any_time_changes_no_more() {
    let mut wrong = Vec::new();
    for name in ALL {
        let live = live(name);
        let events = recording(name);
        for at in (0..events.len()).step_by(17) {
            let mut replay = Replay::new();
            for (index, event) in events.iter().enumerate() {
                replay.play(event);
                if index == at {
                    replay.start(event.at);
                    replay.act(event.at);
                }
            }
            let replayed = format!("{name}, restarted after event {at}");
            complain(&replayed, &live, &replay.end(&events), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The attempt that a Rollout's object shows, and whether it is still to be decided.
fn in_flight(replay: &Replay) -> BTreeMap<Key, (SmolStr, i64)> {
    let mut found = BTreeMap::new();
    for event in replay.objects.values() {
        if let Some(Observation::Rollout(seen)) = &event.observation
            && seen.current_hash != seen.stable_hash
            && let (Some(hash), Some(revision)) = (&seen.current_hash, seen.revision)
        {
            found.insert(seen.key.clone(), (hash.clone(), revision));
        }
    }
    found
}

#[test]
fn an_attempt_that_is_under_way_at_first_sight_ends_as_it_did() {
    let mut wrong = Vec::new();
    let mut looks = 0;
    for name in ALL {
        let live = live(name);
        let events = recording(name);
        let ends = [events.len()];
        for seen in (1..events.len()).step_by(7).chain(ends) {
            let mut replay = Replay::new();
            events[..seen].iter().for_each(|event| replay.put(event));
            let at = events[seen - 1].at;
            replay.start(at);
            replay.act(at);
            let in_flight = in_flight(&replay);
            events[seen..].iter().for_each(|event| replay.play(event));
            let replay = replay.end(&events);
            for (rollout, (hash, revision)) in in_flight {
                let replayed =
                    format!("{name}, first seen after {seen} events: {rollout} {revision}");
                let of = |journal: &&Journal| {
                    journal.identity.rollout == rollout
                        && journal.identity.hash == hash
                        && journal.identity.revision == revision
                };
                let tries: Vec<_> = live.journals(&rollout.name).into_iter().filter(of).collect();
                let found = replay.journals(&rollout.name).into_iter().find(of);
                // Between the annotation of a revision and its status there is no attempt yet.
                let Some(number) =
                    tries.iter().rposition(|journal| journal.started.at <= at + crate::SECOND)
                else {
                    continue;
                };
                let Some(found) = found else {
                    wrong.push(format!("{replayed}: nothing"));
                    continue;
                };
                looks += 1;
                if found.marks.iter().all(|mark| mark.kind != MarkKind::FirstSight) {
                    wrong.push(format!("{replayed}: is not marked"));
                }
                if number == 0 {
                    let found = Differences::at_first_sight(tries[0], found);
                    wrong.extend(found.iter().map(|it| format!("{replayed}: {it}")));
                } else {
                    // Nothing says that this is a retry, nor when it began.
                    let identity = AttemptId { number: 1, ..tries[number].identity.clone() };
                    let outcome = (&identity, tries[number].phase);
                    if outcome != (&found.identity, found.phase) {
                        wrong.push(format!("{replayed}: {outcome:?}"));
                    }
                }
            }
        }
    }
    assert!(looks > 60, "{looks}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Which events are seen: versions of Rollouts may be dropped, but not all of those from which an
/// outcome follows.
fn kept(events: &[Event], mut unseen: impl FnMut() -> bool) -> Vec<bool> {
    let mut kept = vec![true; events.len()];
    // Of each Rollout what decided last, and whether a version that said so was kept.
    let mut last: BTreeMap<&Key, (_, usize, bool)> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        let Some(Observation::Rollout(seen)) = &event.observation else { continue };
        // The first revision is stable at once, and promoted when it is first Healthy.
        let healthy = seen.healthy || seen.current_hash != seen.stable_hash;
        let decides = (&seen.current_hash, &seen.stable_hash, seen.abort, healthy);
        kept[index] = !unseen();
        let before = last.get(&event.key).copied();
        let same = before.filter(|(before, ..)| *before == decides);
        if let Some((_, earlier, false)) = before.filter(|_| same.is_none()) {
            kept[earlier] = true;
        }
        let seen = same.is_some_and(|(.., seen)| seen) || kept[index];
        last.insert(&event.key, (decides, index, seen));
    }
    for (_, index, _) in last.into_values() {
        kept[index] = true;
    }
    kept
}

/// Versions are only missed where a watch breaks and begins with a list again.
fn with_gaps(events: &[Event], kept: &[bool]) -> Replay {
    let mut replay = Replay::new();
    let mut gap = false;
    for (event, seen) in events.iter().zip(kept) {
        replay.wait(event.at);
        if !seen {
            replay.put(event);
            gap = true;
        } else if gap && event.kind == Kind::Rollout {
            replay.put(event);
            replay.list_kind(Kind::Rollout, event.at);
            replay.act(event.at);
            gap = false;
        } else {
            replay.play(event);
        }
    }
    replay.end(events)
}

#[test]
fn versions_that_nobody_saw_are_gaps_and_change_no_outcome() {
    let mut wrong = Vec::new();
    for name in ALL {
        let live = live(name);
        let events = recording(name);
        for odd in [false, true] {
            let mut unseen = odd;
            let every_second = kept(&events, || {
                unseen = !unseen;
                unseen
            });
            let replayed =
                format!("{name}, every second, from the {}", if odd { "2nd" } else { "1st" });
            complain(&replayed, &live, &with_gaps(&events, &every_second), &mut wrong);
        }
        for seed in 0..6 {
            let mut random = Random(seed);
            // From a few to nearly all.
            let share = 1 + random.next() % 9;
            let kept = kept(&events, || random.next() % 10 < share);
            let replayed = format!("{name}, seed {seed}");
            complain(&replayed, &live, &with_gaps(&events, &kept), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Numbers that follow from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[test]
fn a_trace_that_keptn_names_is_waited_for_by_nobody_else() {
    for name in ["linear", "bad-image-then-fix"] {
        let events = recording(name);
        let agreed = |event: &&Event| match &event.observation {
            Some(Observation::WorkloadVersion(seen)) => seen.trace.is_some(),
            _ => false,
        };
        let last = events.iter().rposition(|event| agreed(&event)).unwrap();
        let mut replay = Replay::new();
        events[..=last].iter().for_each(|event| replay.play(event));
        // Nothing arrives any more.
        let replay = replay.end(&events);
        let journals = replay.journals("cart");
        let placed = journals.last().unwrap().placed.unwrap();
        assert_eq!(Some(placed), live(name).journals("cart").last().unwrap().placed, "{name}");
    }
}

#[test]
fn an_analysis_of_a_rollout_that_had_the_name_before_is_of_no_attempt() {
    let events = recording("analysis-fail");
    let mut replay = Replay::new();
    for event in events.iter() {
        if let Some(Observation::AnalysisRun(seen)) = &event.observation {
            let mut former = seen.clone();
            former.key.name = format!("former-{}", seen.key.name).into();
            former.uid = format!("former-{}", seen.uid);
            former.owner = EvidenceOwner::Rollout("cart".to_owned(), "former".to_owned());
            let key = former.key.clone();
            let observation = Some(Observation::AnalysisRun(former));
            replay.play(&Event { key, observation, ..event.clone() });
        }
        replay.play(event);
    }
    let (live, replay) = (live("analysis-fail"), replay.end(&events));
    assert_eq!(live.journals("cart"), replay.journals("cart"));
}
