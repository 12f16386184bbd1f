//! What was seen is stored before the process ends.

use api::RolloutAttempt;
use kube::Api;
use kube::api::ListParams;
use throughline_tests::cluster::Cluster;
use throughline_tests::operator::Operator;
use throughline_tests::shop::{Shop, pause, weight};

use super::Outcome;

#[tokio::test]
async fn steps_that_wait_for_company_are_stored_at_the_stop() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("stopped").await?;
    let operator = Operator::in_namespace(cluster, namespace.name()).await?;
    let shop = Shop::new(&namespace);
    let steps = [weight(10), pause(), weight(40), pause(), weight(60), pause()];
    let mut cart = shop.rollout("cart").version("1.0.0").canary(steps).apply().await?;
    cart.healthy_at("1.0.0").await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    let attempts: Api<RolloutAttempt> = namespace.api();
    let stored = async || {
        let found = attempts.list(&ListParams::default()).await?;
        let second = found.items.into_iter().find(|attempt| attempt.spec.revision == 2);
        let status = second.and_then(|attempt| attempt.status);
        Ok::<_, kube::Error>(status.map_or(0, |status| status.steps.len()))
    };
    while stored().await? == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // What follows within half a minute of a write waits for the next.
    cart.promote().await?;
    cart.paused_at(3).await?;
    cart.promote().await?;
    cart.paused_at(5).await?;
    operator.terminate().await?;
    assert_eq!(stored().await?, 6);
    Ok(())
}
