//! Why attempts fail: the class, and a line that a person understands.

use throughline_tests::shop::{Manifest, PodKind, Rollout, weight};
use timeline::journal::{Journal, MarkKind};

use super::{Outcome, SECOND, Story, THIRD};

impl Story {
    /// Version 1.0.0, of which a later version has some seconds.
    async fn hurried(&self) -> Result<Rollout, Box<dyn std::error::Error>> {
        self.first(self.rollout("cart").canary([weight(50)]).deadline(5).abort_on_deadline()).await
    }

    /// Version 2.0.0 with such pods runs into its deadline for this reason; no user has met it.
    async fn fails(&self, pods: PodKind, reason: &str, error: &str) -> Outcome {
        let mut cart = self.hurried().await?;
        cart.apply_version_with("2.0.0", pods).await?;
        cart.aborted().await?;
        self.failed(&cart, reason, error).await
    }

    async fn failed(&self, cart: &Rollout, reason: &str, error: &str) -> Outcome {
        let attempt = self.attempts.delivered("cart", SECOND).await?;
        let mark = attempt.journal.marks.iter().find(|it| it.kind == MarkKind::DeadlineExceeded);
        let mark = mark.map(|mark| format!("mark DeadlineExceeded: {}", mark.note));
        let last = format!("Aborted by Deadline: {reason}");
        let mut journal = vec!["0 setWeight 50 Stopped"];
        journal.extend(mark.as_deref());
        journal.push(&last);
        let root = format!("rollout cart aborted !{error}");
        let spans = [&*root, "  setWeight 50 stopped", "  recover"];
        let (attempt, trace) = self.shows(cart, SECOND, &journal, &spans).await?;
        let root = trace.roots().next().unwrap();
        assert_eq!(root.tag("cicd.pipeline.result"), Some("timeout"));
        assert_eq!(root.tag("otel.status_description"), Some(reason));
        assert!(root.events.iter().any(|it| it.fields["event"] == "argo_rollouts.failure_seen"));
        // Who says so is known after the pods are gone.
        let failure = attempt.journal.failure.unwrap();
        assert!(failure.at.at < attempt.journal.ended.unwrap().at, "{failure:?}");
        assert!(failure.pod.is_none_or(|pod| pod.starts_with("cart-")));
        Ok(())
    }
}

#[tokio::test]
async fn an_image_that_is_not_there() -> Outcome {
    let story = Story::begin("image").await?;
    let reason = "ImagePullFailed: cart: example/cart:2.0.0: not found (1 of 1 pods)";
    story.fails(PodKind::ImagePull, reason, "image_pull_failed").await
}

#[tokio::test]
async fn a_container_that_crashes() -> Outcome {
    let story = Story::begin("crash").await?;
    let reason = "CrashLoop: cart: exit code 1, 1 restart: panic: cart: no route to the database \
                  (1 of 1 pods)";
    story.fails(PodKind::CrashLoop, reason, "crash_loop").await
}

#[tokio::test]
async fn a_container_that_needs_too_much_memory() -> Outcome {
    let story = Story::begin("memory").await?;
    let reason = "OutOfMemory: cart: OOMKilled, exit code 137 (SIGKILL), 1 restart (1 of 1 pods)";
    story.fails(PodKind::OutOfMemory, reason, "out_of_memory").await
}

#[tokio::test]
async fn a_pod_that_no_node_takes() -> Outcome {
    let story = Story::begin("nowhere").await?;
    let reason = "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node \
                  affinity/selector. (1 of 1 pods)";
    story.fails(PodKind::Unschedulable, reason, "unschedulable").await
}

#[tokio::test]
async fn a_quota_that_is_used_up() -> Outcome {
    let story = Story::begin("quota").await?;
    let mut cart = story.hurried().await?;
    story.shop.exhaust_quota().await?;
    cart.apply_version("2.0.0").await?;
    cart.aborted().await?;
    let reason = "QuotaExceeded: pods: requested: pods=1, used: pods=3, limited: pods=3";
    story.failed(&cart, reason, "quota_exceeded").await
}

#[tokio::test]
async fn pods_that_admission_refuses() -> Outcome {
    let story = Story::begin("admission").await?;
    let mut cart = story.hurried().await?;
    story.shop.refuse_pods().await?;
    cart.apply_version("2.0.0").await?;
    cart.aborted().await?;
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let reason = attempt.journal.failure.map(|failure| failure.reason).unwrap_or_default();
    let start =
        "AdmissionRefused: PodSecurity restricted:latest: allowPrivilegeEscalation != false";
    assert!(reason.starts_with(start), "{reason}");
    story.failed(&cart, &reason, "admission_refused").await
}

/// A deadline that is exceeded is no end: what explains it stays until the pods prove otherwise.
#[tokio::test]
async fn a_deadline_without_abort_is_a_mark_on_the_way() -> Outcome {
    let story = Story::begin("late").await?;
    let manifest = story.rollout("cart").canary([weight(50)]).deadline(3);
    let mut cart = story.first(manifest).await?;
    cart.apply_version_with("2.0.0", PodKind::ImagePull).await?;
    cart.deadline_exceeded().await?;
    let late = |journal: &Journal| {
        journal.failure.as_ref().is_some_and(|it| it.reason.starts_with("ImagePullFailed"))
            && journal.marks.iter().any(|it| it.kind == MarkKind::DeadlineExceeded)
    };
    story.attempts.until("cart", SECOND, "late for want of an image", late).await?;
    let fixed = |it: Manifest| it.version("3.0.0").pods(PodKind::Ready).deadline(60);
    cart.change(fixed).await?;
    cart.healthy_at("3.0.0").await?;
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let mark = format!("mark DeadlineExceeded: {}", attempt.journal.marks[0].note);
    assert!(mark.ends_with("has timed out progressing."), "{mark}");
    let reason = "ImagePullFailed: cart: example/cart:2.0.0: not found (1 of 1 pods)";
    let last = format!("Superseded: {reason}");
    let spans = ["rollout cart superseded", "  setWeight 50 stopped"];
    let journal = ["0 setWeight 50 Stopped", &mark, &last];
    let (_, trace) = story.shows(&cart, SECOND, &journal, &spans).await?;
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tag("argo_rollouts.failure.reason"), Some(reason));
    let spans = ["rollout cart promoted", "  setWeight 50 completed", "  become healthy"];
    let journal = ["0 setWeight 50 Completed", "Promoted, exposed"];
    story.shows(&cart, THIRD, &journal, &spans).await?;
    Ok(())
}

/// What was wrong for a while is forgotten when the pods are ready after all.
#[tokio::test]
async fn a_pod_that_takes_long_is_no_failure() -> Outcome {
    let story = Story::begin("slow").await?;
    let manifest = story.rollout("cart").canary([weight(50)]).deadline(2);
    let mut cart = story.first(manifest).await?;
    cart.apply_version_with("2.0.0", PodKind::Slow(4000)).await?;
    cart.deadline_exceeded().await?;
    cart.healthy_at("2.0.0").await?;
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let journal = &attempt.journal;
    let marks: Vec<_> = journal.marks.iter().map(|mark| mark.kind).collect();
    assert!(marks.iter().all(|mark| *mark == MarkKind::DeadlineExceeded), "{marks:?}");
    assert!(!marks.is_empty());
    assert_eq!(journal.failure, None);
    assert_eq!(journal.phase, timeline::base::Phase::Promoted);
    let spans = ["rollout cart promoted", "  setWeight 50 completed", "  become healthy"];
    let trace = story.attempts.traced(&attempt, &spans).await?;
    let events = &trace.roots().next().unwrap().events;
    assert!(events.iter().all(|it| it.fields["event"] == "argo_rollouts.deadline_exceeded"));
    assert_eq!(events.len(), marks.len());
    Ok(())
}
