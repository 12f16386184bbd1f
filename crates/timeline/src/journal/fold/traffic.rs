//! What reaches the new revision: weights of a traffic router, services of a blue-green Rollout.

use super::super::{Journal, Service, Switch, Weight};
use super::View;
use crate::base::{Moment, Phase};
use crate::seen::Strategy;

const WEIGHTS: usize = 32;
const SWITCHES: usize = 16;

impl Journal {
    /// Follows `status.canary.weights`. That all traffic is elsewhere at first is no news.
    pub(super) fn follow_weights(&mut self, view: &View<'_>) {
        let Some(percent) = view.progress.weight else { return };
        let running = self.weights.last().filter(|weight| weight.ended.is_none());
        match running {
            Some(running) if running.percent == percent => return,
            None if percent == 0 || self.is_inherited(percent, view) => return,
            _ => {}
        }
        let at = view.when();
        self.end_weight(at);
        if self.weights.len() < WEIGHTS {
            self.weights.push(Weight { percent, started: at, ended: None, closed: None });
        } else {
            self.cut(&("weight", percent, at.at));
        }
    }

    /// A new revision finds the weight of the one that it supersedes, until Argo has turned to its
    /// own (argo-rollouts rollout/trafficrouting.go: 0 while no pod is available).
    fn is_inherited(&self, percent: u32, view: &View<'_>) -> bool {
        let stands = view.look.before.is_some_and(|it| it.progress.weight == Some(percent));
        let reached = view.progress.step.is_none_or(|step| step > 0);
        let available = view.look.replica_set.is_some_and(|set| set.available > 0);
        self.weights.is_empty() && (stands || !view.live) && !(reached && available)
    }

    pub(super) fn end_weight(&mut self, at: Moment) {
        if self.weights.last().is_none_or(|weight| weight.ended.is_some()) {
            return;
        }
        let closed = self.next_closed();
        if let Some(weight) = self.weights.last_mut() {
            weight.ended = Some(at.not_before(weight.started.at));
            weight.closed = Some(closed);
        }
    }

    /// Follows the selectors that Argo reads back from the Services.
    pub(super) fn follow_switches(&mut self, view: &View<'_>) {
        self.follow_switch(Service::Preview, view.progress.preview.as_deref(), view);
        self.follow_switch(Service::Active, view.progress.active.as_deref(), view);
    }

    pub(super) fn follow_switch(
        &mut self,
        service: Service,
        selector: Option<&str>,
        view: &View<'_>,
    ) {
        let Some(selector) = selector else { return };
        let to_new = selector == self.identity.hash;
        let last = self.switches.iter().rev().find(|switch| switch.service == service);
        if to_new == last.is_some_and(|last| last.to_new) {
            return;
        }
        let at = view.when();
        if self.switches.len() < SWITCHES {
            let closed = Some(self.next_closed());
            let at = at.not_before(self.started.at);
            self.switches.push(Switch { service, at, to_new, closed });
        } else {
            self.cut(&("switch", service, to_new, at.at));
        }
    }

    /// Whether users could be hit. The pods of a canary without a traffic router are behind the
    /// same Service as all others.
    pub(super) fn follow_exposure(&mut self, view: &View<'_>) {
        let look = view.look;
        let basic = self.facts.strategy == Some(Strategy::Canary)
            && view.progress.weight.is_none()
            && self.weights.is_empty()
            && look.replica_set.is_some_and(|set| set.available > 0);
        let active = view.ours && view.progress.active.as_ref() == Some(&self.identity.hash);
        let weighted = self.weights.iter().any(|weight| weight.percent > 0);
        let promoted = look.attempt.phase == Phase::Promoted;
        self.exposed |= basic || active || weighted || promoted;
    }
}
