//! How an attempt ends, what follows it, and what is no attempt at all.

use throughline_tests::attempt::{Attempt, Which};
use throughline_tests::jaeger::Trace;
use throughline_tests::shop::weight;

use super::{FIRST, Outcome, SECOND, Story, THIRD, timed, waiting};

/// The links of a root, as trace id and span id.
fn links(attempt: &Attempt, trace: &Trace) -> Vec<(String, String)> {
    let (_, root) = attempt.root().unwrap();
    let root = trace.spans.iter().find(|span| span.span_id == root).unwrap();
    root.links().map(|link| (link.trace_id.clone(), link.span_id.clone())).collect()
}

const PROMOTED: [&str; 6] = [
    "rollout cart promoted",
    "  setWeight 50 completed",
    "  pause 1s completed",
    "    pause timed 1 timer",
    "  setWeight 100 completed",
    "  become healthy",
];

const PROMOTED_IN_WORDS: [&str; 5] = [
    "0 setWeight 50 Completed",
    "1 pause 1s Completed",
    "  pause Timed planned=1 Timer",
    "2 setWeight 100 Completed",
    "Promoted, exposed",
];

#[tokio::test]
async fn the_first_revision_has_no_steps_and_the_second_links_to_it() -> Outcome {
    let story = Story::begin("first").await?;
    let mut cart = story.first(story.rollout("cart").canary(timed())).await?;
    let spans = ["rollout cart promoted", "  become healthy"];
    let (first, trace) = story.shows(&cart, FIRST, &["Promoted, exposed"], &spans).await?;
    assert_eq!(links(&first, &trace), []);
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let (second, trace) = story.shows(&cart, SECOND, &PROMOTED_IN_WORDS, &PROMOTED).await?;
    assert_eq!(links(&second, &trace), [first.root().unwrap()]);
    Ok(())
}

#[tokio::test]
async fn a_retry_is_an_attempt_of_its_own() -> Outcome {
    const RETRY: Which = (2, 2);
    let story = Story::begin("retry").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    cart.abort().await?;
    cart.aborted().await?;
    let aborted = story.attempts.delivered("cart", SECOND).await?;
    cart.retry().await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    let (retry, trace) = story
        .shows(
            &cart,
            RETRY,
            &[
                "0 setWeight 50 Completed",
                "1 pause Completed",
                "  pause Manual Person",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause completed",
                "    pause manual person",
                "  become healthy",
            ],
        )
        .await?;
    let first = story.attempts.delivered("cart", FIRST).await?;
    assert_eq!(links(&retry, &trace), [first.root().unwrap(), aborted.root().unwrap()]);
    assert_ne!(retry.root().unwrap().0, aborted.root().unwrap().0);
    // The aborted one stays what it was.
    let again = story.attempts.delivered("cart", SECOND).await?;
    assert_eq!(again.journal, aborted.journal);
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tags["argo_rollouts.attempt"], 2);
    Ok(())
}

#[tokio::test]
async fn what_is_stable_applied_again_reverts_the_attempt() -> Outcome {
    let story = Story::begin("revert").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    cart.apply_version("1.0.0").await?;
    cart.healthy_at("1.0.0").await?;
    let journal =
        ["0 setWeight 50 Completed", "1 pause Stopped", "  pause Manual End", "Reverted, exposed"];
    let spans = [
        "rollout cart reverted",
        "  setWeight 50 completed",
        "  pause stopped",
        "    pause manual end",
    ];
    let (_, trace) = story.shows(&cart, SECOND, &journal, &spans).await?;
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tag("cicd.pipeline.result"), Some("cancellation"));
    // Going back is the end of an attempt and not another one.
    assert_eq!(story.attempts.all().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_newer_revision_supersedes_the_attempt() -> Outcome {
    let story = Story::begin("supersede").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    cart.change(|it| it.version("3.0.0").canary(timed())).await?;
    cart.healthy_at("3.0.0").await?;
    let journal = [
        "0 setWeight 50 Completed",
        "1 pause Stopped",
        "  pause Manual End",
        "Superseded, exposed",
    ];
    let spans = [
        "rollout cart superseded",
        "  setWeight 50 completed",
        "  pause stopped",
        "    pause manual end",
    ];
    let (superseded, _) = story.shows(&cart, SECOND, &journal, &spans).await?;
    let (third, trace) = story.shows(&cart, THIRD, &PROMOTED_IN_WORDS, &PROMOTED).await?;
    let first = story.attempts.delivered("cart", FIRST).await?;
    assert_eq!(links(&third, &trace), [first.root().unwrap(), superseded.root().unwrap()]);
    assert_eq!(superseded.journal.ended.unwrap().at, third.journal.started.at);
    Ok(())
}

#[tokio::test]
async fn going_back_to_an_older_version_is_an_attempt() -> Outcome {
    let story = Story::begin("undo").await?;
    let mut cart = story.first(story.rollout("cart").canary(timed())).await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let second = story.attempts.delivered("cart", SECOND).await?;
    cart.undo_to(1).await?;
    cart.at_revision(3).await?;
    cart.healthy().await?;
    let (third, trace) = story.shows(&cart, THIRD, &PROMOTED_IN_WORDS, &PROMOTED).await?;
    assert_eq!(links(&third, &trace)[0], second.root().unwrap());
    let first = story.attempts.delivered("cart", FIRST).await?;
    assert_eq!(third.journal.identity.hash, first.journal.identity.hash);
    assert_ne!(third.root(), first.root());
    Ok(())
}

#[tokio::test]
async fn a_rollout_that_is_deleted_midway_ends_its_attempt() -> Outcome {
    let story = Story::begin("deleted").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    let placed = |journal: &timeline::journal::Journal| journal.placed.is_some();
    let open = story.attempts.until("cart", SECOND, "placed", placed).await?;
    let (trace, root) = open.root().unwrap();
    cart.delete().await?;
    cart.gone().await?;
    // Its RolloutAttempts go with it; what has left for Jaeger stays.
    let over = |trace: &Trace| trace.spans.iter().any(|span| span.span_id == root);
    let within = std::time::Duration::from_secs(30);
    let jaeger = throughline_tests::cluster::Cluster::shared()?.jaeger();
    let trace = jaeger.await_trace(&trace, within, "with its root", over).await?;
    let spans = [
        "rollout cart deleted",
        "  setWeight 50 completed",
        "  pause stopped",
        "    pause manual end",
    ];
    assert_eq!(story.attempts.tree(&trace, &root), spans);
    Ok(())
}

#[tokio::test]
async fn restarts_scaling_and_edited_steps_are_no_attempts() -> Outcome {
    let story = Story::begin("idle").await?;
    let mut cart = story.first(story.rollout("cart").canary(timed())).await?;
    cart.restart().await?;
    cart.restarted().await?;
    cart.scale(3).await?;
    cart.healthy().await?;
    cart.change(|it| it.replicas(3).canary([weight(50)])).await?;
    cart.healthy().await?;
    cart.change(|it| it.annotation("example.dev/note", "another")).await?;
    cart.healthy().await?;
    // Whatever they were taken for would come before this one.
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let journal = ["0 setWeight 50 Completed", "Promoted, exposed"];
    let spans = ["rollout cart promoted", "  setWeight 50 completed", "  become healthy"];
    story.shows(&cart, SECOND, &journal, &spans).await?;
    assert_eq!(story.attempts.all().await?.len(), 2);
    Ok(())
}
