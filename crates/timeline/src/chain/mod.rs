//! The fold: versions of a Rollout in, attempts out.
//!
//! Argo is the clock and the judge. An attempt begins when `currentPodHash` becomes something that
//! is not live, and ends when `stableRS` agrees with it, when it is aborted, or when something else
//! becomes current. Phases, generations, ReplicaSet creation and renumbering begin nothing
//! (Argo Rollouts, rollout/sync.go: `isRollingBack`, `promoteStable`, `resetRolloutStatus`).

mod attempt;
mod begin;
mod numbers;
mod packed;
mod unseen;
mod view;

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::{Phase, Source, Turn};
use crate::seen::{ReplicaSetSeen, RolloutSeen};
pub use attempt::{Attempt, Follow, LinkState, Linked, Relation, Trace};
pub(crate) use begin::follows_of;
pub(crate) use numbers::Numbers;
pub use packed::PackedChain;
pub(crate) use view::View;
use view::{may_have_been_tried, not_before, not_observed, workload};

/// The attempts of one Rollout, newest first. Each is shared with the reports that list it, as long
/// as nothing more is learned of it: there are a great many, and few change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    pub(crate) attempts: Vec<Arc<Attempt>>,
}

/// argo-rollouts utils/conditions/conditions.go, `RolloutAbortedReason`.
const ABORTED: &str = "RolloutAborted";

impl Chain {
    /// The chain as it was stored, newest first.
    pub fn restored(attempts: Vec<Arc<Attempt>>) -> Self {
        Self { attempts }
    }

    /// The attempts, newest first.
    pub fn attempts(&self) -> &[Arc<Attempt>] {
        &self.attempts
    }

    pub(crate) fn attempts_mut(&mut self) -> &mut [Arc<Attempt>] {
        &mut self.attempts
    }

    /// The newest attempt.
    pub fn newest(&self) -> Option<&Attempt> {
        self.attempts.first().map(Arc::as_ref)
    }

    fn newest_mut(&mut self) -> Option<&mut Attempt> {
        self.attempts.first_mut().map(Arc::make_mut)
    }

    /// The attempt that is live: the last one that became stable.
    pub fn live(&self) -> Option<&Attempt> {
        self.attempts.iter().map(Arc::as_ref).find(|attempt| attempt.phase == Phase::Promoted)
    }

    /// Folds one version of the Rollout, beside its ReplicaSets as far as they are known.
    pub fn observe(
        &mut self,
        rollout: &RolloutSeen,
        replica_sets: &[&ReplicaSetSeen],
        now: Timestamp,
    ) -> Turn {
        let Some(current) = rollout.current_hash.as_deref() else {
            return Turn::Same;
        };
        let view = View { rollout, replica_sets, current, now };
        let mut turn = Turn::Same;
        if self.attempts.is_empty() {
            turn = self.first_sight(&view);
        }
        if self.is_applied_again(&view) {
            turn = turn.max(self.open(&view));
        }
        turn = turn.max(self.catch_up(&view));
        turn = turn.max(if rollout.stable_hash.as_deref() == Some(current) {
            self.nothing_under_way(&view)
        } else {
            self.in_flight(&view)
        });
        turn.max(self.enrich(rollout, replica_sets))
    }

    /// Forgets what is older than the newest `history` attempts, but never what is live; says what
    /// that was.
    pub fn trim(&mut self, history: usize) -> Vec<Arc<Attempt>> {
        let live = self.attempts.iter().position(|attempt| attempt.phase == Phase::Promoted);
        let mut places = 0_usize..;
        let stays = |place: usize| place < history || Some(place) == live;
        self.attempts.extract_if(.., |_| !places.next().is_some_and(stays)).collect()
    }

    /// The revisions that were there before the operator first looked. What they followed, and how
    /// those that are not stable ended, is not recorded.
    pub(crate) fn first_sight(&mut self, view: &View<'_>) -> Turn {
        let stable = view.rollout.stable_hash.as_deref();
        let revision = self.revision(view);
        // A ReplicaSet may be seen before the version of the Rollout that turns to it.
        let is_earlier = |set: &ReplicaSetSeen| set.revision.is_none_or(|it| it < revision);
        // Of another Rollout: this one never tried to bring it live.
        let belongs = |set: &ReplicaSetSeen| {
            stable == Some(&set.hash) || (is_earlier(set) && !set.is_inherited(view.rollout))
        };
        let mut earlier: Vec<_> = view
            .replica_sets
            .iter()
            .filter(|set| set.hash != view.current && belongs(set))
            .collect();
        earlier.sort_by_key(|set| (set.revision, set.created));
        for set in earlier {
            let live = stable == Some(&set.hash) && view.rollout.progress.was_healthy;
            let phase = if live { Phase::Promoted } else { Phase::Unknown };
            let mut attempt = not_observed(set, phase, view);
            if attempt.revision > revision {
                // Numbered again for a return to it that is under way: not what it had until now.
                attempt.revision = 0;
            }
            self.push(attempt);
        }
        if self.attempts.is_empty() { Turn::Same } else { Turn::Vital }
    }

    /// Whether others came between unseen: Argo numbers a revision again only for a return
    /// to it (argo-rollouts rollout/sync.go, `getNewReplicaSet`). The Rollout alone may be ahead of its
    /// status.
    fn is_applied_again(&self, view: &View<'_>) -> bool {
        let of_set = view.replica_set(view.current).and_then(|set| set.revision);
        let in_flight = view.rollout.stable_hash.as_deref() != Some(view.current);
        self.newest().is_some_and(|newest| {
            (newest.open() || (newest.phase == Phase::Aborted && in_flight))
                && newest.hash == view.current
                && newest.revision > 0
                && of_set > Some(newest.revision)
                && view.rollout.revision >= of_set
        })
    }

    /// Makes the live attempt agree with `stableRS` where that changed unseen.
    fn catch_up(&mut self, view: &View<'_>) -> Turn {
        let Some(stable) = view.rollout.stable_hash.as_deref() else {
            return Turn::Same;
        };
        if stable == view.current || self.live().is_some_and(|live| live.hash == stable) {
            return Turn::Same;
        }
        if self.is_initial(stable, view) && !view.rollout.progress.was_healthy {
            // It never was live.
            return Turn::Same;
        }
        // One that is older than what was live until then was not what became stable now; nor was one
        // whose revision has got a later number, which was applied again since.
        let of_set = view.replica_set(stable).and_then(|set| set.revision);
        // A ReplicaSet may be seen before the version of the Rollout that turns to it.
        let of_set = of_set.filter(|of_set| view.rollout.revision >= Some(*of_set));
        let open =
            self.attempts.iter_mut().take_while(|attempt| attempt.phase != Phase::Promoted).find(
                |attempt| {
                    attempt.hash == stable
                        && matches!(attempt.phase, Phase::Progressing | Phase::Unknown)
                        && (attempt.revision == 0 || of_set <= Some(attempt.revision))
                },
            );
        if let Some(attempt) = open.map(Arc::make_mut) {
            attempt.phase = Phase::Promoted;
            attempt.ended = Some(view.now);
        } else if let Some(set) = view.replica_set(stable) {
            // Its ReplicaSet may be seen after the attempt that is to replace it has begun.
            let under_way = self.attempts.first().is_some_and(|newest| {
                newest.hash == view.current && set.revision < Some(newest.revision)
            });
            let under_way = under_way.then(|| self.attempts.remove(0));
            if under_way.is_none() {
                self.miss(self.unseen(set.revision.unwrap_or(0), view), view);
                // Another became stable unseen: this one may have been so before.
                self.close_newest(Phase::Unknown, view.now);
            }
            let mut missed = not_observed(set, Phase::Promoted, view);
            let again = self.attempts.iter().any(|attempt| attempt.hash == stable);
            let newest = self.newest();
            if again || newest.is_some_and(|it| !not_before(missed.started, it.started)) {
                // A return to an old ReplicaSet: before what replaces it now.
                missed.started = self.made_anew(view).unwrap_or(view.now);
            }
            missed.ended = Some(view.now.max(missed.started));
            missed.follows = self.follows(stable, view);
            self.push(missed);
            if let Some(mut under_way) = under_way {
                Arc::make_mut(&mut under_way).follows = self.follows(view.current, view);
                self.attempts.insert(0, under_way);
            }
        } else {
            return Turn::Same;
        }
        Turn::Vital
    }

    /// Whether `stableRS` says nothing yet of this hash: Argo calls the first revision stable before
    /// any pod is ready. Which one that was is not known of those that were there at first sight.
    pub(super) fn is_initial(&self, hash: &str, view: &View<'_>) -> bool {
        let first = self.attempts.iter().rfind(|attempt| attempt.phase != Phase::Unknown);
        let before = |first: &Attempt| {
            let revision = view.replica_set(hash).and_then(|set| set.revision);
            revision.is_some_and(|revision| revision < first.revision)
        };
        self.live().is_none() && first.is_none_or(|first| first.hash == hash || before(first))
    }

    /// `currentPodHash` is `stableRS`: nothing is under way.
    fn nothing_under_way(&mut self, view: &View<'_>) -> Turn {
        let first = self.is_initial(view.current, view);
        let live_is_current = self.live().is_some_and(|live| live.hash == view.current);
        if let Some(newest) = self.attempts.first_mut() {
            if newest.hash == view.current && newest.open() {
                if first && !was_healthy(view.rollout) {
                    return Turn::Same;
                }
                let newest = Arc::make_mut(newest);
                newest.phase = Phase::Promoted;
                newest.ended = Some(match view.rollout.completed {
                    Some((true, at)) if !first && at >= newest.started => at,
                    _ => view.now,
                });
                return Turn::Vital;
            }
            if live_is_current {
                // A return to what is live is how the attempt under way ends, never a new one.
                let unseen = self.unseen(self.revision(view), view);
                if !unseen.is_empty() {
                    self.miss(unseen, view);
                    return Turn::Vital;
                }
                return self.close_newest(Phase::Reverted, view.now);
            }
        }
        // It was not seen how this one became stable, nor whether the one before was so until then.
        if self.newest().is_some_and(Attempt::open) {
            let until = self.made_anew(view).unwrap_or(view.now);
            self.close_newest(Phase::Unknown, until);
        }
        let began_now = first && !was_healthy(view.rollout);
        let initial = first && view.rollout.revision == Some(1);
        self.open(view);
        if let Some(newest) = self.newest_mut().filter(|_| !began_now) {
            newest.phase = Phase::Promoted;
            // Argo calls the first revision completed before any pod is ready.
            let healthy = view.rollout.progress.healthy_since;
            newest.ended = Some(match (view.rollout.completed, healthy) {
                (Some((true, at)), _) if !initial => at.max(newest.started),
                (_, Some(at)) if initial => at.max(newest.started),
                _ => view.now,
            });
        }
        Turn::Vital
    }

    /// `currentPodHash` is not `stableRS`: an attempt is under way or was stopped.
    fn in_flight(&mut self, view: &View<'_>) -> Turn {
        let rollout = view.rollout;
        let newest = self.attempts.first();
        let same = newest.is_some_and(|newest| newest.hash == view.current);
        match newest.map(|newest| newest.phase) {
            Some(Phase::Progressing) if same => match self.aborted(view) {
                Some(at) => self.close_newest(Phase::Aborted, at),
                None => Turn::Same,
            },
            Some(Phase::Aborted) if same && rollout.abort => Turn::Same,
            _ => {
                let ended = self.open(view);
                if let Some(at) = self.aborted(view) {
                    self.close_newest(Phase::Aborted, at);
                    return Turn::Vital;
                }
                let kept =
                    self.newest().is_some_and(|newest| newest.started_source != Source::Observed);
                ended.max(if kept { Turn::Moved } else { Turn::Vital })
            }
        }
    }

    /// When Argo aborted the update to the current revision. `status.abort` alone is what a client
    /// asked for: with a full promotion under way, or within `rollbackWindow`, Argo takes it back
    /// (argo-rollouts rollout/canary.go, `RemoveAbort`). Only Argo sets `abortedAt` and the condition.
    fn aborted(&self, view: &View<'_>) -> Option<Timestamp> {
        let rollout = view.rollout;
        if !rollout.abort {
            return None;
        }
        let said = || {
            let condition = rollout.progress.progressing.as_ref();
            let condition = condition.filter(|condition| condition.reason == ABORTED)?;
            let update = condition.message.strip_prefix("Rollout aborted update to revision ")?;
            let revision = update.split(':').next()?.trim().parse();
            let ours = revision == Ok(self.revision(view));
            ours.then(|| condition.since.unwrap_or(view.now))
        };
        rollout.aborted_at.or_else(said)
    }

    fn close_newest(&mut self, phase: Phase, at: Timestamp) -> Turn {
        match self.attempts.first_mut() {
            Some(newest) if newest.open() => {
                let newest = Arc::make_mut(newest);
                newest.phase = phase;
                newest.ended = Some(at.max(newest.started));
                Turn::Vital
            }
            _ => Turn::Same,
        }
    }

    /// Fills in what only a ReplicaSet says, whenever it arrives.
    fn enrich(&mut self, rollout: &RolloutSeen, replica_sets: &[&ReplicaSetSeen]) -> Turn {
        let mut turn = Turn::Same;
        // Oldest first: when one began is bounded by the one before.
        for index in (0..self.attempts.len()).rev() {
            let newer = index.checked_sub(1).map(|newer| self.attempts[newer].revision);
            let Some((attempt, older)) = self.attempts[index..].split_first_mut() else {
                break;
            };
            let Some(set) = replica_sets.iter().find(|set| set.hash == attempt.hash) else {
                continue;
            };
            if attempt.replica_set.is_none() {
                let attempt = Arc::make_mut(attempt);
                attempt.replica_set = Some(set.key.name.clone());
                if !may_have_been_tried(set, replica_sets, older) {
                    date_again(attempt, older, set);
                }
                turn = Turn::Moved;
            }
            // A number above that of what came after it was given for a return to it.
            let known = set.revision.filter(|of_set| newer.is_none_or(|newer| *of_set < newer));
            if attempt.revision == 0
                && let Some(known) = known
            {
                Arc::make_mut(attempt).revision = known;
                turn = Turn::Moved;
            }
            if attempt.workload.is_none() {
                match workload(set, &rollout.metadata) {
                    Ok(workload) => {
                        Arc::make_mut(attempt).workload = Some(workload);
                        turn = Turn::Moved;
                    }
                    Err(problem) => {
                        let linked = Linked::none(problem.to_string());
                        if attempt.linked != linked {
                            Arc::make_mut(attempt).linked = linked;
                        }
                    }
                }
            }
        }
        turn
    }
}

/// Whether a Rollout with nothing in flight is healthy, or was before: Argo adds the condition Healthy
/// when it first is, and keeps it (argo-rollouts rollout/sync.go, `calculateRolloutConditions`).
fn was_healthy(rollout: &RolloutSeen) -> bool {
    rollout.healthy || rollout.progress.was_healthy
}

/// A ReplicaSet that arrives after its Rollout still shows when the attempt began.
fn date_again(attempt: &mut Attempt, older: &mut [Arc<Attempt>], set: &ReplicaSetSeen) {
    let new = attempt.number == 1 && older.iter().all(|older| older.hash != set.hash);
    let made_since = |at: &Timestamp| {
        *at <= attempt.started && older.first().is_none_or(|older| not_before(*at, older.started))
    };
    let created = set.created.filter(made_since);
    let seen = matches!(attempt.started_source, Source::Observed | Source::Inferred);
    if let Some(created) = created.filter(|_| new && seen) {
        if let Some(superseded) = older.first_mut().filter(|o| o.ended == Some(attempt.started)) {
            let superseded = Arc::make_mut(superseded);
            superseded.ended = Some(created.max(superseded.started));
        }
        attempt.started = created;
        attempt.started_source = Source::Status;
    }
}
