//! A scripted collector, over HTTP/1 and HTTP/2.

use std::collections::VecDeque;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response, Version};
use axum::serve::Listener;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Makes an answer; none comes where it gives none.
pub(crate) type Reply = Box<dyn FnOnce() -> Option<Response<Body>> + Send>;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    /// What was sent over HTTP, decompressed.
    pub(crate) fn message(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(&*self.plain()).unwrap()
    }

    /// The same as bytes.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        if self.headers.contains_key("content-encoding") {
            flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut plain).unwrap();
        } else {
            plain.extend(&self.body);
        }
        plain
    }
}

/// Runs until it is dropped.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Collector {
    /// Gives these answers, one after the other, and acknowledges what comes after.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        Self::start_at("127.0.0.1:0", None, replies).await
    }

    pub(crate) async fn start_at(
        address: &str,
        tls: Option<TlsAcceptor>,
        replies: Vec<Reply>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let replies = Arc::new(Mutex::new(VecDeque::from(replies)));
        let log = Arc::clone(&received);
        let router = Router::new().fallback(async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let (path, version) = (head.uri.path().to_owned(), head.version);
            log.lock().unwrap().push(Received { path, version, headers: head.headers, body });
            let reply = replies.lock().unwrap().pop_front();
            match reply.map_or_else(|| Some(Response::default()), |reply| reply()) {
                Some(response) => response,
                None => std::future::pending().await,
            }
        });
        let counter = Arc::clone(&connections);
        let server = tokio::spawn(async move {
            match tls {
                None => axum::serve(Counted { listener, counter }, router).await.unwrap(),
                Some(tls) => {
                    axum::serve(Secured { listener, counter, tls }, router).await.unwrap();
                }
            }
        });
        Self { address, received, connections, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer with a status, headers and a body.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let response = response.body(body.into()).unwrap();
    Box::new(|| Some(response))
}

/// No answer at all; the connection stays open.
pub(crate) fn silence() -> Reply {
    Box::new(|| None)
}

struct Counted {
    listener: TcpListener,
    counter: Arc<AtomicUsize>,
}

impl Listener for Counted {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let accepted = self.listener.accept().await.unwrap();
        self.counter.fetch_add(1, Ordering::SeqCst);
        accepted
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Secured {
    listener: TcpListener,
    counter: Arc<AtomicUsize>,
    tls: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TlsStream<TcpStream>, SocketAddr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            self.counter.fetch_add(1, Ordering::SeqCst);
            // A client that does not trust us goes away in the handshake.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
