//! Solicit-Map-Requests: tells the ITRs that hold a mapping of ours that it has changed (RFC 9301
//! section 6.1, R-100).

use crate::codec::{Address, CONTROL_PORT, MapRequest, Message};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx, Timers};
use crate::roles::reply;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// At most one SMR per RLOC in that time (RFC 9301 section 6.1).
const INTERVAL_MS: u64 = 3_000;
/// Rounds until an ITR that does not ask is given up: its mapping lives on until its TTL.
const ROUNDS: u8 = 5;
/// ITRs that packets can make us tell: outer sources may be invented.
const ITRS_MAX: usize = 4096;

/// SMRs under way.
#[derive(Debug, Default)]
pub(super) struct Solicitor {
    /// Index is the timer slot; a slot stays with its RLOC until all are done.
    itrs: Vec<Itr>,
    slots: HashMap<IpAddr, u32>,
    timers: Timers,
}

#[derive(Debug)]
struct Itr {
    rloc: IpAddr,
    /// What it is to ask for anew, and how often it was told so: in turns.
    changed: VecDeque<(EidPrefix, u8)>,
}

impl Solicitor {
    /// Tells `rloc` about `eid`, at once or as soon as the rate allows.
    pub(super) fn solicit(&mut self, cx: &Cx<'_>, rloc: IpAddr, eid: EidPrefix) {
        let slot = *self.slots.entry(rloc).or_insert_with(|| {
            self.itrs.push(Itr { rloc, changed: VecDeque::new() });
            u32::try_from(self.itrs.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(itr) = self.itrs.get_mut(slot as usize) else { return };
        itr.changed.retain(|(other, _)| *other != eid);
        itr.changed.push_front((eid, 0));
        if self.timers.deadline(slot).is_none() {
            self.timers.set(slot, cx.now);
        }
    }

    /// Tells `rloc` about `eid` one time, as soon as the rate allows: what makes us do so comes again
    /// as long as it is needed.
    pub(super) fn solicit_once(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, eid: EidPrefix) {
        if self.itrs.len() >= ITRS_MAX && !self.slots.contains_key(&rloc) {
            return cx.count(Counter::SmrsNotSent);
        }
        self.solicit(cx, rloc, eid);
        let itr = self.slots.get(&rloc).and_then(|slot| self.itrs.get_mut(*slot as usize));
        if let Some((_, rounds)) = itr.and_then(|itr| itr.changed.front_mut()) {
            *rounds = ROUNDS - 1;
        }
    }

    /// The ITR asked for the mapping: it knows.
    pub(super) fn asked(&mut self, rloc: IpAddr, eid: &EidPrefix) {
        let itr = self.slots.get(&rloc).and_then(|slot| self.itrs.get_mut(*slot as usize));
        if let Some(itr) = itr {
            itr.changed.retain(|(other, _)| other != eid);
        }
    }

    /// When an SMR is due.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// Sends what is due.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            let Some(itr) = self.itrs.get_mut(slot as usize) else { continue };
            let Some((eid, rounds)) = itr.changed.pop_front() else { continue };
            if rounds + 1 < ROUNDS {
                itr.changed.push_back((eid, rounds + 1));
            }
            send(cx, itr.rloc, eid);
            // Armed even when nothing is left: the rate is per RLOC, whatever comes next.
            self.timers.set(slot, cx.now.plus_ms(INTERVAL_MS));
        }
        if self.timers.is_empty() {
            self.itrs.clear();
            self.slots.clear();
        }
    }
}

/// S=1, D=1, straight to the ITR. The changed EID is the Source-EID, and the record names it too:
/// implementations differ in where they look (wire.md TRAP 16).
fn send(cx: &mut Cx<'_>, rloc: IpAddr, eid: EidPrefix) {
    let ours: Vec<Address> = cx.rloc_like(rloc).map(Address::Ip).into_iter().collect();
    let smr = MapRequest {
        smr: true,
        no_reply: true,
        source_eid: Address::from_eid(eid.iid, eid.prefix.network()),
        ..MapRequest::new(cx.rng.nonce(), eid, ours)
    };
    if let Some(payload) = reply::encode(cx, &Message::MapRequest(smr)) {
        cx.count(Counter::SmrsSent);
        cx.send(SocketAddr::new(rloc, CONTROL_PORT), payload);
    }
}
