//! How an attempt or a part of it ended, in the words of OpenTelemetry's CI/CD conventions.

use crate::base::Phase;
use crate::failure::{AbortCause, FailureClass};
use crate::journal::{Journal, StepResult};
use crate::seen::AnalysisPhase;

/// A value of `cicd.pipeline.result` and `cicd.pipeline.task.run.result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunResult {
    Success,
    Failure,
    Error,
    Timeout,
    Cancellation,
    Skip,
    /// It is not known. The conventions allow values of one's own.
    Unknown,
}

impl RunResult {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Cancellation => "cancellation",
            Self::Skip => "skip",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the status of the span is Error.
    pub(super) fn failed(self) -> bool {
        matches!(self, Self::Failure | Self::Error | Self::Timeout)
    }

    pub(super) fn of_attempt(journal: &Journal) -> Self {
        match journal.phase {
            Phase::Promoted => Self::Success,
            Phase::Superseded | Phase::Reverted | Phase::Deleted => Self::Cancellation,
            Phase::Progressing | Phase::Unknown => Self::Unknown,
            Phase::Aborted => journal
                .failure
                .as_ref()
                .map_or(Self::Failure, |failure| Self::of_abort(failure.cause, failure.class)),
        }
    }

    /// What Argo acted upon decides; where that is not known, what was found to be wrong.
    fn of_abort(cause: Option<AbortCause>, class: FailureClass) -> Self {
        let by_class = match class {
            FailureClass::ManualAbort => Self::Cancellation,
            FailureClass::DeadlineExceeded => Self::Timeout,
            FailureClass::AnalysisError
            | FailureClass::InvalidSpec
            | FailureClass::PluginFailed => Self::Error,
            _ => Self::Failure,
        };
        match cause {
            Some(AbortCause::Manual) => Self::Cancellation,
            Some(AbortCause::Deadline) => Self::Timeout,
            Some(AbortCause::StepPlugin) => Self::Error,
            Some(AbortCause::Unknown) | None => by_class,
            Some(_) if by_class == Self::Error => Self::Error,
            Some(_) => Self::Failure,
        }
    }

    /// Of a step alone: what became of the attempt may not be known yet when the step leaves.
    pub(super) fn of_step(result: StepResult) -> Self {
        match result {
            StepResult::Completed => Self::Success,
            StepResult::Skipped => Self::Skip,
            StepResult::Stopped => Self::Cancellation,
            StepResult::Running | StepResult::Unobserved => Self::Unknown,
        }
    }

    pub(super) fn of_phase(phase: AnalysisPhase) -> Self {
        match phase {
            AnalysisPhase::Successful => Self::Success,
            AnalysisPhase::Failed | AnalysisPhase::Inconclusive => Self::Failure,
            AnalysisPhase::Error => Self::Error,
            AnalysisPhase::Cancelled => Self::Cancellation,
            AnalysisPhase::Pending | AnalysisPhase::Running => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_argo_acted_upon_decides_how_an_abort_counts() {
        use AbortCause as Cause;
        use FailureClass as Class;
        let cases = [
            (Some(Cause::Manual), Class::ImagePullFailed, RunResult::Cancellation),
            (Some(Cause::Deadline), Class::ImagePullFailed, RunResult::Timeout),
            (Some(Cause::StepPlugin), Class::Unknown, RunResult::Error),
            (Some(Cause::StepAnalysis), Class::AnalysisFailed, RunResult::Failure),
            (Some(Cause::BackgroundAnalysis), Class::AnalysisError, RunResult::Error),
            (Some(Cause::PrePromotionAnalysis), Class::CrashLoop, RunResult::Failure),
            (Some(Cause::PostPromotionAnalysis), Class::AnalysisInconclusive, RunResult::Failure),
            (Some(Cause::Experiment), Class::ExperimentFailed, RunResult::Failure),
            (Some(Cause::Unknown), Class::ManualAbort, RunResult::Cancellation),
            (None, Class::DeadlineExceeded, RunResult::Timeout),
            (None, Class::InvalidSpec, RunResult::Error),
            (None, Class::OutOfMemory, RunResult::Failure),
            (None, Class::Unknown, RunResult::Failure),
        ];
        for (cause, class, expected) in cases {
            assert_eq!(RunResult::of_abort(cause, class), expected, "{cause:?} {class:?}");
        }
    }
}
