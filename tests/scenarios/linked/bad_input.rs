//! Objects that are broken, absurd or hostile: each harms only itself, and is named.
//!
//! The cluster is one without Argo and Keptn: the test writes their objects itself, and its
//! Rollout CRD takes anything.

use std::collections::BTreeMap;

use api::RolloutTrace;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use throughline_tests::chain::Chains;
use throughline_tests::cluster::{Cluster, Namespace, Options};
use throughline_tests::keptn;
use throughline_tests::operator::{Operator, Settings, install};

use super::Outcome;
use super::interference::condition;

const LOOSE: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  names: {kind: Rollout, listKind: RolloutList, plural: rollouts, singular: rollout}
  scope: Namespaced
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

/// A hand that plays Argo and Keptn in one namespace.
struct Hand {
    client: Client,
    namespace: Namespace,
    chains: Chains,
}

impl Hand {
    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), self.namespace.name(), &resource)
    }

    /// Makes or changes a Rollout; returns its UID.
    async fn rollout(&self, name: &str, status: Value) -> Result<String, kube::Error> {
        let rollout = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": { "name": name, "annotations": { "rollout.argoproj.io/revision": "1" } },
            "status": status,
        });
        let rollouts = self.api("argoproj.io", "v1alpha1", "Rollout");
        let params = PatchParams::apply("argo").force();
        let stored = rollouts.patch(name, &params, &Patch::Apply(&rollout)).await?;
        Ok(stored.uid().unwrap_or_default())
    }

    /// Makes a ReplicaSet of a Rollout with these annotations on its pods.
    async fn replica_set(
        &self,
        rollout: &str,
        uid: &str,
        hash: &str,
        keptn: &[(&str, &str)],
    ) -> Result<(), kube::Error> {
        let labels = json!({ "app": rollout, "rollouts-pod-template-hash": hash });
        let keptn: BTreeMap<_, _> = keptn.iter().copied().collect();
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": {
                "name": format!("{rollout}-{hash}"),
                "labels": labels,
                "annotations": { "rollout.argoproj.io/revision": "1" },
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": rollout,
                    "uid": uid, "controller": true,
                }],
            },
            "spec": {
                "replicas": 0,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels, "annotations": keptn },
                    "spec": { "containers": [{ "name": "c", "image": "example/c:1" }] },
                },
            },
        }))
        .map_err(kube::Error::SerdeError)?;
        self.namespace.api().create(&PostParams::default(), &set).await.map(drop)
    }

    /// Makes a KeptnAppVersion whose phase AppDeploy carries this text.
    async fn app_version(
        &self,
        app: &str,
        workload: &str,
        version: &str,
        traceparent: &str,
    ) -> Result<(), kube::Error> {
        let versions = self.api("lifecycle.keptn.sh", "v1", "KeptnAppVersion");
        let name = format!("{workload}-{version}-6b86b273");
        let name = &name[name.len().saturating_sub(253)..];
        let object = serde_json::from_value(json!({
            "apiVersion": "lifecycle.keptn.sh/v1",
            "kind": "KeptnAppVersion",
            "metadata": { "name": name },
            "spec": {
                "appName": app,
                "version": version,
                "workloads": [{ "name": workload, "version": version }],
            },
        }))
        .map_err(kube::Error::SerdeError)?;
        versions.create(&PostParams::default(), &object).await?;
        let carrier = json!({ "AppDeploy": { "traceparent": traceparent } });
        let status = json!({ "status": {
            "currentPhase": "AppDeploy", "status": "Progressing", "phaseTraceIDs": carrier,
        } });
        let params = PatchParams::default();
        versions.patch_status(name, &params, &Patch::Merge(status)).await.map(drop)
    }

    /// A whole and healthy Rollout `name` of app `name` at version 1, with its trace.
    async fn healthy(&self, name: &str, traceparent: &str) -> Result<(), kube::Error> {
        let uid = self.rollout(name, status("h1", "h1")).await?;
        let keptn = [("keptn.sh/workload", name), ("keptn.sh/version", "1")];
        self.replica_set(name, &uid, "h1", &keptn).await?;
        self.app_version(name, name, "1", traceparent).await
    }

    /// Waits until a condition of a Rollout's trace has this status and reason; returns its message.
    async fn says(
        &self,
        rollout: &str,
        kind: &str,
        expected: (&str, &str),
    ) -> Result<String, throughline_tests::cluster::Error> {
        let words = format!("{kind}={}, {}", expected.0, expected.1);
        let is = |trace: &RolloutTrace| {
            let (status, reason, _) = condition(trace, kind);
            (status, reason) == expected
        };
        let trace = self.chains.trace_until(rollout, &words, is).await?;
        Ok(condition(&trace, kind).2.to_owned())
    }
}

fn status(current: &str, stable: &str) -> Value {
    json!({ "currentPodHash": current, "stableRS": stable, "phase": "Healthy" })
}

fn traceparent(n: u8) -> String {
    format!("00-{n:032x}-{n:016x}-01")
}

#[tokio::test]
async fn broken_absurd_and_hostile_objects_harm_only_themselves() -> Outcome {
    let options = Options { argo: false, jaeger: false, ..Options::default() };
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(options)?));
    install(cluster).await?;
    cluster.apply(LOOSE).await?;
    let client = cluster.client().await?;
    keptn::install(&client, &keptn::crds()?).await?;
    let operator = Operator::start(cluster, "throughline", Settings::default()).await?;
    operator.ready().await?;
    let namespace = cluster.namespace("bad-input").await?;
    let chains = Chains::of(&namespace, cluster.jaeger());
    let hand = Hand { client, namespace, chains };

    // What Kubernetes lets through of a Rollout.
    hand.rollout("null-status", Value::Null).await?;
    let message = hand.says("null-status", "Linked", ("Unknown", "NoRevision")).await?;
    assert_eq!(message, "Argo has begun no revision yet");
    let mut odd = status("h1", "h1");
    odd["phase"] = json!("Meditating");
    hand.rollout("unknown-phase", odd).await?;
    hand.says("unknown-phase", "Observed", ("True", "Following")).await?;
    let mut wrong = status("h1", "h1");
    wrong["abortedAt"] = json!(["not", "a", "time"]);
    hand.rollout("wrong-type", wrong).await?;
    let message = hand.says("wrong-type", "Observed", ("False", "InvalidObject")).await?;
    assert!(message.starts_with("the Rollout cannot be read: "), "{message}");

    // Traceparents that Keptn would turn into links to nothing.
    let long = "1".repeat(200_000);
    for (name, text, expected) in [
        ("short", &traceparent(1)[..54], "a traceparent has 55 characters, this has 54"),
        ("long", &*long, "a traceparent has 55 characters, this has 200000"),
        ("upper", &traceparent(0xab).to_uppercase(), "lower-case hexadecimal digits"),
        ("zeros", &traceparent(0), "the trace id is all zeros"),
    ] {
        hand.healthy(name, text).await?;
        let message = hand.says(name, "Linked", ("False", "InvalidTraceparent")).await?;
        assert!(message.contains(expected), "{message}");
        assert!(message.contains(&format!("KeptnAppVersion {name}-1-6b86b273")), "{message}");
    }

    // A KeptnWorkloadVersion that names a ReplicaSet which is not there.
    hand.healthy("lost-set", &traceparent(7)).await?;
    let versions = hand.api("lifecycle.keptn.sh", "v1", "KeptnWorkloadVersion");
    let version = serde_json::from_value(json!({
        "apiVersion": "lifecycle.keptn.sh/v1",
        "kind": "KeptnWorkloadVersion",
        "metadata": { "name": "lost-set-lost-set-1" },
        "spec": {
            "app": "lost-set", "workloadName": "lost-set-lost-set", "version": "1",
            "resourceReference": { "uid": "none", "kind": "ReplicaSet", "name": "not-there" },
            "traceId": { "traceparent": traceparent(7) },
        },
    }))?;
    versions.create(&PostParams::default(), &version).await?;
    hand.says("lost-set", "Linked", ("True", "Linked")).await?;

    // Names at and over Kubernetes' limit, and a value as long as the API server takes.
    let (at, over) = ("a".repeat(253), "a".repeat(254));
    for (name, app, version) in [("at", &*at, "1"), ("over", &*over, "1"), ("huge", "a", &*long)] {
        let uid = hand.rollout(name, status("h1", "h1")).await?;
        let keptn =
            [("keptn.sh/workload", name), ("keptn.sh/app", app), ("keptn.sh/version", version)];
        hand.replica_set(name, &uid, "h1", &keptn).await?;
    }
    // Keptn cuts the app to make room, and then no longer finds it in front of the workload.
    let cut = format!("{}-at", "a".repeat(250));
    hand.app_version(&at, &cut, "1", &traceparent(8)).await?;
    hand.says("at", "Linked", ("True", "Linked")).await?;
    hand.chains.context_until(&at, "linked", |links| links == [traceparent(8)]).await?;
    let message = hand.says("over", "Linked", ("False", "NoWorkload")).await?;
    assert!(message.starts_with("app has 254 characters"), "{message}");
    let message = hand.says("huge", "Linked", ("False", "NoWorkload")).await?;
    assert!(message.starts_with("version has 200000 characters"), "{message}");

    // Others go on, and what was broken heals without a restart.
    hand.healthy("good", &traceparent(9)).await?;
    hand.says("good", "Linked", ("True", "Linked")).await?;
    hand.chains.context_until("good", "linked", |links| links == [traceparent(9)]).await?;
    let mut mended = status("h1", "h1");
    mended["abortedAt"] = Value::Null;
    hand.rollout("wrong-type", mended).await?;
    hand.says("wrong-type", "Observed", ("True", "Following")).await?;
    assert!(operator.metric("throughline_watch_events_total", "event=\"invalid\"").await >= 1.0);
    Ok(())
}
