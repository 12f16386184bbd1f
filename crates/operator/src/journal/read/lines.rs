//! The entries of a timeline, one line of text each.

use jiff::Timestamp;
use timeline::base::Moment;
use timeline::journal::{
    Analysis, Experiment, Mark, Measurement, Metric, Pause, Step, Switch, Weight,
};
use timeline::seen::AnalysisPhase;

use super::Problem;
use crate::journal::line::{LineError, Reader};
use crate::journal::write::{first_step, step_of, usual};

/// Reads the lines of one attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) start: Timestamp,
    pub(super) prefix: &'a str,
    pub(super) steps: &'a [Step],
}

impl Lines<'_> {
    pub(super) fn each<T>(
        self,
        field: &'static str,
        lines: &[String],
        read: impl Fn(&mut Reader<'_>) -> Result<T, LineError>,
    ) -> Result<Vec<T>, Problem> {
        self.in_a_row(field, lines, |_| None, |line, _| read(line))
    }

    /// Each with the end of the one before.
    pub(super) fn in_a_row<T>(
        self,
        field: &'static str,
        lines: &[String],
        ended: impl Fn(&T) -> Option<Moment>,
        read: impl Fn(&mut Reader<'_>, Option<Moment>) -> Result<T, LineError>,
    ) -> Result<Vec<T>, Problem> {
        let mut before = None;
        let entries = lines.iter().enumerate().map(|(n, line)| {
            let mut line = Reader::new(line, self.start);
            let entry = read(&mut line, before).and_then(|entry| line.end(entry));
            let entry = entry.map_err(|source| Problem::Line { field, line: n + 1, source })?;
            before = ended(&entry);
            Ok(entry)
        });
        entries.collect()
    }

    /// The lines of metrics are those that are indented.
    pub(super) fn analyses(self, lines: &[String]) -> Result<Vec<Analysis>, Problem> {
        let mut analyses: Vec<Analysis> = Vec::new();
        for (n, text) in lines.iter().enumerate() {
            let mut line = Reader::new(text, self.start);
            let read = match (text.starts_with(' '), analyses.last_mut()) {
                (true, Some(above)) => {
                    Self::metric(&mut line).map(|metric| above.metrics.push(metric))
                }
                (true, None) => Err(LineError::NoAnalysis),
                (false, _) => self.analysis(&mut line).map(|analysis| analyses.push(analysis)),
            };
            read.and_then(|()| line.end(())).map_err(|source| Problem::Line {
                field: "analyses",
                line: n + 1,
                source,
            })?;
        }
        Ok(analyses)
    }

    pub(super) fn step(line: &mut Reader<'_>, before: Option<Moment>) -> Result<Step, LineError> {
        let index = line.number("index", "")?;
        let (kind, setting) = (line.text("kind")?, line.text("setting")?);
        let result = line.optional_name();
        let started = line.moment_after("start", before)?;
        let ended = line.maybe_moment("end")?;
        let result = result.unwrap_or_else(|| usual(ended.as_ref()));
        Ok(Step { index, kind, setting, started, ended, result, closed: line.closed() })
    }

    pub(super) fn pause(self, line: &mut Reader<'_>) -> Result<Pause, LineError> {
        let step = line.maybe_number("step", "")?;
        let kind = line.name("kind of pause")?;
        let planned = line.maybe_number("length in seconds", "s")?;
        let resumed_by = line.maybe_name("one who resumes")?;
        let (started, ended) = (line.moment("start")?, line.maybe_moment("end")?);
        let (closed, below) = line.closed_below(first_step(self.steps, step));
        Ok(Pause { kind, step, planned, started, ended, resumed_by, closed, below })
    }

    fn analysis(self, line: &mut Reader<'_>) -> Result<Analysis, LineError> {
        let kind = line.name("kind of analysis")?;
        let (step, phase) = (line.maybe_number("step", "")?, line.name("phase")?);
        let (started, ended) = (line.moment("start")?, line.maybe_moment("end")?);
        let usual = first_step(self.steps, step_of(kind, step));
        let (closed, below) = line.closed_below(usual);
        Ok(Analysis {
            kind,
            step,
            phase,
            started,
            ended,
            closed,
            below,
            name: line.object("name", self.prefix)?,
            uid: line.text("UID")?,
            message: line.message()?,
            metrics: Vec::new(),
        })
    }

    fn metric(line: &mut Reader<'_>) -> Result<Metric, LineError> {
        let name = line.text("name")?;
        let phase = line.name("phase")?;
        let (failed, count) = line.ratio("failed/all")?;
        let dry_run = line.is_word("dry-run");
        let message = line.message()?;
        let mut measurements = Vec::new();
        while line.is_word("|") {
            measurements.push(Self::measurement(line)?);
        }
        Ok(Metric { name, phase, message, dry_run, count, failed, measurements })
    }

    fn measurement(line: &mut Reader<'_>) -> Result<Measurement, LineError> {
        let value = line.text("value")?;
        let started = line.moment("time")?;
        let ended = line.optional_moment().unwrap_or(started);
        let phase = line.optional_name().unwrap_or(AnalysisPhase::Successful);
        Ok(Measurement { phase, value, message: line.message()?, started, ended })
    }

    pub(super) fn experiment(self, line: &mut Reader<'_>) -> Result<Experiment, LineError> {
        let (step, phase) = (line.maybe_number("step", "")?, line.name("phase")?);
        let (started, ended) = (line.moment("start")?, line.maybe_moment("end")?);
        let (closed, below) = line.closed_below(first_step(self.steps, step));
        Ok(Experiment {
            step,
            phase,
            started,
            ended,
            closed,
            below,
            name: line.object("name", self.prefix)?,
            uid: line.text("UID")?,
            message: line.message()?,
        })
    }

    pub(super) fn weight(
        line: &mut Reader<'_>,
        before: Option<Moment>,
    ) -> Result<Weight, LineError> {
        Ok(Weight {
            percent: line.number("percentage", "%")?,
            started: line.moment_after("start", before)?,
            ended: line.maybe_moment("end")?,
            closed: line.closed(),
        })
    }

    pub(super) fn switch(line: &mut Reader<'_>) -> Result<Switch, LineError> {
        let service = line.name("service")?;
        let to_new = line.is_word("new");
        if !to_new && !line.is_word("stable") {
            return Err(LineError::Missing("new or stable"));
        }
        Ok(Switch { service, to_new, at: line.moment("time")?, closed: line.closed() })
    }

    pub(super) fn mark(line: &mut Reader<'_>) -> Result<Mark, LineError> {
        Ok(Mark {
            kind: line.name("kind of mark")?,
            at: line.moment("time")?,
            note: line.message()?,
        })
    }
}
