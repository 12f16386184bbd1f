//! Which step a pause, an analysis or an experiment belongs to.

use jiff::Timestamp;

use super::super::{Journal, Step};
use crate::base::Moment;
use crate::seen::AnalysisKind;

impl Journal {
    /// Decides for the entries that ended after number `after` which step each hangs below.
    ///
    /// It is kept with them: steps that were changed begin again at the same index, maybe on a
    /// clock that has gone back, and would be found in the place of the right one later.
    pub fn belong(&mut self, after: u32) {
        let Self { steps, pauses, analyses, experiments, .. } = self;
        let is_new = |closed: Option<u32>| closed.is_some_and(|closed| closed > after);
        for pause in pauses.iter_mut().filter(|pause| is_new(pause.closed)) {
            pause.below = step_at(steps, pause.step, pause.started, pause.ended);
        }
        for analysis in analyses.iter_mut().filter(|analysis| is_new(analysis.closed)) {
            let step = match analysis.kind {
                AnalysisKind::Step | AnalysisKind::Experiment => analysis.step,
                _ => None,
            };
            analysis.below = step_at(steps, step, analysis.started, analysis.ended);
        }
        for one in experiments.iter_mut().filter(|experiment| is_new(experiment.closed)) {
            one.below = step_at(steps, one.step, one.started, one.ended);
        }
    }
}

/// The last step of this index that had begun when something began. Clocks differ, so it is
/// otherwise the first that had begun before the end.
fn step_at(
    steps: &[Step],
    index: Option<u32>,
    started: Moment,
    ended: Option<Moment>,
) -> Option<u32> {
    let index = index?;
    let begun = |step: &Step, by: Timestamp| {
        // Argo writes times to the second, and we see them to the millisecond.
        step.index == index && earliest(step.started) <= by.as_second()
    };
    let last = steps.iter().rposition(|step| begun(step, started.at));
    let found = last.or_else(|| {
        let ended = ended?;
        steps.iter().position(|step| begun(step, ended.at))
    });
    found.and_then(|place| u32::try_from(place).ok())
}

/// The second before which it did not happen.
fn earliest(moment: Moment) -> i64 {
    match moment.precision() {
        Some(_) => moment.at.as_second(),
        None => moment.after.map_or(i64::MIN, Timestamp::as_second),
    }
}
