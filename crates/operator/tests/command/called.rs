//! The command as a process, with a kubeconfig of its own and nothing of this machine's.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tokio::process::Command;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A kubeconfig with the contexts `here` (namespace `shop`) and `bare` (none); `here` is current.
pub(crate) fn kubeconfig(server: &str, proxy: Option<&str>) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("kubeconfig-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut cluster = json!({ "server": server });
    if let Some(proxy) = proxy {
        cluster["proxy-url"] = json!(proxy);
    }
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{ "name": "one", "cluster": cluster }],
        "users": [{ "name": "ada", "user": { "token": "secret" } }],
        "contexts": [
            { "name": "here", "context": { "cluster": "one", "user": "ada", "namespace": "shop" } },
            { "name": "bare", "context": { "cluster": "one", "user": "ada" } },
        ],
    });
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.args(args).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command.kill_on_drop(true);
    command
}

pub(crate) async fn ended(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it against a server.
pub(crate) async fn run(server: &str, args: &[&str]) -> Ended {
    let mut command = command(args);
    command.env("KUBECONFIG", kubeconfig(server, None));
    ended(command).await
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }

    /// No line is wider than a page.
    pub(crate) fn fits(&self) {
        for line in self.out.lines().chain(self.err.lines()) {
            assert!(line.chars().count() <= 100 || line.starts_with("throughline: "), "{line}");
        }
    }
}
