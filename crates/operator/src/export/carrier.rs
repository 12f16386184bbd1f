//! Carries what OpenTelemetry's SDK encodes by our own [`Sender`], so that TLS, headers, their files and
//! the protocol are the same for all that leaves.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request};
use tokio::runtime::Handle;

use super::sender::Sender;
use super::{Delivered, Reason};
use crate::metrics::Metrics;
use crate::outage::Outage;

/// A transport for one exporter of the SDK, which calls it from a thread of its own.
pub(super) struct Carrier {
    pub(super) sender: Sender,
    /// What it carries, in the log and in `throughline_errors_total`.
    pub(super) what: &'static str,
    pub(super) runtime: Handle,
    pub(super) outage: Outage,
    pub(super) metrics: Metrics,
}

impl Carrier {
    /// Says and counts what became of a message, and puts it into the words of HTTP that the exporter
    /// understands.
    fn answer(&self, delivered: &Delivered) -> Response<Bytes> {
        let (status, after) = match delivered {
            Delivered::Acknowledged => (StatusCode::OK, None),
            Delivered::Partly { refused, message } => {
                self.refused(&format!("{refused} of them: {message}"));
                (StatusCode::OK, None)
            }
            Delivered::Refused { message } => {
                self.refused(message);
                (StatusCode::BAD_REQUEST, None)
            }
            Delivered::Later { after, reason, message } => {
                self.away(*reason, message);
                (StatusCode::SERVICE_UNAVAILABLE, *after)
            }
            Delivered::Doubtful { reason, message } => {
                self.away(*reason, message);
                (StatusCode::BAD_REQUEST, None)
            }
        };
        let away = matches!(delivered, Delivered::Later { .. } | Delivered::Doubtful { .. });
        if !away && self.outage.ends() {
            tracing::info!(what = self.what, "the collector takes them again");
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        if let Some(after) = after.map(whole_seconds) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after));
        }
        response
    }

    fn refused(&self, message: &str) {
        tracing::warn!(what = self.what, message, "the collector refuses them: they are lost");
        self.metrics.failed("send", self.what, "refused");
    }

    /// The reason is logged once, and not with each try.
    fn away(&self, reason: Reason, message: &str) {
        let what = self.what;
        if self.outage.begins(reason, Instant::now()) {
            tracing::warn!(
                what,
                message,
                "the collector does not take them now; logged again when the reason changes"
            );
        } else {
            tracing::debug!(what, message, "the collector does not take them now");
        }
        self.metrics.failed("send", what, reason.error_type());
    }
}

#[async_trait]
impl HttpClient for Carrier {
    /// Of the request nothing counts but the message: path, headers and protocol are the sender's.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (sender, message) = (self.sender.clone(), request.into_body());
        // Connections belong to the runtime, which the thread that calls has none of.
        let sent = self.runtime.spawn(async move { sender.send(message, u64::MAX).await });
        Ok(self.answer(&sent.await?))
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").field("sender", &self.sender).finish_non_exhaustive()
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().max(1)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jiff::Timestamp;
    use tracing::instrument::WithSubscriber as _;

    use super::*;
    use crate::export::OtlpArgs;
    use crate::export::collector::{Collector, Log, Mood};
    use crate::export::settings::OwnTracesSettings;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        otlp: OtlpArgs,
    }

    fn carrier(url: &str) -> Carrier {
        let flags = ["throughline", "--otlp-own-traces", &format!("--otlp-endpoint={url}")];
        let settings = OwnTracesSettings::resolve(&Command::parse_from(flags).otlp, |_| None);
        let sender = Sender::new(&settings.unwrap().target.unwrap()).unwrap();
        let (runtime, outage) = (Handle::current(), Outage::default());
        let metrics = Metrics::new(|| Timestamp::UNIX_EPOCH, &[]);
        Carrier { sender, what: "own_traces", runtime, outage, metrics }
    }

    fn errors(carrier: &Carrier, error_type: &str) -> u64 {
        let text = carrier.metrics.text().unwrap();
        let name = format!("resource=\"own_traces\",error_type=\"{error_type}\"}} ");
        let found = text.lines().find_map(|line| line.split_once(&name));
        found.map_or(0, |(_, count)| count.parse().unwrap())
    }

    #[tokio::test]
    async fn why_a_collector_takes_nothing_is_logged_once_and_counted_each_time() {
        let (collector, url) = Collector::start(Mood::IsAway).await;
        let (carrier, log) = (carrier(&url), Log::default());
        let sent = async {
            for (mood, status) in [
                (Mood::IsAway, 503),
                (Mood::IsAway, 503),
                (Mood::Takes, 200),
                (Mood::Refuses, 400),
                (Mood::TakesInPart, 200),
            ] {
                collector.is(mood);
                let request = Request::new(Bytes::from_static(b"spans"));
                let answer = carrier.send_bytes(request).await.unwrap();
                assert_eq!(answer.status(), status, "{mood:?}");
            }
        };
        sent.with_subscriber(log.subscriber()).await;
        let text = log.text();
        let lines: Vec<_> = text.lines().collect();
        let [begins, ends, refused, partly] = lines[..] else { panic!("not four lines: {text}") };
        assert!(begins.contains("WARN") && begins.contains("HTTP 503"), "{begins}");
        assert!(ends.contains("takes them again"), "{ends}");
        assert!(refused.contains("refuses them"), "{refused}");
        assert!(partly.contains("1 of them: too old"), "{partly}");
        assert_eq!((errors(&carrier, "server_error"), errors(&carrier, "refused")), (2, 2));
        assert_eq!(collector.took(), ["spans"]);
    }
}
