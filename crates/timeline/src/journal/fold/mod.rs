//! The fold: versions of a Rollout and of the objects around it in, entries of the timeline out.
//!
//! The attempt decides about start, end and outcome; a version of the Rollout shows what happened
//! in between. The journal itself is the state that versions are compared with, so that a process
//! that starts again goes on where the last one stood. The version before a look is needed only to
//! know that none passed unseen: what changes then was observed, and is bounded otherwise.
//!
//! ```text
//! observe: facts, then steps, pauses, weights, switches, marks, then the end or what follows it
//! analysis_seen, experiment_seen, pods_seen: entries, and evidence of a failure
//! tick: time passes, and nothing arrives
//!     each of them ends with: is it placed? may the root close?
//! ```

mod analyses;
mod belonging;
mod clock;
mod detail;
mod ending;
mod experiments;
mod facts;
mod failing;
mod marks;
mod memory;
mod pauses;
mod placing;
mod steps;
mod text;
mod traffic;

use jiff::{SignedDuration, Timestamp};

pub use memory::Memory;

use super::{Journal, MarkKind};
use crate::base::{Moment, Phase, Source, Turn};
use crate::chain::Attempt;
use crate::failure::Failure;
use crate::seen::{
    AnalysisRunSeen, ExperimentSeen, PodSeen, Progress, ReplicaSetSeen, RolloutSeen,
};
use clock::{SECOND, milliseconds, not_after, sane};

/// How long Keptn is waited for. Its KeptnWorkloadVersion comes within seconds of the first pod.
const PLACEMENT_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// How long annotations may come after the template, where those of what is live were copied first.
const ANNOTATION_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// How long an analysis or an experiment may still end after its attempt.
const EVIDENCE_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// How long the root stays open after the end, for Healthy or for traffic to be back.
const SETTLE_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// Argo writes the condition Progressing up to so long after what it is about.
const CONDITION_LAG: SignedDuration = SignedDuration::from_secs(2);
/// argo-rollouts utils/conditions/conditions.go, `PausedRolloutReason`.
const PAUSED: &str = "RolloutPaused";

/// One version of a Rollout as the journal of one of its attempts sees it.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The version.
    pub rollout: &'a RolloutSeen,
    /// The version just before it; none if others may have passed between, or nothing was seen yet.
    pub before: Option<&'a RolloutSeen>,
    /// The attempt as the chain has it now: it decides about start, end and outcome.
    pub attempt: &'a Attempt,
    /// It is the newest attempt of its Rollout: nothing has replaced it.
    pub newest: bool,
    /// The attempt's ReplicaSet.
    pub replica_set: Option<&'a ReplicaSetSeen>,
    /// The ReplicaSet of what was live when the attempt began.
    pub stable_set: Option<&'a ReplicaSetSeen>,
    /// Keptn may still make a trace for the attempt.
    pub keptn_may_come: bool,
    /// The time of the look.
    pub now: Timestamp,
}

/// A look, and what follows from how it stands to the journal.
struct View<'a> {
    look: &'a Look<'a>,
    progress: &'a Progress,
    /// The time of the look, to the millisecond.
    now: Timestamp,
    /// No version passed unseen before this one.
    live: bool,
    /// The Rollout's current revision is that of the attempt.
    ours: bool,
    /// The latest moment that the journal knows: what was not seen happened after it.
    known: Timestamp,
    /// What was not seen of the steps and pauses happened before it.
    until: Timestamp,
}

impl View<'_> {
    /// When something happened that this version shows first.
    fn when(&self) -> Moment {
        if self.live {
            Moment::observed(self.now)
        } else {
            Moment::inferred(Some(self.known), self.now)
        }
    }

    /// The same for steps, which a pause that has begun since then bounds.
    fn when_stepped(&self) -> Moment {
        if self.live { self.when() } else { Moment::inferred(Some(self.known), self.until) }
    }

    /// The first revision is promoted when the Rollout is first Healthy. That it is so since some
    /// time bounds an end that was not seen.
    fn healthy_by(&self, end: Timestamp) -> Timestamp {
        let first =
            self.look.attempt.follows.is_empty() && self.look.attempt.phase == Phase::Promoted;
        let healthy = self.progress.healthy_since.filter(|_| first && self.ours);
        let healthy = healthy.filter(|at| *at > self.known && *at < end && sane(*at, self.now));
        healthy.map_or(end, milliseconds)
    }

    /// The version before this one, if it is of the same revision.
    fn same_before(&self) -> Option<&Progress> {
        let before = self.look.before?;
        (before.current_hash == self.look.rollout.current_hash).then_some(&before.progress)
    }

    /// A client asked for a full promotion. Argo forgets that as it promotes.
    fn promote_full(&self) -> bool {
        self.progress.promote_full || self.same_before().is_some_and(|before| before.promote_full)
    }
}

impl Journal {
    /// Takes in a version of the Rollout.
    pub fn observe(&mut self, look: &Look<'_>) -> Turn {
        if self.root_closed.is_some() {
            return self.recover_late(look);
        }
        self.turn(|journal| journal.fold(look))
    }

    /// Takes in the objects around the attempt, and then a version of the Rollout: evidence first,
    /// for what ends an attempt freezes it.
    pub(crate) fn observe_with(
        &mut self,
        runs: &[&AnalysisRunSeen],
        experiments: &[&ExperimentSeen],
        pods: &[&PodSeen],
        look: &Look<'_>,
    ) -> Turn {
        if self.root_closed.is_some() {
            return self.recover_late(look);
        }
        self.turn(|journal| {
            for run in runs {
                journal.take_in_run(run, look.now);
            }
            for experiment in experiments {
                journal.take_in_experiment(experiment, look.now);
            }
            if !pods.is_empty() {
                journal.take_in_pods(pods, look.now);
            }
            if journal.root_closed.is_none() {
                journal.fold(look);
            }
        })
    }

    /// The Rollout is gone: whatever is still open ends now or, what ends by itself, soon.
    pub fn deleted(&mut self, at: Moment) -> Turn {
        if self.awaits_recovery() {
            // It will not be seen.
            self.memory.gone = true;
            return Turn::Vital;
        }
        self.turn(|journal| {
            if journal.open() {
                let at = at.to_milliseconds();
                journal.doubt_start(at.at);
                let at = match at.source {
                    Source::Inferred => Moment::inferred(Some(journal.latest()), at.at),
                    _ => at,
                };
                journal.finish(Phase::Deleted, at, None, false);
            }
            journal.memory.gone = true;
            journal.decide(at.at);
        })
    }

    /// Its end is known, and the version of the Rollout that showed it is not.
    pub fn ended_as(&mut self, outcome: Phase, at: Moment, now: Timestamp) -> Turn {
        self.turn(|journal| {
            if journal.open() {
                let at = if sane(at.at, now) { at } else { Moment::inferred(None, now) };
                let unseen = Some(journal.latest());
                journal.finish(outcome, at.to_milliseconds(), unseen, false);
            }
        })
    }

    /// Decides what has waited long enough: where the spans belong, analyses that never end, the
    /// root. It knows the last look that this process took, and decides nothing about a placement
    /// before the first; an [`Journal::observe`] of the same look does all that it does.
    pub fn tick(&mut self, now: Timestamp) -> Turn {
        // The caller looks at the pods again.
        self.memory.look_again = self.memory.look_again.filter(|at| *at > now);
        self.turn(|journal| journal.decide(milliseconds(now)))
    }

    /// When [`Journal::tick`] has something to decide even if nothing arrives.
    pub fn due(&self) -> Option<Timestamp> {
        if self.root_closed.is_some() {
            return None;
        }
        let placement = self.memory.look.filter(|_| self.placed.is_none());
        let placement = placement.map(|look| not_after(self.started.at, look.wait()));
        let ended = self.ended.map(|ended| ended.at);
        let evidence =
            ended.filter(|_| self.evidence_is_open()).map(|ended| not_after(ended, EVIDENCE_WAIT));
        let root = ended
            .filter(|_| self.placed.is_some() && !self.evidence_is_open())
            .map(|ended| not_after(ended, SETTLE_WAIT));
        let pods = self.memory.look_again.filter(|_| ended.is_none());
        [placement, evidence, root, pods].into_iter().flatten().min()
    }

    /// What a change is worth. A journal whose root has closed is over, and only takes note of a late
    /// recovery.
    fn turn(&mut self, change: impl FnOnce(&mut Self)) -> Turn {
        if self.root_closed.is_some() {
            return Turn::Same;
        }
        let before = self.clone();
        change(self);
        self.belong(before.closed);
        if *self == before {
            return Turn::Same;
        }
        let over = self.root_closed.is_some() || (before.open() && !self.open());
        let released = before.placed.is_none() && self.placed.is_some() && self.closed > 0;
        // The pods that show it may be gone soon; once, because they may take it back again.
        let vital = |journal: &Self| journal.failure.as_ref().is_some_and(Failure::is_vital);
        let failed =
            !vital(&before) && vital(self) && !std::mem::replace(&mut self.memory.failed, true);
        if over || released || failed { Turn::Vital } else { Turn::Moved }
    }

    fn fold(&mut self, look: &Look<'_>) {
        let fresh = self.is_fresh();
        self.take_up(&self.view(look), fresh);
        let view = self.view(look);
        self.gather(&view);
        let before = self.entries();
        if self.open() {
            let over = look.attempt.phase != Phase::Progressing;
            if view.ours && (!over || look.attempt.phase == Phase::Promoted) {
                // A pause ends before the step that it belongs to.
                self.follow_pauses(&view);
                self.follow_steps(&view);
                self.follow_weights(&view);
                self.follow_switches(&view);
                self.follow_marks(&view);
            }
            self.weigh_objects(&view, over);
            self.follow_exposure(&view);
            if over {
                self.end(&view);
            }
        } else {
            // Pods that get ready after the end are of a later attempt, or are going.
            self.follow_recovery(&view);
        }
        if !view.live && !fresh && (self.entries() != before || self.went_on_anew(&view)) {
            self.mark(MarkKind::Gap, Moment::inferred(Some(view.known), view.now), "");
        }
        self.place(view.now);
        self.follow_links(look);
        self.decide(view.now);
    }

    fn view<'a>(&self, look: &'a Look<'a>) -> View<'a> {
        let now = milliseconds(look.now);
        let known = self.latest();
        let progress = &look.rollout.progress;
        let ours = look.rollout.current_hash.as_ref() == Some(&self.identity.hash);
        let begun = progress.pauses.iter().filter_map(|pause| pause.started);
        let bounds = begun.filter(|_| ours).chain(look.attempt.ended).map(milliseconds);
        let until = bounds.filter(|at| *at > known && *at < now).min().unwrap_or(now);
        View { look, progress, now, live: look.before.is_some(), ours, known, until }
    }

    /// Whether Argo began to progress again since the last that is known of it, with nothing else to
    /// show for it: after an abort that was tried again, Progressing is no longer False since the retry
    /// (argo-rollouts rollout/sync.go, `calculateRolloutConditions`).
    fn went_on_anew(&self, view: &View<'_>) -> bool {
        let condition = view.progress.progressing.as_ref();
        let progresses = condition.filter(|it| {
            // It is written after the pause that it is about.
            view.ours && it.status != Some(false) && it.reason != PAUSED
        });
        let since = progresses.and_then(|condition| condition.since);
        let is_known = |since: Timestamp| {
            let looked = |kind| matches!(kind, MarkKind::Gap | MarkKind::FirstSight);
            since.duration_since(view.known) <= CONDITION_LAG
                || self.marks.iter().any(|mark| looked(mark.kind) && mark.at.at >= since)
        };
        self.open() && since.is_some_and(|since| since <= view.now && !is_known(since))
    }

    /// No version of the Rollout was noted yet. The objects around it may have been.
    pub(crate) fn is_fresh(&self) -> bool {
        self.facts == super::Facts::default()
            && self.marks.is_empty()
            && self.steps.is_empty()
            && self.pauses.is_empty()
    }

    fn take_up(&mut self, view: &View<'_>, fresh: bool) {
        let attempt = view.look.attempt;
        let started = Moment {
            at: milliseconds(attempt.started),
            source: attempt.started_source,
            after: None,
        };
        self.doubt_start(view.now);
        if fresh {
            self.started.at = milliseconds(self.started.at);
        }
        // A ReplicaSet that arrives later dates it again, but never to a later time. What was only
        // stored without its fraction is no other time.
        let earlier = self.started.at.duration_since(started.at);
        let is_dated = started.source != Source::Observed && started.source != self.started.source;
        let differs = is_dated || earlier >= SECOND;
        if self.open() && sane(started.at, view.now) && !earlier.is_negative() && differs {
            let (was, is) = (self.started, Moment { after: self.started.after, ..started });
            self.started = is;
            for step in self.steps.iter_mut().filter(|step| step.closed.is_none()) {
                step.started = if step.started == was { is } else { step.started };
            }
        }
        if fresh && !view.live {
            self.facts.rebuilt = true;
            self.mark(MarkKind::FirstSight, Moment::observed(view.now), "");
        }
    }

    fn doubt_start(&mut self, now: Timestamp) {
        if self.open() && !sane(self.started.at, now) {
            self.doubt("start", self.started.at, now);
            self.started = Moment::observed(now);
        }
    }

    /// How many entries there are, and how many have ended: whether something happened.
    fn entries(&self) -> [usize; 6] {
        [
            self.closed as usize,
            self.steps.len(),
            self.pauses.len(),
            self.weights.len(),
            self.switches.len(),
            usize::from(self.ended.is_some()),
        ]
    }

    /// The latest moment of a Rollout's version that was noted.
    fn latest(&self) -> Timestamp {
        let steps = self.steps.iter().map(|step| step.ended.unwrap_or(step.started));
        let pauses = self.pauses.iter().map(|pause| pause.ended.unwrap_or(pause.started));
        let weights = self.weights.iter().map(|weight| weight.ended.unwrap_or(weight.started));
        let switches = self.switches.iter().map(|switch| switch.at);
        let ends = self.ended.into_iter();
        steps
            .chain(pauses)
            .chain(weights)
            .chain(switches)
            .chain(ends)
            .map(|moment| moment.at)
            .fold(self.started.at, Timestamp::max)
    }
}
