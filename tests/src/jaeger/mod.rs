//! The query API of Jaeger.

mod trace;
mod tree;
mod wire;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use trace::{Event, Reference, ReferenceKind, Span, Trace};

use crate::cluster::Error;

/// A client of the query API.
#[derive(Debug, Clone)]
pub struct Jaeger {
    base: String,
    http: reqwest::Client,
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
