//! How a Rollout goes: with its namespace, and with what it leaves.

use std::time::{Duration, Instant};

use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::whole::Whole;
use super::{Outcome, SECOND, Story, version};

/// kortix-ai/suna#3448, argoproj-labs/argocd-operator#853. In a namespace that goes every create is
/// refused (`NamespaceTerminating`), and what is there goes in any order.
#[tokio::test]
async fn the_namespace_of_a_preview_goes_and_nothing_of_it_stays() -> Outcome {
    let whole = Whole::cluster().await?;
    let gone = whole.story("preview").await?;
    // Beside it another one goes on.
    let stays = whole.story("preview-b").await?;

    let (cart, mut next) =
        tokio::try_join!(gone.first(gone.rollout("cart")), stays.first(stays.rollout("cart")))?;
    let mut cart = cart;
    hold(&gone, true).await?;
    gone.begins(&mut cart, version("2.0.0")).await?;
    stays.begins(&mut next, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    next.paused_at(1).await?;
    let placed = |journal: &timeline::journal::Journal| journal.placed.is_some();
    let open = gone.attempts.until("cart", SECOND, "placed", placed).await?;
    gone.namespace.delete().await?;
    cart.gone().await?;

    // B has no delay.
    let since = Instant::now();
    next.promote().await?;
    next.healthy().await?;
    stays
        .reports(
            "cart",
            &["1.1 Promoted Initial, exposed = nothing", "2.1 Promoted, exposed = deployment"],
        )
        .await?;
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    hold(&gone, false).await?;
    let name = gone.namespace.name();
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(gone.namespace.client());
    let since = Instant::now();
    while namespaces.get_opt(name).await?.is_some() {
        assert!(since.elapsed() < Duration::from_mins(1), "namespace {name} does not go");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // The end has left, or it was said once that it could not; nothing is under way any more.
    let (trace, root) = open.root().unwrap();
    gone.is_quiet().await?;
    let about = |log: &str| {
        let matters = |line: &&str| line.contains(" WARN ") || line.contains("not stored");
        log.lines()
            .filter(|line| line.contains(name))
            .filter(matters)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let before = about(&whole.log()?);
    assert!(before.len() <= 3, "{before:#?}");
    assert!(before.iter().all(|line| !line.contains("permission")), "{before:#?}");
    let (_, metrics) = gone.operator.get("metrics").await.unwrap();
    let forbidden: Vec<_> = metrics
        .lines()
        .filter(|line| line.contains("forbidden") && !line.ends_with(" 0"))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    // Metrics of Rollouts that are there; counters of what has happened stay.
    let of_present =
        ["throughline_rollout_info", "throughline_attempt_failures", "throughline_dora"];
    let of_it = |line: &&str| {
        line.contains(&format!("namespace=\"{name}\""))
            && of_present.iter().any(|begin| line.starts_with(begin))
    };
    let left: Vec<_> = metrics.lines().filter(of_it).collect();
    assert!(left.is_empty(), "{left:#?}");
    let (is_ready, text) = gone.operator.get("readyz").await.unwrap();
    assert!(is_ready, "{text}");
    let jaeger = whole.cluster.jaeger();
    let found = jaeger.trace(&trace).await?;
    let left = found.is_some_and(|trace| trace.spans.iter().any(|span| span.span_id == root));
    assert!(left || !before.is_empty(), "its root span has not left, and nobody said so");
    Ok(())
}

/// A finalizer keeps the namespace for a while.
async fn hold(story: &Story, holds: bool) -> Outcome {
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> = story.namespace.api();
    let finalizers = if holds { json!(["example.com/hold"]) } else { json!(null) };
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "hold", "finalizers": finalizers },
    });
    if holds {
        story.namespace.apply(&map.to_string()).await?;
    } else {
        let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        maps.patch("hold", &PatchParams::default(), &patch).await?;
    }
    Ok(())
}

/// argoproj/argo-rollouts#109. In the foreground the Rollout stays, with a deletionTimestamp, until its
/// ReplicaSets are gone; it is over from the moment at which it was deleted.
#[tokio::test]
async fn a_rollout_that_is_deleted_in_the_foreground_ends_its_attempt_once() -> Outcome {
    let story = Story::begin("foreground").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    let placed = |journal: &timeline::journal::Journal| journal.placed.is_some();
    let open = story.attempts.until("cart", SECOND, "placed", placed).await?;
    cart.delete_in_foreground().await?;
    cart.gone().await?;
    let (trace, root) = open.root().unwrap();
    let trace = story.left(&trace, &root).await?;
    let spans = [
        "rollout cart deleted",
        "  setWeight 50 completed",
        "  pause stopped",
        "    pause manual end",
    ];
    assert_eq!(story.attempts.tree(&trace, &root), spans);
    story.is_quiet().await
}

/// `kubectl delete --cascade=orphan`, and the Rollout applied anew: it takes over the ReplicaSets that
/// are there (sync.go, `FoundNewReplicaSet`), and is another Rollout.
#[tokio::test]
async fn a_rollout_that_is_made_anew_over_the_replica_sets_of_the_one_before_is_another_one()
-> Outcome {
    let story = Story::begin("orphans").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    let placed = |journal: &timeline::journal::Journal| journal.placed.is_some();
    let open = story.attempts.until("cart", SECOND, "placed", placed).await?;
    cart.delete_and_orphan().await?;
    cart.gone().await?;
    let (trace, root) = open.root().unwrap();
    let trace = story.left(&trace, &root).await?;
    let deleted = trace.spans.iter().find(|span| span.span_id == root).unwrap();
    assert_eq!(deleted.tag("argo_rollouts.outcome"), Some("deleted"));
    story.is_quiet().await?;

    // The same manifest once more: 2.0.0 is there already, and the first revision of this Rollout.
    let mut cart = story.rollout("cart").version("2.0.0").apply().await?;
    cart.healthy().await?;
    let uid = cart.state().await?.0.metadata.uid.unwrap();
    let mine = async || {
        let mut all = story.stored("cart").await?;
        all.retain(|attempt| attempt.spec.rollout_uid == uid);
        Ok::<_, kube::Error>(all)
    };
    let since = Instant::now();
    loop {
        let ended = mine().await?.iter().any(|attempt| {
            let status = attempt.status.clone().unwrap_or_default();
            status.phase == api::rollout_trace::Phase::Promoted && status.root_closed.is_some()
        });
        if ended {
            break;
        }
        assert!(since.elapsed() < Duration::from_mins(1), "{:#?}", mine().await?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut mine = mine().await?;
    let first = mine.remove(0);
    assert!(
        mine.is_empty(),
        "what the Rollout before brought live is no attempt of this: {mine:#?}"
    );
    story.begins(&mut cart, version("3.0.0")).await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy().await?;
    let revision = cart.state().await?.revision().unwrap();
    // Only the change counts, and what the Rollout before left behind is no part of it.
    story.counts("cart", "deployments 1; exposed 0 of 1; lead N 0; recovery N 0").await?;
    let of = (i64::try_from(revision)?, 1);
    story.attempts.delivered("cart", of).await?;
    let links = story.links("cart", of).await?;
    assert_eq!(links, [format!("PreviousRevision {}.{}", first.spec.revision, first.spec.attempt)]);
    Ok(())
}

impl Story {
    /// No attempt is in memory any more, and nothing was refused.
    async fn is_quiet(&self) -> Outcome {
        let since = Instant::now();
        loop {
            let pending = self.operator.metric("throughline_attempts_pending", "").await;
            if pending < 0.1 {
                return Ok(());
            }
            if since.elapsed() > Duration::from_mins(1) {
                return Err(format!("{pending} attempts are still under way").into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
