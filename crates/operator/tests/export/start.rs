//! How the binary starts on a system without certificates, as the image is one.

use std::process::Command;

/// What a start says that ends at the missing cluster, after the settings of the export.
fn start(variables: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .arg("run")
        .env_clear()
        .envs([("KUBECONFIG", "/nowhere"), ("SSL_CERT_FILE", "/nowhere")])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example.org")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(!output.status.success(), "there is no cluster");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn a_system_without_authorities_does_not_stop_the_start() {
    let said = start(&[]);
    assert!(said.contains("those built in are"), "{said}");
    assert!(said.contains("/nowhere") && !said.contains("OTEL_"), "{said}");
}

#[test]
fn a_file_of_authorities_that_is_broken_stops_it_and_is_named() {
    let said = start(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/dev/null")]);
    let expected = "OTEL_EXPORTER_OTLP_CERTIFICATE: cannot use /dev/null: there is no certificate";
    assert!(said.contains(expected), "{said}");
}
