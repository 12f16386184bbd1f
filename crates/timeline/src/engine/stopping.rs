//! The end of a process: what is due or waits for company is stored now.

use jiff::Timestamp;

use super::Engine;

impl Engine {
    /// The process ends soon: what would be stored later is asked for by the next
    /// [`Engine::effects`], and so is what could not be stored a moment ago.
    pub fn stop(&mut self, now: Timestamp) {
        self.stopping = true;
        self.journals.stop(now);
        let due: Vec<_> = std::mem::take(&mut self.due_reports).into_iter().collect();
        for (_, key) in due {
            self.wake(&key);
            if let Some(rollout) = self.rollouts.get_mut(&key) {
                rollout.report_due = None;
                rollout.settles_by = None;
                rollout.retry.cut_short();
            }
            self.schedule_report(&key, now);
        }
        // What waits for the end of an attempt to be stored is due with it.
        for key in self.journals.rollouts() {
            if let Some(rollout) = self.rollouts.get_mut(&key) {
                rollout.settles_by = None;
            }
        }
    }

    /// Whether something is still to be stored that may be tried by this time.
    pub fn owes(&self, by: Timestamp) -> bool {
        let report = self.due_reports.first().is_some_and(|(due, _)| *due <= by);
        self.has_looked() && ((report && self.may_report()) || self.journals.owes(by))
    }
}
