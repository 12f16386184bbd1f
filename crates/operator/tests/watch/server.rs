//! A scripted API server that counts what it is asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) method: String,
    /// Plural name of the kind.
    pub(crate) resource: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) traceparent: Option<String>,
}

impl Asked {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn watches(&self) -> bool {
        self.get("watch").is_some()
    }

    /// A list that is to come as a stream.
    pub(crate) fn streams(&self) -> bool {
        self.get("sendInitialEvents").is_some()
    }
}

/// What becomes of a request.
pub(crate) enum Reply {
    /// A whole answer: status, `Retry-After`, and body.
    Whole(u16, Option<u32>, String),
    /// The lines of a watch, and what follows them.
    Lines(Vec<Value>, Then),
    /// None, and the connection stays.
    Never,
}

/// How a watch goes on.
pub(crate) enum Then {
    /// Nothing more comes, not even the end.
    Silence,
    /// The API server ends it.
    End,
    /// The connection is lost within a line.
    Lost,
}

type Script = Box<dyn FnMut(&Asked) -> Reply + Send>;

/// Serves on loopback until it is dropped.
pub(crate) struct ApiServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<Script>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl ApiServer {
    pub(crate) async fn start(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let (all, answers) = (asked.clone(), script.clone());
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(stream, all.clone(), answers.clone()));
            }
        });
        Self { address, asked, script, server }
    }

    /// From now on it does something else.
    pub(crate) fn now(&self, script: impl FnMut(&Asked) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// All requests for a kind.
    pub(crate) fn asked(&self, resource: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|it| it.resource == resource).cloned().collect()
    }

    /// How many requests there were.
    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn connection(stream: TcpStream, all: Arc<Mutex<Vec<Asked>>>, script: Arc<Mutex<Script>>) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = request(&mut stream).await {
        all.lock().unwrap().push(asked.clone());
        let reply = (script.lock().unwrap())(&asked);
        match reply {
            Reply::Whole(status, retry_after, body) => {
                let after = retry_after.map(|it| format!("Retry-After: {it}\r\n"));
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n",
                    after.unwrap_or_default(),
                    body.len()
                );
                if stream.write_all((head + &body).as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Lines(lines, then) => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
                let body: String = lines.iter().map(|line| chunk(&format!("{line}\n"))).collect();
                stream.write_all((head + &body).as_bytes()).await.unwrap();
                match then {
                    Then::Silence => std::future::pending().await,
                    Then::End => stream.write_all(b"0\r\n\r\n").await.unwrap(),
                    Then::Lost => {
                        stream.write_all(chunk("{\"type\":\"MODI").as_bytes()).await.unwrap();
                        return;
                    }
                }
            }
            Reply::Never => std::future::pending().await,
        }
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let (method, rest) = line.split_once(' ')?;
    let target = rest.split(' ').next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut asked = Asked {
        at: Instant::now(),
        method: method.to_owned(),
        resource: resource(path).to_owned(),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        traceparent: None,
    };
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(bytes) = header.strip_prefix("content-length:") {
            length = bytes.trim().parse().ok()?;
        }
        if let Some(traceparent) = header.strip_prefix("traceparent:") {
            asked.traceparent = Some(traceparent.trim().to_owned());
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(asked)
}

/// `/apis/<group>/<version>/[namespaces/<name>/]<resource>`, or `/api/v1/...` in the same way.
fn resource(path: &str) -> &str {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let version = if parts.first() == Some(&"api") { 2 } else { 3 };
    let within = if parts.get(version) == Some(&"namespaces") { version + 2 } else { version };
    parts.get(within).copied().unwrap_or_default()
}

/// An answer that is an error.
pub(crate) fn status(code: u16, message: &str) -> Reply {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    Reply::Whole(code, None, body.to_string())
}

/// A page of a list; `more` is the token of the next one.
pub(crate) fn page(items: &[Value], more: &str) -> Reply {
    let body = json!({
        "kind": "List", "apiVersion": "v1", "items": items,
        "metadata": { "resourceVersion": "10", "continue": more },
    });
    Reply::Whole(200, None, body.to_string())
}

/// A Rollout that says nothing but its name.
pub(crate) fn rollout(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {
            "namespace": "shop", "name": name, "uid": name, "resourceVersion": version,
        },
    })
}

/// A line of a watch.
pub(crate) fn line(kind: &str, object: &Value) -> Value {
    json!({ "type": kind, "object": object })
}

/// Nothing is there and nothing happens; lists do not come as streams.
pub(crate) fn quiet(asked: &Asked) -> Reply {
    if asked.streams() {
        status(422, "sendInitialEvents is forbidden for watch")
    } else if asked.watches() {
        Reply::Lines(Vec::new(), Then::Silence)
    } else {
        page(&[], "")
    }
}
