//! A Rollout that is deleted, and what a person wanted to keep of it.

use api::RolloutTrace;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use timeline::base::Phase;

use super::{Outcome, Story, ledger, summary};

#[tokio::test]
async fn an_attempt_that_goes_with_its_rollout_counts_as_nothing_in_the_figures_that_are_kept()
-> Outcome {
    let story = Story::begin("kept").await?;
    let mut cart = story.first("cart").await?;
    story.promotes(&mut cart, "2.0.0", (2, 1), |it| it).await?;
    story.trace("cart", 2).await?;
    let keep = Patch::Merge(json!({ "spec": { "keepAfterDelete": true } }));
    story.traces().patch("cart", &PatchParams::default(), &keep).await?;
    let is_free = |trace: &RolloutTrace| trace.metadata.owner_references.is_none();
    story.chains.trace_until("cart", "without an owner", is_free).await?;
    cart.apply_version("3.0.0").await?;
    cart.paused_at(1).await?;
    cart.delete().await?;
    cart.gone().await?;
    let gone = story.attempts.delivered("cart", (3, 1)).await?;
    assert_eq!(gone.journal.phase, Phase::Deleted);
    // What is kept is as it was written last: an attempt under way, which counts as nothing, too.
    let kept = story.chains.trace_until("cart", "kept", |trace| trace.status.is_some()).await?;
    let ended = ["1.1 Promoted Initial exposed", "2.1 Promoted Change exposed"];
    assert_eq!(summary(&kept)[..2], ended);
    assert_eq!(ledger(&kept).iter().filter(|line| !line.open()).count(), ended.len());
    let printed = story.prints().await?;
    assert_eq!(printed["figures"]["deploymentFrequency"]["n"], 1);
    assert_eq!(printed["figures"]["changeFailRateAll"]["part"], 0);
    assert_eq!(printed["figures"]["reworkRate"]["part"], 0);
    let week = &kept.status.unwrap().dora.unwrap().figures[0];
    assert!(week.starts_with("7d: 1 deployment "), "{week}");
    // The metrics show Rollouts that are there.
    assert_eq!(story.gauge("dora_deployments", &["rollout=\"cart\""]).await, None);
    Ok(())
}
