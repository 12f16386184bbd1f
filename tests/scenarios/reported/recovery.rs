//! When traffic is back on what is good: as long as it takes, and only then.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use throughline_tests::attempt::Which;
use throughline_tests::shop::{
    Manifest, PodKind, Rollout, Router, State, pause, pause_for, weight,
};

use super::{FIRST, Outcome, SECOND, Story, version};

/// With `dynamicStableScale` what is stable has as many pods as its share needs. On an abort, or a
/// return to it, the weight falls as its pods come back (trafficrouting.go
/// `calculateDesiredWeightOnAbortOrStableRollback`).
fn dynamic(story: &Story) -> Manifest {
    let steps = [weight(25), pause_for(1), weight(75), pause()];
    let manifest = story.rollout("cart").replicas(4).canary(steps).router(Router::Nginx);
    let scale = json!({ "strategy": { "canary": { "dynamicStableScale": true } } });
    manifest.fields(&scale).deadline(120)
}

fn is_back(state: &State) -> bool {
    state.canary_weight() == Some(0)
}

fn is_live(state: &State) -> bool {
    state.is_observed() && state.phase() == "Healthy" && state.current() == state.stable()
}

fn stands_at(step: u64) -> impl Fn(&State) -> bool {
    move |it| it.is_observed() && it.phase() == "Paused" && it.step() == Some(step)
}

impl Story {
    /// When users were back on what is stable, by the RolloutAttempt, and whether the ledger knows it.
    async fn traffic_back(
        &self,
        of: Which,
    ) -> Result<(Option<Timestamp>, bool), Box<dyn std::error::Error>> {
        let status = self.attempt("cart", of).await?.status.unwrap();
        let line = self.line("cart", &format!("{}.{}", of.0, of.1)).await?;
        let back = status.settled.or(status.recovered);
        Ok((back.map(|back| back.at), line.contains(" settled=")))
    }

    /// Aborted or reverted at 75 %, with no pod of what is stable but one; the weight falls when
    /// pods of it get ready, and not before.
    async fn comes_back(
        &self,
        cart: &Rollout,
        of: Which,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let away = cart.state().await?;
        assert!(
            away.canary_weight().is_some_and(|weight| weight > 0),
            "{:?}",
            away.canary_weight()
        );
        assert_eq!(self.traffic_back(of).await?, (None, false));
        let before = Timestamp::now();
        cart.ready_until("with all traffic on what is stable", is_back).await?;
        // What has happened is stored within a minute.
        let since = Instant::now();
        let at = loop {
            match self.traffic_back(of).await? {
                (Some(at), true) => break at,
                other if since.elapsed() > Duration::from_secs(75) => {
                    return Err(format!("traffic is back, and {of:?} has {other:?}").into());
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        assert!(at.as_second() >= before.as_second(), "{at} is before {before}");
        Ok(())
    }
}

/// argoproj/argo-rollouts#3888, #1430, #3020.
#[tokio::test]
async fn traffic_is_back_when_the_weight_is_zero_and_not_when_the_attempt_ends() -> Outcome {
    let story = Story::begin("dynamic").await?;
    let mut cart = dynamic(&story).pods(PodKind::ByHand).apply().await?;
    cart.ready_until("live", is_live).await?;
    story.attempts.delivered("cart", FIRST).await?;
    let by_hand =
        |version: &'static str| move |it: Manifest| it.version(version).pods(PodKind::ByHand);
    story.begins(&mut cart, by_hand("2.0.0")).await?;
    cart.ready_until("at three quarters", stands_at(3)).await?;

    // (a) An abort.
    cart.abort().await?;
    cart.aborted().await?;
    let over = |journal: &timeline::journal::Journal| journal.ended.is_some();
    story.attempts.until("cart", SECOND, "over", over).await?;
    story.comes_back(&cart, SECOND).await?;

    // (b) Once more, and then the old template is applied again.
    cart.retry().await?;
    cart.ready_until("at three quarters again", stands_at(3)).await?;
    story.begins(&mut cart, by_hand("1.0.0")).await?;
    story.attempts.until("cart", (2, 2), "over", over).await?;
    story.comes_back(&cart, (2, 2)).await?;
    cart.ready_until("live", is_live).await?;

    // (c) A revision over another one at 75 %. The revert has numbered the stable ReplicaSet 3.
    story.begins(&mut cart, by_hand("3.0.0")).await?;
    cart.ready_until("at three quarters", stands_at(3)).await?;
    story.begins(&mut cart, by_hand("4.0.0")).await?;
    let fifth = story.attempts.until("cart", (5, 1), "begun", |_| true).await?;
    cart.ready_until("at three quarters", stands_at(3)).await?;
    cart.promote().await?;
    cart.ready_until("live", is_live).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
                "2.2 Reverted, exposed = failed, exposed",
                "4.1 Superseded, exposed = superseded",
                "5.1 Promoted, exposed = deployment, makes good 2.2",
            ],
        )
        .await?;
    let figures = "deployments 1, failedExposed 2, superseded 1, fixes 1; exposed 2 of 3; lead N 0; \
                   recovery N 2";
    story.counts("cart", figures).await?;
    // The weight of what it replaces is none of its own.
    let begun = fifth.journal.started.at;
    let line = story.line("cart", "5.1").await?;
    assert!(!line.contains(" exposed=+0 "), "{line}, begun at {begun}");
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let (ended, settled) = (attempt.journal.ended.unwrap().at, attempt.journal.settled.unwrap().at);
    assert!(settled > ended, "{settled} is not after {ended}");
    Ok(())
}

/// The same with pods that nobody makes ready for a while: the root span leaves without knowing,
/// and traffic is back all the same when it is.
#[tokio::test]
async fn a_recovery_that_takes_longer_than_the_root_span_waits_for_it_is_known_in_the_end()
-> Outcome {
    let story = Story::begin("slow-recovery").await?;
    let mut cart = dynamic(&story).pods(PodKind::ByHand).apply().await?;
    cart.ready_until("live", is_live).await?;
    story.attempts.delivered("cart", FIRST).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    cart.ready_until("at three quarters", stands_at(3)).await?;
    cart.abort().await?;
    cart.aborted().await?;
    story.attempts.delivered("cart", SECOND).await?;
    story.comes_back(&cart, SECOND).await?;
    let figures = "failedExposed 1; exposed 1 of 1; lead N 0; recovery N 1";
    story.counts("cart", figures).await
}

/// argoproj/argo-rollouts#3372. Another revision begins while traffic is on its way back: that of the
/// first is back as soon as its pods get none, and it is not that of the next.
#[tokio::test]
async fn a_recovery_goes_on_when_the_next_revision_begins() -> Outcome {
    let story = Story::begin("overtaken").await?;
    let mut cart = dynamic(&story).pods(PodKind::ByHand).apply().await?;
    cart.ready_until("live", is_live).await?;
    story.attempts.delivered("cart", FIRST).await?;
    let by_hand =
        |version: &'static str| move |it: Manifest| it.version(version).pods(PodKind::ByHand);
    story.begins(&mut cart, by_hand("2.0.0")).await?;
    cart.ready_until("at three quarters", stands_at(3)).await?;
    cart.abort().await?;
    cart.aborted().await?;
    let over = |journal: &timeline::journal::Journal| journal.ended.is_some();
    story.attempts.until("cart", SECOND, "over", over).await?;
    let begun = Timestamp::now();
    story.begins(&mut cart, by_hand("3.0.0")).await?;
    cart.ready_until("at three quarters", stands_at(3)).await?;
    cart.promote().await?;
    cart.ready_until("live", is_live).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
                "3.1 Promoted, exposed = deployment, makes good 2.1",
            ],
        )
        .await?;
    let figures = "deployments 1, failedExposed 1, fixes 1; exposed 1 of 2; lead N 0; recovery N 1";
    story.counts("cart", figures).await?;
    let (back, _) = story.traffic_back(SECOND).await?;
    let back = back.ok_or("traffic is back, and it is not stored when")?;
    assert!(back.as_second() >= begun.as_second(), "{back} is before {begun}");
    let third = story.attempts.delivered("cart", super::THIRD).await?.journal;
    let promoted = third.ended.unwrap().at;
    // Kubernetes states a promotion in whole seconds.
    assert!(back.as_second() <= promoted.as_second(), "{back} is not before {promoted}");
    Ok(())
}

/// argoproj/argo-rollouts#4841. With `abortScaleDownDelaySeconds` Argo scales the canary down after
/// the weight is 0 (replicaset.go `reconcileNewReplicaSet`), and takes the weight from the pods that
/// the canary has (canary.go `GetDesiredCanaryWeight`): it stays at 25 %, and the recovery is
/// unknown, not 0.
#[tokio::test]
async fn traffic_that_never_comes_back_is_an_unknown_recovery() -> Outcome {
    let story = Story::begin("never-back").await?;
    let delay = json!({ "strategy": { "canary": { "abortScaleDownDelaySeconds": 5 } } });
    let mut cart = story.first(dynamic(&story).fields(&delay)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(3).await?;
    cart.abort().await?;
    cart.until("hanging at a quarter", |it| it.canary_weight() == Some(25)).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
            ],
        )
        .await?;
    assert_eq!(cart.state().await?.canary_weight(), Some(25));
    assert_eq!(story.traffic_back(SECOND).await?, (None, false));
    let printed = story.prints().await?;
    assert_eq!(printed["figures"]["recoveryTime"]["n"], 0);
    assert_eq!(printed["figures"]["recoveryTime"]["unknown"], 1);
    Ok(())
}

/// The control, with a router and without `dynamicStableScale`: what is stable has all its pods.
#[tokio::test]
async fn with_all_stable_pods_there_traffic_is_back_at_once() -> Outcome {
    let story = Story::begin("at-once").await?;
    let steps = [weight(75), pause()];
    let mut cart = story.first(story.rollout("cart").canary(steps).router(Router::Nginx)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, SECOND).await?;
    story.counts("cart", "failedExposed 1; exposed 1 of 1; lead N 0; recovery N 1").await?;
    let journal = story.attempts.delivered("cart", SECOND).await?.journal;
    let took = journal.settled.unwrap().at.duration_since(journal.ended.unwrap().at);
    assert!(took.as_secs() < 5, "{took}");
    Ok(())
}
