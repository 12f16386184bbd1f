//! What a reader has to know beside the entries.

use super::super::{Journal, Mark, MarkKind};
use super::View;
use super::clock::sane;
use super::text::clean;
use crate::base::Moment;

const MARKS: usize = 16;
/// So that an autoscaler leaves room for the others.
const MARKS_OF_A_KIND: usize = 4;
const NOTE: usize = 128;
/// argo-rollouts utils/conditions/conditions.go, `TimedOutReason`.
const DEADLINE: &str = "ProgressDeadlineExceeded";

impl Journal {
    /// Adds a mark, each once.
    pub(super) fn mark(&mut self, kind: MarkKind, at: Moment, note: &str) {
        let mark = Mark { kind, at, note: clean(note, NOTE) };
        let same = |other: &Mark| other.kind == kind && other.at.at == at.at;
        if self.marks.iter().any(|other| same(other) && other.note == mark.note) {
            return;
        }
        let of_kind = self.marks.iter().filter(|mark| mark.kind == kind).count();
        // The first of a kind says something that no other does.
        if of_kind == 0 || (self.marks.len() < MARKS && of_kind < MARKS_OF_A_KIND) {
            self.marks.push(mark);
        } else {
            self.cut(&("mark", kind, mark.note));
        }
    }

    fn marked(&self, kind: MarkKind) -> bool {
        self.marks.iter().any(|mark| mark.kind == kind)
    }

    pub(super) fn follow_marks(&mut self, view: &View<'_>) {
        if view.progress.promote_full && !self.marked(MarkKind::FullPromotion) {
            self.mark(MarkKind::FullPromotion, view.when(), "");
        }
        self.follow_deadline(view);
        self.follow_restart(view);
        self.follow_scaling(view);
    }

    /// It is no end: progress brings the Rollout back (argo-rollouts rollout/sync.go).
    fn follow_deadline(&mut self, view: &View<'_>) {
        let Some(condition) = view.progress.progressing.as_ref() else {
            return;
        };
        if condition.reason != DEADLINE {
            return;
        }
        let Some(since) = condition.since.filter(|since| sane(*since, view.now)) else {
            if !self.marked(MarkKind::DeadlineExceeded) {
                self.mark(MarkKind::DeadlineExceeded, view.when(), &condition.message);
            }
            return;
        };
        // The condition of an earlier attempt stays until this one progresses.
        if since.as_second() >= self.started.at.as_second() {
            self.mark(MarkKind::DeadlineExceeded, Moment::status(since), &condition.message);
        }
    }

    /// `spec.restartAt` may lie in the future: the mark is where it was asked for.
    fn follow_restart(&mut self, view: &View<'_>) {
        let Some(asked) = view.progress.restart_at.filter(|asked| *asked > self.started.at) else {
            return;
        };
        // The attempt may have been over by then.
        if view.look.attempt.ended.is_some_and(|ended| view.healthy_by(ended) <= asked) {
            return;
        }
        let note = asked.to_string();
        let known =
            |mark: &Mark| mark.kind == MarkKind::Restarted && mark.note == clean(&note, NOTE);
        let unchanged = view.same_before().is_some_and(|before| before.restart_at == Some(asked));
        if !unchanged && !self.marks.iter().any(known) {
            self.mark(MarkKind::Restarted, view.when(), &note);
        }
    }

    fn follow_scaling(&mut self, view: &View<'_>) {
        let before = view.same_before().and_then(|before| before.replicas);
        if let (Some(before), Some(now)) = (before, view.progress.replicas)
            && before != now
        {
            let note = format!("{before} to {now}");
            // The same version may be looked at again, beside another ReplicaSet.
            let last = self.marks.iter().rev().find(|mark| mark.kind == MarkKind::Scaled);
            if last.is_none_or(|last| last.note != note) {
                self.mark(MarkKind::Scaled, view.when(), &note);
            }
        }
    }
}
