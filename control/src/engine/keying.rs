//! The ITR's part of the key exchange (RFC 8061 sections 5 and 9): for each RLOC of a peer that packets
//! are to be encrypted for.
//!
//! Our public key goes to the RLOC itself, in an RLOC-probe whose ITR-RLOC is a Security Key LCAF; the
//! ETR's comes in the RLOC-record of the answer. Map-Requests through the mapping system carry none: which
//! suite a peer is to use is only known when its RLOC is.
//!
//! There are three key-ids. A new key takes the next one, and packets go on with the old one until the ETR
//! has answered, and [`SETTLE_MS`] longer: by then its workers have the new key. Between two changes the ETR
//! is asked with the same keys now and then; one that started anew answers with another key, and gets a new
//! exchange at once.

use super::counters::Counter;
use super::cx::{CONTROL_PORT, Cx};
use super::event::{Action, EidPrefix, Iid, Seal, Time};
use super::exchange::{Private, Public, WorkerKey};
use crate::codec::{Address, Lcaf, MapReply, MapRequest, Message};
use crate::roles::limit::{Bucket, Rate};
use ipnet::{IpNet, Ipv4Net};
use pxtr_dataplane::crypt::Suite;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

/// Exchanges begun per second, of all peers: an X25519 costs some 50 microseconds.
const RATE: Rate = Rate { per_second: 200, burst: 200 };
/// Wait when those are used up.
const PACE_WAIT_MS: u64 = 50;
/// First wait for an answer; it doubles.
const RETRY_MS: u64 = 1_000;
/// The longest.
const RETRY_MAX_MS: u64 = 30_000;
/// Vain attempts until a peer without any key is given up for the time being.
const GIVE_UP: u8 = 3;
/// From the answer to the first packet with the new key.
const SETTLE_MS: u64 = 20;
/// Between two looks whether the ETR still has our keys.
const CHECK_MS: u64 = 10_000;

/// Keys of all peers.
#[derive(Debug, Default)]
pub struct Keying {
    peers: HashMap<IpAddr, Peer>,
    due: BTreeSet<(Time, IpAddr)>,
    nonces: HashMap<u64, IpAddr>,
    pace: Bucket,
}

/// An RLOC.
#[derive(Debug)]
struct Peer {
    at: Time,
    /// By key-id less one.
    agreed: [Option<Agreed>; 3],
    /// Key-id in use.
    active: Option<u8>,
    change_at: Time,
    asked: Option<Asked>,
    /// Key-id that is to be used from the next deadline on.
    next: Option<(u8, WorkerKey)>,
    vain: u8,
}

/// Public halves of a key in use.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    suite: Suite,
    ours: Public,
    theirs: Public,
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Asked {
    nonce: u64,
    suite: Suite,
    /// The new half and its key-id; none when it only asks whether the old ones are known.
    new: Option<(u8, Private)>,
}

impl Keying {
    /// Begins with an RLOC that is in use, if its packets are to be encrypted.
    pub(super) fn add(&mut self, cx: &Cx<'_>, rloc: IpAddr) {
        if cx.config.encryption(rloc).is_none() || self.peers.contains_key(&rloc) {
            return;
        }
        let peer = Peer {
            at: cx.now,
            agreed: [None; 3],
            active: None,
            change_at: cx.now,
            asked: None,
            next: None,
            vain: 0,
        };
        self.peers.insert(rloc, peer);
        self.due.insert((cx.now, rloc));
    }

    /// Ends with one that is not, or no longer to be encrypted for.
    pub(super) fn remove(&mut self, cx: &mut Cx<'_>, rloc: IpAddr) {
        let Some(peer) = self.peers.remove(&rloc) else { return };
        self.due.remove(&(peer.at, rloc));
        if let Some(asked) = peer.asked {
            self.nonces.remove(&asked.nonce);
        }
        cx.out.push(Action::Seal { rloc, seal: Seal::Forget });
    }

    /// A new configuration: `rlocs` are those in use.
    pub(super) fn configure(&mut self, cx: &mut Cx<'_>, rlocs: &[IpAddr]) {
        let gone: Vec<_> =
            self.peers.keys().filter(|r| cx.config.encryption(**r).is_none()).copied().collect();
        gone.into_iter().for_each(|rloc| self.remove(cx, rloc));
        rlocs.iter().for_each(|rloc| self.add(cx, *rloc));
    }

    /// When something is to be done.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A peer for which it is time.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<IpAddr> {
        let (at, rloc) = *self.due.first()?;
        (at <= now).then(|| {
            self.due.remove(&(at, rloc));
            rloc
        })
    }

    /// The nonce of a question of ours.
    pub(super) fn is_nonce(&self, nonce: u64) -> bool {
        self.nonces.contains_key(&nonce)
    }

    fn wait(&mut self, rloc: IpAddr, at: Time) {
        if let Some(peer) = self.peers.get_mut(&rloc) {
            self.due.remove(&(peer.at, rloc));
            peer.at = at;
            self.due.insert((at, rloc));
        }
    }

    /// Does what is due for a peer. `eid`: an EID-prefix that is mapped to it, if there is one.
    pub(super) fn act(&mut self, cx: &mut Cx<'_>, rloc: IpAddr, eid: Option<EidPrefix>) {
        let Some(rule) = cx.config.encryption(rloc) else { return self.remove(cx, rloc) };
        let Some(peer) = self.peers.get_mut(&rloc) else { return };
        if let Some((id, key)) = peer.next.take() {
            peer.active = Some(id);
            peer.change_at = cx.now.plus_ms(cx.rng.jitter(rule.rekey_ms, 5));
            let at = peer.change_at.min(cx.now.plus_ms(CHECK_MS));
            cx.out.push(Action::Seal { rloc, seal: Seal::Key(key) });
            return self.wait(rloc, at);
        }
        let Some(source) = cx.rloc_like(rloc).filter(|_| self.pace.take(cx.now, RATE)) else {
            let pause = cx.rng.jitter(PACE_WAIT_MS, 50).max(1);
            return self.wait(rloc, cx.now.plus_ms(pause));
        };
        if let Some(asked) = peer.asked.take() {
            self.nonces.remove(&asked.nonce);
            cx.count(Counter::KeyExchangesVain);
            peer.was_in_vain(cx, rloc);
        }
        let new = (peer.active.is_none() || cx.now >= peer.change_at)
            .then(|| (peer.next_id(), Private::new(cx.rng)));
        let suite = match (&new, peer.active.and_then(|id| peer.of(id))) {
            (None, Some(agreed)) => agreed.suite,
            _ => rule.suite(peer.vain),
        };
        let keys = peer.keys(suite, new.as_ref());
        let nonce = cx.rng.nonce();
        peer.asked = Some(Asked { nonce, suite, new });
        let pause = peer.pause_ms();
        self.nonces.insert(nonce, rloc);
        let address = Address::Ip(source);
        let lcaf = Lcaf::SecurityKey { cipher_suite: suite.number(), revoke: false, keys, address };
        let asked = eid.unwrap_or(EidPrefix { iid: Iid(0), prefix: IpNet::V4(Ipv4Net::default()) });
        let request = MapRequest {
            probe: true,
            pitr: cx.config.roles.pitr,
            ..MapRequest::new(nonce, asked, vec![Address::Lcaf(Box::new(lcaf))])
        };
        if let Some(payload) = super::send::encode(cx, &Message::MapRequest(request)) {
            cx.count(Counter::KeyRequestsSent);
            cx.send_from(Some(source), SocketAddr::new(rloc, CONTROL_PORT), payload);
        }
        let pause = cx.rng.jitter(pause, 10);
        self.wait(rloc, cx.now.plus_ms(pause));
    }

    /// The answer to a question of ours.
    pub(super) fn on_reply(&mut self, cx: &mut Cx<'_>, reply: &MapReply) {
        let Some(rloc) = self.nonces.remove(&reply.nonce) else { return };
        let Some(peer) = self.peers.get_mut(&rloc) else { return };
        let Some(asked) = peer.asked.take_if(|asked| asked.nonce == reply.nonce) else { return };
        let offer = reply.records.iter().flat_map(|r| &r.locators).find_map(|l| offer(&l.address, rloc));
        let theirs = |id: u8| -> Option<Public> {
            let (suite, keys) = offer.as_ref()?;
            let key = keys.get(usize::from(id).checked_sub(1)?).filter(|_| *suite == asked.suite.number())?;
            key.as_ref().try_into().ok()
        };
        let Some((id, private)) = &asked.new else {
            // It has our key, or began anew without it.
            let known = peer.active.is_some_and(|id| peer.of(id).map(|agreed| agreed.theirs) == theirs(id));
            if !known {
                cx.count(Counter::KeysLost);
                peer.change_at = cx.now;
            }
            let at = peer.change_at.min(cx.now.plus_ms(CHECK_MS));
            peer.vain = 0;
            return self.wait(rloc, at);
        };
        let first_iv = cx.rng.nonce();
        let agreed = theirs(*id).and_then(|theirs| {
            Some((theirs, private.agree(&theirs, reply.nonce, (asked.suite, *id), first_iv)?))
        });
        let Some((theirs, key)) = agreed else {
            peer.was_in_vain(cx, rloc);
            cx.notice(Counter::KeysRefused, format_args!("{rloc}: suite {}", asked.suite.number()));
            let at = cx.now.plus_ms(peer.pause_ms() / 2);
            return self.wait(rloc, at);
        };
        cx.count(Counter::KeysAgreed);
        peer.vain = 0;
        if let Some(slot) = peer.agreed.get_mut(usize::from(*id).saturating_sub(1)) {
            *slot = Some(Agreed { suite: asked.suite, ours: private.public(), theirs });
        }
        peer.next = Some((*id, key));
        self.wait(rloc, cx.now.plus_ms(SETTLE_MS));
    }
}

impl Peer {
    /// One more attempt came to nothing. Who never had a key is given up at some time.
    fn was_in_vain(&mut self, cx: &mut Cx<'_>, rloc: IpAddr) {
        self.vain = self.vain.saturating_add(1);
        if self.vain == GIVE_UP && self.active.is_none() {
            cx.out.push(Action::Seal { rloc, seal: Seal::Failed });
        }
    }

    /// Until the next attempt.
    fn pause_ms(&self) -> u64 {
        RETRY_MS.saturating_mul(1 << self.vain.min(6)).min(RETRY_MAX_MS)
    }

    fn of(&self, id: u8) -> Option<&Agreed> {
        self.agreed.get(usize::from(id).checked_sub(1)?)?.as_ref()
    }

    /// The key-id for a new key: the one after that in use, another one with each attempt, never that in use.
    fn next_id(&self) -> u8 {
        match self.active {
            Some(active) => (active + self.vain % 2) % 3 + 1,
            None => self.vain % 3 + 1,
        }
    }

    /// Our public keys by key-id: those that stay, and the new one. One that is of another suite, or not
    /// there, is empty.
    fn keys(&self, suite: Suite, new: Option<&(u8, Private)>) -> Vec<Box<[u8]>> {
        let old = |id: u8| self.of(id).filter(|agreed| agreed.suite == suite).map(|agreed| agreed.ours);
        let of = |id: u8| match new {
            Some((new, private)) if *new == id => Some(private.public()),
            _ => old(id),
        };
        let mut keys: Vec<Box<[u8]>> =
            (1..=3).map(|id| of(id).map_or_else(Box::default, |key| Box::from(key.as_slice()))).collect();
        while keys.last().is_some_and(|key| key.is_empty()) {
            keys.pop();
        }
        keys
    }
}

/// The keys that a locator comes with, if it is this RLOC.
fn offer(address: &Address, rloc: IpAddr) -> Option<(u8, &[Box<[u8]>])> {
    let Address::Lcaf(lcaf) = address else { return None };
    match lcaf.as_ref() {
        Lcaf::SecurityKey { cipher_suite, revoke: false, keys, address } if address.etr() == Some(rloc) => {
            Some((*cipher_suite, keys))
        }
        _ => None,
    }
}
