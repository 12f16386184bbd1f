//! Objects as Argo and Keptn write them: fields, conditions and sizes of `tests/recordings`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::keptn::generation_hash;

/// A Rollout that is the only workload of an app of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct App {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// One of its revisions, from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Revision<'a> {
    pub(super) app: &'a App,
    pub(super) number: u32,
}

impl App {
    pub(super) fn revision(&self, number: u32) -> Revision<'_> {
        Revision { app: self, number }
    }
}

impl Revision<'_> {
    fn version(&self) -> String {
        format!("{}.0.0", self.number)
    }

    fn hash(&self) -> String {
        self.digits("template", 10)
    }

    fn replica_set(&self) -> String {
        format!("{}-{}", self.app.name, self.hash())
    }

    /// Name of its KeptnAppVersion.
    pub(super) fn app_version(&self) -> String {
        let generation = generation_hash(self.number.into());
        format!("{}-{}-{generation}", self.app.name, self.version())
    }

    /// Context of the span of a phase.
    pub(super) fn traceparent(&self, phase: &str) -> String {
        format!("00-{}-{}-01", self.digits("trace", 32), self.digits(phase, 16))
    }

    fn digits(&self, what: &str, count: usize) -> String {
        let App { namespace, name } = self.app;
        let seed = format!("{namespace}/{name}/{}/{what}", self.number);
        let mut text = String::new();
        for byte in Sha256::digest(seed) {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.truncate(count);
        text
    }

    fn labels(&self) -> Value {
        json!({
            "app": self.app.name,
            "app.kubernetes.io/name": self.app.name,
            "app.kubernetes.io/part-of": self.app.name,
            "app.kubernetes.io/version": self.version(),
        })
    }

    /// What Argo makes the Rollout of: applied by a person, at this revision.
    pub(super) fn rollout(&self) -> Value {
        let name = &self.app.name;
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {
                "name": name,
                "annotations": { "rollout.argoproj.io/revision": self.number.to_string() },
            },
            "spec": {
                "progressDeadlineSeconds": 600,
                "replicas": 3,
                "revisionHistoryLimit": 3,
                "selector": { "matchLabels": { "app": name } },
                "strategy": { "canary": { "steps": [
                    { "setWeight": 34 }, { "pause": { "duration": 4 } },
                    { "setWeight": 67 }, { "pause": { "duration": 4 } },
                ] } },
                "template": {
                    "metadata": { "labels": self.labels() },
                    "spec": { "containers": [self.container()] },
                },
            },
        })
    }

    /// What changes in the Rollout when this revision is applied.
    pub(super) fn applied(&self) -> Value {
        json!({
            "metadata": {
                "annotations": { "rollout.argoproj.io/revision": self.number.to_string() },
            },
            "spec": { "template": {
                "metadata": { "labels": self.labels() },
                "spec": { "containers": [self.container()] },
            } },
        })
    }

    fn container(&self) -> Value {
        let App { name, .. } = self.app;
        json!({ "name": name, "image": format!("example/{name}:{}", self.version()), "resources": {} })
    }

    /// Status of the Rollout while this revision is under way, or when it is healthy. The first
    /// one is called stable at once.
    pub(super) fn rollout_status(&self, healthy: bool, now: Timestamp) -> Value {
        let stable = if healthy || self.number == 1 {
            self.hash()
        } else {
            self.app.revision(self.number - 1).hash()
        };
        let condition = |kind: &str, is: bool, reason: &str, message: &str| {
            json!({
                "type": kind, "status": if is { "True" } else { "False" },
                "reason": reason, "message": message,
                "lastTransitionTime": second(now), "lastUpdateTime": second(now),
            })
        };
        let set = self.replica_set();
        let progress = format!("ReplicaSet \"{set}\" is progressing.");
        json!({ "status": {
            "HPAReplicas": 3, "availableReplicas": 3, "readyReplicas": 3, "replicas": 3,
            "updatedReplicas": if healthy { 3 } else { 1 },
            "blueGreen": {}, "canary": {},
            "conditions": [
                condition("Available", true, "AvailableReason", "Rollout has minimum availability"),
                condition("Paused", false, "RolloutPaused", "Rollout is paused"),
                condition("Completed", healthy, "RolloutCompleted", "RolloutCompleted"),
                condition("Healthy", healthy, "RolloutHealthy", "Rollout is healthy"),
                condition("Progressing", true, "ReplicaSetUpdated", &progress),
            ],
            "currentPodHash": self.hash(),
            "currentStepHash": "86694fdffc",
            "currentStepIndex": if healthy { 4 } else { 0 },
            "observedGeneration": self.number.to_string(),
            "phase": if healthy { "Healthy" } else { "Progressing" },
            "selector": format!("app={}", self.app.name),
            "stableRS": stable,
        } })
    }

    /// The ReplicaSet that Argo makes.
    pub(super) fn replica_set_of(&self, rollout_uid: &str) -> Value {
        let mut labels = self.labels();
        labels["rollouts-pod-template-hash"] = json!(self.hash());
        let mut container = self.container();
        container["terminationMessagePath"] = json!("/dev/termination-log");
        container["terminationMessagePolicy"] = json!("File");
        container["imagePullPolicy"] = json!("IfNotPresent");
        json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": self.replica_set(),
                "labels": labels,
                "annotations": {
                    "rollout.argoproj.io/desired-replicas": "3",
                    "rollout.argoproj.io/revision": self.number.to_string(),
                },
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                    "name": self.app.name, "uid": rollout_uid,
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": {
                "replicas": 0,
                "selector": { "matchLabels": {
                    "app": self.app.name, "rollouts-pod-template-hash": self.hash(),
                } },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "containers": [container],
                        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                        "dnsPolicy": "ClusterFirst", "securityContext": {},
                        "schedulerName": "default-scheduler",
                    },
                },
            },
        })
    }

    /// The KeptnAppVersion, linked to the revision before.
    pub(super) fn keptn_app_version(&self) -> Value {
        let mut spec = json!({
            "appName": self.app.name,
            "revision": 1,
            "version": self.version(),
            "workloads": [{ "name": self.app.name, "version": self.version() }],
        });
        if self.number > 1 {
            let before = self.app.revision(self.number - 1);
            spec["previousVersion"] = json!(before.version());
            spec["spanLinks"] = json!([before.traceparent("AppDeploy")]);
        }
        json!({
            "apiVersion": "lifecycle.keptn.sh/v1",
            "kind": "KeptnAppVersion",
            "metadata": { "name": self.app_version() },
            "spec": spec,
        })
    }

    /// The same as Keptn creates it where no KeptnAppContext has links: it is to be asked about.
    pub(super) fn unlinked_app_version(&self) -> Value {
        let mut version = self.keptn_app_version();
        if let Some(spec) = version["spec"].as_object_mut() {
            spec.remove("spanLinks");
        }
        version
    }

    /// Its status when the phase AppDeploy has begun, or when all is over.
    pub(super) fn app_version_status(&self, over: bool, now: Timestamp) -> Value {
        let mut phases = vec!["AppPreDeployTasks", "AppPreDeployEvaluations", "AppDeploy"];
        if over {
            phases.extend(["AppPostDeployTasks", "AppPostDeployEvaluations"]);
        }
        let carrier = |phase: &str| json!({ "traceparent": self.traceparent(phase) });
        let traces: serde_json::Map<_, _> =
            phases.into_iter().map(|phase| (phase.to_owned(), carrier(phase))).collect();
        let state = if over { "Succeeded" } else { "Progressing" };
        let mut status = json!({
            "currentPhase": if over { "Completed" } else { "AppDeploy" },
            "phaseTraceIDs": traces,
            "preDeploymentStatus": "Succeeded", "preDeploymentEvaluationStatus": "Succeeded",
            "startTime": second(now),
            "status": state, "workloadOverallStatus": state,
            "workloadStatus": [{
                "status": state,
                "workload": { "name": self.app.name, "version": self.version() },
            }],
        });
        if over {
            status["endTime"] = json!(second(now));
        }
        json!({ "status": status })
    }

    /// The KeptnWorkloadVersion, which names the app's trace.
    pub(super) fn keptn_workload_version(&self, replica_set_uid: &str) -> Value {
        let App { name, .. } = self.app;
        json!({
            "apiVersion": "lifecycle.keptn.sh/v1",
            "kind": "KeptnWorkloadVersion",
            "metadata": { "name": format!("{name}-{name}-{}", self.version()) },
            "spec": {
                "app": name,
                "version": self.version(),
                "workloadName": format!("{name}-{name}"),
                "resourceReference": {
                    "kind": "ReplicaSet", "name": self.replica_set(), "uid": replica_set_uid,
                },
                "traceId": { "traceparent": self.traceparent("AppDeploy") },
            },
        })
    }
}

// As Kubernetes writes times: to the second.
fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_revision_has_a_trace_of_its_own_and_follows_the_one_before() {
        let app = App { namespace: "n".into(), name: "cart".into() };
        let [first, second] = [1, 2].map(|number| app.revision(number));
        let link = first.traceparent("AppDeploy");
        assert_eq!(link.len(), 55);
        assert_ne!(link[3..35], second.traceparent("AppDeploy")[3..35]);
        assert_eq!(second.keptn_app_version()["spec"]["spanLinks"], json!([link]));
        assert_eq!(second.app_version(), "cart-2.0.0-d4735e3a");
        let status = second.rollout_status(false, Timestamp::UNIX_EPOCH);
        assert_eq!(status["status"]["stableRS"], json!(first.hash()));
        assert_eq!(super::second(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00Z");
    }
}
