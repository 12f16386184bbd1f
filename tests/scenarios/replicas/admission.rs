//! The API server asks whichever replica it reaches: one that stands by decides links as well.

use std::time::Instant;

use api::keptn::KeptnAppContext;
use kube::Api;
use kube::api::ListParams;
use throughline_tests::admission::Webhook;
use throughline_tests::chain::Chains;
use throughline_tests::cluster::Cluster;
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings, install};
use throughline_tests::shop::Shop;

use super::{LEASE, Outcome, leads, permission};

#[tokio::test]
async fn a_replica_that_stands_by_decides_links_by_admission() -> Outcome {
    let cluster = Cluster::shared()?;
    install(cluster).await?;
    Keptn::shared().await?;
    let namespace = cluster.namespace("asked-standby").await?;
    let at = namespace.name();
    namespace.apply(&permission(at)).await?;
    let webhook = Webhook::register(cluster, at).await?;
    let start = async |replica: &str, asked: Vec<String>| {
        // Nothing is written ahead: where links are, admission has decided them.
        let lease = format!("--lease={at}/throughline");
        let flags = [&lease, "--lease-seconds=3", "--links=admission"].map(str::to_owned);
        let settings = Settings {
            namespace: Some(at.to_owned()),
            flags: flags.into_iter().chain(asked).collect(),
            ..Settings::default()
        };
        Operator::start(cluster, &format!("throughline-{at}-{replica}"), settings).await
    };
    // The API server knows nothing of where the leader listens.
    let nowhere = ["--admission-address=127.0.0.1:0", "--admission-configuration=nobody"];
    let leader = start("leader", nowhere.map(str::to_owned).into()).await?;
    let since = Instant::now();
    while !leads(&leader).await {
        assert!(since.elapsed() < 10 * LEASE, "nobody leads");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let standby = start("standby", webhook.flags()).await?;
    webhook.asked(&namespace, &standby).await?;

    let chains = Chains::of(&namespace, cluster.jaeger());
    let shop = Shop::new(&namespace);
    let mut cart = shop.rollout("cart").version("1.0.0").canary([]).apply().await?;
    cart.healthy_at("1.0.0").await?;
    chains.reads("cart", &["1 1.0.0 Promoted [] cart-1.0.0-6b86b273 None"]).await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let chain = [
        "1 1.0.0 Promoted [] cart-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] cart-2.0.0-d4735e3a Applied",
    ];
    let trace = chains.reads("cart", &chain).await?;
    chains.jaeger_agrees(&trace, &[]).await?;
    assert!(leads(&leader).await && !leads(&standby).await, "nobody else came to lead");
    assert!(standby.metric("throughline_admissions_total", "decided").await >= 1.0);
    let contexts: Api<KeptnAppContext> = namespace.api();
    assert_eq!(contexts.list(&ListParams::default()).await?.items.len(), 0);
    Ok(())
}
