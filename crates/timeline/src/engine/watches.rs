//! What is known of the watches of all kinds, and so of what absence means.

use jiff::Timestamp;

use super::Engine;
use super::watch::Watch;
use crate::seen::{Kind, Unavailable};

impl Engine {
    /// The kinds that cannot be watched now, and those not looked at yet.
    pub fn missing(&self) -> impl Iterator<Item = (Kind, Option<&Unavailable>)> {
        Kind::ALL.into_iter().filter_map(|kind| match self.watches.get(&kind) {
            Some(Watch { unavailable: Some(why), .. }) => Some((kind, Some(why))),
            Some(Watch { listed: true, .. }) => None,
            Some(_) | None => Some((kind, None)),
        })
    }

    /// Until every kind was listed once, or cannot be, absence means nothing. A kind that goes away
    /// later takes nothing back: what happens meanwhile counts.
    pub(super) fn has_looked(&self) -> bool {
        self.looked
    }

    /// Whether a Rollout that is not known does not exist: only if all can be listed.
    pub(super) fn has_all_rollouts(&self) -> bool {
        self.watches.get(&Kind::Rollout).is_some_and(|watch| watch.listed)
    }

    /// A RolloutTrace that is not served cannot be written: reports wait until it is.
    pub(super) fn may_report(&self) -> bool {
        let watch = self.watches.get(&Kind::RolloutTrace);
        watch.is_none_or(|watch| watch.unavailable.is_none())
    }

    /// Links are written only on full knowledge: entries of a Rollout that was merely not listed
    /// must not be taken away.
    pub(super) fn may_link(&self) -> bool {
        Kind::ALL
            .iter()
            .filter(|kind| kind.decides_links())
            .all(|kind| self.watches.get(kind).is_some_and(|watch| watch.listed))
    }

    /// Whether KeptnAppVersions may be made.
    pub(super) fn has_keptn(&self) -> bool {
        let watch = self.watches.get(&Kind::AppVersion);
        watch.is_none_or(|watch| watch.unavailable != Some(Unavailable::NotInstalled))
    }

    /// Why kinds are not available, as the status of each Rollout reports it.
    pub(super) fn reported_missing(&self) -> Vec<(Kind, &Unavailable)> {
        let missing = |kind| Some((kind, self.watches.get(&kind)?.reported()?));
        Kind::ALL.into_iter().filter_map(missing).collect()
    }

    pub(super) fn turn_watch(&mut self, kind: Kind, watch: Watch, now: Timestamp) {
        let before = self.watches.get(&kind).map(Watch::decides).unwrap_or_default();
        let changed = before != watch.decides();
        self.watches.insert(kind, watch);
        let looked = |kind: &Kind| self.watches.get(kind).is_some_and(|it| it.looked(*kind, now));
        let first = !self.looked && Kind::ALL.iter().all(looked);
        self.looked |= first;
        if changed || first {
            self.touched_rollouts.extend(self.rollouts.keys().cloned());
            self.touched_apps.extend(self.contexts.keys().cloned());
            self.touched_apps.extend(self.rollouts_of_app.groups().cloned());
        }
    }
}
