//! A scripted collector over HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Response;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What the collector does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    Refuses,
    TakesInPart,
    IsAway,
    Hangs,
}

/// Over HTTP; it can change its mood.
#[derive(Clone)]
pub(crate) struct Collector {
    mood: Arc<Mutex<Mood>>,
    received: Arc<Mutex<Vec<Bytes>>>,
    authorized: Arc<Mutex<Vec<String>>>,
    asked: Arc<AtomicUsize>,
    arrived: Arc<Notify>,
}

impl Collector {
    pub(crate) async fn start(mood: Mood) -> (Self, String) {
        let mood = Arc::new(Mutex::new(mood));
        let collector = Self {
            mood,
            received: Arc::default(),
            authorized: Arc::default(),
            asked: Arc::default(),
            arrived: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let it = collector.clone();
        let router = Router::new().fallback(async move |request: Request| {
            if let Some(by) = request.headers().get("authorization") {
                it.authorized.lock().unwrap().push(by.to_str().unwrap().to_owned());
            }
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
            it.answer(body).await
        });
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (collector, url)
    }

    async fn answer(&self, body: Bytes) -> Response<Body> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Takes {
            self.received.lock().unwrap().push(body);
        }
        self.arrived.notify_one();
        let status = |code| Response::builder().status(code).body(Body::empty()).unwrap();
        match mood {
            Mood::Takes => status(200),
            Mood::Refuses => status(400),
            Mood::IsAway => status(503),
            Mood::Hangs => std::future::pending().await,
            Mood::TakesInPart => {
                let partial_success = Some(ExportMetricsPartialSuccess {
                    rejected_data_points: 1,
                    error_message: "too old".to_owned(),
                });
                let answer = ExportMetricsServiceResponse { partial_success };
                Response::new(Body::from(answer.encode_to_vec()))
            }
        }
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it was asked once more.
    pub(crate) async fn arrival(&self) {
        tokio::time::timeout(Duration::from_secs(30), self.arrived.notified()).await.unwrap();
    }

    /// The messages that it took.
    pub(crate) fn took(&self) -> Vec<Bytes> {
        self.received.lock().unwrap().clone()
    }
}

impl Collector {
    /// The header `authorization` of each request that had one.
    pub(crate) fn authorized(&self) -> Vec<String> {
        self.authorized.lock().unwrap().clone()
    }
}

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Who writes from `INFO` on into it.
    pub(crate) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let (writer, subscriber) = (self.clone(), tracing_subscriber::fmt());
        let subscriber = subscriber.with_max_level(tracing::Level::INFO).with_ansi(false);
        subscriber.with_writer(move || writer.clone()).finish()
    }
}
