//! Containers that end again and again, and are ready now and then.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};
use throughline_tests::shop::kubelet::{ago, containers, readiness};
use throughline_tests::shop::{PodKind, Router, canary_scale, kubelet, pause};

use super::{Outcome, SECOND, Story};

/// A pod that has run again since some seconds, after as many ends for want of memory.
fn up_again(pod: &Pod, restarts: u32, since: i64) -> Value {
    let mut state = kubelet::running(true, restarts);
    state["state"]["running"]["startedAt"] = json!(ago(since));
    state["lastState"] = json!({ "terminated": {
        "exitCode": 137, "reason": "OOMKilled",
        "startedAt": ago(since + 9), "finishedAt": ago(since + 2),
    } });
    json!({
        "phase": "Running",
        "conditions": readiness(true),
        "containerStatuses": containers(pod, &state),
    })
}

fn down(pod: &Pod, restarts: u32) -> Value {
    let state = json!({
        "restartCount": restarts,
        "state": { "waiting": {
            "reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container",
        } },
        "lastState": { "terminated": {
            "exitCode": 137, "reason": "OOMKilled", "startedAt": ago(9), "finishedAt": ago(0),
        } },
    });
    json!({
        "phase": "Running",
        "conditions": readiness(false),
        "containerStatuses": containers(pod, &state),
    })
}

/// argoproj/argo-rollouts#3765, #995. That a container which ends again and again is ready at this
/// second proves nothing, and a person who aborts it has seen the restarts.
#[tokio::test]
async fn an_abort_while_the_crashing_pod_happens_to_be_ready_is_explained_by_the_crashes() -> Outcome
{
    let story = Story::with_keptn("up-again").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    let pod = cart.new_pods(1).await?.remove(0);
    cart.says(&pod, &kubelet::ready(&pod)).await?;
    cart.paused_at(1).await?;
    for restarts in 1..=3 {
        cart.says(&pod, &down(&pod, restarts)).await?;
        story.shows("cart", SECOND, "OutOfMemory").await?;
        cart.says(&pod, &up_again(&pod, restarts, 0)).await?;
        let again = cart.clone();
        again.paused_at(1).await?;
    }
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: OutOfMemory by Manual = failed, exposed",
            ],
        )
        .await?;
    let reason = "OutOfMemory: cart: OOMKilled, exit code 137 (SIGKILL), 3 restarts (1 of 1 pods)";
    let failure = story.attempt("cart", SECOND).await?.status.unwrap().failure.unwrap();
    assert_eq!(failure.reason, reason);
    let (head, page) = story.explains("cart", 2).await?;
    assert!(head.ends_with(reason), "{page}");
    story.counts("cart", "failedExposed 1; exposed 1 of 1; lead N 0; recovery N 1").await
}

/// The control: it ended once, at its very beginning, and is ready since.
#[tokio::test]
async fn a_pod_that_restarted_once_long_ago_explains_no_abort_by_hand() -> Outcome {
    let story = Story::with_keptn("late-dependency").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    let pod = cart.new_pods(1).await?.remove(0);
    cart.says(&pod, &up_again(&pod, 1, 1800)).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#3765. A canary of seventy pods, and one of them runs out of memory: it is
/// the one that matters, wherever it stands among the others.
#[tokio::test]
async fn the_one_pod_of_many_that_crashes_is_named() -> Outcome {
    let story = Story::begin("many-pods").await?;
    let steps = [canary_scale(Some(70)), pause()];
    let manifest = story.rollout("cart").replicas(1).canary(steps).router(Router::Nginx);
    let mut cart = story.first(manifest.deadline(40).abort_on_deadline()).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    let mut pods = cart.new_pods(70).await?;
    pods.sort_by_key(ResourceExt::name_any);
    let last = pods.pop().unwrap();
    cart.says(&last, &down(&last, 4)).await?;
    for pod in &pods {
        cart.says(pod, &kubelet::ready(pod)).await?;
    }
    story.shows("cart", SECOND, "OutOfMemory").await?;
    cart.aborted().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: OutOfMemory by Deadline = failed, blocked",
            ],
        )
        .await?;
    let failure = story.attempt("cart", SECOND).await?.status.unwrap().failure.unwrap();
    assert_eq!(failure.pod, last.metadata.name);
    assert!(failure.reason.ends_with("(1 of 70 pods)"), "{}", failure.reason);
    Ok(())
}
