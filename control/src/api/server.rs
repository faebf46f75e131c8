//! Serves clients of the Unix socket.

use super::channel::ApiHandle;
use super::error::{ApiError, ErrorCode};
use super::request::{DebugQuery, Request, WatchQuery};
use super::types::{Answer, Reply};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Longest request line, bytes.
const MAX_LINE: u64 = 16 * 1024;
/// Clients at a time.
const MAX_CLIENTS: usize = 64;
/// A client that is silent for that long is disconnected.
const IDLE: Duration = Duration::from_secs(60);
/// A client that does not take an answer for that long is disconnected.
const SEND: Duration = Duration::from_secs(10);
/// Pause after accept failed (out of descriptors), lest the loop spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` completes; then open connections are closed.
pub async fn serve(listener: UnixListener, api: ApiHandle, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return,
            Some(_) = clients.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (api, places) = (api.clone(), places.clone());
        match places.try_acquire_owned() {
            Ok(place) => clients.spawn(async move {
                client(stream, api).await;
                drop(place);
            }),
            Err(_) => clients.spawn(refuse(stream)),
        };
    }
}

async fn refuse(mut stream: UnixStream) {
    let error =
        ApiError::new(ErrorCode::Busy, format!("there are {MAX_CLIENTS} clients already; try again later"));
    let _ = send(&mut stream, Reply::Error(error).into()).await;
}

/// One client: a line in, a line out, until it goes.
async fn client(stream: UnixStream, api: ApiHandle) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut read).take(MAX_LINE);
        match tokio::time::timeout(IDLE, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return,
        }
        if line.last() != Some(&b'\n') && line.len() as u64 >= MAX_LINE {
            let error = ApiError::new(ErrorCode::TooLong, format!("a request has at most {MAX_LINE} bytes"));
            let _ = send(&mut write, Reply::Error(error).into()).await;
            return;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let result = match Request::parse(&line) {
            Ok(Request::DebugLisp(query)) => return debug(query, &mut read, &mut write, &api).await,
            Ok(Request::WatchPackets(query)) => return watch(query, &mut read, &mut write, &api).await,
            Ok(request) => api.ask(request).await,
            Err(error) => Err(error),
        };
        if send(&mut write, result.into()).await.is_err() {
            return;
        }
    }
}

/// `debug lisp`: an answer for each message, until the client says anything or goes.
async fn debug(
    query: DebugQuery,
    read: &mut (impl AsyncBufReadExt + Unpin),
    write: &mut (impl AsyncWriteExt + Unpin),
    api: &ApiHandle,
) {
    let mut listening = match api.tap().listen(query) {
        Ok(listening) => listening,
        Err(error) => {
            let _ = send(write, Reply::Error(error).into()).await;
            return;
        }
    };
    loop {
        let message = tokio::select! {
            message = listening.next() => message,
            _ = read.fill_buf() => return,
        };
        let Some(message) = message else { return };
        if send(write, Reply::Debug(Box::new(message)).into()).await.is_err() {
            return;
        }
    }
}

/// `watch packets`: an answer for each, until there were enough, or the client says anything or goes.
async fn watch(
    query: WatchQuery,
    read: &mut (impl AsyncBufReadExt + Unpin),
    write: &mut (impl AsyncWriteExt + Unpin),
    api: &ApiHandle,
) {
    let mut packets = match api.desk().order(query) {
        Ok(packets) => packets,
        Err(error) => {
            let _ = send(write, Reply::Error(error).into()).await;
            return;
        }
    };
    loop {
        let reply = tokio::select! {
            reply = packets.recv() => reply,
            _ = read.fill_buf() => return,
        };
        let Some(reply) = reply else { return };
        if send(write, reply.into()).await.is_err() {
            return;
        }
    }
}

/// Sends an answer as one line.
async fn send(to: &mut (impl AsyncWriteExt + Unpin), answer: Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(&answer).map_err(std::io::Error::other)?;
    line.push(b'\n');
    match tokio::time::timeout(SEND, to.write_all(&line)).await {
        Ok(result) => result,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}
