//! What a watch brings of one Rollout while a canary of six steps goes live in about a minute:
//! objects as Argo and Keptn write them, sizes and `managedFields` included (tests/recordings).

mod objects;

use jiff::{SignedDuration, Timestamp};
use objects::managed;
use serde_json::{Value, json};
use timeline::Kind;

/// Stands for the number of the Rollout in all names, UIDs and trace ids.
const NUMBER: &str = "NNNNN";
const ROLLOUT_UID: &str = "1ca4f93b-c37f-437d-8401-0000000NNNNN";
const NAMESPACE: &str = "shop";
/// When the first revision was applied: 2026-11-21 10:00 UTC.
const BEGAN: Timestamp = Timestamp::constant(1_795_255_200, 0);
/// From one revision to the next.
const APART: SignedDuration = SignedDuration::from_mins(10);
const STEPS: u64 = 6;

/// One event of the watches.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    text: String,
}

impl Event {
    /// The object of Rollout `number`, as the API server writes it.
    pub(super) fn of(&self, number: usize) -> String {
        self.text.replace(NUMBER, &format!("{number:05}"))
    }
}

/// All events of one revision, in order; Keptn's among them if there is Keptn.
pub(super) fn revision(number: u32, keptn: bool) -> Vec<Event> {
    let mut play = Play::new(number);
    if number == 1 {
        play.first();
    } else {
        play.canary();
    }
    if keptn {
        play.keptn();
    }
    // Stable: what happens at one time stays in order.
    play.events.sort_by_key(|event| event.at);
    play.events
}

fn start(number: u32) -> Timestamp {
    BEGAN + APART * i32::try_from(number).unwrap_or(1)
}

/// Kubernetes writes times to the second.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn hash(number: u32) -> String {
    format!("7d9c6b{number:04}")
}

fn version(number: u32) -> String {
    format!("{number}.0.0")
}

fn set_uid(number: u32) -> String {
    format!("c3a7826f-f1b5-47d1-{number:04}-0000000{NUMBER}")
}

fn traceparent(number: u32, span: u32) -> String {
    format!("00-4bf92f3577b34da6a3ce{number:07}{NUMBER}-00f067aa{span:08}-01")
}

/// How the Rollout stands.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "so many of them are in Argo's status")]
struct Status {
    observed: bool,
    numbered: bool,
    stable: u32,
    step: u64,
    paused: Option<Timestamp>,
    run: Option<(String, &'static str)>,
    weight: u64,
    updated: u32,
    completed: bool,
    since: Timestamp,
    healthy: bool,
}

/// Plays Argo and Keptn for one revision.
struct Play {
    number: u32,
    start: Timestamp,
    status: Status,
    events: Vec<Event>,
}

impl Play {
    fn new(number: u32) -> Self {
        let start = start(number);
        let status = Status {
            observed: true,
            numbered: true,
            stable: number.saturating_sub(1).max(1),
            step: 0,
            paused: None,
            run: None,
            weight: 0,
            updated: 0,
            completed: false,
            since: start,
            healthy: false,
        };
        Self { number, start, status, events: Vec::new() }
    }

    fn at(&self, milliseconds: i64) -> Timestamp {
        self.start + SignedDuration::from_millis(milliseconds)
    }

    fn push(&mut self, milliseconds: i64, kind: Kind, object: &Value) {
        let at = self.at(milliseconds);
        self.events.push(Event { at, kind, text: object.to_string() });
    }

    /// The first revision is stable at once.
    fn first(&mut self) {
        self.set(0, 3);
        self.status.step = STEPS;
        self.status.updated = 3;
        self.status.completed = true;
        self.status.healthy = true;
        self.update(3000);
    }

    fn canary(&mut self) {
        self.status.observed = false;
        self.status.numbered = false;
        self.update(0);
        self.status.numbered = true;
        self.update(100);
        self.set(150, 0);
        self.status.observed = true;
        self.update(200);
        self.set(400, 0);
        self.status.updated = 1;
        self.update(1000);
        self.set(2000, 1);
        self.status.weight = 20;
        self.update(2100);
        self.step(2500);
        self.pause(2600, 22_600);
        self.step(22_700);
        self.analysis(22_800);
        self.step(33_100);
        self.status.weight = 60;
        self.update(33_300);
        self.set(33_500, 1);
        self.status.updated = 2;
        self.update(34_000);
        self.set(35_000, 2);
        self.update(35_100);
        self.step(36_000);
        self.pause(36_100, 46_100);
        self.step(46_200);
        self.analysis(46_300);
        self.status.weight = 100;
        self.status.updated = 3;
        self.step(56_600);
        self.set(57_000, 3);
        self.update(58_000);
        self.status.stable = self.number;
        self.status.completed = true;
        self.status.since = self.at(60_000);
        self.status.weight = 0;
        self.update(60_000);
        self.status.healthy = true;
        self.update(61_000);
        self.set(61_500, 3);
    }

    fn step(&mut self, at: i64) {
        self.status.step += 1;
        self.update(at);
    }

    fn pause(&mut self, from: i64, to: i64) {
        self.status.paused = Some(self.at(from));
        self.update(from);
        // Argo writes once more that it waits.
        self.update(from + 100);
        self.status.paused = None;
        self.update(to);
    }

    /// An AnalysisRun of three measurements, one in five seconds.
    fn analysis(&mut self, from: i64) {
        let name = format!("service-{NUMBER}-{}-{}", hash(self.number), self.status.step);
        self.status.run = Some((name, "Running"));
        for (measured, at) in [(0, from), (1, from + 200), (2, from + 5200), (3, from + 10_200)] {
            let run = self.run(measured, from, at);
            self.push(at, Kind::AnalysisRun, &run);
            if measured == 0 {
                self.update(at + 20);
            }
        }
        self.status.run = None;
    }

    fn update(&mut self, at: i64) {
        let rollout = self.rollout(self.at(at));
        self.push(at, Kind::Rollout, &rollout);
    }

    fn set(&mut self, at: i64, available: u32) {
        let set = self.replica_set(self.at(at), available);
        self.push(at, Kind::ReplicaSet, &set);
    }

    /// Keptn's objects: the app's trace is visible a second after the first pod, and its phases are
    /// over with the Rollout.
    fn keptn(&mut self) {
        let deployed = if self.number == 1 { 3000 } else { 62_000 };
        for (at, phases) in [(600, 0), (900, 2), (1200, 3), (deployed, 5)] {
            let version = self.app_version(self.at(at), phases);
            self.push(at, Kind::AppVersion, &version);
        }
        let workload = json!({
            "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnWorkloadVersion",
            "metadata": {
                "name": format!("app-{NUMBER}-service-{NUMBER}-{}", version(self.number)),
                "namespace": NAMESPACE, "creationTimestamp": second(self.start),
                "managedFields": managed(self.start, &["spec", "currentPhase", "startTime"]),
            },
            "spec": {
                "app": format!("app-{NUMBER}"), "version": version(self.number),
                "workloadName": format!("app-{NUMBER}-service-{NUMBER}"),
                "resourceReference": {
                    "kind": "ReplicaSet", "uid": set_uid(self.number),
                    "name": format!("service-{NUMBER}-{}", hash(self.number)),
                },
                "traceId": { "traceparent": traceparent(self.number, 3) },
            },
            "status": { "currentPhase": "WorkloadDeploy", "status": "Progressing" },
        });
        self.push(1300, Kind::WorkloadVersion, &workload);
    }
}
