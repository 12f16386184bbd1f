//! The server that the API server asks: POST /admission/keptnappversions, by TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::certificate::Served;
use super::published::Published;
use super::review::review;
use crate::metrics::Metrics;
use crate::own_traces;

/// Where KeptnAppVersions are sent; `config/admission` says the same.
pub(super) const PATH: &str = "/admission/keptnappversions";
/// The API server stores no object above 1.5 MiB.
const LARGEST: usize = 3 * 1024 * 1024;
/// A second after it asked, the API server waits no longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// API servers keep a few connections each.
const CONNECTIONS: usize = 64;
/// Those that are answered when the process ends.
const ENDING: Duration = Duration::from_secs(1);

/// Serves until asked to stop.
pub(super) async fn serve(
    listener: TcpListener,
    served: Arc<Served>,
    published: Published,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let Some(acceptor) = acceptor(served) else {
        tracing::error!("links are not decided by admission: TLS cannot be set up");
        return;
    };
    let router = router(published, metrics);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection was lost");
                // Out of file descriptors, accept fails again at once, and nothing signals that one is
                // free: this keeps the loop from spinning.
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&connections).try_acquire_owned() else { continue };
        let (acceptor, router, watcher) = (acceptor.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let Some(stream) = handshake(&acceptor, stream).await else { return };
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE * 60);
            builder.http2().timer(TokioTimer::new()).keep_alive_interval(PATIENCE * 30);
            let connection = builder
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
                .into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "a connection was lost");
            }
        });
    }
    timeout(ENDING, graceful.shutdown()).await.ok();
}

async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    match timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no TLS came about");
            None
        }
        Err(_) => None,
    }
}

fn acceptor(served: Arc<Served>) -> Option<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().ok()?;
    let mut config = config.with_no_client_auth().with_cert_resolver(served);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Some(TlsAcceptor::from(Arc::new(config)))
}

fn router(published: Published, metrics: Metrics) -> Router {
    let answer = async move |headers: HeaderMap, body: Body| {
        let span = own_traces::admission(&headers);
        answer(body, &published, &metrics).instrument(span).await
    };
    Router::new().route(PATH, post(answer))
}

/// Whatever is wrong with a request, the KeptnAppVersion is made as it is: the configuration says
/// `failurePolicy: Ignore` for what has no answer in the form of a review.
async fn answer(body: Body, published: &Published, metrics: &Metrics) -> Response {
    let (status, why) = match timeout(PATIENCE, to_bytes(body, LARGEST)).await {
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time"),
        Ok(Err(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "the request is larger than 3 MiB or broken"),
        Ok(Ok(bytes)) => match review(&bytes, published).await {
            None => (StatusCode::BAD_REQUEST, "the request is no AdmissionReview of version v1"),
            Some(reviewed) => {
                metrics.admitted(reviewed.word);
                return written(&reviewed.review);
            }
        },
    };
    tracing::warn!(why, "a KeptnAppVersion is made as it is");
    metrics.admitted("unreadable");
    (status, why).into_response()
}

fn written(review: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(review) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
