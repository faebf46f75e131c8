//! One daemon: its engine, its clock, and what stands for its workers.

use super::plane::Plane;
use super::topology::Kind;
use super::watch::SendWatch;
use crate::engine::Engine;
use crate::engine::config::EngineConfig;
use crate::engine::event::Time;

/// Where every clock starts, so that one can jump back.
const EPOCH_MS: i64 = 1_000_000;

/// A daemon.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) engine: Engine,
    pub(super) plane: Plane,
    pub(super) watch: SendWatch,
    /// Starts so far.
    pub(super) starts: u32,
    /// It is away until then.
    pub(super) down_until: Option<u64>,
    /// What the workers kept from an engine before this one goes then.
    pub(super) left_over_until: Option<u64>,
    /// What its clock is ahead.
    offset_ms: i64,
    /// Its clock jumped then: ages are wrong for a while.
    pub(super) jumped_at: Option<u64>,
    /// Steps taken without time passing.
    busy: (u64, u32),
}

impl Node {
    pub(super) fn new(kind: Kind, engine: Engine) -> Self {
        Self {
            kind,
            engine,
            plane: Plane::default(),
            watch: SendWatch::default(),
            starts: 1,
            down_until: None,
            left_over_until: None,
            offset_ms: EPOCH_MS,
            jumped_at: None,
            busy: (0, 0),
        }
    }

    /// Starts anew. The workers start anew with it, unless they only got a new engine.
    pub(super) fn restart(&mut self, now: u64, engine: Engine, keeps_data_plane: bool) {
        self.engine = engine;
        self.starts += 1;
        self.watch = SendWatch::default();
        if keeps_data_plane {
            self.plane.on_engine_restart();
            self.left_over_until = Some(now + LEFT_OVER_MS);
        } else {
            self.plane = Plane::default();
            self.left_over_until = None;
        }
    }

    pub(super) fn config(&self) -> &EngineConfig {
        self.engine.config()
    }

    pub(super) const fn is_up(&self) -> bool {
        self.down_until.is_none()
    }

    /// What its clock shows.
    pub(super) fn local(&self, now: u64) -> Time {
        Time(now.saturating_add_signed(self.offset_ms))
    }

    pub(super) fn jump(&mut self, now: u64, ms: i64) {
        self.jumped_at = Some(now);
        self.offset_ms = self.offset_ms.saturating_add(ms).max(0);
    }

    /// When it wants to do something, in the world's time.
    pub(super) fn deadline(&self, now: u64) -> Option<u64> {
        let local = self.engine.next_deadline().filter(|_| self.is_up())?;
        Some(local.0.saturating_add_signed(-self.offset_ms).max(now))
    }

    /// Counts a step; false when there are too many without time passing.
    pub(super) fn is_busy_for_good(&mut self, now: u64) -> bool {
        self.busy = if self.busy.0 == now { (now, self.busy.1 + 1) } else { (now, 1) };
        self.busy.1 > 2_000
    }
}

/// After that the runtime takes out what a new engine did not install again.
pub(super) const LEFT_OVER_MS: u64 = 10_000;
