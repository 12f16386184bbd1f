//! How the outbox stands: for metrics and for the condition `Exported`.

use super::delivery::Delivery;
use super::write::NotStored;
use super::{Behind, Outbox};
use crate::base::Key;
use crate::journal::Sink;
use crate::stored::conditions::Export;

impl Outbox {
    /// What is not where it should be. Costs nothing where all is.
    pub(crate) fn behind(&self) -> Behind {
        let deliveries = || self.behind.iter().filter_map(|key| self.deliveries.get(key));
        let journal = deliveries().filter_map(Delivery::owed).min();
        let inside = deliveries().filter_map(Delivery::unsent).min();
        let export = [inside, self.outside.unsent()].into_iter().flatten().min();
        Behind { journal, export: export.filter(|_| !self.sinks.is_empty()) }
    }

    /// How many journals are not delivered, and whether a sink is away, whether writes fail.
    pub(crate) fn standing(&self) -> (usize, bool, bool) {
        let away = self.gates.values().any(|gate| gate.problem);
        (self.deliveries.len(), away, !self.failing.is_empty())
    }

    /// What keeps the spans of a Rollout from leaving.
    pub(crate) fn export_of(&self, rollout: &Key) -> Export {
        let keys = self.of_rollout.get(rollout).into_iter().flatten();
        let deliveries = || keys.clone().filter_map(|key| self.deliveries.get(key));
        if let Some(why) = deliveries().find_map(Delivery::failing) {
            return match why {
                NotStored::Failed | NotStored::Later(_) => Export::NotStored,
                NotStored::Forbidden => Export::Forbidden,
                NotStored::Refused(why) => Export::NotAccepted(why.clone()),
            };
        }
        let traces = &Sink::TRACES;
        let Some(gate) = self.gates.get(traces) else {
            return Export::NotConfigured;
        };
        let mut offsets = deliveries().map(|delivery| delivery.journal.offset(traces));
        if let Some(exported) = offsets.rfind(|exported| exported.refused > 0) {
            Export::Refused(exported.refused, exported.refusal.clone().unwrap_or_default())
        } else if let Some(it) = deliveries().find_map(|delivery| delivery.doubted(traces)) {
            Export::Waiting(it.why)
        } else if gate.problem && deliveries().any(|delivery| delivery.sendable(traces).is_some()) {
            Export::Waiting(self.away.get(traces).copied())
        } else {
            Export::Flowing
        }
    }
}
