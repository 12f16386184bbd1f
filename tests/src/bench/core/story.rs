//! What a watch brings of one Rollout while a canary of six steps goes live in about a minute:
//! objects as Argo and Keptn write them, sizes and `managedFields` included (tests/recordings).

use jiff::{SignedDuration, Timestamp};
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

fn labels(number: u32) -> Value {
    json!({
        "app": format!("service-{NUMBER}"),
        "app.kubernetes.io/name": format!("service-{NUMBER}"),
        "app.kubernetes.io/part-of": format!("app-{NUMBER}"),
        "app.kubernetes.io/version": version(number),
    })
}

/// Fields that a writer owns: most of an object's metadata, and read by nobody.
fn managed(at: Timestamp, fields: &[&str]) -> Value {
    let owned: serde_json::Map<_, _> =
        fields.iter().map(|field| (format!("f:{field}"), json!({}))).collect();
    let entry = |manager: &str, part: &str| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "fieldsType": "FieldsV1", "manager": manager,
            "operation": "Update", "time": second(at),
            "fieldsV1": { (format!("f:{part}")): owned },
        })
    };
    json!([
        entry("kubectl-client-side-apply", "spec"),
        entry("rollouts-controller", "metadata"),
        entry("rollouts-controller", "status"),
    ])
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
        self.tell(3000);
    }

    fn canary(&mut self) {
        self.status.observed = false;
        self.status.numbered = false;
        self.tell(0);
        self.status.numbered = true;
        self.tell(100);
        self.set(150, 0);
        self.status.observed = true;
        self.tell(200);
        self.set(400, 0);
        self.status.updated = 1;
        self.tell(1000);
        self.set(2000, 1);
        self.status.weight = 20;
        self.tell(2100);
        self.step(2500);
        self.pause(2600, 22_600);
        self.step(22_700);
        self.analysis(22_800);
        self.step(33_100);
        self.status.weight = 60;
        self.tell(33_300);
        self.set(33_500, 1);
        self.status.updated = 2;
        self.tell(34_000);
        self.set(35_000, 2);
        self.tell(35_100);
        self.step(36_000);
        self.pause(36_100, 46_100);
        self.step(46_200);
        self.analysis(46_300);
        self.status.weight = 100;
        self.status.updated = 3;
        self.step(56_600);
        self.set(57_000, 3);
        self.tell(58_000);
        self.status.stable = self.number;
        self.status.completed = true;
        self.status.since = self.at(60_000);
        self.status.weight = 0;
        self.tell(60_000);
        self.status.healthy = true;
        self.tell(61_000);
        self.set(61_500, 3);
    }

    fn step(&mut self, at: i64) {
        self.status.step += 1;
        self.tell(at);
    }

    fn pause(&mut self, from: i64, to: i64) {
        self.status.paused = Some(self.at(from));
        self.tell(from);
        // Argo tells once more that it waits.
        self.tell(from + 100);
        self.status.paused = None;
        self.tell(to);
    }

    /// An AnalysisRun of three measurements, one in five seconds.
    fn analysis(&mut self, from: i64) {
        let name = format!("service-{NUMBER}-{}-{}", hash(self.number), self.status.step);
        self.status.run = Some((name, "Running"));
        for (measured, at) in [(0, from), (1, from + 200), (2, from + 5200), (3, from + 10_200)] {
            let run = self.run(measured, from, at);
            self.push(at, Kind::AnalysisRun, &run);
            if measured == 0 {
                self.tell(at + 20);
            }
        }
        self.status.run = None;
    }

    fn tell(&mut self, at: i64) {
        let rollout = self.rollout(self.at(at));
        self.push(at, Kind::Rollout, &rollout);
    }

    fn set(&mut self, at: i64, available: u32) {
        let set = self.replica_set(self.at(at), available);
        self.push(at, Kind::ReplicaSet, &set);
    }

    fn rollout(&self, now: Timestamp) -> Value {
        let Self { number, status, .. } = self;
        let numbered = if status.numbered { *number } else { number - 1 };
        let known = if status.observed { *number } else { number - 1 };
        let name = format!("service-{NUMBER}");
        let fields = [
            "annotations",
            "progressDeadlineSeconds",
            "replicas",
            "revisionHistoryLimit",
            "selector",
            "matchLabels",
            "strategy",
            "steps",
            "template",
            "labels",
            "containers",
            "availableReplicas",
            "conditions",
            "currentPodHash",
            "currentStepHash",
            "currentStepIndex",
            "message",
            "observedGeneration",
            "phase",
            "stableRS",
        ];
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "uid": ROLLOUT_UID,
                "generation": number, "resourceVersion": now.as_millisecond().to_string(),
                "creationTimestamp": second(BEGAN),
                "annotations": { "rollout.argoproj.io/revision": numbered.to_string() },
                "managedFields": managed(now, &fields),
            },
            "spec": {
                "progressDeadlineSeconds": 600, "replicas": 3, "revisionHistoryLimit": 10,
                "selector": { "matchLabels": { "app": name } },
                "strategy": { "canary": {
                    "stableService": "stable", "canaryService": "canary",
                    "trafficRouting": { "nginx": { "stableIngress": "shop" } },
                    "steps": [
                        { "setWeight": 20 }, { "pause": { "duration": "20s" } },
                        { "analysis": { "templates": [{ "templateName": "success-rate" }] } },
                        { "setWeight": 60 }, { "pause": { "duration": 10 } },
                        { "analysis": { "templates": [{ "templateName": "success-rate" }] } },
                    ],
                } },
                "template": {
                    "metadata": { "labels": labels(*number) },
                    "spec": { "containers": [container(*number)] },
                },
            },
            "status": self.status_of(known, now),
        })
    }

    fn status_of(&self, known: u32, now: Timestamp) -> Value {
        let status = &self.status;
        let condition = |kind: &str, is: bool, reason: &str, message: &str| {
            json!({
                "type": kind, "status": if is { "True" } else { "False" },
                "reason": reason, "message": message,
                "lastTransitionTime": second(status.since), "lastUpdateTime": second(now),
            })
        };
        let set = format!("ReplicaSet \"service-{NUMBER}-{}\" is progressing.", hash(known));
        let at_rest = status.healthy || known != self.number;
        let mut told = json!({
            "HPAReplicas": 3, "availableReplicas": 3, "readyReplicas": 3, "replicas": 3,
            "updatedReplicas": status.updated, "blueGreen": {},
            "canary": { "weights": {
                "canary": {
                    "podTemplateHash": hash(known), "serviceName": "canary",
                    "weight": status.weight,
                },
                "stable": {
                    "podTemplateHash": hash(status.stable), "serviceName": "stable",
                    "weight": 100 - status.weight,
                },
            } },
            "conditions": [
                condition("Available", true, "AvailableReason", "Rollout has minimum availability"),
                condition("Paused", status.paused.is_some(), "RolloutPaused", "Rollout is paused"),
                condition("Completed", status.completed, "RolloutCompleted", "RolloutCompleted"),
                condition("Healthy", at_rest, "RolloutHealthy", "Rollout is healthy"),
                condition("Progressing", true, "ReplicaSetUpdated", &set),
            ],
            "currentPodHash": hash(known),
            "currentStepHash": "86694fdffc",
            "currentStepIndex": if known == self.number { status.step } else { STEPS },
            "message": "more replicas need to be updated",
            "observedGeneration": known.to_string(),
            "phase": if at_rest { "Healthy" } else { "Progressing" },
            "selector": format!("app=service-{NUMBER}"),
            "stableRS": hash(status.stable),
        });
        if let Some(since) = status.paused {
            let pause = json!({ "reason": "CanaryPauseStep", "startTime": second(since) });
            told["pauseConditions"] = json!([pause]);
            told["controllerPause"] = json!(true);
        }
        if let Some((name, phase)) = &status.run {
            let run = json!({ "name": name, "status": phase });
            told["canary"]["currentStepAnalysisRunStatus"] = run;
        }
        told
    }

    fn replica_set(&self, now: Timestamp, available: u32) -> Value {
        let hash = hash(self.number);
        let mut labels = labels(self.number);
        labels["rollouts-pod-template-hash"] = json!(hash);
        let fields = ["annotations", "labels", "ownerReferences", "replicas", "selector"];
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": format!("service-{NUMBER}-{hash}"), "namespace": NAMESPACE,
                "uid": set_uid(self.number), "generation": 1,
                "resourceVersion": now.as_millisecond().to_string(),
                "creationTimestamp": second(self.start), "labels": labels,
                "annotations": {
                    "rollout.argoproj.io/desired-replicas": "3",
                    "rollout.argoproj.io/revision": self.number.to_string(),
                },
                "ownerReferences": [owner("Rollout", &format!("service-{NUMBER}"), ROLLOUT_UID)],
                "managedFields": managed(now, &fields),
            },
            "spec": {
                "replicas": 3,
                "selector": { "matchLabels": {
                    "app": format!("service-{NUMBER}"), "rollouts-pod-template-hash": hash,
                } },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "containers": [container(self.number)], "restartPolicy": "Always",
                        "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
                        "securityContext": {}, "schedulerName": "default-scheduler",
                    },
                },
            },
            "status": { "availableReplicas": available, "replicas": 3, "observedGeneration": 1 },
        })
    }

    fn run(&self, measured: usize, from: i64, now: i64) -> Value {
        let (hash, step) = (hash(self.number), self.status.step);
        let over = measured == 3;
        let measurements: Vec<_> = (0_i64..)
            .take(measured)
            .map(|n| {
                let at = second(self.at(from + 200 + 5000 * n));
                json!({
                    "startedAt": at, "finishedAt": at, "phase": "Successful", "value": "[0.99]",
                })
            })
            .collect();
        let phase = match measured {
            0 => "Pending",
            3 => "Successful",
            _ => "Running",
        };
        let mut run = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
            "metadata": {
                "name": format!("service-{NUMBER}-{hash}-{}-{step}", self.number),
                "namespace": NAMESPACE,
                "uid": format!("1f18e6e4-{step:04}-40c0-{:04}-0000000{NUMBER}", self.number),
                "generation": measured, "resourceVersion": now.to_string(),
                "creationTimestamp": second(self.at(from)),
                "annotations": { "rollout.argoproj.io/revision": self.number.to_string() },
                "labels": {
                    "app": format!("service-{NUMBER}"), "rollout-type": "Step",
                    "rollouts-pod-template-hash": hash, "step-index": step.to_string(),
                },
                "ownerReferences": [owner("Rollout", &format!("service-{NUMBER}"), ROLLOUT_UID)],
                "managedFields": managed(self.at(now), &["labels", "metrics", "runSummary"]),
            },
            "spec": { "metrics": [{
                "count": 3, "failureLimit": 0, "interval": "5s", "name": "success-rate",
                "provider": { "prometheus": {
                    "address": "http://prometheus.example", "query": "sum(rate(requests[1m]))",
                } },
                "successCondition": "result[0] >= 0.95",
            }] },
            "status": { "phase": phase, "runSummary": { "count": 1 } },
        });
        if measured > 0 {
            run["status"]["startedAt"] = json!(second(self.at(from + 200)));
            run["status"]["metricResults"] = json!([{
                "name": "success-rate", "phase": phase, "count": measured,
                "successful": measured, "measurements": measurements,
            }]);
        }
        if over {
            run["status"]["completedAt"] = json!(second(self.at(now)));
        }
        run
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

    fn app_version(&self, now: Timestamp, phases: usize) -> Value {
        let names = [
            "AppPreDeployTasks",
            "AppPreDeployEvaluations",
            "AppDeploy",
            "AppPostDeployTasks",
            "AppPostDeployEvaluations",
        ];
        let carried = names.into_iter().zip(1..).take(phases);
        let traces: serde_json::Map<_, _> = carried
            .map(|(name, n)| {
                (name.to_owned(), json!({ "traceparent": traceparent(self.number, n) }))
            })
            .collect();
        let over = phases == names.len();
        let mut spec = json!({
            "appName": format!("app-{NUMBER}"), "revision": 1, "version": version(self.number),
            "workloads": [{
                "name": format!("service-{NUMBER}"), "version": version(self.number),
            }],
        });
        if self.number > 1 {
            spec["spanLinks"] = json!([traceparent(self.number - 1, 3)]);
        }
        let phase = names.get(phases.max(1) - 1).copied().unwrap_or_default();
        let mut version = json!({
            "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnAppVersion",
            "metadata": {
                "name": format!("app-{NUMBER}-{}-6b86b273", version(self.number)),
                "namespace": NAMESPACE, "creationTimestamp": second(self.at(600)),
                "managedFields": managed(now, &["spec", "currentPhase", "phaseTraceIDs"]),
            },
            "spec": spec,
            "status": {
                "currentPhase": if over { "Completed" } else { phase },
                "phaseTraceIDs": traces,
                "status": if over { "Succeeded" } else { "Progressing" },
            },
        });
        if over {
            version["status"]["endTime"] = json!(second(now));
        }
        version
    }
}

fn container(number: u32) -> Value {
    json!({
        "name": "main", "image": format!("registry.example/service-{NUMBER}:{}", version(number)),
        "resources": {}, "imagePullPolicy": "IfNotPresent",
    })
}

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "name": name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    })
}
