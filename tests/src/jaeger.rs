//! The query API of Jaeger.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::Error;

/// A client of the query API.
#[derive(Debug, Clone)]
pub struct Jaeger {
    base: String,
    http: reqwest::Client,
}

/// The spans that share a trace id.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// 32 hex digits.
    pub id: String,
    /// By start time.
    pub spans: Vec<Span>,
}

/// A span as Jaeger keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// The span's name.
    pub operation: String,
    /// The parent (`CHILD_OF`), and the links (`FOLLOWS_FROM`).
    pub references: Vec<Reference>,
    /// Attributes of the span; kind and status are `span.kind`, `otel.status_code` and `error`.
    pub tags: BTreeMap<String, Value>,
    /// Microseconds since the epoch.
    pub start: u64,
    /// Microseconds.
    pub duration: u64,
    /// What happened in the meantime, as attributes; `event` is the name.
    pub events: Vec<Event>,
    /// `service.name` of the resource.
    pub service: String,
    /// The other attributes of the resource.
    pub resource: BTreeMap<String, Value>,
}

/// An event of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Microseconds since the epoch.
    pub time: u64,
    /// Its attributes.
    pub fields: BTreeMap<String, Value>,
}

/// From a span to another one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Parent or link.
    #[serde(rename = "refType")]
    pub kind: ReferenceKind,
    /// The trace it points to.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// The span it points to.
    #[serde(rename = "spanID")]
    pub span_id: String,
}

/// What a reference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ReferenceKind {
    /// The parent.
    #[serde(rename = "CHILD_OF")]
    ChildOf,
    /// A link.
    #[serde(rename = "FOLLOWS_FROM")]
    FollowsFrom,
}

impl Trace {
    /// The first span of that name.
    pub fn span(&self, operation: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.operation == operation)
    }

    /// The spans whose parent is not in the trace.
    pub fn roots(&self) -> impl Iterator<Item = &Span> {
        let here = |id: &str| self.spans.iter().any(|span| span.span_id == id);
        self.spans.iter().filter(move |span| !span.parent().is_some_and(here))
    }

    /// The spans whose parent is this one.
    pub fn children<'a>(&'a self, parent: &'a Span) -> impl Iterator<Item = &'a Span> {
        self.spans.iter().filter(|span| span.parent() == Some(&parent.span_id))
    }
}

impl Span {
    /// The id of the parent.
    pub fn parent(&self) -> Option<&str> {
        let mut references = self.references.iter();
        let parent = references.find(|reference| reference.kind == ReferenceKind::ChildOf);
        parent.filter(|parent| parent.trace_id == self.trace_id).map(|parent| &*parent.span_id)
    }

    /// The links.
    pub fn links(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(|reference| reference.kind == ReferenceKind::FollowsFrom)
    }

    /// An attribute that is text.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).and_then(Value::as_str)
    }
}

impl Jaeger {
    /// A client of the query API at `http://HOST:PORT`.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').into(), http: loopback() }
    }

    /// The address of the query API.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The services that have sent spans.
    pub async fn services(&self) -> Result<Vec<String>, Error> {
        Ok(self.get::<Option<Vec<String>>>("services", &[]).await?.flatten().unwrap_or_default())
    }

    /// A trace, or `None` if there is no span of it yet.
    pub async fn trace(&self, id: &str) -> Result<Option<Trace>, Error> {
        let found: Option<Vec<wire::Trace>> = self.get(&format!("traces/{id}"), &[]).await?;
        Ok(found.into_iter().flatten().map(Trace::from).find(|trace| !trace.spans.is_empty()))
    }

    /// The newest traces of a service, 1000 at most.
    pub async fn traces(&self, service: &str) -> Result<Vec<Trace>, Error> {
        self.traces_with(service, &BTreeMap::new()).await
    }

    /// The newest traces of a service with a span that has these tags, 1000 at most.
    pub async fn traces_with(
        &self,
        service: &str,
        tags: &BTreeMap<&str, &str>,
    ) -> Result<Vec<Trace>, Error> {
        let tags = serde_json::to_string(tags).unwrap_or_default();
        let query = [("service", service), ("limit", "1000"), ("lookback", "2d"), ("tags", &tags)];
        let found: Option<Vec<wire::Trace>> = self.get("traces", &query).await?;
        Ok(found.into_iter().flatten().map(Trace::from).collect())
    }

    /// The trace, as soon as it is as it should be.
    pub async fn await_trace(
        &self,
        id: &str,
        within: Duration,
        condition: &str,
        is: impl Fn(&Trace) -> bool,
    ) -> Result<Trace, Error> {
        let since = Instant::now();
        loop {
            let trace = self.trace(id).await?;
            match trace {
                Some(trace) if is(&trace) => return Ok(trace),
                trace if since.elapsed() > within => {
                    return Err(late(format!("trace {id}"), condition, within, trace.as_slice()));
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The traces of a service, as soon as they are as they should be.
    pub async fn await_traces(
        &self,
        service: &str,
        within: Duration,
        condition: &str,
        are: impl Fn(&[Trace]) -> bool,
    ) -> Result<Vec<Trace>, Error> {
        let since = Instant::now();
        loop {
            let traces = self.traces(service).await?;
            if are(&traces) {
                return Ok(traces);
            }
            if since.elapsed() > within {
                return Err(late(format!("traces of {service}"), condition, within, &traces));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    // Errors of a search, a trace that is not there among them, come as an envelope without data.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, Error> {
        #[derive(Deserialize)]
        struct Envelope<T> {
            data: Option<T>,
        }
        let url = format!("{}/api/{path}", self.base);
        let asked = self.http.get(&url).query(query).send().await;
        let read = async { asked?.json::<Envelope<T>>().await }.await;
        let envelope = read.map_err(|source| Error::Jaeger { url, source: Box::new(source) })?;
        Ok(envelope.data)
    }
}

/// A client for servers on loopback, whatever the environment says about proxies.
pub(crate) fn loopback() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap_or_default()
}

fn late(object: String, condition: &str, within: Duration, traces: &[Trace]) -> Error {
    let spans = traces.iter().flat_map(|trace| &trace.spans);
    let line = |span: &Span| {
        let Span { trace_id, span_id, operation, service, references, tags, .. } = span;
        format!("{trace_id} {span_id} {service} {operation:?} {references:?} {tags:?}\n")
    };
    Error::Waited {
        object,
        condition: condition.into(),
        seconds: within.as_secs(),
        state: spans.map(line).collect(),
    }
}

/// The JSON of the query API.
mod wire {
    use super::{BTreeMap, Deserialize, Reference, Value};

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Trace {
        #[serde(rename = "traceID")]
        id: String,
        #[serde(default)]
        spans: Vec<Span>,
        #[serde(default)]
        processes: BTreeMap<String, Process>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Span {
        #[serde(rename = "traceID")]
        trace_id: String,
        #[serde(rename = "spanID")]
        id: String,
        operation_name: String,
        #[serde(default)]
        references: Vec<Reference>,
        start_time: u64,
        duration: u64,
        #[serde(default)]
        tags: Vec<Tag>,
        logs: Option<Vec<Log>>,
        #[serde(rename = "processID")]
        process: String,
    }

    #[derive(Deserialize)]
    struct Log {
        timestamp: u64,
        fields: Vec<Tag>,
    }

    #[derive(Deserialize, Clone)]
    struct Tag {
        key: String,
        value: Value,
    }

    #[derive(Deserialize, Clone)]
    #[serde(rename_all = "camelCase")]
    struct Process {
        service_name: String,
        #[serde(default)]
        tags: Vec<Tag>,
    }

    fn map(tags: Vec<Tag>) -> BTreeMap<String, Value> {
        tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
    }

    impl From<Trace> for super::Trace {
        fn from(trace: Trace) -> Self {
            let Trace { id, spans, processes } = trace;
            let mut spans: Vec<_> = spans
                .into_iter()
                .map(|span| {
                    let process = processes.get(&span.process).cloned();
                    let (service, resource) =
                        process.map(|it| (it.service_name, map(it.tags))).unwrap_or_default();
                    let event =
                        |log: Log| super::Event { time: log.timestamp, fields: map(log.fields) };
                    super::Span {
                        trace_id: span.trace_id,
                        span_id: span.id,
                        operation: span.operation_name,
                        references: span.references,
                        tags: map(span.tags),
                        start: span.start_time,
                        duration: span.duration,
                        events: span.logs.into_iter().flatten().map(event).collect(),
                        service,
                        resource,
                    }
                })
                .collect();
            spans.sort_by_key(|span| span.start);
            Self { id, spans }
        }
    }
}
