//! What the links of an app have to be, from the truth and not from what the operator saw.

use std::collections::BTreeSet;

use timeline::Traceparent;

use crate::cluster::{APPS, Cluster, Outcome, ROLLOUTS, Rollout, app_of, version_of};

/// What an app's links have to be.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Each of these, once.
    pub(crate) wanted: BTreeSet<Traceparent>,
    /// And any of these: traces of Rollouts whose fate the operator could not follow.
    pub(crate) allowed: BTreeSet<Traceparent>,
}

/// For each Rollout that is live in the app or tries to be: the trace of what is live, the trace of
/// the newest attempt, and until that has one, the traces of what it follows.
///
/// Three things are ambiguous, and then any trace of the app's is right:
/// - Versions of the Rollout were never seen, because the operator was away: an attempt that came
///   and went leaves no mark on the Rollout.
/// - Versions were seen long after they were made, and the Rollout tried a version twice: which of
///   two tries a KeptnAppVersion belongs to is shown by nothing but the time.
pub(crate) fn truth(cluster: &Cluster, app: usize) -> Truth {
    let mut truth = Truth::default();
    for (r, rollout) in cluster.rollouts.iter().enumerate() {
        let Some(newest) = rollout.attempts.len().checked_sub(1) else {
            continue;
        };
        let live = rollout.live();
        let in_app = |index: usize| app_of(rollout.attempts[index].template) == app;
        let known = of_rollout(cluster, r, rollout, newest, live);
        if rollout.dropped || (rollout.late && tried_twice(rollout)) {
            let traces = cluster.apps.iter().flat_map(|app| &app.made);
            truth.allowed.extend(traces.map(|version| version.trace));
        } else if in_app(newest) || live.is_some_and(in_app) {
            truth.wanted.extend(known);
        }
    }
    truth
}

fn of_rollout(
    cluster: &Cluster,
    r: usize,
    rollout: &Rollout,
    newest: usize,
    live: Option<usize>,
) -> Vec<Traceparent> {
    let standing = |index| standing(cluster, r, rollout, index);
    let mut wanted: Vec<_> = standing(newest).into_iter().collect();
    wanted.extend(live.and_then(standing));
    if rollout.attempts[newest].is_open() && own(cluster, r, rollout, newest).is_none() {
        wanted.extend(rollout.attempts[newest].live_before.and_then(standing));
        wanted.extend(newest.checked_sub(1).and_then(standing));
    }
    wanted
}

/// The attempt's own trace, or that of what it followed first.
fn standing(cluster: &Cluster, r: usize, rollout: &Rollout, index: usize) -> Option<Traceparent> {
    own(cluster, r, rollout, index).or_else(|| {
        let followed = rollout.attempts[index].live_before.or_else(|| index.checked_sub(1))?;
        standing(cluster, r, rollout, followed)
    })
}

/// The trace that Keptn made for an attempt.
fn own(cluster: &Cluster, r: usize, rollout: &Rollout, index: usize) -> Option<Traceparent> {
    let attempt = &rollout.attempts[index];
    let (app, version) = (app_of(attempt.template), version_of(attempt.template));
    let name = (ROLLOUTS[r].into(), version.into());
    let same = |other: &&crate::cluster::Tried| {
        app_of(other.template) == app && version_of(other.template) == version
    };
    let first = !rollout.attempts[..index].iter().any(|earlier| same(&earlier));
    // The start of a retry is not recorded: it counts from the end of the try before.
    let retried = index.checked_sub(1).filter(|before| {
        let failed = &rollout.attempts[*before];
        failed.outcome == Outcome::Aborted && failed.template == attempt.template
    });
    let began = retried.and_then(|before| rollout.attempts[before].ended).unwrap_or(attempt.began);
    // Its time ends when it failed or when the next one came; the first at a version may be named
    // late, but not by a later try.
    let next = rollout.attempts.get(index + 1).map(|next| next.began);
    let again = rollout.attempts[index + 1..].iter().find(same).map(|next| next.began);
    let over = if attempt.outcome == Outcome::Promoted { next } else { attempt.ended.or(next) };
    let until = if first { again } else { over };
    let mut versions = cluster.apps[app]
        .made
        .iter()
        .filter(|seen| seen.lists(&name) && seen.made_between(began, until));
    // Keptn's own word; not if it is a word about an earlier Rollout of that name.
    let named = cluster.apps[app].named.get(&name).filter(|_| first);
    let mut own = named.filter(|named| versions.clone().any(|seen| seen.trace == **named)).copied();
    own = own.or_else(|| versions.next().map(|seen| seen.trace));
    // A retry that found its pods still there goes on in the trace of the try before.
    own.or_else(|| self::own(cluster, r, rollout, retried?))
}

fn tried_twice(rollout: &Rollout) -> bool {
    rollout.attempts.iter().enumerate().any(|(index, attempt)| {
        rollout.attempts[..index].iter().any(|earlier| {
            let name = |template| (APPS[app_of(template)], version_of(template));
            name(earlier.template) == name(attempt.template)
        })
    })
}
