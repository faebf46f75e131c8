//! Map-Registers that were passed on and are not confirmed yet. Nothing of them counts before.

use crate::codec::{EidRecord, InnerHeader, MapRegister};
use crate::engine::event::{EidPrefix, Time};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddrV4};

/// Most on the way at a time.
const PENDING_MAX: usize = 8192;
/// A Map-Notify that comes later than that answers nothing.
const PENDING_MS: u64 = 10_000;

/// A Map-Register on its way.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) at: Time,
    pub(super) xtr_id: [u8; 16],
    /// Where it came from: the NAT's address and port.
    pub(super) from: SocketAddrV4,
    /// Our address that it came to.
    pub(super) to: IpAddr,
    /// Its inner header: the router's own address, and the Map-Server.
    pub(super) inner: InnerHeader,
    /// What is registered (true) or taken back.
    pub(super) eids: Vec<(EidPrefix, bool)>,
}

impl Pending {
    pub(super) fn new(
        at: Time,
        (from, to): (SocketAddrV4, IpAddr),
        inner: InnerHeader,
        xtr_id: [u8; 16],
        register: &MapRegister,
    ) -> Self {
        let eid = |record: &EidRecord| Some((record.eid_prefix()?, record.ttl_minutes != 0));
        let eids = register.records.iter().filter_map(eid).collect();
        Self { at, xtr_id, from, to, inner, eids }
    }
}

/// By nonce.
#[derive(Debug, Default)]
pub(super) struct Pendings {
    by_nonce: HashMap<u64, Pending>,
    order: VecDeque<(Time, u64)>,
}

impl Pendings {
    /// Remembers one; false when there are too many, or one with this nonce is under way: who copies a
    /// message on its way does not take its place.
    pub(super) fn add(&mut self, nonce: u64, pending: Pending) -> bool {
        self.expire(pending.at);
        if self.by_nonce.len() >= PENDING_MAX || self.by_nonce.contains_key(&nonce) {
            return false;
        }
        self.order.push_back((pending.at, nonce));
        self.by_nonce.insert(nonce, pending);
        true
    }

    /// The one that a Map-Notify of this Map-Server answers, which is then no longer on its way.
    pub(super) fn take(&mut self, now: Time, nonce: u64, map_server: IpAddr) -> Option<Pending> {
        self.expire(now);
        let asked = self.by_nonce.get(&nonce)?.inner.destination;
        if asked == map_server { self.by_nonce.remove(&nonce) } else { None }
    }

    fn expire(&mut self, now: Time) {
        while let Some((at, nonce)) = self.order.front().copied()
            && now.since(at) >= PENDING_MS
        {
            self.order.pop_front();
            // A later one may have taken the nonce anew.
            if self.by_nonce.get(&nonce).is_some_and(|p| p.at == at) {
                self.by_nonce.remove(&nonce);
            }
        }
    }
}
