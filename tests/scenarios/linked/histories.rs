//! What a Rollout can go through, and the chain that comes of it.

use throughline_tests::shop::{BlueGreen, Manifest, PodKind};

use super::{Outcome, Story, waiting};

#[tokio::test]
async fn three_versions_are_one_chain() -> Outcome {
    let story = Story::begin("linear").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.update(&mut cart, "2.0.0").await?;
    story.update(&mut cart, "3.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
                "3 3.0.0 Promoted [Successor 2] shop-3.0.0-4e074085 Applied",
            ],
            &["shop-3.0.0-4e074085"],
        )
        .await
}

#[tokio::test]
async fn a_workload_without_an_app_is_its_own_app() -> Outcome {
    let story = Story::begin("single-service").await?;
    let manifest = story.shop.rollout("cart").version("1.0.0").canary(super::timed());
    let mut cart = story.first(manifest).await?;
    story.update(&mut cart, "2.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] cart-1.0.0-6b86b273 None",
                "2 2.0.0 Promoted [Successor 1] cart-2.0.0-d4735e3a Applied",
            ],
            &["cart-2.0.0-d4735e3a"],
        )
        .await
}

#[tokio::test]
async fn a_version_that_keptn_hashed_is_linked_too() -> Outcome {
    let story = Story::begin("hash-version").await?;
    let cart = story.rollout("cart").annotated().apply().await?;
    cart.healthy().await?;
    story.chains.written_ahead("cart", "3391518271").await?;
    let mut cart = cart;
    cart.apply_version("2.0.0").await?;
    cart.healthy().await?;
    story.promoted(&cart, "214277426").await?;
    story
        .shows(
            "cart",
            &[
                "1 3391518271 Promoted [] shop-3391518271-6b86b273 None",
                "2 214277426 Promoted [Successor 1] shop-214277426-d4735e3a Applied",
            ],
            &["shop-214277426-d4735e3a"],
        )
        .await
}

#[tokio::test]
async fn an_unchanged_version_has_no_trace_and_the_chain_goes_on_over_it() -> Outcome {
    let story = Story::begin("same-version").await?;
    let mut cart = story.first(story.rollout("cart").env("a")).await?;
    cart.set_env("b").await?;
    cart.at_revision(2).await?;
    cart.healthy().await?;
    let same =
        ["1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None", "2 1.0.0 Promoted [Successor 1] - None"];
    let trace = story.chains.reads("cart", &same).await?;
    let reason = &trace.status.unwrap_or_default().chain[0].linked.reason;
    assert!(reason.contains("version 1.0.0 is that of revision 1 already"), "{reason}");
    story.update(&mut cart, "2.0.0").await?;
    let trace = story
        .chains
        .reads(
            "cart",
            &[same[0], same[1], "3 2.0.0 Promoted [Successor 2] shop-2.0.0-d4735e3a Applied"],
        )
        .await?;
    story.chains.jaeger_agrees(&trace, &[]).await?;
    Ok(story.chains.context_links("shop", &["shop-2.0.0-d4735e3a"]).await?)
}

#[tokio::test]
async fn the_fix_follows_what_is_live_and_what_was_aborted() -> Outcome {
    let story = Story::begin("abort-fix").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    story.chains.written_ahead("cart", "2.0.0").await?;
    cart.abort().await?;
    cart.aborted().await?;
    // What is live and what failed are both written ahead.
    story.chains.context_until("shop", "with two links", |links| links.len() == 2).await?;
    cart.apply_version("3.0.0").await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("3.0.0").await?;
    story.promoted(&cart, "3.0.0").await?;
    let trace = story
        .chains
        .trace_until("cart", "three attempts", |trace| {
            trace.status.as_ref().is_some_and(|status| status.chain.len() == 3)
        })
        .await?;
    let lines = throughline_tests::chain::lines(&trace);
    assert_eq!(lines[1], "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Applied");
    assert!(
        lines[2].starts_with("3 3.0.0 Promoted [Successor 1, After 2] shop-3.0.0-"),
        "{lines:?}"
    );
    assert!(lines[2].ends_with("Applied"), "{lines:?}");
    story.chains.jaeger_agrees(&trace, &[]).await?;
    story.chains.context_until("shop", "with one link", |links| links.len() == 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_retry_is_an_attempt_of_its_own() -> Outcome {
    let story = Story::begin("abort-retry").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    story.chains.written_ahead("cart", "2.0.0").await?;
    cart.abort().await?;
    cart.aborted().await?;
    let first = "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None";
    let aborted = "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Applied";
    story.chains.reads("cart", &[first, aborted]).await?;
    cart.retry().await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    let trace = story
        .chains
        .trace_until("cart", "a promoted retry", |trace| {
            let lines = throughline_tests::chain::lines(trace);
            let retry = "2#2 2.0.0 Promoted [Successor 1, RetryAfter 2]";
            lines.len() == 3 && lines[2].starts_with(retry) && !lines[2].contains(" - ")
        })
        .await?;
    story.chains.jaeger_agrees(&trace, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_rollback_has_a_trace_of_its_own() -> Outcome {
    let story = Story::begin("rollback").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.update(&mut cart, "2.0.0").await?;
    cart.undo_to(1).await?;
    cart.at_revision(3).await?;
    cart.healthy_at("1.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
                "3 1.0.0 Promoted [Rollback 2] shop-1.0.0-4e074085 Applied",
            ],
            &["shop-1.0.0-4e074085"],
        )
        .await
}

#[tokio::test]
async fn a_return_to_what_is_live_is_no_attempt() -> Outcome {
    let story = Story::begin("revert-midway").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    story.chains.written_ahead("cart", "2.0.0").await?;
    cart.apply_version("1.0.0").await?;
    cart.healthy_at("1.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Reverted [Successor 1] shop-2.0.0-d4735e3a Applied",
            ],
            &["shop-1.0.0-6b86b273", "shop-2.0.0-d4735e3a"],
        )
        .await
}

#[tokio::test]
async fn what_supersedes_follows_what_it_superseded() -> Outcome {
    let story = Story::begin("superseded").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    story.chains.written_ahead("cart", "2.0.0").await?;
    cart.apply_version("3.0.0").await?;
    cart.at_revision(3).await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("3.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Superseded [Successor 1] shop-2.0.0-d4735e3a Applied",
                "3 3.0.0 Promoted [Successor 1, Supersedes 2] shop-3.0.0-4e074085 Applied",
            ],
            &["shop-3.0.0-4e074085"],
        )
        .await
}

#[tokio::test]
async fn restarts_and_scaling_are_no_attempts() -> Outcome {
    let story = Story::begin("restart-scale").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    cart.restart().await?;
    cart.restarted().await?;
    cart.scale(5).await?;
    cart.healthy().await?;
    story
        .shows("cart", &["1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None"], &["shop-1.0.0-6b86b273"])
        .await
}

#[tokio::test]
async fn a_template_by_reference_is_followed_like_any_other() -> Outcome {
    let story = Story::begin("workload-ref").await?;
    let mut cart = story.first(story.rollout("cart").workload_ref()).await?;
    story.update(&mut cart, "2.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
            ],
            &["shop-2.0.0-d4735e3a"],
        )
        .await
}

#[tokio::test]
async fn blue_green_is_one_chain_too() -> Outcome {
    let story = Story::begin("blue-green").await?;
    let mut cart = story.first(story.rollout("cart").blue_green(BlueGreen::default())).await?;
    story.update(&mut cart, "2.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
            ],
            &["shop-2.0.0-d4735e3a"],
        )
        .await
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_followed_by_its_fix() -> Outcome {
    let story = Story::begin("bad-image").await?;
    let mut cart = story.first(story.rollout("cart").deadline(5).abort_on_deadline()).await?;
    cart.apply_version_with("2.0.0", PodKind::ImagePull).await?;
    cart.aborted().await?;
    story.chains.context_until("shop", "with two links", |links| links.len() == 2).await?;
    let fixed = |it: Manifest| it.version("3.0.0").pods(PodKind::Ready).deadline(60);
    cart.change(fixed).await?;
    cart.healthy_at("3.0.0").await?;
    story.promoted(&cart, "3.0.0").await?;
    let trace = story
        .chains
        .trace_until("cart", "three attempts", |trace| {
            let lines = throughline_tests::chain::lines(trace);
            lines.len() == 3 && lines[2].starts_with("3 3.0.0 Promoted [Successor 1, After 2] ")
        })
        .await?;
    Ok(story.chains.jaeger_agrees(&trace, &[]).await?)
}

#[tokio::test]
async fn a_rollout_that_is_made_again_begins_a_chain_of_its_own() -> Outcome {
    let story = Story::begin("made-again").await?;
    let cart = story.first(story.rollout("cart")).await?;
    cart.delete().await?;
    cart.gone().await?;
    story.chains.context_until("shop", "without our links", <[String]>::is_empty).await?;
    let mut cart = story.rollout("cart").version("2.0.0").apply().await?;
    cart.healthy_at("2.0.0").await?;
    story.promoted(&cart, "2.0.0").await?;
    story.update(&mut cart, "3.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 2.0.0 Promoted [] shop-2.0.0-d4735e3a None",
                "2 3.0.0 Promoted [Successor 1] shop-3.0.0-4e074085 Applied",
            ],
            &["shop-3.0.0-4e074085"],
        )
        .await
}

#[tokio::test]
async fn two_rollouts_of_an_app_share_its_links() -> Outcome {
    let story = Story::begin("two-workloads").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    let mut pay = story.first(story.rollout("pay")).await?;
    let (first, second) = tokio::join!(cart.apply_version("2.0.0"), pay.apply_version("2.0.0"));
    first.and(second)?;
    cart.healthy_at("2.0.0").await?;
    pay.healthy_at("2.0.0").await?;
    story.promoted(&cart, "2.0.0").await?;
    story.promoted(&pay, "2.0.0").await?;
    story.update(&mut cart, "3.0.0").await?;

    let mut others = Vec::new();
    let mut heads = std::collections::BTreeSet::new();
    for name in ["cart", "pay"] {
        let trace = story.chains.trace_until(name, "there", |_| true).await?;
        let chain = trace.status.map(|status| status.chain).unwrap_or_default();
        let traces = chain.iter().filter_map(|entry| entry.keptn.as_ref()?.traceparent.clone());
        others.extend(traces);
        heads.extend(chain[0].keptn.as_ref().and_then(|keptn| keptn.traceparent.clone()));
    }
    for (name, last) in
        [("cart", "3 3.0.0 Promoted [Successor 2]"), ("pay", "2 2.0.0 Promoted [Successor 1]")]
    {
        let trace = story
            .chains
            .trace_until(name, last, |trace| {
                let lines = throughline_tests::chain::lines(trace);
                lines.last().is_some_and(|line| line.starts_with(last) && line.ends_with("Applied"))
            })
            .await?;
        story.chains.jaeger_agrees(&trace, &others).await?;
    }
    story
        .chains
        .context_until("shop", "with the trace of each", |links| {
            links.iter().cloned().collect::<std::collections::BTreeSet<_>>() == heads
        })
        .await?;
    Ok(())
}
