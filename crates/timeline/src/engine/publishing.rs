//! What is published of each app, for the links of one KeptnAppVersion to be decided beside the owner.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{Engine, Ways};
use crate::base::{Key, Traceparent};
use crate::keptn::admission::{AppKnown, ChainKnown};

/// Links that were ours lately and that Keptn's cache may still hold.
const OURS_LIMIT: usize = 16;

impl Engine {
    /// What has to be published since this was asked last; none of an app that is gone. Nothing before
    /// every kind was listed once.
    pub fn published(&mut self) -> Vec<(Key, Option<Arc<AppKnown>>)> {
        if !self.looked {
            return Vec::new();
        }
        let apps = std::mem::take(&mut self.unpublished);
        if self.options.links == Ways::Context || self.options.observe_only {
            return Vec::new();
        }
        let installed = self.has_keptn();
        let mut changed = Vec::new();
        for app in apps {
            if !installed && !self.published.contains_key(&app) {
                // It is not needed; once Keptn is there, every app comes again.
                continue;
            }
            let known = self.app_known(&app).map(Arc::new);
            if self.published.get(&app) == known.as_ref() {
                continue;
            }
            match &known {
                Some(known) => self.published.insert(app.clone(), Arc::clone(known)),
                None => drop(self.published.remove(&app)),
            }
            changed.push((app, known));
        }
        changed
    }

    /// Whether every kind was listed once, or cannot be: what is not published is not there.
    pub fn knows_all(&self) -> bool {
        self.looked
    }

    pub(super) fn publish_apps_of(&mut self, key: &Key) {
        if let Some(rollout) = self.rollouts.get(key) {
            let apps = rollout.apps.iter().cloned();
            self.unpublished.extend(apps.map(|app| Key::new(key.namespace.clone(), app)));
        }
    }

    fn app_known(&self, app: &Key) -> Option<AppKnown> {
        let context = self.contexts.get(app);
        if context.is_none() && !self.rollouts_of_app.has(app) {
            return None;
        }
        let decided = |key: &Key| self.rollouts.wants(key).is_some_and(|it| !it.only_observed);
        let keys = self.rollouts_of_app.of(app).filter(decided);
        let rollouts: Box<[ChainKnown]> =
            keys.filter_map(|key| self.rollouts.chain_known(&key)).collect();
        let mut ours: Vec<Traceparent> = Vec::new();
        let written = context.iter().flat_map(|context| context.ours());
        let written = written.filter_map(|entry| entry.parse().ok());
        let before = self.published.get(app).map(|known| known.ours.to_vec()).unwrap_or_default();
        let named: Vec<_> = rollouts.iter().flat_map(ChainKnown::traces).collect();
        for link in written.chain(before) {
            if ours.len() < OURS_LIMIT && !ours.contains(&link) && !named.contains(&link) {
                ours.push(link);
            }
        }
        let unnamed = rollouts.iter().flat_map(|known| self.unnamed(app, known)).collect();
        let foreign = context.iter().flat_map(|context| context.foreign()).cloned().collect();
        Some(AppKnown { rollouts, unnamed, ours: ours.into(), foreign })
    }

    /// The versions of a Rollout for which Keptn has made a KeptnAppVersion whose span is not known.
    fn unnamed(&self, app: &Key, known: &ChainKnown) -> Vec<(SmolStr, SmolStr)> {
        let ChainKnown::Awake(chain) = known else { return Vec::new() };
        let workloads = chain.attempts().iter().filter(|attempt| attempt.trace.is_none());
        let workloads = workloads.filter_map(|attempt| attempt.workload.as_ref());
        let of_app = workloads.filter(|workload| workload.app == app.name);
        let keptn = self.keptn.get(app);
        let due = of_app.filter(|workload| {
            let mut listing = keptn.into_iter().flat_map(|keptn| keptn.listing(workload));
            listing.any(|it| it.app_deploy.is_none() && it.ended.is_none() && !it.deprecated)
        });
        due.map(|it| (it.short_name().into(), it.version.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::*;
    use crate::engine::{Observation, Options, Ways};
    use crate::seen::{AppContextSeen, Kind, Unavailable};

    #[test]
    fn an_app_is_published_once_keptn_is_there() {
        let now = Timestamp::UNIX_EPOCH;
        let mut engine = Engine::new(Options { links: Ways::Admission, ..Options::default() });
        for kind in Kind::ALL {
            engine.observe(
                match kind {
                    Kind::AppVersion => Observation::Unavailable(kind, Unavailable::NotInstalled),
                    _ => Observation::Listed(kind, BTreeSet::new()),
                },
                now,
            );
        }
        let app = Key::new("ns", "shop");
        engine.observe(
            Observation::AppContext(AppContextSeen {
                key: app.clone(),
                resource_version: "1".into(),
                span_links: vec!["foreign".into()],
                ours: Vec::new(),
            }),
            now,
        );
        engine.effects(now);
        assert_eq!(engine.published(), []);
        engine.observe(Observation::Listed(Kind::AppVersion, BTreeSet::new()), now);
        engine.effects(now);
        let published: Vec<_> = engine.published().into_iter().map(|(app, _)| app).collect();
        assert_eq!(published, std::slice::from_ref(&app));
        // What was published stands while Keptn is away.
        engine.observe(Observation::Unavailable(Kind::AppVersion, Unavailable::NotInstalled), now);
        engine.observe(Observation::Gone(Kind::AppContext, app.clone()), now);
        engine.effects(now);
        assert_eq!(engine.published(), [(app, None)]);
    }
}
