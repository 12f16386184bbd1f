//! When users could be hit: header routes, weights of a thousand, Experiments.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;
use throughline_tests::shop::{
    BlueGreen, Router, canary_scale, experiment, experiment_weighing, header_route, mirror_route,
    pause, pause_for, weight,
};

use super::whole::Whole;
use super::{Outcome, SECOND, Story, version};

/// argoproj/argo-rollouts#474, #4486. The weight stays 0, and all requests with the header go to the
/// canary (trafficrouting.go `SetHeaderRoute`) until the abort removes the route.
#[tokio::test]
async fn a_header_route_hits_users_while_the_weight_is_zero() -> Outcome {
    let story = Story::begin("header").await?;
    let steps = [
        canary_scale(Some(1)),
        header_route("beta-header", "x-beta", "yes"),
        pause(),
        canary_scale(None),
        weight(50),
        pause(),
    ];
    let routes = json!({ "managedRoutes": [{ "name": "beta-header" }] });
    let manifest = story.rollout("cart").canary(steps).router(Router::Alb);
    let manifest =
        manifest.fields(&json!({ "strategy": { "canary": { "trafficRouting": routes } } }));
    let mut cart = story.first(manifest).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    assert_eq!(cart.paused_at(2).await?.canary_weight(), Some(0));
    let conditions =
        r"jsonpath={.metadata.annotations.alb\.ingress\.kubernetes\.io/conditions\.beta-header}";
    let route = story.namespace.kubectl(&["get", "ingress", "cart", "-o", conditions]).await?;
    assert!(route.contains("x-beta"), "{route}");
    story.aborts(&cart, SECOND).await?;

    let journal = [
        "0 setCanaryScale 1 replicas Completed",
        "1 setHeaderRoute beta-header Completed",
        "2 pause Stopped",
        "  pause Manual End",
        "Aborted by Manual: ManualAbort: aborted by a person or a tool, exposed",
    ];
    let attempt = story.attempts.reads("cart", SECOND, &journal).await?;
    let spans = [
        "rollout cart aborted",
        "  setCanaryScale 1 replicas completed",
        "  setHeaderRoute beta-header completed",
        "  pause stopped",
        "    pause manual end",
        "  recover",
    ];
    let trace = story.attempts.traced(&attempt, &spans).await?;
    assert_eq!(trace.roots().next().unwrap().tags["argo_rollouts.exposed"], true);
    // Users are hit from the moment at which the route is there, and until it is taken away.
    let (journal, line) = (&attempt.journal, story.line("cart", "2.1").await?);
    let since = journal.steps[1].ended.unwrap().at.duration_since(journal.started.at).as_secs();
    assert!((since - 1..=since + 1).any(|at| line.contains(&format!(" exposed=+{at} "))), "{line}");

    story.begins(&mut cart, version("3.0.0")).await?;
    for step in [2, 5] {
        cart.paused_at(step).await?;
        cart.promote().await?;
    }
    cart.healthy().await?;
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
    story.counts("cart", figures).await
}

/// The control: a mirror sends requests to the canary and its answers to nobody.
#[tokio::test]
async fn a_mirror_route_hits_nobody() -> Outcome {
    let story = Whole::cluster().await?.story("mirror").await?;
    let steps = [canary_scale(Some(1)), mirror_route("mirror", 50), pause(), weight(50)];
    let routes = json!({ "managedRoutes": [{ "name": "mirror" }] });
    let manifest = story.rollout("cart").canary(steps).router(Router::Istio);
    let manifest =
        manifest.fields(&json!({ "strategy": { "canary": { "trafficRouting": routes } } }));
    let mut cart = story.first(manifest).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(2).await?;
    let route = "jsonpath={.spec.http[0].mirror.host}";
    let route = story.namespace.kubectl(&["get", "virtualservice", "cart", "-o", route]).await?;
    assert_eq!(route, "cart-canary");
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ManualAbort by Manual = failed, blocked",
            ],
        )
        .await?;
    story.counts("cart", "failedBlocked 1; exposed 0 of 0; lead N 0; recovery N 0").await
}

/// The control: with a router and neither weight nor route nobody meets the canary.
#[tokio::test]
async fn a_canary_that_only_stands_there_hits_nobody() -> Outcome {
    let story = Story::begin("scaled-only").await?;
    let steps = [canary_scale(Some(1)), pause(), weight(50), pause()];
    let mut cart = story.first(story.rollout("cart").canary(steps).router(Router::Nginx)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ManualAbort by Manual = failed, blocked",
            ],
        )
        .await?;
    story.counts("cart", "failedBlocked 1; exposed 0 of 0; lead N 0; recovery N 0").await
}

/// argoproj/argo-rollouts#3420. The templates of an Experiment get a share of the traffic of their own
/// (`status.canary.weights.additional`), while the weight of the canary is 0.
#[tokio::test]
async fn an_experiment_with_a_share_of_the_traffic_hits_users() -> Outcome {
    let story = Story::begin("weighing").await?;
    let steps = [experiment_weighing(2, 10), pause(), weight(50)];
    let mut cart = story.first(story.rollout("cart").canary(steps).router(Router::Alb)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
            ],
        )
        .await?;
    story.counts("cart", "failedExposed 1; exposed 1 of 1; lead N 0; recovery N 1").await
}

/// argoproj/argo-rollouts#4526. Without a router the Service of the Rollout selects the pods of the
/// Experiment as well: they have the same labels (experiment.go), and real traffic.
#[tokio::test]
async fn pods_of_an_experiment_behind_the_service_hit_users() -> Outcome {
    let story = Story::begin("behind").await?;
    let steps = [experiment(2), pause(), weight(50)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#1470. `minReadySeconds` keeps a pod from being available, and not from the
/// traffic: it is behind the Service as soon as it is ready.
#[tokio::test]
async fn a_pod_that_is_ready_hits_users_before_it_is_available() -> Outcome {
    let story = Story::begin("min-ready").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    let late = json!({ "minReadySeconds": 600 });
    story.begins(&mut cart, |it| it.version("2.0.0").deadline(700).fields(&late)).await?;
    let hash = cart.state().await?.current().to_owned();
    let ready = |pod: &Pod| {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let of = pod.labels().get("rollouts-pod-template-hash");
        of == Some(&hash)
            && conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True")
    };
    cart.pod_until("ready", ready).await?;
    let seen = |journal: &timeline::journal::Journal| journal.exposed;
    story.attempts.until("cart", SECOND, "exposed", seen).await?;
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#1259. Before the switch of a blue-green Rollout only those meet it who ask
/// for the preview.
#[tokio::test]
async fn a_blue_green_update_that_never_switched_hit_nobody() -> Outcome {
    let story = Story::begin("preview-only").await?;
    let strategy = BlueGreen { promotion: None, scale_down_delay: 1, ..BlueGreen::default() };
    let mut cart = story.first(story.rollout("cart").blue_green(strategy)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused().await?;
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ManualAbort by Manual = failed, blocked",
            ],
        )
        .await?;
    story.counts("cart", "failedBlocked 1; exposed 0 of 0; lead N 0; recovery N 0").await
}

/// argoproj/argo-rollouts#2889, kubernetes/ingress-nginx#6337. With `maxTrafficWeight: 1000` the
/// weights in the status are parts of a thousand.
#[tokio::test]
async fn weights_of_a_thousand_are_shown_in_percent() -> Outcome {
    let story = Story::begin("thousand").await?;
    let steps = [weight(5), pause_for(1), weight(200), pause_for(1), weight(500), pause()];
    let most = json!({ "strategy": { "canary": { "trafficRouting": { "maxTrafficWeight": 1000 }}}});
    let manifest = story.rollout("cart").replicas(3).canary(steps).router(Router::Nginx);
    let mut cart = story.first(manifest.fields(&most)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    assert_eq!(cart.paused_at(5).await?.canary_weight(), Some(500));
    story.aborts(&cart, SECOND).await?;

    let stored = story.attempt("cart", SECOND).await?.status.unwrap();
    let percents: Vec<f64> = stored.weights.iter().filter_map(|line| first(line)).collect();
    // 0.5 % may be rounded up: it is neither nothing nor 5 %.
    let is_right = matches!(percents[..], [least, second, most]
        if (0.5..=1.0).contains(&least) && close(second, 20.0) && close(most, 50.0));
    assert!(is_right, "{:?}", stored.weights);
    assert_eq!(stored.max_weight, Some(50));
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let (trace, _) = story.spans("cart", SECOND).await?;
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tags["argo_rollouts.weight.max"], 50);
    let weights = trace.children(root).filter(|span| span.operation.contains("weight"));
    let weights = weights.filter(|span| span.tags.contains_key("argo_rollouts.weight.percent"));
    assert_eq!(weights.count(), 3);
    let settings: Vec<_> = attempt.journal.steps.iter().map(|step| &*step.setting).collect();
    assert_eq!(settings, ["5", "1s", "200", "1s", "500", ""]);

    story.begins(&mut cart, version("3.0.0")).await?;
    cart.paused_at(5).await?;
    cart.promote().await?;
    cart.healthy().await?;
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
    story.counts("cart", figures).await
}

fn first(line: &str) -> Option<f64> {
    line.split(' ').next()?.trim_end_matches('%').parse().ok()
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.01
}
