//! LISP-SEC (RFC 9303) from end to end: PITR, Map-Resolver, Map-Server and ETR are four engines, and
//! the test may touch what goes between them.

use crate::messages::{record, rloc};
use crate::node::{Node, blank, ip, locator, map_server, net, peer, secret, site, xtr};
use pxtr_control::codec::lisp_sec::{HMAC_SHA1_96, HMAC_SHA256_128};
use pxtr_control::codec::{Ecm, EcmAd, EidAd, MapReply, Message, Otk, ReplyAd, sign_reply};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{EngineConfig, Key, LispSec, Roles};
use pxtr_control::engine::event::{Event, Iid};
use std::net::{IpAddr, SocketAddr};

const PITR: &str = "203.0.113.20";
const MR: &str = "203.0.113.50";
const MS: &str = "203.0.113.53";
const ETR: &str = "203.0.113.60";

fn key(id: u8, text: &str) -> Key {
    Key { id, secret: secret(text) }
}

fn pitr(required: bool) -> EngineConfig {
    let mut config = EngineConfig {
        roles: Roles { pitr: true, ..Roles::default() },
        rlocs: vec![ip(PITR)],
        map_resolvers: vec![ip(MR)],
        lisp_sec: LispSec { itr: Some(key(1, "itr-mr")), required, ..LispSec::default() },
        ..blank()
    };
    config.vrfs[0].eid_space = vec![net("10.0.0.0/8")];
    config
}

fn mr() -> EngineConfig {
    EngineConfig {
        roles: Roles { map_resolver: true, ..Roles::default() },
        rlocs: vec![ip(MR)],
        map_resolver_forward_to: vec![ip(MS)],
        lisp_sec: LispSec {
            accept: vec![key(1, "itr-mr")],
            forward: Some(key(2, "mr-ms")),
            ..LispSec::default()
        },
        ..blank()
    }
}

fn ms() -> EngineConfig {
    let mut config = map_server(vec![site("a", "site-key", &["10.4.0.0/24"])]);
    config.rlocs = vec![ip(MS)];
    config.sites[0].lisp_sec = Some(key(3, "ms-etr"));
    config.lisp_sec.accept = vec![key(2, "mr-ms")];
    config
}

fn etr() -> EngineConfig {
    let mut config = xtr(&["10.4.0.0/24"]);
    config.rlocs = vec![ip(ETR)];
    config.database[0].locators = vec![locator(ETR, 1, 100)];
    let mut server = peer(MS);
    server.lisp_sec = Some(key(3, "ms-etr"));
    config.map_servers = vec![server];
    config
}

/// The four, and whatever a test does to what they send.
struct Net {
    nodes: Vec<(IpAddr, Node)>,
    /// Every datagram: from, to, bytes.
    log: Vec<(IpAddr, IpAddr, Vec<u8>)>,
}

impl Net {
    fn new(pitr: EngineConfig, mr: EngineConfig, ms: EngineConfig, etr: EngineConfig) -> Self {
        // The Map-Server first: it must be there when the ETR registers.
        let nodes = [(MS, ms), (PITR, pitr), (MR, mr), (ETR, etr)];
        let nodes = nodes.map(|(at, config)| (ip(at), Node::new(config)));
        let mut net = Self { nodes: nodes.into(), log: Vec::new() };
        net.settle();
        net
    }

    fn node(&mut self, at: &str) -> &mut Node {
        let at = ip(at);
        &mut self.nodes.iter_mut().find(|(ip, _)| *ip == at).expect("a node").1
    }

    fn count(&mut self, at: &str, counter: Counter) -> u64 {
        self.node(at).count(counter)
    }

    fn settle(&mut self) {
        for _ in 0..50 {
            let mut under_way = Vec::new();
            for (from, node) in &mut self.nodes {
                under_way.extend(node.take().into_iter().map(|sent| (*from, sent.to, sent.payload)));
            }
            for (from, to, payload) in under_way {
                self.log.push((from, to.ip(), payload.clone()));
                if let Some((_, node)) = self.nodes.iter_mut().find(|(at, _)| *at == to.ip()) {
                    node.hear_at(SocketAddr::new(from, 4342), SocketAddr::new(to.ip(), 4342), &payload);
                }
            }
        }
    }

    fn miss(&mut self, eid: &str) {
        self.node(PITR).step(Event::Miss { iid: Iid(0), eid: ip(eid), source: ip("192.0.2.9") });
    }

    fn way(&mut self, eid: &str) -> String {
        let entry = self.node(PITR).engine.map_cache_lookup(Iid(0), ip(eid)).expect("an entry");
        format!("{} {:?}", entry.prefix, entry.action)
    }

    /// The ECMs between two nodes.
    fn ecms(&self, from: &str, to: &str) -> Vec<Ecm> {
        let between = self.log.iter().filter(|(f, t, _)| *f == ip(from) && *t == ip(to));
        let decode = |(_, _, bytes): &(_, _, Vec<u8>)| match Message::decode(bytes) {
            Ok(Message::Ecm(ecm)) => Some(ecm),
            _ => None,
        };
        between.filter_map(decode).collect()
    }

    /// The nonce of the Map-Request that the PITR has just sent, which a forger is given here.
    fn nonce(&mut self) -> u64 {
        let sent = self.node(PITR).take_one();
        let Message::Ecm(ecm) = sent.message else { panic!("an ECM") };
        let Ok(Message::MapRequest(request)) = Message::decode(&ecm.payload) else { panic!("a request") };
        // It goes its way.
        self.node(MR).hear_at(SocketAddr::new(ip(PITR), 4342), SocketAddr::new(ip(MR), 4342), &sent.payload);
        request.nonce
    }

    fn forge(&mut self, payload: &[u8]) {
        let (from, to) = (SocketAddr::new(ip("192.0.2.66"), 4342), SocketAddr::new(ip(PITR), 4342));
        self.node(PITR).hear_at(from, to, payload);
    }
}

fn bytes(reply: MapReply) -> Vec<u8> {
    Message::MapReply(reply).to_bytes().expect("encodes")
}

#[test]
fn r199_r200_r201_the_honest_exchange_is_verified_and_no_hop_shares_a_key() {
    let mut net = Net::new(pitr(true), mr(), ms(), etr());
    net.miss("10.4.0.7");
    net.settle();
    assert_eq!(net.way("10.4.0.7"), "10.4.0.0/24 Encapsulate");
    assert_eq!(net.count(PITR, Counter::LispSecVerified), 1);
    assert_eq!(net.count(ETR, Counter::LispSecSigned), 1);
    let hops = [net.ecms(PITR, MR), net.ecms(MR, MS), net.ecms(MS, ETR)];
    let ads: Vec<EcmAd> = hops.map(|mut e| e.remove(0).security.expect("S on every hop")).into();
    assert_eq!([ads[0].key_id, ads[1].key_id, ads[2].key_id], [1, 2, 3]);
    assert!(ads[0].otk != ads[1].otk && ads[1].otk != ads[2].otk, "wrapped anew on each hop");
    let signed = ads[2].eid_ad.signed().expect("the Map-Server vouches");
    assert_eq!(signed.prefixes.len(), 1);
    assert!(!signed.etr_cant_sign);
}

#[test]
fn r173_proxy_and_negative_replies_are_signed_by_the_map_server() {
    let mut proxied = etr();
    proxied.map_servers[0].proxy_reply = true;
    let mut net = Net::new(pitr(true), mr(), ms(), proxied);
    net.miss("10.4.0.7");
    net.miss("10.9.0.1");
    net.settle();
    assert_eq!(net.way("10.4.0.7"), "10.4.0.0/24 Encapsulate");
    assert!(net.way("10.9.0.1").contains("NativelyForward"), "{}", net.way("10.9.0.1"));
    assert_eq!(net.count(PITR, Counter::LispSecVerified), 2);
    assert_eq!(net.count(MS, Counter::LispSecSigned), 2);
    assert_eq!(net.count(ETR, Counter::LispSecSigned), 0);
}

#[test]
fn r072_r207_a_forged_reply_with_the_right_nonce_is_refused_and_the_honest_one_still_counts() {
    let mut net = Net::new(pitr(true), mr(), ms(), etr());
    net.miss("10.4.0.7");
    let nonce = net.nonce();
    let forged = vec![record("10.4.0.0/24", &[rloc("192.0.2.66", 1)])];
    // Without authentication data; then with some of the forger's own making.
    net.forge(&bytes(MapReply::new(nonce, forged.clone())));
    let guess = Otk::new([7; 16]);
    let prefixes = [crate::node::eid("10.4.0.0/24")];
    let eid_ad = EidAd::sign(2, HMAC_SHA256_128, false, &prefixes, &guess).expect("signs");
    let security = Some(ReplyAd::unsigned(eid_ad, HMAC_SHA256_128).expect("known"));
    let mut signed = bytes(MapReply { security, ..MapReply::new(nonce, forged) });
    sign_reply(&mut signed, &guess.derive_ms_otk(2).expect("derives")).expect("signs");
    net.forge(&signed);
    assert_eq!(net.way("10.4.0.7"), "10.0.0.0/8 SendMapRequest");
    assert_eq!(net.count(PITR, Counter::LispSecMissing), 1);
    assert_eq!(net.count(PITR, Counter::LispSecForged), 1);
    net.settle();
    assert_eq!(net.way("10.4.0.7"), "10.4.0.0/24 Encapsulate");
    assert_eq!(net.node(PITR).installed.iter().filter(|(e, _)| *e == prefixes[0]).count(), 1);
}

#[test]
fn r201_r208_an_etr_that_claims_more_than_it_registered_is_refused() {
    let mut greedy = etr();
    greedy.database.push(greedy.database[0].clone());
    greedy.database[1].eid = crate::node::eid("10.4.0.0/16");
    // It holds 10.4.0.0/16 only; the registration of the /24 is an honest one of the same site.
    let mut net = Net::new(pitr(true), mr(), ms(), greedy.clone());
    greedy.database.remove(0);
    net.node(ETR).engine = pxtr_control::engine::Engine::new(greedy, [9; 32]);
    net.node(ETR).step(Event::Tick);
    net.miss("10.4.0.7");
    net.settle();
    assert_eq!(net.count(PITR, Counter::LispSecOverclaims), 1);
    assert_eq!(net.way("10.4.0.7"), "10.0.0.0/8 SendMapRequest");
    assert_eq!(net.way("10.4.9.7"), "10.0.0.0/8 SendMapRequest");
}

#[test]
fn r072_who_strips_it_gets_nothing_installed_where_it_is_required() {
    let mut stripping = mr();
    stripping.lisp_sec.forward = None;
    let mut net = Net::new(pitr(true), stripping.clone(), ms(), etr());
    net.miss("10.4.0.7");
    net.settle();
    assert_eq!(net.count(MR, Counter::LispSecStripped), 1);
    assert_eq!(net.count(PITR, Counter::LispSecMissing), 1);
    assert_eq!(net.way("10.4.0.7"), "10.0.0.0/8 SendMapRequest");
    // Where it is not required the mapping is taken.
    let mut net = Net::new(pitr(false), stripping, ms(), etr());
    net.miss("10.4.0.7");
    net.settle();
    assert_eq!(net.way("10.4.0.7"), "10.4.0.0/24 Encapsulate");
}

#[test]
fn r072_a_probe_reply_does_not_change_a_mapping_where_it_is_required() {
    let mut config = pitr(true);
    config.limits.probe_interval_ms = 1000;
    let mut net = Net::new(config, mr(), ms(), etr());
    net.miss("10.4.0.7");
    net.settle();
    net.node(PITR).pass(1500);
    let probe = net.node(PITR).take().into_iter().find_map(|s| match s.message {
        Message::MapRequest(m) if m.probe => Some(m.nonce),
        _ => None,
    });
    let records = vec![record("10.4.0.0/24", &[rloc("192.0.2.66", 1)])];
    net.forge(&bytes(MapReply { probe: true, ..MapReply::new(probe.expect("a probe"), records) }));
    assert_eq!(net.count(PITR, Counter::ProbeReplies), 1);
    let entry = net.node(PITR).engine.map_cache_lookup(Iid(0), ip("10.4.0.7")).expect("an entry");
    assert_eq!(entry.locators[0].rloc, ip(ETR));
}

#[test]
fn r202_an_etr_that_can_not_sign() {
    let mut unable = etr();
    unable.map_servers[0].lisp_sec = None;
    let mut net = Net::new(pitr(true), mr(), ms(), unable.clone());
    net.miss("10.4.0.7");
    net.settle();
    assert_eq!(net.way("10.4.0.7"), "10.4.0.0/24 DropAuthFailure");
    assert_eq!(net.count(PITR, Counter::LispSecCantSign), 1);
    // Where it is not required it is asked without.
    let mut net = Net::new(pitr(false), mr(), ms(), unable);
    net.miss("10.4.0.7");
    net.settle();
    net.node(PITR).pass(1500);
    net.settle();
    assert_eq!(net.way("10.4.0.7"), "10.4.0.0/24 Encapsulate");
}

#[test]
fn r200_a_plain_key_or_an_unknown_secret_is_refused() {
    let mut net = Net::new(pitr(true), mr(), ms(), etr());
    net.miss("10.4.0.7");
    let sent = net.node(PITR).take_one();
    let Message::Ecm(ecm) = sent.message else { panic!("an ECM") };
    let plain = EcmAd::plain(&Otk::new([5; 16]), 1, 0, EidAd::request(0));
    let nonce = 1;
    let wrong =
        EcmAd::wrap(&Otk::new([5; 16]), nonce, 1, &secret("guess"), 0, EidAd::request(0)).expect("wraps");
    for (n, ad) in [plain, wrong].into_iter().enumerate() {
        let bytes = Message::Ecm(Ecm { security: Some(ad), ..ecm.clone() }).to_bytes().expect("encodes");
        net.node(MR).hear_at(SocketAddr::new(ip(PITR), 4342), SocketAddr::new(ip(MR), 4342), &bytes);
        assert!(net.node(MR).silent());
        assert_eq!(net.count(MR, Counter::LispSecRequestsRefused), n as u64 + 1);
    }
}

#[test]
fn r201_an_answer_by_another_hmac_than_asked_for_is_asked_for_again_with_that_one() {
    let mut net = Net::new(pitr(true), mr(), ms(), etr());
    net.miss("10.4.0.7");
    let sent = net.node(PITR).take_one();
    let Message::Ecm(ecm) = sent.message else { panic!("an ECM") };
    let Ok(Message::MapRequest(request)) = Message::decode(&ecm.payload) else { panic!("a request") };
    let ad = ecm.security.expect("LISP-SEC");
    assert_eq!(ad.requested_hmac_id, HMAC_SHA256_128);
    let otk = ad.unwrap_otk(request.nonce, &secret("itr-mr"), false).expect("unwraps");
    // Authentic, and by the old HMAC.
    let eid_ad =
        EidAd::sign(2, HMAC_SHA1_96, false, &[crate::node::eid("10.4.0.0/24")], &otk).expect("signs");
    let security = Some(ReplyAd::unsigned(eid_ad, HMAC_SHA1_96).expect("known"));
    let records = vec![record("10.4.0.0/24", &[rloc(ETR, 1)])];
    let mut reply = bytes(MapReply { security, ..MapReply::new(request.nonce, records) });
    sign_reply(&mut reply, &otk.derive_ms_otk(2).expect("derives")).expect("signs");
    net.forge(&reply);
    assert_eq!(net.count(PITR, Counter::LispSecOtherHmac), 1);
    assert_eq!(net.way("10.4.0.7"), "10.0.0.0/8 SendMapRequest", "discarded");
    assert!(net.node(PITR).silent(), "and not asked again at once");
    net.node(PITR).pass(1500);
    net.settle();
    let again = net.ecms(PITR, MR).pop().and_then(|ecm| ecm.security).expect("asked again");
    assert_eq!(again.requested_hmac_id, HMAC_SHA1_96);
    assert_eq!(net.way("10.4.0.7"), "10.4.0.0/24 Encapsulate");
    assert_eq!(net.count(PITR, Counter::LispSecVerified), 1);
}
