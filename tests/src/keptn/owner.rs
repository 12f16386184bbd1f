//! One task owns one namespace: its objects, its open spans, and the order of all writes.
//!
//! Keptn runs a controller per kind, which race. Here they are steps of one loop, so that the
//! same events give the same objects. Nothing of Keptn's reaches across namespaces.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client, Resource, ResourceExt};
use opentelemetry_sdk::trace::SpanData;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::api::{
    KeptnApp, KeptnAppCreationRequest, KeptnAppVersion, KeptnWorkload, KeptnWorkloadVersion,
    Rollout,
};
use super::error::Error;
use super::gate;
use super::pace::Pace;
use super::queue::{Queue, Work};
use super::shelf::{News, Shelf};
use super::span::OpenSpans;

// controller-runtime begins with 5 ms and doubles; an error that stays should not spin here.
const RETRY: Duration = Duration::from_millis(200);

/// An object of one of the kinds that are watched.
#[derive(Debug)]
pub(super) enum Object {
    /// See the type.
    App(KeptnApp),
    /// See the type.
    AppVersion(KeptnAppVersion),
    /// See the type.
    CreationRequest(KeptnAppCreationRequest),
    /// See the type.
    Workload(KeptnWorkload),
    /// See the type.
    WorkloadVersion(KeptnWorkloadVersion),
    /// See the type.
    Pod(Pod),
    /// See the type.
    ReplicaSet(ReplicaSet),
    /// See the type.
    Rollout(Rollout),
}

/// What reaches the owner of a namespace.
#[derive(Debug)]
pub(super) enum Input {
    /// An object as it is now.
    Seen(Box<Object>),
    /// An object that is no more.
    Gone(Box<Object>),
    /// A pod that asks to be admitted. The answer is the pod as it should be, or why not.
    Admit(Box<Pod>, oneshot::Sender<Result<Pod, String>>),
}

/// A namespace and all that the stand-in knows of it.
pub(super) struct Owner {
    pub(super) namespace: String,
    pub(super) client: Client,
    pub(super) pace: Pace,
    pub(super) spans: OpenSpans,
    pub(super) apps: Shelf<KeptnApp>,
    pub(super) app_versions: Shelf<KeptnAppVersion>,
    pub(super) requests: Shelf<KeptnAppCreationRequest>,
    pub(super) workloads: Shelf<KeptnWorkload>,
    pub(super) workload_versions: Shelf<KeptnWorkloadVersion>,
    pub(super) pods: Shelf<Pod>,
    pub(super) replica_sets: Shelf<ReplicaSet>,
    pub(super) rollouts: Shelf<Rollout>,
    pub(super) discovered: HashMap<String, Instant>,
    queue: Queue,
}

/// A kind that the owner keeps, and the work that news of it make.
pub(super) trait Kept: ResourceExt + Sized {
    fn shelf(owner: &mut Owner) -> &mut Shelf<Self>;
    fn work(name: String, news: News) -> Option<Work>;
}

// GenerationChangedPredicate: status writes wake no controller.
fn on_generation(news: News, work: impl FnOnce() -> Work) -> Option<Work> {
    matches!(news, News::New | News::Generation).then(work)
}

macro_rules! kept {
    ($($kind:ty => $shelf:ident, $work:expr;)*) => {$(
        impl Kept for $kind {
            fn shelf(owner: &mut Owner) -> &mut Shelf<Self> {
                &mut owner.$shelf
            }
            fn work(name: String, news: News) -> Option<Work> {
                let work: fn(String, News) -> Option<Work> = $work;
                work(name, news)
            }
        }
    )*};
}

kept! {
    KeptnApp => apps, |name, news| on_generation(news, || Work::App(name));
    KeptnAppVersion => app_versions, |name, news| on_generation(news, || Work::AppVersion(name));
    KeptnWorkload => workloads, |name, news| on_generation(news, || Work::Workload(name));
    KeptnWorkloadVersion => workload_versions,
        |name, news| on_generation(news, || Work::WorkloadVersion(name));
    KeptnAppCreationRequest => requests,
        |name, news| (news != News::Old).then_some(Work::CreationRequest(name));
    Pod => pods, |name, news| (news != News::Old).then_some(Work::Pod(name));
    ReplicaSet => replica_sets, |_, _| None;
    Rollout => rollouts, |_, _| None;
}

impl Owner {
    /// The owner of a namespace of which nothing is known yet.
    pub(super) fn new(
        namespace: String,
        client: Client,
        pace: Pace,
        ended: UnboundedSender<SpanData>,
    ) -> Self {
        Self {
            namespace,
            client,
            pace,
            spans: OpenSpans::new(ended),
            apps: Shelf::default(),
            app_versions: Shelf::default(),
            requests: Shelf::default(),
            workloads: Shelf::default(),
            workload_versions: Shelf::default(),
            pods: Shelf::default(),
            replica_sets: Shelf::default(),
            rollouts: Shelf::default(),
            discovered: HashMap::new(),
            queue: Queue::default(),
        }
    }

    /// Runs until nobody can send any more.
    pub(super) async fn run(mut self, mut inputs: UnboundedReceiver<Input>) {
        loop {
            // What is known is taken in before anything is decided.
            while let Ok(input) = inputs.try_recv() {
                self.take(input).await;
            }
            if let Some(work) = self.queue.take(Instant::now()) {
                self.work(work).await;
                continue;
            }
            let due = self.queue.next_due();
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(input) => self.take(input).await,
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    async fn take(&mut self, input: Input) {
        match input {
            Input::Seen(object) => match *object {
                Object::App(app) => self.learn(app),
                Object::AppVersion(version) => self.learn(version),
                Object::CreationRequest(request) => self.learn(request),
                Object::Workload(workload) => self.learn(workload),
                Object::WorkloadVersion(version) => self.learn(version),
                Object::Pod(pod) if gate::is_gated(&pod) => self.learn(pod),
                Object::Pod(pod) => self.pods.gone(&pod),
                Object::ReplicaSet(set) => self.learn(set),
                Object::Rollout(rollout) => self.learn(rollout),
            },
            Input::Gone(object) => match *object {
                Object::App(app) => self.apps.gone(&app),
                Object::AppVersion(version) => self.app_versions.gone(&version),
                Object::CreationRequest(request) => self.requests.gone(&request),
                Object::Workload(workload) => self.workloads.gone(&workload),
                Object::WorkloadVersion(version) => self.workload_versions.gone(&version),
                Object::Pod(pod) => self.pods.gone(&pod),
                Object::ReplicaSet(set) => self.replica_sets.gone(&set),
                Object::Rollout(rollout) => self.rollouts.gone(&rollout),
            },
            Input::Admit(pod, answer) => {
                let verdict = self.admit(*pod).await.map_err(|error| {
                    warn!(namespace = self.namespace, %error, "a pod is denied");
                    error.to_string()
                });
                // Whoever asked may have given up.
                let _ = answer.send(verdict);
            }
        }
    }

    async fn work(&mut self, work: Work) {
        let outcome = match &work {
            Work::CreationRequest(name) => self.answer_request(name).await,
            Work::App(name) => self.version_app(name).await,
            Work::AppVersion(name) => self.deploy_app(name).await,
            Work::Workload(name) => self.version_workload(name).await,
            Work::WorkloadVersion(name) => self.deploy_workload(name).await,
            Work::Pod(name) => self.release(name).await,
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(after)) => self.queue.add(work, Instant::now(), after),
            Err(error) => {
                // Someone else wrote first, or the namespace is going away.
                debug!(namespace = self.namespace, ?work, %error, "to be tried again");
                self.queue.add(work, Instant::now(), RETRY);
            }
        }
    }

    /// Takes in a state of an object and queues the work it makes.
    pub(super) fn learn<T: Kept>(&mut self, object: T) {
        let name = object.name_any();
        let news = T::shelf(self).put(object);
        if let Some(work) = T::work(name, news) {
            self.queue.add(work, Instant::now(), Duration::ZERO);
        }
    }

    /// The API of a kind in this namespace.
    pub(super) fn api<T>(&self) -> Api<T>
    where
        T: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) async fn create<T>(&mut self, object: &T) -> Result<T, Error>
    where
        T: Kept + Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        T: Clone + Debug + Serialize + DeserializeOwned,
    {
        let created = self
            .api::<T>()
            .create(&PostParams::default(), object)
            .await
            .map_err(Error::api(format!("create {} {}", T::kind(&()), object.name_any())))?;
        self.learn(created.clone());
        Ok(created)
    }

    pub(super) async fn replace<T>(&mut self, object: &T) -> Result<T, Error>
    where
        T: Kept + Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        T: Clone + Debug + Serialize + DeserializeOwned,
    {
        let name = object.name_any();
        let replaced = self
            .api::<T>()
            .replace(&name, &PostParams::default(), object)
            .await
            .map_err(Error::api(format!("update {} {name}", T::kind(&()))))?;
        self.learn(replaced.clone());
        Ok(replaced)
    }

    pub(super) async fn replace_status<T>(&mut self, object: &T) -> Result<T, Error>
    where
        T: Kept + Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        T: Clone + Debug + Serialize + DeserializeOwned,
    {
        let name = object.name_any();
        let replaced = self
            .api::<T>()
            .replace_status(&name, &PostParams::default(), object)
            .await
            .map_err(Error::api(format!("update the status of {} {name}", T::kind(&()))))?;
        self.learn(replaced.clone());
        Ok(replaced)
    }
}
