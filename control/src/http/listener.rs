//! TCP connections, bounded in number and in time without progress.

use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections at a time; more wait in the kernel.
const MAX_CONNECTIONS: usize = 64;
/// A connection on which nothing moves for that long is closed. Longer than the usual scrape interval.
const IDLE: Duration = Duration::from_secs(90);
/// Pause after accept failed (out of descriptors), lest the loop spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no HTTP server.
#[derive(Debug, thiserror::Error)]
#[error(
    "daemon.http_listen = \"{address}\": can not listen ({error}); is the address on this machine and the port free?"
)]
pub struct HttpError {
    address: SocketAddr,
    error: io::Error,
}

/// A listening socket.
#[derive(Debug)]
pub struct BoundedListener {
    tcp: TcpListener,
    places: Arc<Semaphore>,
    idle: Duration,
}

impl BoundedListener {
    /// Listens.
    ///
    /// # Errors
    /// The address is not there, or its port is in use.
    pub async fn bind(address: SocketAddr) -> Result<Self, HttpError> {
        let tcp = TcpListener::bind(address).await.map_err(|error| HttpError { address, error })?;
        Ok(Self { tcp, places: Arc::new(Semaphore::new(MAX_CONNECTIONS)), idle: IDLE })
    }

    /// Where it listens, with the port that the kernel chose for port 0.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    #[cfg(test)]
    pub(super) fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // The semaphore is never closed.
            let Ok(place) = self.places.clone().acquire_owned().await else { continue };
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    let timer = Box::pin(sleep(self.idle));
                    return (Connection { stream, timer, idle: self.idle, _place: place }, peer);
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.address()
    }
}

/// A connection that ends when nothing moves.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// Passes on what moved; fails when nothing did for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            let until = Instant::now() + self.idle;
            self.timer.as_mut().reset(until);
            return result;
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch(cx, result)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
