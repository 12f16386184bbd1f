//! OTLP over HTTP with binary protobuf.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request};

use super::answer::{Answer, taken, turned_down};
use super::encode::compressed;
use super::settings::Target;
use super::{Delivered, Reason};

/// A request that brings a message to the collector.
pub(super) fn request(
    target: &Target,
    given: HeaderMap,
    message: Bytes,
) -> std::io::Result<Request<Full<Bytes>>> {
    let body = if target.gzip { compressed(&message)?.into() } else { message };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.uri.clone();
    let headers = request.headers_mut();
    *headers = given;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    if target.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(request)
}

/// What the answer to it means.
pub(super) fn judge(answer: &Answer, items: u64) -> Delivered {
    if !answer.status.is_success() {
        return turned_down(answer);
    }
    match answer.content_type().as_deref() {
        // No collector answers with a page for people, a login or a default site does: to take
        // that for an acknowledgement would lose all spans without a word.
        Some("text/html" | "application/xhtml+xml") => Delivered::Later {
            after: None,
            reason: Reason::NotACollector,
            message: "a web page came back: is the endpoint a collector's?".to_owned(),
        },
        // A proper answer has this type; a few servers give none.
        None | Some("application/x-protobuf") => taken(answer.content().as_deref(), items),
        Some(_) => taken(None, items),
    }
}
