//! Pods start, or never do, and with them the Rollout gets healthy.

use timeline::base::Phase;
use timeline::seen::{ContainerSeen, PodSeen, Strategy};
use timeline::{Key, Observation};

use super::{Argo, NAMESPACE, whole};

impl Argo {
    pub(super) fn starts_pods(&mut self) {
        let hash = self.current();
        let Some(set) = self.sets.get(&hash).filter(|set| set.available == 0).cloned() else {
            return;
        };
        for n in 0..2 {
            let broken = self.broken.contains(&hash);
            let why = if broken { "ImagePullBackOff" } else { "ContainerCreating" };
            let words = if broken { "Back-off pulling image \"example/cart:bad\"" } else { "" };
            let container = ContainerSeen {
                name: "cart".to_owned(),
                image: format!("example/cart:{hash}"),
                waiting: Some((why.to_owned(), words.to_owned())),
                ..ContainerSeen::default()
            };
            let pod = PodSeen {
                deleted: None,
                key: Key::new(NAMESPACE, format!("{}-{n}", set.key.name)),
                replica_set_uid: set.uid.to_string().into(),
                ready: false,
                unscheduled: None,
                failed: None,
                containers: vec![container],
                ..PodSeen::default()
            };
            self.pods.insert(pod.key.clone(), pod.clone());
            self.put(Observation::Pod(Box::new(pod)));
            self.shortly();
        }
    }

    /// The pods of the current revision are ready, unless they never get so.
    pub(crate) fn pods_get_ready(&mut self) -> &mut Self {
        let hash = self.current();
        if !self.exists || self.broken.contains(&hash) || !self.sets.contains_key(&hash) {
            return self;
        }
        let uid = self.sets[&hash].uid.clone();
        let ours: Vec<_> =
            self.pods.values().filter(|pod| pod.replica_set_uid == uid).cloned().collect();
        for mut pod in ours.into_iter().filter(|pod| !pod.ready) {
            pod.ready = true;
            (pod.containers[0].ready, pod.containers[0].running) = (true, true);
            pod.containers[0].waiting = None;
            self.pods.insert(pod.key.clone(), pod.clone());
            self.put(Observation::Pod(Box::new(pod)));
        }
        self.available(&hash, 2);
        if self.rollout.stable_hash.as_deref() == Some(&hash) && !self.rollout.healthy {
            self.gets_healthy();
        }
        self
    }

    pub(super) fn available(&mut self, hash: &str, pods: i32) {
        if let Some(set) = self.sets.get_mut(hash)
            && set.available != pods
        {
            set.available = pods;
            let set = set.clone();
            self.put(Observation::ReplicaSet(set));
            self.shortly();
        }
    }

    pub(super) fn gets_healthy(&mut self) {
        self.ends(Phase::Promoted);
        self.rollout.healthy = true;
        self.rollout.progress.healthy_since = Some(whole(self.now));
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.active.clone_from(&self.rollout.current_hash);
        }
        self.write();
    }
}
