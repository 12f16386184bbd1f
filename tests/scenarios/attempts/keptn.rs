//! Attempts beside Keptn: inside its trace where there is one, and in one of their own where not.

use throughline_tests::attempt::{Attempt, Which};
use throughline_tests::chain::Chains;
use throughline_tests::cluster::Cluster;
use throughline_tests::jaeger::{Span, Trace};
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::Settings;
use throughline_tests::shop::{Manifest, pause, weight};

use super::{FIRST, Outcome, SECOND, Story, THIRD, timed, waiting};

const TIMED: [&str; 5] = [
    "0 setWeight 50 Completed",
    "1 pause 1s Completed",
    "  pause Timed planned=1 Timer",
    "2 setWeight 100 Completed",
    "Promoted, exposed",
];
const TIMED_SPANS: [&str; 6] = [
    "rollout cart promoted",
    "  setWeight 50 completed",
    "  pause 1s completed",
    "    pause timed 1 timer",
    "  setWeight 100 completed",
    "  become healthy",
];

impl Story {
    /// Version 1.0.0 of a Rollout that Keptn knows, of the app `shop`.
    fn known(&self, name: &str) -> Manifest {
        self.shop.rollout(name).app("shop").version("1.0.0").replicas(2)
    }
}

fn root<'a>(attempt: &Attempt, trace: &'a Trace) -> &'a Span {
    let (_, root) = attempt.root().unwrap();
    trace.spans.iter().find(|span| span.span_id == root).unwrap()
}

/// The span of Keptn's that a root is below.
fn above<'a>(attempt: &Attempt, trace: &'a Trace) -> &'a Span {
    let parent = root(attempt, trace).parent().expect("a parent");
    trace.spans.iter().find(|span| span.span_id == parent).expect("the parent is in the trace")
}

#[tokio::test]
async fn an_attempt_is_below_the_span_of_keptns_deployment() -> Outcome {
    let story = Story::with_keptn("inside").await?;
    let mut cart = story.first(story.known("cart").canary(timed())).await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let (second, trace) = story.shows(&cart, SECOND, &TIMED, &TIMED_SPANS).await?;
    let parent = above(&second, &trace);
    assert_eq!(parent.operation, "AppDeploy");
    let app_version = trace.spans.iter().find(|span| Some(&*span.span_id) == parent.parent());
    assert_eq!(app_version.unwrap().operation, "shop-2.0.0-d4735e3a");
    // The link of the root is the one that Keptn's own root has.
    let first = story.attempts.delivered("cart", FIRST).await?;
    let placed = first.journal.placed.unwrap();
    let links: Vec<_> = root(&second, &trace).links().map(|it| &*it.span_id).collect();
    assert_eq!(links, [placed.parent.unwrap().to_string()]);
    let keptn: Vec<_> = app_version.unwrap().links().map(|it| &*it.span_id).collect();
    assert_eq!(links, keptn);
    let service = root(&second, &trace);
    assert_eq!(service.resource["service.namespace"], "shop");
    assert_eq!(service.resource["service.version"], "2.0.0");
    Ok(())
}

/// Keptn makes no new trace for a second try.
#[tokio::test]
async fn a_retry_is_in_the_same_trace_of_keptns() -> Outcome {
    const RETRY: Which = (2, 2);
    let story = Story::with_keptn("inside-again").await?;
    let mut cart = story.first(story.known("cart").canary(waiting())).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    let placed = |journal: &timeline::journal::Journal| journal.placed.is_some();
    story.attempts.until("cart", SECOND, "placed", placed).await?;
    cart.abort().await?;
    cart.aborted().await?;
    let aborted = story.attempts.delivered("cart", SECOND).await?;
    cart.retry().await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    let (retry, trace) = story
        .shows(
            &cart,
            RETRY,
            &[
                "0 setWeight 50 Completed",
                "1 pause Completed",
                "  pause Manual Person",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause completed",
                "    pause manual person",
                "  become healthy",
            ],
        )
        .await?;
    assert_eq!(above(&retry, &trace).span_id, above(&aborted, &trace).span_id);
    assert_ne!(root(&retry, &trace).span_id, root(&aborted, &trace).span_id);
    assert!(root(&retry, &trace).links().all(|link| link.trace_id != trace.id));
    Ok(())
}

/// Where its trace is decided once stays its place.
#[tokio::test]
async fn keptn_may_appear_midway() -> Outcome {
    let cluster = Cluster::shared()?;
    Keptn::shared().await?;
    let namespace = cluster.namespace_without_keptn("midway").await?;
    let story = Story::of(&namespace, Settings::default()).await?;
    let chains = Chains::of(&namespace, cluster.jaeger());
    // Its labels name a workload, so Keptn is waited for.
    let steps = [weight(50), pause(), weight(100)];
    let mut cart = story.first(story.known("cart").canary(steps)).await?;
    let first = story.attempts.delivered("cart", FIRST).await?;
    assert_eq!(first.journal.placed.unwrap().parent, None);

    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    let placed = |journal: &timeline::journal::Journal| journal.placed.is_some();
    let before = story.attempts.until("cart", SECOND, "placed", placed).await?;
    namespace.enable_keptn().await?;
    // New pods of the new revision, and of no other, are Keptn's first sight of it: of two versions
    // at once Keptn keeps the last.
    cart.replace_new_pods().await?;
    chains.written_ahead("cart", "2.0.0").await?;
    cart.promote().await?;
    cart.healthy().await?;
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    assert_eq!(attempt.journal.placed, before.journal.placed);
    let spans = [
        "rollout cart promoted",
        "  setWeight 50 completed",
        "  pause completed",
        "    pause manual person",
        "  setWeight 100 completed",
        "  become healthy",
    ];
    let trace = story.attempts.traced(&attempt, &spans).await?;
    assert_eq!(root(&attempt, &trace).parent(), None);

    cart.change(|it| it.version("3.0.0").replicas(2).canary(timed())).await?;
    cart.healthy_at("3.0.0").await?;
    let (third, trace) = story.shows(&cart, THIRD, &TIMED, &TIMED_SPANS).await?;
    assert_eq!(above(&third, &trace).operation, "AppDeploy");
    Ok(())
}
