//! The requests of a watch: a page of a list, and the start of a watch, each with an end.
//!
//! kube's own watcher is not used: it begins a list of many pages again when one of them fails, resets
//! the waits of its caller before every try, drops `Retry-After`, gives a request that is never
//! answered no end, and says nothing of a watch that runs again.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, TryStreamExt};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Bytes;
use hyper::{Response, header};
use kube::Client;
use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::{Request, Status};
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;

use crate::connection::Once;
use crate::rejection::Rejection;
use crate::words;

/// The words of a problem, in bytes; proxies answer with whole pages.
const PROBLEM_LIMIT: usize = 1024;
/// An answer that is no object is not read beyond this.
const STATUS_LIMIT: usize = 64 << 10;
/// The API server takes no object above 3 MiB.
const OBJECT_LIMIT: usize = 16 << 20;

/// How long the parts of a watch may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The first wait after a failure.
    pub(crate) first_wait: Duration,
    /// A kind that is absent or forbidden is asked for this often at least: it heals without a
    /// restart, and costs an idle cluster next to nothing.
    pub(crate) absent_wait: Duration,
    /// The longest wait after any other failure, if the server asks for none.
    pub(crate) longest_wait: Duration,
    /// A page of a list, from the request to its end. The API server itself gives up after a minute.
    pub(crate) page: Duration,
    /// The start of a watch, to the head of the answer.
    pub(crate) start: Duration,
    /// A watch is ended by the API server after this, and begun again: a connection that is dead is
    /// found no later. In whole seconds.
    pub(crate) watch: Duration,
    /// How much later than that the end may arrive.
    pub(crate) slack: Duration,
    /// A watch that lasts as long has begun well.
    pub(crate) steady: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            absent_wait: Duration::from_secs(45),
            longest_wait: Duration::from_secs(20),
            page: Duration::from_secs(65),
            start: Duration::from_secs(30),
            watch: Duration::from_secs(150),
            slack: Duration::from_secs(15),
            steady: Duration::from_secs(10),
        }
    }
}

/// Why a request failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) rejection: Rejection,
    /// The word for it in `throughline_errors_total`.
    pub(super) error_type: &'static str,
    /// In the words of who refused it.
    pub(super) problem: String,
    /// How long the server wants to be left alone.
    pub(super) after: Option<Duration>,
}

impl Failure {
    fn of(error: &kube::Error) -> Self {
        Self::new(Rejection::of(error), words(error))
    }

    fn new(rejection: Rejection, problem: impl Into<String>) -> Self {
        let problem = crate::observe::bounded(problem.into(), PROBLEM_LIMIT);
        Self { rejection, error_type: rejection.error_type(), problem, after: None }
    }

    pub(super) fn unreadable(error: &serde_json::Error) -> Self {
        Self::new(Rejection::Unreadable, error.to_string())
    }

    pub(super) fn of_status(status: &Status) -> Self {
        let after = status.details.as_ref().map(|details| details.retry_after_seconds);
        let after = after.filter(|seconds| *seconds > 0);
        Self {
            after: after.map(|seconds| Duration::from_secs(seconds.into())),
            ..Self::new(Rejection::of_status(status), status.message.clone())
        }
    }

    pub(super) fn without_version() -> Self {
        Self::new(Rejection::Unreadable, "the API server answers with no list")
    }

    pub(super) fn cut_short() -> Self {
        Self::new(Rejection::NoAnswer, "the connection ends as soon as it is begun")
    }

    pub(super) fn timeout(problem: &str) -> Self {
        Self { error_type: "timeout", ..Self::new(Rejection::NoAnswer, problem) }
    }
}

/// Where the objects of a kind come from.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) path: String,
    pub(super) selector: Option<String>,
    pub(super) limits: Limits,
}

impl Source {
    /// A page of a list, as text.
    pub(super) async fn page(&self, limit: u32, token: Option<&str>) -> Result<Bytes, Failure> {
        let params = ListParams {
            label_selector: self.selector.clone(),
            limit: Some(limit),
            continue_token: token.map(str::to_owned),
            ..ListParams::default()
        };
        let request = Request::new(&self.path).list(&params);
        let request = request.map_err(|error| Failure::of(&kube::Error::BuildRequest(error)))?;
        let page = async {
            let body = self.send(request.map(Body::from)).await?.into_body();
            let body = body.collect().await.map_err(|error| Failure::of(&error))?;
            Ok(body.to_bytes())
        };
        tokio::time::timeout(self.limits.page, page)
            .await
            .unwrap_or_else(|_| Err(Failure::timeout("the API server does not answer a list")))
    }

    /// What happens after a version.
    pub(super) async fn watch(&self, version: &str) -> Result<Lines, Failure> {
        self.begin(version, false).await
    }

    /// What is there, and then what happens.
    pub(super) async fn list_and_watch(&self) -> Result<Lines, Failure> {
        self.begin("", true).await
    }

    async fn begin(&self, version: &str, send_initial_events: bool) -> Result<Lines, Failure> {
        let params = WatchParams {
            label_selector: self.selector.clone(),
            timeout: Some(u32::try_from(self.limits.watch.as_secs()).unwrap_or(u32::MAX)),
            bookmarks: true,
            send_initial_events,
            ..WatchParams::default()
        };
        let request = Request::new(&self.path).watch(&params, version);
        let request = request.map_err(|error| Failure::of(&kube::Error::BuildRequest(error)))?;
        let began = Instant::now();
        let answer = tokio::time::timeout(self.limits.start, self.send(request.map(Body::from)))
            .await
            .unwrap_or_else(|_| Err(Failure::timeout("the API server does not begin a watch")))?;
        let bytes = answer.into_body().into_data_stream().map_err(io::Error::other);
        let codec = LinesCodec::new_with_max_length(OBJECT_LIMIT);
        let lines = FramedRead::new(StreamReader::new(bytes), codec);
        let lines = lines.map_err(|error| error.to_string());
        let ends = began + self.limits.watch + self.limits.slack;
        Ok(Lines { text: lines.boxed(), began, last: began, ends })
    }

    async fn send(&self, mut request: hyper::Request<Body>) -> Result<Response<Body>, Failure> {
        request.extensions_mut().insert(Once);
        let answer = self.client.send(request).await.map_err(|error| Failure::of(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let code = answer.status().as_u16();
        let asked = answer.headers().get(header::RETRY_AFTER).and_then(|it| it.to_str().ok());
        let asked = asked.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let body = Limited::new(answer.into_body(), STATUS_LIMIT).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        // A proxy, and the API server where it serves no such group, answer in plain text.
        let status = serde_json::from_slice::<Status>(&body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&body);
            let text = text.lines().next().unwrap_or_default().trim();
            Status::failure(text, "").with_code(code)
        });
        let mut failure = Failure::of_status(&status);
        failure.after = asked.or(failure.after);
        Err(failure)
    }
}

/// The lines of a watch.
pub(super) struct Lines {
    text: Pin<Box<dyn Stream<Item = Result<String, String>> + Send>>,
    began: Instant,
    last: Instant,
    ends: Instant,
}

impl Lines {
    /// The next line; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<String>, Failure> {
        match tokio::time::timeout_at(self.ends.into(), self.text.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(line))) => {
                self.last = Instant::now();
                Ok(Some(line))
            }
            Ok(Some(Err(error))) => Err(Failure::new(Rejection::NoAnswer, error)),
            Err(_) => {
                Err(Failure::timeout("the API server does not end a watch: the connection is dead"))
            }
        }
    }

    /// When something came last.
    pub(super) const fn last(&self) -> Instant {
        self.last
    }

    /// How long it lasts.
    pub(super) fn lasted(&self) -> Duration {
        self.began.elapsed()
    }
}
