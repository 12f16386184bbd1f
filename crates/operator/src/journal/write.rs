//! A journal as the status of a RolloutAttempt.

use api::RolloutAttempt;
use api::rollout_attempt as rat;
use api::rollout_trace as rtr;
use jiff::Timestamp;
use timeline::base::{AttemptId, Moment, Source, attempt_name, label_of};
use timeline::failure::Failure;
use timeline::journal::{
    Analysis, Experiment, Exported, Facts, Journal, Mark, Measurement, Metric, Pause, Placement,
    Service, Step, StepResult, Switch, Weight,
};
use timeline::seen::{AnalysisKind, AnalysisPhase};

use super::line::Writer;
use super::summary;
use crate::report::phase;

/// The RolloutAttempt that stores a journal. Who owns it, and which version of it is replaced, is
/// for the caller to add.
pub fn object(journal: &Journal) -> RolloutAttempt {
    let identity = &journal.identity;
    let mut object = RolloutAttempt::new(&attempt_name(identity), spec(identity));
    object.metadata.namespace = Some(identity.rollout.namespace.to_string());
    let rollout = label_of(&identity.rollout.name);
    let mut labels = vec![
        ("app.kubernetes.io/managed-by", "throughline"),
        (rat::ROLLOUT_UID, &identity.rollout_uid),
        (rat::ROLLOUT, &rollout),
    ];
    if !journal.delivered() {
        labels.push((rat::OPEN, "true"));
    }
    let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    object.metadata.labels = Some(labels.collect());
    object.status = Some(status(journal));
    object
}

fn spec(identity: &AttemptId) -> rat::RolloutAttemptSpec {
    rat::RolloutAttemptSpec {
        rollout: identity.rollout.name.to_string(),
        rollout_uid: identity.rollout_uid.to_string(),
        hash: identity.hash.to_string(),
        revision: identity.revision,
        attempt: identity.number.into(),
    }
}

/// The status that says what the journal says.
pub fn status(journal: &Journal) -> rat::RolloutAttemptStatus {
    let prefix = prefix(&journal.identity);
    let lines = Lines { start: journal.started.at, prefix: &prefix, steps: &journal.steps };
    rat::RolloutAttemptStatus {
        // Who writes it knows.
        writer_epoch: None,
        phase: phase(journal.phase),
        outcome: summary::outcome(journal),
        duration: summary::duration(journal),
        exposed: journal.exposed,
        exposed_at: journal.exposed_at.as_ref().map(moment),
        started: Some(moment(&journal.started)),
        ended: journal.ended.as_ref().map(moment),
        settled: journal.settled.as_ref().map(moment),
        recovered: journal.recovered.as_ref().map(moment),
        failure: journal.failure.as_ref().map(failure),
        trace: journal.placed.map(|placed| trace(&journal.identity, placed)),
        links: journal
            .links
            .iter()
            .map(|link| rat::Link {
                kind: format!("{:?}", link.kind),
                traceparent: link.traceparent.to_string(),
            })
            .collect(),
        facts: facts(&journal.facts),
        max_weight: journal.max_weight().map(i64::from),
        steps: in_a_row(&journal.steps, |step| step.ended, |step, then| lines.step(step, then)),
        pauses: journal.pauses.iter().map(|pause| lines.pause(pause)).collect(),
        analyses: journal.analyses.iter().flat_map(|analysis| lines.analysis(analysis)).collect(),
        experiments: journal.experiments.iter().map(|one| lines.experiment(one)).collect(),
        weights: in_a_row(&journal.weights, |one| one.ended, |one, then| lines.weight(one, then)),
        switches: journal.switches.iter().map(|switch| lines.switch(switch)).collect(),
        marks: journal.marks.iter().map(|mark| lines.mark(mark)).collect(),
        cut: journal.cut.into(),
        closed: journal.closed.into(),
        root_closed: journal.root_closed.map(i64::from),
        exported: exported(&journal.exported, journal.closed),
        sinks: journal
            .offsets
            .iter()
            .map(|(sink, offset)| (sink.name().to_owned(), exported(offset, journal.closed)))
            .collect(),
    }
}

fn exported(offset: &Exported, closed: u32) -> rat::Exported {
    rat::Exported {
        progress: format!("{}/{closed}", offset.until),
        until: offset.until.into(),
        refused: offset.refused.into(),
        refusal: offset.refusal.clone(),
    }
}

/// A time with its source, as it is stored.
pub(crate) fn moment(moment: &Moment) -> rat::Moment {
    rat::Moment {
        at: moment.at,
        source: match moment.source {
            Source::Observed => rtr::Source::Observed,
            Source::Status => rtr::Source::Status,
            Source::Event => rtr::Source::Event,
            Source::Inferred => rtr::Source::Inferred,
        },
        not_before: moment.after,
    }
}

fn failure(failure: &Failure) -> rat::Failure {
    rat::Failure {
        class: format!("{:?}", failure.class),
        cause: failure.cause.map(|cause| format!("{cause:?}")),
        reason: failure.reason.clone(),
        message: failure.message.clone(),
        pod: failure.pod.clone(),
        container: failure.container.clone(),
        image: failure.image.clone(),
        at: moment(&failure.at),
    }
}

fn trace(identity: &AttemptId, placed: Placement) -> rat::Trace {
    let root = timeline::Traceparent::sampled(placed.trace, identity.span(&[]));
    rat::Trace {
        id: placed.trace.to_string(),
        traceparent: root.to_string(),
        parent: placed.parent.map(|parent| parent.to_string()),
        keptn: placed.parent.is_some(),
    }
}

fn facts(facts: &Facts) -> rat::Facts {
    rat::Facts {
        service: facts.service.clone(),
        version: facts.version.clone(),
        app: facts.app.clone(),
        environment: facts.environment.clone(),
        commit: facts.commit.clone(),
        commit_time: facts.commit_time,
        commit_time_source: facts.commit_time_source.map(|source| source.to_string()),
        commit_time_refused: facts.commit_time_refused.map(|why| why.to_string()),
        hotfix: facts.hotfix,
        replaces: facts.replaces.map(|it| format!("{} {}.{}", it.relation, it.revision, it.number)),
        spec_digest: (facts.spec_digest != 0).then(|| format!("{:016x}", facts.spec_digest)),
        repository: facts.repository.clone(),
        author: facts.author.clone(),
        origin: facts.origin.map(|origin| origin.to_string()),
        replica_set: facts.replica_set.clone(),
        strategy: facts.strategy.map(|strategy| format!("{strategy:?}")),
        planned_steps: facts.planned_steps.into(),
        images: facts.images.clone(),
        upgrade: facts.upgrade,
        adopted: facts.adopted,
        rebuilt: facts.rebuilt,
    }
}

/// How the names of objects begin that Argo makes for the attempt (argo-rollouts
/// rollout/analysis.go, rollout/experiment.go).
pub(super) fn prefix(identity: &AttemptId) -> String {
    format!("{}-{}-{}", identity.rollout.name, identity.hash, identity.revision)
}

/// How a step that has this end most likely ended: its line does not say so.
pub(super) fn usual(ended: Option<&Moment>) -> StepResult {
    if ended.is_some() { StepResult::Completed } else { StepResult::Running }
}

/// The place of the first step of this index. Most hang below that one, and their lines do not say
/// so; steps are added behind the others, so it stays the first.
pub(super) fn first_step(steps: &[Step], index: Option<u32>) -> Option<u32> {
    let place = steps.iter().position(|step| Some(step.index) == index)?;
    u32::try_from(place).ok()
}

/// The step that an analysis decides about; others hang below none.
pub(super) fn step_of(kind: AnalysisKind, step: Option<u32>) -> Option<u32> {
    step.filter(|_| matches!(kind, AnalysisKind::Step | AnalysisKind::Experiment))
}

/// Writes entries, each with the end of the one before.
fn in_a_row<T>(
    entries: &[T],
    ended: impl Fn(&T) -> Option<Moment>,
    write: impl Fn(&T, Option<&Moment>) -> String,
) -> Vec<String> {
    let mut before = None;
    let lines = entries.iter().map(|entry| {
        let line = write(entry, before.as_ref());
        before = ended(entry);
        line
    });
    lines.collect()
}

/// Writes the lines of one attempt.
#[derive(Debug, Clone, Copy)]
struct Lines<'a> {
    start: Timestamp,
    prefix: &'a str,
    steps: &'a [Step],
}

impl Lines<'_> {
    fn line(self) -> Writer {
        Writer::new(self.start)
    }

    fn step(self, step: &Step, before: Option<&Moment>) -> String {
        let line = self.line().word(step.index.to_string()).text(&step.kind).text(&step.setting);
        let unusual = step.result != usual(step.ended.as_ref());
        let line = if unusual { line.name(step.result) } else { line };
        line.moment_after(&step.started, before)
            .maybe_moment(step.ended.as_ref())
            .closed(step.closed)
            .end()
    }

    fn pause(self, pause: &Pause) -> String {
        self.line()
            .maybe(pause.step)
            .name(pause.kind)
            .maybe(pause.planned.map(|seconds| format!("{seconds}s")))
            .maybe(pause.resumed_by.map(|by| format!("{by:?}")))
            .moment(&pause.started)
            .maybe_moment(pause.ended.as_ref())
            .closed_below(pause.closed, pause.below, first_step(self.steps, pause.step))
            .end()
    }

    /// The analysis, and a line below it for each metric.
    fn analysis(self, analysis: &Analysis) -> Vec<String> {
        let usual = first_step(self.steps, step_of(analysis.kind, analysis.step));
        let first = self
            .line()
            .name(analysis.kind)
            .maybe(analysis.step)
            .name(analysis.phase)
            .moment(&analysis.started)
            .maybe_moment(analysis.ended.as_ref())
            .closed_below(analysis.closed, analysis.below, usual)
            .object(&analysis.name, self.prefix)
            .text(&analysis.uid)
            .message(&analysis.message)
            .end();
        let metrics = analysis.metrics.iter().map(|metric| self.metric(metric));
        std::iter::once(first).chain(metrics).collect()
    }

    fn metric(self, metric: &Metric) -> String {
        let mut line = self
            .line()
            .indent()
            .text(&metric.name)
            .name(metric.phase)
            .word(format!("{}/{}", metric.failed, metric.count));
        if metric.dry_run {
            line = line.word("dry-run");
        }
        line = line.message(&metric.message);
        metric.measurements.iter().fold(line, measurement).end()
    }

    fn experiment(self, experiment: &Experiment) -> String {
        let usual = first_step(self.steps, experiment.step);
        self.line()
            .maybe(experiment.step)
            .name(experiment.phase)
            .moment(&experiment.started)
            .maybe_moment(experiment.ended.as_ref())
            .closed_below(experiment.closed, experiment.below, usual)
            .object(&experiment.name, self.prefix)
            .text(&experiment.uid)
            .message(&experiment.message)
            .end()
    }

    fn weight(self, weight: &Weight, before: Option<&Moment>) -> String {
        self.line()
            .word(format!("{}%", weight.percent))
            .moment_after(&weight.started, before)
            .maybe_moment(weight.ended.as_ref())
            .closed(weight.closed)
            .end()
    }

    fn switch(self, switch: &Switch) -> String {
        let service = match switch.service {
            Service::Preview => "Preview",
            Service::Active => "Active",
        };
        self.line()
            .word(service)
            .word(if switch.to_new { "new" } else { "stable" })
            .moment(&switch.at)
            .closed(switch.closed)
            .end()
    }

    fn mark(self, mark: &Mark) -> String {
        self.line().name(mark.kind).moment(&mark.at).message(&mark.note).end()
    }
}

/// What nearly all measurements have in common is left out: they took no time and passed.
fn measurement(line: Writer, measurement: &Measurement) -> Writer {
    let mut line = line.word("|").text(&measurement.value).moment(&measurement.started);
    if measurement.ended != measurement.started {
        line = line.moment(&measurement.ended);
    }
    if measurement.phase != AnalysisPhase::Successful {
        line = line.name(measurement.phase);
    }
    line.message(&measurement.message)
}
