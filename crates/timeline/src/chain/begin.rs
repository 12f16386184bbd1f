//! How an attempt begins: its number, its time, and what it follows.

use std::sync::Arc;

use jiff::Timestamp;

use super::Chain;
use super::view::{View, When, may_have_been_tried, not_before, not_observed};
use super::was_healthy;
use crate::base::{Phase, Source, Turn};
use crate::chain::{Attempt, Follow, Linked, Relation};
use crate::seen::ReplicaSetSeen;

impl Chain {
    /// Opens an attempt for the current hash, after the revisions that came and went unseen. What
    /// was under way until then is superseded.
    pub(super) fn open(&mut self, view: &View<'_>) -> Turn {
        let revision = self.revision(view);
        let unseen = self.unseen(revision, view);
        let (started, started_source) = self.start(view, unseen.is_empty());
        let turn = self.supersede(started, view);
        self.miss(unseen, view);
        let attempt = Attempt {
            revision,
            hash: view.current.into(),
            number: 1,
            replica_set: None,
            workload: None,
            follows: self.follows(view.current, view),
            phase: Phase::Progressing,
            started,
            started_source,
            ended: None,
            reason: None,
            trace: None,
            linked: Linked::none("not looked for yet"),
        };
        self.push(attempt);
        turn
    }

    /// ReplicaSets of revisions after the newest attempt and before this one, oldest first. A number
    /// that what is live has got again may be of a revert or of a rollback: it is not known which.
    pub(super) fn unseen<'v>(&self, revision: i64, view: &View<'v>) -> Vec<&'v ReplicaSetSeen> {
        let last = self.attempts.iter().map(|attempt| attempt.revision).max().unwrap_or(0);
        let mut unseen: Vec<_> = view
            .replica_sets
            .iter()
            .copied()
            .filter(|set| set.revision.is_some_and(|r| last < r && r < revision && last > 0))
            .filter(|set| set.hash != view.current)
            .filter(|set| self.live().is_none_or(|live| live.hash != set.hash))
            .filter(|set| !self.attempts.iter().any(|it| it.hash == set.hash && it.revision == 0))
            .filter(|set| !set.is_inherited(view.rollout))
            .collect();
        unseen.sort_by_key(|set| set.revision);
        unseen
    }

    /// Adds attempts that came and went unseen; what was under way until then was superseded.
    pub(super) fn miss(&mut self, unseen: Vec<&ReplicaSetSeen>, view: &View<'_>) {
        for set in unseen {
            let attempt = not_observed(set, Phase::Unknown, view);
            self.supersede(attempt.started, view);
            self.push(attempt);
        }
    }

    /// Something else became current: the newest attempt ends by that, unless it may have become
    /// stable before while the operator was not watching.
    fn supersede(&mut self, at: Timestamp, view: &View<'_>) -> Turn {
        let was_live = self.newest().is_some_and(|newest| self.may_have_been_live(newest, view));
        self.close_newest(if was_live { Phase::Unknown } else { Phase::Superseded }, at)
    }

    /// Whether the newest attempt may have been stable for a time: it is now, by a later number, or
    /// what was stable before it has got one since.
    fn may_have_been_live(&self, newest: &Attempt, view: &View<'_>) -> bool {
        let Some(stable) = view.rollout.stable_hash.as_deref() else {
            return false;
        };
        if stable == newest.hash {
            return !self.is_initial(stable, view) || was_healthy(view.rollout);
        }
        let number = view.replica_set(stable).and_then(|set| set.revision);
        let was_stable = match self.live() {
            Some(live) => live.hash == stable,
            None => self.is_initial(stable, view),
        };
        !was_stable || number > Some(newest.revision)
    }

    /// When the ReplicaSet of the current hash was made, if that was for the attempt under way.
    pub(super) fn made_anew(&self, view: &View<'_>) -> Option<Timestamp> {
        let newest = self.attempts.first();
        let new = self.attempts.iter().all(|attempt| attempt.hash != view.current);
        let created = view.replica_set(view.current).and_then(|set| set.created);
        let tried = view
            .replica_set(view.current)
            .is_some_and(|set| may_have_been_tried(set, view.replica_sets, &self.attempts));
        let new = new && !tried;
        created.filter(|at| new && newest.is_none_or(|newest| not_before(*at, newest.started)))
    }

    /// Adds the newest attempt. Another one at the same revision is numbered on.
    pub(super) fn push(&mut self, mut attempt: Attempt) {
        let same = |other: &&Arc<Attempt>| {
            other.hash == attempt.hash && other.revision == attempt.revision
        };
        let last = self.attempts.iter().filter(same).map(|other| other.number).max();
        attempt.number = last.map_or(1, |last| last.saturating_add(1));
        self.attempts.insert(0, Arc::new(attempt));
    }

    /// The Rollout's annotation is written just before its status; after a gap it may be ahead of
    /// the status, and then the ReplicaSet knows better. A ReplicaSet's own number may be behind,
    /// because a rollback renumbers it.
    pub(super) fn revision(&self, view: &View<'_>) -> i64 {
        let of_set = view.replica_set(view.current).and_then(|set| set.revision);
        let known = self.attempts.iter().map(|attempt| attempt.revision).max().unwrap_or(0);
        match (view.rollout.revision, of_set) {
            (Some(of_rollout), Some(of_set)) if of_set < of_rollout && of_set > known => of_set,
            (Some(of_rollout), _) => of_rollout,
            (None, of_set) => of_set.unwrap_or(0),
        }
    }

    /// When the attempt for the current hash began. Argo turns Completed False when it leaves what
    /// is live, but not when one unfinished revision replaces another, and not at a retry. A
    /// ReplicaSet is made for the first attempt at its hash, and used again by others.
    fn start(&self, view: &View<'_>, nothing_between: bool) -> When {
        let newest = self.attempts.first();
        if newest.is_none()
            && view.rollout.revision == Some(1)
            && let Some(created) = view.rollout.created
        {
            return (created, Source::Status);
        }
        let turned_since = |at: Timestamp| match newest.map(|newest| (newest.phase, newest)) {
            None => true,
            Some((Phase::Promoted | Phase::Reverted, newest)) => not_before(at, newest.started),
            Some((Phase::Aborted, newest)) => {
                not_before(at, newest.ended.unwrap_or(newest.started))
            }
            Some((_, _)) => false,
        };
        if let Some((false, at)) = view.rollout.completed
            && nothing_between
            && turned_since(at)
        {
            return (at, Source::Status);
        }
        match self.made_anew(view) {
            Some(created) => (created, Source::Status),
            None => (view.now, Source::Observed),
        }
    }

    /// What an attempt for `hash` follows: what is live, and the newest attempt if it is another.
    pub(super) fn follows(&self, hash: &str, view: &View<'_>) -> Box<[Follow]> {
        let back = self.live().is_some_and(|live| {
            // What became of the attempts that are known counts; an older ReplicaSet
            // counts only where none is known, or for what was over at first sight.
            let mut known = self.attempts.iter().filter(|attempt| attempt.hash == hash).peekable();
            let older = || {
                let created = |hash| view.replica_set(hash).and_then(|set| set.created);
                created(hash).zip(created(&live.hash)).is_some_and(|(this, live)| this < live)
            };
            if known.peek().is_none() {
                return older();
            }
            let was_before =
                |attempt: &Arc<Attempt>| attempt.phase == Phase::Unknown && attempt.ended.is_none();
            known.clone().any(|attempt| attempt.phase == Phase::Promoted)
                || (known.all(was_before) && older())
        });
        follows_of(&self.attempts, hash, back)
    }
}

/// What an attempt for `hash` follows that came after these, newest first; `back` if it was live
/// before what is live now.
pub(crate) fn follows_of(attempts: &[Arc<Attempt>], hash: &str, back: bool) -> Box<[Follow]> {
    let mut follows = Vec::new();
    let attempts = || attempts.iter().map(Arc::as_ref);
    let live = attempts().find(|attempt| attempt.phase == Phase::Promoted);
    if let Some(live) = live {
        let relation = if back { Relation::Rollback } else { Relation::Successor };
        follows.push(follow(live, relation));
    }
    if let Some(newest) = attempts().next()
        && live.is_none_or(|live| !std::ptr::eq(live, newest))
    {
        let relation = match newest.phase {
            Phase::Superseded => Relation::Supersedes,
            Phase::Aborted if newest.hash == hash => Relation::RetryAfter,
            _ => Relation::After,
        };
        follows.push(follow(newest, relation));
    }
    follows.into()
}

fn follow(attempt: &Attempt, relation: Relation) -> Follow {
    Follow {
        hash: attempt.hash.clone(),
        revision: attempt.revision,
        number: attempt.number,
        version: attempt.workload.as_ref().map(|workload| workload.version.clone()),
        relation,
        trace: attempt.standing_trace(),
    }
}
