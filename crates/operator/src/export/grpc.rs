//! OTLP over gRPC: one unary call, as in grpc's doc/PROTOCOL-HTTP2.md.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use hyper::{Method, Request, Version};
use percent_encoding::percent_decode;
use prost::Message as _;

use super::answer::{Answer, Body, bounded, google, gunzip, quoted, taken, turned_down};
use super::encode::compressed;
use super::settings::Target;
use super::{Delivered, Reason};

const ENCODING: &str = "grpc-encoding";
const ACCEPTED: &str = "grpc-accept-encoding";
const STATUS: &str = "grpc-status";
const WORDS: &str = "grpc-message";
const DETAILS: &str = "grpc-status-details-bin";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Servers may leave out the padding of binary headers.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// gRPC's status codes by number, as its documentation writes them.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A call that brings a message to the collector.
pub(super) fn request(
    target: &Target,
    given: HeaderMap,
    message: &[u8],
) -> std::io::Result<Request<Full<Bytes>>> {
    let gzipped = if target.gzip { Some(compressed(message)?) } else { None };
    let payload = gzipped.as_deref().unwrap_or(message);
    // The limit of a message is far below the four bytes of its length.
    let length = u32::try_from(payload.len()).map_err(std::io::Error::other)?;
    let mut body = Vec::with_capacity(payload.len() + 5);
    body.push(u8::from(target.gzip));
    body.extend(length.to_be_bytes());
    body.extend(payload);
    let mut request = Request::new(Full::from(body));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = target.uri.clone();
    let headers = request.headers_mut();
    *headers = given;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(ACCEPTED, HeaderValue::from_static("gzip"));
    if target.gzip {
        headers.insert(ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(request)
}

/// What the answer to it means.
pub(super) fn judge(answer: &Answer, items: u64) -> Delivered {
    // A call without a message has its status in the headers.
    let of = |name: &str| answer.trailers.get(name).or_else(|| answer.headers.get(name));
    let Some(status) = of(STATUS) else {
        if answer.status.is_success() {
            let message = "an answer without grpc-status: is the endpoint a collector's?";
            let (reason, message) = (Reason::NotACollector, message.to_owned());
            return Delivered::Later { after: None, reason, message };
        }
        // Something on the way has answered. gRPC's own table of these (doc/http-grpc-status-mapping.md)
        // leads to the same ends.
        return turned_down(answer);
    };
    let code = status.to_str().ok().and_then(|code| code.parse::<usize>().ok());
    let (code, name) =
        code.and_then(|code| Some((code, *CODES.get(code)?))).unwrap_or((2, CODES[2]));
    if code == 0 {
        return taken(message(answer).as_deref(), items);
    }
    let words = of(WORDS).map(|words| percent_decode(words.as_bytes()).decode_utf8_lossy());
    let message = match words.map(|words| quoted(&words)) {
        Some(words) if !words.is_empty() => format!("gRPC {name}: {words}"),
        _ => format!("gRPC {name}"),
    };
    let details = of(DETAILS).and_then(|details| BASE64.decode(details.as_bytes()).ok());
    let delay = details.and_then(|details| retry_delay(&details));
    let reason = match CODES[code] {
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => Reason::Unauthorized,
        "UNIMPLEMENTED" => Reason::NotFound,
        "RESOURCE_EXHAUSTED" => Reason::Throttled,
        "DEADLINE_EXCEEDED" => Reason::Timeout,
        _ => Reason::ServerError,
    };
    // OTLP's table, docs/specification.md, "Failures"; and, as with 401, 403 and 404 over HTTP,
    // what says that the settings are wrong and not the batch.
    match CODES[code] {
        "CANCELLED" | "DEADLINE_EXCEEDED" | "ABORTED" | "OUT_OF_RANGE" | "UNAVAILABLE"
        | "DATA_LOSS" | "UNAUTHENTICATED" | "PERMISSION_DENIED" | "UNIMPLEMENTED" => {
            Delivered::Later { after: delay.and_then(bounded), reason, message }
        }
        // By OTLP only if the server says that it will recover. Without that it is what many say who
        // are overloaded, and what a server says to a message that is too large for it.
        "RESOURCE_EXHAUSTED" if delay.is_some() => {
            Delivered::Later { after: delay.and_then(bounded), reason, message }
        }
        // The last two are gRPC's HTTP 500.
        "RESOURCE_EXHAUSTED" | "INTERNAL" | "UNKNOWN" => Delivered::Doubtful { reason, message },
        _ => Delivered::Refused { message },
    }
}

/// The one message of an answer; none if it is not whole or cannot be read.
fn message(answer: &Answer) -> Option<Bytes> {
    let Body::Whole(body) = &answer.body else { return None };
    let (head, _) = body.split_first_chunk::<5>()?;
    let [compressed, length @ ..] = *head;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let message = body.get(5..)?.get(..length)?;
    match (compressed, answer.header(ENCODING)) {
        (0, _) => Some(Bytes::copy_from_slice(message)),
        (1, Some("gzip")) => gunzip(message),
        _ => None,
    }
}

/// The delay of the `RetryInfo` among the details of a status; zero if it gives none.
fn retry_delay(details: &[u8]) -> Option<Duration> {
    let status = google::Status::decode(details).ok()?;
    let info = status.details.iter().find(|detail| detail.type_url == RETRY_INFO)?;
    let info = google::RetryInfo::decode(&*info.value).ok()?;
    let delay = info.retry_delay.unwrap_or_default();
    let seconds = Duration::from_secs(u64::try_from(delay.seconds).unwrap_or_default());
    let nanos = Duration::from_nanos(u64::try_from(delay.nanos).unwrap_or_default());
    Some(seconds.saturating_add(nanos))
}

#[cfg(test)]
mod tests;
