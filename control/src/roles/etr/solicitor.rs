//! Solicit-Map-Requests: tells the ITRs that hold a mapping of ours that it has changed (RFC 9301
//! section 6.1, R-100).
//!
//! Limited twice: an ITR hears of one EID-prefix once in three seconds, and of all together at a rate
//! that a whole site's move does not turn into minutes. (RFC 9301 recommends one SMR per RLOC in three
//! seconds: a PITR with flows to a hundred prefixes of a site that moved would then lose the last of
//! them for five minutes. An SMR of ours is about one EID-prefix, so the figure is kept for that.)

use crate::codec::{Address, CONTROL_PORT, MapRequest, Message};
use crate::engine::event::{EidPrefix, Time};
use crate::engine::{Counter, Cx, Slab, Timers};
use crate::roles::limit::{Bucket, Rate};
use crate::roles::reply;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// At most one SMR per RLOC and EID-prefix in that time (RFC 9301 section 6.1).
const INTERVAL_MS: u64 = 3_000;
/// SMRs per RLOC, whatever they are about.
const RATE: Rate = Rate { per_second: 100, burst: 100 };
/// Wait of an SMR that the rate holds back.
const RATE_WAIT_MS: u64 = 20;
/// Rounds until an ITR that does not ask is given up: its mapping lives on until its TTL.
const ROUNDS: u8 = 5;
/// Pairs of an ITR and an EID-prefix that packets can make us tell: outer sources may be invented.
const PAIRS_MAX: usize = 16_384;

/// SMRs under way.
#[derive(Debug, Default)]
pub(super) struct Solicitor {
    /// Index is the timer slot; a pair stays until its interval is over, so that it is not told early.
    pairs: Slab<Pair>,
    slots: HashMap<(IpAddr, EidPrefix), u32>,
    timers: Timers,
    rates: HashMap<IpAddr, Bucket>,
}

/// An ITR and what it is to ask for anew.
#[derive(Debug)]
struct Pair {
    rloc: IpAddr,
    eid: EidPrefix,
    /// How often it is still to be told.
    rounds: u8,
}

impl Solicitor {
    /// Tells `rloc` about `eid`, at once or as soon as the rate allows, and again until it asks.
    pub(super) fn solicit(&mut self, cx: &Cx<'_>, rloc: IpAddr, eid: EidPrefix) {
        self.tell(cx.now, rloc, eid, ROUNDS);
    }

    /// Tells `rloc` about `eid` one time, as soon as the rate allows: what makes us do so comes again
    /// as long as it is needed.
    pub(super) fn solicit_once(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, eid: EidPrefix) {
        self.tell_if_room(cx, rloc, eid, 1);
    }

    /// Tells `rloc` about `eid`, which is another router's now: its Map-Request goes there, so that we do not see it.
    /// Twice, as one SMR may be lost and nothing else would tell it before its TTL.
    pub(super) fn solicit_unseen(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, eid: EidPrefix) {
        self.tell_if_room(cx, rloc, eid, 2);
    }

    fn tell_if_room(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, eid: EidPrefix, rounds: u8) {
        if self.pairs.len() >= PAIRS_MAX && !self.slots.contains_key(&(rloc, eid)) {
            return cx.count(Counter::SmrsNotSent);
        }
        self.tell(cx.now, rloc, eid, rounds);
    }

    fn tell(&mut self, now: Time, rloc: IpAddr, eid: EidPrefix, rounds: u8) {
        let Self { pairs, slots, timers, .. } = self;
        let slot = *slots.entry((rloc, eid)).or_insert_with(|| {
            let slot = pairs.insert(Pair { rloc, eid, rounds });
            timers.set(slot, now);
            slot
        });
        if let Some(pair) = pairs.get_mut(slot) {
            pair.rounds = rounds;
        }
    }

    /// The ITR asked for the mapping: it knows.
    pub(super) fn asked(&mut self, rloc: IpAddr, eid: &EidPrefix) {
        let slot = self.slots.get(&(rloc, *eid)).copied();
        if let Some(pair) = slot.and_then(|slot| self.pairs.get_mut(slot)) {
            pair.rounds = 0;
        }
    }

    /// When an SMR is due.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    /// Sends what is due.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(slot) = self.timers.pop_due(cx.now) {
            let Some(pair) = self.pairs.get_mut(slot) else { continue };
            let (rloc, eid) = (pair.rloc, pair.eid);
            if pair.rounds == 0 {
                self.slots.remove(&(rloc, eid));
                self.pairs.remove(slot);
            } else if self.rates.entry(rloc).or_default().take(cx.now, RATE) {
                pair.rounds -= 1;
                send(cx, rloc, eid);
                self.timers.set(slot, cx.now.plus_ms(INTERVAL_MS));
            } else {
                let wait = cx.rng.jitter(RATE_WAIT_MS, 50);
                self.timers.set(slot, cx.now.plus_ms(wait.max(1)));
            }
        }
        // All have rested for longer than a bucket needs to be full again.
        if self.pairs.is_empty() {
            self.rates.clear();
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
