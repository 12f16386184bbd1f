//! Watches of the pods of attempts that lack some: begun and ended with that, and not too many at
//! once, because each is a connection.

use std::collections::{BTreeMap, VecDeque};

use futures::{Stream, StreamExt};
use timeline::{Key, Observation};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

use crate::watch::Watches;

/// A watch that is ahead of the owner waits.
const AHEAD: usize = 256;
/// A bad base image stalls thousands of Rollouts at once, each in the same way.
const AT_ONCE: usize = 64;

/// The watches that run now, by Rollout, and those that wait for a place, in order.
pub(crate) struct PodWatches {
    watches: Watches,
    running: BTreeMap<Key, AbortHandle>,
    waiting: VecDeque<(Key, String)>,
    seen: Sender<Observation>,
}

impl PodWatches {
    /// No watch yet; and where their observations arrive.
    pub(crate) fn new(watches: Watches) -> (Self, Receiver<Observation>) {
        let (seen, arriving) = channel(AHEAD);
        let (running, waiting) = (BTreeMap::new(), VecDeque::new());
        (Self { watches, running, waiting, seen }, arriving)
    }

    /// Watches the pods of a Rollout that carry this pod-template-hash, and no others of it.
    pub(crate) fn watch(&mut self, rollout: Key, hash: &str) {
        self.leave(&rollout);
        self.waiting.push_back((rollout, hash.to_owned()));
        self.begin();
    }

    /// Watches the pods of a Rollout no longer.
    pub(crate) fn leave(&mut self, rollout: &Key) {
        if let Some(watch) = self.running.remove(rollout) {
            watch.abort();
        } else {
            self.waiting.retain(|(waits, _)| waits != rollout);
        }
        self.begin();
    }

    /// How many watches run, and how many wait.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.running.len(), self.waiting.len())
    }

    fn begin(&mut self) {
        while self.running.len() < AT_ONCE
            && let Some((rollout, hash)) = self.waiting.pop_front()
        {
            let pods = self.watches.pods(&rollout.namespace, &hash);
            let watch = tokio::spawn(pass_on(pods, self.seen.clone()));
            self.running.insert(rollout, watch.abort_handle());
        }
    }
}

/// Absence of a pod, or of the right to see one, decides nothing.
async fn pass_on(pods: impl Stream<Item = Observation>, seen: Sender<Observation>) {
    let mut pods = std::pin::pin!(pods);
    while let Some(observation) = pods.next().await {
        let kept = matches!(observation, Observation::Pod(_) | Observation::Gone(..));
        if kept && seen.send(observation).await.is_err() {
            break;
        }
    }
}

impl Drop for PodWatches {
    fn drop(&mut self) {
        for watch in self.running.values() {
            watch.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::metrics::Metrics;
    use crate::watch::Limits;
    use crate::watch::server::{ApiServer, quiet};

    fn rollout(number: usize) -> Key {
        Key::new("shop", format!("cart-{number:03}"))
    }

    /// How many connections watch pods once the numbers stand.
    async fn watched(server: &ApiServer, expected: usize) -> Vec<String> {
        let since = Instant::now();
        loop {
            let asked = server.asked("pods");
            let begun = asked.iter().filter(|it| it.watches() && !it.streams());
            let selectors: Vec<_> = begun.filter_map(|it| it.get("labelSelector")).collect();
            if selectors.len() >= expected {
                return selectors.into_iter().map(str::to_owned).collect();
            }
            assert!(since.elapsed() < Duration::from_secs(20), "{} of {expected}", selectors.len());
            // The scripted server counts and signals nothing: its count is polled.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn only_so_many_attempts_have_their_pods_watched_and_the_rest_waits_its_turn() {
        let server = ApiServer::start(quiet).await;
        let config = kube::Config::new(format!("http://{}", server.address).parse().unwrap());
        let metrics = Metrics::new(|| jiff::Timestamp::UNIX_EPOCH, &[]);
        let (mut pods, _seen) = PodWatches::new(Watches {
            client: kube::Client::try_from(config).unwrap(),
            namespace: None,
            metrics,
            team_label: String::new(),
            limits: Limits::default(),
        });
        for number in 0..70 {
            pods.watch(rollout(number), &format!("h{number:03}"));
        }
        assert_eq!(pods.len(), (64, 6));
        assert_eq!(watched(&server, 64).await.len(), 64);
        // One that waits goes, and two that are watched.
        pods.leave(&rollout(65));
        assert_eq!(pods.len(), (64, 5));
        pods.leave(&rollout(0));
        pods.leave(&rollout(1));
        assert_eq!(pods.len(), (64, 3));
        let selectors = watched(&server, 66).await;
        let mut last = selectors[64..].to_vec();
        last.sort();
        let of = |hash: &str| format!("rollouts-pod-template-hash%3D{hash}");
        assert_eq!(last, [of("h064"), of("h066")]);
    }
}
