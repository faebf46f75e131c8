//! From the clients' tasks to the control thread and back.

use super::desk::Desk;
use super::error::{ApiError, ErrorCode};
use super::request::Request;
use super::source::ApiSource;
use super::tap::Tap;
use super::types::Reply;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Calls that may wait for the control thread: more clients than that are told to come back.
const CALLS_WAITING: usize = 64;
/// A client is told that the daemon is busy after this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the two ends.
#[must_use]
pub fn channel() -> (ApiHandle, ApiInbox) {
    let (send, receive) = mpsc::channel(CALLS_WAITING);
    let (tap, desk) = (Arc::new(Tap::default()), Arc::new(Desk::default()));
    (ApiHandle { calls: send, tap: tap.clone(), desk: desk.clone() }, ApiInbox { calls: receive, tap, desk })
}

/// The clients' end. Cheap to clone, may be used from any thread.
#[derive(Clone, Debug)]
pub struct ApiHandle {
    calls: mpsc::Sender<ApiCall>,
    tap: Arc<Tap>,
    desk: Arc<Desk>,
}

impl ApiHandle {
    /// Asks the control thread.
    ///
    /// # Errors
    /// Its error, or `Busy` when it does not answer in time, or `Stopping` when it is gone.
    pub async fn ask(&self, request: Request) -> Result<Reply, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.calls.try_send(ApiCall { request, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                ApiError::new(ErrorCode::Busy, "too many requests are waiting; try again in a moment")
            }
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(ApiError::new(
                ErrorCode::Busy,
                format!("no answer within {} s; the control thread is busy", ANSWER_TIMEOUT.as_secs()),
            )),
        }
    }

    /// Where control messages can be listened to.
    pub(super) fn tap(&self) -> &Arc<Tap> {
        &self.tap
    }

    /// Where packets can be watched.
    pub(super) fn desk(&self) -> &Desk {
        &self.desk
    }
}

fn stopping() -> ApiError {
    ApiError::new(ErrorCode::Stopping, "the daemon is going down")
}

/// The control thread's end.
#[derive(Debug)]
pub struct ApiInbox {
    calls: mpsc::Receiver<ApiCall>,
    tap: Arc<Tap>,
    desk: Arc<Desk>,
}

impl ApiInbox {
    /// The next call; `None` when no handle is left. Cancel safe.
    pub async fn next(&mut self) -> Option<ApiCall> {
        self.calls.recv().await
    }

    /// Where messages are shown to those who debug.
    #[must_use]
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// Where those who want to see packets say so.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.desk
    }
}

/// A call that waits for its answer. Dropping it tells the client that the daemon goes down.
#[derive(Debug)]
pub struct ApiCall {
    request: Request,
    reply: oneshot::Sender<Result<Reply, ApiError>>,
}

impl ApiCall {
    /// Answers it. A client that is gone does not matter; one that gave up costs no work.
    pub fn answer(self, source: &mut impl ApiSource) {
        if !self.reply.is_closed() {
            let _ = self.reply.send(source.answer(&self.request));
        }
    }

    /// What is asked.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }
}
