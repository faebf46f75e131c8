//! The stages for a burst: look at all, look up all, decide all, rewrite all, then carry out.
//!
//! Each stage goes over all packets before the next begins, so that the memory accesses of
//! different packets overlap. No stage before the last sends, drops or counts a fate.

use super::core::Core;
use super::egress::From;
use super::express::{Done, Inbound, Outbound};
use super::news::News;
use super::outcome::{Facts, carry_out, count_decapsulated, count_sent, is_encapsulated};
use crate::buffer::PacketBuf;
use crate::feed::{PortSpec, VrfSpec};
use crate::io::{BURST, Io, PacketBurst};
use crate::lpm::{Key4, Key6, NO_MATCH};
use crate::path::classify::{Class, classify};
use crate::path::flow::FlowKey;
use crate::path::ip::Addrs;
use crate::path::petr::{self, Refusal};
use crate::path::police::police;
use crate::path::route::{self, Context, Mapping, Origin, Step};
use crate::replica::Replica;
use crate::types::{EntryId, PortId, VrfId};
use crate::verdict::{DropReason, Verdict};

/// What is known of one packet of the burst.
#[derive(Clone, Copy, Debug)]
struct Lane {
    facts: Facts,
    /// The packet is to be routed; otherwise `verdict` holds already.
    routed: bool,
    verdict: Verdict,
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
                lane.facts.mapping = match *word {
                    NO_MATCH => Mapping::Absent,
                    word => Mapping::Entry(EntryId(word)),
                };
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
    outbound: Outbound,
    inbound: Inbound,
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
        let cx = Context { vrf: VrfId(0), port: PortId(0), origin: Origin::Native };
        let lane = Lane { facts: Facts::blank(cx), routed: false, verdict: Verdict::Host };
        Self {
            lanes: Box::new([lane; BURST]),
            v4: Keys::new(),
            v6: Keys::new(),
            outbound: Outbound::new(),
            inbound: Inbound::new(),
        }
    }

    /// Takes the burst, of at most [`BURST`] packets that came in on `port`, through all stages. Returns their bytes.
    pub(super) fn run<I: Io>(&mut self, core: &mut Core<I>, port: PortId, burst: &mut I::Burst) -> u64 {
        let mut tally = Tally::default();
        let count = burst.len();
        let lanes = self.lanes.get_mut(..count).unwrap_or(&mut []);
        // Headers of native packets are in one cache line.
        let long = core.replica.port(port).is_some_and(|spec| spec.underlay);
        for at in 0..count {
            if let Some(buf) = burst.get(at) {
                tally.bytes += buf.total_len() as u64;
                buf.prefetch();
                if long {
                    buf.prefetch_next();
                }
            }
        }
        let watched = core.watch.any();
        if watched {
            watch(core, port, burst);
        }
        let mut done = Done::NONE;
        let spec = core.replica.port(port);
        match spec.and_then(|spec| Some((spec, core.replica.vrf(spec.vrf)?))) {
            Some((spec, vrf)) => {
                let known = Known { id: port, port: spec, vrf };
                let express = (&mut self.outbound, &mut self.inbound);
                take_express(core, express, burst, known, &mut done, &mut tally);
                let stats = &core.links.stats;
                let mut news =
                    News { punts: &mut core.links.punts, recent: &mut core.recent, stats, now: core.now };
                let tables = (&core.replica, &core.key, core.verify_udp_checksum);
                if !done.all(count) {
                    look(tables, burst, lanes, known, &mut news, &mut tally, &done);
                    if spec.native && vrf.pitr {
                        look_up(&core.replica, lanes, spec.vrf, &mut self.v4, &mut self.v6);
                    }
                    decide(&core.replica, lanes, known, core.clock());
                    rewrite(&core.replica, burst, lanes, known, &mut tally);
                }
            }
            None => {
                let why = spec.map_or(DropReason::PortNotConfigured, |_| DropReason::VrfUnknown);
                let vrf = spec.map_or(VrfId::NONE, |spec| spec.vrf);
                for lane in lanes.iter_mut() {
                    lane.facts.cx = Context { vrf, port, origin: Origin::Native };
                    lane.routed = false;
                    lane.verdict = Verdict::Drop(why, None);
                }
            }
        }
        let stats = core.stats();
        if let Some(traffic) = core.traffic_of(port) {
            traffic.received.add(count as u64, tally.bytes);
        }
        stats.encapsulated.add(tally.encapsulated);
        stats.forwarded.add(tally.forwarded);
        stats.decapsulated.add(tally.decapsulated);
        stats.ecn_strange.add(tally.ecn_strange);
        if let Some(port) = done.one_port(count) {
            core.pass(port, burst, done.bytes);
            return tally.bytes;
        }
        let way = done.one_way(count).filter(|_| burst.part(done.doomed_set(), &mut core.doomed));
        if let Some(way) = way {
            if let Some(port) = way {
                core.pass(port, burst, done.bytes);
            }
        } else {
            for (at, (lane, buf)) in lanes.iter().zip(burst.drain()).enumerate() {
                match done.port(at) {
                    Some(port) => core.put_out(port, buf, From::Nic),
                    None if done.is_doomed(at) => core.doom(buf),
                    None if watched => finish_watched(core, at, lane, buf),
                    None => core.finish(buf, &lane.facts, lane.verdict),
                }
            }
        }
        if done.doomed() > 0 {
            core.stats().drop_many(DropReason::HoldOverflow, done.doomed());
            if let Some(traffic) = core.traffic_of(port) {
                traffic.dropped.add(done.doomed());
            }
            drop(core.doomed.drain());
        }
        tally.bytes
    }
}

/// Shows a burst to those who look, as it came.
#[cold]
fn watch<I: Io>(core: &mut Core<I>, port: PortId, burst: &I::Burst) {
    for at in 0..burst.len() {
        if let Some(buf) = burst.get(at) {
            core.watch.received(port, at, buf, core.now);
        }
    }
}

/// Carries out what was decided, and tells it.
#[cold]
fn finish_watched<I: Io>(core: &mut Core<I>, at: usize, lane: &Lane, buf: I::Buf) {
    core.watch.begin(at);
    core.finish(buf, &lane.facts, lane.verdict);
    core.watch.finished(lane.facts.story(lane.verdict, lane.routed), None);
}

/// What is the same for all packets of a burst that were not encapsulated.
#[derive(Clone, Copy)]
struct Known<'a> {
    id: PortId,
    port: &'a PortSpec,
    vrf: &'a VrfSpec,
}

/// Plain packets, that need none of the stages.
#[inline(always)]
fn take_express<I: Io>(
    core: &Core<I>,
    (outbound, inbound): (&mut Outbound, &mut Inbound),
    burst: &mut I::Burst,
    known: Known<'_>,
    done: &mut Done,
    tally: &mut Tally,
) {
    let (tables, key) = (&core.replica, &core.key);
    // The express way keeps no facts that could be told.
    if !core.express || core.watch.any() {
        return;
    }
    let outward = Outbound::suits(known.port, known.vrf) && !tables.is_policed(known.port.vrf);
    let inward = Inbound::suits(known.port, tables);
    // Where both may come, the first packet tells what comes first: what one way has done the other need
    // not look at.
    let inward_first = inward && (!outward || Inbound::begins(burst));
    if inward_first {
        take_inbound(core, inbound, burst, known, done, tally);
    }
    if outward && !done.all(burst.len()) {
        let openings = core.hold.openings(core.now);
        let before = done.bytes;
        let mark = |stage| core.io.mark(stage);
        let ways = outbound.run((tables, key, openings), burst, (known.port, known.vrf), done, mark);
        tally.encapsulated += ways.0;
        tally.forwarded += ways.1;
        let bytes = done.bytes - before;
        if bytes > 0
            && let Some(traffic) = tables.traffic().vrf(known.port.vrf)
        {
            traffic.encapsulated.add(ways.0, ways.2);
            traffic.forwarded.add(ways.1, bytes - ways.2);
        }
    }
    if inward && !inward_first && !done.all(burst.len()) {
        take_inbound(core, inbound, burst, known, done, tally);
    }
}

/// Plain LISP packets.
#[inline(always)]
fn take_inbound<I: Io>(
    core: &Core<I>,
    inbound: &mut Inbound,
    burst: &mut I::Burst,
    known: Known<'_>,
    done: &mut Done,
    tally: &mut Tally,
) {
    let tables = &core.replica;
    let how = (tables, &core.key, core.verify_udp_checksum);
    let before = done.bytes;
    let mark = |stage| core.io.mark(stage);
    let (packets, ecn_strange, vrf) = inbound.run(how, burst, known.port, done, mark);
    if packets > 0
        && let Some(traffic) = tables.traffic().vrf(vrf)
    {
        let bytes = done.bytes - before;
        traffic.decapsulated.add(packets, bytes);
        traffic.forwarded.add(packets, bytes);
    }
    tally.decapsulated += packets;
    tally.forwarded += packets;
    tally.ecn_strange += ecn_strange;
}

/// First stage: what is each frame; LISP for us is stripped, and sources are held to the port's rules.
#[inline(always)]
fn look<P: PacketBurst>(
    (tables, key, verify_udp_checksum): (&Replica, &FlowKey, bool),
    burst: &mut P,
    lanes: &mut [Lane],
    known: Known,
    news: &mut News<'_>,
    tally: &mut Tally,
    done: &Done,
) {
    let cx = Context { vrf: known.port.vrf, port: known.id, origin: Origin::Native };
    let how = (known.port, petr::How { verify_checksum: verify_udp_checksum, again: false });
    let trusting = tables.is_trusting();
    let by_whom = trusting || tables.any_away();
    for (at, lane) in lanes.iter_mut().enumerate() {
        let Some(buf) = burst.get_mut(at) else { break };
        let facts = &mut lane.facts;
        lane.routed = !done.is_settled(at);
        if !lane.routed {
            continue;
        }
        if known.port.native {
            buf.prefetch_headroom();
        }
        facts.mapping = Mapping::Unknown;
        facts.cx = cx;
        let class = classify(buf, known.port, tables, key, &mut facts.ip);
        if let Some(rules) = &known.port.sources
            && let Some(reason) = news.source(buf.data(), (class, &facts.ip), cx, rules, tables)
        {
            lane.settle(Verdict::Drop(reason, None));
            continue;
        }
        // The outer source is overwritten by what comes out.
        let outer = by_whom.then(|| facts.ip.addrs.source());
        match class {
            Class::Ip => {}
            Class::Lisp => match petr::decapsulate(buf, &mut facts.ip, tables, key, how) {
                Ok(inner) => {
                    facts.cx.vrf = inner.vrf;
                    facts.cx.origin = Origin::Decapsulated;
                    tally.decapsulated += 1;
                    count_decapsulated(tables, facts);
                    tally.ecn_strange += u64::from(inner.ecn_strange);
                    if let Some(outer) = outer {
                        news.away(inner.vrf, &facts.ip, outer, tables);
                        let header = (inner.lisp, inner.vrf);
                        if trusting && let Some(reason) = news.hear(header, &facts.ip, outer, tables) {
                            lane.settle(Verdict::Drop(reason, None));
                            continue;
                        }
                    }
                    if let Some(outer) = inner.ask {
                        news.unknown(inner.vrf, &facts.ip, outer);
                    }
                }
                Err(Refusal::Drop(reason)) => lane.settle(Verdict::Drop(reason, None)),
                Err(Refusal::Control) => lane.settle(Verdict::Host),
                Err(Refusal::Unknown(vrf, outer)) => {
                    let verdict = news.unknown_source(facts, (vrf, outer), tables);
                    lane.settle(verdict);
                }
            },
            Class::Fragment => lane.settle(Verdict::Reassemble),
            Class::CoreError => lane.settle(Verdict::CoreError),
            Class::Host => lane.settle(Verdict::Host),
            Class::Drop(reason) => lane.settle(Verdict::Drop(reason, None)),
        }
    }
}

impl Lane {
    #[inline(always)]
    fn settle(&mut self, verdict: Verdict) {
        self.routed = false;
        self.verdict = verdict;
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
    for lane in lanes.iter() {
        if let Mapping::Entry(entry) = lane.facts.mapping {
            tables.prefetch_entry(entry);
        }
    }
}

/// Third stage: where each packet goes.
#[inline(always)]
fn decide(tables: &Replica, lanes: &mut [Lane], known: Known, clock: (u64, u64)) {
    let policing = tables.is_policing();
    for lane in lanes.iter_mut().filter(|lane| lane.routed) {
        let Facts { ip, cx, mapping, step, .. } = &mut lane.facts;
        *step = match cx.origin {
            Origin::Native => route::decide_native(ip, *cx, mapping, known.port, known.vrf, tables),
            Origin::Decapsulated | Origin::Own | Origin::Encapsulated => {
                route::decide(ip, *cx, mapping, tables)
            }
        };
        if policing {
            police(step, ip, *cx, tables, clock);
        }
        if let Step::Encapsulate(rloc) = *step {
            tables.prefetch_rloc(rloc);
        }
    }
}

/// Fourth stage: each packet as it leaves.
#[inline(always)]
fn rewrite<P: PacketBurst>(
    tables: &Replica,
    burst: &mut P,
    lanes: &mut [Lane],
    known: Known,
    tally: &mut Tally,
) {
    for (at, lane) in lanes.iter_mut().enumerate() {
        if !lane.routed {
            continue;
        }
        let Some(buf) = burst.get_mut(at) else { break };
        let vrf = match lane.facts.cx.origin {
            Origin::Native => known.vrf,
            Origin::Decapsulated | Origin::Own | Origin::Encapsulated => {
                tables.vrf(lane.facts.cx.vrf).unwrap_or(known.vrf)
            }
        };
        lane.verdict = carry_out(buf, &lane.facts, vrf, tables);
        count_sent(tables, &lane.facts, lane.verdict, buf);
        tally.encapsulated += u64::from(is_encapsulated(lane.verdict));
        tally.forwarded += u64::from(matches!(lane.verdict, Verdict::Forwarded(_)));
    }
}
