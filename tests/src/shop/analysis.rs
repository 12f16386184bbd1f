//! Metrics for analyses.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cluster::Error;

/// A metric of an analysis.
#[derive(Debug, Clone)]
pub struct Metric {
    provider: Provider,
    count: Option<u32>,
    interval: u32,
    delay: u32,
}

#[derive(Debug, Clone)]
enum Provider {
    /// Answers `{"value": ...}`.
    Web(String),
    Job(Job),
}

/// How the Job of a metric ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Its pod succeeds.
    Succeeds,
    /// Its pod fails, and is not tried again.
    Fails,
}

impl Metric {
    /// `success-rate`, as the recordings have it: two measurements over HTTP, 2 s apart; from 0.95
    /// on they are successful, below 0.6 they fail, and between they cannot decide.
    pub fn at(url: &str) -> Self {
        Self { provider: Provider::Web(url.into()), count: Some(2), interval: 2, delay: 0 }
    }

    /// `smoke-test`: a Job, once.
    pub fn job(job: Job) -> Self {
        Self { provider: Provider::Job(job), count: Some(1), interval: 1, delay: 0 }
    }

    /// How many measurements.
    #[must_use]
    pub fn count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Measured until somebody ends it, as analyses in the background are.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.count = None;
        self
    }

    /// How many seconds lie between measurements.
    #[must_use]
    pub fn every(mut self, seconds: u32) -> Self {
        self.interval = seconds;
        self
    }

    /// How many seconds pass before the first one. A run of an Experiment that is over before the
    /// controller has seen it is made twice.
    #[must_use]
    pub fn after(mut self, seconds: u32) -> Self {
        self.delay = seconds;
        self
    }

    pub(super) fn template(&self, name: &str) -> Value {
        let mut metric = match &self.provider {
            Provider::Web(url) => json!({
                "name": "success-rate",
                "successCondition": "asFloat(result) >= 0.95",
                "failureCondition": "asFloat(result) < 0.6",
                "provider": { "web": { "url": url, "jsonPath": "{$.value}" } },
            }),
            Provider::Job(job) => {
                json!({ "name": "smoke-test", "provider": { "job": { "spec": job.spec() } } })
            }
        };
        metric["failureLimit"] = json!(0);
        metric["interval"] = json!(format!("{}s", self.interval));
        if self.delay > 0 {
            metric["initialDelay"] = json!(format!("{}s", self.delay));
        }
        if let Some(count) = self.count {
            metric["count"] = json!(count);
        }
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisTemplate",
            "metadata": { "name": name },
            "spec": { "metrics": [metric] },
        })
    }
}

impl Job {
    fn spec(self) -> Value {
        let kind = match self {
            Self::Succeeds => "ready",
            Self::Fails => "fail",
        };
        json!({
            "backoffLimit": 0,
            "template": {
                "metadata": { "annotations": { "test.throughline.dev/pod": kind } },
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{ "name": "smoke-test", "image": "example/smoke-test:1.0.0" }],
                },
            },
        })
    }
}

/// A web server on loopback that shows a value: what a metric reads.
#[derive(Debug)]
pub struct Gauge {
    url: String,
    value: Arc<Mutex<f64>>,
    server: JoinHandle<()>,
}

impl Gauge {
    /// Listens on a free port, until it is dropped.
    pub async fn show(value: f64) -> Result<Self, Error> {
        let refuse = |source| Error::Start { program: "the gauge".into(), source };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(refuse)?;
        let url = format!("http://{}/", listener.local_addr().map_err(refuse)?);
        let value = Arc::new(Mutex::new(value));
        let shown = Arc::clone(&value);
        let answer = move || async move {
            let value = *shown.lock().unwrap_or_else(PoisonError::into_inner);
            Json(json!({ "value": value.to_string() }))
        };
        let server = tokio::spawn(async move {
            // It ends when it is dropped, and then nobody waits for its result.
            let _ = axum::serve(listener, Router::new().route("/", get(answer))).await;
        });
        Ok(Self { url, value, server })
    }

    /// Shows another value from now on.
    pub fn set(&self, value: f64) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// The metric that reads it.
    pub fn metric(&self) -> Metric {
        Metric::at(&self.url)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.server.abort();
    }
}
