//! A leader ends, or stands still, and another goes on.

use api::RolloutTrace;
use throughline_tests::chain::lines;
use throughline_tests::shop::{pause, weight};

use super::{LEASE, Outcome, Pair, takes_over};

fn has(trace: &RolloutTrace, start: &str) -> bool {
    lines(trace).iter().any(|line| line.starts_with(start))
}

fn epoch(trace: &RolloutTrace) -> Option<i64> {
    trace.status.as_ref()?.writer_epoch
}

#[tokio::test]
async fn a_leader_that_is_asked_to_stop_hands_over_at_once() -> Outcome {
    // Longer than anybody waits for the other one: it does not wait until this has expired.
    let pair = Pair::with_lease("handed", 20 * LEASE).await?;
    let mut cart =
        pair.shop.rollout("cart").version("1.0.0").canary([weight(50), pause()]).apply().await?;
    cart.healthy_at("1.0.0").await?;
    let (first, second) = pair.leader().await?;
    let (_, text) = second.get("readyz").await.unwrap();
    assert!(text.contains("standby: ") && text.contains(" leads"), "{text}");
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;

    first.terminate().await?;
    takes_over(second).await;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    let promoted = |trace: &RolloutTrace| has(trace, "2 2.0.0 Promoted");
    let trace = pair.chains.trace_until("cart", "promoted", promoted).await?;
    assert_eq!(lines(&trace).len(), 2, "{:?}", lines(&trace));
    assert_eq!(epoch(&trace), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_killed_is_followed_when_its_lease_has_expired() -> Outcome {
    let pair = Pair::begin("killed").await?;
    let mut cart =
        pair.shop.rollout("cart").version("1.0.0").canary([weight(50), pause()]).apply().await?;
    cart.healthy_at("1.0.0").await?;
    let (first, second) = pair.leader().await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;

    first.kill();
    takes_over(second).await;
    cart.abort().await?;
    let aborted = |trace: &RolloutTrace| has(trace, "2 2.0.0 Aborted");
    let trace = pair.chains.trace_until("cart", "aborted", aborted).await?;
    assert_eq!(lines(&trace).len(), 2, "{:?}", lines(&trace));
    // More, where a busy machine has cost a leader its short lease.
    assert!(epoch(&trace) >= Some(2));
    Ok(())
}

#[tokio::test]
async fn a_leader_that_stood_still_writes_nothing_when_it_is_woken() -> Outcome {
    let pair = Pair::begin("woken").await?;
    let mut cart =
        pair.shop.rollout("cart").version("1.0.0").canary([weight(50), pause()]).apply().await?;
    cart.healthy_at("1.0.0").await?;
    let (first, second) = pair.leader().await?;
    let known = |trace: &RolloutTrace| has(trace, "1 1.0.0 Promoted");
    pair.chains.trace_until("cart", "with one attempt", known).await?;

    let counted = async || {
        let mut sum = 0.0;
        for writes in ["rollout_trace", "rollout_attempt", "app_context"] {
            let name = format!("throughline_{writes}_writes_total");
            sum += first.metric(&name, "outcome=\"stored\"").await;
        }
        sum
    };
    // It has something to write when it is woken.
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    let before = counted().await;
    first.freeze()?;
    takes_over(second).await;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    let promoted = |trace: &RolloutTrace| has(trace, "2 2.0.0 Promoted");
    pair.chains.trace_until("cart", "promoted", promoted).await?;
    first.thaw()?;
    pair.leader().await?;
    let (_, text) = first.get("readyz").await.unwrap();
    assert!(text.contains("standby: "), "{text}");
    cart.apply_version("3.0.0").await?;
    cart.paused().await?;
    let third = |trace: &RolloutTrace| has(trace, "3 3.0.0 ");
    let trace = pair.chains.trace_until("cart", "of the third", third).await?;
    assert!(epoch(&trace) >= Some(2));
    // A write that was under way when it was stopped may be answered as stored.
    assert!(counted().await <= before + 1.0, "{} after {before}", counted().await);
    Ok(())
}
