//! Where `debug lisp` listens: the control thread shows each message that it receives or sends, as
//! long as somebody looks.
//!
//! Without a listener a message costs one read of a flag. With one, it is copied into that
//! listener's own bounded queue, at most so many a second; what does not fit is counted and told
//! with the next one. Decoding happens in the listener's task.

use super::decoded::{Envelope, debug_message};
use super::error::{ApiError, ErrorCode};
use super::request::{DebugQuery, Direction};
use super::types::DebugMessage;
use crate::engine::event::Time;
use crate::roles::limit::{Bucket, Rate};
use parking_lot::Mutex;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Listeners at a time.
const LISTENERS: usize = 4;
/// Messages that wait for a listener.
const WAITING: usize = 512;
/// Messages that a listener is told: the control thread has better to do in a flood.
const TOLD: Rate = Rate { per_second: 1_000, burst: 1_000 };

/// A message that goes by.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// Monotonic time.
    pub now: Time,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// Received or sent.
    pub direction: Direction,
    /// The other end.
    pub peer: SocketAddr,
    /// Our address, if known.
    pub local: Option<IpAddr>,
    /// UDP payload.
    pub payload: &'a [u8],
}

/// The control thread's side. Written by it and by listeners that come and go.
#[derive(Debug, Default)]
pub struct Tap {
    /// Listeners; what the control thread reads for each message.
    listening: AtomicUsize,
    listeners: Mutex<Vec<Listener>>,
}

#[derive(Debug)]
struct Listener {
    query: DebugQuery,
    queue: mpsc::Sender<(Envelope, Box<[u8]>)>,
    budget: Bucket,
    left_out: u64,
}

impl Tap {
    /// Whether anybody looks.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed) > 0
    }

    /// Shows a message. Never waits.
    pub fn show(&self, passing: &Passing<'_>) {
        for listener in self.listeners.lock().iter_mut() {
            listener.show(passing);
        }
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// Too many listen already.
    pub(super) fn listen(self: &Arc<Self>, query: DebugQuery) -> Result<Listening, ApiError> {
        let mut listeners = self.listeners.lock();
        if listeners.len() >= LISTENERS {
            return Err(ApiError::new(
                ErrorCode::Busy,
                format!("there are {LISTENERS} listeners already; end one of them"),
            ));
        }
        let (queue, receiver) = mpsc::channel(WAITING);
        listeners.push(Listener { query: query.clone(), queue, budget: Bucket::default(), left_out: 0 });
        self.listening.store(listeners.len(), Ordering::Relaxed);
        Ok(Listening { tap: self.clone(), query, queue: receiver, left_out: 0 })
    }
}

impl Listener {
    fn show(&mut self, passing: &Passing<'_>) {
        let kind = passing.payload.first().map_or(0, |first| first >> 4);
        if !self.query.may_want(passing.direction, kind) {
            return;
        }
        let Passing { now, unix_ms, direction, peer, local, payload } = *passing;
        let envelope = Envelope { unix_ms, direction, peer, local, left_out: self.left_out };
        let told = self.budget.take(now, TOLD) && self.queue.try_send((envelope, payload.into())).is_ok();
        self.left_out = if told { 0 } else { self.left_out + 1 };
    }
}

/// A listener's side; dropped, it does not listen any more.
#[derive(Debug)]
pub(super) struct Listening {
    tap: Arc<Tap>,
    query: DebugQuery,
    queue: mpsc::Receiver<(Envelope, Box<[u8]>)>,
    /// Left out before messages that the filter then did not want.
    left_out: u64,
}

impl Listening {
    /// The next message that the filter wants; `None`: the daemon goes down. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<DebugMessage> {
        loop {
            let (envelope, payload) = self.queue.recv().await?;
            let mut message = debug_message(envelope, &payload);
            self.left_out += message.left_out;
            if self.query.wants(&message) {
                message.left_out = std::mem::take(&mut self.left_out);
                return Some(message);
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.queue.close();
        let mut listeners = self.tap.listeners.lock();
        listeners.retain(|listener| !listener.queue.is_closed());
        self.tap.listening.store(listeners.len(), Ordering::Relaxed);
    }
}
