//! `throughline explain` and the flags that it shares with the others.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::asked::{ApiServer, Asked, Reply, list, not_found, refusal};
use crate::called::{command, ended, kubeconfig, run};

fn attempt(namespace: &str, revision: i64) -> Value {
    json!({
        "apiVersion": "throughline.dev/v1alpha1",
        "kind": "RolloutAttempt",
        "metadata": { "name": format!("cart-{revision}-1-0f3a9"), "namespace": namespace },
        "spec": {
            "rollout": "cart", "rolloutUid": "uid", "hash": "6d5694bbbf", "revision": revision,
            "attempt": 1,
        },
        "status": {
            "phase": "Aborted",
            "started": { "at": format!("2026-11-21T06:0{revision}:00.5Z"), "source": "Observed" },
            "ended": { "at": "2026-11-21T06:14:32Z", "source": "Status" },
            "settled": {
                "at": "2026-11-21T06:14:36Z", "source": "Inferred",
                "notBefore": "2026-11-21T06:14:32Z",
            },
            "facts": { "version": "2.0.0", "plannedSteps": 2 },
            "steps": ["0 setWeight 20 +0s +12.345s #1", "1 pause '' Stopped < =+42s #2"],
            "weights": ["20% +0.5s -"],
            "closed": 2,
            "exported": { "until": 1 },
        },
    })
}

/// Two attempts of `cart` in each namespace, and no RolloutTrace.
fn stored(asked: &Asked) -> Reply {
    let namespace = asked.path.split('/').nth(5).unwrap_or_default();
    match asked.path.rsplit('/').next() {
        Some("rolloutattempts") => list(&[attempt(namespace, 1), attempt(namespace, 2)]),
        _ => not_found(),
    }
}

#[tokio::test]
async fn a_rollout_is_looked_for_where_kubectl_would() {
    let server = ApiServer::start(stored).await;
    for (args, namespace) in [
        (["explain", "cart"].as_slice(), "shop"),
        (&["explain", "cart", "--context", "bare"], "default"),
        (&["explain", "cart", "-n", "pay"], "pay"),
        (&["explain", "pay/cart"], "pay"),
    ] {
        let ended = run(&server.url, args).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.fits();
        let first = ended.out.lines().next().unwrap();
        assert!(first.starts_with(&format!("{namespace}/cart, revision 2: ")), "{first}");
    }
    let ended = run(&server.url, &["explain", "shop/cart", "-n", "pay"]).await;
    assert_eq!(ended.code, 2, "{ended:?}");
}

#[tokio::test]
async fn the_kubeconfig_and_the_user_can_be_named() {
    let server = ApiServer::start(stored).await;
    let path = kubeconfig(&server.url, None);
    let args = ["explain", "cart", "--kubeconfig", path.to_str().unwrap()];
    let who = ["--as", "grace", "--as-group", "team", "--as-group", "ops"];
    let ended = ended(command(&[args.as_slice(), &who].concat())).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    for asked in server.asked() {
        assert_eq!(asked.headers["authorization"], "Bearer secret");
        assert_eq!(asked.headers["impersonate-user"], "grace");
        let groups: Vec<_> = asked.headers.get_all("impersonate-group").iter().collect();
        assert_eq!(groups, ["team", "ops"]);
    }
    let ended = run(&server.url, &["explain", "cart", "--context", "there"]).await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("\"there\": it has here, bare"), "{}", ended.err);
}

#[tokio::test]
async fn an_attempt_as_data_has_each_time_with_its_source() {
    let server = ApiServer::start(stored).await;
    let ended = run(&server.url, &["explain", "cart", "--revision", "1", "-o", "json"]).await;
    let data = ended.json();
    assert_eq!(data["namespace"], "shop");
    assert_eq!((&data["revision"], &data["attempt"]), (&json!(1), &json!(1)));
    assert_eq!(data["phase"], "Aborted");
    assert_eq!(data["durationSeconds"], json!(811.5));
    assert_eq!(data["started"], json!({ "at": "2026-11-21T06:01:00.5Z", "source": "Observed" }));
    assert_eq!(
        data["settled"],
        json!({
            "at": "2026-11-21T06:14:36Z", "source": "Inferred", "notBefore": "2026-11-21T06:14:32Z",
        })
    );
    assert_eq!(
        data["steps"][1],
        json!({
            "index": 1, "kind": "pause", "setting": "", "result": "Stopped",
            "started": { "at": "2026-11-21T06:01:12.845Z", "source": "Observed" },
            "ended": { "at": "2026-11-21T06:01:42.5Z", "source": "Status" },
        })
    );
    assert_eq!(data["weights"][0]["ended"], Value::Null);
    assert_eq!((&data["failure"], &data["keptn"]), (&Value::Null, &Value::Null));
    let yaml = run(&server.url, &["explain", "cart", "--revision", "1", "-o", "yaml"]).await;
    assert_eq!(serde_norway::from_str::<Value>(&yaml.out).unwrap(), data);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_named_and_the_rest_is_shown() {
    let server = ApiServer::start(|asked| match asked.path.rsplit('/').next() {
        Some("rolloutattempts") => {
            let mut broken = attempt("shop", 3);
            broken["spec"]["revision"] = json!("three");
            list(&[attempt("shop", 2), broken])
        }
        _ => Some((
            200,
            json!({
                "apiVersion": "throughline.dev/v1alpha1", "kind": "RolloutTrace",
                "metadata": { "name": "cart", "namespace": "shop" }, "spec": "none",
            }),
        )),
    })
    .await;
    let ended = run(&server.url, &["explain", "cart"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.starts_with("shop/cart, revision 2"), "{}", ended.out);
    for name in ["RolloutAttempt shop/cart-3-1-0f3a9 is left out", "RolloutTrace shop/cart is left"]
    {
        assert!(ended.err.contains(name), "{}", ended.err);
    }
}

#[tokio::test]
async fn what_is_not_there_is_three_and_what_is_not_allowed_is_four() {
    let nothing = ApiServer::start(|asked| match asked.path.rsplit('/').next() {
        Some("rolloutattempts") => list(&[]),
        _ => not_found(),
    });
    let unserved = ApiServer::start(|_| not_found());
    let forbidden = ApiServer::start(|_| refusal(403, "Forbidden", "ada may not"));
    let unknown = ApiServer::start(|_| refusal(401, "Unauthorized", "who is this"));
    let broken = ApiServer::start(|_| refusal(500, "InternalError", "etcd is gone"));
    for (server, code, words) in [
        (nothing.await, 3, "no Rollout shop/cart is followed"),
        (unserved.await, 3, "serves no rolloutattempts.throughline.dev"),
        (
            forbidden.await,
            4,
            "no permission to list rolloutattempts.throughline.dev in namespace shop",
        ),
        (unknown.await, 4, "log in again"),
        (broken.await, 1, "etcd is gone"),
    ] {
        let ended = run(&server.url, &["explain", "cart"]).await;
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{ended:?}");
        assert!(ended.err.contains(words), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
    let server = ApiServer::start(stored).await;
    assert_eq!(run(&server.url, &["explain", "cart", "--revision", "9"]).await.code, 3);
    let ended = run("http://127.0.0.1:1", &["explain", "cart"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("Connection refused"), "{}", ended.err);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let server = ApiServer::start(|_| None).await;
    let mut command = command(&["explain", "cart"]);
    command.env("KUBECONFIG", kubeconfig(&server.url, None)).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    let line = line.unwrap().unwrap().unwrap();
    let words = format!("waiting for {}/ to list rolloutattempts, for 2 s now", server.url);
    assert!(line.contains(&words), "{line}");
}
