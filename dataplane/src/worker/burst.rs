//! The stages for a burst: look at all, look up all, decide all, rewrite all, then carry out.
//!
//! Each stage goes over all packets before the next begins, so that the memory accesses of
//! different packets overlap. No stage before the last sends, drops or counts a fate.

use super::core::{Core, Facts};
use super::outcome::{Outcome, carry_out};
use crate::buffer::PacketBuf;
use crate::feed::PortSpec;
use crate::io::{BURST, Io, PacketBurst};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::path::classify::{Class, classify};
use crate::path::ip::{Addrs, Ip};
use crate::path::petr;
use crate::path::route::{self, Context, Mapping, Origin, Step};
use crate::replica::Replica;
use crate::types::{EntryId, PortId, VrfId};
use crate::verdict::DropReason;

/// What is known of one packet of the burst.
#[derive(Clone, Copy, Debug)]
struct Lane {
    facts: Facts,
    /// The packet is to be routed; otherwise `outcome` holds already.
    routed: bool,
    mapping: Mapping,
    outcome: Outcome,
}

/// Keys of one family to be looked up together, and whose they are.
#[derive(Debug)]
struct Keys<K> {
    keys: [K; BURST],
    lanes: [u8; BURST],
    found: [u32; BURST],
    count: usize,
}

impl<K: Copy + Default> Keys<K> {
    fn new() -> Self {
        Self { keys: [K::default(); BURST], lanes: [0; BURST], found: [0; BURST], count: 0 }
    }

    #[inline(always)]
    fn add(&mut self, key: K, lane: usize) {
        if let (Some(slot), Some(whose)) = (self.keys.get_mut(self.count), self.lanes.get_mut(self.count)) {
            (*slot, *whose) = (key, lane as u8);
            self.count += 1;
        }
    }

    /// Looks all up and tells the lanes.
    #[inline(always)]
    fn resolve(&mut self, lanes: &mut [Lane], lookup: impl Fn(&[K], &mut [u32])) {
        let count = std::mem::take(&mut self.count);
        let (Some(keys), Some(found)) = (self.keys.get(..count), self.found.get_mut(..count)) else { return };
        if count == 0 {
            return;
        }
        lookup(keys, found);
        for (whose, word) in self.lanes.iter().zip(found) {
            if let Some(lane) = lanes.get_mut(usize::from(*whose)) {
                lane.mapping = Mapping::Found((*word != NO_MATCH).then_some(EntryId(*word)));
            }
        }
    }
}

/// Working memory of the stages.
#[derive(Debug)]
pub(super) struct Stages {
    lanes: Box<[Lane; BURST]>,
    v4: Keys<Key4>,
    v6: Keys<Key6>,
}

/// What the stages count, added to the shared counters once per burst.
#[derive(Debug, Default)]
struct Tally {
    bytes: u64,
    decapsulated: u64,
    ecn_strange: u64,
    encapsulated: u64,
    forwarded: u64,
}

impl Stages {
    pub(super) fn new() -> Self {
        let zero = Key4::default();
        let ip = Ip {
            addrs: Addrs::V4 { source: zero, destination: zero },
            len: 0,
            hash: 0,
            ports: 0,
            transport: 0,
            protocol: 0,
            ttl: 0,
            tos: 0,
            fragment: false,
            later_fragment: false,
            dont_fragment: false,
            link_local_source: false,
        };
        let cx = Context { vrf: VrfId(0), port: PortId(0), origin: Origin::Native };
        let facts = Facts { ip, cx, step: Step::Host, since: None };
        let lane = Lane { facts, routed: false, mapping: Mapping::Unknown, outcome: Outcome::Host };
        Self { lanes: Box::new([lane; BURST]), v4: Keys::new(), v6: Keys::new() }
    }

    /// Takes the burst, of at most [`BURST`] packets received on `port`, through all stages.
    pub(super) fn run<I: Io>(&mut self, core: &mut Core<I>, port: PortId, burst: &mut I::Burst) {
        let mut tally = Tally::default();
        let lanes = self.lanes.get_mut(..burst.len()).unwrap_or(&mut []);
        for at in 0..burst.len() {
            if let Some(buf) = burst.get(at) {
                buf.prefetch();
            }
        }
        match core.replica.port(port) {
            Some(spec) => {
                look(core, burst, lanes, port, spec, &mut tally);
                let by_map_cache = spec.native && core.replica.vrf(spec.vrf).is_some_and(|vrf| vrf.pitr);
                if by_map_cache {
                    look_up(&core.replica, lanes, spec.vrf, &mut self.v4, &mut self.v6);
                }
                decide(&core.replica, lanes);
                rewrite(&core.replica, burst, lanes, &mut tally);
            }
            None => {
                for lane in lanes.iter_mut() {
                    lane.facts.cx.origin = Origin::Native;
                    lane.outcome = Outcome::Refuse(DropReason::PortNotConfigured, None);
                }
            }
        }
        let stats = core.stats();
        stats.received.add(burst.len() as u64);
        stats.received_bytes.add(tally.bytes);
        stats.encapsulated.add(tally.encapsulated);
        stats.forwarded.add(tally.forwarded);
        stats.decapsulated.add(tally.decapsulated);
        stats.ecn_strange.add(tally.ecn_strange);
        for (lane, buf) in lanes.iter().zip(burst.drain()) {
            core.finish(buf, &lane.facts, lane.outcome);
        }
        core.flush();
    }
}

/// First stage: what is each frame; LISP for us is stripped.
#[inline(always)]
fn look<I: Io>(
    core: &Core<I>,
    burst: &mut I::Burst,
    lanes: &mut [Lane],
    port: PortId,
    spec: &PortSpec,
    tally: &mut Tally,
) {
    let (tables, key) = (&core.replica, &core.key);
    for (at, lane) in lanes.iter_mut().enumerate() {
        let Some(buf) = burst.get_mut(at) else { break };
        tally.bytes += buf.total_len() as u64;
        lane.routed = true;
        lane.mapping = Mapping::Unknown;
        lane.facts.cx = Context { vrf: spec.vrf, port, origin: Origin::Native };
        match classify(buf, spec, tables, key) {
            Class::Ip(ip) => lane.facts.ip = ip,
            Class::Lisp(outer) => match petr::decapsulate(buf, &outer, tables, key, core.verify_udp_checksum)
            {
                Ok(inner) => {
                    lane.facts.ip = inner.ip;
                    lane.facts.cx = Context { vrf: inner.vrf, port, origin: Origin::Decapsulated };
                    tally.decapsulated += 1;
                    tally.ecn_strange += u64::from(inner.ecn_strange);
                }
                Err(reason) => lane.settle(Outcome::Refuse(reason, None)),
            },
            Class::Host => lane.settle(Outcome::Host),
            Class::Drop(reason) => lane.settle(Outcome::Refuse(reason, None)),
        }
    }
}

impl Lane {
    #[inline(always)]
    fn settle(&mut self, outcome: Outcome) {
        self.routed = false;
        self.outcome = outcome;
    }
}

/// Second stage, for ports of a PITR: the map-cache entries of all native packets at once.
#[inline(always)]
fn look_up(tables: &Replica, lanes: &mut [Lane], vrf: VrfId, v4: &mut Keys<Key4>, v6: &mut Keys<Key6>) {
    for (at, lane) in lanes.iter().enumerate() {
        if lane.routed && lane.facts.cx.origin == Origin::Native {
            match lane.facts.ip.addrs {
                Addrs::V4 { destination, .. } => v4.add(destination, at),
                Addrs::V6 { destination, .. } => v6.add(destination, at),
            }
        }
    }
    v4.resolve(lanes, |keys, found| tables.map_lookup4_burst(vrf, keys, found));
    v6.resolve(lanes, |keys, found| tables.map_lookup6_burst(vrf, keys, found));
}

/// Third stage: where each packet goes.
#[inline(always)]
fn decide(tables: &Replica, lanes: &mut [Lane]) {
    for lane in lanes.iter_mut().filter(|lane| lane.routed) {
        lane.facts.step = route::decide(&lane.facts.ip, lane.facts.cx, lane.mapping, tables);
    }
}

/// Fourth stage: each packet as it leaves.
#[inline(always)]
fn rewrite<P: PacketBurst>(tables: &Replica, burst: &mut P, lanes: &mut [Lane], tally: &mut Tally) {
    for (at, lane) in lanes.iter_mut().enumerate() {
        if !lane.routed {
            continue;
        }
        let Some(buf) = burst.get_mut(at) else { break };
        let Facts { ip, cx, step, .. } = &lane.facts;
        lane.outcome = carry_out(buf, ip, *cx, *step, tables);
        tally.encapsulated += u64::from(matches!(lane.outcome, Outcome::Encapsulated(_)));
        tally.forwarded += u64::from(matches!(lane.outcome, Outcome::Forwarded(_)));
    }
}
