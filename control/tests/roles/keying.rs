//! The key exchange of RFC 8061 between an ITR and an ETR: two engines that talk, and those who
//! would like to be one of them.

use crate::node::*;
use pxtr_control::codec::{Address, Lcaf, MapRequest, Message};
use pxtr_control::engine::config::{EncryptionRule, EngineConfig, Roles, StaticMapping};
use pxtr_control::engine::event::{Action, Event, Forwarding, Seal, Time};
use pxtr_control::engine::exchange::WorkerKey;
use pxtr_control::engine::{Counter, Engine};
use pxtr_dataplane::crypt::{IV_MAX, Suite, TAG, iv_bytes};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

const ITR: &str = "192.0.2.1";
const AES: Suite = Suite::Aes128Gcm;
const CHACHA: Suite = Suite::ChaCha20Poly1305;

fn rule(prefix: &str, suites: &[Suite], rekey_ms: u64) -> EncryptionRule {
    EncryptionRule { rlocs: vec![net(prefix)], required: true, suites: suites.to_vec(), rekey_ms }
}

/// A PITR with a static mapping to the ETR.
fn itr(suites: &[Suite], rekey_ms: u64) -> EngineConfig {
    EngineConfig {
        roles: Roles { pitr: true, ..Roles::default() },
        rlocs: vec![ip(ITR)],
        static_mappings: vec![StaticMapping {
            eid: eid("10.4.0.0/24"),
            locators: vec![locator(US, 1, 100)],
            action: Forwarding::DropNoReason,
        }],
        encryption: vec![rule("203.0.113.0/24", suites, rekey_ms)],
        ..blank()
    }
}

fn etr(suites: &[Suite]) -> EngineConfig {
    EngineConfig { encryption: vec![rule("192.0.2.0/24", suites, 1)], ..xtr(&["10.4.0.0/24"]) }
}

struct Pair {
    itr: Engine,
    etr: Engine,
    now: Time,
    seal: Option<Seal>,
    /// What the ETR's workers have, by ITR-RLOC.
    open: BTreeMap<IpAddr, Vec<(IpAddr, WorkerKey)>>,
    /// Every how many-th control message is lost; 0: none.
    lose: u64,
    messages: u64,
    seals: Vec<u8>,
}

impl Pair {
    fn new(itr: EngineConfig, etr: EngineConfig) -> Self {
        let (itr, etr) = (Engine::new(itr, [1; 32]), Engine::new(etr, [2; 32]));
        let (open, seals) = (BTreeMap::new(), Vec::new());
        Self { itr, etr, now: Time(1_000_000), seal: None, open, lose: 0, messages: 0, seals }
    }

    fn step(&mut self, to_etr: bool, event: Event) {
        let mut out = Vec::new();
        let engine = if to_etr { &mut self.etr } else { &mut self.itr };
        engine.step(self.now, event, &mut out);
        for action in out {
            match action {
                Action::Send { source, to, payload, .. } => self.carry(source, to, payload),
                Action::Seal { rloc, seal } => {
                    assert_eq!(rloc, ip(US));
                    if let Seal::Key(key) = &seal {
                        self.seals.push(key.id());
                    }
                    self.seal = Some(seal);
                }
                Action::OpenKeys { source, keys } => drop(self.open.insert(source, keys)),
                _ => {}
            }
        }
    }

    fn carry(&mut self, source: Option<IpAddr>, to: SocketAddr, payload: Vec<u8>) {
        self.messages += 1;
        if self.lose != 0 && self.messages.is_multiple_of(self.lose) {
            return;
        }
        let from = SocketAddr::new(source.expect("a source"), 4342);
        let to_etr = to.ip() == ip(US);
        if to_etr || to.ip() == ip(ITR) {
            self.step(to_etr, Event::Datagram { from, to, payload });
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some((at, to_etr)) = [(self.itr.next_deadline(), false), (self.etr.next_deadline(), true)]
            .into_iter()
            .filter_map(|(at, who)| Some((at?, who)))
            .filter(|(at, _)| *at <= end)
            .min()
        {
            self.now = self.now.max(at);
            self.step(to_etr, Event::Tick);
        }
        self.now = end;
    }

    /// A packet gets through: the ETR has the key that the ITR encrypts with.
    fn packet(&mut self) -> bool {
        let Some(Seal::Key(sealed)) = &self.seal else { return false };
        let key = sealed.key().expect("a key");
        let mut text = *b"what is in the packet...and room for the check value";
        let at = text.len() - TAG;
        let tag = key.seal(7, b"header", &mut text[..at]).expect("sealed");
        text[at..].copy_from_slice(&tag);
        let opens = self.open.get(&ip(ITR)).into_iter().flatten().any(|(ours, open)| {
            let iv = &iv_bytes(7)[IV_MAX - key.suite().iv_len()..];
            let key = open.key().expect("a key");
            *ours == ip(US) && open.id() == sealed.id() && key.open(iv, b"header", &mut text.clone())
        });
        if opens {
            let used = vec![(ip(ITR), ip(US), sealed.id())];
            self.step(true, Event::KeysUsed(used));
        }
        opens
    }

    /// So long, a packet every ten milliseconds. Returns how many did not get through.
    fn traffic(&mut self, ms: u64) -> u64 {
        (0..ms / 10).map(|_| self.pass_and_send()).sum()
    }

    fn pass_and_send(&mut self) -> u64 {
        self.pass(10);
        u64::from(!self.packet())
    }

    fn count(&self, counter: Counter) -> u64 {
        self.itr.counters().get(counter) + self.etr.counters().get(counter)
    }
}

#[test]
fn r216_one_rloc_probe_gives_both_ends_a_key() {
    for suite in [AES, CHACHA] {
        let mut pair = Pair::new(itr(&[suite], 3_600_000), etr(&[AES, CHACHA]));
        pair.pass(100);
        assert!(pair.packet());
        let Some(Seal::Key(key)) = &pair.seal else { panic!("{:?}", pair.seal) };
        assert_eq!((key.id(), key.key().map(|key| key.suite())), (1, Some(suite)));
        let counts =
            [Counter::KeyRequestsSent, Counter::KeysAgreed, Counter::KeysComputed, Counter::KeysRefused];
        assert_eq!(counts.map(|counter| pair.count(counter)), [1, 1, 1, 0]);
        // It is asked now and then whether the key is still there, which costs no exchange.
        assert_eq!(pair.traffic(60_000), 0);
        assert_eq!((pair.count(Counter::KeysComputed), pair.count(Counter::KeysLost)), (1, 0));
        assert!(pair.count(Counter::KeyRequestsSent) >= 5);
    }
}

#[test]
fn r216_rekeying_loses_no_packet_whatever_control_messages_are_lost() {
    for lose in [0, 5, 3] {
        let mut pair = Pair::new(itr(&[AES, CHACHA], 2_000), etr(&[AES, CHACHA]));
        pair.pass(100);
        pair.lose = lose;
        assert_eq!(pair.traffic(120_000), 0, "every {lose}");
        assert!(pair.seals.len() > 15, "{} keys, every {lose}", pair.seals.len());
        assert!(pair.seals.windows(2).all(|ids| ids[0] != ids[1]), "another key-id each time");
        if lose == 0 {
            assert!(pair.seals.windows(2).all(|ids| ids[1] == ids[0] % 3 + 1));
        }
        assert!(pair.open[&ip(ITR)].len() <= 3);
    }
}

#[test]
fn r216_who_begins_anew_has_a_key_soon() {
    let mut pair = Pair::new(itr(&[AES], 3_600_000), etr(&[AES]));
    pair.pass(100);
    assert_eq!(pair.traffic(5_000), 0);
    pair.etr = Engine::new(etr(&[AES]), [3; 32]);
    pair.open.clear();
    assert!(pair.traffic(12_000) > 0);
    assert_eq!((pair.traffic(20_000), pair.count(Counter::KeysLost)), (0, 1));
    // The ITR: its first attempt meets a key-id that is in use, the second one another.
    pair.itr = Engine::new(itr(&[AES], 3_600_000), [4; 32]);
    pair.seal = None;
    pair.traffic(3_000);
    assert_eq!(pair.traffic(20_000), 0);
}

#[test]
fn r216_who_gives_no_key_is_told_from_who_prefers_another_suite() {
    let mut pair = Pair::new(itr(&[AES], 3_600_000), xtr(&["10.4.0.0/24"]));
    pair.pass(20_000);
    assert_eq!(pair.seal, Some(Seal::Failed), "it does not encrypt");
    assert!(pair.count(Counter::KeysRefused) >= 3 && pair.open.is_empty());
    let mut pair = Pair::new(itr(&[AES, CHACHA], 3_600_000), etr(&[CHACHA]));
    pair.pass(5_000);
    assert!(pair.packet(), "the second choice");
    // No answer at all.
    let mut pair = Pair::new(itr(&[AES], 3_600_000), etr(&[AES]));
    pair.lose = 1;
    pair.pass(20_000);
    assert_eq!(pair.seal, Some(Seal::Failed));
    pair.lose = 0;
    pair.pass(31_000);
    assert!(pair.packet(), "it is asked on");
    // A reload that wants no encryption any more.
    let mut out = Vec::new();
    let now = pair.now;
    pair.itr.reconfigure(now, EngineConfig { encryption: Vec::new(), ..itr(&[AES], 1) }, &mut out);
    assert!(out.contains(&Action::Seal { rloc: ip(US), seal: Seal::Forget }));
}

/// A probe with these keys in the name of an ITR.
fn offer(itr: IpAddr, nonce: u64, suite: u8, keys: &[&[u8]]) -> Vec<u8> {
    let keys = keys.iter().map(|key| Box::from(*key)).collect();
    let lcaf = Lcaf::SecurityKey { cipher_suite: suite, revoke: false, keys, address: Address::Ip(itr) };
    let itr_rlocs = vec![Address::Lcaf(Box::new(lcaf))];
    let request = MapRequest { probe: true, ..MapRequest::new(nonce, eid("10.4.0.0/24"), itr_rlocs) };
    Message::MapRequest(request).to_bytes().expect("encodes")
}

fn hear(pair: &mut Pair, from: IpAddr, payload: Vec<u8>) {
    let event =
        Event::Datagram { from: SocketAddr::new(from, 4342), to: SocketAddr::new(ip(US), 4342), payload };
    pair.step(true, event);
}

#[test]
fn r216_keys_forged_in_an_itrs_name_cost_it_nothing() {
    let mut pair = Pair::new(itr(&[AES], 2_000), etr(&[AES]));
    pair.pass(100);
    assert!(pair.packet());
    for round in 0..3_000u32 {
        let mut key = [7; 32];
        key[..4].copy_from_slice(&round.to_be_bytes());
        hear(&mut pair, ip(ITR), offer(ip(ITR), u64::from(round) + 1, 5, &[&key, &key, &key]));
        assert_eq!(pair.pass_and_send(), 0, "round {round}");
    }
    // Four a second for one ITR, and what was saved up.
    let computed = pair.count(Counter::KeysComputed);
    assert!(computed <= 12 + 4 * 30 + 1, "{computed}");
    assert!(pair.count(Counter::KeyOffersOverRate) + pair.count(Counter::KeyOffersRefused) > 2_000);
    assert_eq!(pair.traffic(60_000), 0);
}

#[test]
fn r216_r206_all_offers_together_have_a_budget() {
    let mut pair = Pair::new(itr(&[AES], 3_600_000), etr(&[AES]));
    for n in 0..10_000u32 {
        let from = IpAddr::from([192, 0, 2, (n % 250) as u8 + 2]);
        hear(&mut pair, from, offer(from, u64::from(n) + 1, 5, &[&[9; 32]]));
        if n % 10 == 0 {
            pair.pass(1);
        }
    }
    assert!(pair.count(Counter::KeysComputed) <= 400, "{}", pair.count(Counter::KeysComputed));
}

#[test]
fn r216_offers_that_are_none() {
    let mut pair = Pair::new(itr(&[AES], 3_600_000), etr(&[AES]));
    let stranger = ip("198.51.100.77");
    hear(&mut pair, stranger, offer(stranger, 1, 5, &[&[9; 32]]));
    assert_eq!(pair.count(Counter::KeyOffersReceived), 0, "nobody that is to be encrypted for");
    let good = [9; 32];
    let other = ip("192.0.2.9");
    for (nonce, suite, keys) in [
        (2, 5, &[&[][..], &[][..]][..]),
        (3, 5, &[&[9; 31][..]]),
        (4, 5, &[&[9; 33][..]]),
        (5, 5, &[&[0; 32][..]]),
        (6, 6, &[&good[..]]),
        (7, 4, &[&good[..]]),
        (8, 255, &[&good[..]]),
        (9, 5, &[]),
        (10, 5, &[&[][..], &[][..], &[][..], &good[..]]),
    ] {
        hear(&mut pair, other, offer(other, nonce, suite, keys));
    }
    assert!(pair.open.is_empty());
    assert_eq!((pair.count(Counter::KeysComputed), pair.count(Counter::KeyOffersReceived)), (0, 9));
    // Cut off anywhere, the message is dropped or is no offer.
    let whole = offer(other, 11, 5, &[&good[..]]);
    for len in 0..whole.len() {
        hear(&mut pair, other, whole[..len].to_vec());
    }
    assert!(pair.open.is_empty());
    hear(&mut pair, other, whole);
    assert_eq!(pair.open[&other].len(), 1);
}
