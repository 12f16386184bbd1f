//! What Argo says of a Rollout: its conditions Progressing and InvalidSpec.

use jiff::Timestamp;

use super::{AbortCause, Failure, FailureClass, admission, line};
use crate::base::Moment;
use crate::seen::{ConditionSeen, RolloutSeen};

/// What Argo says of the attempt under way, or of its abort.
///
/// One version says no more: Argo until 1.9 gives an abort by deadline no reason (argo-rollouts
/// #4785), so that it looks like one by hand unless the version before was seen too, in which
/// `abortedAt` stands beside ProgressDeadlineExceeded.
pub fn of_argo(rollout: &RolloutSeen, now: Timestamp) -> Option<Failure> {
    let progress = &rollout.progress;
    let progressing = progress.progressing.as_ref();
    let reason = progressing.map_or("", |condition| condition.reason.as_str());
    let message = progressing.map_or("", |condition| condition.message.as_str());
    let since = progressing.and_then(|condition| condition.since);
    let at = |time: Option<Timestamp>| time.map_or(Moment::observed(now), Moment::status);
    // The condition of an abort may outlive it: it is replaced by the next one, not removed.
    let aborted = rollout.abort || rollout.aborted_at.is_some();

    if aborted {
        let at = at(rollout.aborted_at.or(since.filter(|_| reason == "RolloutAborted")));
        let (cause, words) = match reason {
            "RolloutAborted" => abort_cause(message),
            // Only the controller sets `abortedAt`.
            "ProgressDeadlineExceeded" if rollout.aborted_at.is_some() => {
                (AbortCause::Deadline, message.to_owned())
            }
            _ => (AbortCause::Manual, String::new()),
        };
        let said = if reason == "RolloutAborted" { message } else { &words };
        return Some(aborted_for(cause, &words, said, at));
    }
    of_conditions(rollout, now)
}

/// What Argo says while it lasts, and takes back when it no longer holds: that it refuses the spec,
/// cannot create the ReplicaSet, or saw no progress in time.
pub fn of_conditions(rollout: &RolloutSeen, now: Timestamp) -> Option<Failure> {
    let progress = &rollout.progress;
    let progressing = progress.progressing.as_ref();
    let message = progressing.map_or("", |condition| condition.message.as_str());
    let since = progressing.and_then(|condition| condition.since);
    let at = |time: Option<Timestamp>| time.map_or(Moment::observed(now), Moment::status);
    if let Some(invalid) = &progress.invalid_spec {
        // The Rollout "x" is invalid: …
        let words = invalid.split_once("\" is invalid: ").map_or(&**invalid, |(_, words)| words);
        let class = FailureClass::InvalidSpec;
        let reason = line(class, &[words], "");
        return Some(Failure::of(class, reason, invalid, Moment::observed(now)));
    }
    match progressing?.reason.as_str() {
        "ProgressDeadlineExceeded" => {
            let class = FailureClass::DeadlineExceeded;
            Some(Failure::of(class, line(class, &[message], ""), message, at(since)))
        }
        "ReplicaSetCreateError" => Some(not_created(progressing?, at(since))),
        _ => None,
    }
}

/// The ReplicaSet that the message of a condition names, if it names one (argo-rollouts
/// utils/conditions/conditions.go).
pub fn named_replica_set(message: &str) -> Option<&str> {
    let starts = ["ReplicaSet \"", "eplica set \""];
    let named = starts.iter().find_map(|start| message.split_once(start))?.1;
    named.split_once('"').map(|(name, _)| name)
}

/// What Argo acted upon when it aborted, by the message of its condition RolloutAborted, and what
/// the message says beside it (argo-rollouts rollout/sync.go, analysis.go, experiment.go and
/// stepplugin.go: the callers of `AddAbort`).
pub fn abort_cause(message: &str) -> (AbortCause, String) {
    const CAUSES: [(&str, AbortCause); 6] = [
        ("Step-based analysis phase error/failed", AbortCause::StepAnalysis),
        ("Background analysis phase error/failed", AbortCause::BackgroundAnalysis),
        ("Blue/green pre-promotion analysis phase error/failed", AbortCause::PrePromotionAnalysis),
        (
            "Blue/green post-promotion analysis phase error/failed",
            AbortCause::PostPromotionAnalysis,
        ),
        ("Experiment analysis phase is error/failed", AbortCause::Experiment),
        ("Step Plugin ", AbortCause::StepPlugin),
    ];

    let message = message.trim();
    let Some(rest) = message.strip_prefix("Rollout aborted update to revision ") else {
        return (AbortCause::Unknown, message.to_owned());
    };
    let rest = rest.trim_start_matches(|digit: char| digit == '-' || digit.is_ascii_digit());
    if rest.is_empty() {
        return (AbortCause::Manual, String::new());
    }
    let Some(why) = rest.strip_prefix(':').map(str::trim) else {
        return (AbortCause::Unknown, message.to_owned());
    };
    for (start, cause) in CAUSES {
        let Some(words) = why.strip_prefix(start) else { continue };
        let words = match cause {
            // 2 (name) failed: …
            AbortCause::StepPlugin => words.replacen(" failed: ", ": ", 1),
            _ => words.trim_start_matches(':').trim_start().to_owned(),
        };
        return (cause, words);
    }
    // ReplicaSet "x" has timed out progressing.
    let deadline = why.trim_end_matches('.').ends_with("has timed out progressing");
    (if deadline { AbortCause::Deadline } else { AbortCause::Unknown }, why.to_owned())
}

fn aborted_for(cause: AbortCause, words: &str, message: &str, at: Moment) -> Failure {
    let (class, place) = match cause {
        AbortCause::Manual => (FailureClass::ManualAbort, "aborted by a person or a tool"),
        AbortCause::StepAnalysis => (analysis(words), "step analysis"),
        AbortCause::BackgroundAnalysis => (analysis(words), "background analysis"),
        AbortCause::PrePromotionAnalysis => (analysis(words), "pre-promotion analysis"),
        AbortCause::PostPromotionAnalysis => (analysis(words), "post-promotion analysis"),
        AbortCause::Experiment => (FailureClass::ExperimentFailed, "experiment"),
        AbortCause::StepPlugin => (FailureClass::PluginFailed, "step"),
        AbortCause::Deadline => (FailureClass::DeadlineExceeded, ""),
        AbortCause::Unknown => (FailureClass::Unknown, ""),
    };
    let reason = if cause == AbortCause::StepPlugin {
        line(class, &[&format!("{place} {words}")], "")
    } else {
        line(class, &[place, words], "")
    };
    Failure { cause: Some(cause), ..Failure::of(class, reason, message, at) }
}

/// The class of an analysis by the message of its run (argo-rollouts analysis/analysis.go).
fn analysis(words: &str) -> FailureClass {
    // Metric "x" assessed Error due to …
    let assessed = words.split_once("\" assessed ").and_then(|(_, rest)| rest.split(' ').next());
    match assessed {
        Some("Error") => FailureClass::AnalysisError,
        Some("Inconclusive") => FailureClass::AnalysisInconclusive,
        Some(_) => FailureClass::AnalysisFailed,
        None => {
            let not_run = ["Unable to resolve metric arguments", "Analysis spec invalid"];
            if not_run.iter().any(|start| words.starts_with(start)) {
                FailureClass::AnalysisError
            } else {
                FailureClass::AnalysisFailed
            }
        }
    }
}

fn not_created(condition: &ConditionSeen, at: Moment) -> Failure {
    // Failed to create new replica set "x": …
    let start = "Failed to create new replica set \"";
    let error = condition.message.strip_prefix(start).and_then(|rest| rest.split_once("\": "));
    let error = error.map_or(&*condition.message, |(_, error)| error);
    let (class, words) = admission::refused(error);
    Failure::of(class, line(class, &[&words], ""), &condition.message, at)
}
