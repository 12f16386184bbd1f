//! The objects as Argo and Keptn write them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    BEGAN, NAMESPACE, NUMBER, Play, ROLLOUT_UID, STEPS, hash, second, set_uid, traceparent, version,
};

impl Play {
    pub(super) fn rollout(&self, now: Timestamp) -> Value {
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
        let mut shown = json!({
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
            shown["pauseConditions"] = json!([pause]);
            shown["controllerPause"] = json!(true);
        }
        if let Some((name, phase)) = &status.run {
            let run = json!({ "name": name, "status": phase });
            shown["canary"]["currentStepAnalysisRunStatus"] = run;
        }
        shown
    }

    pub(super) fn replica_set(&self, now: Timestamp, available: u32) -> Value {
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

    pub(super) fn run(&self, measured: usize, from: i64, now: i64) -> Value {
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

    pub(super) fn app_version(&self, now: Timestamp, phases: usize) -> Value {
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

fn labels(number: u32) -> Value {
    json!({
        "app": format!("service-{NUMBER}"),
        "app.kubernetes.io/name": format!("service-{NUMBER}"),
        "app.kubernetes.io/part-of": format!("app-{NUMBER}"),
        "app.kubernetes.io/version": version(number),
    })
}

/// Fields that a writer owns: most of an object's metadata, and read by nobody.
pub(super) fn managed(at: Timestamp, fields: &[&str]) -> Value {
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
