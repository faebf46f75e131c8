//! NAT traversal. A Map-Server, an RTR, a site behind a NAT, and the NAT.

use crate::captures::control_packets;
use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{Address, AuthData, Info, Lcaf, Message, auth};
use pxtr_control::engine::config::{AuthAlgorithm, EngineConfig, Roles, Rtr, VrfConfig};
use pxtr_control::engine::event::{EidPrefix, Forwarding, Iid, LocalPort};
use pxtr_control::engine::{Counter, Translated};
use std::net::{IpAddr, SocketAddr};

const SITE: &str = "192.168.1.2";
const NAT: &str = "203.0.113.7";
const RTR: &str = "198.51.100.40";
const RTR_2: &str = "198.51.100.44";
const SERVER: &str = "198.51.100.10";

fn server() -> EngineConfig {
    EngineConfig {
        rlocs: vec![ip(SERVER)],
        rtr_rlocs: vec![ip(RTR)],
        ..map_server(vec![site("a", "site-key", &["10.1.0.0/24", "2001:db8:a::/48"])])
    }
}

fn rtr(rloc: &str) -> EngineConfig {
    let mut config = EngineConfig {
        roles: Roles { pitr: true, petr: true, ..Roles::default() },
        rlocs: vec![ip(rloc)],
        rtr: Some(Rtr { map_servers: vec![ip(SERVER)], max_eid_prefixes: 3 }),
        ..blank()
    };
    config.vrfs[0].eid_space = vec![net("10.0.0.0/8")];
    config
}

fn behind() -> EngineConfig {
    let mut config = EngineConfig {
        rlocs: vec![ip(SITE)],
        nat_traversal: true,
        xtr_id: Some(([9; 16], 1)),
        map_servers: vec![peer(SERVER)],
        vrfs: vec![VrfConfig { name: "default".into(), iid: Iid(0), eid_space: Vec::new() }],
        ..xtr(&["10.1.0.0/24"])
    };
    config.database[0].locators = vec![locator(SITE, 1, 100)];
    config
}

/// All of them, and the NAT's ports.
struct World {
    site: Node,
    rtrs: Vec<(IpAddr, Node)>,
    server: Node,
    /// Added to our port, it is the NAT's; 0: there is no NAT.
    shift: u16,
    /// Nothing gets through to these.
    dead: Vec<IpAddr>,
    /// What went through the NAT, outwards.
    outwards: Vec<Sent>,
}

impl World {
    fn new(shift: u16, server: EngineConfig) -> Self {
        let rtrs = [RTR, RTR_2].map(|rloc| (ip(rloc), Node::new(rtr(rloc)))).into();
        let server = Node::new(server);
        let mut world =
            Self { site: Node::new(behind()), rtrs, server, shift, dead: Vec::new(), outwards: Vec::new() };
        world.exchange();
        world
    }

    /// Carries messages until nobody has anything to say.
    fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            for sent in self.site.take() {
                quiet = false;
                let port = if sent.port == LocalPort::Data { 4341 } else { 4342 };
                let from = if self.shift == 0 { (ip(SITE), port) } else { (ip(NAT), port + self.shift) };
                self.deliver(from.into(), sent.to, &sent.payload);
                self.outwards.push(sent);
            }
            let mut inwards: Vec<(SocketAddr, Sent)> = Vec::new();
            for (rloc, node) in &mut self.rtrs {
                inwards.extend(node.take().into_iter().map(|s| (SocketAddr::new(*rloc, 4342), s)));
            }
            inwards.extend(self.server.take().into_iter().map(|s| (SocketAddr::new(ip(SERVER), 4342), s)));
            for (from, sent) in inwards {
                quiet = false;
                self.deliver(from, sent.to, &sent.payload);
            }
            if quiet {
                return;
            }
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.dead.contains(&from.ip()) || self.dead.contains(&to.ip()) {
            return;
        }
        let inside = |port: u16| SocketAddr::new(ip(SITE), port);
        if to.ip() == ip(SERVER) {
            self.server.hear_at(from, to, payload);
        } else if let Some((_, node)) = self.rtrs.iter_mut().find(|(rloc, _)| *rloc == to.ip()) {
            node.hear_at(from, to, payload);
        } else if self.shift == 0 && to.ip() == ip(SITE) {
            self.site.hear_at(from, to, payload);
        } else if self.shift > 0
            && to.ip() == ip(NAT)
            && let Some(port @ (4341 | 4342)) = to.port().checked_sub(self.shift)
        {
            self.site.hear_at(from, inside(port), payload);
        }
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 100 {
            self.site.pass(100);
            self.server.pass(100);
            self.rtrs.iter_mut().for_each(|(_, node)| node.pass(100));
            self.exchange();
        }
    }

    fn registered(&self) -> Vec<String> {
        let rows = self.server.engine.registrations();
        rows.map(|r| {
            let rlocs: Vec<_> = r.locators.iter().filter_map(|l| l.rloc).map(|l| l.to_string()).collect();
            format!("{} {}", r.eid.prefix, rlocs.join(" "))
        })
        .collect()
    }

    /// Where an RTR sends what is for the site.
    fn rtr_sends_to(&self, index: usize) -> Vec<String> {
        at_last(&self.rtrs[index].1, eid("10.1.0.0/24"))
    }
}

/// What the data plane does with an EID-prefix: the locators, ports of NATs resolved.
fn at_last(node: &Node, prefix: EidPrefix) -> Vec<String> {
    let last = node.installed.iter().rev().find(|(eid, _)| *eid == prefix);
    match last.map(|(_, forwarding)| forwarding) {
        Some(Forwarding::Encapsulate(locators)) => locators
            .iter()
            .map(|l| {
                let nat = Translated::of(l.rloc).expect("through a NAT");
                format!("{nat} from {}", nat.from)
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn info(key: &str, algorithm: AuthAlgorithm, prefix: &str) -> Vec<u8> {
    let eid = eid(prefix);
    let request = Info {
        nonce: 77,
        auth: AuthData::unsigned(1, auth::algorithm_id(algorithm), auth::tag_len(algorithm)),
        ttl_minutes: 0,
        mask_len: eid.prefix.prefix_len(),
        eid: Address::from_eid(eid.iid, eid.prefix.network()),
        body: Address::None,
    };
    signed(Message::InfoRequest(request), key)
}

fn nat_lcaf(sent: &Sent) -> (u16, IpAddr, Vec<IpAddr>) {
    let Message::InfoReply(reply) = &sent.message else { panic!("an Info-Reply, not {sent:?}") };
    let Address::Lcaf(lcaf) = &reply.body else { panic!("an LCAF, not {reply:?}") };
    let Lcaf::NatTraversal { etr_port, global_etr, rtrs, .. } = lcaf.as_ref() else { panic!("{lcaf:?}") };
    (*etr_port, global_etr.rloc().expect("address"), rtrs.iter().filter_map(Address::rloc).collect())
}

#[test]
fn r203_a_map_server_says_what_it_sees_and_which_rtrs_there_are_to_those_with_a_key() {
    let cases = [
        ("key and EID of the site", info("site-key", AuthAlgorithm::HmacSha256, "10.1.0.0/24"), true),
        ("SHA-1, which this site may use", info("site-key", AuthAlgorithm::HmacSha1, "10.1.0.0/24"), true),
        ("another key", info("other-key", AuthAlgorithm::HmacSha256, "10.1.0.0/24"), false),
        ("somebody else's EID", info("site-key", AuthAlgorithm::HmacSha256, "10.9.0.0/24"), false),
    ];
    for (what, request, answered) in cases {
        let mut n = Node::new(server());
        n.hear_at(at("203.0.113.7:50123"), SocketAddr::new(ip(SERVER), 4342), &request);
        let sent = n.take();
        assert_eq!(sent.len(), usize::from(answered), "{what}");
        let refused = n.count(Counter::InfoRequestsBadAuth) + n.count(Counter::InfoRequestsUnknown);
        assert_eq!(refused, u64::from(!answered), "{what}");
        for reply in sent {
            assert_eq!((reply.to, reply.source), (at("203.0.113.7:50123"), Some(ip(SERVER))));
            assert!(is_signed(&reply.payload, "site-key"));
            assert_eq!(nat_lcaf(&reply), (50_123, ip(NAT), vec![ip(RTR)]));
        }
    }
    // answers are bounded, and others keep their share.
    let mut n = Node::new(server());
    let request = info("site-key", AuthAlgorithm::HmacSha256, "10.1.0.0/24");
    for port in 0..1000 {
        n.hear_at(SocketAddr::new(ip(NAT), 10_000 + port), SocketAddr::new(ip(SERVER), 4342), &request);
    }
    assert_eq!((n.take().len(), n.count(Counter::InfoRequestsLimited)), (200, 800));
    n.hear_at(at("203.0.113.8:4342"), SocketAddr::new(ip(SERVER), 4342), &request);
    assert_eq!(n.take().len(), 1);
}

#[test]
fn r203_info_requests_of_other_implementations_are_answered_as_theirs_do() {
    for (capture, key) in
        [("oor_nat_info_request_register_ecm", Some("site-a-key")), ("lispers_nat_info_request_reply", None)]
    {
        let packets = control_packets(capture);
        let request = packets.iter().find(|p| p.payload[0] == 0x70).expect("an Info-Request");
        let reply = packets.iter().find(|p| p.payload[0] == 0x78).expect("an Info-Reply");
        let mut site = site("a", "site-a-key", &["10.1.0.0/24"]);
        site.keys[0].id = 0;
        let mut config = EngineConfig { rlocs: vec![request.to.ip()], ..map_server(vec![site]) };
        config.rtr_rlocs = vec![ip("203.0.113.40")];
        let mut n = Node::new(config.clone());
        if key.is_none() {
            n.hear_at(request.from, request.to, &request.payload);
            assert!(n.silent(), "without a key only where that is configured");
            config.info_without_key = true;
            n = Node::new(config);
        }
        n.hear_at(request.from, request.to, &request.payload);
        let ours = n.take_one();
        let theirs = Sent { message: Message::decode(&reply.payload).expect("their reply"), ..ours.clone() };
        assert_eq!((ours.to, nat_lcaf(&ours)), (reply.to, nat_lcaf(&theirs)), "{capture}");
        assert_eq!(ours.payload[..12], reply.payload[..12], "{capture}: type and nonce");
        assert!(key.is_none_or(|key| is_signed(&ours.payload, key)), "{capture}");
    }
}

/// A Map-Register that OOR sent by its RTR, at our RTR.
#[test]
fn r204_a_map_register_of_oor_is_passed_on_by_our_rtr_and_its_answer_goes_back_as_data() {
    let packets = control_packets("oor_nat_info_request_register_ecm");
    let ecm = packets.iter().find(|p| p.payload[0] == 0x80).expect("an ECM");
    let mut config = rtr("203.0.113.40");
    config.rtr = Some(Rtr { map_servers: vec![ip("203.0.113.10")], max_eid_prefixes: 10 });
    let mut n = Node::new(config);
    n.hear_at(ecm.from, ecm.to, &ecm.payload);
    let passed_on = n.take_one();
    assert_eq!(passed_on.to, at("203.0.113.10:4342"));
    let Message::Ecm(relayed) = &passed_on.message else { panic!("{passed_on:?}") };
    assert!(relayed.relayed_by_rtr);
    assert_eq!(relayed.payload, ecm.payload[4 + 28..], "untouched");
    assert!(n.engine.roles().rtr().expect("RTR").is_empty(), "nothing is confirmed yet");
    // Their Map-Server answered; what their RTR made of it is in the capture, too.
    let theirs = packets.iter().find(|p| p.payload[0] == 0x08).expect("a Data-Map-Notify");
    n.hear_at(at("203.0.113.10:4342"), ecm.to, &theirs.payload[8 + 28..]);
    let back = n.take_one();
    assert_eq!((back.to, back.payload[..8].to_vec()), (theirs.to, theirs.payload[..8].to_vec()));
    assert_eq!(back.payload[8 + 28..], theirs.payload[8 + 28..]);
    assert_eq!(at_last(&n, eid("10.1.0.0/24")), ["203.0.113.21:4341 from 4342"]);
}

#[test]
fn r203_r204_r205_behind_a_nat_a_site_registers_and_sends_by_the_rtr_which_knows_where_it_is() {
    let mut w = World::new(40_000, server());
    w.pass(3_000);
    assert_eq!(w.registered(), ["10.1.0.0/24 198.51.100.40"], "R-205: an ordinary locator");
    assert_eq!(w.rtr_sends_to(0), ["203.0.113.7:44341 from 4342"]);
    // Everything goes out by the RTR, from the one port that the NAT has to remember.
    assert_eq!(at_last(&w.site, eid("0.0.0.0/0")), ["198.51.100.40:4341 from 4341"]);
    assert_eq!(at_last(&w.site, eid("::/0")), ["198.51.100.40:4341 from 4341"]);
    let mut registers = w.outwards.iter().filter(|s| s.port == LocalPort::Data);
    let first = registers.next().expect("a Map-Register");
    let Message::Ecm(ecm) = &first.message else { panic!("{first:?}") };
    let Ok(Message::MapRegister(register)) = Message::decode(&ecm.payload) else { panic!("{ecm:?}") };
    assert!(ecm.for_rtr && register.proxy_reply && register.want_map_notify && register.xtr.is_some());
    assert_eq!((first.to, ecm.inner.destination), (SocketAddr::new(ip(RTR), 4342), ip(SERVER)));
    // The NAT is kept from forgetting: both ports speak within 15 s, and nothing is in doubt.
    w.outwards.clear();
    w.pass(60_000);
    let count = |port| w.outwards.iter().filter(|s| s.port == port).count();
    assert!((4..=6).contains(&count(LocalPort::Data)), "{}", count(LocalPort::Data));
    assert!((4..=6).contains(&count(LocalPort::Control)), "{}", count(LocalPort::Control));
    let view = w.site.engine.roles().etr().and_then(|etr| etr.nat(w.site.engine.config())).expect("a view");
    assert!(view.behind && !view.unknown && view.live == [ip(RTR)], "{view:?}");
    assert_eq!(view.seen[0].global, Some(at("203.0.113.7:44342")));
    assert!(w.site.engine.database().all(|d| d.registrations.iter().all(|r| r.confirmed)));
}

#[test]
fn r203_without_a_nat_everything_is_as_ever_and_before_that_is_known_nothing_is_registered() {
    let mut silent = Node::new(behind());
    silent.pass(60_000);
    assert!(silent.take().iter().all(|s| matches!(s.message, Message::InfoRequest(_))), "it is not known");
    let mut w = World::new(0, server());
    w.pass(3_000);
    assert_eq!(w.registered(), ["10.1.0.0/24 192.168.1.2"]);
    assert!(w.outwards.iter().all(|s| s.port == LocalPort::Control));
    let space = w.site.installed.iter().rev().find(|(e, _)| *e == eid("0.0.0.0/0")).map(|(_, f)| f.clone());
    assert_eq!(space, Some(Forwarding::SendMapRequest), "mappings are looked up");
}

#[test]
fn r203_a_nat_that_changes_its_ports_and_an_rtr_that_forgot_are_found_again() {
    let mut w = World::new(40_000, server());
    w.pass(3_000);
    w.shift = 50_000;
    w.pass(16_000);
    assert_eq!(w.rtr_sends_to(0), ["203.0.113.7:54341 from 4342"], "within the interval");
    assert_eq!(w.rtrs[0].1.count(Counter::RtrRoutersMoved), 1);
    let now = w.rtrs[0].1.now;
    w.rtrs[0].1 = Node::new(rtr(RTR));
    w.rtrs[0].1.now = now;
    assert!(w.rtr_sends_to(0).is_empty());
    w.pass(16_000);
    assert_eq!(w.rtr_sends_to(0), ["203.0.113.7:54341 from 4342"], "it started anew");
}

#[test]
fn r203_of_two_rtrs_the_one_that_is_silent_is_not_used() {
    let mut config = server();
    config.rtr_rlocs = vec![ip(RTR), ip(RTR_2)];
    let mut w = World::new(40_000, config);
    w.pass(3_000);
    assert_eq!(w.registered(), ["10.1.0.0/24 198.51.100.40 198.51.100.44"]);
    assert_eq!((w.rtr_sends_to(0).len(), w.rtr_sends_to(1).len()), (1, 1));
    w.dead.push(ip(RTR));
    w.pass(40_000);
    assert_eq!(w.registered(), ["10.1.0.0/24 198.51.100.44"]);
    assert_eq!(at_last(&w.site, eid("0.0.0.0/0")), ["198.51.100.44:4341 from 4341"]);
    w.dead.clear();
    w.pass(40_000);
    assert_eq!(w.registered(), ["10.1.0.0/24 198.51.100.40 198.51.100.44"]);
    // Nobody left: that is no reason to give up the last known way.
    w.dead.extend([ip(RTR), ip(RTR_2)]);
    w.pass(60_000);
    assert_eq!(at_last(&w.site, eid("0.0.0.0/0")).len(), 2);
}

#[test]
fn r204_what_no_map_server_confirmed_counts_for_nothing_and_what_is_not_confirmed_again_ends() {
    let mut w = World::new(40_000, server());
    // A wrong key: the Map-Server is silent, and so the RTR learns nothing.
    let mut stranger = behind();
    stranger.map_servers[0].key.secret = secret("guessed");
    stranger.nat_traversal = true;
    w.site = Node::new(stranger);
    w.rtrs[0].1 = Node::new(rtr(RTR));
    w.pass(30_000);
    assert!(w.rtr_sends_to(0).is_empty());
    // A Map-Notify with the nonce of nothing, or not from a Map-Server.
    let n = &mut w.rtrs[0].1;
    let forged = notify(5, AuthAlgorithm::HmacSha256, vec![record("10.1.0.0/24", &[])], "site-key");
    n.hear_at(at("198.51.100.10:4342"), at("198.51.100.40:4342"), &forged);
    n.hear_at(at("203.0.113.66:4342"), at("198.51.100.40:4342"), &forged);
    assert_eq!(n.count(Counter::RtrNotifiesUnexpected), 2);
    assert!(n.silent() && n.engine.roles().rtr().expect("RTR").is_empty());
    // The honest one comes, and goes silent.
    let mut w = World::new(40_000, server());
    w.pass(3_000);
    assert_eq!(w.rtr_sends_to(0).len(), 1);
    w.dead.push(ip(NAT));
    w.pass(200_000);
    let n = &w.rtrs[0].1;
    assert_eq!(n.count(Counter::RtrEidsExpired), 1, "three minutes, as at the Map-Server");
    assert!(n.engine.roles().rtr().expect("RTR").is_empty());
    let entry = n.engine.map_cache_lookup(Iid(0), ip("10.1.0.7")).expect("EID space");
    assert_eq!(entry.prefix, net("10.0.0.0/8"), "it is asked for like any other");
}

#[test]
fn r204_an_rtr_passes_on_only_to_its_map_servers_only_with_an_xtr_id_and_at_a_bounded_rate() {
    use pxtr_control::codec::{Ecm, InnerHeader, MapRegister};
    let through = |to: &str, register: &MapRegister| {
        let payload = signed_register(register, "site-key");
        bytes(Message::Ecm(Ecm {
            for_rtr: true,
            ..Ecm::new(InnerHeader::new(ip(SITE), 4342, ip(to)), payload)
        }))
    };
    let with = |nonce| MapRegister { xtr: xtr_id(9), ..register(nonce, vec![record("10.1.0.0/24", &[])]) };
    let here = at("198.51.100.40:4342");
    let mut n = Node::new(rtr(RTR));
    n.hear_at(at("203.0.113.7:44341"), here, &through("198.51.100.66", &with(1)));
    n.hear_at(at("203.0.113.7:44341"), here, &through(SERVER, &register(2, vec![])));
    n.hear_at(
        at("203.0.113.7:44341"),
        here,
        &through(SERVER, &MapRegister { want_map_notify: false, ..with(3) }),
    );
    assert_eq!((n.take().len(), n.count(Counter::RtrRegistersRefused)), (0, 3), "an open relay it is not");
    for nonce in 10..1010 {
        n.hear_at(at("203.0.113.7:44341"), here, &through(SERVER, &with(nonce)));
    }
    let passed_on = n.take().len();
    assert!((400..=500).contains(&passed_on), "{passed_on}");
    n.hear_at(at("203.0.113.8:44341"), here, &through(SERVER, &with(5000)));
    assert_eq!(n.take().len(), 1, "others are not concerned");
    // The same once more from elsewhere does not take its place.
    n.hear_at(at("203.0.113.9:44341"), here, &through(SERVER, &with(5000)));
    assert!(n.silent());
    let answer = notify(5000, AuthAlgorithm::HmacSha256, vec![record("10.1.0.0/24", &[])], "site-key");
    n.hear_at(at("198.51.100.10:4342"), here, &answer);
    assert_eq!(n.take_one().to, at("203.0.113.8:44341"));
    // No more EID-prefixes than allowed.
    for (i, prefix) in ["10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"].into_iter().enumerate() {
        let nonce = 6000 + i as u64;
        let records = vec![record(prefix, &[])];
        let message = MapRegister { xtr: xtr_id(9), ..register(nonce, records.clone()) };
        n.hear_at(at("203.0.113.8:44341"), here, &through(SERVER, &message));
        n.hear_at(at("198.51.100.10:4342"), here, &notify(nonce, AuthAlgorithm::HmacSha256, records, "k"));
    }
    assert_eq!(n.count(Counter::RtrEidsRefused), 1);
}
