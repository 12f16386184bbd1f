//! AnalysisRuns: they have their own times.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::super::{Analysis, Journal, Measurement, Metric};
use super::clock::milliseconds;
use super::detail::{fit, ranked};
use super::text::clean;
use crate::base::{Moment, Turn};
use crate::seen::{AnalysisPhase, AnalysisRunSeen, MeasurementSeen, MetricSeen};

const ANALYSES: usize = 24;
/// Beyond the others, for those that did not pass: Argo acts upon them.
const UNDECIDED: usize = 4;
const FAILED: usize = 8;
const METRICS: usize = 5;
const MEASUREMENTS: usize = 3;
pub(super) const NAME: usize = 253;
pub(super) const UID: usize = 64;
const METRIC_NAME: usize = 64;
const VALUE: usize = 64;
pub(super) const MESSAGE: usize = 256;
const MEASUREMENT_MESSAGE: usize = 128;

impl Journal {
    /// Takes in a version of an AnalysisRun of this attempt.
    pub fn analysis_seen(&mut self, run: &AnalysisRunSeen, now: Timestamp) -> Turn {
        self.turn(|journal| journal.take_in_run(run, now))
    }

    pub(super) fn take_in_run(&mut self, run: &AnalysisRunSeen, now: Timestamp) {
        if self.root_closed.is_none() {
            let now = milliseconds(now);
            self.follow_analysis(run, now);
            self.decide(now);
        }
    }

    fn follow_analysis(&mut self, run: &AnalysisRunSeen, now: Timestamp) {
        let uid = clean(&run.uid, UID);
        let index = self.analyses.iter().position(|analysis| analysis.uid == uid);
        let new = index.is_none();
        let index = match index {
            Some(index) => index,
            None if self.analyses.len() >= room(ANALYSES, run.phase) => {
                self.cut(&("analysis", &uid));
                if run.phase.severity() > 0 {
                    let unkept = self.unkept_analysis(uid, run, now);
                    self.weigh_analysis(&unkept);
                }
                return;
            }
            None => {
                let analysis = self.new_analysis(uid, run, now);
                self.analyses.push(analysis);
                self.analyses.len().saturating_sub(1)
            }
        };
        let Some(analysis) = self.analyses.get(index).filter(|it| it.closed.is_none()) else {
            return;
        };
        let mut analysis = analysis.clone();
        let started = analysis.started;
        analysis.phase = run.phase;
        analysis.message = clean(&run.message, MESSAGE);
        analysis.metrics = self.metrics(run, started, now);
        for metric in fit(&mut analysis, &self.analyses) {
            self.cut(&("metric", &run.uid, metric));
        }
        if is_over(run.phase) {
            let completed = self.stated_time("analysis", run.completed, Some(started.at), now);
            let seen =
                if new { Moment::inferred(Some(started.at), now) } else { Moment::observed(now) };
            analysis.ended = Some(completed.unwrap_or(seen).not_before(started.at));
            analysis.closed = Some(self.next_closed());
        }
        if analysis.ended.is_some() {
            self.weigh_analysis(&analysis);
        }
        self.analyses[index] = analysis;
    }

    /// There is no room for it, and it says why the attempt failed.
    fn unkept_analysis(&mut self, uid: String, run: &AnalysisRunSeen, now: Timestamp) -> Analysis {
        let mut analysis = self.new_analysis(uid, run, now);
        analysis.message = clean(&run.message, MESSAGE);
        analysis.metrics = self.metrics(run, analysis.started, now);
        let ended = run.completed.unwrap_or(analysis.started.at);
        analysis.ended = Some(Moment::status(milliseconds(ended)).not_before(analysis.started.at));
        analysis
    }

    fn new_analysis(&mut self, uid: String, run: &AnalysisRunSeen, now: Timestamp) -> Analysis {
        // Argo sets no startedAt where the arguments of a run cannot be resolved.
        let started = self
            .stated_time("analysis", run.started, None, now)
            .or_else(|| self.stated_time("analysis", run.created, None, now))
            .unwrap_or(Moment::observed(now));
        Analysis {
            name: clean(&run.key.name, NAME),
            uid,
            kind: run.kind,
            step: run.step,
            phase: run.phase,
            message: String::new(),
            started,
            ended: None,
            metrics: Vec::new(),
            closed: None,
            below: None,
        }
    }

    /// The metrics that matter most, in the order of the run.
    fn metrics(&mut self, run: &AnalysisRunSeen, started: Moment, now: Timestamp) -> Vec<Metric> {
        let mut kept: Vec<(usize, &MetricSeen)> = run.metrics.iter().enumerate().collect();
        kept.sort_by_key(|(index, metric)| (Reverse(ranked(metric.dry_run, metric.phase)), *index));
        kept.truncate(METRICS);
        kept.sort_by_key(|(index, _)| *index);
        for index in METRICS..run.metrics.len().max(run.metric_count as usize) {
            if !self.cut(&("metric", &run.uid, index)) {
                break;
            }
        }
        kept.into_iter().map(|(_, metric)| self.metric(metric, started, now)).collect()
    }

    fn metric(&mut self, metric: &MetricSeen, started: Moment, now: Timestamp) -> Metric {
        let newest = metric.measurements.len().saturating_sub(MEASUREMENTS);
        let measurements = metric.measurements[newest..].iter();
        Metric {
            name: clean(&metric.name, METRIC_NAME),
            phase: metric.phase,
            message: clean(&metric.message, MESSAGE),
            dry_run: metric.dry_run,
            count: metric.count,
            failed: metric.failed,
            measurements: measurements.map(|seen| self.measurement(seen, started, now)).collect(),
        }
    }

    /// One without a time was taken somewhen after its analysis began.
    fn measurement(
        &mut self,
        seen: &MeasurementSeen,
        analysis: Moment,
        now: Timestamp,
    ) -> Measurement {
        let bound = analysis.at;
        let unknown = Moment::inferred(Some(bound), bound.max(now));
        let started =
            self.stated_time("measurement", seen.started, Some(bound), now).unwrap_or(unknown);
        let ended = self
            .stated_time("measurement", seen.finished, Some(started.at), now)
            .unwrap_or(unknown)
            .not_before(started.at);
        Measurement {
            phase: seen.phase,
            value: clean(&seen.value, VALUE),
            message: clean(&seen.message, MEASUREMENT_MESSAGE),
            started,
            ended,
        }
    }
}

/// How many are kept before one of this phase has no room.
pub(super) fn room(all: usize, phase: AnalysisPhase) -> usize {
    match phase.severity() {
        0 => all,
        1 => all.saturating_add(UNDECIDED),
        _ => all.saturating_add(FAILED),
    }
}

/// Whether an analysis or an experiment has ended.
pub(super) fn is_over(phase: AnalysisPhase) -> bool {
    !matches!(phase, AnalysisPhase::Pending | AnalysisPhase::Running)
}
