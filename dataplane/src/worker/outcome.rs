//! From a step to what really becomes of the packet: the rewriting stage.

use crate::buffer::PacketBuf;
use crate::feed::Adjacency;
use crate::mapcache::Rloc;
use crate::path::icmp::Notice;
use crate::path::ip::Ip;
use crate::path::native::{self, Forwarded, NextHop};
use crate::path::pitr::{self, Encapsulated};
use crate::path::route::{Context, Origin, Step};
use crate::replica::Replica;
use crate::types::{AdjacencyId, Eid, EntryId, PortId, RlocId};
use crate::verdict::{DropReason, HoldKey};

/// What is to be done with the buffer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Send it: it has got LISP headers.
    Encapsulated(PortId),
    /// Send it: it goes natively.
    Forwarded(PortId),
    /// To the kernel.
    Host,
    /// Let it wait.
    Hold(HoldKey),
    /// Drop it, and perhaps tell its source.
    Refuse(DropReason, Option<Notice>),
    /// Split it into packets of at most this many bytes, then do the step for each.
    Split(u16),
}

/// Rewrites the packet for where it goes.
#[inline(always)]
pub(super) fn carry_out<B: PacketBuf>(
    buf: &mut B,
    ip: &Ip,
    cx: Context,
    step: Step,
    tables: &Replica,
) -> Outcome {
    match step {
        Step::Encapsulate { entry, rloc } => encapsulate(buf, ip, cx, entry, rloc, tables),
        Step::Forward { adjacency, away } => forward(buf, ip, cx, adjacency, away, tables),
        Step::Host => Outcome::Host,
        Step::AwaitMapping => Outcome::Hold(HoldKey::Eid(Eid { vrf: cx.vrf, addr: ip.addrs.destination() })),
        Step::AwaitNeighbour(port) => Outcome::Hold(HoldKey::Neighbour(port, ip.addrs.destination())),
        Step::Refuse(reason, notice) => Outcome::Refuse(reason, notice),
    }
}

#[inline(always)]
fn encapsulate<B: PacketBuf>(
    buf: &mut B,
    ip: &Ip,
    cx: Context,
    entry: EntryId,
    rloc: RlocId,
    tables: &Replica,
) -> Outcome {
    let outer = match tables.rloc(rloc) {
        Rloc::Ready(outer) => outer,
        Rloc::Resolving => return Outcome::Hold(HoldKey::Rloc(rloc)),
        Rloc::Down => return Outcome::Refuse(DropReason::RlocDown, Some(Notice::HostUnreachable)),
    };
    let Some(vrf) = tables.vrf(cx.vrf) else { return Outcome::Refuse(DropReason::VrfUnknown, None) };
    match pitr::encapsulate(buf, ip, cx.origin != Origin::Own, vrf.instance_id, outer) {
        Encapsulated::Ready(bytes) => {
            tables.count(entry, u64::from(ip.len));
            tables.count_rloc(rloc, u64::from(bytes));
            Outcome::Encapsulated(outer.port())
        }
        Encapsulated::Split(room) => Outcome::Split(room),
        Encapsulated::Refused(reason, notice) => Outcome::Refuse(reason, notice),
    }
}

#[inline(always)]
fn forward<B: PacketBuf>(
    buf: &mut B,
    ip: &Ip,
    cx: Context,
    adjacency: AdjacencyId,
    away: bool,
    tables: &Replica,
) -> Outcome {
    let hop = match tables.adjacency(adjacency) {
        Adjacency::Ready { port, source_mac, mac, mtu } => NextHop { port, source_mac, mac, mtu },
        Adjacency::Resolving { .. } => return Outcome::Hold(HoldKey::Adjacency(adjacency)),
        Adjacency::Failed => {
            return Outcome::Refuse(DropReason::HostUnreachable, Some(Notice::HostUnreachable));
        }
    };
    match native::forward(buf, ip, cx, away, &hop) {
        Forwarded::Ready => Outcome::Forwarded(hop.port),
        Forwarded::Split(room) => Outcome::Split(room),
        Forwarded::Refused(reason, notice) => Outcome::Refuse(reason, notice),
    }
}
