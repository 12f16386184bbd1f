//! A RolloutTrace that somebody deletes.

use std::time::Duration;

use kube::api::DeleteParams;
use tokio::time::{sleep, timeout};

use super::figures::LIFE;
use super::{Outcome, Story, ledger, summary};

#[tokio::test]
async fn a_lost_ledger_is_rebuilt_from_the_attempts_that_are_left_and_the_rest_is_unknown()
-> Outcome {
    let story = Story::begin("lost").await?;
    drop(story.lives().await?);
    let whole = story.trace("cart", LIFE.len()).await?;
    // While the operator runs nothing is lost: it has all of it in memory.
    story.traces().delete("cart", &DeleteParams::default()).await?;
    let again = story.trace("cart", LIFE.len()).await?;
    assert_ne!(again.metadata.uid, whole.metadata.uid);
    assert_eq!(summary(&again), LIFE);
    // While it is away, all but the five attempts that are kept is.
    let five = async {
        while story.attempts.all().await?.len() > 5 {
            // Polls the condition in the API server, until the timeout below.
            sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, throughline_tests::cluster::Error>(())
    };
    timeout(Duration::from_secs(30), five).await??;
    story.operator.kill();
    story.traces().delete("cart", &DeleteParams::default()).await?;
    story.operator.resume()?;
    let left = story.trace("cart", 5).await?;
    assert_eq!(summary(&left), LIFE[LIFE.len() - 5..]);
    let oldest = ledger(&left).last().map(|line| line.started);
    assert_eq!(left.status.as_ref().unwrap().known_since, oldest);
    let week = &left.status.unwrap().dora.unwrap().figures[0];
    // 7 is live again and failed by the rollback, 10 is good; 11 was reverted: 2 of 3.
    assert!(week.starts_with("7d: at least 2 deployments"), "{week}");
    assert!(week.contains("change fail rate 66.7% (2 of 3, Low) exposed"), "{week}");
    let labels = ["rollout=\"cart\"", "window=\"7d\""];
    assert_eq!(story.gauge("dora_at_least", &labels).await, Some(1.0));
    let namespace = story.namespace.name();
    let page = story.operator.command(&["dora", "--namespace", namespace, "--since", "7d"]).await?;
    let unknown = format!("{namespace}/cart: unknown before {}", oldest.unwrap());
    assert!(page.contains(&unknown), "{page}");
    Ok(())
}
