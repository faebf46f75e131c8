//! The threads of a running data plane.

use super::error::LaunchError;
use super::worker_handle::{Tables, WorkerHandle, links};
use crate::host::HostThread;
use crate::io::dpdk::{DpdkIo, TscClock};
use crate::worker::{Handover, Trunks, Worker, WorkerConfig};
use dpdk_sys::{Burst, Eal, Pool, lcore};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// The threads: workers, and the one of the host ports. Dropping it stops them and waits for their
/// end; the packets they held go back to their pools.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    host: Option<HostThread>,
    pools: Vec<Pool>,
}

/// What a worker's thread says when it is ready: where its replica counts, or why it can not work.
type Ready = Result<Tables, dpdk_sys::Error>;

impl Running {
    pub(super) fn new(host: Option<HostThread>, pools: Vec<Pool>) -> Self {
        Self { stop: Arc::new(AtomicBool::new(false)), workers: Vec::new(), host, pools }
    }

    /// Starts a worker on `core` and waits until it is ready.
    pub(super) fn add_worker(
        &mut self,
        eal: &Eal,
        core: usize,
        (io, trunks, handover): (DpdkIo, Trunks, Option<Handover<Burst>>),
        config: WorkerConfig,
    ) -> Result<WorkerHandle, LaunchError> {
        let (links, watch_link, ends) = links(core);
        let (say, hear): (Sender<Ready>, Receiver<Ready>) = channel();
        let (eal, stop) = (eal.clone(), self.stop.clone());
        let body = move || {
            // Kept until the packets of the worker are freed.
            let _registration = match lcore::pin_and_register(&eal, core) {
                Ok(registration) => registration,
                Err(error) => return drop(say.send(Err(error))),
            };
            // Made on its core, so that its memory is near.
            let worker = Worker::new(io, TscClock::new(), &config, links);
            let worker = worker.with_handover(handover);
            let mut worker = worker.with_trunks(trunks).with_watches(watch_link);
            let tables = worker.replica();
            let counters = (
                tables.entry_counters(),
                tables.rloc_counters(),
                tables.traffic().clone(),
                tables.supplier(),
            );
            if say.send(Ok(counters)).is_ok() {
                worker.run(&stop);
            }
        };
        let name = format!("pxtr-worker{}", self.workers.len());
        let thread = std::thread::Builder::new().name(name).spawn(body).map_err(LaunchError::Thread)?;
        self.workers.push(thread);
        let counters = hear.recv().map_err(|_| LaunchError::WorkerDied(core))??;
        Ok(ends.handle(counters))
    }

    /// Names of threads that ended although nobody stopped them: they panicked.
    #[must_use]
    pub fn dead(&self) -> Vec<String> {
        let workers = self.workers.iter().filter(|thread| thread.is_finished());
        let mut dead: Vec<String> =
            workers.map(|thread| thread.thread().name().unwrap_or("worker").to_owned()).collect();
        if self.host.as_ref().is_some_and(|host| !host.is_alive()) {
            dead.push("pxtr-host".to_owned());
        }
        dead
    }

    /// The packet pools, for their occupancy. A handle may be kept longer than this.
    #[must_use]
    pub fn pools(&self) -> &[Pool] {
        &self.pools
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            // A panic in it was printed when it happened; there is nothing left to do about it.
            let _ = worker.join();
        }
    }
}
