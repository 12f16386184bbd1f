//! The entries of a timeline as a tree: what belongs to a step hangs below it.

use timeline::base::{Moment, Phase};
use timeline::journal::{
    Analysis, Experiment, Journal, Metric, Pause, ResumedBy, Step, StepResult,
};
use timeline::seen::{AnalysisPhase, PauseKind};

/// A line, and the lines below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// When it began; none if the line above says it.
    pub(super) started: Option<Moment>,
    /// When it ended; none of what took no time or is under way.
    pub(super) ended: Option<Moment>,
    pub(super) text: String,
    pub(super) below: Vec<Node>,
}

impl Node {
    fn new(started: Moment, ended: Option<Moment>, text: String) -> Self {
        Self { started: Some(started), ended, text, below: Vec::new() }
    }

    fn at(at: Moment, text: impl Into<String>) -> Self {
        Self::new(at, None, text.into())
    }
}

/// What happened, in order of time.
pub(super) fn tree(journal: &Journal) -> Vec<Node> {
    let mut nodes = vec![Node::at(journal.started, "began")];
    let mut of_steps = of_steps(journal);
    for (place, entry) in journal.steps.iter().enumerate() {
        let mut node = step(journal, entry);
        node.below.extend(of_steps.extract_if(.., |(of, _)| *of == Some(place)).map(|(_, of)| of));
        sort(&mut node.below);
        nodes.push(node);
    }
    nodes.extend(of_steps.into_iter().map(|(_, node)| node));
    nodes.extend(journal.weights.iter().map(|weight| {
        Node::new(weight.started, weight.ended, format!("{}% of the traffic", weight.percent))
    }));
    nodes.extend(journal.switches.iter().map(|switch| {
        let to = if switch.to_new { "the new revision" } else { "what is stable" };
        Node::at(switch.at, format!("{:?} service switched to {to}", switch.service))
    }));
    nodes.extend(journal.marks.iter().map(|mark| {
        let note = if mark.note.is_empty() { String::new() } else { format!(": {}", mark.note) };
        Node::at(mark.at, format!("{:?}{note}", mark.kind))
    }));
    if let Some(failure) = &journal.failure {
        let mut node = Node::at(failure.at, failure.reason.clone());
        if !failure.message.is_empty() && failure.message != failure.reason {
            node.below.push(Node {
                started: None,
                ended: None,
                text: failure.message.clone(),
                below: Vec::new(),
            });
        }
        nodes.push(node);
    }
    sort(&mut nodes);
    // At equal times an end comes after what led to it.
    nodes.extend(journal.ended.map(|ended| Node::at(ended, end(journal))));
    nodes.extend(
        journal
            .settled
            .or(journal.recovered)
            .map(|settled| Node::at(settled, settled_as(journal.phase))),
    );
    nodes
}

fn sort(nodes: &mut [Node]) {
    nodes.sort_by_key(|node| node.started.map(|started| started.at));
}

/// What may hang below a step, and the place of that step.
fn of_steps(journal: &Journal) -> Vec<(Option<usize>, Node)> {
    // What has not ended, or is no part of its step's span, is with the run that it began in.
    let place = |below: Option<u32>, index: Option<u32>, started: Moment| {
        let is_it = |step: &Step| Some(step.index) == index;
        let steps = &journal.steps;
        below
            .map(|place| place as usize)
            .or_else(|| steps.iter().rposition(|of| is_it(of) && of.started.at <= started.at))
            .or_else(|| steps.iter().position(is_it))
    };
    let pauses =
        journal.pauses.iter().map(|one| (place(one.below, one.step, one.started), pause(one)));
    let analyses =
        journal.analyses.iter().map(|one| (place(one.below, one.step, one.started), analysis(one)));
    let experiments = journal
        .experiments
        .iter()
        .map(|one| (place(one.below, one.step, one.started), experiment(one)));
    pauses.chain(analyses).chain(experiments).collect()
}

fn step(journal: &Journal, step: &Step) -> Node {
    let place = u64::from(step.index) + 1;
    let all = journal.facts.planned_steps;
    let setting =
        if step.setting.is_empty() { String::new() } else { format!(" {}", step.setting) };
    let result = match step.result {
        StepResult::Completed => "",
        StepResult::Running => ", under way",
        StepResult::Skipped => ", skipped",
        StepResult::Stopped => ", stopped",
        StepResult::Unobserved => ", not observed",
    };
    let text = format!("step {place}/{all} {}{setting}{result}", step.kind);
    Node::new(step.started, step.ended, text)
}

fn pause(pause: &Pause) -> Node {
    let kind = match pause.kind {
        PauseKind::Timed => "pause with a timer",
        PauseKind::Manual => "pause for a person",
        PauseKind::InconclusiveAnalysis => "pause for an inconclusive analysis",
        PauseKind::InconclusiveExperiment => "pause for an inconclusive experiment",
        PauseKind::BlueGreen => "pause before the switch",
        PauseKind::Spec => "pause by spec.paused",
    };
    let planned = pause.planned.map(|seconds| format!(" of {seconds}s")).unwrap_or_default();
    let by = match pause.resumed_by {
        None => ", under way",
        Some(ResumedBy::Timer) => ", ended by it",
        Some(ResumedBy::Person) => ", ended by a person or a tool",
        Some(ResumedBy::FullPromotion) => ", ended by a full promotion",
        Some(ResumedBy::End) => ", ended with the attempt",
        Some(ResumedBy::Unknown) => ", ended unseen",
    };
    Node::new(pause.started, pause.ended, format!("{kind}{planned}{by}"))
}

fn analysis(analysis: &Analysis) -> Node {
    let text = format!(
        "{:?} analysis {}: {}",
        analysis.kind,
        analysis.name,
        verdict(analysis.phase, &analysis.message)
    );
    let below = analysis.metrics.iter().map(metric).collect();
    Node { below, ..Node::new(analysis.started, analysis.ended, text) }
}

fn metric(metric: &Metric) -> Node {
    let values: Vec<&str> = metric.measurements.iter().map(|one| one.value.as_str()).collect();
    let kept = u32::try_from(values.len()).unwrap_or(u32::MAX);
    let more = if metric.count > kept { "…, " } else { "" };
    let values =
        if values.is_empty() { String::new() } else { format!(": {more}{}", values.join(", ")) };
    let dry_run = if metric.dry_run { ", dry run" } else { "" };
    let text = format!(
        "{} {}, {} of {} failed{dry_run}{values}",
        metric.name,
        verdict(metric.phase, &metric.message),
        metric.failed,
        metric.count
    );
    let (first, last) = (metric.measurements.first(), metric.measurements.last());
    Node {
        started: first.map(|first| first.started),
        ended: last.map(|last| last.ended),
        text,
        below: Vec::new(),
    }
}

fn experiment(experiment: &Experiment) -> Node {
    let verdict = verdict(experiment.phase, &experiment.message);
    let text = format!("experiment {}: {verdict}", experiment.name);
    Node::new(experiment.started, experiment.ended, text)
}

fn verdict(phase: AnalysisPhase, message: &str) -> String {
    if message.is_empty() { format!("{phase:?}") } else { format!("{phase:?} ({message})") }
}

fn end(journal: &Journal) -> String {
    match journal.phase {
        Phase::Promoted => "promoted: it is what is stable now".to_owned(),
        Phase::Aborted => match journal.failure.as_ref().and_then(|failure| failure.cause) {
            Some(cause) => format!("aborted, cause {cause:?}"),
            None => "aborted".to_owned(),
        },
        Phase::Superseded => "superseded by another revision".to_owned(),
        Phase::Reverted => "reverted to what is stable".to_owned(),
        Phase::Deleted => "the Rollout was deleted".to_owned(),
        Phase::Unknown | Phase::Progressing => "over before anybody looked".to_owned(),
    }
}

fn settled_as(phase: Phase) -> &'static str {
    match phase {
        Phase::Promoted => "the Rollout is healthy",
        _ => "all traffic is back on what is stable",
    }
}
