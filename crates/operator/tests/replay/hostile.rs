//! Objects of other people hold whatever they like: the last of all times, the largest of all
//! numbers, texts without an end. Nothing panics, what is stored of it can be read again, and a Rollout
//! in another namespace is not touched.
//!
//! `HOSTILE_TRIES` is how many changes are tried of each recording.

use std::panic::{AssertUnwindSafe, catch_unwind};

use api::RolloutAttempt;
use jiff::Timestamp;
use operator::observe::Observed;
use operator::{journal, report};
use serde_json::{Value, json};
use timeline::{Key, Kind};

use crate::cluster::Replay;
use crate::recording::{ALL, Event, event, lines};

/// The namespace of the Rollout that nobody changes.
const OTHER: &str = "other";

/// Numbers without an order, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }

    fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

fn tries() -> usize {
    std::env::var("HOSTILE_TRIES").ok().and_then(|tries| tries.parse().ok()).unwrap_or(20)
}

/// Where numbers, texts and truths stand in an object.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(value, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, &format!("{path}/{index}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// What may stand there instead.
fn extremes(was: &Value) -> Vec<Value> {
    match was {
        Value::Number(_) => vec![
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u32::MAX),
            json!(i32::MAX),
            json!(i32::MIN),
            json!(-1),
            json!(0),
        ],
        Value::String(text) if text.parse::<Timestamp>().is_ok() => [
            "9999-12-30T22:00:00Z",
            "9999-12-31T23:59:59Z",
            "9999-12-30T22:00:00.999999999Z",
            "-009999-01-02T01:59:59Z",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "never",
        ]
        .map(Value::from)
        .to_vec(),
        Value::String(text) => vec![
            json!(""),
            json!("\u{0}\n\u{7f}"),
            json!("é".repeat(5000)),
            json!("-9223372036854775808"),
            json!("9223372036854775807"),
            json!("99999999999999h"),
            json!("00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff"),
            json!(format!("{text} < = #4 @9 ~ : ; |")),
            json!(text.repeat(40)),
        ],
        _ => vec![json!(true), json!(false), Value::Null],
    }
}

/// The same object in another namespace.
fn elsewhere(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(uid) if name == "uid" => uid.push_str("-other"),
                    Value::String(namespace) if name == "namespace" => {
                        OTHER.clone_into(namespace);
                    }
                    value => elsewhere(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(elsewhere),
        _ => {}
    }
}

fn others(lines: &[Value]) -> Vec<Option<Event>> {
    let mut lines = lines.to_vec();
    for line in &mut lines {
        elsewhere(&mut line["object"]);
    }
    lines.iter().map(event).collect()
}

/// All that is stored and sent of the Rollout that nobody changes.
fn of_other(replay: &Replay) -> String {
    let of = |key: &Key| key.namespace == OTHER;
    let attempts = replay.attempts.iter().filter(|(key, _)| of(key));
    let attempts: Vec<_> = attempts.map(|(key, it)| (key, &it.journal, &it.sent)).collect();
    let traces: Vec<_> = replay.traces.iter().filter(|(key, _)| of(key)).collect();
    let contexts = replay.contexts.iter().filter(|(key, _)| of(key));
    let contexts: Vec<_> = contexts.map(|(key, it)| (key, &it.span_links)).collect();
    format!("{attempts:#?}{traces:#?}{contexts:#?}")
}

/// What we store must be ours to read, and fit into an object.
fn can_be_read(replay: &Replay, change: &str) {
    for (key, stored) in &replay.attempts {
        let text = serde_json::to_string(&journal::object(&stored.journal)).unwrap();
        assert!(text.len() < 200_000, "{change}: {key} has {} bytes", text.len());
        let object: RolloutAttempt = serde_json::from_str(&text).unwrap();
        let read = journal::read(&object).map(|_| ());
        assert_eq!(read, Ok(()), "{change}");
    }
    for (key, (report, _)) in &replay.traces {
        let text = serde_json::to_string(&report::status(report)).unwrap();
        assert!(text.len() < 200_000, "{change}: {key} has {} bytes", text.len());
    }
}

fn play(changed: &[Option<Event>], others: &[Option<Event>], change: &str) -> Replay {
    let mut replay = Replay::new();
    let mut last = Vec::new();
    for (ours, other) in changed.iter().zip(others) {
        for event in [ours, other].into_iter().flatten() {
            replay.play(event);
            last = vec![event.clone()];
        }
    }
    let replay = replay.end(&last);
    can_be_read(&replay, change);
    replay
}

#[test]
fn no_value_of_an_object_stops_the_operator_or_harms_another_rollout() {
    let mut dice = Dice(1);
    let mut wrong = Vec::new();
    for name in ALL {
        let lines = lines(name);
        let (events, others) = (lines.iter().map(event).collect::<Vec<_>>(), others(&lines));
        let expected = of_other(&play(&events, &others, "nothing"));
        let read: Vec<usize> = (0..lines.len()).filter(|at| events[*at].is_some()).collect();
        let mut tried = 0;
        while tried < tries() {
            let first = *dice.choose(&read);
            let object = &lines[first]["object"];
            let mut paths = Vec::new();
            leaves(object, "", &mut paths);
            paths
                .retain(|path| !["/metadata/name", "/metadata/namespace"].contains(&path.as_str()));
            let path = dice.choose(&paths);
            let value = dice.choose(&extremes(object.pointer(path).unwrap())).clone();
            // From then on it stands there.
            let mut changed = events.clone();
            let mut differs = false;
            for (at, line) in lines.iter().enumerate().skip(first) {
                let mut line = line.clone();
                let same = line["kind"] == lines[first]["kind"]
                    && line["object"]["metadata"]["name"] == object["metadata"]["name"];
                if let Some(place) = line["object"].pointer_mut(path).filter(|_| same) {
                    *place = value.clone();
                    let event = event(&line);
                    differs |= format!("{:?}", event.as_ref().map(|it| &it.observation))
                        != format!("{:?}", events[at].as_ref().map(|it| &it.observation));
                    changed[at] = event;
                }
            }
            if differs {
                tried += 1;
                let kind = &lines[first]["kind"];
                let value: String = value.to_string().chars().take(60).collect();
                let change = format!("{name}, line {first}: {kind}{path} = {value}");
                let played = AssertUnwindSafe(|| of_other(&play(&changed, &others, &change)));
                match catch_unwind(played) {
                    Ok(other) if other == expected => {}
                    Ok(_) => wrong.push(format!("{change} harms another Rollout")),
                    Err(_) => wrong.push(format!("{change} panics")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As the watch reads it.
fn forged<K: Observed + serde::de::DeserializeOwned>(
    object: &Value,
) -> Option<timeline::Observation> {
    serde_json::from_value::<K>(object.clone()).ok()?.observe()
}

#[test]
fn no_value_of_a_stored_object_stops_the_next_process() {
    let mut dice = Dice(2);
    let mut wrong = Vec::new();
    for name in ALL {
        let lines = lines(name);
        let events: Vec<_> = lines.iter().map(event).collect();
        for _ in 0..tries() {
            let stop = dice.roll(lines.len());
            let mut replay = Replay::new();
            for event in events[..stop].iter().flatten() {
                replay.play(event);
            }
            let Some(now) = events[..stop].iter().flatten().last().map(|event| event.at) else {
                continue;
            };
            let mut objects = Vec::new();
            for (key, stored) in &replay.attempts {
                let mut object = journal::object(&stored.journal);
                object.metadata.resource_version = Some("1".to_owned());
                objects.push((
                    Kind::RolloutAttempt,
                    key.clone(),
                    serde_json::to_value(object).unwrap(),
                ));
            }
            for (key, (report, _)) in &replay.traces {
                let status = report::status(report);
                let object = json!({
                    "apiVersion": "throughline.dev/v1alpha1", "kind": "RolloutTrace",
                    "metadata": { "namespace": key.namespace, "name": key.name },
                    "spec": {}, "status": status,
                });
                objects.push((Kind::RolloutTrace, key.clone(), object));
            }
            if objects.is_empty() {
                continue;
            }
            let (kind, key, mut object) = dice.choose(&objects).clone();
            let mut paths = Vec::new();
            leaves(&object["status"], "/status", &mut paths);
            let path = dice.choose(&paths).clone();
            let place = object.pointer_mut(&path).unwrap();
            let value = dice.choose(&extremes(place)).clone();
            let text: String = value.to_string().chars().take(60).collect();
            *place = value;
            let change = format!("{name}, stopped at {stop}: {kind:?} {key}{path} = {text}");
            let observation = match kind {
                Kind::RolloutAttempt => forged::<RolloutAttempt>(&object),
                _ => forged::<api::RolloutTrace>(&object),
            };
            replay.forged.insert((kind, key), observation);
            let next = AssertUnwindSafe(|| {
                replay.start(now);
                replay.act(now);
                replay.forged.clear();
                for event in events[stop..].iter().flatten() {
                    replay.play(event);
                }
                can_be_read(&replay, &change);
            });
            if catch_unwind(next).is_err() {
                wrong.push(format!("{change} panics"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
