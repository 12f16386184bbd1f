//! Watches of the pods of attempts under way: begun and ended with them.

use std::collections::BTreeMap;

use futures::StreamExt;
use timeline::{Key, Observation};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

use crate::watch::Watches;

/// A watch that is ahead of the owner waits.
const AHEAD: usize = 256;

/// The watches that run now, by Rollout.
pub(crate) struct PodWatches {
    watches: Watches,
    running: BTreeMap<Key, AbortHandle>,
    seen: Sender<Observation>,
}

impl PodWatches {
    /// No watch yet; and where their observations arrive.
    pub(crate) fn new(watches: Watches) -> (Self, Receiver<Observation>) {
        let (seen, arriving) = channel(AHEAD);
        (Self { watches, running: BTreeMap::new(), seen }, arriving)
    }

    /// Watches the pods of a Rollout that carry this pod-template-hash, and no others of it.
    pub(crate) fn watch(&mut self, rollout: Key, hash: &str) {
        self.leave(&rollout);
        let mut pods = Box::pin(self.watches.pods(&rollout.namespace, hash));
        let seen = self.seen.clone();
        let watch = tokio::spawn(async move {
            while let Some(observation) = pods.next().await {
                // Absence of a pod, or of the right to see one, decides nothing.
                let tells = matches!(observation, Observation::Pod(_) | Observation::Gone(..));
                if tells && seen.send(observation).await.is_err() {
                    break;
                }
            }
        });
        self.running.insert(rollout, watch.abort_handle());
    }

    /// Watches the pods of a Rollout no longer.
    pub(crate) fn leave(&mut self, rollout: &Key) {
        if let Some(watch) = self.running.remove(rollout) {
            watch.abort();
        }
    }

    /// How many watches run.
    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }
}
