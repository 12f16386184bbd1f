//! What pods say of a failure: those that matter, by name, and as long as it holds.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use throughline_tests::shop::kubelet::{ago, condition, containers, init_containers, readiness};
use throughline_tests::shop::{PodKind, Rollout, kubelet};

use super::{Outcome, SECOND, Story, THIRD, version};

/// A pod that is over for a reason that its node has.
fn over(pod: &Pod, reason: &str, message: &str) -> Value {
    let ended = json!({ "state": { "terminated": { "exitCode": 137, "reason": "Error" } } });
    let unready = ["Ready", "ContainersReady"].map(|kind| condition(kind, false, "PodFailed", ""));
    json!({
        "phase": "Failed",
        "reason": reason,
        "message": message,
        "conditions": unready,
        "containerStatuses": containers(pod, &ended),
    })
}

/// argoproj/argo-rollouts#4365, #2093. The ReplicaSet has replaced what the kubelet ended; the object
/// of the old pod stays until the garbage collection of pods.
#[tokio::test]
async fn a_pod_that_is_over_and_replaced_is_not_to_blame() -> Outcome {
    let story = Story::begin("evicted").await?;
    let low = "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: \
               400Mi.";
    for (name, reason, message) in [
        ("cart", "Evicted", low),
        ("web", "Terminated", "Pod was terminated in response to imminent node shutdown."),
        ("pay", "OutOfcpu", "Node didn't have enough resource: cpu"),
    ] {
        let mut rollout = story.first(story.rollout(name).replicas(4)).await?;
        story.begins(&mut rollout, version("2.0.0")).await?;
        rollout.paused_at(1).await?;
        let pods = rollout.new_pods(2).await?;
        rollout.says(&pods[0], &over(&pods[0], reason, message)).await?;
        rollout.new_pods(3).await?;
        let complete = async || {
            let sets = rollout.replica_sets().await?;
            let state = rollout.state().await?;
            let new = sets.iter().find(|set| {
                set.metadata.name.as_deref() == Some(&format!("{name}-{}", state.current()))
            });
            let ready = new.and_then(|set| set.status.as_ref()?.ready_replicas);
            Ok::<_, throughline_tests::cluster::Error>(ready == Some(2))
        };
        while !complete().await? {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        // What was seen before the replacement was ready has to be taken back.
        let fine = |journal: &timeline::journal::Journal| journal.failure.is_none();
        story.attempts.until(name, SECOND, "with nothing wrong", fine).await?;
        story.aborts(&rollout, SECOND).await?;
        story.ships(&mut rollout, THIRD, version("3.0.0")).await?;
        story
            .reports(
                name,
                &[
                    "1.1 Promoted Initial, exposed = nothing",
                    "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
                    "3.1 Promoted, exposed = deployment, makes good 2.1",
                ],
            )
            .await?;
        let failure = story.attempt(name, SECOND).await?.status.unwrap().failure.unwrap();
        assert_eq!(failure.reason, "ManualAbort: aborted by a person or a tool");
        assert_eq!((failure.pod, failure.container), (None, None));
    }
    let printed = story.prints().await?;
    assert_eq!(printed["figures"]["counts"]["failedExposed"], 3);
    assert_eq!(printed["figures"]["counts"]["fixes"], 3);
    Ok(())
}

fn agent(always: bool) -> Value {
    let mut agent = json!({ "name": "otel-agent", "image": "example/otel-agent:0.9" });
    if always {
        agent["restartPolicy"] = json!("Always");
        agent["startupProbe"] =
            json!({ "exec": { "command": ["cat", "/tmp/otel-ready"] }, "failureThreshold": 100 });
    }
    json!({ "initContainers": [agent] })
}

impl Story {
    /// A Rollout whose next version has an init container, or a native sidecar, that holds up the
    /// rest.
    async fn held_up(
        &self,
        name: &str,
        always: bool,
        init: &Value,
    ) -> Result<Rollout, Box<dyn std::error::Error>> {
        let manifest = self.rollout(name).deadline(8).abort_on_deadline();
        let mut rollout = self.first(manifest).await?;
        self.begins(&mut rollout, |it| {
            it.version("2.0.0").pods(PodKind::ByHand).pod_fields(&agent(always))
        })
        .await?;
        for pod in rollout.new_pods(1).await? {
            let waits = json!({ "state": { "waiting": { "reason": "PodInitializing" } } });
            let status = json!({
                "phase": "Pending",
                "conditions": readiness(false),
                "initContainerStatuses": init_containers(&pod, init),
                "containerStatuses": containers(&pod, &waits),
            });
            rollout.says(&pod, &status).await?;
        }
        rollout.aborted().await?;
        Ok(rollout)
    }
}

/// argoproj/argo-rollouts#3366, #3714; istio/istio#49054. It is an init container that does not end:
/// what it keeps waiting is the pod.
#[tokio::test]
async fn a_native_sidecar_that_does_not_start_is_named() -> Outcome {
    let story = Story::begin("sidecar").await?;
    let mut runs = kubelet::running(false, 0);
    runs["state"]["running"]["startedAt"] = json!(ago(60));
    story.held_up("cart", true, &runs).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ProbeFailed by Deadline = failed, blocked",
            ],
        )
        .await?;
    let failure = story.attempt("cart", SECOND).await?.status.unwrap().failure.unwrap();
    assert!(failure.reason.starts_with("ProbeFailed: otel-agent: "), "{}", failure.reason);
    assert!(failure.reason.ends_with("(1 of 1 pods)"), "{}", failure.reason);
    assert_eq!(failure.container.as_deref(), Some("otel-agent"));
    assert_eq!(failure.image.as_deref(), Some("example/otel-agent:0.9"));
    assert!(failure.pod.is_some_and(|pod| pod.starts_with("cart-")));
    story.fails_with("cart", "probe_failed").await?;
    story.counts("cart", "failedBlocked 1; exposed 0 of 0; lead N 0; recovery N 0").await
}

#[tokio::test]
async fn a_native_sidecar_that_crashes_is_named() -> Outcome {
    let story = Story::begin("sidecar-crash").await?;
    let crashed = json!({
        "restartCount": 3,
        "lastState": { "terminated": {
            "exitCode": 1, "reason": "Error", "message": "cannot bind :4317",
            "startedAt": ago(42), "finishedAt": ago(40),
        } },
        "state": { "waiting": {
            "reason": "CrashLoopBackOff",
            "message": "back-off 40s restarting failed container=otel-agent",
        } },
    });
    story.held_up("cart", true, &crashed).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: CrashLoop by Deadline = failed, blocked",
            ],
        )
        .await?;
    let failure = story.attempt("cart", SECOND).await?.status.unwrap().failure.unwrap();
    let reason = "CrashLoop: otel-agent: exit code 1, 3 restarts: cannot bind :4317 (1 of 1 pods)";
    assert_eq!(failure.reason, reason);
    assert_eq!(failure.container.as_deref(), Some("otel-agent"));
    story.fails_with("cart", "crash_loop").await
}

/// The control: an init container that runs is at its work, however long.
#[tokio::test]
async fn an_init_container_that_takes_long_is_not_to_blame() -> Outcome {
    let story = Story::begin("init").await?;
    let mut runs = kubelet::running(false, 0);
    runs["started"] = json!(true);
    story.held_up("cart", false, &runs).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: DeadlineExceeded by Deadline = failed, blocked",
            ],
        )
        .await?;
    story.fails_with("cart", "deadline_exceeded").await
}

const GATE: &str = "target-health.elbv2.k8s.aws/k8s-shop-cart-1";

/// All containers run and are ready; the load balancer says no.
fn gated(pod: &Pod) -> Value {
    let words = "Health checks failed with these codes: [502]";
    let unready = format!("the status of pod readiness gate \"{GATE}\" is not \"True\", but False");
    json!({
        "phase": "Running",
        "conditions": [
            condition("Initialized", true, "", ""),
            condition("ContainersReady", true, "", ""),
            condition(GATE, false, "Target.FailedHealthChecks", words),
            condition("Ready", false, "ReadinessGatesNotReady", &unready),
        ],
        "containerStatuses": containers(pod, &kubelet::running(true, 0)),
    })
}

/// argoproj/argo-rollouts#792, #3779; kubernetes-sigs/aws-load-balancer-controller#2857.
#[tokio::test]
async fn a_readiness_gate_that_stays_false_is_named() -> Outcome {
    let story = Story::with_keptn("gate").await?;
    let manifest = story.rollout("cart").deadline(8).abort_on_deadline();
    let mut cart = story.first(manifest).await?;
    let gates = json!({ "readinessGates": [{ "conditionType": GATE }] });
    story
        .begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand).pod_fields(&gates))
        .await?;
    for pod in cart.new_pods(1).await? {
        cart.says(&pod, &gated(&pod)).await?;
    }
    cart.aborted().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ProbeFailed by Deadline = failed, blocked",
            ],
        )
        .await?;
    let failure = story.attempt("cart", SECOND).await?.status.unwrap().failure.unwrap();
    assert!(failure.reason.starts_with("ProbeFailed: "), "{}", failure.reason);
    assert!(failure.reason.contains(GATE), "{}", failure.reason);
    assert!(failure.pod.is_some_and(|pod| pod.starts_with("cart-")));
    let (head, page) = story.explains("cart", 2).await?;
    assert!(head.contains(GATE), "{page}");
    story.fails_with("cart", "probe_failed").await?;
    story.counts("cart", "failedBlocked 1; exposed 0 of 0; lead N 0; recovery N 0").await
}

/// What is merely not ready yet does not explain what a person does, and is taken back.
#[tokio::test]
async fn a_readiness_gate_that_is_pending_explains_no_abort_by_hand() -> Outcome {
    let story = Story::with_keptn("gate-by-hand").await?;
    let mut cart = story.first(story.rollout("cart").deadline(10)).await?;
    let gates = json!({ "readinessGates": [{ "conditionType": GATE }] });
    story
        .begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand).pod_fields(&gates))
        .await?;
    for pod in cart.new_pods(1).await? {
        cart.says(&pod, &gated(&pod)).await?;
    }
    story.aborts(&cart, SECOND).await?;
    story.begins(&mut cart, version("3.0.0")).await?;
    for pod in cart.new_pods(1).await? {
        cart.says(&pod, &gated(&pod)).await?;
    }
    cart.deadline_exceeded().await?;
    // That pods are not ready yet is no news of its own: it is stored with the next, or in a minute.
    let minute = std::time::Duration::from_secs(75);
    story.shows_within(minute, "cart", THIRD, "ProbeFailed").await?;
    for pod in cart.new_pods(1).await? {
        let passed = [condition("Ready", true, "", ""), condition(GATE, true, "", "")];
        cart.says(&pod, &json!({ "conditions": passed })).await?;
    }
    cart.paused_at(1).await?;
    let fine = |journal: &timeline::journal::Journal| journal.failure.is_none();
    story.attempts.until("cart", THIRD, "with nothing wrong", fine).await?;
    story.aborts(&cart, THIRD).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ManualAbort by Manual = failed, blocked",
                "3.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
            ],
        )
        .await
}

/// kubernetes-sigs/aws-load-balancer-controller#1205 and its like: a startup probe that does not pass
/// keeps a container from being started, which is no crash.
#[tokio::test]
async fn a_container_that_does_not_start_is_named() -> Outcome {
    let story = Story::begin("startup").await?;
    let manifest = story.rollout("cart").deadline(8).abort_on_deadline();
    let mut cart = story.first(manifest).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    for pod in cart.new_pods(1).await? {
        let status = json!({
            "phase": "Running",
            "conditions": readiness(false),
            "containerStatuses": containers(&pod, &kubelet::running(false, 0)),
        });
        cart.says(&pod, &status).await?;
    }
    cart.aborted().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ProbeFailed by Deadline = failed, blocked",
            ],
        )
        .await?;
    let failure = story.attempt("cart", SECOND).await?.status.unwrap().failure.unwrap();
    assert_eq!(failure.container.as_deref(), Some("cart"));
    story.fails_with("cart", "probe_failed").await
}

impl Story {
    /// The root span of the second revision says this type of error.
    pub(super) async fn fails_with(&self, rollout: &str, error: &str) -> Outcome {
        let (trace, root) = self.spans(rollout, SECOND).await?;
        let root = trace.spans.iter().find(|span| span.span_id == root);
        assert_eq!(root.and_then(|root| root.tag("error.type")), Some(error));
        Ok(())
    }
}
