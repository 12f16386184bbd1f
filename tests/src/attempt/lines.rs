//! A journal as lines.

use timeline::base::{Moment, Source};
use timeline::journal::{Analysis, Journal, Pause, Step};

/// A journal, a line an entry; what belongs to a step stands below it, indented:
///
/// ```text
/// 0 setWeight 50 Completed
/// 1 pause 1s Completed
///   pause Timed planned=1 Timer
/// 2 analysis success-rate Stopped
///   analysis Step Failed
///     success-rate 0.5 Failed
/// Aborted by StepAnalysis: AnalysisFailed: success-rate: 0.5 (step 3), exposed
/// ```
///
/// What has no step follows the steps: pauses, analyses, weights, switches, marks. A `?` is behind
/// what somebody had to infer.
pub fn lines(journal: &Journal) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, step) in journal.steps.iter().enumerate() {
        let Step { index, kind, setting, result, .. } = step;
        let words = [&index.to_string(), kind, setting, &*format!("{result:?}")];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        lines.push(words.join(" ") + doubt([Some(step.started), step.ended]));
        let here = |index, started| step_of(journal, index, started) == Some(n);
        below(journal, &here, "  ", &mut lines);
    }
    below(journal, &|index, started| step_of(journal, index, started).is_none(), "", &mut lines);
    for weight in &journal.weights {
        lines.push(format!("weight {}{}", weight.percent, doubt([Some(weight.started)])));
    }
    for switch in &journal.switches {
        let to = if switch.to_new { "new" } else { "stable" };
        lines.push(format!("switch {:?} {to}{}", switch.service, doubt([Some(switch.at)])));
    }
    for mark in &journal.marks {
        let note = if mark.note.is_empty() { String::new() } else { format!(": {}", mark.note) };
        lines.push(format!("mark {:?}{note}", mark.kind));
    }
    let mut last = format!("{:?}", journal.phase);
    if let Some(failure) = &journal.failure {
        if let Some(cause) = failure.cause {
            last.extend([" by ", &format!("{cause:?}")]);
        }
        last.extend([": ", &failure.reason]);
    }
    if journal.exposed {
        last.push_str(", exposed");
    }
    lines.push(last + doubt([Some(journal.started), journal.ended]));
    lines
}

fn below(
    journal: &Journal,
    here: &dyn Fn(Option<u32>, Moment) -> bool,
    indent: &str,
    lines: &mut Vec<String>,
) {
    for Pause { kind, step, planned, started, ended, resumed_by, .. } in &journal.pauses {
        if here(*step, *started) {
            let planned = planned.map(|it| format!(" planned={it}")).unwrap_or_default();
            let by = resumed_by.map(|by| format!(" {by:?}")).unwrap_or_default();
            let doubt = doubt([Some(*started), *ended]);
            lines.push(format!("{indent}pause {kind:?}{planned}{by}{doubt}"));
        }
    }
    for experiment in &journal.experiments {
        if here(experiment.step, experiment.started) {
            let doubt = doubt([Some(experiment.started), experiment.ended]);
            lines.push(format!("{indent}experiment {:?}{doubt}", experiment.phase));
        }
    }
    for Analysis { kind, step, phase, metrics, started, ended, .. } in &journal.analyses {
        if !here(*step, *started) {
            continue;
        }
        let doubt = doubt([Some(*started), *ended]);
        lines.push(format!("{indent}analysis {kind:?} {phase:?}{doubt}"));
        for metric in metrics {
            for measurement in &metric.measurements {
                let words = [&*metric.name, &*measurement.value].into_iter();
                let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
                lines.push(format!("{indent}  {} {:?}", words.join(" "), measurement.phase));
            }
        }
    }
}

/// The place of the step of this index that something belongs to. Steps that begin again have the
/// same index: it is the last that had begun by then.
fn step_of(journal: &Journal, index: Option<u32>, started: Moment) -> Option<usize> {
    let index = index?;
    let of_index = |step: &Step| step.index == index;
    let begun =
        |step: &Step| of_index(step) && step.started.at.as_second() <= started.at.as_second();
    let steps = &journal.steps;
    steps.iter().rposition(begun).or_else(|| steps.iter().position(of_index))
}

fn doubt<const N: usize>(moments: [Option<Moment>; N]) -> &'static str {
    let inferred = |moment: Moment| moment.source == Source::Inferred;
    if moments.into_iter().flatten().any(inferred) { "?" } else { "" }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use timeline::Key;
    use timeline::base::{AttemptId, Phase};
    use timeline::journal::{
        Mark, MarkKind, Measurement, Metric, ResumedBy, Service, StepResult, Switch,
    };
    use timeline::seen::{AnalysisKind, AnalysisPhase, PauseKind};

    use super::*;

    fn at(second: i64) -> Moment {
        Moment::observed(Timestamp::from_second(second).unwrap())
    }

    fn step(index: u32, kind: &str, started: i64, result: StepResult) -> Step {
        let (kind, setting) = (kind.to_owned(), String::new());
        let ended = Some(at(started + 1));
        Step { index, kind, setting, started: at(started), ended, result, closed: Some(1) }
    }

    #[test]
    fn what_belongs_to_a_step_stands_below_it() {
        let identity = AttemptId {
            rollout: Key::new("shop", "cart"),
            rollout_uid: "uid".into(),
            hash: "hash".into(),
            revision: 2,
            number: 1,
        };
        let mut journal = Journal::begin(identity, at(0));
        journal.phase = Phase::Promoted;
        journal.ended = Some(Moment::inferred(None, at(9).at));
        // Its steps were changed and began again.
        journal.steps = vec![
            step(0, "pause", 0, StepResult::Skipped),
            step(0, "pause", 5, StepResult::Completed),
            step(1, "analysis", 6, StepResult::Unobserved),
        ];
        let pause = |step, started, planned, resumed_by| Pause {
            kind: PauseKind::Timed,
            step,
            planned,
            started: at(started),
            ended: None,
            resumed_by,
            closed: None,
            below: None,
        };
        journal.pauses = vec![
            pause(Some(0), 0, Some(7), None),
            pause(Some(0), 5, None, Some(ResumedBy::Timer)),
            pause(None, 5, None, None),
        ];
        let measurement = Measurement {
            phase: AnalysisPhase::Failed,
            value: "0.5".into(),
            message: String::new(),
            started: at(6),
            ended: at(6),
        };
        let metric = Metric {
            name: "rate".into(),
            phase: AnalysisPhase::Failed,
            message: String::new(),
            dry_run: false,
            count: 1,
            failed: 1,
            measurements: vec![measurement],
        };
        journal.analyses = vec![Analysis {
            name: "run".into(),
            uid: "run".into(),
            kind: AnalysisKind::Step,
            step: Some(1),
            phase: AnalysisPhase::Failed,
            message: String::new(),
            started: at(6),
            ended: Some(at(6)),
            metrics: vec![metric],
            closed: None,
            below: None,
        }];
        journal.switches =
            vec![Switch { service: Service::Active, at: at(8), to_new: false, closed: None }];
        journal.marks = vec![Mark { kind: MarkKind::Scaled, at: at(8), note: "1 to 2".into() }];
        let expected = [
            "0 pause Skipped",
            "  pause Timed planned=7",
            "0 pause Completed",
            "  pause Timed Timer",
            "1 analysis Unobserved",
            "  analysis Step Failed",
            "    rate 0.5 Failed",
            "pause Timed",
            "switch Active stable",
            "mark Scaled: 1 to 2",
            "Promoted?",
        ];
        assert_eq!(lines(&journal), expected);
    }
}
