//! Switches of a blue-green Rollout, and the analyses before and after them.

use throughline_tests::shop::{BlueGreen, Gauge};

use super::{Outcome, SECOND, Story, THIRD};

fn both(promotion: Option<u32>) -> BlueGreen {
    BlueGreen {
        promotion,
        before: Some("before".into()),
        after: Some("after".into()),
        scale_down_delay: 1,
        ..BlueGreen::default()
    }
}

#[tokio::test]
async fn the_analysis_before_the_switch_passes_and_then_fails() -> Outcome {
    let story = Story::begin("before").await?;
    let gauge = Gauge::show(0.99).await?;
    for template in ["before", "after"] {
        story.shop.analysis_template(template, &gauge.metric().count(1)).await?;
    }
    let manifest = story.rollout("cart").blue_green(both(Some(1)));
    let mut cart = story.first(manifest).await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    gauge.set(0.5);
    cart.apply_version("3.0.0").await?;
    cart.aborted().await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "pause BlueGreen planned=1 Timer",
                "analysis PrePromotion Successful",
                "  success-rate 0.99 Successful",
                "analysis PostPromotion Successful",
                "  success-rate 0.99 Successful",
                "switch Preview new",
                "switch Active new",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  switch preview new",
                "  switch active new",
                "  pause blue_green 1 timer",
                "  pre-promotion analysis Successful",
                "    measure success-rate 0.99 Successful",
                "  post-promotion analysis Successful",
                "    measure success-rate 0.99 Successful",
                "  become healthy",
            ],
        )
        .await?;
    // Nobody but those who ask for the preview has met it.
    story
        .shows(
            &cart,
            THIRD,
            &[
                "analysis PrePromotion Failed",
                "  success-rate 0.5 Failed",
                "switch Preview new",
                "Aborted by PrePromotionAnalysis: AnalysisFailed: success-rate: 0.5 \
                 (pre-promotion)",
            ],
            &[
                "rollout cart aborted !analysis_failed",
                "  switch preview new",
                "  pre-promotion analysis Failed !analysis_failed",
                "    measure success-rate 0.5 Failed !analysis_failed",
                "  recover",
            ],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn the_analysis_after_the_switch_takes_it_back() -> Outcome {
    let story = Story::begin("after").await?;
    let (good, bad) = (Gauge::show(0.99).await?, Gauge::show(0.5).await?);
    story.shop.analysis_template("before", &good.metric().count(1)).await?;
    story.shop.analysis_template("after", &bad.metric().count(1)).await?;
    let mut cart = story.first(story.rollout("cart").blue_green(both(None))).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    let passed = |journal: &timeline::journal::Journal| {
        journal.analyses.first().is_some_and(|run| run.closed.is_some())
    };
    story.attempts.until("cart", SECOND, "with an analysis that is over", passed).await?;
    cart.promote().await?;
    cart.aborted().await?;
    let (_, trace) = story
        .shows(
            &cart,
            SECOND,
            &[
                "pause BlueGreen Person",
                "analysis PrePromotion Successful",
                "  success-rate 0.99 Successful",
                "analysis PostPromotion Failed",
                "  success-rate 0.5 Failed",
                "switch Preview new",
                "switch Active new",
                "switch Active stable",
                "Aborted by PostPromotionAnalysis: AnalysisFailed: success-rate: 0.5 \
                 (post-promotion), exposed",
            ],
            &[
                "rollout cart aborted !analysis_failed",
                "  switch preview new",
                "  switch active new",
                "  switch active stable",
                "  pause blue_green person",
                "  pre-promotion analysis Successful",
                "    measure success-rate 0.99 Successful",
                "  post-promotion analysis Failed !analysis_failed",
                "    measure success-rate 0.5 Failed !analysis_failed",
                "  recover",
            ],
        )
        .await?;
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tag("argo_rollouts.strategy"), Some("blue_green"));
    assert_eq!(root.tag("argo_rollouts.abort.cause"), Some("post_promotion_analysis"));
    Ok(())
}

#[tokio::test]
async fn without_analyses_a_person_or_nobody_switches() -> Outcome {
    let story = Story::begin("switch").await?;
    let plain = |promotion| BlueGreen { promotion, scale_down_delay: 1, ..BlueGreen::default() };
    let mut cart = story.first(story.rollout("cart").blue_green(plain(None))).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    cart.change(|it| it.version("3.0.0").blue_green(plain(Some(0)))).await?;
    cart.healthy_at("3.0.0").await?;
    let switched = ["switch Preview new", "switch Active new", "Promoted, exposed"];
    let by_hand = [&["pause BlueGreen Person"], &switched[..]].concat();
    let spans = [
        "rollout cart promoted",
        "  switch preview new",
        "  switch active new",
        "  pause blue_green person",
        "  become healthy",
    ];
    story.shows(&cart, SECOND, &by_hand, &spans).await?;
    let spans = [spans[0], spans[1], spans[2], spans[4]];
    story.shows(&cart, THIRD, &switched, &spans).await?;
    Ok(())
}
