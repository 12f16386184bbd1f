//! From the watches of the cluster to the owners of the namespaces.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use opentelemetry_sdk::trace::SpanData;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::owner::{Input, Object, Owner};
use super::pace::Pace;

const AGAIN: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);
const ENABLED: &str = "keptn.sh/lifecycle-toolkit";

/// The owners of all namespaces. Cloning shares them.
#[derive(Clone)]
pub(super) struct Namespaces {
    client: Client,
    pace: Pace,
    ended: UnboundedSender<SpanData>,
    known: Arc<Mutex<Known>>,
    listed: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Known {
    owners: HashMap<String, UnboundedSender<Input>>,
    annotations: HashMap<String, BTreeMap<String, String>>,
}

impl Namespaces {
    /// None yet. Spans that end go to `ended`.
    pub(super) fn new(client: Client, pace: Pace, ended: UnboundedSender<SpanData>) -> Self {
        Self { client, pace, ended, known: Arc::default(), listed: Arc::new(Semaphore::new(0)) }
    }

    /// Hands something to the owner of a namespace, who comes into being if need be.
    pub(super) fn send(&self, namespace: &str, input: Input) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = known.owners.entry(namespace.to_owned()).or_insert_with(|| {
            let (sender, inputs) = unbounded_channel();
            let (client, ended) = (self.client.clone(), self.ended.clone());
            let owner = Owner::new(namespace.to_owned(), client, self.pace, ended);
            tokio::spawn(owner.run(inputs));
            sender
        });
        // An owner ends only when its sender is dropped.
        let _ = owner.send(input);
    }

    /// Whether Keptn is switched on for a namespace: by ANNOTATION, not label (docs/keptn.md 1.1, 2).
    pub(super) async fn is_enabled(&self, namespace: &str) -> Result<bool, kube::Error> {
        let enabled = |annotations: &BTreeMap<String, String>| {
            annotations.get(ENABLED).is_some_and(|value| value == "enabled")
        };
        let cached = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.annotations.get(namespace).map(enabled)
        };
        if let Some(cached) = cached {
            return Ok(cached);
        }
        let namespace = Api::<Namespace>::all(self.client.clone()).get(namespace).await?;
        Ok(enabled(namespace.annotations()))
    }

    /// Waits until that many kinds were listed. A kind that the cluster does not serve is not
    /// waited for for ever.
    pub(super) async fn listed(&self, kinds: usize) {
        let kinds = u32::try_from(kinds).unwrap_or(u32::MAX);
        if timeout(PATIENCE, self.listed.acquire_many(kinds)).await.is_err() {
            warn!("not every kind is served; the others are followed");
        }
    }

    /// Follows the namespaces themselves, for ever.
    pub(super) async fn follow_namespaces(self) {
        let here = self.clone();
        let gone = self.clone();
        follow::<Namespace>(
            self.client.clone(),
            &self.listed,
            move |namespace| {
                let mut known = here.known.lock().unwrap_or_else(PoisonError::into_inner);
                let annotations = namespace.annotations().clone();
                known.annotations.insert(namespace.name_any(), annotations);
            },
            move |namespace| {
                let name = namespace.name_any();
                let mut known = gone.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.annotations.remove(&name);
                known.owners.remove(&name);
            },
        )
        .await;
    }

    /// Follows one kind in all namespaces, for ever.
    pub(super) async fn follow<T>(self, wrap: fn(T) -> Object)
    where
        T: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let seen = self.clone();
        let gone = self.clone();
        follow::<T>(
            self.client.clone(),
            &self.listed,
            move |object| {
                let namespace = object.namespace().unwrap_or_default();
                seen.send(&namespace, Input::Seen(Box::new(wrap(object))));
            },
            move |object| {
                let namespace = object.namespace().unwrap_or_default();
                gone.send(&namespace, Input::Gone(Box::new(wrap(object))));
            },
        )
        .await;
    }
}

async fn follow<T>(client: Client, done: &Semaphore, seen: impl Fn(T), gone: impl Fn(T))
where
    T: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let events = watcher(Api::<T>::all(client), watcher::Config::default());
    pin_mut!(events);
    // What a new list lacks is gone, though nobody said so.
    let mut present: HashMap<String, T> = HashMap::new();
    let mut listed: BTreeSet<String> = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.insert(key(&object));
                present.insert(key(&object), object.clone());
                seen(object);
            }
            Ok(Event::InitDone) => {
                let missing: Vec<String> =
                    present.keys().filter(|key| !listed.contains(*key)).cloned().collect();
                for object in missing.iter().filter_map(|key| present.remove(key)) {
                    gone(object);
                }
                info!(kind = %T::kind(&()), objects = present.len(), "listed");
                done.add_permits(1);
            }
            Ok(Event::Apply(object)) => {
                present.insert(key(&object), object.clone());
                seen(object);
            }
            Ok(Event::Delete(object)) => {
                present.remove(&key(&object));
                gone(object);
            }
            Err(error) => {
                warn!(kind = %T::kind(&()), %error, "the watch is broken");
                sleep(AGAIN).await;
            }
        }
    }
}

fn key<T: ResourceExt>(object: &T) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
