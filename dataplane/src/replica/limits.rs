//! How large a replica may become.

/// Bounds of a replica's tables. A delta that would go beyond one is ignored and counted.
///
/// Slot numbers must be below the respective bound; memory is taken as slots are used, in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaLimits {
    /// VRFs.
    pub vrfs: u16,
    /// Ports.
    pub ports: u16,
    /// Map-cache entries, over all VRFs.
    pub entries: u32,
    /// RLOC slots.
    pub rlocs: u32,
    /// Locator-sets with more than one locator.
    pub locator_sets: u32,
    /// Native routes, over all VRFs.
    pub routes: u32,
    /// Multipath routes of a VRF.
    pub multipath_routes: u32,
    /// Ethernet next hops.
    pub adjacencies: u32,
    /// Local EID-prefixes, over all VRFs.
    pub local_eids: u32,
    /// Our own RLOCs.
    pub local_rlocs: u32,
    /// LISP sites that may send to us.
    pub sites: u32,
    /// EID-prefixes of such sites, over all VRFs.
    pub site_prefixes: u32,
    /// Prefixes of outer sources that may send to us.
    pub outer_sources: u32,
    /// Outer sources whose packets we have keys for.
    pub peers: u32,
}

impl Default for ReplicaLimits {
    fn default() -> Self {
        Self {
            vrfs: 4096,
            ports: 256,
            entries: 4 << 20,
            rlocs: 1 << 20,
            locator_sets: 1 << 20,
            routes: 4 << 20,
            multipath_routes: 1 << 20,
            adjacencies: 1 << 20,
            local_eids: 1 << 20,
            local_rlocs: 256,
            sites: 1 << 16,
            site_prefixes: 1 << 20,
            outer_sources: 1 << 16,
            peers: 1 << 14,
        }
    }
}
