//! AnalysisRuns, Experiments, and why an attempt does not get on.

use jiff::{SignedDuration, Timestamp};
use timeline::Key;
use timeline::base::Turn;
use timeline::failure::{AbortCause, FailureClass};
use timeline::seen::{
    AnalysisKind, AnalysisPhase, AnalysisRunSeen, EvidenceOwner, ExperimentSeen, MeasurementSeen,
    MetricSeen,
};

use crate::lines::lines;
use crate::story::{Story, floor, step};

pub(crate) fn run(name: &str, kind: AnalysisKind, created: Timestamp) -> AnalysisRunSeen {
    AnalysisRunSeen {
        key: Key::new("ns", name),
        uid: format!("uid-of-{name}"),
        owner: EvidenceOwner::Rollout("cart".to_owned(), "uid-1".to_owned()),
        revision: Some(2),
        hash: Some("b".into()),
        kind,
        step: (kind == AnalysisKind::Step).then_some(1),
        phase: AnalysisPhase::Pending,
        message: String::new(),
        created: Some(floor(created)),
        started: None,
        completed: None,
        metrics: Vec::new(),
        metric_count: 0,
    }
}

fn metric(name: &str, phase: AnalysisPhase, measurements: u32, at: Timestamp) -> MetricSeen {
    let measurement = |index: u32| MeasurementSeen {
        phase,
        value: format!("{index}"),
        message: String::new(),
        started: Some(floor(at) + SignedDuration::from_secs(index.into())),
        finished: Some(floor(at) + SignedDuration::from_secs(index.into())),
    };
    MetricSeen {
        name: name.to_owned(),
        phase,
        message: String::new(),
        dry_run: false,
        count: measurements,
        failed: 0,
        measurements: (0..measurements).map(measurement).collect(),
    }
}

pub(crate) fn experiment(phase: AnalysisPhase, created: Timestamp) -> ExperimentSeen {
    ExperimentSeen {
        key: Key::new("ns", "cart-b-2-1"),
        uid: "uid-of-experiment".to_owned(),
        owner: EvidenceOwner::Rollout("cart".to_owned(), "uid-1".to_owned()),
        revision: Some(2),
        step: Some(1),
        phase,
        message: String::new(),
        created: Some(floor(created)),
        available: None,
    }
}

impl Story {
    pub(crate) fn analysed(mut self, run: &AnalysisRunSeen) -> Self {
        let now = self.now;
        self.turn = self.journal_mut().analysis_seen(run, now);
        self
    }

    pub(crate) fn experimented(mut self, seen: &ExperimentSeen) -> Self {
        let now = self.now;
        self.turn = self.journal_mut().experiment_seen(seen, now);
        self
    }
}

fn running() -> (Story, AnalysisRunSeen) {
    let story = Story::canary().after(10).applies("b").after(10).available(1).reaches(1);
    let mut run = run("cart-b-2-1", AnalysisKind::Step, story.now);
    let story = story.analysed(&run).after(1);
    run.phase = AnalysisPhase::Running;
    run.started = Some(floor(story.now));
    (story.analysed(&run), run)
}

#[test]
fn an_analysis_has_its_own_times() {
    let (story, mut run) = running();
    let story = story.after(2);
    run.phase = AnalysisPhase::Successful;
    run.completed = Some(floor(story.now));
    run.metrics = vec![metric("success-rate", AnalysisPhase::Successful, 7, story.now)];
    run.metric_count = 1;
    let story = story.after_ms(200).analysed(&run);
    assert_eq!(story.turn, Turn::Moved);
    assert_eq!(lines(story.journal())[1], "analysis cart-b-2-1 Step Successful ~30..~33");
    let kept: Vec<_> =
        story.journal().analyses[0].metrics[0].measurements.iter().map(|m| &m.value).collect();
    assert_eq!(kept, ["4", "5", "6"]);
    let over = story.journal().clone();
    // What a collector of garbage or a person does to it afterwards is not recorded.
    run.phase = AnalysisPhase::Failed;
    let story = story.analysed(&run);
    assert_eq!((story.journal(), story.turn), (&over, Turn::Same));
}

#[test]
fn an_analysis_that_fails_explains_the_abort_in_whichever_order_they_are_seen() {
    let why = ": Step-based analysis phase error/failed: Metric \"success-rate\" assessed Failed";
    for analysis_first in [true, false] {
        let (story, mut run) = running();
        let story = story.after(2);
        (run.phase, run.completed) = (AnalysisPhase::Failed, Some(floor(story.now)));
        run.message = "Metric \"success-rate\" assessed Failed due to failed (1)".to_owned();
        run.metrics = vec![metric("success-rate", AnalysisPhase::Failed, 1, story.now)];
        let story = if analysis_first {
            story.analysed(&run).after_ms(100).aborted(why)
        } else {
            story.aborted(why).after_ms(100).analysed(&run)
        };
        let failure = story.journal().failure.clone().unwrap();
        assert_eq!(failure.class, FailureClass::AnalysisFailed);
        assert_eq!(failure.cause, Some(AbortCause::StepAnalysis));
        assert!(!failure.message.starts_with("Rollout aborted"), "{}", failure.message);
        let story = story.after(1).available(0);
        assert!(story.journal().root_closed.is_some(), "{:?}", lines(story.journal()));
    }
}

#[test]
fn a_background_analysis_that_fails_ends_the_attempt_at_the_step_it_is_at() {
    let story = Story::canary().after(10).applies("b");
    let mut background = run("cart-b-2", AnalysisKind::Background, story.now);
    background.phase = AnalysisPhase::Running;
    let story = story.analysed(&background).after(20).reaches(1).after(3);
    (background.phase, background.completed) = (AnalysisPhase::Failed, Some(floor(story.now)));
    story
        .analysed(&background)
        .after_ms(100)
        .aborted(": Background analysis phase error/failed: no")
        .reads(&[
            "step 0 setWeight 20 Completed ~20..40.1",
            "analysis cart-b-2 Background Failed ~20..~43",
            "step 1 pause 30s Stopped 40.1..~43",
            "Aborted ~20..~43 settled ~43",
        ]);
}

#[test]
fn the_root_waits_for_an_analysis_that_ends_a_little_later() {
    let (story, mut run) = running();
    let story = story.after(2).aborted("").after(1).available(0);
    assert_eq!(story.journal().root_closed, None);
    let story = story.after(3);
    (run.phase, run.completed) = (AnalysisPhase::Cancelled, Some(floor(story.now)));
    let story = story.analysed(&run);
    assert_eq!(story.turn, Turn::Vital);
    assert_eq!(lines(story.journal())[2], "analysis cart-b-2-1 Step Cancelled ~30..~37");
    assert_eq!(story.journal().root_closed, Some(4));
}

#[test]
fn the_root_waits_half_a_minute_for_an_analysis_that_does_not_end() {
    let (story, _) = running();
    let story = story.after(2).aborted("").after(1).available(0).waits_until_due();
    assert_eq!(story.turn, Turn::Vital);
    story.reads(&[
        "step 0 setWeight 20 Completed ~20..30.1",
        "step 1 pause 30s Stopped 30.1..~33",
        "analysis cart-b-2-1 Step Running ~30..?33<63",
        "Aborted ~20..~33 settled 34.1",
    ]);
}

#[test]
fn an_analysis_without_times_was_some_time_between() {
    let story = Story::canary().after(10).applies("b").after(10);
    let mut run = run("cart-b-2-1", AnalysisKind::Step, story.now);
    (run.created, run.phase) = (None, AnalysisPhase::Error);
    let story = story.analysed(&run);
    assert_eq!(lines(story.journal())[0], "analysis cart-b-2-1 Step Error 30.1..?30.1<30.1");
}

#[test]
fn an_experiment_began_when_it_was_made_and_ended_when_that_was_seen() {
    let plan = [step("setWeight", "20"), step("experiment", "a"), step("setWeight", "50")];
    let story = Story::begins(timeline::seen::Strategy::Canary, plan.to_vec()).gets_live("a");
    let story = story.after(10).applies("b").after(10).reaches(1);
    let created = story.now;
    story
        .experimented(&experiment(AnalysisPhase::Pending, created))
        .after(1)
        .experimented(&experiment(AnalysisPhase::Running, created))
        .after(60)
        .experimented(&experiment(AnalysisPhase::Successful, created))
        .after_ms(100)
        .reaches(2)
        .reads(&[
            "step 0 setWeight 20 Completed ~20..30.1",
            "experiment cart-b-2-1 Successful ~30..91.1",
            "step 1 experiment a Completed 30.1..91.2",
            "step 2 setWeight 50 Running 91.2..",
        ]);
}

#[test]
fn the_metric_that_failed_is_kept_however_many_passed() {
    let (story, mut run) = running();
    let names: Vec<String> = (0..20).map(|index| format!("metric-{index}")).collect();
    let metrics = names.iter().map(|name| metric(name, AnalysisPhase::Successful, 1, story.now));
    run.metrics = metrics.collect();
    run.metric_count = 20;
    run.metrics[12].phase = AnalysisPhase::Failed;
    // What is only tried out decides nothing.
    (run.metrics[17].phase, run.metrics[17].dry_run) = (AnalysisPhase::Failed, true);
    let story = story.analysed(&run);
    let kept: Vec<_> =
        story.journal().analyses[0].metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(kept, ["metric-0", "metric-1", "metric-2", "metric-3", "metric-12"]);
    assert_eq!(story.journal().cut, 15);
    assert_eq!(story.after(1).analysed(&run).journal().cut, 15);
}

#[test]
fn two_thousand_analyses_are_counted_once_each() {
    let mut story = Story::canary().after(10).applies("b");
    for _ in 0..2 {
        for index in 0..2000 {
            let run = run(&format!("cart-b-2-1.{index}"), AnalysisKind::Step, story.now);
            story = story.analysed(&run);
        }
    }
    assert_eq!((story.journal().analyses.len(), story.journal().cut), (24, 1976));
}

#[test]
fn the_analysis_that_failed_is_never_the_one_that_has_no_room() {
    let mut story = Story::canary().after(10).applies("b").after(1).reaches(1);
    for index in 0..24 {
        let mut run = run(&format!("cart-b-2-1.{index}"), AnalysisKind::Step, story.now);
        run.phase = if index < 20 { AnalysisPhase::Successful } else { AnalysisPhase::Running };
        run.completed = Some(story.now);
        story = story.analysed(&run);
    }
    let mut last = run("cart-b-2-1.24", AnalysisKind::Step, story.now);
    last.phase = AnalysisPhase::Running;
    story = story.analysed(&last);
    assert_eq!((story.journal().analyses.len(), story.journal().cut), (24, 1));
    let stored = story.journal().clone();
    (last.phase, last.completed) = (AnalysisPhase::Failed, Some(floor(story.now)));
    story = story.after(1).analysed(&last);
    let kept = story.journal().analyses.last().unwrap();
    assert_eq!((kept.name.as_str(), kept.phase), ("cart-b-2-1.24", AnalysisPhase::Failed));
    assert!(story.journal().continues(&stored), "what was there before stays");
    // One that could not decide has room where one that passed has none.
    for (index, phase) in
        [AnalysisPhase::Successful, AnalysisPhase::Inconclusive].iter().enumerate()
    {
        let mut run = run(&format!("late-{index}"), AnalysisKind::Step, story.now);
        (run.phase, run.completed) = (*phase, Some(story.now));
        story = story.analysed(&run);
    }
    assert_eq!(story.journal().analyses.len(), 26);
    assert_eq!(story.journal().analyses[25].phase, AnalysisPhase::Inconclusive);
    // However many failed, the reason is known.
    for index in 0..20 {
        let mut run = run(&format!("failed-{index}"), AnalysisKind::Step, story.now);
        (run.phase, run.completed) = (AnalysisPhase::Failed, Some(story.now));
        run.message = format!("no {index}");
        story = story.analysed(&run);
    }
    assert_eq!(story.journal().analyses.len(), 32);
    assert_eq!(story.journal().failure.clone().unwrap().class, FailureClass::AnalysisFailed);
}

#[test]
fn an_analysis_that_there_is_no_room_for_is_weighed_like_any_other() {
    let mut story = Story::canary().after(10).applies("b").after(1).reaches(1);
    let mut analysed = |name: &str, phase| {
        let mut run = run(name, AnalysisKind::Step, story.now);
        (run.phase, run.completed) = (phase, Some(floor(story.now)));
        story = story.clone().analysed(&run);
        let class = story.journal().failure.as_ref().map(|failure| failure.class);
        (story.journal().analyses.len(), class)
    };
    for index in 0..40 {
        analysed(&format!("cart-b-2-1.{index}"), AnalysisPhase::Error);
    }
    let last = analysed("cart-b-2-1.40", AnalysisPhase::Failed);
    assert_eq!(last, (32, Some(FailureClass::AnalysisFailed)));
}

#[test]
fn the_experiment_that_failed_is_never_the_one_that_has_no_room() {
    let mut story = Story::canary().after(10).applies("b").after(1).reaches(1);
    for index in 0..20 {
        let phase = if index == 19 { AnalysisPhase::Failed } else { AnalysisPhase::Successful };
        let mut seen = experiment(phase, story.now);
        seen.uid = format!("uid-{index}");
        story = story.experimented(&seen);
    }
    let kept: Vec<_> = story.journal().experiments.iter().map(|it| it.phase).collect();
    assert_eq!((kept.len(), kept[16]), (17, AnalysisPhase::Failed));
    assert_eq!(story.journal().cut, 3);
}

#[test]
fn a_promoted_attempt_has_not_failed() {
    let (story, mut run) = running();
    run.phase = AnalysisPhase::Inconclusive;
    let story = story.analysed(&run);
    assert!(story.journal().failure.is_some());
    let story = story.after(1).reaches(4).promoted().healthy();
    assert_eq!(story.journal().failure, None);
}

/// The values of a journal's entries as JSON, without the keys that all entries share: times are
/// milliseconds since the story began, and a letter for its source.
fn table(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => match fields.get("source").and_then(Value::as_str) {
            Some(source) => {
                let at: Timestamp = fields["at"].as_str().unwrap().parse().unwrap();
                let since = at.as_millisecond() - crate::story::BEGIN * 1000;
                Value::String(format!("{since}{}", &source[..1]))
            }
            None => Value::Array(fields.values().map(table).collect()),
        },
        Value::Array(items) => Value::Array(items.iter().map(table).collect()),
        other => other.clone(),
    }
}

#[test]
fn a_journal_of_fifty_steps_and_twenty_analyses_is_small() {
    let plan = (0..50).map(|index| crate::story::step("setWeight", &index.to_string())).collect();
    let mut story = Story::begins(timeline::seen::Strategy::Canary, plan).gets_live("a");
    story = story.applies("b").available(1);
    for index in 1..=50 {
        story = story.after(1).reaches(index);
    }
    for index in 0..20 {
        let mut run = run(&format!("cart-6d5694bbbf-2-{index}"), AnalysisKind::Step, story.now);
        run.uid = format!("0d7a6a3c-5b1e-4c55-9b0f-{index:012}");
        let failed = index == 19;
        run.phase = if failed { AnalysisPhase::Failed } else { AnalysisPhase::Successful };
        run.message = "w".repeat(if failed { 5000 } else { 0 });
        let metrics = ["success-rate", "latency", "errors"];
        run.metrics = metrics.iter().map(|name| metric(name, run.phase, 10, story.now)).collect();
        for metric in &mut run.metrics {
            metric.message = "w".repeat(5000);
            metric.measurements.iter_mut().for_each(|it| it.message = "w".repeat(5000));
        }
        run.completed = Some(story.now);
        story = story.analysed(&run);
    }
    let journal = story.journal();
    assert_eq!((journal.steps.len(), journal.analyses.len()), (50, 20));
    // What failed at last is kept in full.
    assert_eq!(journal.analyses[19].metrics.len(), 3);
    assert_eq!(journal.analyses[19].message.len(), 256);
    assert!(journal.cut > 0);
    let entries = serde_json::json!([journal.steps, journal.analyses]);
    let (table, json) = (table(&entries).to_string().len(), entries.to_string().len());
    assert!(table < 8 * 1024, "{table} bytes");
    assert!(json < 32 * 1024, "{json} bytes");
}

#[test]
fn a_new_template_that_argo_refuses_blames_the_attempt_under_way_for_nothing() {
    let refused = "The Rollout \"cart\" is invalid: spec.template: not found";
    for (template, blamed) in [(2, false), (1, true)] {
        let story = Story::canary()
            .version(|rollout| rollout.progress.up_to_date = true)
            .applies("b")
            .after(5)
            .version(|rollout| rollout.progress.template = Some(1))
            .after(5)
            .version(|rollout| {
                rollout.progress.template = Some(template);
                rollout.progress.invalid_spec = Some(refused.to_owned());
            });
        let class = story.journal().failure.as_ref().map(|failure| failure.class);
        assert_eq!(class, blamed.then_some(FailureClass::InvalidSpec));
    }
}
