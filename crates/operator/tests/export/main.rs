//! The exporter against collectors on loopback: tonic's server for gRPC, axum's for HTTP and for
//! answers that no proper server gives.

#![expect(clippy::panic, clippy::unwrap_used, reason = "what is missing fails the test")]

mod collector;
mod directory;
mod grpc;
mod header_files;
mod http;
mod metrics;
mod reasons;
mod sample;
mod start;
mod tls;

use operator::export::{Delivered, Exporter, OtlpArgs, Settings};

fn exporter(variables: &[(&str, &str)]) -> Exporter {
    Exporter::new(&settings(variables)).unwrap().unwrap()
}

/// Settings made from variables; `TIMEOUT` of `OTEL_EXPORTER_OTLP_TIMEOUT` and so on.
fn settings(variables: &[(&str, &str)]) -> Settings {
    let env = |name: &str| {
        let suffix = name.strip_prefix("OTEL_EXPORTER_OTLP_")?;
        let found = variables.iter().find(|(variable, _)| *variable == suffix);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::resolve(&OtlpArgs::default(), env).unwrap()
}

/// Asserts that a batch is to be sent again, and that the reason has these words.
#[track_caller]
fn assert_later(delivered: &Delivered, words: &str) {
    let said = matches!(
        delivered,
        Delivered::Later { after: None, message, .. } if message.contains(words)
    );
    assert!(said, "{delivered:?} does not say {words:?}");
}
