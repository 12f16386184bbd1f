//! Changes of a namespace that fail.

use futures::future::try_join_all;
use throughline_tests::attempt::Attempts;
use throughline_tests::cluster::{Cluster, Error};
use throughline_tests::operator::Operator;
use throughline_tests::shop::{Rollout, Shop, pause, weight};

use super::{Alerts, Outcome, says};

const HIGH: &str = "ThroughlineChangeFailRateHigh";
const FAILED: &str = "ThroughlineRolloutFailed";

/// The Rollouts of a namespace.
struct Services {
    attempts: Attempts,
    /// Each with its revision.
    all: Vec<(Rollout, u64)>,
}

impl Services {
    /// The first version of each, which counts as nothing.
    async fn of(shop: &Shop, attempts: Attempts) -> Result<Self, Error> {
        let first = ["cart", "pay", "web", "mail", "book"].map(async |name| {
            let manifest = shop.rollout(name).unnamed().version("1.0.0").replicas(2);
            let rollout = manifest.canary([weight(50), pause()]).apply().await?;
            rollout.healthy().await?;
            attempts.delivered(name, (1, 1)).await?;
            Ok::<_, Error>((rollout, 1))
        });
        let all = try_join_all(first).await?;
        Ok(Self { attempts, all })
    }

    /// A change of the first few; the last ones of these fail, with pods that users could meet.
    async fn change(&mut self, succeed: usize, fail: usize) -> Result<(), Error> {
        let attempts = &self.attempts;
        let changes = self.all.iter_mut().take(succeed + fail).enumerate();
        let changes = changes.map(async |(at, (rollout, revision))| {
            *revision += 1;
            rollout.apply_version(&format!("{revision}.0.0")).await?;
            rollout.at_revision(*revision).await?;
            rollout.paused_at(1).await?;
            if at < succeed {
                rollout.promote().await?;
            } else {
                rollout.abort().await?;
            }
            attempts.delivered(rollout.name(), (revision.cast_signed(), 1)).await
        });
        try_join_all(changes).await.map(drop)
    }
}

#[tokio::test]
async fn many_changes_of_which_many_fail_fire_for_their_namespace_until_enough_succeed() -> Outcome
{
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("failing").await?;
    let operator = Operator::in_namespace(cluster, namespace.name()).await?;
    operator.ready().await?;
    let alerts = Alerts::of(cluster, &namespace, &operator).await?;
    let attempts = Attempts::of(&namespace, cluster.jaeger());
    let mut services = Services::of(&Shop::new(&namespace), attempts).await?;
    let prometheus = &alerts.prometheus;
    let counted = |changes: usize| {
        let of = namespace.name();
        format!("namespace:throughline_dora_changes:count30d{{namespace=\"{of}\"}} == {changes}")
    };

    // 2 of 9 are more than 15 %, and too few.
    services.change(5, 0).await?;
    services.change(2, 2).await?;
    prometheus.await_data(&counted(9)).await?;
    alerts.are(&[FAILED, FAILED]).await?;
    // 2 of 10.
    services.change(1, 0).await?;
    let firing = alerts.are(&[HIGH, FAILED, FAILED]).await?;
    let of = namespace.name();
    let summary = format!("20% of the changes of namespace {of} fail");
    says(&firing, HIGH, &[("severity", "info"), ("namespace", of)], &summary);
    // Not for a moment was it thought of before.
    let thought_of = async |changes: &str| {
        let then = format!("namespace:throughline_dora_changes:count30d {changes}");
        let query = format!("ALERTS{{alertname=\"{HIGH}\"}} and on (namespace) {then}");
        prometheus.query(&format!("count_over_time(({query})[10m:1s])")).await
    };
    assert_eq!(thought_of("< 10").await?, []);
    assert_ne!(thought_of(">= 10").await?, []);
    // 2 of 14.
    services.change(4, 0).await?;
    prometheus.await_data(&counted(14)).await?;
    alerts.are(&[FAILED, FAILED]).await?;
    Ok(())
}
