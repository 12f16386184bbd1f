use timeline::base::Moment;
use timeline::failure::{AbortCause, Failure, FailureClass, decide};

use super::NOW;

fn failure(class: FailureClass, cause: Option<AbortCause>, whose: &str) -> Failure {
    Failure {
        class,
        cause,
        reason: format!("{class}: {whose}"),
        message: whose.to_owned(),
        pod: None,
        container: None,
        image: None,
        at: Moment::observed(NOW),
    }
}

#[test]
fn evidence_and_argos_words_become_one_failure() {
    use AbortCause::{Deadline, Experiment, Manual, StepAnalysis, StepPlugin};
    use FailureClass::{
        AdmissionRefused, AnalysisError, AnalysisFailed, AnalysisInconclusive, CrashLoop,
        DeadlineExceeded, ExperimentFailed, ImagePullFailed, InvalidSpec, ManualAbort,
        PluginFailed, ProbeFailed, QuotaExceeded, Unknown,
    };
    let no = AbortCause::Unknown;
    let cases = [
        // A deadline is explained by any evidence.
        (ImagePullFailed, DeadlineExceeded, Some(Deadline), "ImagePullFailed: evidence"),
        (ProbeFailed, DeadlineExceeded, Some(Deadline), "ProbeFailed: evidence"),
        (QuotaExceeded, DeadlineExceeded, Some(Deadline), "QuotaExceeded: evidence"),
        (AdmissionRefused, DeadlineExceeded, None, "AdmissionRefused: evidence"),
        (Unknown, DeadlineExceeded, Some(Deadline), "DeadlineExceeded: evidence"),
        (Unknown, DeadlineExceeded, None, "DeadlineExceeded: evidence"),
        // A person may have seen what the pods say, but pods that start are no reason.
        (CrashLoop, ManualAbort, Some(Manual), "CrashLoop: evidence"),
        (AnalysisInconclusive, ManualAbort, Some(Manual), "AnalysisInconclusive: evidence"),
        (ProbeFailed, ManualAbort, Some(Manual), "ManualAbort: argo"),
        // A person acts upon what Argo says, too.
        (DeadlineExceeded, ManualAbort, Some(Manual), "DeadlineExceeded: evidence"),
        (InvalidSpec, ManualAbort, Some(Manual), "InvalidSpec: evidence"),
        (Unknown, ManualAbort, Some(Manual), "ManualAbort: argo"),
        (CrashLoop, Unknown, Some(no), "CrashLoop: evidence"),
        (ProbeFailed, Unknown, Some(no), "Unknown: argo"),
        // What was judged keeps its class; the analysis itself says it best.
        (ImagePullFailed, AnalysisFailed, Some(StepAnalysis), "AnalysisFailed: argo"),
        (AnalysisError, AnalysisFailed, Some(StepAnalysis), "AnalysisError: evidence"),
        (CrashLoop, ExperimentFailed, Some(Experiment), "ExperimentFailed: argo"),
        (ExperimentFailed, ExperimentFailed, Some(Experiment), "ExperimentFailed: evidence"),
        (CrashLoop, PluginFailed, Some(StepPlugin), "PluginFailed: argo"),
        (AnalysisFailed, PluginFailed, Some(StepPlugin), "PluginFailed: argo"),
        // A refused spec comes before everything that it would do.
        (ImagePullFailed, InvalidSpec, None, "InvalidSpec: argo"),
        // A ReplicaSet that cannot be made.
        (ProbeFailed, QuotaExceeded, None, "QuotaExceeded: argo"),
        (ImagePullFailed, Unknown, None, "ImagePullFailed: evidence"),
    ];
    for (evidence, argo, cause, expected) in cases {
        let what = format!("{evidence} and {argo} for {cause:?}");
        let evidence = failure(evidence, None, "evidence");
        let decided = decide(Some(evidence), Some(failure(argo, cause, "argo"))).unwrap();
        assert_eq!(decided.reason, expected, "{what}");
        assert!(decided.reason.starts_with(&decided.class.to_string()), "{what}");
        assert_eq!(decided.cause, cause, "{what}");
    }
}

#[test]
fn what_is_alone_stays_as_it_is() {
    let evidence = failure(FailureClass::CrashLoop, None, "evidence");
    let argo = failure(FailureClass::ManualAbort, Some(AbortCause::Manual), "argo");
    assert_eq!(decide(Some(evidence.clone()), None), Some(evidence));
    assert_eq!(decide(None, Some(argo.clone())), Some(argo));
    assert_eq!(decide(None, None), None);
}
