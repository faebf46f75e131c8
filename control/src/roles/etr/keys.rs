//! The ETR's part of the key exchange (RFC 8061 sections 5 and 9): a prober gives its public keys in the
//! Security Key LCAF around its ITR-RLOC, and gets ours in that of the RLOC it probed.
//!
//! Nothing of this is authenticated: anybody can send keys in the name of an ITR. Such a key can not be used
//! by who sent it, for our half goes to the ITR; and it takes no place from a key that packets come with.
//! Each exchange costs an X25519, so that there is a rate for each ITR and one for all.

use crate::codec::{Address, EidRecord, Lcaf, MapRequest};
use crate::engine::event::{Action, Time};
use crate::engine::exchange::{Private, Public, WorkerKey};
use crate::engine::{Counter, Cx};
use crate::roles::limit::{Bucket, HashedBuckets, Rate, sender};
use pxtr_dataplane::crypt::Suite;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Exchanges per second: of all ITRs, and of one.
const RATE: Rate = Rate { per_second: 200, burst: 200 };
const RATE_OF_ONE: Rate = Rate { per_second: 4, burst: 12 };
const SENDERS: usize = 1024;
/// Pairs of an ITR-RLOC and an RLOC of ours.
const MAX_PEERS: usize = 4096;
/// A key that packets came with so lately is not replaced.
const IN_USE_MS: u64 = 1_500;
/// Nor is one that has just been agreed: its first packets are on their way.
const FRESH_MS: u64 = 500;
/// A key is forgotten so long after a newer one was seen in use.
const GRACE_MS: u64 = 10_000;
/// A pair that was silent for so long makes room for another one.
const IDLE_MS: u64 = 60_000;

/// Keys of those who send to us.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// By ITR-RLOC and RLOC of ours.
    peers: BTreeMap<(IpAddr, IpAddr), Peer>,
    total: Bucket,
    senders: Option<HashedBuckets>,
}

#[derive(Debug, Default)]
struct Peer {
    /// By key-id less one.
    slots: [Option<Slot>; 3],
    heard: Time,
}

#[derive(Debug)]
struct Slot {
    suite: Suite,
    theirs: Public,
    ours: Public,
    key: WorkerKey,
    since: Time,
    used: Option<Time>,
}

impl Slot {
    fn may_go(&self, now: Time) -> bool {
        let last = self.used.unwrap_or_default();
        (self.used.is_none() || now.since(last) >= IN_USE_MS) && now.since(self.since) >= FRESH_MS
    }
}

impl Keys {
    /// Puts our keys around the locator that was probed, if the prober gave us its own and may.
    pub(super) fn answer(
        &mut self,
        cx: &mut Cx<'_>,
        request: &MapRequest,
        probed: IpAddr,
        records: &mut [EidRecord],
    ) {
        let Some((itr, suite, keys)) = request.itr_rlocs.iter().find_map(offered) else { return };
        let Some(rule) = cx.config.encryption(itr) else { return };
        cx.count(Counter::KeyOffersReceived);
        let suite = Suite::from_number(suite).filter(|suite| rule.suites.contains(suite));
        let Some(suite) = suite else { return cx.count(Counter::KeyOffersRefused) };
        let pair = (itr, probed);
        if !self.make_room(cx, pair) {
            return cx.count(Counter::KeyOffersRefused);
        }
        let mut changed = false;
        let ours: Vec<Box<[u8]>> = (1u8..=3)
            .zip(keys)
            .map(|(id, theirs)| match self.half(cx, pair, (suite, id), theirs, request.nonce, &mut changed) {
                Some(ours) => Box::from(ours.as_slice()),
                None => Box::default(),
            })
            .collect();
        if changed {
            self.tell(cx, itr);
        }
        if ours.iter().all(|key| key.is_empty()) {
            return;
        }
        for locator in records.iter_mut().flat_map(|record| &mut record.locators).filter(|l| l.probed) {
            let address = std::mem::replace(&mut locator.address, Address::None);
            let (cipher_suite, keys) = (suite.number(), ours.clone());
            let lcaf = Lcaf::SecurityKey { cipher_suite, revoke: false, keys, address };
            locator.address = Address::Lcaf(Box::new(lcaf));
        }
    }

    /// Our half for a key-id: the one we have if theirs is known, else a new one if that may be.
    fn half(
        &mut self,
        cx: &mut Cx<'_>,
        pair: (IpAddr, IpAddr),
        (suite, id): (Suite, u8),
        theirs: &[u8],
        nonce: u64,
        changed: &mut bool,
    ) -> Option<Public> {
        let theirs: Public = theirs.try_into().ok()?;
        let peer = self.peers.get_mut(&pair)?;
        peer.heard = cx.now;
        let slot = peer.slots.get_mut(usize::from(id).checked_sub(1)?)?;
        if let Some(slot) = slot {
            if slot.suite == suite && slot.theirs == theirs {
                return Some(slot.ours);
            }
            if !slot.may_go(cx.now) {
                cx.count(Counter::KeyOffersRefused);
                return None;
            }
        }
        let key = cx.rng.nonce();
        let senders = self.senders.get_or_insert_with(|| HashedBuckets::new(SENDERS, key));
        if !(senders.take(cx.now, sender(pair.0), RATE_OF_ONE) && self.total.take(cx.now, RATE)) {
            cx.count(Counter::KeyOffersOverRate);
            return None;
        }
        let private = Private::new(cx.rng);
        let Some(key) = private.agree(&theirs, nonce, (suite, id), 0) else {
            cx.count(Counter::KeyOffersRefused);
            return None;
        };
        let ours = private.public();
        *slot = Some(Slot { suite, theirs, ours, key, since: cx.now, used: None });
        *changed = true;
        cx.count(Counter::KeysComputed);
        Some(ours)
    }

    /// Packets came with these keys: ITR-RLOC, RLOC of ours, key-id.
    pub(super) fn on_used(&mut self, cx: &mut Cx<'_>, used: &[(IpAddr, IpAddr, u8)]) {
        for &(itr, ours, id) in used {
            let Some(peer) = self.peers.get_mut(&(itr, ours)) else { continue };
            let place = usize::from(id).wrapping_sub(1);
            if let Some(Some(slot)) = peer.slots.get_mut(place) {
                slot.used = Some(cx.now);
                peer.heard = cx.now;
            }
            if peer.forget_old(cx.now) {
                self.tell(cx, itr);
            }
        }
    }

    /// What a peer may have in the data plane now.
    fn tell(&self, cx: &mut Cx<'_>, itr: IpAddr) {
        let unspecified = if itr.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0u16; 8]) };
        let own = self.peers.range((itr, unspecified)..).take_while(|((peer, _), _)| *peer == itr);
        let keys = own
            .flat_map(|((_, ours), peer)| peer.slots.iter().flatten().map(|slot| (*ours, slot.key.clone())));
        cx.out.push(Action::OpenKeys { source: itr, keys: keys.collect() });
    }

    /// A place for the pair: its own, or that of the one that was silent longest.
    fn make_room(&mut self, cx: &mut Cx<'_>, pair: (IpAddr, IpAddr)) -> bool {
        if !self.peers.contains_key(&pair) && self.peers.len() >= MAX_PEERS {
            let oldest = self.peers.iter().min_by_key(|(_, peer)| peer.heard);
            let oldest =
                oldest.filter(|(_, peer)| cx.now.since(peer.heard) >= IDLE_MS).map(|(pair, _)| *pair);
            let Some(oldest) = oldest else {
                return false;
            };
            self.peers.remove(&oldest);
            self.tell(cx, oldest.0);
        }
        self.peers.entry(pair).or_default();
        true
    }
}

impl Peer {
    /// Forgets keys that a newer one took the place of. True: there were some.
    fn forget_old(&mut self, now: Time) -> bool {
        let newest =
            self.slots.iter().flatten().filter(|slot| slot.used.is_some()).map(|slot| slot.since).max();
        let Some(newest) = newest.filter(|since| now.since(*since) >= GRACE_MS) else { return false };
        let mut any = false;
        for slot in &mut self.slots {
            let old = |slot: &Slot| {
                let last = slot.used.unwrap_or(slot.since);
                slot.since < newest && now.since(last) >= GRACE_MS
            };
            if slot.as_ref().is_some_and(old) {
                *slot = None;
                any = true;
            }
        }
        any
    }
}

/// An ITR-RLOC, the cipher suite, and public keys by key-id.
type Offered<'a> = (IpAddr, u8, &'a [Box<[u8]>]);

/// The keys around an ITR-RLOC.
fn offered(address: &Address) -> Option<Offered<'_>> {
    let Address::Lcaf(lcaf) = address else { return None };
    match lcaf.as_ref() {
        // A revocation that anybody can send is not heeded.
        Lcaf::SecurityKey { cipher_suite, revoke: false, keys, address } => {
            Some((address.rloc()?, *cipher_suite, keys))
        }
        _ => None,
    }
}
