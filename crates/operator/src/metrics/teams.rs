//! Which team owns a Rollout: one series for each, to join figures with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use timeline::Key;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Owned {
    namespace: String,
    rollout: String,
    team: String,
}

impl Owned {
    fn of(rollout: &Key, team: &str) -> Self {
        Self {
            namespace: rollout.namespace.to_string(),
            rollout: rollout.name.to_string(),
            team: team.to_owned(),
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Teams {
    rollouts: Family<Owned, Gauge>,
    owners: Arc<Mutex<HashMap<Key, String>>>,
}

impl Teams {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let teams = Self { rollouts: Family::default(), owners: Arc::default() };
        registry.register(
            "rollout_info",
            "1 for each Rollout that is followed, with the team that owns it",
            teams.rollouts.clone(),
        );
        teams
    }

    /// There is this Rollout, and this team owns it; empty if none is known.
    pub(super) fn own(&self, rollout: &Key, team: &str) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let before = owners.get(rollout);
        if before.is_some_and(|before| before == team) {
            return;
        }
        // Two teams at once would break each join.
        if let Some(before) = before {
            self.rollouts.remove(&Owned::of(rollout, before));
        }
        self.rollouts.get_or_create(&Owned::of(rollout, team)).set(1);
        owners.insert(rollout.clone(), team.to_owned());
    }

    /// These Rollouts are not there any more.
    pub(super) fn forget(&self, gone: impl Fn(&Key) -> bool) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|rollout, team| {
            let gone = gone(rollout);
            if gone {
                self.rollouts.remove(&Owned::of(rollout, team));
            }
            !gone
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_has_one_team_at_a_time_and_none_when_it_is_gone() {
        let mut registry = Registry::with_prefix("throughline");
        let teams = Teams::register(&mut registry);
        let encoded = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            let mut lines: Vec<_> = lines.map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let line = |rollout: &str, team: &str| {
            format!(
                "throughline_rollout_info{{namespace=\"shop\",rollout=\"{rollout}\",\
                 team=\"{team}\"}} 1"
            )
        };
        let (cart, pay) = (Key::new("shop", "cart"), Key::new("shop", "pay"));
        teams.own(&cart, "red");
        teams.own(&pay, "");
        assert_eq!(encoded(), [line("cart", "red"), line("pay", "")]);
        for _ in 0..2 {
            teams.own(&cart, "blue");
            assert_eq!(encoded(), [line("cart", "blue"), line("pay", "")]);
        }
        teams.forget(|rollout| *rollout == cart);
        assert_eq!(encoded(), [line("pay", "")]);
        teams.own(&cart, "blue");
        assert_eq!(encoded(), [line("cart", "blue"), line("pay", "")]);
    }
}
