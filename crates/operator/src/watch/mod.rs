//! One kind's watch, as a stream of observations.
//!
//! Every version of every object is passed on, and every deletion: a manual promotion is visible in a
//! single version of a Rollout.

mod backoff;
mod connections;
mod follow;
#[cfg(test)]
#[path = "../../tests/watch/server.rs"]
pub(crate) mod server;
mod source;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeSet;

use api::argo::{AnalysisRun, Experiment, POD_TEMPLATE_HASH, Pod, ReplicaSet, Rollout};
use api::keptn::{KeptnAppContext, KeptnAppVersion, KeptnWorkloadVersion};
use api::rollout_attempt::OPEN;
use api::{RolloutAttempt, RolloutTrace};
pub(crate) use connections::Connections;
use follow::Follow;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use kube::Client;
pub(crate) use source::Limits;
use source::Source;
use timeline::{Key, Observation};

use crate::metrics::Metrics;
use crate::observe::Decoded;

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
    /// How long their parts may take.
    pub(crate) limits: Limits,
}

impl Watches {
    /// Every version of every object of a kind, for as long as the stream is polled.
    pub(crate) fn observe<K: Decoded>(
        &self,
        selector: Option<&str>,
    ) -> impl Stream<Item = Observation> + Send + use<K> {
        self.follow::<K>(self.namespace.as_deref(), selector, Some(self.metrics.connections()))
    }

    /// The pods of one ReplicaSet, by its pod-template-hash, for as long as the stream is polled.
    ///
    /// A list of theirs says nothing of the pods of others, so it is not passed on as one: each pod
    /// that is missing from it is reported gone.
    pub(crate) fn pods(
        &self,
        namespace: &str,
        hash: &str,
    ) -> impl Stream<Item = Observation> + Send + use<> {
        let selector = format!("{POD_TEMPLATE_HASH}={hash}");
        let mut known = BTreeSet::new();
        self.follow::<Pod>(Some(namespace), Some(&selector), None)
            .flat_map(move |observation| stream::iter(one_by_one(observation, &mut known)))
    }

    fn follow<K: Decoded>(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
        connections: Option<Connections>,
    ) -> impl Stream<Item = Observation> + Send + use<K> {
        let source = Source {
            client: self.client.clone(),
            path: K::url_path(&(), namespace),
            selector: selector.map(str::to_owned),
            limits: self.limits,
        };
        let (metrics, team_label) = (self.metrics.clone(), self.team_label.clone());
        let follow = Follow::<K>::new(source, metrics, team_label, connections);
        stream::unfold(follow, async |mut follow| Some((follow.next().await, follow)))
    }
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

/// What a standby watches, too, as one stream: one owner, one order.
pub(crate) fn others(watches: &Watches) -> BoxStream<'static, Observation> {
    stream::select_all([
        watches.observe::<ReplicaSet>(Some(POD_TEMPLATE_HASH)).boxed(),
        watches.observe::<KeptnAppVersion>(None).boxed(),
        watches.observe::<KeptnWorkloadVersion>(None).boxed(),
        watches.observe::<KeptnAppContext>(None).boxed(),
        watches.observe::<AnalysisRun>(None).boxed(),
        watches.observe::<Experiment>(None).boxed(),
    ])
    .boxed()
}

/// What is listed again by a new leader.
pub(crate) fn listed_anew(watches: &Watches) -> BoxStream<'static, Observation> {
    stream::select_all([
        watches.observe::<Rollout>(None).boxed(),
        watches.observe::<RolloutTrace>(None).boxed(),
        watches.observe::<RolloutAttempt>(Some(OPEN)).boxed(),
    ])
    .boxed()
}

#[cfg(test)]
mod of_pods {
    use timeline::Kind;
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
