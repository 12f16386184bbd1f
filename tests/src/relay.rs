//! A way to a server on loopback that can be closed and opened, as a network that fails, and led to
//! another server, as a Service is.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::Error;

/// Connections are handed on while it is open. Closed, it cuts those there are and drops each new
/// one at once; its port stays its own.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    way: watch::Sender<Way>,
    server: JoinHandle<()>,
}

/// Where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    open: bool,
    server: String,
    /// How often it was closed: a connection from before is cut, however soon it was opened again.
    closed: usize,
}

impl Relay {
    /// Listens on a free port, open, until it is dropped.
    pub async fn to(server: &str) -> Result<Self, Error> {
        let refuse = |source| Error::Start { program: "the relay".into(), source };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let (way, ways) = watch::channel(Way { open: true, server: server.to_owned(), closed: 0 });
        let server = tokio::spawn(serve(listener, ways));
        Ok(Self { address, way, server })
    }

    /// Host and port.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The same as an address.
    pub fn socket(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to another server. Those to the one before last until it ends them.
    pub fn lead(&self, server: &str) {
        self.way.send_modify(|way| server.clone_into(&mut way.server));
    }

    /// Nothing gets through from now on.
    pub fn close(&self) {
        self.way.send_modify(|way| {
            way.open = false;
            way.closed += 1;
        });
    }

    /// Everything gets through again.
    pub fn open(&self) {
        self.way.send_modify(|way| way.open = true);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.close();
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, ways: watch::Receiver<Way>) {
    while let Ok((mut inside, _)) = listener.accept().await {
        let mut ways = ways.clone();
        tokio::spawn(async move {
            let taken = ways.borrow().clone();
            if !taken.open {
                return;
            }
            let carry = async {
                let mut outside = TcpStream::connect(&taken.server).await?;
                copy_bidirectional(&mut inside, &mut outside).await
            };
            // Either way both ends learn of it: the connection is dropped.
            tokio::select! {
                _ = carry => {}
                _ = ways.wait_for(|way| way.closed != taken.closed) => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn says(stream: &mut TcpStream) -> bool {
        let mut back = [0; 2];
        stream.write_all(b"hi").await.is_ok() && stream.read_exact(&mut back).await.is_ok()
    }

    #[tokio::test]
    async fn closed_it_cuts_and_drops_connections_and_opened_it_carries_them_again() {
        let relay = Relay::to(&echo().await).await.unwrap();
        let mut early = TcpStream::connect(relay.address()).await.unwrap();
        assert!(says(&mut early).await);
        relay.close();
        relay.open();
        assert_eq!(early.read(&mut [0; 1]).await.unwrap_or(0), 0);
        relay.close();
        let mut closed = TcpStream::connect(relay.address()).await.unwrap();
        assert!(!says(&mut closed).await);
        relay.open();
        let mut late = TcpStream::connect(relay.address()).await.unwrap();
        assert!(says(&mut late).await);
    }

    #[tokio::test]
    async fn led_to_another_server_it_leaves_connections_to_the_one_before_to_that_one() {
        let relay = Relay::to(&echo().await).await.unwrap();
        let mut before = TcpStream::connect(relay.address()).await.unwrap();
        assert!(says(&mut before).await);
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        relay.lead(&nobody.local_addr().unwrap().to_string());
        let mut after = TcpStream::connect(relay.address()).await.unwrap();
        drop(nobody.accept().await.unwrap());
        assert!(!says(&mut after).await);
        assert!(says(&mut before).await);
    }
}
