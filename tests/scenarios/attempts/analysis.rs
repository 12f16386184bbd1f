//! Analyses and experiments of a canary.

use throughline_tests::shop::{
    Gauge, Job, Metric, analysis, experiment, experiment_with, pause, pause_for, weight,
};

use super::{Outcome, SECOND, Story, THIRD};

#[tokio::test]
async fn a_step_analysis_passes_and_then_fails() -> Outcome {
    let story = Story::begin("step-analysis").await?;
    let gauge = Gauge::show(0.99).await?;
    story.shop.analysis_template("rate", &gauge.metric().every(1)).await?;
    let steps = [weight(50), analysis("rate")];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    gauge.set(0.5);
    cart.apply_version("3.0.0").await?;
    cart.aborted().await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 analysis rate Completed",
                "  analysis Step Successful",
                "    success-rate 0.99 Successful",
                "    success-rate 0.99 Successful",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  analysis rate completed",
                "    step analysis Successful",
                "      measure success-rate 0.99 Successful",
                "      measure success-rate 0.99 Successful",
                "  become healthy",
            ],
        )
        .await?;
    let (attempt, trace) = story
        .shows(
            &cart,
            THIRD,
            &[
                "0 setWeight 50 Completed",
                "1 analysis rate Stopped",
                "  analysis Step Failed",
                "    success-rate 0.5 Failed",
                "Aborted by StepAnalysis: AnalysisFailed: success-rate: 0.5 (step 2), exposed",
            ],
            &[
                "rollout cart aborted !analysis_failed",
                "  setWeight 50 completed",
                "  analysis rate stopped",
                "    step analysis Failed !analysis_failed",
                "      measure success-rate 0.5 Failed !analysis_failed",
                "  recover",
            ],
        )
        .await?;
    let run = &attempt.journal.analyses[0];
    let said = "Metric \"success-rate\" assessed Failed due to failed (1) > failureLimit (0)";
    assert_eq!(run.message, said);
    let root = trace.roots().next().unwrap();
    assert_eq!(root.tag("cicd.pipeline.result"), Some("failure"));
    assert_eq!(root.tag("argo_rollouts.abort.cause"), Some("step_analysis"));
    let reason = "AnalysisFailed: success-rate: 0.5 (step 2)";
    assert_eq!(root.tag("otel.status_description"), Some(reason));
    Ok(())
}

#[tokio::test]
async fn an_analysis_beside_the_steps_ends_the_attempt() -> Outcome {
    let story = Story::begin("background").await?;
    let gauge = Gauge::show(0.99).await?;
    story.shop.analysis_template("watch", &gauge.metric().endless().every(60)).await?;
    let manifest = story.rollout("cart").canary([weight(50), pause_for(2)]).background("watch", 1);
    let mut cart = story.first(manifest).await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    // Argo ends what would measure on, and calls it a success.
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 pause 2s Completed",
                "  pause Timed planned=2 Timer",
                "analysis Background Cancelled",
                "  success-rate 0.99 Successful",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause 2s completed",
                "    pause timed 2 timer",
                "  background analysis Cancelled",
                "    measure success-rate 0.99 Successful",
                "  become healthy",
            ],
        )
        .await?;
    gauge.set(0.5);
    cart.apply_version("3.0.0").await?;
    cart.aborted().await?;
    story
        .shows(
            &cart,
            THIRD,
            &[
                "0 setWeight 50 Completed",
                "1 pause 2s Stopped",
                "  pause Timed planned=2 End",
                "analysis Background Failed",
                "  success-rate 0.5 Failed",
                "Aborted by BackgroundAnalysis: AnalysisFailed: success-rate: 0.5 (background), \
                 exposed",
            ],
            &[
                "rollout cart aborted !analysis_failed",
                "  setWeight 50 completed",
                "  pause 2s stopped",
                "    pause timed 2 end",
                "  background analysis Failed !analysis_failed",
                "    measure success-rate 0.5 Failed !analysis_failed",
                "  recover",
            ],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_job_decides() -> Outcome {
    let story = Story::begin("job").await?;
    story.shop.analysis_template("good", &Metric::job(Job::Succeeds)).await?;
    story.shop.analysis_template("bad", &Metric::job(Job::Fails)).await?;
    let steps = [weight(50), analysis("good"), analysis("bad")];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    cart.apply_version("2.0.0").await?;
    cart.aborted().await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 analysis good Completed",
                "  analysis Step Successful",
                "    smoke-test Successful",
                "2 analysis bad Stopped",
                "  analysis Step Failed",
                "    smoke-test Failed",
                "Aborted by StepAnalysis: AnalysisFailed: smoke-test: Metric \"smoke-test\" \
                 assessed Failed due to failed (1) > failureLimit (0) (step 3), exposed",
            ],
            &[
                "rollout cart aborted !analysis_failed",
                "  setWeight 50 completed",
                "  analysis good completed",
                "    step analysis Successful",
                "      measure smoke-test Successful",
                "  analysis bad stopped",
                "    step analysis Failed !analysis_failed",
                "      measure smoke-test Failed !analysis_failed",
                "  recover",
            ],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_analysis_that_cannot_decide_waits_for_a_person() -> Outcome {
    let story = Story::begin("inconclusive").await?;
    let gauge = Gauge::show(0.8).await?;
    story.shop.analysis_template("unsure", &gauge.metric().count(1)).await?;
    let steps = [weight(50), analysis("unsure")];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 analysis unsure Skipped",
                "  pause InconclusiveAnalysis Person",
                "  analysis Step Inconclusive",
                "    success-rate 0.8 Inconclusive",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  analysis unsure skipped",
                "    pause inconclusive_analysis person",
                "    step analysis Inconclusive !analysis_inconclusive",
                "      measure success-rate 0.8 Inconclusive !analysis_inconclusive",
                "  become healthy",
            ],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_experiment_compares_and_its_analysis_decides() -> Outcome {
    let story = Story::begin("experiment").await?;
    let gauge = Gauge::show(0.99).await?;
    story.shop.analysis_template("compare", &gauge.metric().every(1).after(1)).await?;
    let steps = [experiment(1), weight(50), experiment_with(3, "compare"), pause()];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(3).await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    gauge.set(0.5);
    cart.apply_version("3.0.0").await?;
    cart.aborted().await?;
    story
        .shows(
            &cart,
            SECOND,
            &[
                "0 experiment baseline,canary Completed",
                "  experiment Successful",
                "1 setWeight 50 Completed",
                "2 experiment baseline,canary Completed",
                "  experiment Successful",
                "  analysis Experiment Successful",
                "    success-rate 0.99 Successful",
                "    success-rate 0.99 Successful",
                "3 pause Completed",
                "  pause Manual Person",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  experiment baseline,canary completed",
                "    experiment Successful",
                "  setWeight 50 completed",
                "  experiment baseline,canary completed",
                "    experiment Successful",
                "    experiment analysis Successful",
                "      measure success-rate 0.99 Successful",
                "      measure success-rate 0.99 Successful",
                "  pause completed",
                "    pause manual person",
                "  become healthy",
            ],
        )
        .await?;
    story
        .shows(
            &cart,
            THIRD,
            &[
                "0 experiment baseline,canary Completed",
                "  experiment Successful",
                "1 setWeight 50 Completed",
                "2 experiment baseline,canary Stopped",
                "  experiment Failed",
                "  analysis Experiment Failed",
                "    success-rate 0.5 Failed",
                "Aborted by Experiment: ExperimentFailed: success-rate: 0.5 (step 3), exposed",
            ],
            &[
                "rollout cart aborted !experiment_failed",
                "  experiment baseline,canary completed",
                "    experiment Successful",
                "  setWeight 50 completed",
                "  experiment baseline,canary stopped",
                "    experiment Failed !experiment_failed",
                "    experiment analysis Failed !analysis_failed",
                "      measure success-rate 0.5 Failed !analysis_failed",
                "  recover",
            ],
        )
        .await?;
    Ok(())
}
