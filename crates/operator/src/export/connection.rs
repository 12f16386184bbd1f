//! The way to the collector: made when it is first needed, and made anew after it failed.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::MESSAGE_LIMIT;
use super::answer::{Answer, Body, WORDS_LIMIT, one_line};
use super::settings::{Certificates, File, Protocol, SettingsError, Target};

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
    ) -> Result<Answer, String> {
        let client = self.client(target).await?;
        exchange(&client, request).await.map_err(|error| {
            self.give_up();
            let reason = chain(&*error);
            let message = format!("{} does not answer: {reason}{}", target.shown, hint(target));
            one_line(&message, WORDS_LIMIT)
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
        connector.with_tls_config(tls(&target.certificates)?).https_only()
    } else {
        connector.with_tls_config(no_tls()?).https_or_http()
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

/// The provider is named: one that is installed for the whole process is somebody else's choice.
fn tls_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, SettingsError>
{
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Tls { reason: error.to_string() })
}

fn no_tls() -> Result<ClientConfig, SettingsError> {
    Ok(tls_builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn tls(certificates: &Certificates) -> Result<ClientConfig, SettingsError> {
    let builder = tls_builder()?;
    let builder = match &certificates.authority {
        Some(file) => builder.with_root_certificates(authorities(file)?),
        None => builder
            .with_native_roots()
            .map_err(|error| SettingsError::NoAuthorities { reason: error.to_string() })?,
    };
    let Some((certificate, key)) = &certificates.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = all_of(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(&key.path)
        .map_err(|error| key.unusable(&in_words(error, "private key")))?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| certificate.unusable(&error))
}

fn authorities(file: &File) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in all_of(file)? {
        roots.add(certificate).map_err(|error| file.unusable(&error))?;
    }
    Ok(roots)
}

fn all_of(file: &File) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let certificates = CertificateDer::pem_file_iter(&file.path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file.unusable(&in_words(error, "certificate")))?;
    if certificates.is_empty() {
        return Err(file.unusable(&in_words(pem::Error::NoItemsFound, "certificate")));
    }
    Ok(certificates)
}

/// What is wrong with a file of PEM. Its own words repeat lines of the file, which may be a key's.
fn in_words(error: pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {what} in it"),
        _ => "it is not PEM".to_owned(),
    }
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
