//! Steps that Argo went past.

use serde_json::json;
use throughline_tests::shop::{Gauge, State, analysis, pause, pause_for, weight};

use super::{Outcome, SECOND, Story, THIRD, version};

/// argoproj/argo-rollouts#261, #1203. A promotion in the middle of an analysis raises the index by
/// one (promote.go, the last branch of `getPatches`), and Argo ends the AnalysisRun.
#[tokio::test]
async fn a_step_that_a_person_went_past_is_skipped_even_if_it_is_only_one() -> Outcome {
    let story = Story::with_keptn("skip").await?;
    let gauge = Gauge::show(0.99).await?;
    let metric = gauge.metric().count(100).every(1);
    story.shop.analysis_template("errors", &metric).await?;
    let steps = [weight(50), analysis("errors"), pause_for(1)];
    let mut skip = story.first(story.rollout("skip").canary(steps)).await?;
    story.begins(&mut skip, version("2.0.0")).await?;
    skip.until("at its analysis", |it| it.is_observed() && it.step() == Some(1)).await?;
    let measured = |journal: &timeline::journal::Journal| {
        journal.analyses.first().is_some_and(|run| !run.metrics.is_empty())
    };
    story.attempts.until("skip", SECOND, "measured", measured).await?;
    skip.promote().await?;
    skip.healthy().await?;
    story
        .tells(
            "skip",
            &["1.1 Promoted Initial, exposed = nothing", "2.1 Promoted, exposed = deployment"],
        )
        .await?;
    let attempt = story.attempts.delivered("skip", SECOND).await?;
    let lines = throughline_tests::attempt::lines(&attempt.journal);
    let steps: Vec<_> = lines.iter().filter(|line| line.starts_with(char::is_numeric)).collect();
    assert_eq!(
        steps,
        ["0 setWeight 50 Completed", "1 analysis errors Skipped", "2 pause 1s Completed"]
    );
    assert!(lines.contains(&"  analysis Step Cancelled".to_owned()), "{lines:#?}");
    let (_, page) = story.explains("skip", 2).await?;
    assert!(page.contains("step 2/3 analysis errors, skipped"), "{page}");
    let stored = story.attempt("skip", SECOND).await?.status.unwrap();
    assert!(stored.steps[1].starts_with("1 analysis errors Skipped "), "{:?}", stored.steps);
    story.counts("skip", "deployments 1; exposed 0 of 1; lead N 0; recovery N 0").await
}

/// A rollback within `rollbackWindow` goes past all steps (canary.go), also if that is a single one:
/// nobody paused, and nobody waited.
#[tokio::test]
async fn the_single_step_of_a_rollback_within_its_window_is_skipped() -> Outcome {
    let story = Story::with_keptn("win").await?;
    let window = json!({ "rollbackWindow": { "revisions": 2 } });
    let manifest = story.rollout("win").canary([pause()]).fields(&window);
    let mut win = story.first(manifest).await?;
    story.begins(&mut win, version("2.0.0")).await?;
    win.paused_at(0).await?;
    win.promote().await?;
    win.healthy().await?;
    story.attempts.delivered("win", SECOND).await?;
    story.begins(&mut win, version("1.0.0")).await?;
    let back = |it: &State| it.is_observed() && it.phase() == "Healthy";
    win.until("back", back).await?;
    story
        .tells(
            "win",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Promoted, exposed = failed deployment",
                "3.1 Promoted Rollback, exposed = rollback, makes good 2.1",
            ],
        )
        .await?;
    let journal = ["0 pause Completed", "  pause Manual Person", "Promoted, exposed"];
    story.attempts.reads("win", SECOND, &journal).await?;
    let third =
        story.attempts.reads("win", THIRD, &["0 pause Skipped", "Promoted, exposed"]).await?;
    let spans = ["rollout win promoted", "  pause skipped", "  become healthy"];
    story.attempts.traced(&third, &spans).await?;
    let figures =
        "deployments 1, failedLive 1, rollbacks 1; exposed 1 of 1; lead N 0; recovery N 1";
    story.counts("win", figures).await
}
