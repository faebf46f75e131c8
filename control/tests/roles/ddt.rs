//! The Delegated Database Tree (RFC 8111).

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{
    Address, Ecm, LocatorRecord, MapAction, MapReferral, MapRequest, Message, ReferralAction, ReferralRecord,
};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{Delegation, EngineConfig, Roles};

const ROOT: &str = "192.0.2.1";
const NODE: &str = "192.0.2.2";
const MS_A: &str = "192.0.2.53";
const MS_B: &str = "192.0.2.54";
const ITR: &str = "198.51.100.1:4342";

fn delegation(prefix: &str, to: &[&str], map_servers: bool) -> Delegation {
    Delegation { eid: eid(prefix), to: to.iter().map(|a| ip(a)).collect(), map_servers }
}

fn ddt_node(authoritative: &[&str], delegations: Vec<Delegation>) -> EngineConfig {
    let mut config = EngineConfig { roles: Roles { ddt_node: true, ..Roles::default() }, ..blank() };
    config.ddt.authoritative = authoritative.iter().map(|p| eid(p)).collect();
    config.ddt.delegations = delegations;
    config
}

/// A Map-Resolver with one root.
fn resolver() -> EngineConfig {
    let mut config = EngineConfig { roles: Roles { map_resolver: true, ..Roles::default() }, ..blank() };
    config.ddt.roots = vec![ip(ROOT)];
    config
}

fn with_d_bit(request: &MapRequest) -> Vec<u8> {
    let Ok(Message::Ecm(ecm)) = Message::decode(&in_ecm(request)) else { panic!("an ECM") };
    bytes(Message::Ecm(Ecm { ddt: true, ..ecm }))
}

fn referral(sent: &Sent) -> &ReferralRecord {
    match &sent.message {
        Message::MapReferral(m) => &m.records[0],
        other => panic!("a Map-Referral, not {other:?}"),
    }
}

/// "action prefix -> addresses, ttl", with "?" where it is incomplete.
fn told(sent: &Sent) -> String {
    let r = referral(sent);
    let eid = r.eid_prefix().expect("EID");
    let to: Vec<String> =
        r.referrals.iter().filter_map(|l| l.address.rloc()).map(|a| a.to_string()).collect();
    let mark = if r.incomplete { "?" } else { "" };
    format!("{:?}{mark} {} {} -> {} ttl {}", r.action, eid.iid.0, eid.prefix, to.join(" "), r.ttl_minutes)
}

/// A Map-Referral with one record.
fn refers(nonce: u64, action: ReferralAction, prefix: &str, to: &[&str]) -> MapReferral {
    let about = eid(prefix);
    let record = ReferralRecord {
        ttl_minutes: action.ttl_minutes(),
        mask_len: about.prefix.prefix_len(),
        action,
        authoritative: true,
        incomplete: false,
        map_version: 0,
        eid: Address::from_eid(about.iid, about.prefix.network()),
        referrals: to.iter().map(|a| LocatorRecord::new(ip(a), 1, 100)).collect(),
        signatures: Vec::new(),
    };
    MapReferral { nonce, records: vec![record] }
}

/// Whom the one message sent went to, and the request in its ECM.
fn asked(n: &mut Node) -> (String, Ecm, MapRequest) {
    let sent = n.take_one();
    let Message::Ecm(ecm) = sent.message else { panic!("an ECM, not {:?}", sent.message) };
    let Ok(Message::MapRequest(request)) = Message::decode(&ecm.payload) else { panic!("a Map-Request") };
    assert!(ecm.ddt, "RFC 8111 section 7.3: the D bit");
    (sent.to.ip().to_string(), ecm, request)
}

fn hears(n: &mut Node, from: &str, referral: MapReferral) {
    n.hear(&format!("{from}:4342"), &bytes(Message::MapReferral(referral)));
}

/// The resolver is asked for `prefix`; what it asks the root.
fn on_its_way(n: &mut Node, prefix: &str) -> MapRequest {
    n.hear(ITR, &in_ecm(&request(prefix, &["198.51.100.1"])));
    let (to, _, request) = asked(n);
    assert_eq!(to, ROOT);
    request
}

/// It is referred to the Map-Servers of 10.4.0.0/16; the request that the first of them gets.
fn at_map_servers(n: &mut Node, prefix: &str, servers: &[&str]) -> (String, MapRequest) {
    let first = on_its_way(n, prefix);
    hears(n, ROOT, refers(first.nonce, ReferralAction::MsReferral, "10.4.0.0/16", servers));
    let (to, _, request) = asked(n);
    (to, request)
}

fn negative(n: &mut Node) -> (String, MapAction, u32) {
    let sent = n.take_one();
    assert_eq!(sent.to, at("198.51.100.1:40000"), "TRAP 17: the inner port");
    assert_eq!(sent.reply().nonce, request("10.4.0.9/32", &[]).nonce, "the ITR's");
    let record = &sent.reply().records[0];
    (show(record), record.action, record.ttl_minutes)
}

#[test]
fn r184_a_node_refers_says_where_nobody_is_and_what_is_none_of_its_business() {
    let delegations = vec![
        delegation("10.1.0.0/16", &[NODE, "192.0.2.3"], false),
        delegation("10.2.0.0/16", &[MS_A], true),
        delegation("10.2.128.0/17", &[MS_B], true),
        delegation("101 10.0.0.0/8", &["192.0.2.9"], false),
        delegation("2001:db8::/32", &[MS_A], true),
    ];
    let cases = [
        ("10.1.2.3/32", "NodeReferral 0 10.1.0.0/16 -> 192.0.2.2 192.0.2.3 ttl 1440"),
        ("10.2.2.3/32", "MsReferral 0 10.2.0.0/16 -> 192.0.2.53 ttl 1440"),
        ("10.2.200.3/32", "MsReferral 0 10.2.128.0/17 -> 192.0.2.54 ttl 1440"),
        ("10.3.0.1/32", "DelegationHole 0 10.3.0.0/16 ->  ttl 15"),
        ("10.128.0.1/32", "DelegationHole 0 10.128.0.0/9 ->  ttl 15"),
        ("11.0.0.1/32", "NotAuthoritative? 0 11.0.0.1/32 ->  ttl 0"),
        ("101 10.1.2.3/32", "NodeReferral 101 10.0.0.0/8 -> 192.0.2.9 ttl 1440"),
        ("102 10.1.2.3/32", "NotAuthoritative? 102 10.1.2.3/32 ->  ttl 0"),
        ("2001:db8:1::1/128", "MsReferral 0 2001:db8::/32 -> 192.0.2.53 ttl 1440"),
    ];
    let own = ["10.0.0.0/8", "101 10.0.0.0/8", "2001:db8::/32"];
    for (wanted, expected) in cases {
        let mut n = Node::new(ddt_node(&own, delegations.clone()));
        n.hear("198.51.100.9:61000", &with_d_bit(&request(wanted, &["198.51.100.9"])));
        let sent = n.take_one();
        assert_eq!(sent.to, at("198.51.100.9:61000"), "to where the request came from");
        assert_eq!(told(&sent), expected, "{wanted}");
        // A root answers for everything.
        let mut root = Node::new(ddt_node(&[], delegations.clone()));
        root.hear("198.51.100.9:61000", &with_d_bit(&request(wanted, &["198.51.100.9"])));
        assert_ne!(referral(&root.take_one()).action, ReferralAction::NotAuthoritative, "{wanted}");
    }
}

#[test]
fn r184_a_node_answers_ddt_clients_only_and_each_at_a_rate() {
    let mut config = ddt_node(&[], vec![delegation("10.1.0.0/16", &[NODE], false)]);
    config.limits.map_requests_received_per_source_per_second = 20;
    let mut n = Node::new(config);
    n.hear(ITR, &in_ecm(&request("10.1.0.1/32", &["198.51.100.1"])));
    assert!(n.silent(), "no D bit");
    for nonce in 0..100 {
        let asked = MapRequest { nonce, ..request("10.1.0.1/32", &["198.51.100.1"]) };
        n.hear(ITR, &with_d_bit(&asked));
    }
    assert_eq!(n.take().len(), 20);
}

#[test]
fn r184_a_map_server_acknowledges_what_it_passes_on() {
    let mut n = Node::new(map_server(vec![site("a", "k", &["10.4.0.0/16+"])]));
    let ask = |n: &mut Node, prefix: &str| {
        n.hear("198.51.100.9:4342", &with_d_bit(&request(prefix, &["198.51.100.1"])));
        n.take()
    };
    let sent = ask(&mut n, "10.4.0.9/32");
    assert_eq!(sent.len(), 1, "the Map-Resolver tells the ITR, not we");
    assert_eq!(told(&sent[0]), "MsNotRegistered? 0 10.4.0.0/16 -> 203.0.113.10 2001:db8:ffff::10 ttl 1");
    let sent = ask(&mut n, "11.0.0.1/32");
    assert_eq!(told(&sent[0]), "NotAuthoritative? 0 11.0.0.1/32 ->  ttl 0");

    let records = vec![record("10.4.0.0/24", &[rloc("198.51.100.21", 1)])];
    n.hear("198.51.100.21:4342", &signed_register(&register(1, records), "k"));
    n.take();
    let sent = ask(&mut n, "10.4.0.9/32");
    assert_eq!(sent.len(), 2);
    assert_eq!(told(&sent[0]), "MsAck? 0 10.4.0.0/24 -> 203.0.113.10 2001:db8:ffff::10 ttl 1440");
    assert_eq!(sent[1].to, at("198.51.100.21:4342"), "and the ETR has it");
    assert!(matches!(&sent[1].message, Message::Ecm(ecm) if !ecm.ddt), "as an ordinary one");
}

#[test]
fn r184_a_node_and_a_map_server_share_a_daemon() {
    let mut config = ddt_node(&["10.0.0.0/8"], vec![delegation("10.1.0.0/16", &[NODE], false)]);
    config.roles.map_server = true;
    config.sites = vec![site("a", "k", &["10.4.0.0/16"])];
    let mut n = Node::new(config);
    n.hear(ITR, &with_d_bit(&request("10.1.0.1/32", &["198.51.100.1"])));
    assert_eq!(referral(&n.take_one()).action, ReferralAction::NodeReferral);
    n.hear(ITR, &with_d_bit(&request("10.4.0.1/32", &["198.51.100.1"])));
    assert_eq!(referral(&n.take_one()).action, ReferralAction::MsNotRegistered);
}

#[test]
fn r183_a_request_goes_down_the_tree_to_its_map_server() {
    let mut n = Node::new(resolver());
    let original = MapRequest { nonce: 77, ..request("10.4.0.9/32", &["198.51.100.1"]) };
    n.hear("198.51.100.1:61000", &in_ecm(&original));
    let (to, ecm, first) = asked(&mut n);
    assert_eq!((to.as_str(), ecm.security), (ROOT, None));
    assert_eq!(first.records, original.records);
    assert_ne!(first.nonce, 77, "an ITR must not know the nonce whose answer is kept for all");
    hears(&mut n, ROOT, refers(first.nonce, ReferralAction::NodeReferral, "10.0.0.0/8", &[NODE]));
    let (to, _, second) = asked(&mut n);
    assert_eq!(to, NODE);
    hears(&mut n, NODE, refers(second.nonce, ReferralAction::MsReferral, "10.4.0.0/16", &[MS_A]));
    let (to, ecm, third) = asked(&mut n);
    assert_eq!((to.as_str(), &third), (MS_A, &original), "the Map-Server gets the ITR's own");
    assert_eq!(ecm.inner.source_port, 40000, "TRAP 17: the inner ports are the ITR's");
    hears(&mut n, MS_A, refers(77, ReferralAction::MsAck, "10.4.0.0/24", &[MS_A]));
    assert!(n.silent(), "the ETR answers");
    n.pass(60_000);
    assert!(n.silent(), "and that is all");
    assert_eq!(n.count(Counter::DdtAcknowledged), 1);

    // The next one goes straight to the Map-Server.
    n.hear(ITR, &in_ecm(&request("10.4.0.77/32", &["198.51.100.1"])));
    assert_eq!(asked(&mut n).0, MS_A);
    n.hear(ITR, &in_ecm(&request("10.5.0.77/32", &["198.51.100.1"])));
    assert_eq!(asked(&mut n).0, NODE);
    n.hear(ITR, &in_ecm(&request("11.5.0.77/32", &["198.51.100.1"])));
    assert_eq!(asked(&mut n).0, ROOT);
}

#[test]
fn r183_referrals_end_with_their_ttl_and_incomplete_ones_are_not_kept() {
    for (incomplete, later_ms, next) in
        [(false, 1_000, NODE), (false, 1441 * 60_000, ROOT), (true, 1_000, ROOT)]
    {
        let mut n = Node::new(resolver());
        let first = on_its_way(&mut n, "10.4.0.9/32");
        let mut refers = refers(first.nonce, ReferralAction::NodeReferral, "10.0.0.0/8", &[NODE]);
        refers.records[0].incomplete = incomplete;
        hears(&mut n, ROOT, refers);
        assert_eq!(asked(&mut n).0, NODE, "it is followed all the same");
        n.pass(later_ms);
        n.take();
        n.hear(ITR, &in_ecm(&request("10.9.0.1/32", &["198.51.100.1"])));
        assert_eq!(asked(&mut n).0, next, "{incomplete} {later_ms}");
    }
}

#[test]
fn r183_hints_save_the_root_and_roots_may_be_left_out() {
    let mut config = resolver();
    config.ddt.hints =
        vec![delegation("10.4.0.0/16", &[MS_A], true), delegation("10.0.0.0/8", &[NODE], false)];
    let mut n = Node::new(config.clone());
    for (wanted, expected) in [("10.4.0.1/32", MS_A), ("10.5.0.1/32", NODE), ("11.0.0.1/32", ROOT)] {
        n.hear(ITR, &in_ecm(&request(wanted, &["198.51.100.1"])));
        assert_eq!(asked(&mut n).0, expected, "{wanted}");
    }
    config.ddt.roots.clear();
    let mut n = Node::new(config);
    n.hear(ITR, &in_ecm(&request("11.0.0.1/32", &["198.51.100.1"])));
    assert_eq!(negative(&mut n), ("11.0.0.1/32 -> ".into(), MapAction::NativelyForward, 1));
}

#[test]
fn r183_what_nobody_is_responsible_for_is_denied_and_remembered() {
    let mut n = Node::new(resolver());
    let first = on_its_way(&mut n, "10.4.0.9/32");
    hears(&mut n, ROOT, refers(first.nonce, ReferralAction::DelegationHole, "10.4.0.0/14", &[]));
    assert_eq!(
        negative(&mut n),
        ("10.4.0.0/14 -> ".into(), MapAction::NativelyForward, 15),
        "R-181: the hole"
    );
    n.pass(5_000);
    n.hear(ITR, &in_ecm(&request("10.5.0.1/32", &["198.51.100.1"])));
    assert_eq!(negative(&mut n).0, "10.4.0.0/14 -> ", "without asking");
    n.pass(15 * 60_000);
    n.hear(ITR, &in_ecm(&request("10.5.0.1/32", &["198.51.100.1"])));
    assert_eq!(asked(&mut n).0, ROOT);
}

#[test]
fn r183_all_map_servers_are_asked_before_it_is_not_registered() {
    let mut n = Node::new(resolver());
    let (first, request) = at_map_servers(&mut n, "10.4.0.9/32", &[MS_A, MS_B]);
    hears(&mut n, &first, refers(request.nonce, ReferralAction::MsNotRegistered, "10.4.0.0/24", &[]));
    let (second, ..) = asked(&mut n);
    assert_ne!(first, second);
    hears(&mut n, &second, refers(request.nonce, ReferralAction::MsNotRegistered, "10.4.0.0/24", &[]));
    assert_eq!(negative(&mut n), ("10.4.0.0/24 -> ".into(), MapAction::NativelyForward, 1));
}

#[test]
fn r183_who_is_not_responsible_sends_back_to_the_root_once() {
    let mut config = resolver();
    config.ddt.hints = vec![delegation("10.0.0.0/8", &[NODE], false)];
    let mut n = Node::new(config);
    n.hear(ITR, &in_ecm(&request("10.4.0.9/32", &["198.51.100.1"])));
    let (to, _, first) = asked(&mut n);
    assert_eq!(to, NODE);
    hears(&mut n, NODE, refers(first.nonce, ReferralAction::NotAuthoritative, "10.4.0.9/32", &[]));
    let (to, _, second) = asked(&mut n);
    assert_eq!(to, ROOT);
    hears(&mut n, ROOT, refers(second.nonce, ReferralAction::NotAuthoritative, "10.4.0.9/32", &[]));
    assert_eq!(negative(&mut n), ("10.4.0.9/32 -> ".into(), MapAction::NativelyForward, 1));
    assert_eq!(n.count(Counter::DdtLost), 1);
}

#[test]
fn r183_a_referral_that_does_not_lead_down_makes_no_circle() {
    let mut n = Node::new(resolver());
    let mut nonce = on_its_way(&mut n, "10.4.0.9/32").nonce;
    let mut at = ROOT.to_owned();
    for round in 0.. {
        assert!(round < 4, "it goes round for ever");
        hears(&mut n, &at, refers(nonce, ReferralAction::NodeReferral, "10.0.0.0/8", &[NODE]));
        if n.count(Counter::DdtLost) == 1 {
            break;
        }
        let (to, _, request) = asked(&mut n);
        (at, nonce) = (to, request.nonce);
    }
    assert_eq!(n.count(Counter::ReferralsCircular), 1);
    assert_eq!(negative(&mut n).0, "10.4.0.9/32 -> ");
}

#[test]
fn r183_only_who_was_asked_is_heard_and_only_about_that() {
    let mut n = Node::new(resolver());
    let first = on_its_way(&mut n, "10.4.0.9/32");
    hears(&mut n, ROOT, refers(first.nonce ^ 1, ReferralAction::NodeReferral, "10.0.0.0/8", &[NODE]));
    hears(&mut n, "198.51.100.66", refers(first.nonce, ReferralAction::NodeReferral, "10.0.0.0/8", &[NODE]));
    assert_eq!(n.count(Counter::ReferralsUnsolicited), 2);
    hears(&mut n, ROOT, refers(first.nonce, ReferralAction::NodeReferral, "11.0.0.0/8", &[NODE]));
    hears(&mut n, ROOT, refers(first.nonce, ReferralAction::NodeReferral, "7 10.0.0.0/8", &[NODE]));
    hears(&mut n, ROOT, refers(first.nonce, ReferralAction::Unassigned(6), "10.0.0.0/8", &[NODE]));
    assert_eq!(n.count(Counter::ReferralsUnrelated), 3);
    assert!(n.silent());
    hears(&mut n, ROOT, refers(first.nonce, ReferralAction::NodeReferral, "10.0.0.0/8", &[NODE]));
    assert_eq!(asked(&mut n).0, NODE, "the right one still counts");
    hears(&mut n, ROOT, refers(first.nonce, ReferralAction::NodeReferral, "10.0.0.0/8", &[MS_A]));
    assert_eq!(n.count(Counter::ReferralsUnsolicited), 3, "once");
}

#[test]
fn r183_an_itr_that_forges_the_map_servers_word_misleads_only_itself() {
    let mut n = Node::new(resolver());
    let (_, request_) = at_map_servers(&mut n, "10.4.0.9/32", &[MS_A]);
    // It knows its own nonce, and can put the Map-Server's address on a packet.
    hears(
        &mut n,
        MS_A,
        refers(request_.nonce, ReferralAction::NodeReferral, "10.4.0.0/20", &["198.51.100.66"]),
    );
    assert_eq!(negative(&mut n).0, "10.4.0.9/32 -> ", "a Map-Server does not refer");
    n.hear(ITR, &in_ecm(&request("10.4.0.10/32", &["198.51.100.1"])));
    assert_eq!(asked(&mut n).0, ROOT, "others are not led there");
    let mut n = Node::new(resolver());
    let (_, request_) = at_map_servers(&mut n, "10.4.0.9/32", &[MS_A]);
    hears(&mut n, MS_A, refers(request_.nonce, ReferralAction::MsAck, "10.4.0.0/20", &["198.51.100.66"]));
    hears(&mut n, MS_A, refers(request_.nonce, ReferralAction::MsAck, "10.0.0.0/6", &["198.51.100.66"]));
    for other in ["10.4.0.10/32", "10.4.99.1/32"] {
        n.hear(ITR, &in_ecm(&request(other, &["198.51.100.1"])));
        assert_eq!(asked(&mut n).0, MS_A, "the address that the node gave");
    }
}

#[test]
fn r183_silence_is_met_at_all_addresses_and_then_ends() {
    let mut config = resolver();
    config.ddt.roots = vec![ip(ROOT), ip(NODE)];
    let mut n = Node::new(config);
    n.hear(ITR, &in_ecm(&request("10.4.0.9/32", &["198.51.100.1"])));
    n.pass(60_000);
    let sent = n.take();
    let to: Vec<String> = sent.iter().map(|s| s.to.ip().to_string()).collect();
    assert_eq!(to, [ROOT, NODE, ROOT, NODE]);
    assert!(sent[1].at.since(sent[0].at) >= 450 && sent[3].at.since(sent[0].at) < 3_000);
    assert_eq!(n.count(Counter::DdtUnanswered), 1);
    assert_eq!(n.engine.roles().map_resolver().expect("the role").ddt().sizes(), (0, 0));
}

#[test]
fn r183_a_retransmission_of_the_itr_takes_the_place_of_its_request() {
    let mut n = Node::new(resolver());
    let (_, first) = at_map_servers(&mut n, "10.4.0.9/32", &[MS_A]);
    let again = MapRequest { nonce: first.nonce + 1, ..first.clone() };
    n.hear(ITR, &in_ecm(&again));
    assert_eq!(asked(&mut n).2, again, "straight to the Map-Server, with the nonce that the ITR waits for");
    hears(&mut n, MS_A, refers(first.nonce, ReferralAction::MsNotRegistered, "10.4.0.0/16", &[]));
    assert_eq!(n.count(Counter::ReferralsUnsolicited), 1);
    n.hear(ITR, &in_ecm(&again));
    assert!(n.silent(), "a duplicate changes nothing");
}

#[test]
fn r183_pending_requests_are_bounded_for_each_sender() {
    let mut config = resolver();
    config.limits.map_requests_received_per_source_per_second = 100_000;
    let mut n = Node::new(config);
    for host in 0..1_200u32 {
        let wanted = format!("10.4.{}.{}/32", host >> 8, host & 255);
        n.hear(ITR, &in_ecm(&request(&wanted, &["198.51.100.1"])));
    }
    assert_eq!((n.take().len(), n.count(Counter::DdtOverPendingLimit)), (1_000, 200));
    n.hear("198.51.100.2:4342", &in_ecm(&request("10.5.0.1/32", &["198.51.100.2"])));
    assert_eq!(n.take().len(), 1, "others are served");
    n.pass(60_000);
    assert_eq!(n.engine.roles().map_resolver().expect("the role").ddt().sizes(), (0, 0));
}

#[test]
fn r181_without_d_bit_a_resolver_asks_the_tree_with_it_it_is_not_meant() {
    let mut n = Node::new(resolver());
    n.hear(ITR, &with_d_bit(&request("10.4.0.9/32", &["198.51.100.1"])));
    assert!(n.silent());
    assert_eq!(n.count(Counter::MessagesNotForUs), 1);
}
