//! How much may wait.

/// Bounds of a worker's fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReassemblyLimits {
    /// Datagrams at a time.
    pub datagrams: u16,
    /// Fragments at a time, over all datagrams: each holds a packet buffer.
    pub fragments: u16,
    /// Bytes of fragments at a time.
    pub bytes: u32,
    /// Part of datagrams and fragments that one source may have: one in so many.
    pub source_share: u16,
    /// Time for a datagram to be complete, milliseconds (RFC 8200 section 4.5: 60 s; RFC 1122
    /// section 3.3.2: 60 to 120 s).
    pub timeout_ms: u64,
}

impl ReassemblyLimits {
    /// Most datagrams, whatever is configured: each has its place set aside.
    pub const MAX_DATAGRAMS: u16 = 4096;
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        Self { datagrams: 256, fragments: 512, bytes: 2 << 20, source_share: 4, timeout_ms: 60_000 }
    }
}
