//! Server and client over a real Unix socket.

use super::Fake;
use crate::api::*;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server with its directory; dropped: stopped.
struct Running {
    path: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    control: JoinHandle<Fake>,
    file: SocketFile,
    _dir: tempfile::TempDir,
}

fn start() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run/pxtr.sock");
    let (listener, file) = listen(&path).unwrap();
    let (handle, mut inbox) = channel();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(serve(listener, handle, async {
        let _ = stopped.await;
    }));
    let control = tokio::spawn(async move {
        let mut fake = Fake::default();
        while let Some(call) = inbox.next().await {
            call.answer(&mut fake);
        }
        fake
    });
    Running { path, stop: Some(stop), server, control, file, _dir: dir }
}

async fn ask(path: &Path, request: Request) -> Result<Reply, ClientError> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || Client::connect(&path)?.ask(&request)).await.unwrap()
}

#[tokio::test]
async fn requests_are_answered_and_the_daemon_told() {
    let mut running = start();
    let reply = ask(&running.path, Request::ShowWorkers).await.unwrap();
    assert_eq!(reply, Reply::Workers(Fake::default().workers()));

    let query = MapCacheQuery { eid: Some("10.4.0.0/16".parse().unwrap()), ..MapCacheQuery::default() };
    let reply = ask(&running.path, Request::ClearMapCache(query.clone())).await.unwrap();
    assert_eq!(reply, Reply::Cleared(Cleared { entries: 1 }));

    running.stop.take().unwrap().send(()).unwrap();
    running.server.await.unwrap();
    assert_eq!(running.control.await.unwrap().cleared, [query]);
    assert!(running.path.exists());
    drop(running.file);
    assert!(!running.path.exists(), "the socket's file outlives the daemon");
}

#[tokio::test]
async fn several_requests_on_one_connection_and_several_clients() {
    let running = start();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let path = running.path.clone();
        clients.push(tokio::spawn(async move {
            let mut stream = BufReader::new(UnixStream::connect(path).await.unwrap());
            for _ in 0..5 {
                stream.write_all(b"\n{\"cmd\":\"show drops\"}\n").await.unwrap();
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                assert!(line.starts_with("{\"version\":1,\"drops\":{\"packets_total\":3"), "{line}");
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn nonsense_is_answered_and_too_long_lines_end_the_connection() {
    let running = start();
    let mut stream = BufReader::new(UnixStream::connect(&running.path).await.unwrap());
    stream.write_all(b"\xff\xfe nonsense\n").await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.contains("\"bad_request\""), "{line}");

    stream.write_all(&vec![b'x'; 20_000]).await.unwrap();
    let mut rest = String::new();
    // The server closes with our bytes unread: a reset may follow its answer.
    let _ = stream.read_to_string(&mut rest).await;
    assert!(rest.contains("\"too_long\"") || rest.is_empty(), "{rest}");
    assert!(ask(&running.path, Request::ShowDrops).await.is_ok());
}

#[tokio::test]
async fn clients_beyond_the_limit_are_told_so() {
    let running = start();
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut stream = BufReader::new(UnixStream::connect(&running.path).await.unwrap());
        stream.write_all(b"{\"cmd\":\"show drops\"}\n").await.unwrap();
        stream.read_line(&mut String::new()).await.unwrap();
        open.push(stream);
    }
    match ask(&running.path, Request::ShowDrops).await {
        Err(ClientError::Api(error)) => assert_eq!(error.code, ErrorCode::Busy),
        // It closed before our request was written.
        Err(ClientError::Io { .. }) => {}
        other => panic!("{other:?}"),
    }
    open.clear();
    let free = async {
        while ask(&running.path, Request::ShowDrops).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), free).await.unwrap();
}

#[tokio::test]
async fn a_control_thread_that_is_gone_is_reported() {
    let (handle, inbox) = channel();
    drop(inbox);
    assert_eq!(handle.ask(Request::ShowPorts).await.unwrap_err().code, ErrorCode::Stopping);
}

#[tokio::test(start_paused = true)]
async fn a_control_thread_that_is_busy_is_reported() {
    let (handle, _inbox) = channel();
    assert_eq!(handle.ask(Request::ShowPorts).await.unwrap_err().code, ErrorCode::Busy);
    let waiting: Vec<_> = (0..80)
        .map(|_| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ask(Request::ShowPorts).await })
        })
        .collect();
    for call in waiting {
        assert_eq!(call.await.unwrap().unwrap_err().code, ErrorCode::Busy);
    }
}

#[tokio::test]
async fn the_socket_has_its_mode_and_is_not_stolen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sock");
    let (listener, file) = listen(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(matches!(listen(&path), Err(ListenError::InUse(_))));

    // A daemon that died leaves its file: the next one takes the place, and the old guard leaves it.
    drop(listener);
    // Lest the file system give the second one the same inode.
    std::fs::hard_link(&path, dir.path().join("keep")).unwrap();
    let (_listener, second) = listen(&path).unwrap();
    drop(file);
    assert!(path.exists(), "the guard of the first removed the socket of the second");
    drop(second);
    assert!(!path.exists());

    std::fs::write(&path, "x").unwrap();
    assert!(matches!(listen(&path), Err(ListenError::NoSocket(_))));
    assert!(
        listen(Path::new("/proc/none/x.sock"))
            .unwrap_err()
            .to_string()
            .contains("can not make its directory")
    );
}

#[tokio::test]
async fn the_client_says_why_it_can_not_connect() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sock");
    let missing = ask(&path, Request::ShowPorts).await.unwrap_err();
    assert!(matches!(missing, ClientError::Missing(_)));
    assert!(missing.to_string().contains("is pxtrd running?"), "{missing}");
    let (listener, _file) = listen(&path).unwrap();
    drop(listener);
    assert!(matches!(ask(&path, Request::ShowPorts).await.unwrap_err(), ClientError::Refused(_)));
}

#[tokio::test]
async fn answers_of_another_version_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sock");
    let (listener, _file) = listen(&path).unwrap();
    let server = tokio::spawn(async move {
        for answer in ["{\"version\":9,\"drops\":{\"packets_total\":0,\"reasons\":[]}}\n", "hello\n", ""] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.read_line(&mut String::new()).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let error = ask(&path, Request::ShowDrops).await.unwrap_err().to_string();
    assert!(error.contains("version 9 instead of 1"), "{error}");
    assert!(matches!(ask(&path, Request::ShowDrops).await.unwrap_err(), ClientError::Garbled { .. }));
    assert!(matches!(ask(&path, Request::ShowDrops).await.unwrap_err(), ClientError::Io { .. }));
    server.await.unwrap();
}
