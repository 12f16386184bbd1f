//! One failure of what was found and what Argo says.

use super::{AbortCause, Failure, FailureClass, line};

/// What explains the failure, of the evidence (pods, ReplicaSet, analysis) and of Argo's words.
///
/// - Argo's cause stays, whatever explains it.
/// - Where Argo acted upon an analysis, an Experiment or a plugin, that is the failure; an analysis
///   that was seen says it more exactly.
/// - A deadline is explained by any evidence, and an abort by hand, or of words that are not known,
///   by any but pods that run and are not ready: they may only have been starting.
/// - What Argo said before a person acted upon it, that it saw no progress in time or refuses the
///   spec, explains the abort by that person.
/// - A spec that Argo refuses is what has to be mended first.
pub fn decide(evidence: Option<Failure>, argo: Option<Failure>) -> Option<Failure> {
    let (evidence, argo) = match (evidence, argo) {
        (Some(evidence), Some(argo)) => (evidence, argo),
        (evidence, argo) => return evidence.or(argo),
    };
    let explained = match (argo.cause, argo.class) {
        (
            Some(
                AbortCause::StepAnalysis
                | AbortCause::BackgroundAnalysis
                | AbortCause::PrePromotionAnalysis
                | AbortCause::PostPromotionAnalysis
                | AbortCause::Experiment,
            ),
            _,
        ) => judged(evidence.class),
        (Some(AbortCause::StepPlugin), _) | (None, FailureClass::InvalidSpec) => false,
        (Some(AbortCause::Manual | AbortCause::Unknown), _) => {
            evidence.class < FailureClass::ProbeFailed
                || judged(evidence.class)
                || said_by_argo(&evidence)
        }
        (Some(AbortCause::Deadline) | None, _) => evidence.class < argo.class,
    };
    let cause = argo.cause;
    if explained {
        return Some(Failure { cause, ..evidence });
    }
    // Words that no class is known for still say more than that it took too long.
    if argo.class == FailureClass::DeadlineExceeded && evidence.class == FailureClass::Unknown {
        let reason = line(argo.class, &[&evidence.message], "");
        return Some(Failure { class: argo.class, cause, reason, ..evidence });
    }
    Some(argo)
}

/// Whether it is one of Argo's own words on a Rollout that goes on.
fn said_by_argo(evidence: &Failure) -> bool {
    let said = matches!(evidence.class, FailureClass::InvalidSpec | FailureClass::DeadlineExceeded);
    // A pod has a deadline of its own.
    said && evidence.pod.is_none()
}

/// Whether an analysis or an Experiment says it.
fn judged(class: FailureClass) -> bool {
    (FailureClass::AnalysisFailed..=FailureClass::ExperimentFailed).contains(&class)
}
