//! Requests to the API server, each a span below that of the effect that makes it.

use kube::Client;
use kube::client::Body;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_http::{HeaderInjector, Request, Response};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tower::BoxError;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TARGET;

/// A client that makes a span of each request of an effect, and sends its context to the API server.
pub(crate) fn traced(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            // The task of the effect polls this; what calls it is a task of the client's.
            let parent = Span::current();
            let own = parent.metadata().is_some_and(|metadata| metadata.target() == TARGET);
            if !own {
                return client.send(request).await.map_err(BoxError::from);
            }
            send(&client, request, &parent).await
        }
    });
    Client::new(service, namespace)
}

async fn send(
    client: &Client,
    mut request: Request<Body>,
    parent: &Span,
) -> Result<Response<Body>, BoxError> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!(
        target: TARGET,
        parent: parent,
        "request",
        otel.name = format!("{method} {}", resource(&path)),
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = %method,
        http.response.status_code = Empty,
        url.path = path,
    );
    let context = span.context();
    TraceContextPropagator::new()
        .inject_context(&context, &mut HeaderInjector(request.headers_mut()));
    let answer = client.send(request).instrument(span.clone()).await;
    let status = answer.as_ref().ok().map(Response::status);
    if let Some(status) = status {
        span.record("http.response.status_code", i64::from(status.as_u16()));
    }
    if !status.is_some_and(|status| status.is_success()) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_ref().map_or("no_answer", |status| status.as_str()));
    }
    answer.map_err(BoxError::from)
}

/// The resource of a path, without what names an object: `keptnappcontexts`, `rollouttraces/status`.
fn resource(path: &str) -> String {
    let mut words = path.split('/').filter(|word| !word.is_empty());
    // /api/v1/... or /apis/GROUP/VERSION/...
    let skipped = if words.next() == Some("api") { 1 } else { 2 };
    let mut words = words.skip(skipped).peekable();
    let mut kind = words.next().unwrap_or_default();
    if kind == "namespaces" {
        let _namespace = words.next();
        kind = words.next().unwrap_or(kind);
    }
    match words.nth(1) {
        Some(part) => format!("{kind}/{part}"),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_its_resource_and_not_by_its_object() {
        for (path, name) in [
            (
                "/apis/lifecycle.keptn.sh/v1/namespaces/shop/keptnappcontexts/cart",
                "keptnappcontexts",
            ),
            ("/apis/lifecycle.keptn.sh/v1/namespaces/shop/keptnappcontexts", "keptnappcontexts"),
            (
                "/apis/throughline.dev/v1alpha1/namespaces/shop/rollouttraces/cart/status",
                "rollouttraces/status",
            ),
            ("/apis/throughline.dev/v1alpha1/rolloutattempts", "rolloutattempts"),
            ("/api/v1/namespaces/shop/pods", "pods"),
            ("/api/v1/namespaces", "namespaces"),
            ("/version", ""),
        ] {
            assert_eq!(resource(path), name, "{path}");
        }
    }
}
