use throughline_tests::cluster::{Cluster, Error};
use throughline_tests::shop::{BlueGreen, Gauge, Manifest, PodKind, Shop, analysis, pause, weight};

async fn shop(prefix: &str) -> Result<Shop, Error> {
    Ok(Shop::new(&Cluster::shared()?.namespace(prefix).await?))
}

#[tokio::test]
async fn what_one_does_to_an_update() -> Result<(), Error> {
    let shop = shop("update").await?;
    let steps = [weight(34), pause(), weight(67), pause()];
    let mut cart = shop.rollout("cart").app("shop").canary(steps).apply().await?;
    cart.healthy_at("1.0.0").await?;

    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    cart.abort().await?;
    assert_eq!(cart.aborted().await?.phase(), "Degraded");
    cart.retry().await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.paused_at(3).await?;
    cart.promote_full().await?;
    cart.healthy_at("2.0.0").await?;

    cart.undo_to(1).await?;
    cart.paused_at(1).await?;
    cart.promote_full().await?;
    let back = cart.healthy_at("1.0.0").await?;
    assert_eq!(back.revision(), Some(3));
    Ok(())
}

#[tokio::test]
async fn what_one_does_between_updates() -> Result<(), Error> {
    let shop = shop("between").await?;
    let mut cart = shop.rollout("cart").replicas(1).canary([]).apply().await?;
    cart.healthy().await?;
    cart.scale(2).await?;
    cart.healthy().await?;
    assert_eq!(cart.pods().await?.len(), 2);
    cart.restart().await?;
    cart.restarted().await?;
    cart.set_env("b").await?;
    let state = cart.healthy_at("1.0.0").await?;
    assert_eq!(state.revision(), Some(2));
    cart.delete().await?;
    cart.gone().await
}

#[tokio::test]
async fn late_updates() -> Result<(), Error> {
    let shop = shop("late").await?;
    let cart = shop.rollout("cart").replicas(1).deadline(2).abort_on_deadline();
    let mut cart = cart.canary([weight(50)]).apply().await?;
    cart.healthy().await?;
    cart.apply_version_with("2.0.0", PodKind::ImagePull).await?;
    cart.aborted().await?;
    let fixed = |it: Manifest| it.version("3.0.0").pods(PodKind::Ready).deadline(60);
    cart.change(fixed).await?;
    cart.healthy_at("3.0.0").await?;
    Ok(())
}

#[tokio::test]
async fn blue_green_with_analysis() -> Result<(), Error> {
    let shop = shop("bluegreen").await?;
    let gauge = Gauge::show(0.99).await?;
    shop.analysis_template("pre", &gauge.metric()).await?;
    let before = Some("pre".into());
    let strategy =
        BlueGreen { promotion: Some(1), before, scale_down_delay: 1, ..BlueGreen::default() };
    let mut cart = shop.rollout("cart").app("shop").blue_green(strategy).apply().await?;
    cart.healthy_at("1.0.0").await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    gauge.set(0.5);
    cart.apply_version("3.0.0").await?;
    let state = cart.aborted().await?;
    assert!(state.message().contains("pre-promotion analysis"), "{}", state.message());
    Ok(())
}

#[tokio::test]
async fn canary_with_analysis_of_a_referred_workload() -> Result<(), Error> {
    let shop = shop("referred").await?;
    let gauge = Gauge::show(0.99).await?;
    let mut metric = gauge.metric();
    metric.count = 1;
    shop.analysis_template("ok", &metric).await?;
    let cart = shop.rollout("cart").app("shop").workload_ref().canary([weight(34), analysis("ok")]);
    let mut cart = cart.apply().await?;
    cart.healthy_at("1.0.0").await?;
    cart.apply_version("2.0.0").await?;
    let state = cart.healthy_at("2.0.0").await?;
    assert_eq!(state.version(), None);
    assert_eq!(state.revision(), Some(2));
    Ok(())
}
