use serde_json::{Value, json};

use super::*;
use crate::watch::server::{ApiServer, Reply};

const OURS_LINK: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

/// A KeptnAppContext that holds a link of ours and was written by these.
fn context(managers: &[&str]) -> Value {
    let managers: Vec<_> =
        managers.iter().map(|name| json!({ "manager": name, "operation": "Update" })).collect();
    json!({
        "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnAppContext",
        "metadata": {
            "namespace": "shop", "name": "cart", "uid": "u", "resourceVersion": "7",
            "annotations": { OURS: json!([OURS_LINK]).to_string() },
            "managedFields": managers,
        },
        "spec": { "spanLinks": [OURS_LINK] },
    })
}

/// What a write that takes the last link out comes to, and the methods of its requests. The API
/// server answers a delete with this status.
async fn taken_out(there: Value, deleted: u16) -> (ContextWritten, Vec<String>) {
    let server = ApiServer::start(move |asked| {
        let status = if asked.method == "DELETE" { deleted } else { 200 };
        let body = match status {
            200 => there.clone(),
            403 => json!({ "kind": "Status", "code": 403, "reason": "Forbidden", "message": "no" }),
            _ => json!({ "kind": "Status", "code": 404, "reason": "NotFound", "message": "no" }),
        };
        Reply::Whole(status, None, body.to_string())
    })
    .await;
    let config = kube::Config::new(format!("http://{}", server.address).parse().unwrap());
    let client = crate::connection::connect(config).unwrap();
    let nothing = SpanLinks { all: Vec::new(), ours: Vec::new() };
    let patch = ContextWrite::Patch { resource_version: "7".to_owned(), links: nothing };
    let written = write(client, &Key::new("shop", "cart"), patch).await;
    let asked = server.asked("keptnappcontexts").into_iter();
    (written, asked.map(|asked| asked.method).collect())
}

#[tokio::test]
async fn one_that_we_made_is_deleted_when_it_would_hold_nothing() {
    let (written, asked) = taken_out(context(&["throughline"]), 200).await;
    assert_eq!((written, asked.join(" ").as_str()), (ContextWritten::Removed, "GET DELETE"));
}

#[tokio::test]
async fn one_that_somebody_else_wrote_too_is_kept_empty() {
    let (written, asked) = taken_out(context(&["throughline", "kubectl"]), 200).await;
    assert!(matches!(written, ContextWritten::Stored(_)), "{written:?}");
    assert_eq!(asked.join(" "), "GET PATCH");
}

#[tokio::test]
async fn one_that_changed_since_it_was_read_is_not_deleted() {
    let mut there = context(&["throughline"]);
    there["metadata"]["resourceVersion"] = json!("8");
    let (_, asked) = taken_out(there, 200).await;
    assert_eq!(asked.join(" "), "GET PATCH");
}

#[tokio::test]
async fn without_the_permission_to_delete_it_is_kept_empty() {
    let (written, asked) = taken_out(context(&["throughline"]), 403).await;
    assert!(matches!(written, ContextWritten::Stored(_)), "{written:?}");
    assert_eq!(asked.join(" "), "GET DELETE PATCH");
}

#[tokio::test]
async fn one_that_is_gone_meanwhile_is_gone() {
    let (written, asked) = taken_out(context(&["throughline"]), 404).await;
    assert_eq!((written, asked.join(" ").as_str()), (ContextWritten::Conflict(None), "GET DELETE"));
}
