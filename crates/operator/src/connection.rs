//! The connection to the API server of a process that runs for months.
//!
//! kube's own client repeats every method, or none. A 504 can follow a write that was stored, so writes
//! are repeated by the owner, who looks first. Reads are repeated here, except those of watches, which
//! have waits of their own.

use std::time::Duration;

use hyper::{Method, Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ConfigExt as _};
use kube::{Client, Config};
use tower::retry::{Policy, RetryLayer};
use tower::{BoxError, ServiceBuilder};

/// To be connected, without TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// A peer that is gone without a word is found after a minute.
const KEEPALIVE: Duration = Duration::from_secs(30);
const PROBE: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;

/// A read is made so often again at most, with waits between these, or as long as the server asks.
const RETRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A client that repeats reads and no writes, and notices a peer that is gone.
pub(crate) fn connect(mut config: Config) -> kube::Result<Client> {
    config.default_retry = false;
    if config.proxy_url.is_some() {
        // Only kube's own builder speaks to proxies.
        return Client::try_from(config);
    }
    let mut tcp = HttpConnector::new();
    // TLS is laid over it.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(PROBE));
    tcp.set_keepalive_retries(Some(PROBES));
    let tls = config.rustls_https_connector_with_connector(tcp)?;
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(tls);
    let policy = RetryPolicy::new(FIRST_WAIT, LONGEST_WAIT, RETRIES, true);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(policy.ok().map(|policy| RetryLayer::new(Reads(policy))))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

/// Marks a request that is not repeated, though it reads.
#[derive(Clone, Copy)]
pub(crate) struct Once;

/// Repeats what may be repeated.
#[derive(Clone)]
struct Reads(RetryPolicy);

impl<Res> Policy<Request<Body>, Response<Res>, BoxError> for Reads {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<Res>, BoxError>,
    ) -> Option<Self::Future> {
        let reads = request.method() == Method::GET && request.extensions().get::<Once>().is_none();
        reads.then(|| self.0.retry(request, result)).flatten()
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        <RetryPolicy as Policy<_, Response<Res>, BoxError>>::clone_request(&mut self.0, request)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use api::RolloutTrace;
    use kube::Api;
    use kube::api::{Patch, PatchParams};

    use super::*;
    use crate::watch::server::{ApiServer, Reply, page};

    fn throttled() -> Reply {
        Reply::Whole(429, Some(1), "Too many requests".to_owned())
    }

    #[tokio::test]
    async fn a_read_is_made_again_when_the_server_wants_it_and_a_write_is_not() {
        let mut requests = 0;
        let server = ApiServer::start(move |_| {
            requests += 1;
            if requests == 1 { throttled() } else { page(&[], "") }
        })
        .await;
        let config = Config::new(format!("http://{}", server.address).parse().unwrap());
        let client = connect(config).unwrap();
        let traces: Api<RolloutTrace> = Api::namespaced(client, "shop");
        let since = Instant::now();
        traces.list(&kube::api::ListParams::default()).await.unwrap();
        assert_eq!(server.count(), 2);
        assert!(since.elapsed() >= Duration::from_secs(1), "{:?}", since.elapsed());
        server.now(|_| throttled());
        let patch = Patch::Merge(serde_json::json!({}));
        traces.patch("cart", &PatchParams::default(), &patch).await.unwrap_err();
        assert_eq!(server.count(), 3);
    }

    #[tokio::test]
    async fn what_has_waits_of_its_own_is_made_once() {
        let server = ApiServer::start(|_| throttled()).await;
        let config = Config::new(format!("http://{}", server.address).parse().unwrap());
        let client = connect(config).unwrap();
        let mut request = Request::get("/api/v1/pods?limit=1").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Once);
        let answer = client.send(request).await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(server.count(), 1);
    }
}
