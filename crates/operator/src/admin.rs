//! The admin server: /livez, /readyz, /metrics.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// Serves until asked to stop.
///
/// `/livez` says only that the process answers: restarting it makes no missing CRD appear and no
/// API server answer, so those are shown by `/readyz`.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    readiness: Readiness,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async move || ready(&readiness)))
        .route("/metrics", get(async move || render(metrics).await));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn ready(readiness: &Readiness) -> impl IntoResponse + use<> {
    let (ready, text) = readiness.report(std::time::Instant::now());
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
}

/// Beside the owner: thousands of Rollouts have many series.
async fn render(metrics: Metrics) -> impl IntoResponse + use<> {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = tokio::task::spawn_blocking(move || metrics.text()).await;
    match text {
        Ok(Ok(text)) => (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text),
        Ok(Err(error)) => failed(kind, &error),
        Err(error) => failed(kind, &error),
    }
}

type Page = (StatusCode, [(header::HeaderName, &'static str); 1], String);

fn failed(kind: &'static str, error: &dyn std::error::Error) -> Page {
    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, kind)], error.to_string())
}
