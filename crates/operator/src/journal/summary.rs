//! What a person reads of a RolloutAttempt without asking for more.

use jiff::SignedDuration;
use timeline::base::Phase;
use timeline::journal::{Journal, StepResult};

use super::offset::length_of;

/// How long the attempt took; `-` while it is under way.
pub(super) fn duration(journal: &Journal) -> String {
    match journal.ended {
        Some(ended) => short(ended.at.duration_since(journal.started.at)),
        None => "-".to_owned(),
    }
}

/// To the second, which is as exact as most ends are known; to the millisecond below one.
pub(crate) fn short(length: SignedDuration) -> String {
    let milliseconds = length.as_millis().unsigned_abs();
    if milliseconds < 1000 {
        return format!("{milliseconds}ms");
    }
    length_of(SignedDuration::from_secs(length.as_secs()))
}

/// Where the attempt stands, or how it ended and why.
pub(crate) fn outcome(journal: &Journal) -> String {
    let mut line = journal.phase.to_string();
    if journal.ended.is_some() {
        line.push_str(" after ");
        line.push_str(&duration(journal));
    } else if let Some(place) = place(journal) {
        line.push_str(", ");
        line.push_str(&place);
    }
    if let Some(failure) = &journal.failure
        && journal.phase != Phase::Promoted
    {
        line.push_str(": ");
        line.push_str(&failure.reason);
    }
    line
}

/// `step 2 of 6: pause 30s`
fn place(journal: &Journal) -> Option<String> {
    let running = |step: &&timeline::journal::Step| step.result == StepResult::Running;
    let step = journal.steps.iter().rfind(running)?;
    let (place, all) = (u64::from(step.index) + 1, journal.facts.planned_steps);
    let line = format!("step {place} of {all}: {} {}", step.kind, step.setting);
    Some(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use timeline::Key;
    use timeline::base::{AttemptId, Moment};
    use timeline::failure::{Failure, FailureClass};
    use timeline::journal::Step;

    use super::*;

    fn at(milliseconds: i64) -> Moment {
        Moment::observed(Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).unwrap())
    }

    fn journal() -> Journal {
        let identity = AttemptId {
            rollout: Key::new("shop", "cart"),
            rollout_uid: "uid".into(),
            hash: "abc".into(),
            revision: 2,
            number: 1,
        };
        let mut journal = Journal::begin(identity, at(0));
        journal.facts.planned_steps = 6;
        journal
    }

    #[test]
    fn an_attempt_under_way_says_at_which_step_it_is() {
        let mut journal = journal();
        assert_eq!(outcome(&journal), "Progressing");
        journal.steps.push(Step {
            index: 1,
            kind: "pause".to_owned(),
            setting: "30s".to_owned(),
            started: at(5),
            ended: None,
            result: StepResult::Running,
            closed: None,
        });
        assert_eq!(outcome(&journal), "Progressing, step 2 of 6: pause 30s");
        assert_eq!(duration(&journal), "-");
    }

    #[test]
    fn an_attempt_that_is_over_says_how_long_it_took_and_why_it_failed() {
        let mut journal = journal();
        journal.phase = Phase::Aborted;
        journal.ended = Some(at(92_400));
        journal.failure = Some(Failure {
            class: FailureClass::AnalysisFailed,
            cause: None,
            reason: "AnalysisFailed: success-rate: 0.10".to_owned(),
            message: String::new(),
            pod: None,
            container: None,
            image: None,
            at: at(92_000),
        });
        assert_eq!(outcome(&journal), "Aborted after 1m32s: AnalysisFailed: success-rate: 0.10");
        assert_eq!(duration(&journal), "1m32s");
        journal.phase = Phase::Promoted;
        assert_eq!(outcome(&journal), "Promoted after 1m32s");
    }

    #[test]
    fn lengths_are_as_exact_as_they_are_worth() {
        for (milliseconds, expected) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_999, "1s"),
            (60_000, "1m"),
            (3_600_000, "1h"),
            (14 * 86_400_000, "336h"),
        ] {
            assert_eq!(short(SignedDuration::from_millis(milliseconds)), expected);
        }
    }
}
