//! Attempts that do not move: why is shown while it lasts, and kept.

use api::RolloutAttempt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use throughline_tests::shop::{
    Job, Metric, PodKind, State, analysis, kubelet, pause, pause_for, weight,
};

use super::{FIRST, Outcome, SECOND, Story, THIRD, version};

fn reason(attempt: &RolloutAttempt) -> &str {
    let failure = attempt.status.as_ref().and_then(|status| status.failure.as_ref());
    failure.map(|failure| &*failure.reason).unwrap_or_default()
}

/// argoproj/argo-rollouts#1774, #995, #1416. Without a stable ReplicaSet Argo promotes at once
/// (sync.go `shouldFullPromote`, "Initial deploy"), before any pod is there.
#[tokio::test]
async fn a_first_revision_that_never_was_healthy_is_not_promoted_by_the_next() -> Outcome {
    let story = Story::begin("never-healthy").await?;
    let manifest = story.rollout("cart").version("bad-1.0.0").deadline(5).abort_on_deadline();
    let manifest = manifest
        .canary([weight(50), pause_for(1)])
        .fields(&serde_json::json!({ "strategy": { "canary": { "maxUnavailable": "100%" } } }));
    let mut cart = manifest.apply().await?;
    let broken = "ImagePullFailed: cart: example/cart:bad-1.0.0: not found (2 of 2 pods)";
    let open = story.shows("cart", FIRST, "ImagePullFailed").await?;
    assert_eq!(
        open.status.as_ref().map(|status| status.phase),
        Some(api::rollout_trace::Phase::Progressing)
    );
    cart.deadline_exceeded().await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    // The way out that the documentation names: Argo waits for the stable pods, which never come.
    cart.at_revision(2).await?;
    cart.promote_full().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Superseded Initial: ImagePullFailed = nothing",
                "2.1 Promoted, exposed = deployment",
            ],
        )
        .await?;
    story.counts("cart", "deployments 1; exposed 0 of 1; lead N 0; recovery N 0").await?;
    assert_eq!(reason(&story.attempt("cart", FIRST).await?), broken);
    // Nothing was live before.
    let links = story.links("cart", SECOND).await?;
    assert!(matches!(&*links, [one] if one == "Supersedes 1.1" || one == "After 1.1"), "{links:?}");
    let first = story.attempts.delivered("cart", FIRST).await?;
    let trace = story.attempts.traced(&first, &["rollout cart superseded"]).await?;
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tag("cicd.pipeline.result"), Some("cancellation"));
    assert_eq!(root.tag("argo_rollouts.failure.reason"), Some(broken));
    Ok(())
}

impl Story {
    /// 2.0.0 waits in a pause, and then Argo refuses the spec: it names a template that is not there.
    async fn refused(
        &self,
        deadline: u32,
    ) -> Result<throughline_tests::shop::Rollout, Box<dyn std::error::Error>> {
        self.shop.analysis_template("smoke", &Metric::job(Job::Succeeds)).await?;
        let steps = |template| [weight(50), pause(), analysis(template), pause_for(1)];
        let manifest = self.rollout("cart").canary(steps("smoke"));
        let manifest = manifest.deadline(deadline).abort_on_deadline();
        let mut cart = self.first(manifest).await?;
        self.begins(&mut cart, version("2.0.0")).await?;
        cart.paused_at(1).await?;
        cart.change(|it| it.canary(steps("no-such"))).await?;
        cart.until("refused", |it| it.has_condition("InvalidSpec")).await?;
        let attempt = self.shows("cart", SECOND, "InvalidSpec").await?;
        assert!(reason(&attempt).contains("no-such"), "{}", reason(&attempt));
        let (head, page) = self.explains("cart", 2).await?;
        assert!(head.contains("InvalidSpec") && head.contains("no-such"), "{page}");
        Ok(cart)
    }
}

/// argoproj/argo-rollouts#3082, #1123. Nothing is reconciled any more (controller.go
/// `createInvalidRolloutCondition`); hash and step stay as they are.
#[tokio::test]
async fn a_spec_that_argo_refuses_midway_is_shown_and_kept() -> Outcome {
    let story = Story::begin("refused").await?;
    let mut cart = story.refused(600).await?;
    let steps = [weight(50), pause(), analysis("smoke"), pause_for(1)];
    story.begins(&mut cart, |it| it.version("3.0.0").canary(steps)).await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Superseded, exposed: InvalidSpec = superseded",
                "3.1 Promoted, exposed = deployment",
            ],
        )
        .await?;
    let (trace, _) = story.spans("cart", SECOND).await?;
    let events = &trace.roots().next().unwrap().events;
    assert!(events.iter().any(|it| it.fields["event"] == "argo_rollouts.failure_seen"));
    let figures = "deployments 1, superseded 1; exposed 0 of 1; lead N 0; recovery N 0";
    story.counts("cart", figures).await
}

/// The same, and it goes on until the deadline has passed. The next revision begins to count anew
/// (sync.go `createDesiredReplicaSet` sets the condition), so that it is not aborted for it.
#[tokio::test]
async fn what_comes_after_a_refused_spec_is_not_to_blame_for_it() -> Outcome {
    let story = Story::begin("refused-long").await?;
    let mut cart = story.refused(4).await?;
    // Argo looks at the time of the last progress, and nothing moves that any more.
    let progressed = cart.state().await?.updated("Progressing").ok_or("no progress")?;
    while Timestamp::now().duration_since(progressed).as_secs() < 6 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let steps = [weight(50), pause(), analysis("smoke"), pause_for(1)];
    story.begins(&mut cart, |it| it.version("3.0.0").canary(steps)).await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Superseded, exposed: InvalidSpec = superseded",
                "3.1 Promoted, exposed = deployment",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#1733, #2522, #2003. Without `progressDeadlineAbort`, which is the default,
/// Argo says that it timed out and leaves the rest to people.
#[tokio::test]
async fn what_timed_out_and_was_stopped_by_hand_timed_out() -> Outcome {
    let story = Story::with_keptn("timed-out").await?;
    let mut cart = story.first(story.rollout("cart").deadline(5)).await?;
    let hangs = async |cart: &mut throughline_tests::shop::Rollout, version: &str| {
        story.begins(cart, |it| it.version(version).pods(PodKind::ByHand)).await?;
        for pod in cart.new_pods(1).await? {
            cart.says(&pod, &kubelet::creating(&pod)).await?;
        }
        cart.deadline_exceeded().await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    hangs(&mut cart, "2.0.0").await?;
    let open = story.shows("cart", SECOND, "DeadlineExceeded").await?;
    assert_eq!(
        open.status.as_ref().map(|status| status.phase),
        Some(api::rollout_trace::Phase::Progressing)
    );
    story.aborts(&cart, SECOND).await?;
    hangs(&mut cart, "3.0.0").await?;
    story.shows("cart", THIRD, "DeadlineExceeded").await?;
    story.ships(&mut cart, (4, 1), |it| it.version("4.0.0").pods(PodKind::Ready)).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: DeadlineExceeded by Manual = failed, blocked",
                "3.1 Superseded: DeadlineExceeded = superseded",
                "4.1 Promoted, exposed = deployment",
            ],
        )
        .await?;
    let words = "has timed out progressing.";
    for of in [SECOND, THIRD] {
        let attempt = story.attempt("cart", of).await?;
        assert!(reason(&attempt).ends_with(words), "{}", reason(&attempt));
    }
    let links = story.links("cart", (4, 1)).await?;
    assert_eq!(links, ["PreviousRevision 1.1", "Supersedes 3.1"]);
    let figures = "deployments 1, failedBlocked 1, superseded 1; exposed 0 of 1; lead N 0; \
                   recovery N 0";
    story.counts("cart", figures).await
}

/// The control: pods that come after all take it back.
#[tokio::test]
async fn what_timed_out_and_came_after_all_did_not_fail() -> Outcome {
    let story = Story::with_keptn("came-late").await?;
    let mut cart = story.first(story.rollout("cart").deadline(5)).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    for pod in cart.new_pods(1).await? {
        cart.says(&pod, &kubelet::creating(&pod)).await?;
    }
    cart.deadline_exceeded().await?;
    story.shows("cart", SECOND, "DeadlineExceeded").await?;
    for pod in cart.new_pods(1).await? {
        cart.says(&pod, &kubelet::ready(&pod)).await?;
    }
    cart.paused_at(1).await?;
    let fine = |journal: &timeline::journal::Journal| journal.failure.is_none();
    story.attempts.until("cart", SECOND, "with nothing wrong", fine).await?;
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

/// argoproj/argo-rollouts#2003. The pod says ContainerCreating and nothing else; why is in an Event.
#[tokio::test]
async fn what_only_an_event_says_is_read_while_an_attempt_is_stalled() -> Outcome {
    let story = Story::begin("mount").await?;
    let mut cart = story.first(story.rollout("cart").deadline(30)).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    let words = "MountVolume.SetUp failed for volume \"config\" : configmap \"cart\" not found";
    for pod in cart.new_pods(1).await? {
        cart.says(&pod, &kubelet::creating(&pod)).await?;
        // A second later than the Event of the scheduler, as the kubelet tries again and again.
        let scheduled = kubelet::ago(0);
        while kubelet::ago(0) == scheduled {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let event = serde_json::from_value::<Event>(kubelet::event(&pod, "FailedMount", words))?;
        let events: kube::Api<Event> = story.namespace.api();
        events.create(&kube::api::PostParams::default(), &event).await?;
    }
    cart.deadline_exceeded().await?;
    let open = story.shows("cart", SECOND, "VolumeFailed").await?;
    assert!(reason(&open).contains("configmap \"cart\" not found"), "{}", reason(&open));
    story.aborts(&cart, SECOND).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: VolumeFailed by Manual = failed, blocked",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#1123. The Deployment that a Rollout refers to is deleted midway and comes
/// back: Argo refuses the spec meanwhile (controller.go, `InvalidWorkloadRef`), and then goes on.
#[tokio::test]
async fn a_referred_deployment_that_is_gone_for_a_while_is_shown_and_taken_back() -> Outcome {
    let story = Story::begin("referred").await?;
    let mut cart = story.first(story.rollout("cart").workload_ref()).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.namespace.kubectl(&["delete", "deployment", "cart"]).await?;
    // Argo looks again when something of the Rollout changes.
    cart.touch().await?;
    cart.until("refused", |it| it.has_condition("InvalidSpec")).await?;
    story.shows("cart", SECOND, "InvalidSpec").await?;
    cart.change(|it| it).await?;
    cart.until("accepted again", |it| !it.has_condition("InvalidSpec")).await?;
    cart.paused_at(1).await?;
    let fine = |journal: &timeline::journal::Journal| journal.failure.is_none();
    story.attempts.until("cart", SECOND, "with nothing wrong", fine).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &["1.1 Promoted Initial, exposed = nothing", "2.1 Promoted, exposed = deployment"],
        )
        .await
}

/// argoproj/argo-rollouts#3082, the other half: what is new is refused from the start. It gets no
/// ReplicaSet, so it is no attempt, and what is under way is not to blame for it.
#[tokio::test]
async fn a_new_template_that_argo_refuses_blames_nobody_else() -> Outcome {
    let story = Story::begin("refused-anew").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    let steps = [weight(50), pause(), analysis("no-such")];
    cart.change(|it| it.version("3.0.0").canary(steps)).await?;
    cart.until("refused", |it| it.has_condition("InvalidSpec")).await?;
    story.begins(&mut cart, |it| it.version("4.0.0").canary([weight(50), pause()])).await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Superseded, exposed = superseded",
                "3.1 Promoted, exposed = deployment",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#36, #1295. A quota keeps Argo from making the ReplicaSet (sync.go
/// `FailedRSCreateReason`): no hash, so no attempt, and what is live goes on; when there is room again
/// it is an attempt like any other.
#[tokio::test]
async fn a_replica_set_that_cannot_be_made_is_no_attempt_until_it_is() -> Outcome {
    let story = Story::begin("no-set").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.shop.exhaust("count/replicasets.apps", 1).await?;
    cart.apply_version("2.0.0").await?;
    let refused = |it: &State| it.reason("Progressing") == "ReplicaSetCreateError";
    cart.until("without a ReplicaSet", refused).await?;
    story.namespace.kubectl(&["delete", "resourcequota", "exhausted"]).await?;
    cart.touch().await?;
    cart.at_revision(2).await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &["1.1 Promoted Initial, exposed = nothing", "2.1 Promoted, exposed = deployment"],
        )
        .await
}

/// The same while another attempt is under way, which is not to blame for it.
#[tokio::test]
async fn a_replica_set_that_cannot_be_made_blames_nobody_else() -> Outcome {
    let story = Story::begin("no-set-after").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.shop.exhaust("count/replicasets.apps", 2).await?;
    cart.apply_version("3.0.0").await?;
    let refused = |it: &State| it.reason("Progressing") == "ReplicaSetCreateError";
    cart.until("without a ReplicaSet", refused).await?;
    story.namespace.kubectl(&["delete", "resourcequota", "exhausted"]).await?;
    cart.touch().await?;
    cart.at_revision(3).await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Superseded, exposed = superseded",
                "3.1 Promoted, exposed = deployment",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#4265. With `spec.paused` a new revision gets a ReplicaSet and no pod; what
/// replaces it found nothing wrong with it.
#[tokio::test]
async fn a_revision_that_was_paused_before_its_first_pod_hit_nobody() -> Outcome {
    let story = Story::begin("paused-early").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    cart.pause().await?;
    cart.until("paused", |it| it.is_observed() && it.phase() == "Paused").await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.at_revision(2).await?;
    story.attempts.until("cart", SECOND, "begun", |_| true).await?;
    story.begins(&mut cart, version("3.0.0")).await?;
    cart.unpause().await?;
    cart.paused_at(1).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Superseded = superseded",
                "3.1 Promoted, exposed = deployment",
            ],
        )
        .await
}
