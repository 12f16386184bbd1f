//! What the recordings do not show: the rules of Keptn for it are known, and the stand-in follows
//! them.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use serde_json::json;
use throughline_tests::cluster::{Cluster, Options};
use throughline_tests::keptn::api::{
    KeptnApp, KeptnAppCreationRequest, KeptnAppVersion, KeptnWorkloadVersion,
};
use throughline_tests::keptn::{Keptn, Pace};
use throughline_tests::shop::{PodKind, Shop};

use super::{Outcome, Stage, sources::Watched, sources::recorded, story::Seen};

#[tokio::test]
async fn an_app_of_a_user_stays_as_it_is() -> Outcome {
    let stage = Stage::set("user-app").await?;
    let namespace = stage.shop.namespace();
    let app = json!({
        "apiVersion": "lifecycle.keptn.sh/v1",
        "kind": "KeptnApp",
        "metadata": {"name": "shop"},
        "spec": {"version": "2026.1", "workloads": [{"name": "cart", "version": "1.0.0"}]},
    });
    namespace.apply(&app.to_string()).await?;
    stage.watched.app_version("shop-2026.1-6b86b273", "Progressing").await?;
    stage.rollout("cart").apply().await?.healthy().await?;
    stage.watched.app_version("shop-2026.1-6b86b273", "Succeeded").await?;
    let app = namespace.api::<KeptnApp>().get("shop").await?;
    assert_eq!(app.metadata.generation, Some(1));
    assert!(
        namespace
            .api::<KeptnAppCreationRequest>()
            .list(&ListParams::default())
            .await?
            .items
            .is_empty()
    );
    let story = stage.watched.ask(Seen::story);
    assert!(story.contains("trace none, then AppDeploy of shop-2026.1-6b86b273"), "{story}");
    Ok(())
}

#[tokio::test]
async fn a_malformed_link_does_not_harm_the_others() -> Outcome {
    let stage = Stage::set("malformed").await?;
    let good = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";
    let context = json!({
        "apiVersion": "lifecycle.keptn.sh/v1",
        "kind": "KeptnAppContext",
        "metadata": {"name": "shop"},
        "spec": {"spanLinks": ["nonsense", good], "metadata": {"stage": "dev"}},
    });
    stage.shop.namespace().apply(&context.to_string()).await?;
    stage.rollout("cart").replicas(1).apply().await?;
    let version = "shop-1.0.0-6b86b273";
    stage.watched.app_version(version, "Succeeded").await?;
    let jaeger = Cluster::shared()?.jaeger();
    let seen = stage.watched.with_traces(&jaeger, 12).await?;
    let spans: Vec<_> = seen.spans.values().flatten().collect();
    assert!(spans.iter().all(|span| span.tags.get("stage").is_some_and(|it| it == "dev")));
    let root = spans.iter().find(|span| span.name == version).ok_or("no root")?;
    // The other link goes to trace 0 and span 0, and Jaeger leaves such links out.
    let traces: Vec<_> = root.links.iter().map(|(trace, _)| &**trace).collect();
    assert_eq!(traces, ["28e7c919c887709c210854f40838e0d7"]);
    Ok(())
}

// A stand-in of its own: it has less patience, and it is killed.
#[tokio::test]
async fn failure_and_death() -> Outcome {
    let keptn = Keptn::from_env()?;
    let Keptn::StandIn { binary, .. } = keptn else {
        return Ok(());
    };
    let pace = Pace { observability: Duration::from_secs(8), ..Pace::fast() };
    let keptn = Keptn::StandIn { binary, pace };
    let cluster = Cluster::start(Options::default())?;
    let process = keptn.start(&cluster).await?;
    let namespace = cluster.namespace("late").await?;
    let (shop, watched) = (Shop::new(&namespace), Watched::new(&namespace));

    let cart = shop.rollout("cart").app("shop").deadline(10).abort_on_deadline();
    let mut cart = cart.canary(super::timed()).apply().await?;
    watched.app_version("shop-1.0.0-6b86b273", "Succeeded").await?;
    cart.apply_version_with("2.0.0", PodKind::ImagePull).await?;
    cart.aborted().await?;
    watched.app_version("shop-2.0.0-d4735e3a", "Failed").await?;
    let recorded = recorded("bad-image-deadline-abort")?;
    let jaeger = cluster.jaeger();
    let seen = watched.with_traces(&jaeger, recorded.span_count()).await?;
    super::same("bad-image-deadline-abort", &recorded.story(), &seen.story())?;

    let traces = jaeger.traces("lifecycle-operator").await?.len();
    process.kill();
    let pod: Pod = Pod {
        metadata: ObjectMeta { name: Some("new".into()), ..ObjectMeta::default() },
        spec: serde_json::from_value(json!({"containers": [{"name": "a", "image": "a"}]}))?,
        ..Pod::default()
    };
    let pods = namespace.api::<Pod>();
    let denied = pods.create(&PostParams::default(), &pod).await;
    assert!(denied.is_err_and(|error| error.to_string().contains("mpod.keptn.sh")));

    // Versions that had ended leave another root in a trace of its own (docs/keptn.md 4.7).
    let process = keptn.start(&cluster).await?;
    pods.create(&PostParams::default(), &pod).await?;
    let within = Duration::from_secs(20);
    let found = jaeger
        .await_traces("lifecycle-operator", within, "two ghosts more", |it| it.len() == traces + 2)
        .await?;
    let ghosts: Vec<_> = found.iter().filter(|trace| trace.spans.len() == 1).collect();
    assert_eq!(ghosts.len(), 2);
    let versions = namespace.api::<KeptnAppVersion>().list(&ListParams::default()).await?;
    assert_eq!(versions.items.len(), 2);
    process.check()?;
    Ok(())
}

// "Confirmed by running" in docs/keptn.md: the replay of the old version claims to follow the new one.
#[tokio::test]
async fn an_old_pod_that_dies_brings_its_version_back() -> Outcome {
    let stage = Stage::set("old-pod").await?;
    let mut cart = stage.rollout("cart").canary(super::waiting()).apply().await?;
    stage.watched.app_version("shop-1.0.0-6b86b273", "Succeeded").await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    stage.link_to("shop", "shop-2.0.0-d4735e3a").await?;
    let pods = stage.shop.namespace().api::<Pod>();
    let old = ListParams::default().labels("app.kubernetes.io/version=1.0.0");
    let old = pods.list(&old).await?.items.pop().ok_or("no old pod")?;
    pods.delete(&old.name_any(), &DeleteParams::default().grace_period(0)).await?;
    stage.watched.app_version("shop-1.0.0-4e074085", "Succeeded").await?;
    let story = stage.watched.ask(Seen::story);
    let replay = "app version shop-1.0.0-4e074085: \"1.0.0\" after \"2.0.0\", [\"cart\" \"1.0.0\"], \
                  links [\"AppDeploy of shop-2.0.0-d4735e3a\"], own trace";
    assert!(story.contains(replay), "{story}");
    assert!(
        story.contains(
            "app version shop-1.0.0-6b86b273: \"1.0.0\" after null, [\"cart\" \"1.0.0\"], \
                            links [], own trace, Deprecated"
        ),
        "{story}"
    );
    // It comes back: the open spans of its first attempt are found again, without links.
    cart.promote_full().await?;
    cart.healthy_at("2.0.0").await?;
    stage.watched.app_version("shop-2.0.0-4b227777", "Succeeded").await?;
    let story = stage.watched.ask(Seen::story);
    let reuse =
        "links [\"AppDeploy of shop-2.0.0-d4735e3a\"], shop-2.0.0-d4735e3a's trace, Succeeded";
    assert!(story.contains(reuse), "{story}");
    Ok(())
}

// docs/keptn.md 4.9 and "Confirmed by running": the new workload version keeps the old trace.
#[tokio::test]
async fn a_version_that_is_created_again_joins_its_old_trace() -> Outcome {
    let stage = Stage::set("again").await?;
    let mut cart = stage.rollout("cart").replicas(1).canary([]).apply().await?;
    stage.watched.app_version("shop-1.0.0-6b86b273", "Succeeded").await?;
    cart.apply_version("2.0.0").await?;
    stage.watched.app_version("shop-2.0.0-d4735e3a", "Succeeded").await?;
    cart.delete().await?;
    let versions = stage.shop.namespace().api::<KeptnWorkloadVersion>();
    let since = Instant::now();
    while !versions.list(&ListParams::default()).await?.items.is_empty() {
        assert!(since.elapsed() < Duration::from_mins(1), "the old versions stay");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.rollout("cart").replicas(1).canary([]).apply().await?.healthy().await?;
    stage.watched.app_version("shop-1.0.0-4e074085", "Succeeded").await?;
    let story = stage.watched.ask(Seen::story);
    let again = "trace none, then AppDeploy of shop-1.0.0-6b86b273, then none, \
                 then AppDeploy of shop-1.0.0-6b86b273, Succeeded";
    assert!(story.contains(again), "{story}");
    let own = "app version shop-1.0.0-4e074085: \"1.0.0\" after \"2.0.0\", [\"cart\" \"1.0.0\"], \
               links [], own trace";
    assert!(story.contains(own), "{story}");
    Ok(())
}
