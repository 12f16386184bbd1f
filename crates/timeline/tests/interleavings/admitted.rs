//! What the operator answers when Keptn makes a KeptnAppVersion, held against the truth: it may be
//! asked before it has seen it, and then says less, but never what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;
use timeline::keptn::admission::{AppKnown, Asked, Decision};
use timeline::{Engine, Key, Traceparent};

use crate::cluster::{APPS, Cluster, ROLLOUTS, Rollout, app_key, app_of, version_of};

/// What the operator has published.
#[derive(Default)]
pub(crate) struct Published {
    apps: BTreeMap<Key, Arc<AppKnown>>,
    complete: bool,
}

impl Published {
    pub(crate) fn take(&mut self, operator: &mut Engine) {
        for (app, known) in operator.published() {
            match known {
                Some(known) => self.apps.insert(app, known),
                None => self.apps.remove(&app),
            };
        }
        self.complete = operator.knows_all();
    }
}

impl Cluster {
    /// The links that a KeptnAppVersion of this name is made with, of those that it inherits and of
    /// which these are the operator's.
    pub(crate) fn admit(
        &self,
        app: usize,
        (name, workloads): (&str, &[(SmolStr, SmolStr)]),
        (inherited, ours): (Vec<String>, Vec<String>),
        seen: bool,
        now: Timestamp,
    ) -> Vec<String> {
        let known = self.published.apps.get(&app_key(app));
        let Some(known) = known.filter(|_| self.published.complete) else {
            return inherited;
        };
        let asked = Asked { name, app: APPS[app], workloads, span_links: &inherited };
        let (Decision::Links(links) | Decision::NotYet(Some(links))) = known.decide(&asked) else {
            return inherited;
        };
        // What it says of a Rollout that went is right of that one.
        if !seen || self.rollouts.iter().any(|rollout| rollout.dropped || rollout.late) {
            return links;
        }
        let right = self.may_follow(app, workloads, now);
        let foreign = |link: &String| inherited.contains(link) && !ours.contains(link);
        for link in links.iter().filter(|link| !foreign(link)) {
            let link: Traceparent = link.parse().unwrap();
            assert!(right.contains(&link), "{name} at {now} does not follow {link}: {right:#?}");
        }
        links
    }

    /// The traces of all that these versions followed when they were tried, and of what that followed:
    /// an attempt without a trace is passed over.
    fn may_follow(
        &self,
        app: usize,
        workloads: &[(SmolStr, SmolStr)],
        now: Timestamp,
    ) -> BTreeSet<Traceparent> {
        let mut traces = BTreeSet::new();
        for (r, rollout) in self.rollouts.iter().enumerate() {
            let listed = |index: usize| {
                let tried = &rollout.attempts[index];
                let name = (ROLLOUTS[r].into(), version_of(tried.template).into());
                app_of(tried.template) == app && workloads.contains(&name) && tried.began <= now
            };
            let mut followed: Vec<usize> = (0..rollout.attempts.len())
                .filter(|index| listed(*index))
                .flat_map(|index| before(rollout, index))
                .collect();
            while let Some(index) = followed.pop() {
                traces.extend(self.traces_of(r, rollout, index));
                followed.extend(before(rollout, index));
            }
        }
        traces
    }

    /// The traces of its version that Keptn made since it began.
    fn traces_of(&self, r: usize, rollout: &Rollout, index: usize) -> Vec<Traceparent> {
        let tried = &rollout.attempts[index];
        let name = (ROLLOUTS[r].into(), version_of(tried.template).into());
        let since = tried.began - SignedDuration::from_secs(2);
        let made = self.apps[app_of(tried.template)].made.iter();
        let made = made.filter(|it| it.lists(&name) && it.seen.created.unwrap() >= since);
        made.map(|it| it.trace).collect()
    }
}

/// What an attempt follows: what was live, and the attempt before it.
fn before(rollout: &Rollout, index: usize) -> impl Iterator<Item = usize> {
    rollout.attempts[index].live_before.into_iter().chain(index.checked_sub(1))
}
