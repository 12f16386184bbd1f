//! How an attempt ended, in the words of the conventions.

use timeline::base::Phase;
use timeline::failure::{AbortCause, Failure, FailureClass};
use timeline::journal::{Journal, Mark, MarkKind, Measurement, Metric};
use timeline::seen::{AnalysisKind, AnalysisPhase};
use timeline::spans;
use timeline::spans::{Span, Value};

use crate::rich::{analysis, attempt, number, seen};

pub(crate) fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match &attribute.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn ended(phase: Phase, failure: Option<(FailureClass, Option<AbortCause>)>) -> Journal {
    let mut journal = attempt("h", 1);
    journal.phase = phase;
    journal.ended = Some(seen("10:01:00"));
    journal.failure = failure.map(|(class, cause)| Failure {
        class,
        cause,
        reason: "a reason".to_owned(),
        message: String::new(),
        pod: None,
        container: None,
        image: None,
        at: seen("10:00:30"),
    });
    number(&mut journal);
    journal
}

fn root(journal: &Journal) -> Span {
    spans::of(journal, 0, journal.closed).unwrap().spans.pop().unwrap()
}

#[test]
fn only_a_failure_is_an_error_and_success_stays_unset() {
    use FailureClass as Class;
    let image = |cause| Some((Class::ImagePullFailed, Some(cause)));
    let cases = [
        (Phase::Promoted, None, "success", Some("succeeded"), None),
        // It got over what was wrong with it.
        (Phase::Promoted, Some((Class::CrashLoop, None)), "success", Some("succeeded"), None),
        (
            Phase::Aborted,
            image(AbortCause::Deadline),
            "timeout",
            Some("failed"),
            Some("image_pull_failed"),
        ),
        (Phase::Aborted, image(AbortCause::Manual), "cancellation", None, None),
        (
            Phase::Aborted,
            Some((Class::AnalysisError, Some(AbortCause::StepAnalysis))),
            "error",
            Some("failed"),
            Some("analysis_error"),
        ),
        (Phase::Aborted, None, "failure", Some("failed"), Some("unknown")),
        (Phase::Superseded, Some((Class::ImagePullFailed, None)), "cancellation", None, None),
        (Phase::Reverted, None, "cancellation", None, None),
        (Phase::Deleted, None, "cancellation", None, None),
        (Phase::Unknown, None, "unknown", None, None),
    ];
    for (phase, failure, result, status, error) in cases {
        let root = root(&ended(phase, failure));
        assert_eq!(text(&root, "cicd.pipeline.result"), Some(result), "{phase} {failure:?}");
        assert_eq!(text(&root, "deployment.status"), status, "{phase} {failure:?}");
        assert_eq!(text(&root, "error.type"), error, "{phase} {failure:?}");
        assert_eq!(root.error.is_some(), error.is_some(), "{phase} {failure:?}");
        let class = failure.is_some().then_some(());
        assert_eq!(text(&root, "argo_rollouts.failure.class").map(drop), class);
    }
}

#[test]
fn what_comes_after_the_end_is_a_span_of_its_own_just_before_the_root() {
    let cases = [
        (Phase::Promoted, Some("become healthy")),
        (Phase::Aborted, Some("recover")),
        (Phase::Superseded, None),
    ];
    for (phase, expected) in cases {
        let mut journal = ended(phase, None);
        journal.settled = Some(seen("10:02:00"));
        let mut spans = spans::of(&journal, 0, journal.closed).unwrap().spans;
        let root = spans.pop().unwrap();
        assert_eq!(root.end, seen("10:01:00").at);
        let settling = spans.pop();
        assert_eq!(settling.as_ref().map(|span| span.name.as_str()), expected);
        if let Some(span) = settling {
            assert_eq!((span.start, span.end), (root.end, seen("10:02:00").at));
            assert_eq!((span.parent.unwrap().id, span.closed), (root.id, root.closed));
        }
    }
}

#[test]
fn a_measurement_that_decides_nothing_is_no_error() {
    let mut journal = attempt("h", 1);
    let mut run = analysis("a", AnalysisKind::Background, seen("10:00:01"), seen("10:00:02"));
    let metric = |name: &str, dry_run| Metric {
        name: name.to_owned(),
        phase: AnalysisPhase::Failed,
        message: String::new(),
        dry_run,
        count: 1,
        failed: 1,
        measurements: vec![Measurement {
            phase: AnalysisPhase::Failed,
            value: "0".to_owned(),
            message: String::new(),
            started: seen("10:00:01"),
            ended: seen("10:00:01"),
        }],
    };
    // Two metrics of one name still are two spans.
    run.metrics = vec![metric("rate", false), metric("rate", true)];
    journal.analyses = vec![run];
    number(&mut journal);
    let spans = spans::of(&journal, 0, 1).unwrap().spans;
    let errors: Vec<_> = spans.iter().map(|span| span.error.as_deref()).collect();
    assert_eq!(errors, [Some("Failed"), None, None]);
    assert_ne!(spans[0].id, spans[1].id);
    assert_eq!(text(&spans[1], "test.case.result.status"), Some("fail"));
}

#[test]
fn marks_beyond_what_a_span_holds_are_counted_as_cut() {
    let mut journal = ended(Phase::Promoted, None);
    let mark = Mark { kind: MarkKind::Gap, at: seen("10:00:01"), note: String::new() };
    journal.marks = vec![mark; 130];
    journal.cut = 5;
    let root = root(&journal);
    assert_eq!(root.events.len(), 128);
    let cut = root.attributes.iter().find(|a| a.key == "argo_rollouts.cut").unwrap();
    assert_eq!(cut.value, Value::Integer(7));
}
