//! One kind's watch, as a stream of observations.
//!
//! The raw watcher and not a `Controller`: a controller hands over the newest object only and
//! drops deletions, but a manual promotion is visible in a single version of a Rollout.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use api::argo::{AnalysisRun, Experiment, POD_TEMPLATE_HASH, Pod, ReplicaSet, Rollout};
use api::keptn::{KeptnAppContext, KeptnAppVersion, KeptnWorkloadVersion};
use api::rollout_attempt::OPEN;
use api::{RolloutAttempt, RolloutTrace};
use futures::{Stream, StreamExt, stream};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::{Backoff, ResetTimerBackoff};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use timeline::seen::{InvalidSeen, Unavailable};
use timeline::{Key, Kind, Observation};

use crate::metrics::Metrics;
use crate::observe::{Observed, key};
use crate::rejection::Rejection;
use crate::words;

/// A kind that is absent or forbidden is asked for again this often at most: it heals without a
/// restart, and costs an idle cluster next to nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Waits that double up to [`LONGEST_WAIT`].
#[derive(Default)]
struct Doubling {
    times: u32,
}

impl Iterator for Doubling {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = FIRST_WAIT.saturating_mul(1 << self.times.min(8)).min(LONGEST_WAIT);
        self.times += 1;
        Some(wait)
    }
}

impl Backoff for Doubling {
    fn reset(&mut self) {
        self.times = 0;
    }
}

/// What all watches have in common.
#[derive(Clone)]
pub(crate) struct Watches {
    /// The API server.
    pub(crate) client: Client,
    /// One namespace only, or all.
    pub(crate) namespace: Option<String>,
    /// Where their errors are counted.
    pub(crate) metrics: Metrics,
    /// The label of a Rollout that names the team that owns it.
    pub(crate) team_label: String,
}

impl Watches {
    /// Every version of every object of a kind, for as long as the stream is polled.
    pub(crate) fn observe<K: Watched>(
        &self,
        selector: Option<&str>,
    ) -> impl Stream<Item = Observation> + use<K> {
        let api: Api<DeserializeGuard<K>> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        observe(api, selector, self.metrics.clone(), self.team_label.clone())
    }

    /// The pods of one ReplicaSet, by its pod-template-hash, for as long as the stream is polled.
    ///
    /// A list of theirs says nothing of the pods of others, so it is not passed on as one: each pod
    /// that is missing from it is reported gone.
    pub(crate) fn pods(
        &self,
        namespace: &str,
        hash: &str,
    ) -> impl Stream<Item = Observation> + use<> {
        let api: Api<DeserializeGuard<Pod>> = Api::namespaced(self.client.clone(), namespace);
        let selector = format!("{POD_TEMPLATE_HASH}={hash}");
        let mut known = BTreeSet::new();
        observe(api, Some(&selector), self.metrics.clone(), String::new())
            .flat_map(move |observation| stream::iter(one_by_one(observation, &mut known)))
    }
}

/// A kind that can be watched.
pub(crate) trait Watched:
    Observed
    + Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + 'static
{
}

impl<K> Watched for K where
    K: Observed
        + Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static
{
}

fn observe<K: Watched>(
    api: Api<DeserializeGuard<K>>,
    selector: Option<&str>,
    metrics: Metrics,
    team_label: String,
) -> impl Stream<Item = Observation> + use<K> {
    let mut config = watcher::Config::default();
    if let Some(selector) = selector {
        config = config.labels(selector);
    }
    let backoff = ResetTimerBackoff::new(Doubling::default(), Duration::from_mins(2));
    let mut listing = BTreeSet::new();
    watcher(api, config).backoff(backoff).filter_map(move |event| {
        std::future::ready(match event {
            Ok(event) => {
                own(&event, &team_label, &metrics);
                read::<K>(event, &mut listing)
            }
            Err(error) => {
                let (operation, error_type) = failed(&error);
                metrics.failed(operation, K::KIND.resource(), error_type);
                unavailable(error).map(|why| Observation::Unavailable(K::KIND, why))
            }
        })
    })
}

/// A list as what changed by it.
fn one_by_one(observation: Observation, known: &mut BTreeSet<Key>) -> Vec<Observation> {
    match observation {
        Observation::Pod(seen) => {
            known.insert(seen.key.clone());
            vec![Observation::Pod(seen)]
        }
        Observation::Gone(kind, key) => {
            known.remove(&key);
            vec![Observation::Gone(kind, key)]
        }
        Observation::Listed(kind, present) => {
            let gone: Vec<Key> = known.difference(&present).cloned().collect();
            known.retain(|key| present.contains(key));
            gone.into_iter().map(|key| Observation::Gone(kind, key)).collect()
        }
        other => vec![other],
    }
}

/// The metrics name the team that owns a Rollout; nothing else follows from that.
fn own<K: Observed + Resource<DynamicType = ()>>(
    event: &Event<DeserializeGuard<K>>,
    team_label: &str,
    metrics: &Metrics,
) {
    let (Event::InitApply(object) | Event::Apply(object)) = event else { return };
    if let (Kind::Rollout, Ok(object)) = (K::KIND, &object.0) {
        let labels = object.meta().labels.as_ref();
        let team = labels.and_then(|labels| labels.get(team_label));
        metrics.owned(&key(object.meta()), team.map_or("", String::as_str));
    }
}

fn read<K: Observed + Resource<DynamicType = ()>>(
    event: Event<DeserializeGuard<K>>,
    listing: &mut BTreeSet<Key>,
) -> Option<Observation> {
    match event {
        Event::Init => {
            listing.clear();
            Some(Observation::Listing(K::KIND))
        }
        Event::InitApply(object) => {
            listing.insert(key(object.meta()));
            object_seen(object)
        }
        Event::InitDone => Some(Observation::Listed(K::KIND, std::mem::take(listing))),
        Event::Apply(object) => object_seen(object),
        Event::Delete(object) => Some(Observation::Gone(K::KIND, key(object.meta()))),
    }
}

fn object_seen<K: Observed + Resource<DynamicType = ()>>(
    object: DeserializeGuard<K>,
) -> Option<Observation> {
    // Argo does nothing more for a Rollout that is marked for deletion, however long finalizers and
    // its ReplicaSets keep it; and nothing that it owns can be made any more.
    if K::KIND == Kind::Rollout && object.meta().deletion_timestamp.is_some() {
        return Some(Observation::Gone(K::KIND, key(object.meta())));
    }
    match object.0 {
        Ok(object) => object.observe(),
        Err(invalid) => Some(Observation::Invalid(
            K::KIND,
            InvalidSeen {
                key: key(&invalid.metadata),
                uid: invalid.metadata.uid,
                problem: invalid.error,
            },
        )),
    }
}

/// What failed, and the type of the error.
fn failed(error: &watcher::Error) -> (&'static str, &'static str) {
    match error {
        watcher::Error::InitialListFailed(error) => ("list", Rejection::of(error).error_type()),
        watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            ("watch", Rejection::of(error).error_type())
        }
        watcher::Error::WatchError(status) => ("watch", Rejection::of_status(status).error_type()),
        watcher::Error::NoResourceVersion => ("watch", "unreadable"),
    }
}

/// A list that fails says that the kind is away. A watch that breaks is resumed where it was and
/// says nothing, unless it is forbidden.
fn unavailable(error: watcher::Error) -> Option<Unavailable> {
    match error {
        watcher::Error::InitialListFailed(error) => Some(match error {
            // An absent group answers with plain text and no reason.
            kube::Error::Api(status) if status.code == 404 => Unavailable::NotInstalled,
            kube::Error::Api(status) if status.is_forbidden() => Unavailable::Forbidden("list"),
            other => Unavailable::Failed(words(&other)),
        }),
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.is_forbidden() => {
            Some(Unavailable::Forbidden("watch"))
        }
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 404 => {
            Some(Unavailable::NotInstalled)
        }
        _ => None,
    }
}

/// All that the operator watches, as one stream: one owner, one order.
pub(crate) fn all(watches: &Watches) -> impl Stream<Item = Observation> + use<> {
    stream::select_all([
        watches.observe::<Rollout>(None).boxed(),
        watches.observe::<ReplicaSet>(Some(POD_TEMPLATE_HASH)).boxed(),
        watches.observe::<KeptnAppVersion>(None).boxed(),
        watches.observe::<KeptnWorkloadVersion>(None).boxed(),
        watches.observe::<KeptnAppContext>(None).boxed(),
        watches.observe::<RolloutTrace>(None).boxed(),
        watches.observe::<RolloutAttempt>(Some(OPEN)).boxed(),
        watches.observe::<AnalysisRun>(None).boxed(),
        watches.observe::<Experiment>(None).boxed(),
    ])
}

#[cfg(test)]
mod tests {
    use timeline::seen::PodSeen;

    use super::*;

    fn pod(name: &str) -> Observation {
        Observation::Pod(Box::new(PodSeen {
            key: Key::new("ns", name),
            replica_set_uid: "set".into(),
            deleted: None,
            ready: true,
            unscheduled: None,
            failed: None,
            containers: Vec::new(),
            ..PodSeen::default()
        }))
    }

    #[test]
    fn a_rollout_that_is_marked_for_deletion_is_gone_while_finalizers_keep_it() {
        let mut rollout = serde_json::json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": { "namespace": "shop", "name": "cart", "uid": "u" },
            "spec": {}, "status": {},
        });
        let seen = |rollout: &serde_json::Value| {
            let rollout: DeserializeGuard<Rollout> =
                serde_json::from_value(rollout.clone()).unwrap();
            read(Event::Apply(rollout), &mut BTreeSet::new())
        };
        assert!(matches!(seen(&rollout), Some(Observation::Rollout(_))));
        let gone = |rollout: &serde_json::Value| match seen(rollout) {
            Some(Observation::Gone(Kind::Rollout, key)) => key == Key::new("shop", "cart"),
            _ => false,
        };
        rollout["metadata"]["deletionTimestamp"] = "2026-11-26T15:00:00Z".into();
        rollout["metadata"]["finalizers"] = serde_json::json!(["foregroundDeletion"]);
        assert!(gone(&rollout));
        rollout["spec"] = "not a spec".into();
        assert!(gone(&rollout), "also one that cannot be read");
    }

    #[test]
    fn a_pod_that_a_list_does_not_hold_is_reported_gone_once() {
        let mut known = BTreeSet::new();
        let mut pass_on = |observation| -> Vec<String> {
            let passed = one_by_one(observation, &mut known).into_iter();
            passed
                .map(|observation| match observation {
                    Observation::Pod(seen) => format!("{} seen", seen.key.name),
                    Observation::Gone(Kind::Pod, key) => format!("{} gone", key.name),
                    other => format!("{other:?}"),
                })
                .collect()
        };
        let list = |names: &[&str]| {
            let keys = names.iter().map(|name| Key::new("ns", *name));
            Observation::Listed(Kind::Pod, keys.collect())
        };
        assert_eq!(pass_on(pod("a")), ["a seen"]);
        assert_eq!(pass_on(pod("b")), ["b seen"]);
        assert_eq!(pass_on(list(&["a", "b"])), Vec::<String>::new());
        assert_eq!(pass_on(Observation::Gone(Kind::Pod, Key::new("ns", "a"))), ["a gone"]);
        assert_eq!(pass_on(list(&[])), ["b gone"]);
        assert_eq!(pass_on(list(&[])), Vec::<String>::new());
    }
}
