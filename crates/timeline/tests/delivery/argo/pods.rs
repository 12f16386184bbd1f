//! Pods start, or never do, and with them the Rollout gets healthy.

use timeline::base::Phase;
use timeline::failure::FailureClass;
use timeline::seen::{ContainerSeen, PodSeen, Strategy};
use timeline::{Key, Kind, Observation};

use super::{Argo, NAMESPACE, whole};

/// Whether the pods of this UID, or of a ReplicaSet of this UID, cannot mount a volume.
pub(crate) fn is_without_volume(uid: &str) -> bool {
    uid.contains("-m")
}

impl Argo {
    pub(super) fn starts_pods(&mut self) {
        let hash = self.current();
        let Some(set) = self.sets.get(&hash).filter(|set| set.available == 0).cloned() else {
            return;
        };
        let broken = self.broken.contains(&hash);
        if broken {
            self.trouble.insert(hash.clone(), FailureClass::ImagePullFailed);
        }
        let mounts = !is_without_volume(&set.uid);
        if !mounts {
            self.trouble.insert(hash.clone(), FailureClass::VolumeFailed);
            self.silent = Some(self.now);
        }
        for n in 0..2 {
            let why = if broken { "ImagePullBackOff" } else { "ContainerCreating" };
            let words = if broken { "Back-off pulling image \"example/cart:bad\"" } else { "" };
            let container = ContainerSeen {
                name: "cart".to_owned(),
                image: format!("example/cart:{hash}"),
                waiting: Some((why.to_owned(), words.to_owned())),
                ..ContainerSeen::default()
            };
            self.put_pod(PodSeen {
                key: Key::new(NAMESPACE, format!("{}-{n}", set.key.name)),
                uid: format!("{}-{n}-{}", set.uid, self.changes.len()).into(),
                created: Some(whole(self.now)),
                replica_set_uid: set.uid.to_string().into(),
                ready: false,
                containers: vec![container],
                ..PodSeen::default()
            });
        }
    }

    pub(super) fn put_pod(&mut self, pod: PodSeen) {
        self.pods.insert(pod.key.clone(), pod.clone());
        self.put(Observation::Pod(Box::new(pod)));
        self.shortly();
    }

    pub(super) fn pods_of(&self, hash: &str) -> Vec<PodSeen> {
        let uid = self.sets.get(hash).map(|set| &set.uid);
        self.pods.values().filter(|pod| Some(&pod.replica_set_uid) == uid).cloned().collect()
    }

    /// The pods of the current revision are ready, unless they never get so.
    pub(crate) fn pods_get_ready(&mut self) -> &mut Self {
        let hash = self.current();
        let mounts = self.sets.get(&hash).is_none_or(|set| !is_without_volume(&set.uid));
        if !self.exists
            || self.rollout.abort
            || !mounts
            || self.broken.contains(&hash)
            || !self.sets.contains_key(&hash)
        {
            return self;
        }
        for mut pod in self.pods_of(&hash).into_iter().filter(|pod| !pod.ready && !pod.over) {
            pod.ready = true;
            (pod.containers[0].ready, pod.containers[0].running) = (true, true);
            pod.containers[0].waiting = None;
            (pod.turned, pod.containers[0].since) = (Some(whole(self.now)), Some(whole(self.now)));
            self.put_pod(pod);
        }
        // That pods are up which crashed again and again proves nothing.
        self.trouble.retain(|of, what| *of != hash || *what == FailureClass::OutOfMemory);
        self.available(&hash, 2);
        self.progresses();
        if self.rollout.stable_hash.as_deref() == Some(&hash) && !self.rollout.healthy {
            self.gets_healthy();
        }
        self
    }

    pub(super) fn available(&mut self, hash: &str, pods: i32) {
        if pods == 0 {
            self.scales(hash, 0);
        }
        if let Some(set) = self.sets.get_mut(hash)
            && set.available != pods
        {
            if pods > set.ready {
                // One is ready before all are available.
                set.ready = 1;
                let set = set.clone();
                self.put(Observation::ReplicaSet(set));
                self.shortly();
            }
            let Some(set) = self.sets.get_mut(hash) else { return };
            (set.ready, set.available) = (pods, pods);
            let set = set.clone();
            self.put(Observation::ReplicaSet(set));
            self.shortly();
        }
        if pods == 0 {
            self.trouble.remove(hash);
            for pod in self.pods_of(hash) {
                self.pods.remove(&pod.key);
                self.put(Observation::Gone(Kind::Pod, pod.key));
                self.shortly();
            }
        }
    }

    /// Argo asks for that many pods.
    pub(super) fn scales(&mut self, hash: &str, pods: i32) {
        if let Some(set) = self.sets.get_mut(hash)
            && set.desired != Some(pods)
        {
            set.desired = Some(pods);
            let set = set.clone();
            self.put(Observation::ReplicaSet(set));
            self.shortly();
        }
    }

    pub(super) fn gets_healthy(&mut self) {
        self.ends(Phase::Promoted);
        self.is_available();
        self.healthy.insert(self.current());
        self.rollout.healthy = true;
        self.rollout.progress.healthy_since = Some(whole(self.now));
        self.rollout.progress.was_healthy = true;
        if self.strategy == Strategy::BlueGreen {
            self.rollout.progress.active.clone_from(&self.rollout.current_hash);
        }
        self.write();
    }
}
