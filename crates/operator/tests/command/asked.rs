//! An API server that answers as a test wants, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path without query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Status and body; none is never answered.
pub(crate) type Reply = Option<(u16, Value)>;

pub(crate) struct ApiServer {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ApiServer {
    pub(crate) async fn start(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (all, script) = (asked.clone(), Arc::new(Mutex::new(script)));
        let app = Router::new().fallback(move |request: Request<Body>| {
            let (all, script) = (all.clone(), script.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let asked = Asked {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    headers: parts.headers,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                all.lock().unwrap().push(asked.clone());
                let reply = (*script.lock().unwrap())(&asked);
                let Some((status, body)) = reply else { std::future::pending().await };
                let response = Response::builder().status(status);
                let response = response.header("content-type", "application/json");
                response.body(Body::from(body.to_string())).unwrap()
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// `PATCH /apis/...`
    pub(crate) fn writes(&self) -> Vec<String> {
        let asked = self.asked();
        let writes = asked.iter().filter(|asked| asked.method != "GET");
        writes.map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }
}

/// A list of a kind, on one page.
pub(crate) fn list(items: &[Value]) -> Reply {
    let list = json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": items });
    Some((200, list))
}

/// A refusal in Kubernetes' own form.
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Reply {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    Some((code, status))
}

pub(crate) fn not_found() -> Reply {
    refusal(404, "NotFound", "the server could not find the requested resource")
}
