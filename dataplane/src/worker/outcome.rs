//! From a step to a verdict: the rewriting stage.

use crate::buffer::PacketBuf;
use crate::feed::{Adjacency, RlocOptions, VrfSpec};
use crate::mapcache::Rloc;
use crate::path::crypt;
use crate::path::ip::Ip;
use crate::path::mss;
use crate::path::native::{self, NextHop};
use crate::path::pitr;
use crate::path::route::{Context, Mapping, Origin, Step};
use crate::path::trust;
use crate::replica::Replica;
use crate::types::{AdjacencyId, RlocId};
use crate::verdict::{DropReason, Notice, Verdict, Wait};
use crate::watch::{Fate, Story};
use crate::wire::ethernet;
use crate::wire::lisp::{self, Lisp};

/// A packet with what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) ip: Ip,
    pub(super) cx: Context,
    pub(super) mapping: Mapping,
    pub(super) step: Step,
    /// Tick at which it began to wait, if it did.
    pub(super) since: Option<u64>,
}

impl Facts {
    /// No packet yet.
    pub(super) const fn blank(cx: Context) -> Self {
        Self { ip: Ip::blank(), cx, mapping: Mapping::Unknown, step: Step::Host, since: None }
    }

    /// What can be told of a packet with this verdict; `routed`: it came so far that there is a step.
    pub(super) fn story(&self, verdict: Verdict, routed: bool) -> Story {
        let rloc = match self.step {
            Step::Encapsulate(rloc) if routed => Some(rloc),
            _ => None,
        };
        let fate = match verdict {
            Verdict::Encapsulated(port) | Verdict::Identify { port, .. } => Fate::Encapsulated(port),
            Verdict::Forwarded(port) => Fate::Forwarded(port),
            Verdict::Host => Fate::Host,
            Verdict::Hold(wait) => Fate::Held(wait),
            Verdict::Drop(reason, _) => Fate::Dropped(reason),
            Verdict::Split(room) => Fate::Split(room),
            Verdict::Reassemble => Fate::Reassembled,
            Verdict::CoreError => Fate::CoreError,
        };
        let mapping = Some(self.mapping).filter(|mapping| routed && *mapping != Mapping::Unknown);
        Story { vrf: self.cx.vrf, origin: self.cx.origin, mapping, rloc, fate }
    }
}

/// The packet got LISP headers.
#[inline(always)]
pub(super) fn is_encapsulated(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Encapsulated(_) | Verdict::Identify { .. })
}

/// Counts the way that a packet takes, as it leaves, with its VRF.
#[inline(always)]
pub(super) fn count_sent<B: PacketBuf>(tables: &Replica, facts: &Facts, verdict: Verdict, buf: &B) {
    let Some(traffic) = tables.traffic().vrf(facts.cx.vrf) else { return };
    match verdict {
        Verdict::Encapsulated(_) | Verdict::Identify { .. } => {
            traffic.encapsulated.add(1, buf.total_len() as u64);
        }
        Verdict::Forwarded(_) => traffic.forwarded.add(1, buf.total_len() as u64),
        _ => {}
    }
}

/// Counts a packet that came out of LISP headers with its VRF.
#[inline(always)]
pub(super) fn count_decapsulated(tables: &Replica, facts: &Facts) {
    if let Some(traffic) = tables.traffic().vrf(facts.cx.vrf) {
        traffic.decapsulated.add(1, ethernet::LEN as u64 + u64::from(facts.ip.len));
    }
}

/// Rewrites the packet for where it goes. `vrf` is its own.
#[inline(always)]
pub(super) fn carry_out<B: PacketBuf>(
    buf: &mut B,
    facts: &Facts,
    vrf: &VrfSpec,
    tables: &Replica,
) -> Verdict {
    match facts.step {
        Step::Encapsulate(rloc) => encapsulate(buf, facts, rloc, vrf, tables),
        Step::Forward { adjacency, away } => forward(buf, facts, (adjacency, away), vrf, tables),
        Step::Host => Verdict::Host,
        Step::Await(wait) => Verdict::Hold(wait),
        Step::Refuse(reason, notice) => Verdict::Drop(reason, notice),
    }
}

#[inline(always)]
fn encapsulate<B: PacketBuf>(
    buf: &mut B,
    facts: &Facts,
    rloc: RlocId,
    vrf: &VrfSpec,
    tables: &Replica,
) -> Verdict {
    let outer = match tables.rloc(rloc) {
        Rloc::Ready(outer) => outer,
        Rloc::Resolving => return Verdict::Hold(Wait::Rloc(rloc)),
        Rloc::Down => return Verdict::Drop(DropReason::RlocDown, Some(Notice::HostUnreachable)),
    };
    let lisp = match outer.options() {
        Some(options) if options.map_versions || options.status_bits => trusted(facts, vrf, options, tables),
        _ => Lisp::header(vrf.instance_id),
    };
    let forwarded = facts.cx.origin != Origin::Own;
    let (verdict, added) = match outer.options() {
        Some(options) if options.encrypted => match tables.sealer(rloc) {
            Some(sealer) => {
                let added = sealer.key().suite().overhead();
                (crypt::encapsulate(buf, &facts.ip, forwarded, vrf, (lisp, outer), sealer), added)
            }
            // Never clear text: the key comes, or the wait ends.
            None => return Verdict::Hold(Wait::Rloc(rloc)),
        },
        _ => (pitr::encapsulate(buf, &facts.ip, forwarded, vrf, (lisp, outer)), 0),
    };
    if is_encapsulated(verdict) {
        let bytes = u64::from(facts.ip.len);
        if let Mapping::Entry(entry) = facts.mapping {
            tables.count(entry, bytes);
        }
        tables.count_rloc(rloc, bytes + (pitr::overhead(outer) + added) as u64);
    }
    verdict
}

/// The LISP header of a packet to a router that is trusted.
#[cold]
fn trusted(facts: &Facts, vrf: &VrfSpec, options: RlocOptions, tables: &Replica) -> [u8; lisp::LEN] {
    let entry = match facts.mapping {
        Mapping::Entry(entry) => Some(entry),
        Mapping::Unknown | Mapping::Absent => None,
    };
    trust::header(&facts.ip, (facts.cx.vrf, vrf), entry, options, tables)
}

#[inline(always)]
fn forward<B: PacketBuf>(
    buf: &mut B,
    facts: &Facts,
    (adjacency, away): (AdjacencyId, bool),
    vrf: &VrfSpec,
    tables: &Replica,
) -> Verdict {
    match tables.adjacency(adjacency) {
        Adjacency::Ready { port, source_mac, mac, mtu } => {
            let hop = NextHop { port, source_mac, mac, mtu };
            if facts.cx.origin == Origin::Decapsulated
                && let Some(largest) = vrf.clamp_mss_to_mtu
                && let Some(packet) = buf.data_mut().get_mut(ethernet::LEN..)
            {
                mss::clamp(packet, &facts.ip, largest);
            }
            native::forward(buf, &facts.ip, facts.cx, away, &hop)
        }
        Adjacency::Resolving { .. } => Verdict::Hold(Wait::Adjacency(adjacency)),
        Adjacency::Failed => Verdict::Drop(DropReason::HostUnreachable, Some(Notice::HostUnreachable)),
    }
}
