//! The spans inside of an attempt. Each is made of its entry alone, see [`super`].

use std::fmt::Write;

use crate::base::SpanId;
use crate::failure::FailureClass;
use crate::journal::{
    Analysis, Experiment, Measurement, Metric, Pause, Service, Step, Switch, Weight,
};
use crate::seen::{AnalysisKind, AnalysisPhase};
use crate::spans::Span;

use super::attributes::{
    ANALYSIS_KIND, ANALYSIS_MESSAGE, ANALYSIS_METRICS, ANALYSIS_NAME, ANALYSIS_PHASE, Attributes,
    ERROR_TYPE, EXPERIMENT_MESSAGE, EXPERIMENT_NAME, EXPERIMENT_PHASE, MEASUREMENT_DRY_RUN,
    MEASUREMENT_MESSAGE, MEASUREMENT_PHASE, MEASUREMENT_VALUE, PAUSE_KIND, PAUSE_PLANNED,
    PAUSE_RESUMED_BY, STEP_INDEX, STEP_RESULT, STEP_SETTING, SWITCH_SERVICE, SWITCH_TO, TASK_NAME,
    TASK_RUN_ID, TASK_RUN_RESULT, TASK_TYPE, TEST_CASE, TEST_RESULT, WEIGHT, analysis_kind,
    analysis_phase, pause_kind, resumed_by, service, step_result,
};
use super::result::RunResult;
use super::{Draft, Trace, text};

impl Trace<'_> {
    pub(super) fn step(&self, n: usize, step: &Step, closed: u32) -> Option<Span> {
        let n = n.to_string();
        let kind = if step.kind.is_empty() { "step" } else { &step.kind };
        let task_type = match kind {
            "analysis" | "experiment" => "test",
            _ => "deploy",
        };
        let mut attributes = Attributes::with_capacity(8);
        task(&mut attributes, kind, &format!("step/{n}"), task_type);
        attributes.word(TASK_RUN_RESULT, RunResult::of_step(step.result).word());
        attributes.integer(STEP_INDEX, step.index);
        attributes.text(STEP_SETTING, &step.setting);
        attributes.word(STEP_RESULT, step_result(step.result));
        let draft = Draft {
            path: &["step", &n],
            parent: self.root,
            name: text::clean(kind),
            started: step.started,
            ended: step.ended?,
            closed,
        };
        Some(self.child(draft, attributes, None))
    }

    pub(super) fn pause(&self, n: usize, pause: &Pause, closed: u32) -> Option<Span> {
        let ended = pause.ended?;
        let mut attributes = Attributes::with_capacity(6);
        attributes.word(PAUSE_KIND, pause_kind(pause.kind));
        if let Some(seconds) = pause.planned {
            attributes.integer(PAUSE_PLANNED, seconds);
        }
        if let Some(who) = pause.resumed_by {
            attributes.word(PAUSE_RESUMED_BY, resumed_by(who));
        }
        step_index(&mut attributes, pause.step);
        let draft = Draft {
            path: &["pause", &n.to_string()],
            parent: self.step_or_root(pause.below),
            name: "pause".to_owned(),
            started: pause.started,
            ended,
            closed,
        };
        Some(self.child(draft, attributes, None))
    }

    /// The measurements first, as they ended first.
    pub(super) fn analysis(&self, analysis: &Analysis, closed: u32, spans: &mut Vec<Span>) {
        let Some(ended) = analysis.ended else { return };
        let id = self.ids.at(&["analysis", &analysis.uid]);
        let mut n = 0_usize;
        for metric in &analysis.metrics {
            for measurement in &metric.measurements {
                spans.push(self.measurement((analysis, id), metric, (n, measurement), closed));
                n = n.saturating_add(1);
            }
        }
        let mut attributes = Attributes::with_capacity(14);
        let name = match analysis.kind {
            AnalysisKind::Step => "step analysis",
            AnalysisKind::Background => "background analysis",
            AnalysisKind::PrePromotion => "pre-promotion analysis",
            AnalysisKind::PostPromotion => "post-promotion analysis",
            AnalysisKind::Experiment => "experiment analysis",
            AnalysisKind::Unknown => "analysis",
        };
        task(&mut attributes, name, &analysis.uid, "test");
        attributes.word(TASK_RUN_RESULT, RunResult::of_phase(analysis.phase).word());
        attributes.text(ANALYSIS_NAME, &analysis.name);
        attributes.word(ANALYSIS_KIND, analysis_kind(analysis.kind));
        attributes.word(ANALYSIS_PHASE, analysis_phase(analysis.phase));
        attributes.text(ANALYSIS_MESSAGE, &analysis.message);
        let results: Vec<_> = analysis.metrics.iter().map(result_of).collect();
        attributes.texts(ANALYSIS_METRICS, results.iter().map(String::as_str));
        step_index(&mut attributes, analysis.step);
        let error = failed(analysis.phase, &analysis.message);
        if error.is_some() {
            attributes.word(ERROR_TYPE, analysis_error(analysis.phase));
        }
        let draft = Draft {
            path: &["analysis", &analysis.uid],
            parent: self.step_or_root(analysis.below),
            name: name.to_owned(),
            started: analysis.started,
            ended,
            closed,
        };
        spans.push(self.child(draft, attributes, error));
    }

    /// `n` counts through all metrics, as two of them may bear one name.
    fn measurement(
        &self,
        (analysis, parent): (&Analysis, SpanId),
        metric: &Metric,
        (n, measurement): (usize, &Measurement),
        closed: u32,
    ) -> Span {
        let mut attributes = Attributes::with_capacity(10);
        attributes.text(TEST_CASE, &metric.name);
        match RunResult::of_phase(measurement.phase) {
            RunResult::Success => attributes.word(TEST_RESULT, "pass"),
            RunResult::Failure | RunResult::Error
                if measurement.phase != AnalysisPhase::Inconclusive =>
            {
                attributes.word(TEST_RESULT, "fail");
            }
            _ => {}
        }
        attributes.word(MEASUREMENT_PHASE, analysis_phase(measurement.phase));
        attributes.text(MEASUREMENT_VALUE, &measurement.value);
        attributes.text(MEASUREMENT_MESSAGE, &measurement.message);
        attributes.flag(MEASUREMENT_DRY_RUN, metric.dry_run);
        // What decides nothing is no error.
        let error = failed(measurement.phase, &measurement.message).filter(|_| !metric.dry_run);
        if error.is_some() {
            attributes.word(ERROR_TYPE, analysis_error(measurement.phase));
        }
        let name = if metric.name.is_empty() { "metric" } else { &metric.name };
        let draft = Draft {
            path: &["analysis", &analysis.uid, &metric.name, &n.to_string()],
            parent,
            name: text::clean(&format!("measure {name}")),
            started: measurement.started,
            ended: measurement.ended,
            closed,
        };
        self.child(draft, attributes, error)
    }

    pub(super) fn experiment(&self, experiment: &Experiment, closed: u32) -> Option<Span> {
        let ended = experiment.ended?;
        let mut attributes = Attributes::with_capacity(10);
        task(&mut attributes, "experiment", &experiment.uid, "test");
        attributes.word(TASK_RUN_RESULT, RunResult::of_phase(experiment.phase).word());
        attributes.text(EXPERIMENT_NAME, &experiment.name);
        attributes.word(EXPERIMENT_PHASE, analysis_phase(experiment.phase));
        attributes.text(EXPERIMENT_MESSAGE, &experiment.message);
        step_index(&mut attributes, experiment.step);
        let error = failed(experiment.phase, &experiment.message);
        if error.is_some() {
            // Only its analyses can leave it undecided.
            let class = match experiment.phase {
                AnalysisPhase::Inconclusive => FailureClass::AnalysisInconclusive,
                _ => FailureClass::ExperimentFailed,
            };
            attributes.word(ERROR_TYPE, class.error_type());
        }
        let draft = Draft {
            path: &["experiment", &experiment.uid],
            parent: self.step_or_root(experiment.below),
            name: "experiment".to_owned(),
            started: experiment.started,
            ended,
            closed,
        };
        Some(self.child(draft, attributes, error))
    }

    pub(super) fn weight(&self, n: usize, weight: &Weight, closed: u32) -> Option<Span> {
        let mut attributes = Attributes::with_capacity(3);
        attributes.integer(WEIGHT, weight.percent);
        let draft = Draft {
            path: &["weight", &n.to_string()],
            parent: self.root,
            name: "weight".to_owned(),
            started: weight.started,
            ended: weight.ended?,
            closed,
        };
        Some(self.child(draft, attributes, None))
    }

    pub(super) fn switch(&self, n: usize, switch: &Switch, closed: u32) -> Span {
        let mut attributes = Attributes::with_capacity(4);
        attributes.word(SWITCH_SERVICE, service(switch.service));
        attributes.word(SWITCH_TO, if switch.to_new { "new" } else { "stable" });
        let name = match switch.service {
            Service::Preview => "switch preview",
            Service::Active => "switch active",
        };
        let draft = Draft {
            path: &["switch", &n.to_string()],
            parent: self.root,
            name: name.to_owned(),
            started: switch.at,
            ended: switch.at,
            closed,
        };
        self.child(draft, attributes, None)
    }

    /// The step in this place of the journal, or the root.
    fn step_or_root(&self, below: Option<u32>) -> SpanId {
        let below = below.filter(|place| (*place as usize) < self.journal.steps.len());
        below.map_or(self.root, |place| self.ids.at(&["step", &place.to_string()]))
    }
}

fn task(attributes: &mut Attributes, name: &str, id: &str, kind: &'static str) {
    attributes.text(TASK_NAME, name);
    attributes.text(TASK_RUN_ID, id);
    attributes.word(TASK_TYPE, kind);
}

fn step_index(attributes: &mut Attributes, step: Option<u32>) {
    if let Some(index) = step {
        attributes.integer(STEP_INDEX, index);
    }
}

/// The words of a failure, if it is one.
fn failed(phase: AnalysisPhase, message: &str) -> Option<String> {
    RunResult::of_phase(phase)
        .failed()
        .then(|| text::clean(if message.is_empty() { analysis_phase(phase) } else { message }))
}

fn analysis_error(phase: AnalysisPhase) -> &'static str {
    let class = match phase {
        AnalysisPhase::Error => FailureClass::AnalysisError,
        AnalysisPhase::Inconclusive => FailureClass::AnalysisInconclusive,
        _ => FailureClass::AnalysisFailed,
    };
    class.error_type()
}

/// One line for a person: `success-rate: Failed, 2 of 5 failed: <Argo's words>`.
fn result_of(metric: &Metric) -> String {
    let mut line = String::with_capacity(
        metric.name.len().saturating_add(metric.message.len()).saturating_add(48),
    );
    line.push_str(&metric.name);
    let phase = analysis_phase(metric.phase);
    // Writing into a String never fails.
    let _ = write!(line, ": {phase}, {} of {} failed", metric.failed, metric.count);
    if metric.dry_run {
        line.push_str(", dry run");
    }
    if !metric.message.is_empty() {
        line.push_str(": ");
        line.push_str(&metric.message);
    }
    line
}
