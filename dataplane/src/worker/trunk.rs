//! Sub-interfaces: the tags of a port's frames say to which of its sub-interfaces they belong, and a
//! sub-interface's frames leave with its tags by its parent. To everything else a sub-interface is a
//! port like any other.

use super::burst::Stages;
use super::core::Core;
use crate::buffer::PacketBuf;
use crate::io::{BURST, Io, PacketBurst};
use crate::types::{PortId, Tags};
use crate::verdict::DropReason;
use crate::wire::vlan::{self, Tagging};

/// A sub-interface: its number is the one after the ports, and its place among its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubInterface {
    /// The port whose frames it shares.
    pub parent: PortId,
    /// Tags of its frames.
    pub tags: Tags,
}

/// Identifiers that a tag can have.
const IDS: usize = 4096;
/// No sub-interface of one tag has this identifier.
const NOBODY: u16 = u16::MAX;

/// All sub-interfaces of a worker. Fixed at its start.
#[derive(Clone, Debug, Default)]
pub struct Trunks {
    ports: u16,
    subs: Box<[SubInterface]>,
    /// By port, where it has any.
    trunks: Box<[Option<Box<Trunk>>]>,
}

/// The sub-interfaces of one port.
#[derive(Clone, Debug)]
struct Trunk {
    /// Sub-interface by its only identifier.
    single: Box<[u16; IDS]>,
    /// Sub-interfaces of two tags: identifiers and number, in order.
    double: Box<[(u16, u16, u16)]>,
}

impl Trunk {
    fn of(parent: PortId, first: u16, subs: &[SubInterface]) -> Option<Box<Self>> {
        let mut single = Box::new([NOBODY; IDS]);
        let mut double = Vec::new();
        let mut any = false;
        for (number, sub) in (first..).zip(subs).filter(|(_, sub)| sub.parent == parent) {
            any = true;
            match (sub.tags.inner, single.get_mut(usize::from(sub.tags.outer))) {
                (Some(inner), _) => double.push((sub.tags.outer, inner, number)),
                (None, Some(slot)) => *slot = number,
                (None, None) => {}
            }
        }
        double.sort_unstable();
        any.then(|| Box::new(Self { single, double: double.into() }))
    }

    /// The sub-interface of these identifiers, and how many tags are its own.
    fn find(&self, outer: u16, inner: u16) -> Option<PortId> {
        if inner == 0 {
            let number = self.single.get(usize::from(outer)).copied().unwrap_or(NOBODY);
            return (number != NOBODY).then_some(PortId(number));
        }
        let at = self.double.binary_search_by_key(&(outer, inner), |&(o, i, _)| (o, i)).ok()?;
        self.double.get(at).map(|&(_, _, number)| PortId(number))
    }
}

impl Trunks {
    /// `ports` ports, and these sub-interfaces behind them.
    #[must_use]
    pub fn new(ports: usize, subs: &[SubInterface]) -> Self {
        let ports = u16::try_from(ports).unwrap_or(u16::MAX);
        let trunks = (0..ports).map(|port| Trunk::of(PortId(port), ports, subs)).collect();
        Self { ports, subs: subs.into(), trunks }
    }

    /// Number of ports and sub-interfaces.
    pub(super) fn all(&self) -> u16 {
        self.ports.saturating_add(u16::try_from(self.subs.len()).unwrap_or(u16::MAX))
    }

    /// Whether the port has sub-interfaces.
    #[inline(always)]
    pub(super) fn is_trunk(&self, port: PortId) -> bool {
        self.trunks.get(usize::from(port.0)).is_some_and(Option::is_some)
    }

    /// The sub-interface of that number; `None`: it is a port, or nothing.
    #[inline]
    pub(super) fn sub(&self, port: PortId) -> Option<SubInterface> {
        self.subs.get(usize::from(port.0.checked_sub(self.ports)?)).copied()
    }

    /// Where a frame that came in on `port` belongs; takes its tags off.
    fn receive<B: PacketBuf>(&self, port: PortId, buf: &mut B) -> Result<PortId, DropReason> {
        let (to, count) = match vlan::read(buf.data()) {
            Tagging::Short => return Err(DropReason::FrameTooShort),
            Tagging::None(0) => return Ok(port),
            Tagging::None(count) => (port, count),
            Tagging::Tagged { outer, inner, count } => {
                let trunk = self.trunks.get(usize::from(port.0)).and_then(Option::as_deref);
                let sub = trunk.and_then(|trunk| trunk.find(outer, inner));
                (sub.ok_or(DropReason::VlanUnknown)?, count)
            }
        };
        if vlan::strip(buf, count) { Ok(to) } else { Err(DropReason::FrameTooShort) }
    }
}

/// Working memory for the packets of one burst, sorted by where they belong.
#[derive(Debug)]
pub(super) struct Sorter<P: PacketBurst> {
    parked: [Option<(PortId, P::Buf)>; BURST],
    group: P,
}

impl<P: PacketBurst> Default for Sorter<P> {
    fn default() -> Self {
        Self { parked: std::array::from_fn(|_| None), group: P::default() }
    }
}

impl<P: PacketBurst> Sorter<P> {
    /// Takes a burst of a port with sub-interfaces through the stages, those of one sub-interface at a
    /// time, in their order. Returns the bytes of all, without the tags of those that belong somewhere.
    #[cold]
    pub(super) fn run<I: Io<Buf = P::Buf, Burst = P>>(
        &mut self,
        core: &mut Core<I>,
        stages: &mut Stages,
        port: PortId,
        burst: &mut P,
    ) -> u64 {
        let mut total = 0;
        let mut places = self.parked.iter_mut();
        for mut buf in burst.drain() {
            match core.trunks.receive(port, &mut buf) {
                Ok(to) => {
                    if let Some(place) = places.next() {
                        *place = Some((to, buf));
                    }
                }
                Err(reason) => {
                    if core.watch.any() {
                        core.watch.lost(port, &buf, reason, core.now);
                    }
                    total += buf.total_len() as u64;
                    core.count_drop(core.vrf_of(port), reason);
                    if let Some(traffic) = core.traffic_of(port) {
                        traffic.received.add(1, buf.total_len() as u64);
                    }
                }
            }
        }
        for first in 0..BURST {
            let Some(to) = self.parked.get(first).and_then(Option::as_ref).map(|(to, _)| *to) else {
                continue;
            };
            let (mut packets, mut bytes) = (0, 0);
            for place in self.parked.iter_mut().skip(first) {
                if let Some((_, buf)) = place.take_if(|(port, _)| *port == to) {
                    (packets, bytes) = (packets + 1, bytes + buf.total_len() as u64);
                    // A burst has room for as many as came in one.
                    let _ = self.group.push(buf);
                }
            }
            if to != port
                && let Some(traffic) = core.replica.traffic().subinterface(to)
            {
                traffic.received.add(packets, bytes);
            }
            total += stages.run(core, to, &mut self.group);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sub(parent: u16, outer: u16, inner: Option<u16>) -> SubInterface {
        SubInterface { parent: PortId(parent), tags: Tags { outer, inner, service: inner.is_some() } }
    }

    #[test]
    fn identifiers_belong_to_their_port() {
        let trunks = Trunks::new(
            3,
            &[sub(0, 100, None), sub(2, 100, None), sub(0, 100, Some(7)), sub(0, 4094, Some(4094))],
        );
        let find = |port: usize, outer, inner| {
            trunks.trunks[port].as_ref().and_then(|trunk| trunk.find(outer, inner)).map(|p| p.0)
        };
        assert_eq!(find(0, 100, 0), Some(3));
        assert_eq!(find(2, 100, 0), Some(4));
        assert_eq!(find(0, 100, 7), Some(5));
        assert_eq!(find(0, 4094, 4094), Some(6));
        for (port, outer, inner) in [(0, 101, 0), (0, 100, 8), (0, 4095, 0), (2, 100, 7), (1, 100, 0)] {
            assert_eq!(find(port, outer, inner), None);
        }
        assert!(trunks.is_trunk(PortId(0)) && !trunks.is_trunk(PortId(1)) && !trunks.is_trunk(PortId(3)));
        assert_eq!(trunks.sub(PortId(4)).map(|sub| sub.parent), Some(PortId(2)));
        assert_eq!((trunks.sub(PortId(2)), trunks.sub(PortId(7)), trunks.all()), (None, None, 7));
    }
}
