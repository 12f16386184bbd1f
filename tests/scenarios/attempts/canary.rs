//! Steps and pauses of a canary, and what people do to it.

use throughline_tests::shop::{pause, pause_for, weight};

use super::{Outcome, SECOND, Story, waiting};

#[tokio::test]
async fn a_pause_lasts_as_long_as_planned_and_the_timer_ends_it() -> Outcome {
    let story = Story::begin("timed").await?;
    let steps = [weight(50), pause_for(1), weight(75), pause_for(2)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let (attempt, trace) = story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 pause 1s Completed",
                "  pause Timed planned=1 Timer",
                "2 setWeight 75 Completed",
                "3 pause 2s Completed",
                "  pause Timed planned=2 Timer",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause 1s completed",
                "    pause timed 1 timer",
                "  setWeight 75 completed",
                "  pause 2s completed",
                "    pause timed 2 timer",
                "  become healthy",
            ],
        )
        .await?;
    for (pause, planned) in attempt.journal.pauses.iter().zip([1, 2]) {
        let took = pause.ended.unwrap().at.duration_since(pause.started.at).as_secs();
        // Its start is known to the second only.
        assert!((planned..planned + 15).contains(&took), "{pause:?}");
    }
    // Steps follow each other without a gap, and the first begins with the attempt.
    let steps = &attempt.journal.steps;
    assert_eq!(steps[0].started, attempt.journal.started);
    assert!(steps.windows(2).all(|two| two[0].ended.unwrap().at == two[1].started.at), "{steps:?}");
    // Without Keptn the trace is the attempt's own.
    let root = trace.roots().next().unwrap();
    assert_eq!((root.parent(), &*root.operation.replace('/', " ")), (None, &*name(&story)));
    assert_eq!(root.tag("cicd.pipeline.result"), Some("success"));
    assert_eq!(root.tag("span.kind"), Some("server"));
    assert_eq!(root.service, "cart");
    assert_eq!(root.tag("error.type"), None);
    Ok(())
}

fn name(story: &Story) -> String {
    format!("rollout {} cart", story.shop.namespace().name())
}

#[tokio::test]
async fn who_promotes_by_hand_is_distinguished_from_the_timer() -> Outcome {
    let story = Story::begin("by-hand").await?;
    let steps = [weight(50), pause(), pause_for(60), pause_for(1)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    cart.apply_version("2.0.0").await?;
    for step in [1, 2] {
        cart.paused_at(step).await?;
        cart.promote().await?;
    }
    cart.healthy_at("2.0.0").await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 pause Completed",
                "  pause Manual Person",
                "2 pause 60s Completed",
                "  pause Timed planned=60 Person",
                "3 pause 1s Completed",
                "  pause Timed planned=1 Timer",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause completed",
                "    pause manual person",
                "  pause 60s completed",
                "    pause timed 60 person",
                "  pause 1s completed",
                "    pause timed 1 timer",
                "  become healthy",
            ],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_full_promotion_skips_what_is_left() -> Outcome {
    let story = Story::begin("full").await?;
    let steps = [weight(50), pause(), weight(75), pause()];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    cart.promote_full().await?;
    cart.healthy_at("2.0.0").await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 pause Skipped",
                "  pause Manual FullPromotion",
                "2 setWeight 75 Skipped",
                "3 pause Skipped",
                "mark FullPromotion",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause skipped",
                "    pause manual full_promotion",
                "  setWeight 75 skipped",
                "  pause skipped",
                "  become healthy",
            ],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_abort_by_hand_is_nobodys_failure() -> Outcome {
    let story = Story::begin("by-hand-aborted").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    cart.abort().await?;
    cart.aborted().await?;
    let (_, trace) = story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 pause Stopped",
                "  pause Manual End",
                "Aborted by Manual: ManualAbort: aborted by a person or a tool, exposed",
            ],
            &[
                "rollout cart aborted",
                "  setWeight 50 completed",
                "  pause stopped",
                "    pause manual end",
                "  recover",
            ],
        )
        .await?;
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tag("cicd.pipeline.result"), Some("cancellation"));
    assert_eq!(root.tag("argo_rollouts.abort.cause"), Some("manual"));
    assert!(!root.is_error());
    Ok(())
}

#[tokio::test]
async fn a_rollout_that_is_paused_as_a_whole_waits_for_a_person() -> Outcome {
    let story = Story::begin("paused").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    cart.pause().await?;
    let held = |journal: &timeline::journal::Journal| journal.pauses.len() == 2;
    story.attempts.until("cart", SECOND, "paused twice", held).await?;
    cart.unpause().await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 pause Completed",
                "  pause Manual Person",
                "pause Spec Person",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause completed",
                "    pause manual person",
                "  pause spec person",
                "  become healthy",
            ],
        )
        .await?;
    Ok(())
}
