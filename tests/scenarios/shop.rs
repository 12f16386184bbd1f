use throughline_tests::cluster::{Cluster, Error};
use throughline_tests::shop::{
    BlueGreen, Gauge, Job, Manifest, Metric, PodKind, Shop, analysis, pause, pause_for, weight,
};

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
    shop.analysis_template("ok", &gauge.metric().count(1)).await?;
    let cart = shop.rollout("cart").app("shop").workload_ref().canary([weight(34), analysis("ok")]);
    let mut cart = cart.apply().await?;
    cart.healthy_at("1.0.0").await?;
    cart.apply_version("2.0.0").await?;
    let state = cart.healthy_at("2.0.0").await?;
    assert_eq!(state.version(), None);
    assert_eq!(state.revision(), Some(2));
    Ok(())
}

#[tokio::test]
async fn jobs_are_measured() -> Result<(), Error> {
    let shop = shop("jobs").await?;
    shop.analysis_template("good", &Metric::job(Job::Succeeds)).await?;
    shop.analysis_template("bad", &Metric::job(Job::Fails)).await?;
    let steps = [weight(50), analysis("good"), analysis("bad")];
    let mut cart = shop.rollout("cart").replicas(2).canary(steps).apply().await?;
    cart.healthy().await?;
    cart.apply_version("2.0.0").await?;
    let state = cart.aborted().await?;
    let said = r#"Metric "smoke-test" assessed Failed due to failed (1) > failureLimit (0)"#;
    assert!(state.message().contains(said), "{}", state.message());
    Ok(())
}

#[tokio::test]
async fn an_analysis_beside_the_steps_ends_an_update() -> Result<(), Error> {
    let shop = shop("background").await?;
    let gauge = Gauge::show(0.99).await?;
    shop.analysis_template("watch", &gauge.metric().endless().every(1)).await?;
    let steps = [weight(50), pause_for(2), weight(75), pause()];
    let cart = shop.rollout("cart").replicas(2).canary(steps).background("watch", 2);
    let mut cart = cart.apply().await?;
    cart.healthy().await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(3).await?;
    gauge.set(0.5);
    let state = cart.aborted().await?;
    assert!(state.message().contains("Background analysis"), "{}", state.message());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_decided_waits_for_a_person() -> Result<(), Error> {
    let shop = shop("inconclusive").await?;
    let gauge = Gauge::show(0.8).await?;
    shop.analysis_template("unsure", &gauge.metric().count(1)).await?;
    let steps = [weight(50), analysis("unsure")];
    let mut cart = shop.rollout("cart").replicas(2).canary(steps).apply().await?;
    cart.healthy().await?;
    cart.apply_version("2.0.0").await?;
    let state = cart.paused().await?;
    assert_eq!(state.pauses(), ["InconclusiveAnalysisRun"]);
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    Ok(())
}

#[tokio::test]
async fn pods_that_may_not_be() -> Result<(), Error> {
    let shop = shop("refused").await?;
    let cart = shop.rollout("cart").replicas(1).deadline(3).canary([weight(50)]);
    let mut cart = cart.apply().await?;
    cart.healthy().await?;
    shop.exhaust_quota().await?;
    cart.apply_version("2.0.0").await?;
    let state = cart.until("short of pods", |it| !it.reason("ReplicaFailure").is_empty()).await?;
    assert_eq!(state.reason("ReplicaFailure"), "FailedCreate");
    cart.deadline_exceeded().await?;

    let shop = Shop::new(&Cluster::shared()?.namespace_without_keptn("restricted").await?);
    let pay = shop.rollout("pay").replicas(1).canary([weight(50)]);
    let mut pay = pay.apply().await?;
    pay.healthy().await?;
    shop.refuse_pods().await?;
    pay.apply_version("2.0.0").await?;
    pay.until("short of pods", |it| !it.reason("ReplicaFailure").is_empty()).await?;
    Ok(())
}
