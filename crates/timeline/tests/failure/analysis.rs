use jiff::{SignedDuration, Timestamp};
use timeline::base::Moment;
use timeline::failure::FailureClass;
use timeline::journal::{Analysis, Measurement, Metric, of_analysis};
use timeline::seen::{AnalysisKind, AnalysisPhase};

use super::NOW;

fn later(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn measured(phase: AnalysisPhase, value: &str, message: &str) -> Measurement {
    Measurement {
        phase,
        value: value.to_owned(),
        message: message.to_owned(),
        started: Moment::status(NOW),
        ended: Moment::status(NOW),
    }
}

fn metric(name: &str, phase: AnalysisPhase, measurements: Vec<Measurement>) -> Metric {
    Metric {
        name: name.to_owned(),
        phase,
        message: String::new(),
        dry_run: false,
        count: 1,
        failed: 1,
        measurements,
    }
}

fn analysis(kind: AnalysisKind, phase: AnalysisPhase, metrics: Vec<Metric>) -> Analysis {
    Analysis {
        name: "cart-b-2-2".to_owned(),
        uid: "uid-run".to_owned(),
        kind,
        step: Some(2),
        phase,
        message: "Metric \"success-rate\" assessed Failed due to failed (1) > failureLimit (0)"
            .to_owned(),
        started: Moment::status(NOW),
        ended: Some(Moment::status(later(60))),
        metrics,
        closed: None,
        below: None,
    }
}

#[test]
fn the_metric_and_the_value_that_failed_are_named() {
    use AnalysisPhase::{Failed, Successful};
    let metrics = vec![
        metric("latency", Successful, vec![measured(Successful, "12", "")]),
        metric(
            "success-rate",
            Failed,
            vec![
                measured(Failed, "0.41", ""),
                measured(Failed, "0.42", ""),
                measured(Successful, "0.99", ""),
            ],
        ),
    ];
    let failure = of_analysis(&analysis(AnalysisKind::Step, Failed, metrics)).unwrap();
    assert_eq!(failure.class, FailureClass::AnalysisFailed);
    assert_eq!(failure.reason, "AnalysisFailed: success-rate: 0.42 (step 3)");
    assert_eq!(
        failure.message,
        "Metric \"success-rate\" assessed Failed due to failed (1) > failureLimit (0)"
    );
    assert_eq!((failure.cause, failure.at), (None, Moment::status(later(60))));
}

#[test]
fn a_value_is_shown_bare_and_a_metric_without_one_by_its_words() {
    use AnalysisPhase::{Error, Failed, Inconclusive};
    let cases = [
        (Failed, measured(Failed, "\"0.10\"", ""), "AnalysisFailed: rate: 0.10"),
        (Failed, measured(Failed, "[0.42]", ""), "AnalysisFailed: rate: 0.42"),
        (Failed, measured(Failed, "[0.42 0.43]", ""), "AnalysisFailed: rate: [0.42 0.43]"),
        (Failed, measured(Failed, "\"", ""), "AnalysisFailed: rate: \""),
        (Failed, measured(Failed, "", "job failed"), "AnalysisFailed: rate: job failed"),
        (Error, measured(Error, "", "503"), "AnalysisError: rate: 503"),
        // Another measurement than those that decided still says more than none.
        (Failed, measured(Inconclusive, "NaN", ""), "AnalysisFailed: rate: NaN"),
        (Inconclusive, measured(Inconclusive, "0.9", ""), "AnalysisInconclusive: rate: 0.9"),
    ];
    for (phase, measured, expected) in cases {
        let metrics = vec![metric("rate", phase, vec![measured])];
        let run = Analysis { step: None, ..analysis(AnalysisKind::Step, phase, metrics) };
        assert_eq!(of_analysis(&run).unwrap().reason, expected);
    }
}

#[test]
fn the_worst_metric_that_decides_is_named() {
    use AnalysisPhase::{Error, Failed, Inconclusive};
    let worst = |phase, value: &str| metric(value, phase, vec![measured(phase, value, "")]);
    let metrics = vec![
        worst(Inconclusive, "a"),
        Metric { dry_run: true, ..worst(Failed, "b") },
        worst(Error, "c"),
        worst(Error, "d"),
    ];
    let failure = of_analysis(&analysis(AnalysisKind::Background, Error, metrics)).unwrap();
    assert_eq!(failure.reason, "AnalysisError: c: c (background)");
}

#[test]
fn the_line_says_what_the_analysis_was_for() {
    use AnalysisPhase::{Error, Failed, Inconclusive};
    let cases = [
        (AnalysisKind::Step, Failed, "AnalysisFailed: rate: 1 (step 3)"),
        (AnalysisKind::Background, Failed, "AnalysisFailed: rate: 1 (background)"),
        (AnalysisKind::PrePromotion, Failed, "AnalysisFailed: rate: 1 (pre-promotion)"),
        (AnalysisKind::PostPromotion, Error, "AnalysisError: rate: 1 (post-promotion)"),
        (AnalysisKind::Experiment, Failed, "ExperimentFailed: rate: 1 (step 3)"),
        (AnalysisKind::Experiment, Error, "ExperimentFailed: rate: 1 (step 3)"),
        (AnalysisKind::Unknown, Inconclusive, "AnalysisInconclusive: rate: 1"),
    ];
    for (kind, phase, expected) in cases {
        let metrics = vec![metric("rate", phase, vec![measured(phase, "1", "")])];
        assert_eq!(of_analysis(&analysis(kind, phase, metrics)).unwrap().reason, expected);
    }
}

#[test]
fn a_run_that_never_measured_is_described_by_its_message_or_its_name() {
    let message = "Unable to resolve metric arguments: failed to resolve {{args.url}}";
    let run = analysis(AnalysisKind::Step, AnalysisPhase::Error, Vec::new());
    let explained = Analysis { message: message.to_owned(), ..run.clone() };
    let reason = of_analysis(&explained).unwrap().reason;
    assert_eq!(reason, format!("AnalysisError: {message} (step 3)"));
    let silent = Analysis { message: String::new(), ..run };
    assert_eq!(of_analysis(&silent).unwrap().reason, "AnalysisError: cart-b-2-2 (step 3)");
}

#[test]
fn a_step_beyond_all_numbers_is_counted_too() {
    let run = analysis(AnalysisKind::Step, AnalysisPhase::Failed, Vec::new());
    let run = Analysis { step: Some(u32::MAX), message: String::new(), ..run };
    assert_eq!(of_analysis(&run).unwrap().reason, "AnalysisFailed: cart-b-2-2 (step 4294967296)");
}

#[test]
fn an_analysis_that_passed_or_is_under_way_is_no_failure() {
    use AnalysisPhase::{Cancelled, Pending, Running, Successful};
    for phase in [Pending, Running, Successful, Cancelled] {
        let metrics = vec![metric("rate", AnalysisPhase::Failed, Vec::new())];
        assert_eq!(of_analysis(&analysis(AnalysisKind::Step, phase, metrics)), None);
    }
}
