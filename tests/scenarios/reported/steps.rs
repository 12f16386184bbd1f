//! Steps that Argo went past.

use serde_json::json;
use throughline_tests::jaeger::Trace;
use throughline_tests::shop::{
    Gauge, Job, Metric, PodKind, State, analysis, pause, pause_for, weight,
};

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
        .reports(
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
        .reports(
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

/// The same branch of promote.go while a weight waits for its pods: they never came, and a person
/// goes on without.
#[tokio::test]
async fn a_weight_that_a_person_did_not_wait_for_is_skipped() -> Outcome {
    let story = Story::begin("no-wait").await?;
    let steps = [weight(50), pause(), weight(75)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    story.begins(&mut cart, |it| it.version("2.0.0").pods(PodKind::ByHand)).await?;
    cart.new_pods(1).await?;
    let begun = |journal: &timeline::journal::Journal| !journal.steps.is_empty();
    story.attempts.until("cart", SECOND, "at its first step", begun).await?;
    cart.promote().await?;
    story.aborts(&cart, SECOND).await?;
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let lines = throughline_tests::attempt::lines(&attempt.journal);
    assert_eq!(lines[0], "0 setWeight 50 Skipped", "{lines:#?}");
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted: ManualAbort by Manual = failed, blocked",
            ],
        )
        .await
}

/// argoproj/argo-rollouts#261, #3015. A person lets an analysis pass that could not decide, and the
/// update is aborted later for another reason: the analysis does not explain that.
#[tokio::test]
async fn an_analysis_that_a_person_accepted_explains_no_later_abort() -> Outcome {
    let story = Story::begin("accepted").await?;
    let gauge = Gauge::show(0.8).await?;
    story.shop.analysis_template("unsure", &gauge.metric().count(1)).await?;
    let steps = [weight(50), analysis("unsure"), pause(), weight(100)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    let undecided = |it: &State| it.pauses() == ["InconclusiveAnalysisRun"];
    cart.until("undecided", undecided).await?;
    story.shows("cart", SECOND, "AnalysisInconclusive").await?;
    cart.promote().await?;
    cart.paused_at(2).await?;
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

/// The same, and it goes live: then nothing was wrong with it.
#[tokio::test]
async fn an_analysis_that_a_person_accepted_is_no_failure_of_what_is_live() -> Outcome {
    let story = Story::begin("accepted-live").await?;
    let gauge = Gauge::show(0.8).await?;
    story.shop.analysis_template("unsure", &gauge.metric().count(1)).await?;
    let steps = [weight(50), analysis("unsure"), pause_for(1)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    let undecided = |it: &State| it.pauses() == ["InconclusiveAnalysisRun"];
    cart.until("undecided", undecided).await?;
    cart.promote().await?;
    cart.healthy().await?;
    story
        .reports(
            "cart",
            &["1.1 Promoted Initial, exposed = nothing", "2.1 Promoted, exposed = deployment"],
        )
        .await
}

/// argoproj/argo-rollouts#2657. Of many analyses the last one fails: it is the one that matters.
#[tokio::test]
async fn of_many_analyses_the_one_that_failed_is_kept() -> Outcome {
    let story = Story::begin("many").await?;
    let good = Gauge::show(0.99).await?;
    story.shop.analysis_template("good", &good.metric().count(1)).await?;
    story.shop.analysis_template("bad", &Metric::job(Job::Fails)).await?;
    let mut steps = vec![weight(50)];
    steps.extend((0..26).map(|_| analysis("good")));
    steps.push(analysis("bad"));
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.aborted().await?;
    story
        .reports(
            "cart",
            &[
                "1.1 Promoted Initial, exposed = nothing",
                "2.1 Aborted, exposed: AnalysisFailed by StepAnalysis = failed, exposed",
            ],
        )
        .await?;
    let stored = story.attempt("cart", SECOND).await?.status.unwrap();
    let reason = stored.failure.map(|failure| failure.reason).unwrap_or_default();
    assert!(reason.starts_with("AnalysisFailed: ") && reason.contains("smoke-test"), "{reason}");
    let failed = |line: &String| line.starts_with("Step 27 Failed ");
    assert!(stored.analyses.iter().any(failed), "{:#?}", stored.analyses);
    Ok(())
}

/// A canary may wait for days: what is over has been stored and sent within a minute.
#[tokio::test]
async fn a_step_that_is_over_has_left_while_the_attempt_waits() -> Outcome {
    let story = Story::begin("waits").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    let placed = |journal: &timeline::journal::Journal| journal.placed.is_some();
    let open = story.attempts.until("cart", SECOND, "placed", placed).await?;
    let (trace, root) = open.root().unwrap();
    let is_step = |trace: &Trace| {
        let mut tasks = trace.spans.iter().filter_map(|it| it.tag("cicd.pipeline.task.name"));
        tasks.any(|task| task == "setWeight")
    };
    let minute = std::time::Duration::from_secs(75);
    let trace = story.jaeger.await_trace(&trace, minute, "with its step", is_step).await?;
    assert!(trace.spans.iter().all(|span| span.span_id != root), "the root has left");
    let attempt = story.attempts.until("cart", SECOND, "stored", placed).await?;
    let lines = throughline_tests::attempt::lines(&attempt.journal);
    assert_eq!(lines[..2], ["0 setWeight 50 Completed", "1 pause Running"]);
    Ok(())
}
