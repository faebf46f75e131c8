//! Where `trace` and `capture` are ordered: the control thread looks here between two events, begins the
//! watch, and sends what it sees to the client's own task.

use super::error::{ApiError, ErrorCode};
use super::request::WatchQuery;
use super::types::Reply;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Watches at a time.
pub const WATCHES: usize = pxtr_dataplane::watch::MAX_WATCHES;
/// Packets that wait for a client. What does not fit is counted and told with the next one.
const WAITING: usize = 1024;

/// A watch that a client wants.
#[derive(Debug)]
pub struct WatchOrder {
    /// What it wants to see.
    pub query: WatchQuery,
    /// Where to. Closed: the client is gone.
    pub to: mpsc::Sender<Reply>,
}

/// The orders that the control thread has not taken yet.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: AtomicUsize,
    orders: Mutex<Vec<WatchOrder>>,
}

impl Desk {
    /// Orders a watch.
    ///
    /// # Errors
    /// Too many have.
    pub(super) fn order(&self, query: WatchQuery) -> Result<mpsc::Receiver<Reply>, ApiError> {
        let mut orders = self.orders.lock();
        if orders.len() >= WATCHES {
            return Err(busy());
        }
        let (to, receiver) = mpsc::channel(WAITING);
        orders.push(WatchOrder { query, to });
        self.waiting.store(orders.len(), Ordering::Relaxed);
        Ok(receiver)
    }

    /// What was ordered since the last look. Costs one read of a flag when that is nothing.
    #[must_use]
    pub fn take(&self) -> Vec<WatchOrder> {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut orders = self.orders.lock();
        self.waiting.store(0, Ordering::Relaxed);
        std::mem::take(&mut orders)
    }
}

/// Too many watches.
#[must_use]
pub fn busy() -> ApiError {
    ApiError::new(ErrorCode::Busy, format!("{WATCHES} traces and captures run already; end one of them"))
}
