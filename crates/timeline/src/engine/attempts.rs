//! The journals of the attempts under way: what is folded into them, and when they begin and end.

use std::borrow::Cow;

use jiff::Timestamp;

use super::belonging::evidence_of;
use super::ledger_state::Early;
use super::related::{bound_end, linked_to_spans, related};
use super::{Effect, Engine, REPORT_DELAY};
use crate::base::time::later;
use crate::base::{AttemptId, Key, Moment, Phase, Turn, attempt_name};
use crate::chain::{Attempt, Chain};
use crate::failure;
use crate::journal::{Journal, Look, Sink};
use crate::outbox::{Announcement, AttemptWritten, Recalled, Sent};
use crate::seen::{Kind, RolloutSeen};
use crate::stored::{RolloutAttemptSeen, conditions};

impl Engine {
    /// A write of a RolloutAttempt came back. What is stored now may be announced.
    pub fn attempt_written(
        &mut self,
        attempt: &Key,
        result: AttemptWritten,
        now: Timestamp,
    ) -> Vec<Announcement> {
        let (mut announcements, replaced) = self.journals.written(attempt, result, now);
        let rollout = self.journals.journal(attempt).map(|it| it.identity.rollout.clone());
        if let Some(rollout) = rollout {
            self.wake(&rollout);
        }
        if let Some(journal) = self.journals.journal(attempt) {
            let identity = &journal.identity;
            if let Some(rollout) = self.rollouts.get_mut(&identity.rollout)
                && rollout.uid.as_ref() == Some(&identity.rollout_uid)
                && replaced
            {
                // What this process saw of it is not what stands: it has to look again.
                rollout.gap = true;
                rollout.ledger.falls_behind();
                let stable = rollout.seen.as_ref().and_then(|seen| seen.stable_hash.as_deref());
                rollout.chain.learn(journal, stable);
            }
            let key = identity.rollout.clone();
            if replaced {
                self.end_orphan(attempt, &key, now);
            }
            self.touched_rollouts.insert(key);
        }
        if !announcements.is_empty() {
            self.count(attempt, &mut announcements, now);
        }
        announcements
    }

    /// A RolloutAttempt is seen. What is stored matters to a process that has no journal for it,
    /// and to a chain that was stored before.
    pub(super) fn attempt_seen(&mut self, seen: RolloutAttemptSeen, now: Timestamp) {
        let name = seen.key.clone();
        let early = Early::of(&seen);
        self.wake(&seen.journal.identity.rollout);
        self.may_rest.insert(seen.journal.identity.rollout.clone());
        let Some(key) = self.journals.seen(seen, now) else {
            if let Some(early) = early {
                self.take_early(early, now);
            }
            return;
        };
        if let Some(rollout) = self.rollouts.get_mut(&key).filter(|rollout| rollout.folded)
            && let Some(journal) = self.journals.journal(&name)
            && rollout.uid.as_ref() == Some(&journal.identity.rollout_uid)
        {
            let stable = rollout.seen.as_ref().and_then(|seen| seen.stable_hash.as_deref());
            rollout.chain.learn(journal, stable);
        }
        self.end_orphan(&name, &key, now);
        self.touched_rollouts.insert(key);
    }

    /// A collector has answered for so many spans; `jitter` is a random number from 0 to 1000. Says
    /// how many are set aside because it did not take them for a day.
    pub fn sent(
        &mut self,
        attempt: &Key,
        sent: &Sent,
        spans: u64,
        jitter: u32,
        now: Timestamp,
    ) -> u64 {
        let aside = self.journals.sent((&Sink::TRACES, attempt), (sent, spans), jitter, now);
        self.report_export(attempt, now);
        aside
    }

    /// The condition `Exported` follows what the collector answers to the Rollout's own spans: an
    /// outage rewrites the RolloutTraces of those alone whose turn it was.
    fn report_export(&mut self, attempt: &Key, now: Timestamp) {
        let Some(journal) = self.journals.journal(attempt) else {
            return;
        };
        let key = journal.identity.rollout.clone();
        let report = self.rollouts.get(&key).and_then(|rollout| rollout.report.as_ref());
        let Some(shown) = report.map(|report| &report.exported) else {
            return;
        };
        let (_, reason, message) = conditions::exports(&self.journals.export_of(&key));
        if shown.reason != reason || shown.message != message {
            self.schedule_report(&key, later(now, REPORT_DELAY));
        }
    }

    /// A page of the journals that wait in the cluster was read again, or not.
    pub fn recalled(&mut self, page: Option<String>, answer: Recalled, now: Timestamp) {
        self.journals.recalled(page, answer, now);
    }

    /// The journal of an attempt that is not delivered yet, by the name of its RolloutAttempt.
    pub fn journal(&self, attempt: &Key) -> Option<&Journal> {
        self.journals.journal(attempt)
    }

    /// How many attempts are not delivered, whether the collector is away, whether writes fail.
    pub fn delivery(&self) -> (usize, bool, bool) {
        self.journals.standing()
    }

    /// What of the journals is not where it should be.
    pub fn behind(&self) -> crate::outbox::Behind {
        self.journals.behind()
    }

    /// The journal of the newest attempt.
    pub(super) fn newest_journal(&self, key: &Key) -> Option<&Journal> {
        let (uid, newest) = self.newest(key)?;
        self.journals.of_attempt(&identity(key, uid, newest))
    }

    fn newest(&self, key: &Key) -> Option<(&str, &Attempt)> {
        let rollout = self.rollouts.get(key)?;
        Some((rollout.uid.as_deref()?, rollout.chain.newest()?))
    }

    fn keptn_is_watched(&self) -> bool {
        let watched = |kind| self.watches.get(kind).is_some_and(|it| it.unavailable.is_none());
        [Kind::AppVersion, Kind::WorkloadVersion].iter().all(watched)
    }

    /// Folds a version of a Rollout into its journals, with all objects around it.
    pub(super) fn fold_journals(
        &mut self,
        key: &Key,
        seen: &RolloutSeen,
        before: Option<&RolloutSeen>,
        now: Timestamp,
    ) -> Turn {
        let names = self.journals.of(key);
        let Some(rollout) = self.rollouts.get(key) else {
            return Turn::Same;
        };
        if names.is_empty() {
            let newest = rollout.chain.newest().map_or(0, |newest| newest.revision);
            self.evidence.forget_until(key, newest, false);
            return Turn::Same;
        }
        let sets: Vec<_> =
            self.replica_sets.of(key).filter(|set| set.rollout_uid == seen.uid).collect();
        let keptn = self.keptn_is_watched();
        let attempts = rollout.chain.attempts();
        let mut turn = Turn::Same;
        let mut lines = Vec::new();
        let settings = self.traces.get(key).map(|trace| trace.settings).unwrap_or_default();
        for name in &names {
            self.journals.keeps(name, settings.attempts, settings.keep_after_delete);
            let Some(identity) = self.journals.journal(name).map(|j| j.identity.clone()) else {
                continue;
            };
            let found = attempts.iter().position(|attempt| is(&identity, &seen.uid, attempt));
            let Some(index) = found else {
                // Another Rollout has its name now, or its chain has gone on without it.
                let at = Moment::inferred(None, now);
                let ours = identity.rollout_uid == seen.uid;
                if ours {
                    // The Rollout is there: only how this ended is not known.
                    let end = |journal: &mut Journal| journal.ended_as(Phase::Unknown, at, now);
                    turn = turn.max(self.journals.fold(name, now, end));
                }
                turn = turn.max(self.journals.fold(name, now, |journal| journal.deleted(at)));
                lines.extend(self.journals.stored_line(name).filter(|_| ours).cloned());
                continue;
            };
            let by_hash = |hash: &str| {
                sets.iter().filter(|set| set.hash == hash).max_by_key(|set| set.created).copied()
            };
            let older = attempts.get(index.saturating_add(1)..).unwrap_or_default();
            let frozen = self.journals.journal(name).filter(|journal| journal.placed.is_some());
            let attempt = linked_to_spans(&attempts[index], older);
            let facts_of = |attempt: &Attempt| {
                let set = by_hash(&attempt.hash)?;
                let own = self.with_own_facts(key, set, attempt).map(|own| Cow::Owned(own.facts));
                Some(own.unwrap_or(Cow::Borrowed(&set.facts)))
            };
            let attempt = related(attempt, older, frozen, facts_of);
            let newer = index.checked_sub(1).and_then(|newer| attempts.get(newer));
            let attempt = &*bound_end(attempt, newer);
            // What came and went unseen was not seen by this version either; nor what another process
            // recorded whose journal this one reads after the version.
            let missed = self.journals.journal(name).is_some_and(|journal| {
                let came_and_went = index > 0 && !attempt.open();
                let of_another = !journal.is_fresh() && journal.root_closed.is_none();
                journal.never_looked_at() && (came_and_went || of_another)
            });
            let set = by_hash(&attempt.hash);
            let own = set.filter(|_| frozen.is_none());
            let own = own.and_then(|set| self.with_own_facts(key, set, attempt));
            let stable = attempt.follows.first().map(|follow| follow.hash.as_str());
            let look = Look {
                rollout: seen,
                before: before.filter(|_| !missed),
                attempt,
                newest: index == 0,
                replica_set: own.as_ref().or(set),
                stable_set: stable.and_then(by_hash),
                keptn_may_come: keptn
                    && (attempt.replica_set.is_none() || attempt.workload.is_some()),
                now,
            };
            let (runs, experiments) =
                evidence_of(&self.evidence, (key, &seen.uid), attempt, attempts);
            let pods = look
                .replica_set
                .filter(|_| index == 0)
                .map(|set| self.evidence.pods_of(&set.uid))
                .unwrap_or_default();
            turn = turn.max(self.journals.fold(name, now, |journal| {
                journal.observe_with(&runs, &experiments, &pods, &look)
            }));
            lines.extend(self.journals.stored_line(name).cloned());
        }
        self.take_lines(key, &seen.uid, lines, now);
        self.project(key, &names);
        self.forget_evidence(key, &names);
        turn
    }

    /// The chain says what became of an attempt long after its journal is gone.
    fn project(&mut self, key: &Key, names: &[Key]) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        for journal in names.iter().filter_map(|name| self.journals.journal(name)) {
            if rollout.uid.as_ref() == Some(&journal.identity.rollout_uid) {
                rollout.chain.project(journal);
            }
        }
    }

    /// The Rollout of these journals is gone.
    pub(super) fn end_journals(&mut self, rollout: &Key, at: Moment, now: Timestamp) {
        for name in self.journals.of(rollout) {
            self.journals.fold(&name, now, |journal| journal.deleted(at));
        }
        self.evidence.forget(rollout);
    }

    /// Ends journals whose end the chain of a Rollout that is gone knows.
    pub(super) fn end_by_chain(&mut self, key: &Key, now: Timestamp) {
        let Some(rollout) = self.rollouts.get_mut(key) else {
            return;
        };
        let former = rollout.former.take();
        let last = rollout.uid.clone().map(|uid| (uid, rollout.chain.clone()));
        for (uid, chain) in former.into_iter().chain(last) {
            self.end_as(key, &uid, &chain, now);
        }
    }

    /// Ends journals whose end a chain knows: that may have been stored after them.
    pub(super) fn end_as(&mut self, key: &Key, uid: &str, chain: &Chain, now: Timestamp) {
        for attempt in chain.attempts().iter().filter(|attempt| !attempt.open()) {
            let name = Key::new(key.namespace.clone(), attempt_name(&identity(key, uid, attempt)));
            let at = Moment::inferred(Some(attempt.started), attempt.ended.unwrap_or(now));
            self.journals.fold(&name, now, |journal| journal.ended_as(attempt.phase, at, now));
        }
    }

    /// What is stored of an attempt may be seen after its Rollout is gone.
    fn end_orphan(&mut self, name: &Key, key: &Key, now: Timestamp) {
        let gone = self.rollouts.get(key).is_none_or(|rollout| !rollout.exists());
        if self.started && gone {
            let at = Moment::inferred(None, now);
            self.journals.fold(name, now, |journal| journal.deleted(at));
        }
    }

    /// After a start, journals may be there whose Rollout has gone meanwhile.
    pub(super) fn end_orphans(&mut self, now: Timestamp) {
        for key in self.journals.rollouts() {
            if self.rollouts.get(&key).is_none_or(|rollout| rollout.seen.is_none()) {
                self.end_by_chain(&key, now);
                self.end_journals(&key, Moment::inferred(None, now), now);
            }
        }
    }

    /// Whose pods are to be watched: those of a ReplicaSet with an attempt under way that lacks some,
    /// and until those that were seen, or that an earlier process blamed, are well again. Where all
    /// are available they say nothing that the ReplicaSet does not.
    pub(super) fn watch_pods(&mut self, key: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let wanted = self.newest(key).and_then(|(uid, newest)| {
            let journal = self.journals.of_attempt(&identity(key, uid, newest));
            let journal = journal.filter(|journal| journal.open())?;
            let set = self.replica_sets.get(key, newest.replica_set.as_ref()?, uid)?;
            let blames = journal.failure.as_ref().is_some_and(|failure| failure.pod.is_some());
            let pods = self.evidence.pods_of(&set.uid);
            let well = pods.is_empty() || failure::of_pods(&pods, now).ready;
            let lacks = set.desired.is_none_or(|desired| set.available < desired);
            (lacks || !well || blames).then(|| (newest.hash.clone(), set.uid.clone()))
        });
        let watched = self.pods_watched.get(key);
        if watched == wanted.as_ref() {
            return;
        }
        if let Some((_, uid)) = watched {
            self.evidence.forget_pods(uid);
            self.watched_sets.remove(uid);
            effects.push(Effect::LeavePods(key.clone()));
        }
        match wanted {
            Some((hash, uid)) => {
                self.evidence.expect_pods(&uid);
                self.watched_sets.insert(uid.clone(), key.clone());
                self.pods_watched.insert(key.clone(), (hash.clone(), uid));
                effects.push(Effect::WatchPods(key.clone(), hash.clone()));
            }
            None => {
                self.pods_watched.remove(key);
            }
        }
    }
}

pub(super) fn identity(rollout: &Key, uid: &str, attempt: &Attempt) -> AttemptId {
    AttemptId {
        rollout: rollout.clone(),
        rollout_uid: uid.into(),
        hash: attempt.hash.clone(),
        revision: attempt.revision,
        number: attempt.number,
    }
}

fn is(identity: &AttemptId, uid: &str, attempt: &Attempt) -> bool {
    identity.rollout_uid == uid
        && identity.hash == attempt.hash
        && identity.revision == attempt.revision
        && identity.number == attempt.number
}
