//! Which trace of Keptn's is an attempt's, and what became of its link.
//!
//! Keptn makes a KeptnAppVersion for each change of an app's versions, whatever caused it: the
//! death of an old pod in mid-canary, an abort or a rollback replay one of an old version. So a
//! KeptnAppVersion advances nothing. An attempt that Argo began claims the one that is its own:
//!
//! - The first attempt at a version: the KeptnAppVersion whose AppDeploy span the
//!   KeptnWorkloadVersion names; until it names one, the newest that lists the version, which is
//!   what Keptn would choose (keptnworkloadversion/controller.go, `getAppVersionForWorkloadVersion`).
//! - A later attempt at the same version (rollback, retry): the first one made since it began.
//!   The KeptnWorkloadVersion keeps naming the first trace and says nothing.
//! - None made: the version did not change, so Keptn made no trace.

mod linked;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::objects::KeptnObjects;
use crate::base::time::{earlier, later};
use crate::base::{Phase, Traceparent};
use crate::chain::{Attempt, Relation, Trace};
use crate::seen::{AppVersionSeen, Workload, WorkloadVersionSeen};

/// Timestamps of the API server and of Argo's controller come from two clocks, to the second.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(2);

/// Decides the trace and the link of `attempts[index]` again; says whether anything changed.
///
/// `attempts` are newest first; `replica_set_uid` is that of the attempt's ReplicaSet.
pub fn attribute(
    attempts: &mut [Arc<Attempt>],
    index: usize,
    replica_set_uid: Option<&str>,
    keptn: &KeptnObjects,
) -> bool {
    let (newer, rest) = attempts.split_at_mut(index);
    let Some((shared, older)) = rest.split_first_mut() else {
        return false;
    };
    let mut decided = Attempt::clone(shared);
    decide(&mut decided, newer, older, replica_set_uid, keptn);
    let changed = decided != **shared;
    if changed {
        *shared = Arc::new(decided);
    }
    changed
}

fn decide(
    attempt: &mut Attempt,
    newer: &[Arc<Attempt>],
    older: &[Arc<Attempt>],
    replica_set_uid: Option<&str>,
    keptn: &KeptnObjects,
) {
    refresh_follows(attempt, older);
    if let Some(workload) = corrected(attempt, replica_set_uid, keptn) {
        attempt.workload = Some(workload);
    }
    let Some(workload) = attempt.workload.clone() else {
        return;
    };
    let case = Case { attempt, workload: &workload, newer, older, keptn };
    let trace = case.trace();
    // Keptn's objects may be pruned; what was found out stays. But what is still there and was
    // found to be another's does not.
    let pruned = case.claimed().is_none();
    let trace = trace.or_else(|| attempt.trace.clone().filter(|_| pruned));
    let linked = Case { attempt, workload: &workload, newer, older, keptn }.linked(trace.as_ref());
    attempt.trace = trace;
    attempt.linked = linked;
}

/// Whether a KeptnAppVersion that has come or changed can change what is decided of
/// `attempts[index]`. One that has its trace is not looked at again for each that Keptn makes for
/// other workloads of the app, or replays.
pub fn concerns(
    attempts: &[Arc<Attempt>],
    index: usize,
    version: &AppVersionSeen,
    keptn: &KeptnObjects,
) -> bool {
    let Some((attempt, older)) = attempts.get(index..).and_then(<[_]>::split_first) else {
        return false;
    };
    let Some(workload) = attempt.workload.as_ref().filter(|it| it.app == version.app) else {
        return false;
    };
    // It may be what the app had before the attempt began.
    if version.created.is_none_or(|created| before(created, attempt.started)) {
        return true;
    }
    let claimed = attempt.trace.as_ref().and_then(|trace| trace.app_version.as_ref());
    let name = version.key.name.as_str();
    if let Some(claimed) = claimed
        && (claimed == name
            || (keptn.app_version(claimed).is_some() && !keptn.is_later(name, claimed)))
    {
        return true;
    }
    let listed =
        |(name, of): &(SmolStr, SmolStr)| name == workload.short_name() && *of == workload.version;
    if !version.workloads.iter().any(listed) {
        return false;
    }
    let agreed = attempt.trace.as_ref().is_some_and(|trace| trace.workload_version.is_some());
    let is_first = !older.iter().any(|older| {
        older
            .workload
            .as_ref()
            .is_some_and(|it| it.name == workload.name && it.version == workload.version)
    });
    !(agreed || (!is_first && claimed.is_some()))
}

struct Case<'a> {
    attempt: &'a Attempt,
    workload: &'a Workload,
    newer: &'a [Arc<Attempt>],
    older: &'a [Arc<Attempt>],
    keptn: &'a KeptnObjects,
}

impl<'a> Case<'a> {
    fn trace(&self) -> Option<Trace> {
        if let Some(trace) = &self.attempt.trace
            && trace.workload_version.is_some()
            && self.claimed().is_none_or(|version| self.could_be_ours(version))
        {
            return Some(trace.clone());
        }
        if self.earlier_at_this_version().is_none() { self.first() } else { self.repeated() }
    }

    fn earlier_at_this_version(&self) -> Option<&'a Attempt> {
        self.older.iter().map(Arc::as_ref).find(|older| {
            older.workload.as_ref().is_some_and(|workload| {
                workload.name == self.workload.name && workload.version == self.workload.version
            })
        })
    }

    fn first(&self) -> Option<Trace> {
        let named = self.workload_version().filter(|version| {
            // After a Rollout was made again, Keptn goes on naming a trace that ended before.
            let trace = version.trace;
            !self.listing().any(|app_version| {
                app_version.app_deploy == trace && !self.could_be_ours(app_version)
            })
        });
        let ours = || self.listing().filter(|version| self.could_be_ours(version));
        if let Some(traceparent) = named.and_then(|version| version.trace) {
            let joined = ours().find(|version| version.app_deploy == Some(traceparent));
            // After a restart of Keptn the two disagree; the workload's spans are where it says.
            // Without one it may be the word about an earlier Rollout.
            let app_version = joined.or_else(|| ours().next_back())?;
            return Some(Trace {
                traceparent,
                app_version: Some(app_version.key.name.clone()),
                workload_version: named.map(|version| version.key.name.clone()),
            });
        }
        // It named another's trace, and will not change its mind when later ones list this version.
        let spoken = self.workload_version().is_some_and(|version| version.trace.is_some());
        let chosen = ours()
            .find(|version| spoken && self.made_since(version))
            .or_else(|| ours().rfind(|version| !version.deprecated))
            .or_else(|| ours().next_back())?;
        self.trace_of(chosen)
    }

    fn repeated(&self) -> Option<Trace> {
        let in_its_time = |version: &&AppVersionSeen| {
            !self.was_over(version) && !self.of_a_later_attempt(version)
        };
        let claimed = self.claimed();
        if claimed.is_none() && self.attempt.trace.as_ref().is_some_and(|t| t.app_version.is_some())
        {
            return self.attempt.trace.clone();
        }
        // A list gives them in the order of their names, so an earlier one may come later.
        let is_its = |version: &&AppVersionSeen| {
            let claimed = claimed.is_some_and(|claimed| claimed.key == version.key);
            claimed || (self.made_since(version) && self.free(version))
        };
        let before = claimed.filter(|it| !self.made_since(it) && self.lists_it(it));
        // All that come after one that is too late are so as well.
        let since = || {
            let all = self.keptn.listing_since(self.workload, earlier(self.began(), CLOCK_SLACK));
            all.take_while(in_its_time).find(is_its)
        };
        let chosen = before.filter(in_its_time).or_else(since);
        if let Some(chosen) = chosen {
            return self.trace_of(chosen);
        }
        // Without a new KeptnAppVersion a retry goes on in the trace of the attempt that it retries.
        let trace = self.retried()?.trace.as_ref()?;
        Some(Trace { app_version: None, workload_version: None, ..trace.clone() })
    }

    /// The KeptnAppVersion that the attempt has, if it is still there.
    fn claimed(&self) -> Option<&'a AppVersionSeen> {
        let name = self.attempt.trace.as_ref()?.app_version.as_deref()?;
        self.keptn.app_version(name)
    }

    fn trace_of(&self, version: &AppVersionSeen) -> Option<Trace> {
        // One that is let go on has no AppDeploy for a moment, and the trace is still its.
        let known = self.attempt.trace.as_ref();
        let known = known.filter(|trace| trace.app_version.as_deref() == Some(&version.key.name));
        Some(Trace {
            traceparent: self.anchor(version).or(known.map(|trace| trace.traceparent))?,
            app_version: Some(version.key.name.clone()),
            workload_version: None,
        })
    }

    /// The span to link to: AppDeploy. A KeptnAppVersion without one either goes on with the open
    /// spans of an older one, or is held before its deployment.
    fn anchor(&self, version: &AppVersionSeen) -> Option<Traceparent> {
        version.app_deploy.or_else(|| {
            let before = version.before_deploy?;
            let reused = self
                .continued(version)
                .and_then(|older| older.app_deploy)
                .filter(|anchor| anchor.trace_id() == before.trace_id());
            reused.or(version.held.then_some(before))
        })
    }

    /// The older KeptnAppVersion whose open spans this one goes on with.
    fn continued(&self, version: &AppVersionSeen) -> Option<&'a AppVersionSeen> {
        self.keptn.continued(version)
    }

    /// KeptnAppVersions that list this workload in this version, oldest first.
    fn listing(&self) -> impl DoubleEndedIterator<Item = &'a AppVersionSeen> + use<'a> {
        self.keptn.listing(self.workload)
    }

    /// Whether it may stand for the first attempt at this version: a person who keeps the KeptnApp
    /// by hand may change it before the Rollout, but what was over before is of an earlier Rollout.
    fn could_be_ours(&self, version: &AppVersionSeen) -> bool {
        let over = version.ended.is_some_and(|ended| before(ended, self.attempt.started));
        let replaced = !self.made_since(version) && self.was_replaced(version);
        self.free(version) && !over && !replaced && !self.of_a_later_attempt(version)
    }

    /// Whether the app had a later one when the attempt began.
    fn was_replaced(&self, version: &AppVersionSeen) -> bool {
        self.keptn.replaced_at(version).is_some_and(|made| before(made, self.attempt.started))
    }

    /// Whether it was made when this version was already being tried again. Without slack: a
    /// second try that comes at the heels of the first one takes nothing from it.
    fn of_a_later_attempt(&self, version: &AppVersionSeen) -> bool {
        let created = version.created.map(Timestamp::as_second);
        self.newer
            .iter()
            .filter(|newer| newer.version() == Some(&self.workload.version))
            .any(|newer| created.is_some_and(|created| created >= newer.started.as_second()))
    }

    /// Whether it was made since the attempt began. The start of a retry is not recorded; Argo
    /// records the end of the try before it.
    fn made_since(&self, version: &AppVersionSeen) -> bool {
        version.created.is_some_and(|created| !before(created, self.began()))
    }

    fn began(&self) -> Timestamp {
        let retried = self.retried().and_then(|retried| retried.ended);
        retried.unwrap_or(self.attempt.started)
    }

    fn lists_it(&self, version: &AppVersionSeen) -> bool {
        let (name, of) = (self.workload.short_name(), &self.workload.version);
        version.workloads.iter().any(|(listed, version)| listed == name && version == of)
    }

    /// Whether it was made after the attempt had failed, or after the next one had begun: then an
    /// old pod brought it, or another workload of the app. Without slack: what follows a failure
    /// comes at its heels.
    fn was_over(&self, version: &AppVersionSeen) -> bool {
        let next = self.newer.last().map(|next| next.started);
        let failed = self.attempt.ended.filter(|_| self.attempt.phase != Phase::Promoted);
        let over = failed.or(next);
        let created = version.created.map(Timestamp::as_second);
        created.zip(over).is_some_and(|(created, over)| over.as_second() < created)
    }

    fn retried(&self) -> Option<&'a Attempt> {
        let retry = self.attempt.follows.iter().find(|f| f.relation == Relation::RetryAfter)?;
        self.older.iter().map(Arc::as_ref).find(|older| older.is(retry))
    }

    /// Whether no other attempt of this Rollout has claimed it.
    fn free(&self, version: &AppVersionSeen) -> bool {
        !self.newer.iter().chain(self.older).any(|other| {
            other
                .trace
                .as_ref()
                .is_some_and(|trace| trace.app_version.as_deref() == Some(&version.key.name))
        })
    }

    fn workload_version(&self) -> Option<&'a WorkloadVersionSeen> {
        self.keptn.workload_version(self.workload)
    }
}

/// An injected container changes a hashed version; the KeptnWorkloadVersion that points at the
/// ReplicaSet shows which one Keptn computed.
fn corrected(
    attempt: &Attempt,
    replica_set_uid: Option<&str>,
    keptn: &KeptnObjects,
) -> Option<Workload> {
    let workload = attempt.workload.as_ref().filter(|workload| workload.hashed)?;
    let uid = replica_set_uid?;
    if keptn.workload_version(workload).is_some() {
        return None;
    }
    let seen = keptn.of_replica_set(&workload.name, uid)?;
    Some(Workload { version: seen.version.clone(), ..workload.clone() })
}

fn refresh_follows(attempt: &mut Attempt, older: &[Arc<Attempt>]) {
    for follow in &mut attempt.follows {
        if let Some(followed) = older.iter().find(|older| older.is(follow)) {
            follow.trace = followed.standing_trace();
            let version = followed.workload.as_ref().map(|workload| workload.version.clone());
            follow.version = version.or(follow.version.take());
        }
    }
}

fn before(one: Timestamp, other: Timestamp) -> bool {
    later(one, CLOCK_SLACK) < other
}
