//! Watches: each replica has its own, in order for each kind, and knows nothing of the others'.

use jiff::SignedDuration;
use timeline::seen::Unavailable;
use timeline::{Key, Kind, Observation};

use super::{LATE, Process, Step, WATCH, World};
use crate::api_server::KINDS;

impl World<'_> {
    /// What has changed waits for each replica until its watch delivers it.
    pub(super) fn queue_events(&mut self) {
        for kind in KINDS.into_iter().chain([Kind::Pod]) {
            while let Some(observation) = self.server.next_event(kind) {
                self.queue_event(kind, &observation);
            }
        }
    }

    pub(super) fn queue_event(&mut self, kind: Kind, observation: &Observation) {
        for r in 0..2 {
            let replica = &self.replicas[r];
            let watches = match (kind, observation) {
                (Kind::Pod, Observation::Pod(pod)) => replica.is_watched(&pod.key),
                (Kind::Pod, Observation::Gone(_, pod)) => replica.is_watched(pod),
                _ => replica.watched.contains(&kind),
            };
            if replica.up && watches {
                self.wait_with(r, kind, observation.clone());
            }
        }
    }

    fn wait_with(&mut self, r: usize, kind: Kind, observation: Observation) {
        let replica = &mut self.replicas[r];
        replica.waiting.entry(kind).or_default().push_back((self.now, observation));
        let lag = replica.lags.get(&kind).copied().unwrap_or_default();
        let process = self.process(r);
        self.after(WATCH + lag, Step::Deliver(process, kind));
    }

    /// A watch begins, or begins anew: what waited is never delivered.
    pub(super) fn list(&mut self, process: Process, kind: Kind) {
        let r = process.replica;
        let replica = &mut self.replicas[r];
        replica.waiting.remove(&kind);
        replica.watched.insert(kind);
        let keptn = [Kind::AppVersion, Kind::WorkloadVersion, Kind::AppContext];
        if self.story.no_keptn && keptn.contains(&kind) {
            let why = Observation::Unavailable(kind, Unavailable::NotInstalled);
            self.wait_with(r, kind, why);
            return;
        }
        if kind == Kind::AppContext {
            self.wait_with(r, kind, Observation::Listing(kind));
            let present = self.contexts.all.keys().cloned().collect();
            for seen in self.contexts.all.values().cloned().collect::<Vec<_>>() {
                self.wait_with(r, kind, Observation::AppContext(seen));
            }
            self.wait_with(r, kind, Observation::Listed(kind, present));
            return;
        }
        self.server.list(kind);
        while let Some(observation) = self.server.next_event(kind) {
            self.wait_with(r, kind, observation);
        }
    }

    /// The pods of a revision are watched by a replica from now on.
    pub(super) fn watch_pods(&mut self, r: usize, rollout: Key, hash: &str) {
        self.server.list_pods(&rollout, hash);
        self.replicas[r].pods.insert(rollout, hash.to_owned());
        while let Some(observation) = self.server.next_event(Kind::Pod) {
            self.wait_with(r, Kind::Pod, observation);
        }
    }

    /// A replica gets the next event of a kind.
    pub(super) fn deliver(&mut self, process: Process, kind: Kind) {
        let r = process.replica;
        let waiting = self.replicas[r].waiting.get_mut(&kind);
        let Some((since, observation)) = waiting.and_then(std::collections::VecDeque::pop_front)
        else {
            return;
        };
        self.note(|| format!("{r} sees {}", described(&observation)));
        if self.engine_ref(r).is_none() {
            self.replicas[r].seen.observe(observation);
            return;
        }
        let late = self.now.duration_since(since);
        // Some times are other ones then.
        self.lossy |= self.owner == Some(r) && late > SignedDuration::from_millis(WATCH);
        if self.owner == Some(r) && late > LATE {
            for rollout in self.keys.clone() {
                self.blind.entry(rollout).or_default().push((since, self.now));
            }
        }
        self.observe(r, observation);
    }

    /// The engine of a replica takes in an observation.
    pub(super) fn observe(&mut self, r: usize, observation: Observation) {
        let now = self.now;
        let of = match &observation {
            Observation::Rollout(seen) => Some(seen.key.clone()),
            Observation::Pod(pod) => {
                let mut keys = self.keys.iter();
                keys.find(|it| pod.key.name.starts_with(it.name.as_str())).cloned()
            }
            _ => None,
        };
        let listed = match &observation {
            Observation::Listed(kind, _) => Some(*kind),
            _ => None,
        };
        if let Some(engine) = self.engine(r) {
            engine.observe(observation, now);
        }
        self.act(r);
        if self.owner != Some(r) {
            return;
        }
        if let Some(kind) = listed {
            self.has_read(kind);
        }
        if let Some(rollout) = of {
            self.looks_at(&rollout);
        }
    }
}

impl super::Replica {
    fn is_watched(&self, pod: &Key) -> bool {
        self.pods
            .iter()
            .any(|(rollout, hash)| pod.name.starts_with(&format!("{}-{hash}-", rollout.name)))
    }
}

fn described(observation: &Observation) -> String {
    match observation {
        Observation::Rollout(seen) => format!(
            "Rollout {} {:?}: {:?} over {:?}, abort {}",
            seen.key, seen.revision, seen.current_hash, seen.stable_hash, seen.abort
        ),
        Observation::RolloutAttempt(seen) => {
            let journal = &seen.journal;
            format!("{} at {}: {:?}", seen.key, seen.resource_version, journal.phase)
        }
        Observation::RolloutTrace(seen) => format!("RolloutTrace {}", seen.key),
        other => format!("{other:?}").chars().take(140).collect(),
    }
}
