//! A journal in words: what a test compares.

use timeline::base::{Moment, Source};
use timeline::journal::Journal;

use crate::story::{BEGIN, Story};

/// Seconds since the story began, and from where: `~` from a timestamp of an object, `?` inferred.
pub(crate) fn when(moment: Moment) -> String {
    let seconds = |at: jiff::Timestamp| {
        let tenths = (at.as_millisecond() - BEGIN * 1000) / 100;
        if tenths % 10 == 0 {
            format!("{}", tenths / 10)
        } else {
            format!("{}.{}", tenths / 10, tenths.abs() % 10)
        }
    };
    match (moment.source, moment.after) {
        (Source::Status, _) => format!("~{}", seconds(moment.at)),
        (Source::Inferred, Some(after)) => format!("?{}<{}", seconds(after), seconds(moment.at)),
        (Source::Inferred, None) => format!("?{}", seconds(moment.at)),
        _ => seconds(moment.at),
    }
}

fn span(started: Moment, ended: Option<Moment>) -> String {
    let ended = ended.map(when);
    format!("{}..{}", when(started), ended.unwrap_or_default())
}

/// Each entry, in the order of ends; what is open comes last.
pub(crate) fn lines(journal: &Journal) -> Vec<String> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut line = |closed: Option<u32>, text: String| {
        lines.push((
            closed.unwrap_or(u32::MAX),
            text.split_whitespace().collect::<Vec<_>>().join(" "),
        ));
    };
    for step in &journal.steps {
        let what = format!("step {} {} {}", step.index, step.kind, step.setting);
        let span = span(step.started, step.ended);
        line(step.closed, format!("{what} {:?} {span}", step.result));
    }
    for pause in &journal.pauses {
        let by = pause.resumed_by.map(|by| format!("{by:?}")).unwrap_or_default();
        let span = span(pause.started, pause.ended);
        line(pause.closed, format!("pause {:?} {span} {by}", pause.kind));
    }
    for analysis in &journal.analyses {
        let span = span(analysis.started, analysis.ended);
        let (kind, phase) = (analysis.kind, analysis.phase);
        line(analysis.closed, format!("analysis {} {kind:?} {phase:?} {span}", analysis.name));
    }
    for experiment in &journal.experiments {
        let span = span(experiment.started, experiment.ended);
        let (name, phase) = (&experiment.name, experiment.phase);
        line(experiment.closed, format!("experiment {name} {phase:?} {span}"));
    }
    for weight in &journal.weights {
        let span = span(weight.started, weight.ended);
        line(weight.closed, format!("weight {} {span}", weight.percent));
    }
    for switch in &journal.switches {
        let to = if switch.to_new { "new" } else { "stable" };
        line(switch.closed, format!("{:?} to {to} {}", switch.service, when(switch.at)));
    }
    if let Some(ended) = journal.ended {
        let settled = journal.settled.map(|at| format!("settled {}", when(at)));
        let span = span(journal.started, Some(ended));
        line(
            journal.root_closed,
            format!("{} {span} {}", journal.phase, settled.unwrap_or_default()),
        );
    }
    lines.sort_by_key(|(closed, _)| *closed);
    lines.into_iter().map(|(_, line)| line).collect()
}

pub(crate) fn marks(journal: &Journal) -> Vec<String> {
    let marks = journal.marks.iter().map(|mark| format!("{:?} {}", mark.kind, when(mark.at)));
    marks.collect()
}

impl Story {
    #[track_caller]
    pub(crate) fn reads(self, expected: &[&str]) -> Self {
        assert_eq!(lines(self.journal()), expected);
        self
    }

    /// The journal of the attempt before the newest.
    #[track_caller]
    pub(crate) fn earlier_reads(self, expected: &[&str]) -> Self {
        assert_eq!(lines(&self.journals[self.journals.len() - 2]), expected);
        self
    }

    #[track_caller]
    pub(crate) fn marks(self, expected: &[&str]) -> Self {
        assert_eq!(marks(self.journal()), expected);
        self
    }
}
