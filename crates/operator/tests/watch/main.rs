//! The operator as a process, against a scripted API server: what `/readyz` says.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what is missing fails the test")]

#[expect(dead_code, reason = "watches alone need the rest of it")]
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use server::{ApiServer, Asked, Reply, Then, line, page, quiet, rollout, status};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_mins(1);

struct Operator {
    admin: SocketAddr,
    _process: Child,
}

impl Operator {
    async fn start(name: &str, server: &ApiServer) -> Self {
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.kubeconfig"));
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{ "name": "here", "cluster": { "server": format!("http://{}", server.address) } }],
            "users": [{ "name": "here", "user": {} }],
            "contexts": [{ "name": "here", "context": { "cluster": "here", "user": "here" } }],
        });
        std::fs::write(&config, kubeconfig.to_string()).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_throughline"))
            .args(["run", "--admin-address", "127.0.0.1:0"])
            .env("KUBECONFIG", config)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let admin = loop {
            let said = log.next_line().await.unwrap().expect("it says where it listens");
            if let Some((_, address)) = said.split_once("admin=") {
                break address.split(' ').next().unwrap().parse().unwrap();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { admin, _process: process }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// What `/readyz` says once everything was looked at.
    async fn ready(&self) -> (u16, String) {
        let since = Instant::now();
        loop {
            let (code, text) = self.get("/readyz").await;
            if text != "starting\n" && !text.contains("not listed yet") {
                return (code, text);
            }
            assert!(since.elapsed() < PATIENCE, "{text}");
            // Another process: `/readyz` can only be asked again.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn readyz(name: &str, script: impl FnMut(&Asked) -> Reply + Send + 'static) -> (u16, String) {
    let server = ApiServer::start(script).await;
    Operator::start(name, &server).await.ready().await
}

/// Some kinds are refused so, the others are there and empty.
fn without(refused: &'static [&str], code: u16) -> impl FnMut(&Asked) -> Reply + Send {
    move |asked| {
        if refused.contains(&asked.resource.as_str()) { status(code, "no") } else { quiet(asked) }
    }
}

#[tokio::test]
async fn with_everything_there_it_is_ready() {
    let said = readyz("everything", quiet).await;
    assert_eq!(said, (200, "everything is watched\n".to_owned()));
}

#[tokio::test]
async fn without_its_own_kinds_it_is_not_ready_and_says_which_command_mends_that() {
    let own = ["rollouttraces", "rolloutattempts"].as_slice();
    let said = readyz("own", without(own, 404)).await;
    let mend = "is not installed: kubectl apply --server-side -k config/crd";
    let text =
        format!("rollouttraces.throughline.dev {mend}\nrolloutattempts.throughline.dev {mend}\n");
    assert_eq!(said, (503, text));
}

#[tokio::test]
async fn without_a_permission_that_everything_needs_it_is_not_ready_and_says_so() {
    let said = readyz("forbidden", without(&["replicasets"], 403)).await;
    let text =
        "no permission to list replicasets.apps: kubectl apply --server-side -k config/rbac\n";
    assert_eq!(said, (503, text.to_owned()));
}

#[tokio::test]
async fn without_argo_it_is_not_ready() {
    let argos = ["rollouts", "analysisruns", "experiments"].as_slice();
    let (code, text) = readyz("argo", without(argos, 404)).await;
    assert_eq!(code, 503);
    assert!(text.starts_with("rollouts.argoproj.io is not installed: kubectl apply"), "{text}");
    assert!(text.contains("analysisruns.argoproj.io is not installed; the rest goes on"), "{text}");
}

#[tokio::test]
async fn without_keptn_it_is_ready_and_says_what_it_does_without() {
    let keptns = ["keptnappversions", "keptnworkloadversions", "keptnappcontexts"].as_slice();
    for (code, why) in [(404, "is not installed"), (500, "cannot be listed: no")] {
        let (ready, text) = readyz(&format!("keptn-{code}"), without(keptns, code)).await;
        assert_eq!(ready, 200, "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
        let said = format!("keptnappversions.lifecycle.keptn.sh {why}; the rest goes on");
        assert_eq!(text.lines().next(), Some(said.as_str()));
    }
}

/// Longer than an API server that is just starting refuses lists.
#[tokio::test]
async fn with_a_conversion_webhook_down_rollouts_are_still_recorded() {
    let server = ApiServer::start(|asked| match asked.resource.as_str() {
        "keptnappversions" => status(500, "conversion webhook failed"),
        "rollouts" if asked.streams() => {
            let end = json!({ "metadata": {
                "resourceVersion": "9", "annotations": { "k8s.io/initial-events-end": "true" },
            } });
            let lines = vec![line("ADDED", &rollout("cart", "1")), line("BOOKMARK", &end)];
            Reply::Lines(lines, Then::Silence)
        }
        "rollouttraces" if asked.method != "GET" => page(&[], ""),
        _ => quiet(asked),
    })
    .await;
    let _operator = Operator::start("conversion", &server).await;
    let since = Instant::now();
    while !server.asked("rollouttraces").iter().any(|asked| asked.method != "GET") {
        assert!(since.elapsed() < PATIENCE, "no RolloutTrace is written");
        // The scripted server counts and signals nothing: its count is polled.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
