//! Where spans and metrics are sent and how: the standard `OTEL_*` variables and the flags that win over them
//! (OpenTelemetry specification, protocol/exporter.md and configuration/sdk-environment-variables.md).
//!
//! A value that is not understood stops the start. The specification asks for a warning there and
//! to go on without it, which sends in clear or nowhere.

mod header_files;
mod headers;
mod list;
mod metrics;
mod own_traces;
mod resource;
mod variables;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use hyper::header::HeaderMap;
use hyper::http::uri::{Scheme, Uri};

use super::signal::Signal;
use header_files::HeaderFiles;
pub use metrics::MetricsSettings;
pub use own_traces::OwnTracesSettings;
use variables::Variables;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Flags of the exporter. Each wins over the variables for the same.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Export by OTLP (also by OTEL_* variables, see docs/export.md)")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub struct OtlpArgs {
    /// Where the collector is, e.g. `http://collector:4318`; without it nothing is sent.
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Send metrics there too, each minute or each `OTEL_METRIC_EXPORT_INTERVAL` milliseconds. They
    /// are served at /metrics in any case.
    #[arg(long)]
    otlp_metrics: bool,
    /// Send traces of the operator itself there too: from a trace of Keptn's that is seen to the link
    /// that is written, with the requests to the API server.
    #[arg(
        long,
        env = "THROUGHLINE_OTLP_OWN_TRACES",
        value_parser = FalseyValueParser::new()
    )]
    otlp_own_traces: bool,
    /// How it is spoken to [default: http/protobuf]
    #[arg(long, value_name = "PROTOCOL", value_parser = ["grpc", "http/protobuf"])]
    otlp_protocol: Option<String>,
    /// A header for each request; may be repeated. A secret is better given by
    /// `OTEL_EXPORTER_OTLP_HEADERS`, which does not show in the list of processes.
    #[arg(long, value_name = "KEY=VALUE")]
    otlp_header: Vec<Secret>,
    /// A file of more headers, `key=value` in each line; read again with each request, so a mounted
    /// Secret may change.
    #[arg(long, value_name = "FILE")]
    otlp_headers_file: Option<String>,
    /// A file of a token that is sent as `authorization: Bearer`; read again with each request.
    #[arg(long, value_name = "FILE")]
    otlp_bearer_token_file: Option<String>,
    /// How long a delivery may take, from connecting to the answer, e.g. 500ms [default: 10s]
    #[arg(long, value_name = "DURATION")]
    otlp_timeout: Option<String>,
    /// Whether requests are compressed [default: none]
    #[arg(long, value_name = "COMPRESSION", value_parser = ["gzip", "none"])]
    otlp_compression: Option<String>,
    /// Certificates of the authorities that the collector's is from, as PEM [default: the
    /// system's, else those built in]
    #[arg(long, value_name = "FILE")]
    otlp_ca_file: Option<String>,
    /// Our own certificate, as PEM, where the collector asks for one.
    #[arg(long, value_name = "FILE")]
    otlp_client_certificate_file: Option<String>,
    /// The key of our own certificate, as PEM.
    #[arg(long, value_name = "FILE")]
    otlp_client_key_file: Option<String>,
}

/// A text that is never shown.
#[derive(Clone)]
struct Secret(String);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Where spans are sent and how. Shows no value of a header.
#[derive(Debug, Clone)]
pub struct Settings {
    /// None if export is off.
    pub(super) target: Option<Arc<Target>>,
    /// Keys of resource attributes that do not go to our spans.
    pub(super) left_out: Vec<String>,
}

/// A collector.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) protocol: Protocol,
    /// What requests ask for.
    pub(super) uri: Uri,
    /// The same for people, without what may be secret in it.
    pub(super) shown: String,
    /// Marked as sensitive: neither logged nor kept by HTTP/2's compression.
    pub(super) headers: HeaderMap,
    pub(super) header_files: HeaderFiles,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) certificates: Certificates,
    /// Of spans of attempts, what a batch's Resource gets if it has no such key itself; of the
    /// operator's own metrics and traces, the whole Resource. Sorted by key.
    pub(super) resource: Vec<(String, String)>,
}

impl Target {
    /// The collector that takes this signal, with an empty Resource; none if no endpoint is given.
    fn resolve(read: &Variables<'_>, args: &OtlpArgs) -> Result<Option<Self>, SettingsError> {
        let endpoint = read.find("ENDPOINT", "--otlp-endpoint", args.otlp_endpoint.as_ref());
        let Some(endpoint) = endpoint else { return Ok(None) };
        let protocol = read
            .find("PROTOCOL", "--otlp-protocol", args.otlp_protocol.as_ref())
            .map_or(Ok(Protocol::HttpProtobuf), |protocol| protocol.protocol())?;
        let (uri, shown) = endpoint.uri(read.signal, protocol, read.insecure()?)?;
        let timeout = read.find("TIMEOUT", "--otlp-timeout", args.otlp_timeout.as_ref());
        let compression =
            read.find("COMPRESSION", "--otlp-compression", args.otlp_compression.as_ref());
        Ok(Some(Self {
            protocol,
            uri,
            shown,
            headers: headers::all(args, read.find("HEADERS", "", None).as_ref())?,
            header_files: HeaderFiles {
                list: read.file(
                    "HEADERS_FILE",
                    "--otlp-headers-file",
                    args.otlp_headers_file.as_ref(),
                ),
                token: read.file(
                    "BEARER_TOKEN_FILE",
                    "--otlp-bearer-token-file",
                    args.otlp_bearer_token_file.as_ref(),
                ),
            },
            timeout: timeout.map_or(Ok(DEFAULT_TIMEOUT), |timeout| timeout.duration())?,
            gzip: compression.map_or(Ok(false), |compression| compression.gzip())?,
            certificates: read.certificates(args)?,
            resource: Vec::new(),
        }))
    }

    /// Only where the endpoint says http is anything sent in clear.
    pub(super) fn secure(&self) -> bool {
        self.uri.scheme() != Some(&Scheme::HTTP)
    }
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    HttpProtobuf,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
        })
    }
}

/// Files for TLS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Certificates {
    /// Who vouches for the collector; the system's authorities, or those built in, if none is given.
    pub(super) authority: Option<File>,
    /// Our certificate and its key.
    pub(super) identity: Option<(File, File)>,
}

/// A file and the setting that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    name: String,
    pub(super) path: PathBuf,
}

impl File {
    pub(super) fn unusable(&self, reason: &dyn fmt::Display) -> SettingsError {
        let (name, path) = (self.name.clone(), self.path.clone());
        SettingsError::File { name, path, reason: reason.to_string() }
    }
}

/// Why settings cannot be used; each names the variable or flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A value is not understood.
    #[error("{name}={value:?} is not understood: it takes {allowed}")]
    Value {
        /// The variable or flag.
        name: String,
        /// Its value, or the beginning of it.
        value: String,
        /// What it takes.
        allowed: &'static str,
    },
    /// A header is not understood. Its value may be secret and is not repeated.
    #[error("{name}: entry {number} is not understood: {reason}")]
    Header {
        /// The variable or flag.
        name: String,
        /// Which of its entries, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A password in an endpoint would be logged with it.
    #[error("{name} has credentials in its URL: give them by OTEL_EXPORTER_OTLP_HEADERS")]
    Credentials {
        /// The variable or flag.
        name: String,
    },
    /// Metrics or own traces are asked for, and no endpoint is set.
    #[error("{asked} asks for {what} by OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT to where they go")]
    NoEndpoint {
        /// The variable or flag that asks for them.
        asked: String,
        /// What it asks for.
        what: &'static str,
    },
    /// OpenTelemetry's SDK does not take the settings.
    #[error("{what} cannot be sent: {reason}")]
    Sdk {
        /// What is not sent.
        what: &'static str,
        /// What is wrong, in its words.
        reason: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("{given} is given without {missing}: a client certificate goes with its key")]
    HalfIdentity {
        /// What is given.
        given: String,
        /// What is not.
        missing: &'static str,
    },
    /// A file of certificates or headers cannot be used.
    #[error("{name}: cannot use {}: {reason}", path.display())]
    File {
        /// The variable or flag that names it.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// What is wrong with it.
        reason: String,
    },
}

impl Settings {
    /// The settings that these flags and variables make. An empty variable counts as none.
    pub fn resolve(
        args: &OtlpArgs,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let read = Variables::new(Signal::Traces, &env);
        let off = Self { target: None, left_out: Vec::new() };
        if read.switch("OTEL_SDK_DISABLED")? || !read.wanted()? {
            return Ok(off);
        }
        let Some(target) = Target::resolve(&read, args)? else { return Ok(off) };
        let (resource, left_out) = resource::of_spans(&read)?;
        Ok(Self { target: Some(Arc::new(Target { resource, ..target })), left_out })
    }
}

#[cfg(test)]
mod tests;
