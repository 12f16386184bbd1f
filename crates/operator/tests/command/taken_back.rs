//! `throughline uninstall`: what it changes, and what it leaves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::asked::{ApiServer, Asked, Reply, list, not_found, refusal};
use crate::called::run;

const OURS: &str = "throughline.dev/span-links";
const A: &str = "00-9d68c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";
const B: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

type Objects = Arc<Mutex<BTreeMap<String, Value>>>;

fn context(name: &str, managers: &[&str], ours: &[&str], all: &[&str]) -> Value {
    let managers: Vec<Value> =
        managers.iter().map(|name| json!({ "manager": name, "operation": "Update" })).collect();
    json!({
        "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnAppContext",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "resourceVersion": "7", "managedFields": managers,
            "annotations": { OURS: json!(ours).to_string() },
        },
        "spec": { "spanLinks": all },
    })
}

fn kept(kind: &str, name: &str, owners: &Value) -> Value {
    json!({
        "apiVersion": "throughline.dev/v1alpha1", "kind": kind,
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "ownerReferences": owners,
        },
        "spec": {},
    })
}

fn cluster() -> Objects {
    let mut edited = context("edited", &["throughline", "kubectl"], &[A], &["theirs", A, B]);
    edited["metadata"]["annotations"]["team"] = json!("shop");
    let mut foreign = context("foreign", &["kubectl"], &[], &[B]);
    foreign["metadata"]["annotations"] = json!({});
    let owner = json!([{ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "cart", "uid": "u" }]);
    let objects = [
        ("keptnappcontexts/edited", edited),
        ("keptnappcontexts/foreign", foreign),
        ("keptnappcontexts/made", context("made", &["throughline"], &[A, B], &[A, B])),
        ("rollouttraces/cart", kept("RolloutTrace", "cart", &owner)),
        ("rollouttraces/gone", kept("RolloutTrace", "gone", &json!([]))),
        ("rolloutattempts/gone-1", kept("RolloutAttempt", "gone-1", &json!([]))),
    ];
    let objects = objects.into_iter().map(|(name, object)| (name.to_owned(), object));
    Arc::new(Mutex::new(objects.collect()))
}

/// As far as a real one is needed: lists, reads, merges at a version, deletes.
fn serve(objects: &Objects, asked: &Asked) -> Reply {
    let mut objects = objects.lock().unwrap();
    let path: Vec<&str> = asked.path.split('/').collect();
    let name = match path.as_slice() {
        [_, _, _, _, plural] | [_, _, _, _, _, _, plural] => {
            let prefix = format!("{plural}/");
            let of_kind = objects.iter().filter(|(name, _)| name.starts_with(&prefix));
            return list(&of_kind.map(|(_, object)| object.clone()).collect::<Vec<_>>());
        }
        [.., plural, name] => format!("{plural}/{name}"),
        _ => return not_found(),
    };
    let Some(object) = objects.get_mut(&name) else { return not_found() };
    match asked.method.as_str() {
        "PATCH"
            if asked.body["metadata"]["resourceVersion"]
                != object["metadata"]["resourceVersion"] =>
        {
            refusal(409, "Conflict", "the object has been modified")
        }
        "PATCH" => {
            merge(object, &asked.body);
            object["metadata"]["resourceVersion"] = json!("8");
            Some((200, object.clone()))
        }
        "DELETE" => {
            assert_eq!(asked.body["preconditions"]["uid"], object["metadata"]["uid"]);
            Some((200, objects.remove(&name).unwrap()))
        }
        _ => Some((200, object.clone())),
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

async fn server(objects: &Objects) -> ApiServer {
    let objects = objects.clone();
    ApiServer::start(move |asked| serve(&objects, asked)).await
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let server = server(&cluster()).await;
    let ended = run(&server.url, &["uninstall", "--dry-run", "--history"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.fits();
    assert_eq!(
        ended.out,
        "KeptnAppContext shop/edited: 1 span link taken out, 2 of others left (dry run)\n\
         KeptnAppContext shop/made: deleted, we made it and nothing else is in it (dry run)\n\
         RolloutAttempt shop/gone-1: deleted (dry run)\n\
         RolloutTrace shop/gone: deleted (dry run)\n"
    );
    assert_eq!(server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_ours_goes_and_what_is_not_stays() {
    let objects = cluster();
    let before = objects.lock().unwrap().clone();
    let server = server(&objects).await;
    let ended = run(&server.url, &["uninstall"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.out.lines().count(), 2, "{}", ended.out);
    assert!(ended.err.contains("1 RolloutTraces that no Rollout owns are kept"), "{}", ended.err);
    let after = objects.lock().unwrap().clone();
    let edited = &after["keptnappcontexts/edited"];
    assert_eq!(edited["spec"]["spanLinks"], json!(["theirs", B]));
    assert_eq!(edited["metadata"]["annotations"], json!({ "team": "shop" }));
    assert_eq!(after.get("keptnappcontexts/made"), None);
    for same in ["keptnappcontexts/foreign", "rollouttraces/cart", "rollouttraces/gone"] {
        assert_eq!(after[same], before[same]);
    }
    let again = run(&server.url, &["uninstall", "--history"]).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.err.contains("nothing of ours is in KeptnAppContexts"), "{}", again.err);
    let names: Vec<String> = objects.lock().unwrap().keys().cloned().collect();
    assert_eq!(
        names,
        ["keptnappcontexts/edited", "keptnappcontexts/foreign", "rollouttraces/cart"]
    );
}

#[tokio::test]
async fn somebody_who_is_faster_is_not_overwritten() {
    let objects = cluster();
    let (all, mut lists) = (objects.clone(), 0);
    let server = ApiServer::start(move |asked| {
        let reply = serve(&all, asked);
        if asked.method == "GET" && asked.path.ends_with("/keptnappcontexts") {
            lists += 1;
            if lists == 1 {
                // After it was read, and before it is written.
                let mut objects = all.lock().unwrap();
                let edited = objects.get_mut("keptnappcontexts/edited").unwrap();
                edited["spec"]["spanLinks"] = json!(["theirs", "new", A]);
                edited["metadata"]["resourceVersion"] = json!("9");
            }
        }
        reply
    })
    .await;
    let ended = run(&server.url, &["uninstall"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let after = objects.lock().unwrap().clone();
    assert_eq!(after["keptnappcontexts/edited"]["spec"]["spanLinks"], json!(["theirs", "new"]));
}

#[tokio::test]
async fn an_object_that_cannot_be_changed_is_named_and_the_rest_is_done() {
    let objects = cluster();
    let all = objects.clone();
    let server = ApiServer::start(move |asked| match asked.method.as_str() {
        "PATCH" => refusal(403, "Forbidden", "ada may not"),
        _ => serve(&all, asked),
    })
    .await;
    let ended = run(&server.url, &["uninstall"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.starts_with("KeptnAppContext shop/made: deleted"), "{}", ended.out);
    let left = "KeptnAppContext shop/edited is left as it is: no permission to patch";
    assert!(ended.err.contains(left), "{}", ended.err);
    assert_eq!(objects.lock().unwrap().get("keptnappcontexts/made"), None);
}

#[tokio::test]
async fn an_operator_that_still_runs_is_reported() {
    let objects = cluster();
    let all = objects.clone();
    let server = ApiServer::start(move |asked| {
        let reply = serve(&all, asked);
        if asked.method == "DELETE" {
            let made = context("made", &["throughline"], &[A], &[A]);
            all.lock().unwrap().insert("keptnappcontexts/made".to_owned(), made);
        }
        reply
    })
    .await;
    let ended = run(&server.url, &["uninstall"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("stop the operator first"), "{}", ended.err);
}

#[tokio::test]
async fn without_keptn_there_is_nothing_to_take_back() {
    let server = ApiServer::start(|_| not_found()).await;
    let ended = run(&server.url, &["uninstall"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    let server = ApiServer::start(|_| refusal(403, "Forbidden", "ada may not")).await;
    assert_eq!(run(&server.url, &["uninstall"]).await.code, 4);
}
