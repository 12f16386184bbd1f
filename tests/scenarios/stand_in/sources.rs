//! Where stories come from: a recording, or a namespace that is being watched.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use futures::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use throughline_tests::cluster::Namespace;
use throughline_tests::jaeger::{Jaeger, Trace};
use tokio::task::JoinSet;

use super::story::{Seen, Span};

const KINDS: [(&str, &str); 5] = [
    ("keptnapps", "KeptnApp"),
    ("keptnappversions", "KeptnAppVersion"),
    ("keptnappcontexts", "KeptnAppContext"),
    ("keptnworkloads", "KeptnWorkload"),
    ("keptnworkloadversions", "KeptnWorkloadVersion"),
];

/// What the real Keptn did in a scenario.
pub(super) fn recorded(name: &str) -> Result<Seen, Box<dyn Error>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let open = |kind: &str| -> Result<_, Box<dyn Error>> {
        let path = folder.join(format!("{name}.{kind}.gz"));
        Ok(BufReader::new(GzDecoder::new(std::fs::File::open(path)?)))
    };
    let mut seen = Seen::default();
    for line in open("watch.jsonl")?.lines() {
        let event: Value = serde_json::from_str(&line?)?;
        let kind = event["kind"].as_str().unwrap_or_default();
        if event["type"] != "DELETED" && KINDS.iter().any(|(resource, _)| *resource == kind) {
            let states = seen.states.entry(kind.to_owned()).or_default();
            states.push(event["object"].clone());
        }
    }
    let traces: Vec<Value> = serde_json::from_reader(open("jaeger.json")?)?;
    for trace in &traces {
        let id = trace["traceID"].as_str().unwrap_or_default().to_owned();
        let spans = trace["spans"].as_array().into_iter().flatten();
        seen.spans.insert(id, spans.map(|span| recorded_span(trace, span)).collect());
    }
    Ok(seen)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn recorded_span(trace: &Value, span: &Value) -> Span {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let references = list(&span["references"]);
    let of = |kind: &'static str| {
        let references = references.iter().filter(move |it| it["refType"] == kind);
        references.map(|it| (text(&it["traceID"]), text(&it["spanID"])))
    };
    let fields =
        |value: &Value| list(value).into_iter().map(|it| (text(&it["key"]), text(&it["value"])));
    Span {
        id: text(&span["spanID"]),
        name: text(&span["operationName"]),
        parent: of("CHILD_OF").next().map(|(_, id)| id),
        links: of("FOLLOWS_FROM").collect(),
        tags: fields(&span["tags"]).collect(),
        events: list(&span["logs"])
            .iter()
            .flat_map(|it| fields(&it["fields"]))
            .map(|it| it.1)
            .collect(),
        service: text(&trace["processes"][text(&span["processID"])]["serviceName"]),
    }
}

/// A namespace whose Keptn objects are written down.
pub(super) struct Watched {
    namespace: Namespace,
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

impl Watched {
    pub(super) fn new(namespace: &Namespace) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        for (resource, kind) in KINDS {
            let gvk = GroupVersionKind::gvk("lifecycle.keptn.sh", "v1", kind);
            let api: Api<DynamicObject> = Api::namespaced_with(
                namespace.client(),
                namespace.name(),
                &ApiResource::from_gvk(&gvk),
            );
            let seen = Arc::clone(&seen);
            tasks.spawn(async move {
                let mut events = Box::pin(watcher(api, watcher::Config::default()));
                while let Some(event) = events.next().await {
                    let Ok(Event::Apply(object) | Event::InitApply(object)) = event else {
                        continue;
                    };
                    let Ok(object) = serde_json::to_value(object) else {
                        continue;
                    };
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.states.entry(resource.to_owned()).or_default().push(object);
                }
            });
        }
        Self { namespace: namespace.clone(), seen, _tasks: tasks }
    }

    /// Asks what was seen until now.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Seen) -> T) -> T {
        question(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until what was seen is enough.
    pub(super) async fn until(
        &self,
        what: &str,
        enough: impl Fn(&Seen) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        let since = Instant::now();
        while !self.ask(&enough) {
            if since.elapsed() > Duration::from_secs(90) {
                let story = self.ask(Seen::story);
                let name = self.namespace.name();
                return Err(format!("not in time in {name}: {what}; until then\n{story}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Waits until an app version has a status.
    pub(super) async fn app_version(&self, name: &str, status: &str) -> Result<(), Box<dyn Error>> {
        self.until(&format!("{name} is {status}"), |seen| {
            seen.last("keptnappversions", name).is_some_and(|it| it["status"]["status"] == status)
        })
        .await
    }

    /// The traceparent of the deployment of an app version.
    pub(super) fn app_deploy(&self, name: &str) -> Option<String> {
        self.ask(|seen| {
            let last = seen.last("keptnappversions", name)?;
            let found = last.pointer("/status/phaseTraceIDs/AppDeploy/traceparent")?;
            found.as_str().map(str::to_owned)
        })
    }

    /// Adds the traces: as soon as there are as many spans as there should be, or else what is
    /// there after a while.
    pub(super) async fn with_traces(
        self,
        jaeger: &Jaeger,
        spans: usize,
    ) -> Result<Seen, Box<dyn Error>> {
        let since = Instant::now();
        loop {
            let mut found = BTreeMap::new();
            for id in self.ask(Seen::trace_ids) {
                let trace = jaeger.trace(&id).await?;
                found.insert(id, trace.map(|it| live_spans(&it)).unwrap_or_default());
            }
            let count: usize = found.values().map(Vec::len).sum();
            if count >= spans || since.elapsed() > Duration::from_secs(20) {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.spans = found;
                return Ok(std::mem::take(&mut seen));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn live_spans(trace: &Trace) -> Vec<Span> {
    let spans = trace.spans.iter().map(|span| Span {
        id: span.span_id.clone(),
        name: span.operation.clone(),
        parent: span.parent().map(str::to_owned),
        links: span.links().map(|it| (it.trace_id.clone(), it.span_id.clone())).collect(),
        tags: span.tags.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        events: span.events.iter().flat_map(|it| it.fields.values().map(text)).collect(),
        service: span.service.clone(),
    });
    spans.collect()
}
