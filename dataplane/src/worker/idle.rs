//! What to do when there is nothing to do.

use crate::launch::Idle;
use std::time::Duration;

/// Empty rounds before the first sleep: a burst that has just ended often goes on at once.
const PATIENCE: u32 = 16;

/// Counts empty rounds and sleeps after some, if that is wanted.
#[derive(Debug)]
pub(super) struct Rest {
    idle: Idle,
    empty: u32,
}

impl Rest {
    pub(super) const fn new(idle: Idle) -> Self {
        Self { idle, empty: 0 }
    }

    /// After a round; the only place where a worker makes a system call.
    pub(super) fn after(&mut self, found: usize) {
        if found > 0 {
            self.empty = 0;
            return;
        }
        self.empty = self.empty.saturating_add(1);
        match self.idle {
            Idle::Sleep { us } if self.empty > PATIENCE => {
                std::thread::sleep(Duration::from_micros(u64::from(us)))
            }
            Idle::Sleep { .. } | Idle::Poll => std::hint::spin_loop(),
        }
    }
}
