//! One AdmissionReview: read, and answered.

use std::time::Duration;

use api::keptn::KeptnAppVersion;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation};
use serde_json::{Value, json};
use smol_str::SmolStr;
use timeline::Key;
use timeline::keptn::admission::Asked;
use tokio::time::sleep;

use super::published::{Answer, Published};
use crate::own_traces::admitted;

/// How long an attempt or a trace is waited for that is about to be seen. Half of what the API server
/// waits for the answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// The answer to the API server, and the word for it in `throughline_admissions_total`.
pub(super) struct Reviewed {
    pub(super) review: AdmissionReview<DynamicObject>,
    pub(super) word: &'static str,
}

/// Answers a review. None if it is none, or does not say which request it is about.
pub(super) async fn review(body: &[u8], published: &Published) -> Option<Reviewed> {
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body).ok()?;
    let request: AdmissionRequest<DynamicObject> = review.try_into().ok()?;
    let (links, word) = match links(&request, published).await {
        Ok(links) => links,
        Err(why) => {
            let (namespace, name) = (request.namespace.as_deref().unwrap_or("-"), &request.name);
            tracing::warn!(namespace, name, why, "a KeptnAppVersion is made as it is");
            (None, "unreadable")
        }
    };
    admitted(request.namespace.as_deref(), &request.name, word);
    let allowed = AdmissionResponse::from(&request);
    let patched = links.map(|links| {
        let patch = json!([{ "op": "add", "path": "/spec/spanLinks", "value": links }]);
        Ok(AdmissionResponse::from(&request).with_patch(serde_json::from_value(patch)?))
    });
    let (response, word) = match patched.transpose() {
        Ok(None) => (allowed, word),
        Ok(Some(Ok(patched))) => (patched, word),
        Ok(Some(Err(_))) | Err::<_, serde_json::Error>(_) => (allowed, "unreadable"),
    };
    Some(Reviewed { review: response.into_review(), word })
}

/// The links that have to be written, none if they are right as they are.
async fn links(
    request: &AdmissionRequest<DynamicObject>,
    published: &Published,
) -> Result<(Option<Vec<String>>, &'static str), &'static str> {
    let kind = &request.kind;
    if (kind.group.as_str(), kind.kind.as_str()) != ("lifecycle.keptn.sh", "KeptnAppVersion") {
        return Err("the request is about another kind: apply config/admission again");
    }
    if kind.version != "v1" || !matches!(request.operation, Operation::Create) {
        return Err("only CREATE in version v1 is answered: apply config/admission again");
    }
    let object = request.object.as_ref().ok_or("the request has no object")?;
    if !object.data.get("spec").is_some_and(Value::is_object) {
        return Err("the object has no spec");
    }
    let version: KeptnAppVersion =
        object.clone().try_parse().map_err(|_| "the object cannot be read")?;
    let spec = version.spec.unwrap_or_default();
    let namespace = request.namespace.as_deref().ok_or("the request names no namespace")?;
    let app = spec.app_name.unwrap_or_default();
    let name = version.metadata.name.unwrap_or_else(|| request.name.clone());
    let workloads = spec.workloads.unwrap_or_default();
    let workloads: Vec<(SmolStr, SmolStr)> = workloads
        .into_iter()
        .filter_map(|it| Some((it.name?.into(), it.version?.into())))
        .collect();
    let present = spec.span_links.unwrap_or_default();
    let asked = Asked { name: &name, app: &app, workloads: &workloads, span_links: &present };
    let key = Key::new(namespace, app.as_str());
    Ok(match published.decide(&key, &asked, sleep(PATIENCE)).await {
        Answer::Links(links) if links == present => (None, "unchanged"),
        Answer::Links(links) => {
            tracing::info!(namespace, name, links = links.len(), "links decided");
            (Some(links), "decided")
        }
        Answer::NotOurs => (None, "not_ours"),
        Answer::NotKnown => {
            tracing::warn!(
                namespace,
                name,
                "its attempt was not seen in time: the KeptnAppVersion has the links of its app"
            );
            (None, "not_known")
        }
    })
}
