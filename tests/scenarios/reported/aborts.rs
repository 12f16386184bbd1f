//! Aborts that Argo takes back: a client asks, and only the controller decides.

use serde_json::json;
use throughline_tests::shop::{PodKind, Rollout, State, pause, weight};

use super::{Outcome, SECOND, Story, version};

/// Argo goes on with an update that somebody wants to abort.
async fn abort_in_vain(rollout: &Rollout) -> Outcome {
    rollout.abort().await?;
    let ignored = |it: &State| it.is_observed() && !it.is_aborted() && it.aborted_at().is_empty();
    rollout.until("not aborted after all", ignored).await?;
    Ok(())
}

/// argoproj/argo-rollouts#4461. With a full promotion under way every reconcile removes the abort
/// (canary.go `RemoveAbort`), so it stands in one version of the Rollout only, without abortedAt.
#[tokio::test]
async fn an_abort_that_argo_ignores_is_no_end_of_the_attempt() -> Outcome {
    let story = Story::begin("ignored").await?;
    let steps = [weight(25), pause(), weight(50), pause()];
    let mut cart = story.first(story.rollout("cart").replicas(4).canary(steps)).await?;
    cart.apply_version_with("2.0.0", PodKind::ByHand).await?;
    cart.new_pods(1).await?;
    cart.ready_until("paused at step 1", |it| it.step() == Some(1) && !it.pauses().is_empty())
        .await?;
    cart.paused_at(1).await?;
    cart.promote_full().await?;
    // The promotion waits for pods, and nobody makes them ready yet.
    cart.new_pods(2).await?;
    abort_in_vain(&cart).await?;
    let live = |it: &State| it.is_observed() && it.phase() == "Healthy";
    cart.ready_until("live", live).await?;
    story
        .reports(
            "cart",
            &["1.1 Promoted Initial, exposed = nothing", "2.1 Promoted, exposed = deployment"],
        )
        .await?;
    story.counts("cart", "deployments 1; exposed 0 of 1; lead N 0; recovery N 0").await?;
    assert_eq!(story.links("cart", SECOND).await?, ["PreviousRevision 1.1"]);
    let journal = [
        "0 setWeight 25 Completed",
        "1 pause Skipped",
        "  pause Manual FullPromotion",
        "2 setWeight 50 Skipped",
        "3 pause Skipped",
        "mark FullPromotion",
        "Promoted, exposed",
    ];
    let attempt = story.attempts.reads("cart", SECOND, &journal).await?;
    let spans = [
        "rollout cart promoted",
        "  setWeight 25 completed",
        "  pause skipped",
        "    pause manual full_promotion",
        "  setWeight 50 skipped",
        "  pause skipped",
        "  become healthy",
    ];
    let trace = story.attempts.traced(&attempt, &spans).await?;
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tag("cicd.pipeline.result"), Some("success"));
    let failed = story.operator.metric("throughline_attempt_failures_total", "").await;
    assert!(failed < 0.1, "{failed}");
    Ok(())
}

/// The same two lines of canary.go remove it during a rollback within `rollbackWindow`.
#[tokio::test]
async fn an_abort_of_a_rollback_within_its_window_is_ignored_too() -> Outcome {
    let story = Story::begin("ignored-back").await?;
    let window = json!({ "rollbackWindow": { "revisions": 3 } });
    let manifest = story.rollout("cart").fields(&window).pods(PodKind::ByHand);
    let mut cart = manifest.apply().await?;
    let live =
        |it: &State| it.is_observed() && it.phase() == "Healthy" && it.current() == it.stable();
    cart.ready_until("live", live).await?;
    story.attempts.delivered("cart", super::FIRST).await?;
    story.ships(&mut cart, SECOND, |it| it.version("2.0.0").pods(PodKind::Ready)).await?;
    story.begins(&mut cart, |it| it.version("1.0.0").pods(PodKind::ByHand)).await?;
    cart.new_pods(1).await?;
    abort_in_vain(&cart).await?;
    cart.ready_until("live again", live).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = failed deployment",
                "3.1 Promoted Rollback, exposed = rollback, makes good 2.1",
            ],
        )
        .await?;
    story
        .counts(
            "cart",
            "deployments 1, failedLive 1, rollbacks 1; exposed 1 of 1; lead N 0; recovery N 1",
        )
        .await?;
    assert_eq!(story.links("cart", super::THIRD).await?, ["RollsBack 2.1"]);
    Ok(())
}

/// An abort that comes too late: Argo removes it from what is promoted already (controller.go).
#[tokio::test]
async fn an_abort_of_what_is_live_already_is_no_attempt() -> Outcome {
    let story = Story::begin("too-late").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.ships(&mut cart, SECOND, version("2.0.0")).await?;
    abort_in_vain(&cart).await?;
    cart.healthy().await?;
    story.ships(&mut cart, super::THIRD, version("3.0.0")).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = deployment",
                "3.1 Promoted, exposed = deployment",
            ],
        )
        .await?;
    story.counts("cart", "deployments 2; exposed 0 of 2; lead N 0; recovery N 0").await
}

/// argoproj/argo-rollouts#2929, #3120. Aborted before any pod is there, and tried again at once: Argo
/// has confirmed it, however short that was, and the pods of the second try hit nobody in the first.
#[tokio::test]
async fn an_abort_that_is_taken_back_at_once_has_ended_an_attempt() -> Outcome {
    let story = Story::beside_keptn("at-once").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    cart.abort().await?;
    cart.aborted().await?;
    cart.retry().await?;
    cart.ready_until("paused at step 1", |it| it.step() == Some(1) && !it.pauses().is_empty())
        .await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    let live = |it: &State| it.is_observed() && it.phase() == "Healthy";
    cart.ready_until("live", live).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ManualAbort by Manual = failed, blocked",
                "2.2 Promoted, exposed = deployment",
            ],
        )
        .await?;
    assert_eq!(story.links("cart", (2, 2)).await?, ["PreviousRevision 1.1", "RetryOf 2.1"]);
    story
        .counts("cart", "deployments 1, failedBlocked 1; exposed 0 of 1; lead N 0; recovery N 0")
        .await
}
