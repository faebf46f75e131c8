//! Time as the worker sees it: ticks of a counter that is handed in.

/// A monotonic counter. On the packet path it is the TSC; tests turn it by hand.
pub trait Clock {
    /// Ticks since some start.
    fn now(&self) -> u64;
    /// Ticks per second.
    fn hz(&self) -> u64;
}

/// Ticks in a number of milliseconds.
pub const fn ticks(hz: u64, milliseconds: u64) -> u64 {
    (hz as u128 * milliseconds as u128 / 1000) as u64
}
