//! The way of a link: from the chains of an app's Rollouts to the write of its KeptnAppContext.

use std::collections::BTreeSet;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::wants::{AppLinks, Wants};
use super::{Effect, Engine, REPORT_DELAY, Ways};
use crate::base::time::later;
use crate::base::{Key, Traceparent};
use crate::keptn::app_context::{AppContext, Standing};
use crate::keptn::attribution::concerns;
use crate::keptn::links::{bounded, wanted_of};
use crate::seen::AppVersionSeen;

impl Engine {
    /// The links that an app wants, each trace once; and how many there was no room for.
    pub fn wanted(&self, app: &Key) -> (Vec<Traceparent>, usize) {
        let rollouts = self.rollouts_of_app.of(app);
        let wants = rollouts.filter_map(|key| self.rollouts.wants(&key));
        let wants = wants.filter(|it| !it.only_observed && it.apps.contains(&app.name));
        bounded(wants.flat_map(|wants| wants.links.iter().copied()))
    }

    /// Those of them that have to stand in its KeptnAppContext.
    fn written_ahead(&self, app: &Key) -> (Vec<Traceparent>, usize) {
        if self.options.links == Ways::Admission { (Vec::new(), 0) } else { self.wanted(app) }
    }

    /// Asks for the write that brings an app's links about, if one is due.
    pub(super) fn converge(&mut self, app: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let (wanted, left_out) = self.written_ahead(app);
        if self.may_link()
            && !self.options.observe_only
            && (!wanted.is_empty() || self.holds_ours(app))
        {
            let context = self.contexts.or_default(app);
            if let Some(write) = context.write(&wanted, now) {
                effects.push(Effect::WriteContext(app.clone(), write));
            }
        }
        if self.contexts.get(app).is_some_and(AppContext::is_idle) {
            self.contexts.remove(app);
        }
        match self.contexts.get(app).and_then(AppContext::due) {
            Some(_) => self.waiting.insert(app.clone()),
            None => self.waiting.remove(app),
        };
        if !self.rollouts_of_app.has(app) {
            self.links.remove(app);
            return;
        }
        let nothing = AppContext::default();
        let standing = self.contexts.get(app).unwrap_or(&nothing).standing(&wanted, now);
        let links = AppLinks { wanted: wanted.into(), left_out, standing };
        let known = self.links.get(app);
        let same = known.map_or_else(|| links.are_nothing(), |known| *known == links);
        if !same {
            for key in self.rollouts_of_app.of(app).collect::<Vec<_>>() {
                self.schedule_report(&key, later(now, REPORT_DELAY));
            }
            if links.are_nothing() {
                self.links.remove(app);
            } else {
                self.links.insert(app.clone(), links);
            }
        }
    }

    /// How an app's links stand, and how many there was no room for.
    pub(super) fn app_standing(&self, app: &Key, now: Timestamp) -> (Standing, usize) {
        let nothing = AppContext::default();
        let context = self.contexts.get(app).unwrap_or(&nothing);
        match self.links.get(app) {
            Some(links) => (context.standing(&links.wanted, now), links.left_out),
            None => (context.standing(&[], now), 0),
        }
    }

    fn holds_ours(&self, app: &Key) -> bool {
        self.contexts.get(app).is_some_and(AppContext::holds_ours)
    }

    pub(super) fn only_observed(&self, key: &Key) -> bool {
        self.options.observe_only
            || self.traces.get(key).is_some_and(|trace| trace.settings.observe_only)
    }

    /// Looks again at the Rollouts that a KeptnAppVersion can say something about.
    pub(super) fn touch_listed(&mut self, seen: &AppVersionSeen, listed: &BTreeSet<SmolStr>) {
        let app = Key::new(seen.key.namespace.clone(), seen.app.clone());
        let Some(keptn) = self.keptn.get(&app) else { return };
        // Without the app in front, unless Keptn cut the app to make room for the name.
        let names =
            listed.iter().flat_map(|name| [format!("{}-{name}", app.name), name.to_string()]);
        for name in names {
            let workload = Key::new(app.namespace.clone(), name);
            for key in self.rollouts_of_workload.of(&workload) {
                let chain = self.rollouts.chain(&key).unwrap_or_default();
                let attempts = chain.attempts();
                if (0..attempts.len()).any(|index| concerns(attempts, index, seen, keptn)) {
                    self.touched_rollouts.insert(key);
                }
            }
        }
    }

    /// Touches the apps of a Rollout if it wants other links there than before.
    pub(super) fn touch_changed_apps(&mut self, key: &Key) {
        let only_observed = self.only_observed(key);
        let Some(rollout) = self.rollouts.get_mut(key) else { return };
        let apps = rollout.apps.iter().filter(|app| rollout.is_in(app)).cloned().collect();
        let wants = Wants { apps, links: wanted_of(&rollout.chain).collect(), only_observed };
        if rollout.wants != wants {
            rollout.wants = wants;
            self.touch_apps_of(key);
        }
    }

    pub(super) fn touch_apps_of(&mut self, key: &Key) {
        let apps = self.rollouts.get(key).map(|rollout| rollout.apps.clone()).unwrap_or_default();
        self.touched_apps.extend(apps.into_iter().map(|app| Key::new(key.namespace.clone(), app)));
    }
}
