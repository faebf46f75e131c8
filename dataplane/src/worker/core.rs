//! One packet at a time: carrying out its fate, and everything that is not the plain case.

use super::config::{Links, WorkerConfig};
use super::egress::{Egress, From, Out};
use super::news::Recent;
use super::outcome::{self, Facts, carry_out};
use super::trunk::Trunks;
use crate::buffer::PacketBuf;
use crate::clock::Clock;
use crate::counters::WorkerStats;
use crate::feed::{Adjacency, VrfSpec};
use crate::hold::{Held, HoldTable};
use crate::host::HostClass;
use crate::io::{Io, PacketBurst};
use crate::path::flow::FlowKey;
use crate::path::icmp;
use crate::path::ip::Ip;
use crate::path::limit::{IcmpLimiter, IcmpLimits};
use crate::path::mtu;
use crate::path::outer_id::OuterIds;
use crate::path::route::{self, Context, Origin};
use crate::punt::Punt;
use crate::reassembly::Reassembly;
use crate::replica::{Replica, Retired};
use crate::traffic::VrfTraffic;
use crate::types::{Eid, PortId, VrfId};
use crate::verdict::{DropReason, HoldKey, Notice, Verdict, Wait};
use crate::watch::{Story, Watchers};
use crate::wire::{ethernet, vlan};
use std::net::IpAddr;

/// Everything of a worker but the burst it is working on.
#[derive(Debug)]
pub(super) struct Core<I: Io> {
    pub(super) io: I,
    pub(super) replica: Replica,
    pub(super) hold: HoldTable<I::Buf>,
    pub(super) reassembly: Reassembly<I::Buf>,
    /// Fragments on their way out of the table; taken while some are.
    pub(super) loose: Vec<I::Buf>,
    pub(super) links: Links,
    /// Those who look at packets as they go by.
    pub(super) watch: Watchers,
    /// What control was told lately.
    pub(super) recent: Recent,
    pub(super) key: FlowKey,
    pub(super) verify_udp_checksum: bool,
    pub(super) express: bool,
    /// Ticks in a second.
    hz: u64,
    /// Tick of this round.
    pub(super) now: u64,
    /// What control has not taken back yet.
    pub(super) pending: Option<Retired>,
    pub(super) trunks: Trunks,
    egress: Box<[Egress<I::Burst>]>,
    icmp: IcmpLimits,
    pub(super) limiter: IcmpLimiter,
    /// Of the errors that the core sends.
    pub(super) core_limiter: IcmpLimiter,
    /// Room for the pieces of a packet that is being split; taken while one is.
    pub(super) pieces: Option<I::Burst>,
    pub(super) outer_ids: OuterIds,
    /// Packets of a burst that are dropped together.
    pub(super) doomed: I::Burst,
}

impl<I: Io> Core<I> {
    pub(super) fn new(io: I, clock: &impl Clock, config: &WorkerConfig, links: Links) -> Self {
        let ports = io.ports();
        Self {
            replica: Replica::new(config.replica),
            hold: HoldTable::new(config.hold, clock.hz()),
            reassembly: Reassembly::new(config.reassembly, clock.hz(), config.flow_key),
            loose: Vec::with_capacity(Reassembly::<I::Buf>::GIVEN_OUT),
            core_limiter: IcmpLimiter::new(super::core_errors::LIMITS, ports, clock.hz(), config.flow_key),
            limiter: IcmpLimiter::new(config.icmp, ports, clock.hz(), config.flow_key),
            trunks: Trunks::new(ports, &[]),
            icmp: config.icmp,
            egress: std::iter::repeat_with(Egress::default).take(ports).collect(),
            pieces: Some(I::Burst::default()),
            doomed: I::Burst::default(),
            recent: Recent::new(clock.hz()),
            outer_ids: OuterIds::new(config.share, clock.hz(), config.flow_key),
            key: config.flow_key,
            verify_udp_checksum: config.verify_udp_checksum,
            express: config.express,
            hz: clock.hz(),
            now: clock.now(),
            pending: None,
            io,
            links,
            watch: Watchers::new(),
        }
    }

    /// Sub-interfaces are ports, too.
    pub(super) fn set_trunks(&mut self, trunks: Trunks, hz: u64) {
        let ports = usize::from(trunks.all());
        self.limiter = IcmpLimiter::new(self.icmp, ports, hz, self.key);
        self.core_limiter = IcmpLimiter::new(super::core_errors::LIMITS, ports, hz, self.key);
        self.trunks = trunks;
    }

    /// Ticks now, and in a second.
    #[inline(always)]
    pub(super) const fn clock(&self) -> (u64, u64) {
        (self.now, self.hz)
    }

    pub(super) fn stats(&self) -> &WorkerStats {
        &self.links.stats
    }

    /// Carries out what was decided about a packet that was received.
    #[inline(always)]
    pub(super) fn finish(&mut self, buf: I::Buf, facts: &Facts, verdict: Verdict) {
        match verdict {
            Verdict::Encapsulated(port) | Verdict::Forwarded(port) => self.send(port, buf, facts),
            Verdict::Host => self.give_to_kernel(facts.cx.port, buf),
            Verdict::Drop(reason, None) => self.dropped(facts, reason),
            Verdict::Drop(reason, Some(notice)) => self.refuse(buf, facts, reason, notice),
            Verdict::Hold(wait) => self.wait(buf, facts, wait),
            Verdict::Split(room) => self.split(buf, facts, room),
            Verdict::Identify { port, mtu } => self.identify(buf, facts, (port, mtu), false),
            Verdict::CoreError => self.core_error(buf, facts),
            Verdict::Reassemble => self.reassemble(buf, facts),
        }
    }

    /// Hands a packet to the kernel as it came: of a sub-interface with its tags, by its parent.
    /// The reason when the kernel's queue for its class is full, or there is none.
    pub(super) fn hand_to_host(&mut self, port: PortId, mut buf: I::Buf) -> Result<(), DropReason> {
        let class = HostClass::of(buf.data());
        let given = match self.trunks.sub(port) {
            None => self.io.host_tx(port, class, buf).is_ok(),
            Some(sub) => vlan::push(&mut buf, sub.tags) && self.io.host_tx(sub.parent, class, buf).is_ok(),
        };
        if given { Ok(()) } else { Err(class.full()) }
    }

    #[inline(always)]
    pub(super) fn send(&mut self, port: PortId, buf: I::Buf, facts: &Facts) {
        let from = if facts.cx.origin == Origin::Own { From::Worker } else { From::Nic };
        self.put_out(port, buf, from);
    }

    /// Queues a packet for sending.
    #[inline(always)]
    pub(super) fn put_out(&mut self, port: PortId, buf: I::Buf, from: From) {
        if self.watch.any() {
            self.watch.sent(port, &buf, from == From::Host, self.now);
        }
        let Self { io, egress, links, watch, now, .. } = self;
        let mut out = Out { io, stats: &links.stats, watch, now: *now };
        match egress.get_mut(usize::from(port.0)) {
            Some(row) => row.push(&mut out, port, buf, from),
            None => self.put_out_tagged(port, buf, from),
        }
    }

    /// Queues a packet of a sub-interface on its parent.
    fn put_out_tagged(&mut self, port: PortId, mut buf: I::Buf, from: From) {
        let Self { io, egress, links, trunks, watch, now, replica, .. } = self;
        let bytes = buf.total_len() as u64;
        if let Some(sub) = trunks.sub(port)
            && let Some(row) = egress.get_mut(usize::from(sub.parent.0))
            && vlan::push(&mut buf, sub.tags)
        {
            if let Some(traffic) = replica.traffic().subinterface(port) {
                traffic.sent.add(1, bytes);
            }
            let mut out = Out { io, stats: &links.stats, watch, now: *now };
            return row.push(&mut out, sub.parent, buf, from);
        }
        match from {
            From::Nic => self.drop_one(VrfId::NONE, DropReason::TxPort),
            From::Worker => self.stats().originated_lost.add(1),
            From::Host => self.stats().from_host_lost.add(1),
        }
    }

    /// Sends a whole burst of received packets on one port, after what is queued there.
    #[inline(always)]
    pub(super) fn pass(&mut self, port: PortId, burst: &mut I::Burst, bytes: u64) {
        let Self { io, egress, links, watch, now, .. } = self;
        let mut out = Out { io, stats: &links.stats, watch, now: *now };
        match egress.get_mut(usize::from(port.0)) {
            Some(row) => row.pass(&mut out, port, burst, bytes),
            None => burst.drain().for_each(|buf| self.put_out_tagged(port, buf, From::Nic)),
        }
    }

    /// Sends what is queued on all ports.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        let Self { io, egress, links, watch, now, .. } = self;
        let mut out = Out { io, stats: &links.stats, watch, now: *now };
        for (number, row) in egress.iter_mut().enumerate() {
            row.flush(&mut out, PortId(number as u16));
        }
    }

    /// Counts a drop; one of our own packets has no fate.
    pub(super) fn dropped(&mut self, facts: &Facts, reason: DropReason) {
        match facts.cx.origin {
            Origin::Own => self.stats().originated_lost.add(1),
            _ => self.drop_one(facts.cx.vrf, reason),
        }
    }

    /// Counts the drop of the packet at hand, and with its VRF.
    pub(super) fn drop_one(&mut self, vrf: VrfId, reason: DropReason) {
        self.watch.note(reason);
        self.count_drop(vrf, reason);
    }

    /// Counts a drop, and with the packet's VRF.
    pub(super) fn count_drop(&self, vrf: VrfId, reason: DropReason) {
        self.stats().drop_one(reason);
        if let Some(traffic) = self.replica.traffic().vrf(vrf) {
            traffic.dropped.add(1);
        }
    }

    /// The VRF of a port.
    pub(super) fn vrf_of(&self, port: PortId) -> VrfId {
        self.replica.port(port).map_or(VrfId::NONE, |spec| spec.vrf)
    }

    /// Where packets are counted that came in on a port.
    #[inline(always)]
    pub(super) fn traffic_of(&self, port: PortId) -> Option<&VrfTraffic> {
        self.replica.traffic().vrf(self.replica.port(port)?.vrf)
    }

    /// Drops a packet and tells its source, if that is allowed.
    #[cold]
    pub(super) fn refuse(&mut self, mut buf: I::Buf, facts: &Facts, reason: DropReason, notice: Notice) {
        self.dropped(facts, reason);
        let Facts { ip, cx, .. } = facts;
        let source = self.icmp_source(*cx, ip.is_v6());
        let (Some(source), true) = (source, cx.origin != Origin::Own && icmp::may_notify(buf.data(), ip))
        else {
            return self.stats().icmp_unsendable.add(1);
        };
        if !self.limiter.allow(cx.port, &ip.addrs, self.now) {
            return self.stats().icmp_limited.add(1);
        }
        if !icmp::build(&mut buf, ip, notice, source) {
            return self.stats().icmp_unsendable.add(1);
        }
        if let Some(counter) = self.stats().icmp.get(icmp::kind(notice)) {
            counter.add(1);
        }
        let own = Held { buf, cx: Context { origin: Origin::Own, ..*cx }, since: self.now };
        self.again(own);
    }

    /// Address that an ICMP error comes from: that of the interface on the source's side (R-010,
    /// RFC 1812 section 4.3.2.4); for what came out of LISP, of an interface of its VRF. Never that of
    /// another VRF: a tenant learns nothing of the others.
    pub(super) fn icmp_source(&self, cx: Context, v6: bool) -> Option<IpAddr> {
        let address = |port: PortId| {
            let spec = self.replica.port(port)?;
            if v6 { spec.ipv6.map(IpAddr::V6) } else { spec.ipv4.map(IpAddr::V4) }
        };
        let all = || (0..self.trunks.all()).map(PortId);
        let in_vrf = |port: &PortId| self.replica.port(*port).is_some_and(|spec| spec.vrf == cx.vrf);
        let native = |port: &PortId| self.replica.port(*port).is_some_and(|spec| spec.native);
        let arrival = Some(cx.port).filter(|port| cx.origin == Origin::Native && in_vrf(port));
        arrival
            .and_then(address)
            .or_else(|| all().filter(in_vrf).filter(native).find_map(address))
            .or_else(|| all().filter(in_vrf).find_map(address))
    }

    /// Routes a packet that has waited.
    pub(super) fn release(&mut self, held: Held<I::Buf>) {
        if !self.watch.any() || held.cx.origin == Origin::Own {
            self.again(held);
            return;
        }
        let since = held.since;
        self.watch.begin_released(held.cx.port, &held.buf, self.now);
        let story = self.again(held);
        self.watch.finished(story, Some(self.now.saturating_sub(since)));
    }

    /// Routes a packet that was read before: one that has waited, or one of our own. Returns what can be
    /// told of it.
    pub(super) fn again(&mut self, held: Held<I::Buf>) -> Story {
        let Held { mut buf, cx, since } = held;
        if cx.origin == Origin::Encapsulated {
            return self.whole(buf, cx, Some(since));
        }
        let available = buf.total_len().saturating_sub(ethernet::LEN);
        let mut facts = Facts { since: Some(since), ..Facts::blank(cx) };
        if facts.ip.read(buf.data(), ethernet::LEN, available, &self.key).is_err() {
            // It was well formed when it came; count it rather than lose it if that is not so.
            self.dropped(&facts, DropReason::InnerHeader);
            return facts.story(Verdict::Drop(DropReason::InnerHeader, None), false);
        }
        facts.step = route::decide(&facts.ip, cx, &mut facts.mapping, &self.replica);
        let verdict = carry_out(&mut buf, &facts, &self.vrf(cx), &self.replica);
        self.count_sent(&buf, &facts, verdict);
        self.finish(buf, &facts, verdict);
        facts.story(verdict, true)
    }

    /// A packet's VRF.
    pub(super) fn vrf(&self, cx: Context) -> VrfSpec {
        self.replica.vrf(cx.vrf).copied().unwrap_or_default()
    }

    /// Counts the way that a packet takes.
    pub(super) fn count_sent(&self, buf: &I::Buf, facts: &Facts, verdict: Verdict) {
        outcome::count_sent(&self.replica, facts, verdict, buf);
        match verdict {
            Verdict::Encapsulated(_) | Verdict::Identify { .. } => self.stats().encapsulated.add(1),
            Verdict::Forwarded(_) => self.stats().forwarded.add(1),
            _ => {}
        }
    }

    /// Holds a packet, and asks for what it waits for.
    #[cold]
    fn wait(&mut self, mut buf: I::Buf, facts: &Facts, wait: Wait) {
        let key = key(wait, facts);
        // The padding goes now: the next look at the packet has no frame to compare with.
        let asker = if facts.cx.origin == Origin::Encapsulated {
            self.sender(&buf)
        } else {
            buf.truncate(ethernet::LEN + facts.ip.len as usize);
            facts.ip.addrs.source()
        };
        let packet = Held { buf, cx: facts.cx, since: facts.since.unwrap_or(self.now) };
        let held = self.hold.hold(key, packet, self.now);
        if held.refused.is_some() {
            return self.dropped(facts, given_up(facts.cx.origin, DropReason::HoldOverflow));
        }
        self.waiting(facts.cx.origin, true);
        if let Some(evicted) = held.evicted {
            self.let_go(&evicted, DropReason::HoldOverflow);
        }
        if held.ask {
            self.ask(key, asker);
        }
    }

    /// Puts a packet to those that will be dropped together.
    #[inline]
    pub(super) fn doom(&mut self, buf: I::Buf) {
        // There is room for a whole burst; a packet for which there is none is freed at once.
        drop(self.doomed.push(buf));
    }

    /// Counts a held packet that will not be sent.
    pub(super) fn let_go(&mut self, held: &Held<I::Buf>, reason: DropReason) {
        self.waiting(held.cx.origin, false);
        let reason = given_up(held.cx.origin, reason);
        match held.cx.origin {
            Origin::Own => self.stats().originated_lost.add(1),
            _ => {
                if self.watch.any() {
                    self.watch.let_go(held.cx.port, &held.buf, reason, self.now);
                }
                self.count_drop(held.cx.vrf, reason);
            }
        }
    }

    /// A packet begins to wait, or waits no longer.
    pub(super) fn waiting(&self, origin: Origin, begins: bool) {
        let stats = self.stats();
        let gauge = if origin == Origin::Own { &stats.originated_held } else { &stats.held };
        gauge.set(if begins { gauge.get() + 1 } else { gauge.get().saturating_sub(1) });
        stats.held_ever.add(u64::from(begins && origin != Origin::Own));
    }

    /// Source of the outer header of a frame that was read before.
    fn sender(&self, buf: &I::Buf) -> IpAddr {
        let (mut outer, available) = (Ip::blank(), buf.total_len().saturating_sub(ethernet::LEN));
        // It was well formed when it came: if it is not, the address is that of nobody.
        let _ = outer.read(buf.data(), ethernet::LEN, available, &self.key);
        outer.addrs.source()
    }

    /// `asker`: who is to be blamed for a lookup.
    fn ask(&mut self, key: HoldKey, asker: IpAddr) {
        let punt = match key {
            HoldKey::Eid(eid) => Punt::Miss { vrf: eid.vrf, eid: eid.addr, source: asker },
            HoldKey::Rloc(rloc) => Punt::RlocWanted(rloc),
            HoldKey::Neighbour(port, neighbour) => Punt::NeighbourMiss { port, neighbour },
            HoldKey::Adjacency(id) => match self.replica.adjacency(id) {
                Adjacency::Resolving { port, neighbour } => Punt::NeighbourMiss { port, neighbour },
                Adjacency::Ready { .. } | Adjacency::Failed => return,
            },
        };
        // Misses may fill half of the ring: a flood of them leaves room for what else is to be told.
        let punts = &self.links.punts;
        if matches!(punt, Punt::Miss { .. }) && punts.len() >= punts.capacity() / 2 {
            return self.links.stats.punts_lost.add(1);
        }
        let counter = match self.links.punts.push(punt) {
            Ok(()) => &self.links.stats.punts,
            Err(_) => &self.links.stats.punts_lost,
        };
        counter.add(1);
    }

    /// Splits a packet and sends the pieces. The first one carries the fate of the packet.
    #[cold]
    fn split(&mut self, mut buf: I::Buf, facts: &Facts, room: u16) {
        let Some(mut pieces) = self.pieces.take() else { return };
        let io = &mut self.io;
        if mtu::split(&mut buf, &facts.ip, room, || io.alloc(), &mut pieces) {
            self.send_piece(buf, facts, false);
            for piece in pieces.drain() {
                self.send_piece(piece, facts, true);
            }
        } else {
            self.dropped(facts, DropReason::NotFragmentable);
        }
        self.pieces = Some(pieces);
    }

    fn send_piece(&mut self, mut buf: I::Buf, facts: &Facts, additional: bool) {
        let available = buf.total_len().saturating_sub(ethernet::LEN);
        let mut piece = *facts;
        let read = piece.ip.read(buf.data(), ethernet::LEN, available, &self.key);
        // The pieces of a datagram take the way of the whole: its hash, not theirs.
        piece.ip = Ip { len: piece.ip.len, ..facts.ip };
        let verdict = match read {
            Ok(()) => carry_out(&mut buf, &piece, &self.vrf(facts.cx), &self.replica),
            Err(_) => Verdict::Drop(DropReason::NotFragmentable, None),
        };
        self.count_sent(&buf, facts, verdict);
        match verdict {
            Verdict::Encapsulated(port) | Verdict::Forwarded(port) if additional => {
                self.stats().fragments.add(1);
                self.put_out(port, buf, From::Worker);
            }
            Verdict::Encapsulated(port) | Verdict::Forwarded(port) => self.send(port, buf, facts),
            Verdict::Identify { port, mtu } => self.identify(buf, facts, (port, mtu), additional),
            _ if additional => self.stats().originated_lost.add(1),
            _ => self.dropped(facts, DropReason::NotFragmentable),
        }
    }
}

/// Why a packet is dropped that waited, or should have: one that still has its outer headers waited for what
/// is known of its inner source.
fn given_up(origin: Origin, reason: DropReason) -> DropReason {
    if origin == Origin::Encapsulated { DropReason::InnerSourceUnknown } else { reason }
}

/// What a packet is kept by while it waits.
fn key(wait: Wait, facts: &Facts) -> HoldKey {
    let destination = facts.ip.addrs.destination();
    match wait {
        Wait::Mapping => HoldKey::Eid(Eid { vrf: facts.cx.vrf, addr: destination }),
        Wait::Source => HoldKey::Eid(Eid { vrf: facts.cx.vrf, addr: facts.ip.addrs.source() }),
        Wait::Neighbour(port) => HoldKey::Neighbour(port, destination),
        Wait::Rloc(rloc) => HoldKey::Rloc(rloc),
        Wait::Adjacency(adjacency) => HoldKey::Adjacency(adjacency),
    }
}
