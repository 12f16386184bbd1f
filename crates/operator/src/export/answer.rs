//! What an answer of a collector means, as far as it is the same over gRPC and HTTP: OTLP's
//! docs/specification.md, "OTLP/HTTP Response" and "OTLP/gRPC Response".

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use hyper::body::Bytes;
use hyper::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};
use jiff::fmt::rfc2822;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::{Delivered, MESSAGE_LIMIT, Reason};

/// What a collector says is shown up to here, in bytes.
const QUOTE_LIMIT: usize = 256;
/// What we say of it, its words included.
pub(super) const WORDS_LIMIT: usize = 512;
/// No collector may keep us waiting for longer.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// An answer, whole.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    pub(super) trailers: HeaderMap,
}

/// What stood in an answer.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Whole(Bytes),
    /// More than OTLP's limit; it was not read to the end.
    TooLong,
}

impl Answer {
    /// A header as text; none if it is no ASCII.
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The type of the body, without parameters, in lower case.
    pub(super) fn content_type(&self) -> Option<String> {
        let essence = self.header(CONTENT_TYPE)?.split(';').next()?;
        Some(essence.trim().to_ascii_lowercase())
    }

    /// The body of an answer over HTTP, decompressed; none if that cannot be.
    pub(super) fn content(&self) -> Option<Bytes> {
        let Body::Whole(body) = &self.body else { return None };
        match self.header(CONTENT_ENCODING) {
            Some("gzip") => gunzip(body),
            None | Some("identity") => Some(body.clone()),
            Some(_) => None,
        }
    }
}

/// The collector took the message; its own says whether all of it.
///
/// An answer that cannot be read changes nothing: the status has said that the message was taken,
/// and to send it again would be for ever. The answers of all signals have the same fields.
pub(super) fn taken(message: Option<&[u8]>, items: u64) -> Delivered {
    let response = message.and_then(|message| ExportTraceServiceResponse::decode(message).ok());
    let Some(response) = response else {
        tracing::debug!("the collector acknowledged with an answer that is not OTLP");
        return Delivered::Acknowledged;
    };
    let Some(partial) = response.partial_success else { return Delivered::Acknowledged };
    let message = quoted(&partial.error_message);
    if let Ok(refused @ 1..) = u64::try_from(partial.rejected_spans) {
        return Delivered::Partly { refused: refused.min(items), message };
    }
    if !message.is_empty() {
        tracing::warn!(message, "the collector took everything, and sent a message with it");
    }
    Delivered::Acknowledged
}

/// What an HTTP status that is no success means.
///
/// Only four are to be tried again, "all other 4xx or 5xx response status codes MUST NOT be
/// retried"; of those, 5xx are tried for a day. A redirect is neither: no collector looked at the batch, so nothing is lost by keeping it.
pub(super) fn turned_down(answer: &Answer) -> Delivered {
    let words = match answer.content_type().as_deref() {
        Some("application/x-protobuf") => answer
            .content()
            .and_then(|content| google::Status::decode(&*content).ok())
            .map(|status| status.message),
        Some("text/plain" | "application/json") => {
            answer.content().map(|content| String::from_utf8_lossy(&content).into_owned())
        }
        _ => None,
    };
    let words = words.map(|words| quoted(&words)).filter(|words| !words.is_empty());
    let mut message = format!("HTTP {}", answer.status);
    if answer.status.is_redirection() {
        message.push_str(": redirects are not followed, set the endpoint to where it leads");
    } else if let Some(words) = words {
        message.push_str(": ");
        message.push_str(&words);
    }
    let reason = Reason::of_status(answer.status);
    match answer.status.as_u16() {
        429 | 502..=504 => Delivered::Later { after: retry_after(answer), reason, message },
        // A wrong token or path says nothing about the batch: it waits until a person has mended
        // the settings. OTLP would have it dropped; the journal is there to keep it.
        401 | 403 | 404 => Delivered::Later { after: None, reason, message },
        // OTLP would have it dropped. It is what a collector also answers that is itself at fault.
        500.. => Delivered::Doubtful { reason, message },
        400.. => Delivered::Refused { message },
        _ => Delivered::Later { after: None, reason, message },
    }
}

/// `Retry-After`: seconds, or a date. A date counts from the answer's own `Date`, so that the two
/// clocks need not agree; without that it says nothing.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header(RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return bounded(Duration::from_secs(seconds));
    }
    let dates = rfc2822::DateTimeParser::new();
    let until = dates.parse_timestamp(text).ok()?;
    let now = dates.parse_timestamp(answer.header(DATE)?.trim()).ok()?;
    bounded(Duration::try_from(until.duration_since(now)).ok()?)
}

/// A wait that was asked for, as far as it is heeded; none if it is zero.
pub(super) fn bounded(wait: Duration) -> Option<Duration> {
    (!wait.is_zero()).then(|| wait.min(LONGEST_ASKED))
}

/// Decompresses what fits into OTLP's limit; none if it does not, or is no gzip.
pub(super) fn gunzip(bytes: &[u8]) -> Option<Bytes> {
    let limit = MESSAGE_LIMIT as u64 + 1;
    let mut plain = Vec::new();
    GzDecoder::new(bytes).take(limit).read_to_end(&mut plain).ok()?;
    (plain.len() <= MESSAGE_LIMIT).then(|| Bytes::from(plain))
}

/// What a collector says, fit to be shown.
pub(super) fn quoted(text: &str) -> String {
    one_line(text, QUOTE_LIMIT)
}

/// One line of at most `limit` bytes. What would move a cursor or turn the direction of writing
/// becomes a space.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let text = text.trim();
    let mut line = String::with_capacity(text.len().min(limit));
    for char in text.chars() {
        if line.len() + char.len_utf8() > limit {
            break;
        }
        let unseen = char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        line.push(if unseen { ' ' } else { char });
    }
    line
}

/// Google's words for errors, as far as OTLP uses them: google/rpc/status.proto and
/// google/rpc/error_details.proto.
pub(super) mod google {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Status {
        #[prost(string, tag = "2")]
        pub(crate) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(crate) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Any {
        #[prost(string, tag = "1")]
        pub(crate) type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub(crate) value: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        pub(crate) retry_delay: Option<Duration>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Duration {
        #[prost(int64, tag = "1")]
        pub(crate) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(crate) nanos: i32,
    }
}

#[cfg(test)]
mod tests;
