//! `throughline dora`: which Rollouts it counts.

use serde_json::{Value, json};

use crate::asked::{ApiServer, Asked, Reply, list};
use crate::called::run;

fn trace(namespace: &str, name: &str, line: &str) -> Value {
    json!({
        "apiVersion": "throughline.dev/v1alpha1",
        "kind": "RolloutTrace",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {},
        "status": {
            "rolloutUid": "uid",
            "ledger": [line],
            "dora": { "asOf": "2026-11-18T20:00:00Z", "figures": [] },
        },
    })
}

const LINE: &str = "1.1@a Promoted Initial 2026-11-16T00:00:00Z ended=+3600 exposed=yes";

fn stored(asked: &Asked) -> Reply {
    match asked.path.as_str() {
        "/apis/throughline.dev/v1alpha1/rollouttraces" => {
            list(&[trace("shop", "cart", LINE), trace("pay", "till", LINE)])
        }
        "/apis/throughline.dev/v1alpha1/namespaces/shop/rollouttraces" => {
            let mut broken = trace("shop", "broken", LINE);
            broken["spec"] = json!({ "history": "many" });
            list(&[trace("shop", "cart", LINE), broken, trace("shop", "edited", "what is this")])
        }
        _ => list(&[]),
    }
}

fn counted(page: &Value) -> Vec<&str> {
    let rollouts = page["rollouts"].as_array().unwrap();
    rollouts.iter().map(|rollout| rollout["rollout"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_namespace_of_the_context_is_counted_or_all() {
    let server = ApiServer::start(stored).await;
    let ended = run(&server.url, &["dora", "-A", "-o", "json"]).await;
    assert_eq!(counted(&ended.json()), ["till", "cart"]);
    let ended = run(&server.url, &["dora", "-o", "json"]).await;
    assert_eq!(counted(&ended.json()), ["cart", "edited"]);
    let nothing = run(&server.url, &["dora", "-n", "empty"]).await;
    assert_eq!(nothing.code, 3, "{nothing:?}");
    assert!(nothing.err.contains("--all-namespaces"), "{}", nothing.err);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_the_rest_is_counted() {
    let server = ApiServer::start(stored).await;
    let ended = run(&server.url, &["dora"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.fits();
    assert!(ended.err.contains("RolloutTrace shop/broken is left out"), "{}", ended.err);
    assert!(
        ended.err.contains("1 lines of the ledger of RolloutTrace shop/edited"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn yaml_says_what_json_says() {
    let server = ApiServer::start(stored).await;
    let mut json = run(&server.url, &["dora", "-A", "-o", "json"]).await.json();
    let yaml = run(&server.url, &["dora", "-A", "-o", "yaml"]).await;
    let mut yaml: Value = serde_norway::from_str(&yaml.out).unwrap();
    // The moment of the call.
    json["until"] = Value::Null;
    yaml["until"] = Value::Null;
    assert_eq!(yaml, json);
}
