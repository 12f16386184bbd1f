//! Hands spans and metrics to an OpenTelemetry collector, by OTLP over gRPC or HTTP, and says what
//! became of them.
//!
//! `opentelemetry-otlp`'s exporter answers `Ok` to a partial success and hides whether an error is
//! permanent, and tonic's client panics on a malformed `grpc-status-details-bin`. So the spans of
//! attempts, which must not be lost, are messages of `opentelemetry-proto`. The operator's own metrics
//! and traces are encoded by `opentelemetry-otlp`. Both are brought to a collector over hyper by the same
//! `sender`; the standard `OTEL_*` variables are read in one file, [`settings`].
//!
//! `encode` makes the bytes of spans and [`metrics`] those of metrics; `sender` brings them to a
//! collector, for the SDK by `carrier`: `grpc` and `http` put them into a request, `connection` sends it and `answer` judges
//! what comes back, by the rules of OTLP (opentelemetry-proto, docs/specification.md). Nothing is
//! kept here: spans that are not acknowledged are still in the journal, and counts come again.

mod answer;
mod carrier;
#[cfg(test)]
pub(crate) mod collector;
mod connection;
mod encode;
mod grpc;
mod http;
pub mod metrics;
mod own_traces;
mod reason;
mod sender;
pub mod settings;
mod signal;
mod tls;

use std::fmt;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{HeaderMap, Response};
use timeline::spans::Batch;

use answer::{Answer, Body};
pub use encode::encoded;
pub(crate) use own_traces::OwnTracesExporter;
pub use reason::Reason;
use sender::{Sender, judge};
use settings::Protocol;
pub use settings::{MetricsSettings, OtlpArgs, OwnTracesSettings, Settings, SettingsError};

/// What a message may weigh, before compression, in both directions: what OTLP recommends and
/// gRPC's servers enforce.
const MESSAGE_LIMIT: usize = 4 << 20;

/// Sends batches to one collector. Cheap to clone; connects when first needed, and again by itself.
#[derive(Clone)]
pub struct Exporter {
    sender: Sender,
}

/// What became of a batch, or of a request of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// The collector took all of it.
    Acknowledged,
    /// The collector took it and threw some spans or points away. OTLP forbids to send it again.
    Partly {
        /// How many were thrown away; never more than there were.
        refused: u64,
        /// The collector's words, at most 256 bytes in one line.
        message: String,
    },
    /// The collector will never take it.
    Refused {
        /// Why, at most 512 bytes in one line.
        message: String,
    },
    /// It was not taken; send it again later.
    Later {
        /// What the collector asks to wait, at most an hour.
        after: Option<Duration>,
        /// Why, in kind.
        reason: Reason,
        /// Why, at most 512 bytes in one line.
        message: String,
    },
    /// It was not taken, perhaps because of what it is: send it again later, and not for ever.
    Doubtful {
        /// Why, in kind.
        reason: Reason,
        /// Why, at most 512 bytes in one line.
        message: String,
    },
}

impl Exporter {
    /// An exporter; none if export is off: no endpoint is given, `OTEL_TRACES_EXPORTER=none`, or
    /// `OTEL_SDK_DISABLED=true`.
    ///
    /// # Errors
    /// If a file of certificates cannot be used. Whether there is a collector is not looked at.
    pub fn new(settings: &Settings) -> Result<Option<Self>, SettingsError> {
        let Some(target) = &settings.target else { return Ok(None) };
        if !settings.left_out.is_empty() {
            tracing::info!(
                attributes = settings.left_out.join(", "),
                "left out of OTEL_RESOURCE_ATTRIBUTES: they describe this process, \
                 the spans describe the service that is rolled out"
            );
        }
        Ok(Some(Self { sender: Sender::new(target)? }))
    }

    /// Sends a batch once and waits for the answer, at most as long as the timeout.
    ///
    /// The same batch is always the same bytes, so that one that is sent again, because its
    /// acknowledgement was lost or not stored, shows once.
    pub async fn deliver(&self, batch: &Batch) -> Delivered {
        if batch.spans.is_empty() {
            return Delivered::Acknowledged;
        }
        let message = encode::message(batch, &self.sender.target.resource);
        self.sender.send(message, batch.spans.len() as u64).await
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exporter").field(&self.sender).finish()
    }
}

impl fmt::Display for Exporter {
    /// Where it sends to and how, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sender.fmt(f)
    }
}

/// What an answer means to a batch of so many spans, over gRPC or HTTP. What gRPC says in trailers
/// may stand among the headers.
pub fn answered(grpc: bool, answer: Response<Bytes>, spans: u64) -> Delivered {
    let (head, body) = answer.into_parts();
    let body = if body.len() > MESSAGE_LIMIT { Body::TooLong } else { Body::Whole(body) };
    let protocol = if grpc { Protocol::Grpc } else { Protocol::HttpProtobuf };
    let (status, headers) = (head.status, head.headers);
    judge(protocol, &Answer { status, headers, body, trailers: HeaderMap::new() }, spans)
}
