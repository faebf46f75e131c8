//! One Map-Register's worth of our database, for one Map-Server, and how far it is.

use super::answer;
use super::nat::Way;
use crate::codec::{Address, AuthData, EidRecord, LocatorRecord, MapRegister, XtrSiteId, auth};
use crate::engine::config::{DatabaseMapping, EngineConfig, MapServerPeer};
use crate::engine::event::Time;
use crate::roles::reply::{sort_locators, wire_len};
use std::net::IpAddr;

/// How many nonces back a Map-Notify is still taken as an answer: it may answer any of the
/// retransmissions under way.
const NONCES_KEPT: usize = 4;
/// First retransmission (RFC 9301 section 5.7: within a second, doubling up to 60 s).
const RETRY_FIRST_MS: u64 = 1_000;
/// Whole IP packet when the path is not known (RFC 9301 section 5): less IP and UDP headers.
const MAX_PAYLOAD_IPV4: usize = 576 - 28;
const MAX_PAYLOAD_IPV6: usize = 1280 - 48;
/// What an ECM adds to a message over IPv4.
const ECM_OVERHEAD: usize = 4 + 28;

/// Some mappings that are registered together.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// Which Map-Server: index into the configuration.
    pub(super) peer: usize,
    /// Which mappings: range in the configuration's database.
    pub(super) members: std::ops::Range<usize>,
    /// The RTR that it goes through, behind a NAT.
    pub(super) via: Option<IpAddr>,
    nonces: [u64; NONCES_KEPT],
    /// Wait before the next retransmission; `None`: nothing is awaited.
    retry_ms: Option<u64>,
    /// Last time it was sent.
    pub(super) last_sent: Option<Time>,
    /// Last Map-Notify with a good MAC.
    pub(super) last_notify: Option<Time>,
    /// Retransmissions since then.
    pub(super) retries: u32,
}

impl Batch {
    pub(super) fn new(peer: usize, members: std::ops::Range<usize>) -> Self {
        Self {
            peer,
            members,
            via: None,
            nonces: [0; NONCES_KEPT],
            retry_ms: None,
            last_sent: None,
            last_notify: None,
            retries: 0,
        }
    }

    /// Cuts the database into batches whose Map-Registers stay within the size that every path
    /// carries. A single mapping that is larger goes alone.
    /// They go through the RTRs of `way`, if there are any: each mapping through each.
    pub(super) fn cut(config: &EngineConfig, way: &Way, peer: usize) -> Vec<Self> {
        let Some(server) = config.map_servers.get(peer) else { return Vec::new() };
        let rtrs = match way {
            Way::Direct => return Self::cut_for(config, server, &[], peer),
            Way::Unknown => return Vec::new(),
            Way::Through(rtrs) => rtrs,
        };
        let through = |rtr: &IpAddr| {
            let via = Some(*rtr);
            Self::cut_for(config, server, rtrs, peer).into_iter().map(move |batch| Self { via, ..batch })
        };
        rtrs.iter().flat_map(through).collect()
    }

    fn cut_for(config: &EngineConfig, server: &MapServerPeer, rtrs: &[IpAddr], peer: usize) -> Vec<Self> {
        let limit = if server.address.is_ipv4() { MAX_PAYLOAD_IPV4 } else { MAX_PAYLOAD_IPV6 };
        let limit = if rtrs.is_empty() { limit } else { limit - ECM_OVERHEAD };
        let fixed = 16 + auth::tag_len(server.algorithm) + config.xtr_id.map_or(0, |_| 24);
        let mut batches = Vec::new();
        let (mut start, mut bytes) = (0, fixed);
        for (i, mapping) in config.database.iter().enumerate() {
            let len = wire_len(&record(config, mapping, rtrs));
            if i > start && (bytes + len > limit || i - start >= crate::codec::MAX_RECORDS) {
                batches.push(Self::new(peer, start..i));
                (start, bytes) = (i, fixed);
            }
            bytes += len;
        }
        if start < config.database.len() {
            batches.push(Self::new(peer, start..config.database.len()));
        }
        batches
    }

    /// The nonces under which it was sent lately.
    pub(super) fn nonces(&self) -> impl Iterator<Item = u64> {
        self.nonces.into_iter().filter(|nonce| *nonce != 0)
    }

    /// Notes that it went out under `nonce`; `awaited`: a Map-Notify must come. Returns the nonce that
    /// is no longer taken for one of its own.
    pub(super) fn sent(&mut self, now: Time, nonce: u64, awaited: bool) -> u64 {
        self.nonces.rotate_right(1);
        let dropped = std::mem::replace(&mut self.nonces[0], nonce);
        self.last_sent = Some(now);
        if awaited {
            self.retry_ms.get_or_insert(RETRY_FIRST_MS);
        } else {
            self.retry_ms = None;
        }
        dropped
    }

    /// When to send it again if no Map-Notify comes.
    pub(super) fn retry_at(&self) -> Option<Time> {
        Some(self.last_sent?.plus_ms(self.retry_ms?))
    }

    /// A Map-Notify is awaited.
    pub(super) fn is_awaiting(&self) -> bool {
        self.retry_ms.is_some()
    }

    /// Doubles the wait.
    pub(super) fn back_off(&mut self, max_ms: u64) {
        self.retry_ms = self.retry_ms.map(|ms| ms.saturating_mul(2).min(max_ms));
        self.retries = self.retries.saturating_add(1);
    }

    /// Sent under this nonce lately.
    pub(super) fn is_nonce(&self, nonce: u64) -> bool {
        nonce != 0 && self.nonces.contains(&nonce)
    }

    /// The Map-Notify came.
    pub(super) fn acknowledged(&mut self, now: Time) {
        self.retry_ms = None;
        self.last_notify = Some(now);
        self.retries = 0;
    }

    /// The records to register: with our own locators, or those of the RTRs in front of our NAT.
    pub(super) fn records(&self, config: &EngineConfig, rtrs: &[IpAddr]) -> Vec<EidRecord> {
        let mappings = config.database.get(self.members.clone()).unwrap_or_default();
        mappings.iter().map(|m: &DatabaseMapping| record(config, m, rtrs)).collect()
    }
}

fn record(config: &EngineConfig, mapping: &DatabaseMapping, rtrs: &[IpAddr]) -> EidRecord {
    let mut record = answer::record(config, mapping, &mapping.eid, None);
    if !rtrs.is_empty() {
        let locator = |rtr: &IpAddr| LocatorRecord {
            priority: 1,
            weight: 100,
            m_priority: 255,
            m_weight: 0,
            local: false,
            probed: false,
            reachable: true,
            address: Address::Ip(*rtr),
        };
        record.locators = rtrs.iter().map(locator).collect();
        sort_locators(&mut record.locators);
    }
    record
}

/// A Map-Register to `server`, its authentication tag still zero.
pub(super) fn map_register(
    config: &EngineConfig,
    server: &MapServerPeer,
    nonce: u64,
    want_map_notify: bool,
    records: Vec<EidRecord>,
) -> MapRegister {
    MapRegister {
        proxy_reply: server.proxy_reply,
        lisp_sec: server.lisp_sec.is_some(),
        // To the site's xTR, which registers the host with the Map-Server.
        eid_notify: config.roles.fhr,
        use_ttl: false,
        merge: false,
        want_map_notify,
        nonce,
        auth: AuthData::unsigned(
            server.key.id,
            auth::algorithm_id(server.algorithm),
            auth::tag_len(server.algorithm),
        ),
        records,
        xtr: config.xtr_id.map(|(xtr_id, site_id)| XtrSiteId { xtr_id, site_id }),
    }
}
