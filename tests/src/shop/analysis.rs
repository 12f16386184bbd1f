//! Metrics for analyses.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cluster::Error;

/// A metric that an analysis measures over HTTP.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Where: answers `{"value": ...}`.
    pub url: String,
    /// When a measurement is a success.
    pub success: String,
    /// How many measurements.
    pub count: u32,
    /// Seconds between them.
    pub interval: u32,
}

impl Metric {
    /// A metric as the recordings have it: two measurements, both at least 0.95.
    pub fn at(url: &str) -> Self {
        let success = "asFloat(result) >= 0.95".into();
        Self { url: url.into(), success, count: 2, interval: 2 }
    }

    pub(super) fn template(&self, name: &str) -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisTemplate",
            "metadata": { "name": name },
            "spec": { "metrics": [{
                "name": "success-rate",
                "count": self.count,
                "interval": format!("{}s", self.interval),
                "failureLimit": 0,
                "successCondition": self.success,
                "provider": { "web": { "url": self.url, "jsonPath": "{$.value}" } },
            }] },
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
            // It ends when it is dropped, and then nobody is left to tell.
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
