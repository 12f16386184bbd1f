//! The server as the API server meets it: TLS on 127.0.0.1. What it answers from is in [`decided`].

mod decided;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use timeline::base::{Phase, Source};
use timeline::chain::{Attempt, Chain, Follow, Linked, Relation, Trace};
use timeline::keptn::admission::{AppKnown, ChainKnown};
use timeline::seen::Workload;
use timeline::{Key, Traceparent};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::certificate::{Issued, Served, from_pem};
use super::folder::Folder;
use super::published::Published;
use super::server::{PATH, serve};
use crate::metrics::Metrics;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn trace(n: u32) -> Traceparent {
    format!("00-{n:032x}-{n:016x}-01").parse().unwrap()
}

fn attempt(revision: i64, version: &str, phase: Phase) -> Attempt {
    Attempt {
        revision,
        hash: version.into(),
        number: 1,
        replica_set: None,
        workload: Some(Workload {
            app: "shop".into(),
            name: "shop-cart".into(),
            version: version.into(),
            hashed: false,
        }),
        follows: Box::default(),
        phase,
        started: at(revision),
        started_source: Source::Status,
        ended: None,
        reason: None,
        trace: None,
        linked: Linked::none(""),
    }
}

/// Version 1 is live in trace 1; version 2 follows it, if that has begun.
fn known(begun: bool) -> Arc<AppKnown> {
    let mut one = attempt(1, "1", Phase::Promoted);
    one.trace = Some(Trace {
        traceparent: trace(1),
        app_version: Some("shop-1-6b86b273".into()),
        workload_version: Some("shop-cart-1".into()),
    });
    let mut two = attempt(2, "2", Phase::Progressing);
    two.follows = [Follow {
        hash: "1".into(),
        revision: 1,
        number: 1,
        version: None,
        relation: Relation::Successor,
        trace: Some(trace(1)),
    }]
    .into();
    let attempts = [two, one].into_iter().skip(usize::from(!begun)).map(Arc::new).collect();
    let rollouts = [ChainKnown::Awake(Chain::restored(attempts))].into();
    Arc::new(AppKnown { rollouts, ..AppKnown::default() })
}

fn shop(begun: bool) -> HashMap<Key, Arc<AppKnown>> {
    HashMap::from([(Key::new("ns", "shop"), known(begun))])
}

struct Stage {
    published: Published,
    metrics: Metrics,
    served: Arc<Served>,
    address: std::net::SocketAddr,
    connector: TlsConnector,
    stop: CancellationToken,
}

impl Stage {
    async fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let issued = issued();
        let served = Arc::new(Served::default());
        served.show(Arc::clone(&issued.key));
        let (published, stop) = (Published::default(), CancellationToken::new());
        published.replace(shop(true));
        let metrics = Metrics::new(|| at(0), &[]);
        let shown = (Arc::clone(&served), published.clone(), metrics.clone(), stop.clone());
        tokio::spawn(serve(listener, shown.0, shown.1, shown.2, shown.3));
        let connector = trusting(&issued.authority);
        Self { published, metrics, served, address, connector, stop }
    }

    async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        self.connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await
    }

    async fn post(&self, body: &[u8]) -> (u16, String) {
        let mut stream = self.connect().await.unwrap();
        let length = body.len();
        stream.write_all(head(length).as_bytes()).await.unwrap();
        // One that is refused is not read to its end.
        stream.write_all(body).await.ok();
        answer(&mut stream).await
    }

    /// The links that a KeptnAppVersion gets; none if it stays as it is.
    async fn links(&self, review: &Value) -> Option<Vec<String>> {
        let (status, text) = self.post(review.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let response = &answer["response"];
        assert_eq!((&response["allowed"], &response["uid"]), (&json!(true), &json!("u")));
        let patch: Vec<u8> =
            serde_json::from_value(response["patch"].clone()).ok().or_else(|| {
                let text = response["patch"].as_str()?;
                Some(
                    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text)
                        .unwrap(),
                )
            })?;
        let patch: Value = serde_json::from_slice(&patch).unwrap();
        assert_eq!(patch[0]["path"], "/spec/spanLinks");
        serde_json::from_value(patch[0]["value"].clone()).unwrap()
    }

    fn counted(&self, answer: &str) -> u64 {
        let name = format!("throughline_admissions_total{{answer=\"{answer}\"}} ");
        let text = self.metrics.text().unwrap();
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[expect(clippy::disallowed_methods, reason = "TLS compares certificates with the time of day")]
fn issued() -> Issued {
    Issued::new(&["127.0.0.1".to_owned()], Timestamp::now()).unwrap()
}

fn trusting(authority: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

fn head(length: usize) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    )
}

async fn answer(stream: &mut TlsStream<TcpStream>) -> (u16, String) {
    let mut read = Vec::new();
    let ended = timeout(Duration::from_secs(10), stream.read_to_end(&mut read)).await;
    ended.expect("an answer in time").ok();
    let text = String::from_utf8_lossy(&read);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&*text, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
    (status, body.to_owned())
}

/// What the API server asks when Keptn makes this version with these links.
fn review(version: &str, links: &[Traceparent]) -> Value {
    let resource = json!({
        "group": "lifecycle.keptn.sh", "version": "v1", "resource": "keptnappversions",
    });
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": { "group": "lifecycle.keptn.sh", "version": "v1", "kind": "KeptnAppVersion" },
            "resource": resource,
            "name": format!("shop-{version}-d4735e3a"),
            "namespace": "ns",
            "operation": "CREATE",
            "userInfo": {},
            "dryRun": false,
            "object": {
                "apiVersion": "lifecycle.keptn.sh/v1",
                "kind": "KeptnAppVersion",
                "metadata": { "name": format!("shop-{version}-d4735e3a"), "namespace": "ns" },
                "spec": {
                    "appName": "shop",
                    "version": version,
                    "workloads": [{ "name": "cart", "version": version }],
                    "spanLinks": links.iter().map(Traceparent::to_string).collect::<Vec<_>>(),
                },
            },
        },
    })
}

#[tokio::test]
async fn a_version_gets_the_links_of_its_attempt() {
    let stage = Stage::begin().await;
    assert_eq!(stage.links(&review("2", &[])).await, Some(vec![trace(1).to_string()]));
    assert_eq!(stage.links(&review("2", &[trace(1)])).await, None);
    assert_eq!(stage.links(&review("1", &[trace(1)])).await, Some(vec![]));
    assert_eq!((stage.counted("decided"), stage.counted("unchanged")), (2, 1));
}

#[tokio::test]
async fn what_is_not_ours_stays_as_it_is() {
    let stage = Stage::begin().await;
    let mut elsewhere = review("2", &[]);
    elsewhere["request"]["namespace"] = json!("other");
    assert_eq!(stage.links(&elsewhere).await, None);
    assert_eq!(stage.counted("not_ours"), 1);
}

#[tokio::test]
async fn an_attempt_that_does_not_come_is_counted() {
    let stage = Stage::begin().await;
    stage.published.replace(shop(false));
    assert_eq!(stage.links(&review("2", &[])).await, None);
    assert_eq!(stage.counted("not_known"), 1);
}

#[tokio::test]
async fn whatever_else_is_sent_changes_nothing_and_is_counted() {
    let stage = Stage::begin().await;
    let wrong = |pointer: &str, value: Value| {
        let mut review = review("2", &[]);
        *review.pointer_mut(pointer).unwrap() = value;
        review
    };
    let understood = [
        wrong("/request/kind/kind", json!("KeptnApp")),
        wrong("/request/kind/version", json!("v1beta1")),
        wrong("/request/operation", json!("UPDATE")),
        wrong("/request/object/spec", json!(null)),
        wrong("/request/object/spec/workloads", json!(7)),
        wrong("/request/object", json!(null)),
    ];
    for review in &understood {
        assert_eq!(stage.links(review).await, None, "{review}");
    }
    assert_eq!(stage.counted("unreadable"), 6);
    for body in [&b""[..], b"{", b"{}", b"[]", b"\xff\xfe", b"{\"request\":{}}"] {
        let (status, text) = stage.post(body).await;
        assert_eq!(status, 400, "{text}");
    }
    assert_eq!(stage.counted("unreadable"), 12);
    let large = vec![b' '; 4 * 1024 * 1024];
    assert!(matches!(stage.post(&large).await.0, 413 | 0));
    assert_eq!(stage.counted("unreadable"), 13);
    assert_eq!(stage.links(&review("2", &[])).await, Some(vec![trace(1).to_string()]));
}

#[tokio::test]
async fn who_sends_slowly_is_let_go_and_holds_up_nobody() {
    let stage = Stage::begin().await;
    let mut slow = stage.connect().await.unwrap();
    slow.write_all(head(100).as_bytes()).await.unwrap();
    slow.write_all(b"{").await.unwrap();
    // One that says nothing at all, not even in TLS.
    let _silent = TcpStream::connect(stage.address).await.unwrap();
    let asked = review("2", &[]);
    tokio::select! {
        links = stage.links(&asked) => assert!(links.is_some()),
        (status, _) = answer(&mut slow) => panic!("answered after who is slow was let go: {status}"),
    }
    assert_eq!(answer(&mut slow).await.0, 408);
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_shown_to_the_next_connection() {
    let mut stage = Stage::begin().await;
    let next = issued();
    stage.served.show(Arc::clone(&next.key));
    assert!(stage.connect().await.is_err(), "the authority is another");
    stage.connector = trusting(&next.authority);
    assert!(stage.links(&review("2", &[])).await.is_some());
}

#[tokio::test]
async fn files_are_read_again_when_both_have_changed() {
    let folder =
        std::env::temp_dir().join(format!("throughline-certificate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (one, two) = (make(), make());
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let mut read = Folder::new(folder.clone(), Arc::default());
    assert!(read.look().await.unwrap_err().to_string().contains("mount the certificate again"));
    write("tls.crt", one.cert.pem());
    write("tls.key", one.signing_key.serialize_pem());
    assert!(read.look().await.unwrap());
    assert!(!read.look().await.unwrap());
    write("tls.crt", two.cert.pem());
    let error = read.look().await.unwrap_err().to_string();
    assert!(error.contains("issue it again"), "{error}");
    write("tls.key", two.signing_key.serialize_pem());
    assert!(read.look().await.unwrap());
    assert!(from_pem(b"nothing", b"nothing").is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
