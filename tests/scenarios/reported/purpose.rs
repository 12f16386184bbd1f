//! What an attempt is for: change, rollback, hotfix, or the same once more.

use serde_json::json;
use throughline_tests::shop::{BlueGreen, Manifest, pause_for, weight};

use super::{FIRST, Outcome, SECOND, Story, THIRD, version};

const COMMIT: &str = "throughline.dev/commit";
const COMMIT_TIME: &str = "throughline.dev/commit-time";
const HOTFIX: &str = "throughline.dev/hotfix";
const ORIGIN: &str = "throughline.dev/traceparent";

/// Some minutes ago, as a pipeline writes it.
fn ago(minutes: i64) -> String {
    throughline_tests::shop::kubelet::ago(minutes * 60)
}

/// argoproj/argo-rollouts#3039, #4281. The ReplicaSet of an aborted revision is reused and numbered
/// anew, and it is older than the stable one. It was never live, so it is nothing to go back to.
#[tokio::test]
async fn a_revision_that_was_aborted_and_ships_later_is_a_deployment_like_any_other() -> Outcome {
    let story = Story::begin("ships-later").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, SECOND).await?;
    story.ships(&mut cart, THIRD, version("3.0.0")).await?;
    story.ships(&mut cart, (4, 1), version("2.0.0")).await?;
    story.ships(&mut cart, (5, 1), version("4.0.0")).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
                "3.1 Promoted, exposed = deployment, makes good 2.1",
                "4.1 Promoted, exposed = deployment",
                "5.1 Promoted, exposed = deployment",
            ],
        )
        .await?;
    story
        .counts(
            "cart",
            "deployments 3, failedExposed 1, fixes 1; exposed 1 of 4; lead N 0; recovery N 1",
        )
        .await?;
    assert_eq!(story.links("cart", THIRD).await?, ["PreviousRevision 1.1", "After 2.1"]);
    assert_eq!(story.links("cart", (4, 1)).await?, ["PreviousRevision 3.1"]);
    let fourth = story.attempts.delivered("cart", (4, 1)).await?;
    let spans = [
        "rollout cart promoted",
        "  setWeight 50 completed",
        "  pause completed",
        "    pause manual person",
        "  become healthy",
    ];
    story.attempts.traced(&fourth, &spans).await?;
    Ok(())
}

/// The same with `rollbackWindow`: Argo takes the aborted revision for something to go back to, and
/// goes past its steps (sync.go `isRollbackWithinWindow`). It was never live all the same.
#[tokio::test]
async fn a_revision_that_was_aborted_ships_within_the_rollback_window_without_its_steps() -> Outcome
{
    let story = Story::begin("bad-window").await?;
    let window = json!({ "rollbackWindow": { "revisions": 3 } });
    let mut cart = story.first(story.rollout("cart").fields(&window)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, SECOND).await?;
    story.ships(&mut cart, THIRD, version("3.0.0")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
                "3.1 Promoted, exposed = deployment, makes good 2.1",
                "4.1 Promoted, exposed = deployment",
            ],
        )
        .await?;
    assert_eq!(story.links("cart", (4, 1)).await?, ["PreviousRevision 3.1"]);
    let journal = ["0 setWeight 50 Skipped", "1 pause Skipped", "Promoted, exposed"];
    story.attempts.reads("cart", (4, 1), &journal).await?;
    let figures = "deployments 2, failedExposed 1, fixes 1; exposed 1 of 3; lead N 0; recovery N 1";
    story.counts("cart", figures).await
}

/// argoproj/argo-rollouts#1761, #68. `revisionHistoryLimit` has removed the ReplicaSet of what is gone
/// back to: Argo makes one of the same hash anew, which is younger than the stable one.
#[tokio::test]
async fn a_way_back_to_a_replica_set_that_was_cleaned_up_is_a_rollback() -> Outcome {
    let story = Story::begin("cleaned-up").await?;
    let manifest = story.rollout("cart").fields(&json!({ "revisionHistoryLimit": 0 }));
    let mut cart = story.first(manifest).await?;
    let first = cart.state().await?.current().to_owned();
    story.ships(&mut cart, SECOND, version("2.0.0")).await?;
    loop {
        let sets = cart.replica_sets().await?;
        if sets.iter().all(|set| set.metadata.name.as_deref() != Some(&format!("cart-{first}"))) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    story.ships(&mut cart, THIRD, version("1.0.0")).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = failed deployment",
                "3.1 Promoted Rollback, exposed = rollback, makes good 2.1",
            ],
        )
        .await?;
    assert_eq!(story.links("cart", THIRD).await?, ["RollsBack 2.1"]);
    Ok(())
}

/// argoproj/argo-rollouts#127. While the old pods of a blue-green Rollout are still there Argo goes
/// back to them without a pause.
#[tokio::test]
async fn a_way_back_to_pods_that_are_still_there_is_a_rollback() -> Outcome {
    let story = Story::begin("fast-back").await?;
    let strategy = BlueGreen { promotion: None, scale_down_delay: 600, ..BlueGreen::default() };
    let mut cart = story.first(story.rollout("cart").blue_green(strategy)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    story.attempts.delivered("cart", SECOND).await?;
    story.begins(&mut cart, version("1.0.0")).await?;
    cart.healthy_at("1.0.0").await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = failed deployment",
                "3.1 Promoted Rollback, exposed = rollback, makes good 2.1",
            ],
        )
        .await?;
    let pauses = story.attempt("cart", THIRD).await?.status.unwrap().pauses;
    assert!(pauses.is_empty(), "{pauses:?}");
    let figures =
        "deployments 1, failedLive 1, rollbacks 1; exposed 1 of 1; lead N 0; recovery N 1";
    story.counts("cart", figures).await
}

/// loculus-project/loculus#4034, helm/helm#1004. Every sync renders the time anew, so a hash never
/// comes back; commit, version and images do.
#[tokio::test]
async fn a_chart_that_stamps_the_time_goes_back_to_a_commit_and_not_to_a_hash() -> Outcome {
    let story = Story::beside_keptn("stamped").await?;
    let (of_a, of_b) = ((("a".repeat(40)), ago(6 * 24 * 60)), ("b".repeat(40), ago(120)));
    let rendered = |it: Manifest, version: &str, (commit, time): &(String, String), at: u32| {
        it.version(version)
            .annotation(COMMIT, commit)
            .annotation(COMMIT_TIME, time)
            .pod_annotation("example.com/rendered-at", &format!("2026-11-26T10:{at:02}:00Z"))
    };
    let steps = [weight(50), pause_for(1)];
    let first = story.rollout("cart").canary(steps);
    let mut cart = story.first(rendered(first, "1.0.0", &of_a, 0)).await?;
    let syncs = [
        ("1.0.0", &of_a), // Nothing but the time is new.
        ("2.0.0", &of_b),
        ("1.0.0", &of_a), // helm rollback.
        ("1.0.0", &of_a),
    ];
    for (revision, (version, commit)) in (2..).zip(syncs) {
        let at = u32::try_from(revision)? * 10;
        story.begins(&mut cart, |it| rendered(it, version, commit, at)).await?;
        cart.healthy().await?;
    }
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = nothing",
                "3.1 Promoted, exposed = failed deployment",
                "4.1 Promoted Rollback, exposed = rollback, makes good 3.1",
                "5.1 Promoted, exposed = nothing",
            ],
        )
        .await?;
    story
        .counts(
            "cart",
            "deployments 1, failedLive 1, rollbacks 1; exposed 1 of 1; lead N 1; recovery N 1",
        )
        .await?;
    assert_eq!(story.links("cart", (4, 1)).await?, ["RollsBack 3.1"]);
    Ok(())
}

/// migration.minimumcd.org on the change fail rate: one bad change is one failure.
#[tokio::test]
async fn a_hotfix_mends_the_canary_that_was_aborted_and_not_what_is_live() -> Outcome {
    let story = Story::begin("hotfix").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.ships(&mut cart, SECOND, version("2.0.0")).await?;
    story.begins(&mut cart, version("3.0.0")).await?;
    cart.paused_at(1).await?;
    story.aborts(&cart, THIRD).await?;
    let hotfix = |it: Manifest| it.version("3.0.1").annotation(HOTFIX, "true");
    story.ships(&mut cart, (4, 1), hotfix).await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = deployment",
                "3.1 Aborted, exposed: ManualAbort by Manual = failed, exposed",
                "4.1 Promoted Hotfix, exposed = deployment, makes good 3.1",
            ],
        )
        .await?;
    let figures = "deployments 2, failedExposed 1, fixes 1; exposed 1 of 3; lead N 0; recovery N 1";
    story.counts("cart", figures).await?;
    let links = story.links("cart", (4, 1)).await?;
    assert_eq!(links, ["PreviousRevision 2.1", "After 3.1"]);
    Ok(())
}

/// The control of the story before: without a canary in between the hotfix mends what is live.
#[tokio::test]
async fn a_hotfix_for_what_is_live_makes_that_a_failure() -> Outcome {
    let story = Story::begin("hotfix-live").await?;
    let mut web = story.first(story.rollout("web")).await?;
    story.ships(&mut web, SECOND, version("2.0.0")).await?;
    let hotfix = |it: Manifest| it.version("2.0.1").annotation(HOTFIX, "true");
    story.ships(&mut web, THIRD, hotfix).await?;
    story
        .reports(
            "web",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = failed deployment",
                "3.1 Promoted Hotfix, exposed = deployment, makes good 2.1",
            ],
        )
        .await?;
    let figures = "deployments 2, failedLive 1, fixes 1; exposed 1 of 2; lead N 0; recovery N 1";
    story.counts("web", figures).await
}

/// kubernetes/kubernetes#23087, argoproj/argo-rollouts#412. An undo puts the old template back and
/// leaves the annotations of the Rollout, which Argo copies to the old ReplicaSet.
#[tokio::test]
async fn an_undo_does_not_give_the_old_revision_the_commit_of_what_it_takes_back() -> Outcome {
    let story = Story::with_keptn("undo-facts").await?;
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let origin = |commit: &str| format!("00-{}-{}-01", &commit[..32], &commit[..16]);
    let (early, late) = (ago(180), ago(60));
    let of = |it: Manifest, commit: &str, time: &str| {
        it.annotation(COMMIT, commit)
            .annotation(COMMIT_TIME, time)
            .annotation(ORIGIN, &origin(commit))
    };
    let steps = [weight(50), pause_for(1)];
    let mut cart = story.first(of(story.rollout("cart").canary(steps), &a, &early)).await?;
    story.begins(&mut cart, |it| of(it.version("2.0.0"), &b, &late)).await?;
    cart.healthy().await?;
    story.attempts.delivered("cart", SECOND).await?;
    cart.undo_to(1).await?;
    cart.at_revision(3).await?;
    cart.healthy().await?;
    story.attempts.delivered("cart", THIRD).await?;
    // The same commit again, with a switch turned off.
    story.begins(&mut cart, |it| it.env("off")).await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = failed deployment",
                "3.1 Promoted Rollback, exposed = rollback, makes good 2.1",
                "4.1 Promoted, exposed = deployment, makes good 2.1",
            ],
        )
        .await?;
    let figures = "deployments 2, failedLive 1, rollbacks 1, fixes 1; exposed 1 of 2; lead N 2; \
                   recovery N 1";
    story.counts("cart", figures).await?;
    let mut commits = Vec::new();
    for of in [FIRST, SECOND, THIRD, (4, 1)] {
        let facts = story.attempt("cart", of).await?.status.unwrap().facts;
        commits.push(facts.commit.unwrap_or_else(|| a.clone()));
        let from_b = story.links("cart", of).await?.iter().any(|link| link.contains(&origin(&b)));
        let ships_b = of == SECOND || of == (4, 1);
        assert_eq!(from_b, ships_b, "the run of commit b and {of:?}");
    }
    assert_eq!(commits, [&*a, &*b, &*a, &*b]);
    let line = story.line("cart", "3.1").await?;
    assert!(!line.contains("commit=bbbb"), "{line}");
    assert!(story.links("cart", THIRD).await?.contains(&"RollsBack 2.1".to_owned()));
    Ok(())
}
