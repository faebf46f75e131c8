//! The server over real TCP on loopback.

use super::{BoundedListener, serve};
use crate::api::channel;
use crate::api::tests::Fake;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Starts a server for a fake daemon; `None`: one whose control thread is gone.
async fn start(fake: Option<Fake>, idle: Duration) -> SocketAddr {
    let listener = BoundedListener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with_idle(idle);
    let address = listener.address().unwrap();
    let (handle, mut inbox) = channel();
    tokio::spawn(serve(listener, handle, std::future::pending()));
    if let Some(mut fake) = fake {
        tokio::spawn(async move {
            while let Some(call) = inbox.next().await {
                call.answer(&mut fake);
            }
        });
    }
    address
}

/// Status line and body.
async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn metrics_are_served() {
    let address = start(Some(Fake::default()), LONG).await;
    for _ in 0..2 {
        let (head, body) = get(address, "/metrics").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
        assert!(body.contains("\npxtr_worker_received_total{worker=\"0\"} 5000\n"), "{body}");
    }
}

#[tokio::test]
async fn a_healthy_daemon_is_alive_and_ready() {
    let address = start(Some(Fake::default()), LONG).await;
    assert_eq!(get(address, "/livez").await.1, "alive\n");
    let (head, body) = get(address, "/readyz").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, "good data_plane: 2 of 2 workers run\ngood feed: 0 deltas behind\nready\n");
    assert!(get(address, "/").await.1.contains("/readyz"));
    assert!(get(address, "/secret").await.0.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn an_ill_daemon_is_alive_but_not_ready() {
    let address = start(Some(Fake { ill: true, ..Fake::default() }), LONG).await;
    assert!(get(address, "/livez").await.0.starts_with("HTTP/1.1 200"));
    let (head, body) = get(address, "/readyz").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(body.contains("BAD  feed") && body.ends_with("not ready\n"), "{body}");
}

#[tokio::test]
async fn without_control_thread_nothing_is_well() {
    let address = start(None, LONG).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert!(get(address, path).await.0.starts_with("HTTP/1.1 503"), "{path}");
    }
}

#[tokio::test]
async fn silent_connections_do_not_keep_others_out() {
    let address = start(Some(Fake::default()), Duration::from_millis(200)).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metr").await.unwrap();
        silent.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(10), get(address, "/livez")).await.unwrap();
    assert_eq!(answer.1, "alive\n");
}

#[tokio::test]
async fn an_address_in_use_is_an_error_with_a_remedy() {
    let address = start(None, LONG).await;
    let error = BoundedListener::bind(address).await.unwrap_err().to_string();
    assert!(error.contains("is the address on this machine and the port free?"), "{error}");
}
