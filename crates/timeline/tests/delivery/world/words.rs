//! Steps in words, for a person who looks into a failure.

use timeline::Observation;
use timeline::engine::Effect;
use timeline::outbox::AttemptWritten;

use super::work::Answer;

/// In short, for a person.
pub(super) fn described(observation: &Observation) -> String {
    match observation {
        Observation::Rollout(seen) => {
            let progress = &seen.progress;
            let (current, stable) = (&seen.current_hash, &seen.stable_hash);
            let (step, pauses) = (progress.step, progress.pauses.len());
            let (abort, healthy) = (seen.abort, seen.healthy);
            format!(
                "Rollout {} {:?}: {current:?} over {stable:?}, step {step:?}, {pauses} pauses, \
                 abort {abort}, healthy {healthy}",
                seen.key, seen.revision
            )
        }
        Observation::RolloutAttempt(seen) => format!("RolloutAttempt {}", seen.key),
        Observation::RolloutTrace(seen) => format!("RolloutTrace {}", seen.key),
        Observation::Listing(kind) => format!("Listing {kind:?}"),
        Observation::Listed(kind, keys) => format!("Listed {kind:?} {}", keys.len()),
        other => format!("{other:?}").chars().take(120).collect(),
    }
}

pub(super) fn wanted(effect: &Effect) -> String {
    match effect {
        Effect::WriteAttempt(key, write) => {
            let journal = &write.journal;
            format!(
                "WriteAttempt {key} on {:?} as {:?}: {:?}, {} closed, {} sent",
                write.resource_version,
                write.stage,
                journal.phase,
                journal.closed,
                journal.exported.until
            )
        }
        Effect::WriteReport(key, write) => {
            let attempts = write.report.attempts.iter();
            let attempts: Vec<_> = attempts
                .map(|it| format!("{}#{} {} {}", it.revision, it.number, it.hash, it.phase))
                .collect();
            let lines = write.report.ledger.iter().flat_map(|ledger| ledger.lines());
            let lines: Vec<_> = lines.map(ToString::to_string).collect();
            format!("WriteReport {key}: {attempts:?} {lines:?}")
        }
        Effect::Send(key, batch) => {
            let spans: Vec<_> =
                batch.spans.iter().map(|span| format!("{} {}", span.closed, span.name)).collect();
            format!("Send {key}: {spans:?}")
        }
        other => format!("{other:?}"),
    }
}

pub(super) fn answered(answer: Option<&Answer>) -> String {
    match answer {
        Some(Answer::Attempt(AttemptWritten::Conflict(seen))) => {
            format!("Conflict with {}", seen.resource_version)
        }
        other => format!("{other:?}").chars().take(120).collect(),
    }
}
