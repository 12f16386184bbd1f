//! The way to the collector: made when it is first needed, and made again after it failed.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::answer::{Answer, Body, WORDS_LIMIT, one_line};
use super::settings::{Protocol, SettingsError, Target};
use super::tls;
use super::{MESSAGE_LIMIT, Reason};

/// A connection that rests longer may have been forgotten by something on the way.
const REST: Duration = Duration::from_secs(30);
/// Before a message of gRPC stand a flag and its length.
const FRAME_HEAD: usize = 5;

type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The connections to one collector.
#[derive(Debug)]
pub(super) struct Connection {
    /// None after a failure: files of certificates may have been replaced, and are read again.
    client: Mutex<Option<Client>>,
}

impl Connection {
    pub(super) fn new(target: &Target) -> Result<Self, SettingsError> {
        Ok(Self { client: Mutex::new(Some(client(target)?)) })
    }

    /// What is sent from now on takes a new connection.
    pub(super) fn give_up(&self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The answer of the collector, or why there is none. Redirects are not followed: they would
    /// take our headers, and what is in them, to where nobody wanted them.
    pub(super) async fn send(
        &self,
        target: &Arc<Target>,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, (Reason, String)> {
        let client = self.client(target).await.map_err(|message| (Reason::File, message))?;
        exchange(&client, request).await.map_err(|error| {
            self.give_up();
            let reason = chain(&*error);
            let message = format!("{} does not answer: {reason}{}", target.shown, hint(target));
            (Reason::of_error(&*error), one_line(&message, WORDS_LIMIT))
        })
    }

    async fn client(&self, target: &Arc<Target>) -> Result<Client, String> {
        let known = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(client) = known {
            return Ok(client);
        }
        let target = Arc::clone(target);
        let made = tokio::task::spawn_blocking(move || client(&target)).await;
        let made = made.map_err(|error| error.to_string())?;
        let client = made.map_err(|error| one_line(&error.to_string(), WORDS_LIMIT))?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }
}

async fn exchange(
    client: &Client,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let (head, body) = client.request(request).await?.into_parts();
    let (body, trailers) = match Limited::new(body, MESSAGE_LIMIT + FRAME_HEAD).collect().await {
        Ok(collected) => {
            let trailers = collected.trailers().cloned().unwrap_or_default();
            (Body::Whole(collected.to_bytes()), trailers)
        }
        Err(error) if error.is::<LengthLimitError>() => (Body::TooLong, hyper::HeaderMap::new()),
        Err(error) => return Err(error),
    };
    Ok(Answer { status: head.status, headers: head.headers, body, trailers })
}

fn client(target: &Target) -> Result<Client, SettingsError> {
    let secure = target.secure();
    let connector = HttpsConnectorBuilder::new();
    let connector = if secure {
        connector.with_tls_config(tls::to(&target.certificates)?).https_only()
    } else {
        connector.with_tls_config(tls::none()?).https_or_http()
    };
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(target.timeout));
    let connector = match target.protocol {
        Protocol::Grpc => connector.enable_http2().wrap_connector(http),
        Protocol::HttpProtobuf => connector.enable_http1().wrap_connector(http),
    };
    let mut client = legacy::Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(REST);
    client.http2_only(target.protocol == Protocol::Grpc);
    Ok(client.build(connector))
}

/// An error with what it comes from; hyper says what went wrong only in the last of them.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = error.source();
    }
    text
}

/// The commonest mistake: the two protocols have two ports.
fn hint(target: &Target) -> &'static str {
    match (target.protocol, target.uri.port_u16()) {
        (Protocol::HttpProtobuf, Some(4317)) => {
            "; 4317 is the port of gRPC: OTEL_EXPORTER_OTLP_PROTOCOL=grpc?"
        }
        (Protocol::Grpc, Some(4318)) => {
            "; 4318 is the port of HTTP: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf?"
        }
        _ => "",
    }
}
