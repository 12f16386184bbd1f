//! When things become visible: a raw watch of both kinds, on a thread and connections of its own.
//!
//! Each event gets its time when its line has arrived, before it is read. Both kinds take the same
//! way, so what that way costs is not in their difference.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use axum::http;
use futures::{AsyncBufReadExt, StreamExt};
use kube::Client;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::Error;
use crate::cluster::{self, Cluster};

const APP_VERSIONS: &str = "keptnappversions";
const CONTEXTS: &str = "keptnappcontexts";

/// When each traceparent was seen first.
#[derive(Debug, Default)]
struct Seen {
    /// In `status.phaseTraceIDs.AppDeploy` of a KeptnAppVersion.
    visible: HashMap<String, Instant>,
    /// In `spec.spanLinks` of a KeptnAppContext.
    linked: HashMap<String, Instant>,
    ended: Option<(&'static str, String)>,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub(super) struct Observer {
    seen: Arc<Mutex<Seen>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    #[serde(default)]
    object: Object,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    spec: Spec,
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    #[serde(rename = "spanLinks")]
    span_links: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    #[serde(rename = "phaseTraceIDs")]
    phases: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct List {
    metadata: ListMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
}

impl Observer {
    /// Returns once both watches are open.
    pub(super) async fn start(cluster: &'static Cluster) -> Result<Self, Error> {
        let seen = Arc::<Mutex<Seen>>::default();
        let (stop, stopped) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        let thread = std::thread::Builder::new().name("observer".into()).spawn({
            let seen = Arc::clone(&seen);
            move || watch_both(cluster, &seen, open, stopped)
        });
        let thread = thread
            .map_err(|source| cluster::Error::Start { program: "a thread".into(), source })?;
        let observer = Self { seen, stop: Some(stop), thread: Some(thread) };
        match opened.await {
            Ok(result) => result.map(|()| observer),
            Err(_) => Err(observer.blind().unwrap_or(Error::Blind {
                resource: APP_VERSIONS,
                reason: "it did not open".into(),
            })),
        }
    }

    /// When a traceparent was seen on its KeptnAppVersion, and in a KeptnAppContext.
    pub(super) fn times(&self, traceparent: &str) -> (Option<Instant>, Option<Instant>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |times: &HashMap<String, Instant>| times.get(traceparent).copied();
        (of(&seen.visible), of(&seen.linked))
    }

    /// An error if a watch ended.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.blind().map_or(Ok(()), Err)
    }

    fn blind(&self) -> Option<Error> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (resource, reason) = seen.ended.clone()?;
        Some(Error::Blind { resource, reason })
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it was printed.
            let _ = thread.join();
        }
    }
}

fn watch_both(
    cluster: &'static Cluster,
    seen: &Mutex<Seen>,
    open: oneshot::Sender<Result<(), Error>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => {
            let program = "a runtime".into();
            let _ = open.send(Err(cluster::Error::Start { program, source }.into()));
            return;
        }
    };
    runtime.block_on(async {
        let both = async {
            let client = cluster.client().await?;
            Ok::<_, Error>((lines(&client, APP_VERSIONS).await?, lines(&client, CONTEXTS).await?))
        };
        let (mut versions, mut contexts) = match both.await {
            Ok(both) => both,
            Err(error) => {
                let _ = open.send(Err(error));
                return;
            }
        };
        let _ = open.send(Ok(()));
        let watch = async {
            loop {
                let (resource, line) = tokio::select! {
                    line = versions.next() => (APP_VERSIONS, line),
                    line = contexts.next() => (CONTEXTS, line),
                };
                let at = Instant::now();
                let problem = match line {
                    Some(Ok(line)) => note(seen, resource, &line, at).err(),
                    Some(Err(error)) => Some(error.to_string()),
                    None => Some("the API server closed it".into()),
                };
                if let Some(problem) = problem {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.ended = Some((resource, problem));
                    return;
                }
            }
        };
        tokio::select! {
            () = watch => {}
            _ = stopped => {}
        }
    });
}

type Lines = futures::stream::BoxStream<'static, std::io::Result<String>>;

async fn lines(client: &Client, resource: &'static str) -> Result<Lines, Error> {
    let path = format!("/apis/lifecycle.keptn.sh/v1/{resource}");
    let failed = || cluster::Error::api(format!("watch {resource}"));
    let get = |uri: String| {
        http::Request::get(uri)
            .body(Vec::new())
            .map_err(|error| failed()(kube::Error::HttpError(error)))
    };
    let list: List = client.request(get(format!("{path}?limit=1"))?).await.map_err(failed())?;
    let from = list.metadata.resource_version;
    let watch = get(format!("{path}?watch=true&timeoutSeconds=3600&resourceVersion={from}"))?;
    let stream = client.request_stream(watch).await.map_err(failed())?;
    Ok(Box::pin(stream).lines().boxed())
}

fn note(seen: &Mutex<Seen>, resource: &'static str, line: &str, at: Instant) -> Result<(), String> {
    let event: Event = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if event.r#type == "ERROR" {
        return Err(line.to_owned());
    }
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if resource == CONTEXTS {
        for link in event.object.spec.span_links {
            seen.linked.entry(link).or_insert(at);
        }
    } else {
        let mut phases = event.object.status.phases;
        let carrier = phases.remove("AppDeploy").unwrap_or_default();
        for (_, traceparent) in carrier {
            seen.visible.entry(traceparent).or_insert(at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_counts_and_links_of_a_version_are_no_writes_of_ours() {
        let seen = Mutex::new(Seen::default());
        let version = r#"{"type":"MODIFIED","object":{"spec":{"spanLinks":["old"]},
            "status":{"phaseTraceIDs":{"AppDeploy":{"traceparent":"t"}}}}}"#;
        let context = r#"{"type":"ADDED","object":{"spec":{"spanLinks":["t"]}}}"#;
        let (first, later) = (Instant::now(), Instant::now());
        note(&seen, APP_VERSIONS, version, first).unwrap();
        note(&seen, APP_VERSIONS, version, later).unwrap();
        note(&seen, CONTEXTS, context, later).unwrap();
        let seen = seen.into_inner().unwrap();
        assert_eq!(seen.visible, HashMap::from([("t".to_owned(), first)]));
        assert_eq!(seen.linked, HashMap::from([("t".to_owned(), later)]));
        let gone = r#"{"type":"ERROR","object":{"code":410}}"#;
        assert!(note(&Mutex::default(), CONTEXTS, gone, first).is_err());
    }
}
