//! Why a collector takes nothing now, in the few kinds that a person mends in different places.

use std::error::Error;
use std::io;

use hyper::StatusCode;

/// A kind of failure after which the same is sent again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The token or a header is wrong, or missing.
    Unauthorized,
    /// Nothing serves this signal at this path.
    NotFound,
    /// A redirect, which is not followed.
    Redirect,
    /// What answers is no collector.
    NotACollector,
    /// More was sent than it takes.
    Throttled,
    /// It answers that it cannot work now.
    ServerError,
    /// The name of the host leads nowhere.
    Dns,
    /// Nothing listens there.
    ConnectionRefused,
    /// The two do not trust or do not understand each other.
    Tls,
    /// No answer came in time.
    Timeout,
    /// The connection broke, or cannot be made.
    NoAnswer,
    /// A file of ours that goes with each request cannot be used.
    File,
}

impl Reason {
    /// The word for it in `throughline_errors_total`.
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Redirect => "redirect",
            Self::NotACollector => "not_a_collector",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Dns => "dns",
            Self::ConnectionRefused => "connection_refused",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::NoAnswer => "no_answer",
            Self::File => "file",
        }
    }

    /// What it is and what mends it, for the condition `Exported`: always the same words, so that a
    /// try more is nothing new.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unauthorized => {
                "it answers 401 or 403: the token or a header in OTEL_EXPORTER_OTLP_HEADERS is wrong"
            }
            Self::NotFound => "it answers 404: the path or the protocol of the endpoint is wrong",
            Self::Redirect => "it answers with a redirect: set the endpoint to where that leads",
            Self::NotACollector => "the endpoint answers and is no collector of OTLP",
            Self::Throttled => "it is overloaded, or a quota is used up",
            Self::ServerError => "it answers that it cannot work now: see its log",
            Self::Dns => "the host of the endpoint cannot be resolved",
            Self::ConnectionRefused => "nobody listens at the endpoint: it refuses the connection",
            Self::Tls => {
                "no TLS with it: a certificate is not trusted, has expired, or it has no TLS"
            }
            Self::Timeout => "it gave no answer in time",
            Self::NoAnswer => "the connection to it breaks",
            Self::File => "a file of the settings cannot be read or used: see the log",
        }
    }

    /// The kind of an HTTP status that is no success.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 | 403 => Self::Unauthorized,
            404 => Self::NotFound,
            429 => Self::Throttled,
            500.. => Self::ServerError,
            _ => Self::Redirect,
        }
    }

    /// The kind of a failure on the way.
    pub(super) fn of_error(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<rustls::Error>() {
                return Self::Tls;
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                match io.kind() {
                    io::ErrorKind::ConnectionRefused => return Self::ConnectionRefused,
                    io::ErrorKind::TimedOut => return Self::Timeout,
                    _ => {}
                }
            }
            // The type is hyper-util's own secret.
            if error.to_string() == "dns error" {
                return Self::Dns;
            }
            // An error inside of an io::Error is not among its sources.
            let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = match inside {
                Some(inside) => Some(inside),
                None => error.source(),
            };
        }
        Self::NoAnswer
    }
}
