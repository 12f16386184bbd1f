//! Certificates: whom the exporter trusts, who it says it is, and what happens when files change.

use std::path::Path;
use std::sync::Arc;

use operator::export::{Delivered, Exporter, Reason};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use crate::collector::{Collector, Reply, reply};
use crate::directory::Directory;
use crate::sample::batch;
use crate::{assert_later, exporter, settings};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// An authority; names have to differ, as only the name says whose a certificate is.
fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this machine, as PEM, and its key.
fn certificate(authority: &Authority) -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key)
}

/// TLS as a collector has it; clients have to be of `clients`, if that is given.
fn acceptor(authority: &Authority, clients: Option<&Authority>, http2: bool) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let chain = vec![params.signed_by(&key, authority).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut config = builder.with_single_cert(chain, key).unwrap();
    let protocol: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn collector(tls: TlsAcceptor, replies: Vec<Reply>) -> Collector {
    Collector::start_at("127.0.0.1:0", Some(tls), replies).await
}

fn to(collector: &Collector, more: &[(&str, &str)]) -> Exporter {
    let endpoint = format!("https://{}", collector.address);
    exporter(&[&[("ENDPOINT", endpoint.as_str())], more].concat())
}

#[tokio::test]
async fn a_collector_of_an_authority_that_is_given_is_trusted_over_both_protocols() {
    let directory = Directory::new("trusted");
    let ours = authority("ours");
    let file = directory.write("ca.crt", &ours.pem());
    let http = collector(acceptor(&ours, None, false), vec![]).await;
    let exporter = to(&http, &[("CERTIFICATE", &file)]);
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
    let good = || reply(200, &[("grpc-status", "0")], "");
    let grpc = collector(acceptor(&ours, None, true), vec![good()]).await;
    let exporter = to(&grpc, &[("CERTIFICATE", &file), ("PROTOCOL", "grpc")]);
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
}

#[tokio::test]
async fn a_collector_of_another_authority_gets_nothing() {
    let directory = Directory::new("untrusted");
    let file = directory.write("ca.crt", &authority("another").pem());
    let stranger = collector(acceptor(&authority("strange"), None, false), vec![]).await;
    let exporter = to(&stranger, &[("CERTIFICATE", &file)]);
    let delivered = exporter.deliver(&batch()).await;
    assert_later(&delivered, "UnknownIssuer");
    assert!(matches!(delivered, Delivered::Later { reason: Reason::Tls, .. }), "{delivered:?}");
    assert_eq!(stranger.received().len(), 0);
}

#[tokio::test]
async fn an_authority_that_is_replaced_is_read_again_without_a_restart() {
    let directory = Directory::new("rotated");
    let new = authority("new");
    let file = directory.write("ca.crt", &authority("another").pem());
    let collector = collector(acceptor(&new, None, false), vec![]).await;
    let exporter = to(&collector, &[("CERTIFICATE", &file)]);
    assert_later(&exporter.deliver(&batch()).await, "UnknownIssuer");
    std::fs::remove_file(Path::new(&file)).unwrap();
    assert_later(&exporter.deliver(&batch()).await, "OTEL_EXPORTER_OTLP_CERTIFICATE: cannot use");
    directory.write("ca.crt", &new.pem());
    assert_eq!(exporter.deliver(&batch()).await, Delivered::Acknowledged);
}

#[tokio::test]
async fn a_collector_that_asks_who_we_are_is_shown_our_certificate() {
    let directory = Directory::new("mutual");
    let (servers, clients) = (authority("servers"), authority("clients"));
    let (certificate, key) = certificate(&clients);
    let file = directory.write("ca.crt", &servers.pem());
    let certificate = directory.write("tls.crt", &certificate);
    let key = directory.write("tls.key", &key.serialize_pem());
    let collector = collector(acceptor(&servers, Some(&clients), false), vec![]).await;
    let nobody = to(&collector, &[("CERTIFICATE", &file)]);
    let delivered = nobody.deliver(&batch()).await;
    assert!(matches!(delivered, Delivered::Later { reason: Reason::Tls, .. }), "{delivered:?}");
    let known = to(
        &collector,
        &[("CERTIFICATE", &file), ("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &key)],
    );
    assert_eq!(known.deliver(&batch()).await, Delivered::Acknowledged);
}

#[test]
fn files_that_are_no_certificates_are_named_and_nothing_of_them_is_shown() {
    let directory = Directory::new("broken");
    let cases = [
        ("", "there is no certificate in it"),
        ("-----BEGIN hidden\n", "it is not PEM"),
        ("-----BEGIN CERTIFICATE-----\nhidden!\n-----END CERTIFICATE-----\n", "it is not PEM"),
    ];
    for (text, expected) in cases {
        let file = directory.write("ca.crt", text);
        let variables = [("ENDPOINT", "https://127.0.0.1:1"), ("CERTIFICATE", &file)];
        let error = Exporter::new(&settings(&variables)).unwrap_err().to_string();
        let expected = format!("OTEL_EXPORTER_OTLP_CERTIFICATE: cannot use {file}: {expected}");
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn nothing_is_sent_in_clear_to_an_endpoint_of_https() {
    let directory = Directory::new("clear");
    let file = directory.write("ca.crt", &authority("another").pem());
    let plain = Collector::start(vec![]).await;
    let delivered = to(&plain, &[("CERTIFICATE", &file)]).deliver(&batch()).await;
    assert!(matches!(delivered, Delivered::Later { .. }), "{delivered:?}");
    assert_eq!(plain.received().len(), 0);
}
