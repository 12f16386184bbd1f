//! Brings a message of either signal to a collector, once, and says what became of it.

use std::fmt;
use std::sync::Arc;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HeaderMap;

use super::answer::{Answer, WORDS_LIMIT, one_line};
use super::connection::Connection;
use super::settings::{Protocol, SettingsError, Target};
use super::{Delivered, MESSAGE_LIMIT, Reason, grpc, http};

/// Cheap to clone; connects when first needed, and again by itself.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) target: Arc<Target>,
    connection: Arc<Connection>,
}

impl Sender {
    pub(super) fn new(target: &Arc<Target>) -> Result<Self, SettingsError> {
        let connection = Connection::new(target)?;
        target.header_files.add_to(&mut HeaderMap::new())?;
        Ok(Self { target: Arc::clone(target), connection: Arc::new(connection) })
    }

    /// Sends a message of so many items, spans or points, and waits for the answer, at most as long
    /// as the timeout.
    pub(super) async fn send(&self, message: impl Into<Bytes>, items: u64) -> Delivered {
        let message = message.into();
        if message.len() > MESSAGE_LIMIT {
            let size = message.len();
            let message = format!("{size} bytes are more than the {MESSAGE_LIMIT} of OTLP");
            return Delivered::Refused { message };
        }
        let exchange = self.exchange(message, items);
        if let Ok(delivered) = tokio::time::timeout(self.target.timeout, exchange).await {
            return delivered;
        }
        // The connection may be half open, and would then swallow the next one too.
        self.connection.give_up();
        let Target { shown, timeout, .. } = &*self.target;
        let message = one_line(&format!("no answer from {shown} within {timeout:?}"), WORDS_LIMIT);
        Delivered::Later { after: None, reason: Reason::Timeout, message }
    }

    async fn exchange(&self, message: Bytes, items: u64) -> Delivered {
        let headers = match self.headers().await {
            Ok(headers) => headers,
            Err(message) => {
                return Delivered::Later { after: None, reason: Reason::File, message };
            }
        };
        let answer = match self.request(headers, message).await {
            Ok(request) => self.connection.send(&self.target, request).await,
            Err(error) => return Delivered::Refused { message: error.to_string() },
        };
        match answer {
            Ok(answer) => judge(self.target.protocol, &answer, items),
            Err((reason, message)) => Delivered::Later { after: None, reason, message },
        }
    }

    /// What goes with a request, as the files say now. One that was replaced needs no restart.
    async fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = self.target.headers.clone();
        if self.target.header_files.is_empty() {
            return Ok(headers);
        }
        let target = Arc::clone(&self.target);
        let read = tokio::task::spawn_blocking(move || {
            target.header_files.add_to(&mut headers).map(|()| headers)
        });
        let read = read.await.map_err(|error| error.to_string())?;
        read.map_err(|error| one_line(&error.to_string(), WORDS_LIMIT))
    }

    /// To compress a large message takes longer than the owner may wait.
    async fn request(
        &self,
        headers: HeaderMap,
        message: Bytes,
    ) -> std::io::Result<Request<Full<Bytes>>> {
        let target = Arc::clone(&self.target);
        let make = move || match target.protocol {
            Protocol::Grpc => grpc::request(&target, headers, &message),
            Protocol::HttpProtobuf => http::request(&target, headers, message),
        };
        if !self.target.gzip {
            return make();
        }
        tokio::task::spawn_blocking(make).await.map_err(std::io::Error::other)?
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.target).finish()
    }
}

impl fmt::Display for Sender {
    /// Where it sends to and how, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.target.shown, self.target.protocol)
    }
}

pub(super) fn judge(protocol: Protocol, answer: &Answer, items: u64) -> Delivered {
    match protocol {
        Protocol::Grpc => grpc::judge(answer, items),
        Protocol::HttpProtobuf => http::judge(answer, items),
    }
}
