//! The way of a link: from the chains of an app's Rollouts to the write of its KeptnAppContext.

use jiff::Timestamp;

use super::{Effect, Engine, REPORT_DELAY};
use crate::base::time::later;
use crate::base::{Key, Traceparent};
use crate::keptn::app_context::AppContext;
use crate::keptn::links::{bounded, wanted_of};

impl Engine {
    /// The links that an app wants, each trace once; and how many there was no room for.
    pub fn wanted(&self, app: &Key) -> (Vec<Traceparent>, usize) {
        let rollouts = self.rollouts_of_app.get(app).into_iter().flatten();
        bounded(rollouts.filter(|key| !self.only_observed(key)).flat_map(|key| {
            let rollout = self.rollouts.get(key).filter(|rollout| rollout.is_in(&app.name));
            rollout.into_iter().flat_map(|rollout| wanted_of(&rollout.chain))
        }))
    }

    /// Asks for the write that brings an app's links about, if one is due.
    pub(super) fn converge(&mut self, app: &Key, now: Timestamp, effects: &mut Vec<Effect>) {
        let wanted = self.wanted(app).0;
        if self.may_link()
            && !self.options.observe_only
            && (!wanted.is_empty() || self.holds_ours(app))
        {
            let context = self.contexts.entry(app.clone()).or_default();
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
        for key in self.rollouts_of_app.get(app).cloned().unwrap_or_default() {
            self.schedule_report(&key, later(now, REPORT_DELAY));
        }
    }

    fn holds_ours(&self, app: &Key) -> bool {
        self.contexts.get(app).is_some_and(AppContext::holds_ours)
    }

    pub(super) fn only_observed(&self, key: &Key) -> bool {
        self.options.observe_only
            || self.traces.get(key).is_some_and(|trace| trace.settings.observe_only)
    }

    pub(super) fn touch_app(&mut self, app: &Key) {
        self.touched_rollouts.extend(self.rollouts_of_app.get(app).into_iter().flatten().cloned());
        self.touched_apps.insert(app.clone());
    }

    pub(super) fn touch_apps_of(&mut self, key: &Key) {
        let apps = self.rollouts.get(key).map(|rollout| rollout.apps.clone()).unwrap_or_default();
        self.touched_apps.extend(apps.into_iter().map(|app| Key::new(key.namespace.clone(), app)));
    }
}
