//! Rollouts that exist: what one does to them and what one waits for.

use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::watcher;
use serde_json::{Value, json};

use super::{Manifest, PodKind, State, state};
use crate::cluster::{Error, Namespace};

/// A Rollout that was applied.
#[derive(Debug, Clone)]
pub struct Rollout {
    manifest: Manifest,
    within: Duration,
}

impl Rollout {
    pub(super) fn new(manifest: Manifest) -> Self {
        Self { manifest, within: Duration::from_secs(90) }
    }

    /// How long the waits of this handle wait; 90 s if nothing is said.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.within = patience;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        self.manifest.namespace()
    }

    /// Rollouts of its namespace.
    pub fn api(&self) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout");
        let namespace = self.namespace();
        Api::namespaced_with(namespace.client(), namespace.name(), &ApiResource::from_gvk(&gvk))
    }

    /// Changes the manifest and applies it.
    pub async fn change(&mut self, change: impl FnOnce(Manifest) -> Manifest) -> Result<(), Error> {
        self.manifest = change(self.manifest.clone());
        self.manifest.write(self.manifest.workloads()).await
    }

    /// Changes an annotation of the Rollout and nothing else, not even what it refers to: its
    /// controller looks at it again.
    pub async fn touch(&self) -> Result<(), Error> {
        let patch = json!({ "metadata": { "annotations": { "example.dev/touched": "yes" } } });
        let patched =
            self.api().patch(self.name(), &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(Error::api(format!("annotate Rollout {}", self.name())))
    }

    /// Applies another version.
    pub async fn apply_version(&mut self, version: &str) -> Result<(), Error> {
        self.change(|it| it.version(version)).await
    }

    /// Applies another version with pods of some kind.
    pub async fn apply_version_with(&mut self, version: &str, pods: PodKind) -> Result<(), Error> {
        self.change(|it| it.version(version).pods(pods)).await
    }

    /// Applies another environment variable: another template of the same version.
    pub async fn set_env(&mut self, value: &str) -> Result<(), Error> {
        self.change(|it| it.env(value)).await
    }

    /// Promotes by one step, or a blue-green Rollout to its switch, and sees that the controller
    /// takes it: a busy one may write its pause once more over the promotion.
    pub async fn promote(&self) -> Result<(), Error> {
        let step = self.state().await?.step();
        let past = |it: &State| match step {
            Some(step) => it.step() != Some(step),
            None => it.is_observed() && it.pauses().is_empty(),
        };
        let soon = self.clone().within(Duration::from_secs(10));
        let mut tries = 3;
        loop {
            tries -= 1;
            self.argo(&["promote", self.name()]).await?;
            match soon.until("past the pause", past).await {
                Ok(_) => return Ok(()),
                Err(_) if tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Promotes past all steps, pauses and analyses.
    pub async fn promote_full(&self) -> Result<(), Error> {
        self.argo(&["promote", self.name(), "--full"]).await
    }

    /// Aborts the update.
    pub async fn abort(&self) -> Result<(), Error> {
        self.argo(&["abort", self.name()]).await
    }

    /// Tries an aborted update again.
    pub async fn retry(&self) -> Result<(), Error> {
        self.argo(&["retry", "rollout", self.name()]).await
    }

    /// Goes back to the template of a revision. What is applied later starts from the manifest
    /// as it was before.
    pub async fn undo_to(&self, revision: u64) -> Result<(), Error> {
        self.argo(&["undo", self.name(), &format!("--to-revision={revision}")]).await
    }

    /// Replaces all pods.
    pub async fn restart(&self) -> Result<(), Error> {
        self.argo(&["restart", self.name()]).await
    }

    /// Pauses by `spec.paused`.
    pub async fn pause(&self) -> Result<(), Error> {
        self.argo(&["pause", self.name()]).await
    }

    /// Takes `spec.paused` back, and leaves the pauses of steps as they are.
    pub async fn unpause(&self) -> Result<(), Error> {
        let patch = Patch::Merge(json!({ "spec": { "paused": false } }));
        let patched = self.api().patch(self.name(), &PatchParams::default(), &patch).await;
        patched.map(drop).map_err(Error::api(format!("unpause Rollout {}", self.name())))
    }

    /// Scales by the scale subresource, as an autoscaler does.
    pub async fn scale(&mut self, replicas: u32) -> Result<(), Error> {
        self.manifest.replicas = replicas;
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        let patched = self.api().patch_scale(self.name(), &PatchParams::default(), &patch).await;
        patched.map(drop).map_err(Error::api(format!("scale Rollout {}", self.name())))
    }

    /// Deletes it.
    pub async fn delete(&self) -> Result<(), Error> {
        self.delete_with(&DeleteParams::background()).await
    }

    /// Deletes it in the foreground: it stays until all that it owns is gone.
    pub async fn delete_in_foreground(&self) -> Result<(), Error> {
        self.delete_with(&DeleteParams::foreground()).await
    }

    /// Deletes it, and lets stay what it owns.
    pub async fn delete_and_orphan(&self) -> Result<(), Error> {
        self.delete_with(&DeleteParams::orphan()).await
    }

    async fn delete_with(&self, params: &DeleteParams) -> Result<(), Error> {
        let deleted = self.api().delete(self.name(), params).await;
        deleted.map(drop).map_err(Error::api(format!("delete Rollout {}", self.name())))
    }

    /// Takes away the pods of the revision that is rolled out; their `ReplicaSet` makes new ones.
    pub async fn replace_new_pods(&self) -> Result<(), Error> {
        let state = self.state().await?;
        let pods = self.namespace().api::<Pod>();
        let new = format!("app={},rollouts-pod-template-hash={}", self.name(), state.current());
        let params = ListParams::default().labels(&new);
        let deleted = pods.delete_collection(&DeleteParams::default(), &params).await;
        deleted.map(drop).map_err(Error::api(format!("delete the pods of {}", self.name())))
    }

    async fn argo(&self, args: &[&str]) -> Result<(), Error> {
        self.namespace().argo(args).await.map(drop)
    }

    /// As it is now.
    pub async fn state(&self) -> Result<State, Error> {
        let got = self.api().get(self.name()).await;
        got.map(State).map_err(Error::api(format!("read Rollout {}", self.name())))
    }

    /// Its `ReplicaSets`.
    pub async fn replica_sets(&self) -> Result<Vec<ReplicaSet>, Error> {
        self.labelled().await
    }

    /// Its pods.
    pub async fn pods(&self) -> Result<Vec<Pod>, Error> {
        self.labelled().await
    }

    async fn labelled<K>(&self) -> Result<Vec<K>, Error>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let params = ListParams::default().labels(&format!("app={}", self.name()));
        let listed = self.namespace().api::<K>().list(&params).await;
        let what = format!("list the {} of {}", K::plural(&()), self.name());
        Ok(listed.map_err(Error::api(what))?.items)
    }

    /// Waits until it is as it should be.
    pub async fn until(
        &self,
        condition: &str,
        is: impl Fn(&State) -> bool,
    ) -> Result<State, Error> {
        let mut last = None;
        let mut versions = Box::pin(watcher::watch_object(self.api(), self.name()));
        let search = async {
            while let Some(version) = versions.next().await {
                // The watcher lists again after an error.
                let Ok(Some(object)) = version else { continue };
                let state = last.insert(State(object));
                if is(state) {
                    return;
                }
            }
        };
        let found = tokio::time::timeout(self.within, search).await;
        match (found, last) {
            (Ok(()), Some(state)) => Ok(state),
            (_, last) => Err(self.late(condition, last.map(|state| state.show()))),
        }
    }

    /// Waits until the spec as it is now is rolled out and healthy.
    pub async fn healthy(&self) -> Result<State, Error> {
        self.until("Healthy", is_healthy).await
    }

    /// Waits until a version is rolled out and healthy.
    pub async fn healthy_at(&self, version: &str) -> Result<State, Error> {
        let condition = format!("Healthy at {version}");
        if !self.manifest.refers() {
            let is = |state: &State| is_healthy(state) && state.version() == Some(version);
            return self.until(&condition, is).await;
        }
        let since = Instant::now();
        loop {
            let state = self.until(&condition, is_healthy).await?;
            let sets = self.replica_sets().await?;
            if sets.iter().any(|set| runs(set, state.stable(), version)) {
                return Ok(state);
            }
            if since.elapsed() > self.within {
                return Err(self.late(&condition, Some(state.show())));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the controller pauses it.
    pub async fn paused(&self) -> Result<State, Error> {
        let is = |it: &State| it.is_observed() && it.phase() == "Paused" && it.holds_at_its_step();
        self.until("Paused", is).await
    }

    /// Waits until the controller pauses it at a step, the first is 0.
    pub async fn paused_at(&self, step: u64) -> Result<State, Error> {
        let is = |it: &State| {
            it.is_observed()
                && it.phase() == "Paused"
                && it.step() == Some(step)
                && it.holds_at_its_step()
        };
        self.until(&format!("Paused at step {step}"), is).await
    }

    /// Waits until the controller has aborted the update.
    pub async fn aborted(&self) -> Result<State, Error> {
        let is = |it: &State| it.is_aborted() && it.reason("Progressing") == "RolloutAborted";
        self.until("aborted", is).await
    }

    /// Waits until the deadline is exceeded.
    pub async fn deadline_exceeded(&self) -> Result<State, Error> {
        let is = |it: &State| it.reason("Progressing") == "ProgressDeadlineExceeded";
        self.until("late", is).await
    }

    /// Waits until the update to a revision is under way or done. The controller numbers a revision,
    /// and says that it has seen the spec, before it leaves the steps of the one before.
    pub async fn at_revision(&self, revision: u64) -> Result<State, Error> {
        let condition = format!("of revision {revision}");
        let since = Instant::now();
        loop {
            let numbered = |it: &State| it.is_observed() && it.revision() == Some(revision);
            let state = self.until(&condition, numbered).await?;
            let sets = self.replica_sets().await?;
            if sets.iter().any(|set| is_revision(set, revision) && has_hash(set, state.current())) {
                return Ok(state);
            }
            if since.elapsed() > self.within {
                return Err(self.late(&condition, Some(state.show())));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until all pods are newer than the last restart that was asked for.
    pub async fn restarted(&self) -> Result<State, Error> {
        let is = |it: &State| {
            let asked = it.0.data.pointer("/spec/restartAt");
            asked.is_some() && asked == it.0.data.pointer("/status/restartedAt") && is_healthy(it)
        };
        self.until("restarted", is).await
    }

    /// Waits until it does not exist any more.
    pub async fn gone(&self) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let found = self.api().get_opt(self.name()).await;
            match found.map_err(Error::api(format!("read Rollout {}", self.name())))? {
                None => return Ok(()),
                Some(it) if since.elapsed() > self.within => {
                    return Err(self.late("gone", Some(State(it).show())));
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Waits until one of its pods is as it should be.
    pub async fn pod_until(
        &self,
        condition: &str,
        is: impl Fn(&Pod) -> bool,
    ) -> Result<Pod, Error> {
        let since = Instant::now();
        loop {
            let pods = self.pods().await?;
            if let Some(pod) = pods.iter().find(|pod| is(pod)) {
                return Ok(pod.clone());
            }
            if since.elapsed() > self.within {
                let states: Vec<_> = pods.iter().map(|pod| &pod.status).collect();
                let shown = serde_norway::to_string(&states).ok();
                return Err(self.late(&format!("a Rollout with a pod that is {condition}"), shown));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(super) fn patience(&self) -> Duration {
        self.within
    }

    pub(super) fn late(&self, condition: &str, state: Option<String>) -> Error {
        Error::Waited {
            object: format!("Rollout {}/{}", self.namespace().name(), self.name()),
            condition: condition.into(),
            seconds: self.within.as_secs(),
            state: state.unwrap_or_else(|| "(it was not there)".into()),
        }
    }
}

fn is_healthy(state: &State) -> bool {
    state.is_observed() && state.phase() == "Healthy" && state.stable() == state.current()
}

fn is_revision(set: &ReplicaSet, revision: u64) -> bool {
    let annotations = set.metadata.annotations.as_ref();
    let number = annotations.and_then(|it| it.get("rollout.argoproj.io/revision"));
    number.is_some_and(|it| *it == revision.to_string())
}

fn has_hash(set: &ReplicaSet, hash: &str) -> bool {
    let labels = set.metadata.labels.as_ref();
    labels.and_then(|it| it.get("rollouts-pod-template-hash")).is_some_and(|it| it == hash)
}

fn runs(set: &ReplicaSet, hash: &str, version: &str) -> bool {
    let template = serde_json::to_value(set.spec.as_ref().and_then(|spec| spec.template.as_ref()));
    let template = template.unwrap_or(Value::Null);
    has_hash(set, hash) && state::version(&template) == Some(version)
}
