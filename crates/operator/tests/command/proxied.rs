//! Clusters behind a proxy.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::asked::{ApiServer, list, not_found};
use crate::called::{command, ended, kubeconfig};

type Heads = Arc<Mutex<Vec<String>>>;

/// An HTTP proxy that leads to one server whatever it is asked for; and the heads of its requests.
async fn proxy(to: &str) -> (String, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (to, heads) = (to.trim_start_matches("http://").to_owned(), Heads::default());
    let all = heads.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (to, all) = (to.clone(), all.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap() > 0
                {
                }
                all.lock().unwrap().push(head);
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (address, heads)
}

#[tokio::test]
async fn the_proxy_of_the_kubeconfig_leads_to_the_cluster() {
    let server = ApiServer::start(|asked| match asked.path.rsplit('/').next() {
        Some("rolloutattempts") => list(&[]),
        _ => not_found(),
    })
    .await;
    let (address, heads) = proxy(&server.url).await;
    let config =
        kubeconfig("http://api.cluster.example:8001", Some(&format!("http://ada:pw@{address}")));
    let mut command = command(&["explain", "cart"]);
    command.env("KUBECONFIG", config).env("NO_PROXY", "*");
    let ended = ended(command).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert_eq!(server.asked().len(), 2);
    let head = heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("connect api.cluster.example:8001 "), "{head}");
    assert!(head.contains("proxy-authorization: basic ywrhonb3"), "{head}");
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_asked_unless_the_cluster_is_exempt() {
    let (address, heads) = proxy("127.0.0.1:1").await;
    let server = "https://api.cluster.invalid:6443";
    for (exempt, count) in [(".cluster.invalid,", 0), ("elsewhere", 1)] {
        let mut command = command(&["explain", "cart"]);
        command.env("KUBECONFIG", kubeconfig(server, None));
        command.env("HTTPS_PROXY", format!("http://{address}")).env("NO_PROXY", exempt);
        let ended = ended(command).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        assert_eq!(heads.lock().unwrap().len(), count, "{ended:?}");
    }
    assert!(heads.lock().unwrap()[0].starts_with("CONNECT api.cluster.invalid:6443 "));
}
