//! What reaches the new revision: weights of a traffic router, services of a blue-green Rollout.

use super::super::{Journal, Service, Switch, Weight};
use super::View;
use crate::base::{Moment, Phase};
use crate::seen::{AnalysisPhase, Progress, StepPlan, Strategy};

const WEIGHTS: usize = 128;
const SWITCHES: usize = 16;

impl Journal {
    /// Follows `status.canary.weights`. That all traffic is elsewhere at first is no news.
    pub(super) fn follow_weights(&mut self, view: &View<'_>) {
        let Some(percent) = self.own_weight(view) else { return };
        let running = self.weights.last().filter(|weight| weight.ended.is_none());
        match running {
            Some(running) if running.percent == percent => return,
            None if percent == 0 || self.is_inherited(percent, view) => return,
            _ => {}
        }
        let at = view.when();
        if self.weights.len() >= WEIGHTS {
            // No room for more: the last one stands for all that follow, at their highest.
            self.cut(&("weight", percent));
            if let Some(last) = self.weights.last_mut().filter(|last| last.ended.is_none()) {
                last.percent = last.percent.max(percent);
            }
            return;
        }
        self.end_weight(at);
        self.weights.push(Weight { percent, started: at, ended: None, closed: None });
    }

    /// The weight of the attempt's own revision: that of another one is none of its traffic.
    pub(super) fn own_weight(&self, view: &View<'_>) -> Option<u32> {
        view.progress.weight.map(|weight| if self.is_own_traffic(view) { weight } else { 0 })
    }

    /// Whether Argo has turned traffic to the attempt's own revision, as far as it says to which.
    fn is_own_traffic(&self, view: &View<'_>) -> bool {
        let whose = view.progress.weight_hash.as_ref();
        whose.is_none_or(|whose| *whose == self.identity.hash)
    }

    /// Whether an Experiment of the attempt has a share of the traffic: Argo writes it beside the
    /// weight of the revision that it belongs to.
    pub(super) fn has_experiment_weight(&self, view: &View<'_>) -> bool {
        view.progress.experiment_weighted && self.is_own_traffic(view)
    }

    /// Where Argo does not say whose weight it is, a new revision finds that of the one that it
    /// supersedes, until Argo has turned to its own (argo-rollouts rollout/trafficrouting.go: 0 while no pod is available).
    fn is_inherited(&self, percent: u32, view: &View<'_>) -> bool {
        let stands = view.look.before.is_some_and(|it| it.progress.weight == Some(percent));
        if view.progress.weight_hash.is_some() {
            return false;
        }
        let reached = view.progress.step.is_none_or(|step| step > 0);
        let available = view.look.replica_set.is_some_and(|set| set.available > 0);
        self.weights.is_empty() && (stands || !view.live) && !(reached && available)
    }

    /// Whether requests with a header go to the new revision. Argo makes no route for the first
    /// revision, and takes all of them away while no pod is available, for a full promotion and for
    /// an abort (argo-rollouts rollout/trafficrouting.go, `RemoveManagedRoutes`).
    fn is_header_routed(&self, view: &View<'_>) -> bool {
        let stable = view.look.rollout.stable_hash.as_ref();
        let available = view.look.replica_set.is_none_or(|set| set.ready.max(set.available) > 0);
        available
            && stable.is_some_and(|stable| *stable != self.identity.hash)
            && !view.promote_full()
            && header_route(view.progress, |place| {
                // Those of an earlier try may be there still.
                let before = view.same_before().and_then(|before| before.step);
                self.identity.number > 1 || before.is_some_and(|before| before as usize <= place)
            })
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

    /// Whether traffic of users could reach the new revision, and since when: pods of a canary without
    /// a traffic router, or of a first revision, which are ready behind the same Service as all others;
    /// a weight; a header route; an Experiment; the active Service. Mirrored answers reach no user.
    pub(super) fn follow_exposure(&mut self, view: &View<'_>) {
        let look = view.look;
        let progress = view.progress;
        let canary = self.facts.strategy == Some(Strategy::Canary);
        let ready = look.replica_set.is_some_and(|set| set.ready.max(set.available) > 0);
        let basic = !progress.routed && self.weights.is_empty();
        let stable = look.rollout.stable_hash.as_ref() == Some(&self.identity.hash);
        let behind_service = canary && ready && (basic || (stable && self.open()));
        // Without a router its pods are behind the same Service, by the labels of the template.
        let experiment = canary
            && !progress.routed
            && self.open()
            && self.experiments.iter().any(|it| it.phase == AnalysisPhase::Running);
        let active = view.ours && progress.active.as_ref() == Some(&self.identity.hash);
        let weighted = self.weights.iter().find(|weight| weight.percent > 0);
        let routed = view.ours
            && self.open()
            && (self.is_header_routed(view) || self.has_experiment_weight(view));
        let promoted = look.attempt.phase == Phase::Promoted;
        // Of a later try at the same revision is what reaches it now.
        let own = !view.ours || look.newest;
        // A weight that is still there when the end is seen, and whose start was not seen.
        let hash = progress.weight_hash.as_ref();
        let left = progress.weight > Some(0) && hash == Some(&self.identity.hash);
        let since = if let Some(weight) = weighted {
            weight.started
        } else if promoted || experiment || (own && (left || active || behind_service)) {
            view.when()
        } else if routed {
            view.when_stepped()
        } else {
            return;
        };
        if !self.exposed {
            self.exposed = true;
            self.exposed_at = Some(since.not_before(self.started.at));
        }
    }
}

/// Whether steps that are done have left a header route: one that asks for it, and none after it
/// that takes the route of that name away. A route that is made before there are pods is taken away
/// and not made again: pods were there if a step before scaled, or by what else is known.
fn header_route(progress: &Progress, had_pods: impl Fn(usize) -> bool) -> bool {
    let done = progress.step.map_or(0, |step| step.min(progress.step_count));
    let done = usize::try_from(done).unwrap_or(usize::MAX).min(progress.steps.len());
    let steps = progress.steps.get(..done).unwrap_or_default();
    let is_route = |step: &StepPlan| step.kind == "setHeaderRoute";
    let scales = |step: &StepPlan| {
        matches!(&*step.kind, "setCanaryScale" | "setWeight") && !step.setting.starts_with('0')
    };
    steps.iter().enumerate().any(|(place, route)| {
        let (earlier, later) = steps.split_at(place);
        is_route(route)
            && route.matches
            && (earlier.iter().any(scales) || had_pods(place))
            && !later.iter().any(|it| is_route(it) && it.setting == route.setting && !it.matches)
    })
}
