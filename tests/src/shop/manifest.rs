//! Manifests of Rollouts and of what they refer to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Rollout;
use super::router::Router;
use super::strategy::{BlueGreen, Canary, Step, Strategy, pause_for, weight};
use crate::cluster::{Error, Namespace};

/// What the pods do, by the annotation that the stages of the cluster look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodKind {
    /// Ready at once. So it is without the annotation, unless the image contains `bad`.
    Ready,
    /// Ready after some milliseconds.
    Slow(u32),
    /// `ImagePullBackOff`.
    ImagePull,
    /// `CrashLoopBackOff` after exit code 1, with a last message.
    CrashLoop,
    /// `CrashLoopBackOff` after exit code 137, `OOMKilled`.
    OutOfMemory,
    /// No node suits: stays unscheduled.
    Unschedulable,
    /// Bound to a node, and nothing more: the test plays the kubelet, see [`super::kubelet`].
    ByHand,
}

/// Where Keptn finds app, workload and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// Labels of the pods.
    Labels,
    /// Annotations of the Rollout.
    Annotations,
    Nothing,
}

/// A Rollout that is being described.
#[derive(Debug, Clone)]
pub struct Manifest {
    namespace: Namespace,
    pub(super) name: String,
    app: Option<String>,
    version: String,
    image: Option<String>,
    env: Option<String>,
    pub(super) replicas: u32,
    deadline: u32,
    abort_on_deadline: bool,
    strategy: Strategy,
    naming: Naming,
    referring: bool,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    pod_annotations: BTreeMap<String, String>,
    node_selector: BTreeMap<String, String>,
    router: Option<Router>,
    /// Merged over the spec.
    fields: Value,
}

impl Manifest {
    pub(super) fn new(namespace: &Namespace, name: &str) -> Self {
        Self {
            namespace: namespace.clone(),
            name: name.into(),
            app: None,
            version: "1.0.0".into(),
            image: None,
            env: None,
            replicas: 3,
            deadline: 40,
            abort_on_deadline: false,
            strategy: Strategy::Canary(Canary {
                steps: vec![weight(34), pause_for(4), weight(67), pause_for(4)],
                background: None,
            }),
            naming: Naming::Labels,
            referring: false,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            pod_annotations: BTreeMap::new(),
            node_selector: BTreeMap::new(),
            router: None,
            fields: json!({}),
        }
    }

    /// The app it is part of. Without, Keptn takes the workload for the app.
    #[must_use]
    pub fn app(mut self, app: &str) -> Self {
        self.app = Some(app.into());
        self
    }

    /// The version, of the image too.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    /// Another image than `example/NAME:VERSION`; the tag stays the version. `bad` cannot be
    /// pulled.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        self.image = Some(image.into());
        self
    }

    /// An environment variable: changes the template and not the version.
    #[must_use]
    pub fn env(mut self, value: &str) -> Self {
        self.env = Some(value.into());
        self
    }

    /// How many pods.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// How long without progress until the deadline is exceeded, in seconds.
    #[must_use]
    pub fn deadline(mut self, seconds: u32) -> Self {
        self.deadline = seconds;
        self
    }

    /// Abort when the deadline is exceeded.
    #[must_use]
    pub fn abort_on_deadline(mut self) -> Self {
        self.abort_on_deadline = true;
        self
    }

    /// Canary with these steps.
    #[must_use]
    pub fn canary(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        self.strategy = Strategy::Canary(Canary { steps, background: None });
        self
    }

    /// An analysis with a template beside the steps of the canary, from one of them on.
    #[must_use]
    pub fn background(mut self, template: &str, starting_step: u32) -> Self {
        if let Strategy::Canary(canary) = &mut self.strategy {
            canary.background = Some((template.into(), starting_step));
        }
        self
    }

    /// Blue-green.
    #[must_use]
    pub fn blue_green(mut self, strategy: BlueGreen) -> Self {
        self.strategy = Strategy::BlueGreen(strategy);
        self
    }

    /// A traffic router of a canary, with the Services and the Ingress that it needs; they are
    /// applied with the Rollout.
    #[must_use]
    pub fn router(mut self, router: Router) -> Self {
        self.router = Some(router);
        self
    }

    /// Further fields of the spec, merged over the others.
    #[must_use]
    pub fn fields(mut self, fields: &Value) -> Self {
        merge(&mut self.fields, fields);
        self
    }

    /// Further fields of the pods' spec. A list replaces another one.
    #[must_use]
    pub fn pod_fields(self, fields: &Value) -> Self {
        self.fields(&json!({ "template": { "spec": fields } }))
    }

    /// App and workload by Keptn's annotations on the Rollout, and no label says the version.
    #[must_use]
    pub fn annotated(mut self) -> Self {
        self.naming = Naming::Annotations;
        self
    }

    /// Nothing names app, workload and version: Keptn has nothing to do with its pods.
    #[must_use]
    pub fn unnamed(mut self) -> Self {
        self.naming = Naming::Nothing;
        self
    }

    /// The template is that of a Deployment with no pods of its own.
    #[must_use]
    pub fn workload_ref(mut self) -> Self {
        self.referring = true;
        self
    }

    /// A label of the Rollout.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// An annotation of the Rollout.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// An annotation of the pods.
    #[must_use]
    pub fn pod_annotation(mut self, key: &str, value: &str) -> Self {
        self.pod_annotations.insert(key.into(), value.into());
        self
    }

    /// What the pods do.
    #[must_use]
    pub fn pods(mut self, kind: PodKind) -> Self {
        const KIND: &str = "test.throughline.dev/pod";
        const READY_AFTER: &str = "test.throughline.dev/ready-after";
        self.pod_annotations.remove(KIND);
        self.pod_annotations.remove(READY_AFTER);
        self.node_selector.clear();
        match kind {
            PodKind::Ready => self.pod_annotation(KIND, "ready"),
            PodKind::Slow(milliseconds) => self
                .pod_annotation(KIND, "slow")
                .pod_annotation(READY_AFTER, &format!("{milliseconds}ms")),
            PodKind::ImagePull => self.pod_annotation(KIND, "image-pull"),
            PodKind::CrashLoop => self.pod_annotation(KIND, "crash-loop"),
            PodKind::OutOfMemory => self.pod_annotation(KIND, "oom"),
            PodKind::Unschedulable => {
                self.node_selector.insert("test.throughline.dev/no-such".into(), "node".into());
                self
            }
            PodKind::ByHand => self.pod_annotation(KIND, "by-hand"),
        }
    }

    /// Applies the Rollout and what it refers to.
    pub async fn apply(self) -> Result<Rollout, Error> {
        self.write(self.services()).await?;
        self.write(self.workloads()).await?;
        Ok(Rollout::new(self))
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(super) fn refers(&self) -> bool {
        self.referring
    }

    pub(super) async fn write(&self, objects: Vec<Value>) -> Result<(), Error> {
        let documents: Vec<_> = objects.iter().map(Value::to_string).collect();
        self.namespace.apply(&documents.join("\n---\n")).await
    }

    /// The Services of a blue-green strategy or a traffic router, and the Ingress of the latter. They
    /// are applied once: the selector is atomic in a server-side apply, and the second one would
    /// take from it the pod hash that Argo Rollouts has put there, which promotes whatever comes
    /// next without analysis.
    pub fn services(&self) -> Vec<Value> {
        if let Some(router) = self.router {
            return router.objects(&self.name);
        }
        let Strategy::BlueGreen(BlueGreen { active, preview, .. }) = &self.strategy else {
            return Vec::new();
        };
        let service = |name| {
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": { "name": name },
                "spec": { "ports": [{ "port": 80 }], "selector": { "app": self.name } },
            })
        };
        vec![service(active), service(preview)]
    }

    /// The Rollout, and before it the Deployment that it refers to.
    pub fn workloads(&self) -> Vec<Value> {
        let mut objects = Vec::new();
        if self.referring {
            objects.push(json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": { "name": self.name },
                "spec": {
                    "replicas": 0,
                    "selector": { "matchLabels": { "app": self.name } },
                    "template": self.template(),
                },
            }));
        }
        objects.push(self.rollout());
        objects
    }

    fn rollout(&self) -> Value {
        let mut metadata = json!({ "name": self.name });
        let mut annotations = self.annotations.clone();
        if self.naming == Naming::Annotations {
            annotations.insert("keptn.sh/workload".into(), self.name.clone());
            annotations.extend(self.app.iter().map(|app| ("keptn.sh/app".to_owned(), app.clone())));
        }
        if !annotations.is_empty() {
            metadata["annotations"] = json!(annotations);
        }
        if !self.labels.is_empty() {
            metadata["labels"] = json!(self.labels);
        }
        let mut spec = json!({
            "progressDeadlineSeconds": self.deadline,
            "replicas": self.replicas,
            "revisionHistoryLimit": 3,
            "strategy": self.strategy.spec(),
        });
        if self.abort_on_deadline {
            spec["progressDeadlineAbort"] = json!(true);
        }
        if self.referring {
            spec["workloadRef"] =
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name });
        } else {
            spec["selector"] = json!({ "matchLabels": { "app": self.name } });
            spec["template"] = self.template();
        }
        if let Some(router) = self.router {
            merge(&mut spec["strategy"]["canary"], &router.fields(&self.name));
        }
        merge(&mut spec, &self.fields);
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": metadata,
            "spec": spec,
        })
    }

    fn template(&self) -> Value {
        let mut labels = json!({ "app": self.name });
        if self.naming == Naming::Labels {
            labels["app.kubernetes.io/name"] = json!(self.name);
            labels["app.kubernetes.io/version"] = json!(self.version);
            if let Some(app) = &self.app {
                labels["app.kubernetes.io/part-of"] = json!(app);
            }
        }
        let mut metadata = json!({ "labels": labels });
        if !self.pod_annotations.is_empty() {
            metadata["annotations"] = json!(self.pod_annotations);
        }
        let repository = self.image.clone().unwrap_or_else(|| format!("example/{}", self.name));
        let mut container =
            json!({ "name": self.name, "image": format!("{repository}:{}", self.version) });
        if let Some(value) = &self.env {
            container["env"] = json!([{ "name": "E", "value": value }]);
        }
        let mut spec = json!({ "containers": [container] });
        if !self.node_selector.is_empty() {
            spec["nodeSelector"] = json!(self.node_selector);
        }
        json!({ "metadata": metadata, "spec": spec })
    }
}

/// Objects are merged, everything else is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
