//! What a standby has seen, kept as the last look at each object: who comes to lead begins with it.
//!
//! Rollouts and our own objects are not kept: they are listed again then. What the leader before has
//! stored must not be met by an older version of a Rollout than it was made from.

use std::collections::BTreeMap;

use timeline::seen::Unavailable;
use timeline::{Key, Kind, Observation};

use crate::observe::{event, object};

/// Kinds that are listed again by a new leader.
pub const LISTED_ANEW: [Kind; 3] = [Kind::Rollout, Kind::RolloutTrace, Kind::RolloutAttempt];

/// The last look at each object of each kind.
#[derive(Debug, Default)]
pub struct Standby(BTreeMap<Kind, Known>);

#[derive(Debug, Default)]
struct Known {
    listed: bool,
    unavailable: Option<Unavailable>,
    objects: BTreeMap<Key, Observation>,
}

impl Standby {
    /// Takes in one observation.
    pub fn observe(&mut self, observation: Observation) {
        match &observation {
            Observation::Gone(kind, key) => {
                self.known(*kind).objects.remove(key);
            }
            Observation::Listed(kind, present) => {
                let known = self.known(*kind);
                known.objects.retain(|key, _| present.contains(key));
                (known.listed, known.unavailable) = (true, None);
            }
            Observation::Unavailable(kind, why) => {
                let known = self.known(*kind);
                known.listed &= matches!(why, Unavailable::Failed(_));
                known.unavailable = Some(why.clone());
            }
            // What was known of one that cannot be read stays; pods are not watched.
            Observation::Invalid(..) | Observation::Listing(_) | Observation::Pod(_) => {}
            _ => {
                let Some(key) = object(&observation).cloned() else { return };
                let (kind, _) = event(&observation);
                self.known(kind).objects.insert(key, observation);
            }
        }
    }

    fn known(&mut self, kind: Kind) -> &mut Known {
        self.0.entry(kind).or_default()
    }

    /// The kinds that cannot be watched now, and those not looked at yet.
    pub fn missing(&self) -> impl Iterator<Item = (Kind, Option<&Unavailable>)> {
        let kept = Kind::ALL.into_iter().filter(|kind| !LISTED_ANEW.contains(kind));
        let kept = kept.filter(|kind| *kind != Kind::Pod);
        kept.filter_map(|kind| match self.0.get(&kind) {
            Some(Known { unavailable: Some(why), .. }) => Some((kind, Some(why))),
            Some(Known { listed: true, .. }) => None,
            _ => Some((kind, None)),
        })
    }

    /// The same as a list of each kind would say it now.
    pub fn replay(self) -> Vec<Observation> {
        let mut all = Vec::new();
        for (kind, known) in self.0 {
            let present = known.objects.keys().cloned().collect();
            all.extend(known.objects.into_values());
            if known.listed {
                all.push(Observation::Listed(kind, present));
            }
            if let Some(why) = known.unavailable {
                all.push(Observation::Unavailable(kind, why));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use timeline::seen::AppContextSeen;

    use super::*;

    fn context(name: &str, version: &str) -> Observation {
        Observation::AppContext(AppContextSeen {
            key: Key::new("shop", name),
            resource_version: version.to_owned(),
            span_links: Vec::new(),
            ours: Vec::new(),
        })
    }

    fn said(standby: Standby) -> Vec<String> {
        let word = |observation| match observation {
            Observation::AppContext(seen) => format!("{}@{}", seen.key.name, seen.resource_version),
            Observation::Listed(_, present) => format!("{} listed", present.len()),
            Observation::Unavailable(..) => "unavailable".to_owned(),
            other => format!("{other:?}"),
        };
        standby.replay().into_iter().map(word).collect()
    }

    #[test]
    fn the_last_look_at_each_object_is_replayed_as_a_list() {
        let keys = |names: &[&str]| names.iter().map(|name| Key::new("shop", *name)).collect();
        let mut standby = Standby::default();
        standby.observe(context("a", "1"));
        standby.observe(context("b", "2"));
        assert!(standby.missing().any(|(kind, why)| kind == Kind::AppContext && why.is_none()));
        standby.observe(Observation::Listed(Kind::AppContext, keys(&["a", "b"])));
        assert!(!standby.missing().any(|(kind, _)| kind == Kind::AppContext));
        standby.observe(context("a", "3"));
        standby.observe(context("c", "4"));
        standby.observe(Observation::Gone(Kind::AppContext, Key::new("shop", "b")));
        assert_eq!(said(standby), ["a@3", "c@4", "2 listed"]);
    }

    #[test]
    fn a_kind_that_is_away_is_replayed_as_away() {
        let mut standby = Standby::default();
        standby.observe(context("a", "1"));
        standby.observe(Observation::Unavailable(Kind::AppContext, Unavailable::NotInstalled));
        assert_eq!(said(standby), ["a@1", "unavailable"]);
    }
}
