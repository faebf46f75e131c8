//! Exchanges of other implementations, replayed: our Map-Server and ETR in the place of theirs.

use crate::captures::{Captured, control_packets};
use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{Message, auth};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{EngineConfig, Key, Site};
use std::net::SocketAddr;

/// The lab's three sites, at a Map-Server that allows what these peers do (wire.md TRAP 18: Key ID
/// 0; nonces that do not grow).
fn lab_map_server(us: &[&str]) -> EngineConfig {
    let lab_site = |name: &str, key: &str, prefixes: &[&str]| Site {
        keys: vec![Key { id: 0, secret: secret(key) }, Key { id: 1, secret: secret(key) }],
        legacy_nonce: true,
        ..site(name, key, prefixes)
    };
    let sites = vec![
        lab_site(
            "a",
            "site-a-key",
            &["10.1.0.0/24", "100 10.1.0.0/24", "2001:db8:a::/48", "100 2001:db8:a::/48"],
        ),
        lab_site("b", "site-b-key", &["10.2.0.0/24", "2001:db8:b::/48"]),
        lab_site("c", "site-c-key", &["10.3.0.0/24", "2001:db8:c::/48"]),
    ];
    EngineConfig { rlocs: us.iter().map(|a| ip(a)).collect(), ..map_server(sites) }
}

fn hear(n: &mut Node, p: &Captured) {
    n.hear_at(p.from, p.to, &p.payload);
}

fn key_of(p: &Captured) -> &'static str {
    let known = ["site-a-key", "site-b-key", "site-c-key"];
    known.into_iter().find(|k| is_signed(&p.payload, k)).expect("a key of the lab")
}

#[test]
fn map_registers_of_other_implementations_are_accepted_and_confirmed() {
    for capture in [
        "oor_register_notify",
        "oor_register_notify_iid100",
        "oor_register_notify_v6underlay",
        "lispers_register_notify_ack_sha256",
    ] {
        let packets = control_packets(capture);
        let us: Vec<String> = packets.iter().map(|p| p.to.ip().to_string()).collect();
        let us: Vec<&str> = us.iter().map(String::as_str).collect();
        let mut n = Node::new(lab_map_server(&us));
        let mut heard = 0;
        for p in packets.iter().filter(|p| p.payload[0] >> 4 == 3) {
            let Ok(Message::MapRegister(theirs)) = Message::decode(&p.payload) else { panic!("{capture}") };
            hear(&mut n, p);
            let sent = n.take_one();
            assert_eq!((sent.to, sent.source), (p.from, Some(p.to.ip())), "{capture}");
            assert!(is_signed(&sent.payload, key_of(p)), "{capture}");
            let notify = sent.notify();
            assert_eq!(
                (notify.nonce, notify.auth.tag.len()),
                (theirs.nonce, theirs.auth.tag.len()),
                "{capture}"
            );
            assert_eq!(show_all(&notify.records), show_all(&theirs.records), "{capture}");
            // What their own Map-Server said to the same nonce says the same of the same EIDs.
            let is_answer = |q: &&Captured| q.payload[0] >> 4 == 4 && q.payload[4..12] == p.payload[4..12];
            if let Some(answer) = packets.iter().find(is_answer) {
                let Ok(Message::MapNotify(answer)) = Message::decode(&answer.payload) else {
                    panic!("{capture}")
                };
                assert_eq!(show_all(&notify.records), show_all(&answer.records), "{capture}");
            }
            heard += 1;
        }
        assert!(heard > 0 && n.engine.registrations().count() > 0, "{capture}");
        assert_eq!(n.count(Counter::RegistersBadAuth), 0, "{capture}");
    }
}

#[test]
fn a_map_register_of_the_captures_with_one_bit_changed_is_refused() {
    let packets = control_packets("oor_register_notify");
    let register = packets.iter().find(|p| p.payload[0] >> 4 == 3).expect("a Map-Register");
    for at in (4..12).chain(16..register.payload.len()) {
        let mut forged = register.clone();
        forged.payload[at] ^= 0x01;
        let mut n = Node::new(lab_map_server(&["203.0.113.10"]));
        hear(&mut n, &forged);
        assert!(n.silent() && n.engine.registrations().next().is_none(), "byte {at}");
    }
}

#[test]
fn their_map_notifies_confirm_and_their_acks_are_tolerated() {
    let packets = control_packets("lispers_register_notify_ack_sha256");
    let ack = packets.iter().find(|p| p.payload[0] >> 4 == 5).expect("a Map-Notify-Ack");
    let mut n = Node::new(lab_map_server(&["203.0.113.11"]));
    hear(&mut n, ack);
    assert!(n.silent());
    assert_eq!(n.count(Counter::NotifyAcksUnexpected), 1);
}

#[test]
fn a_forwarded_request_is_what_oor_forwards() {
    let packets = control_packets("oor_ms_forwards_ecm_to_etr");
    for pair in packets.chunks(2) {
        let [asked, forwarded] = pair else { panic!("pairs") };
        let mut config = lab_map_server(&["203.0.113.10"]);
        config.sites[1].keys = vec![Key { id: 1, secret: secret("k") }];
        let mut n = Node::new(config);
        for (nonce, prefix) in [(1, "10.2.0.0/24"), (2, "2001:db8:b::/48")] {
            let m = register(nonce, vec![record(prefix, &[rloc("203.0.113.22", 1)])]);
            n.hear("203.0.113.22:4342", &signed_register(&m, "k"));
        }
        n.take();
        hear(&mut n, asked);
        let sent = n.take_one();
        assert_eq!((sent.to, sent.source), (forwarded.to, Some(forwarded.from.ip())));
        let (Ok(Message::Ecm(ours)), Ok(Message::Ecm(theirs))) =
            (Message::decode(&sent.payload), Message::decode(&forwarded.payload))
        else {
            panic!("ECMs")
        };
        assert_eq!(ours, theirs, "the Map-Request and the inner addresses, ports and TTL");
    }
}

/// A site router in the place of OOR's xTR-B or of the lispers.net one.
fn lab_etr(us: &str, prefixes: &[&str], ttl_minutes: u32) -> Node {
    let mut config = xtr(prefixes);
    config.rlocs = vec![ip(us)];
    for mapping in &mut config.database {
        mapping.ttl_minutes = ttl_minutes;
        mapping.locators = vec![locator(us, 1, 100)];
    }
    Node::new(config)
}

#[test]
fn probes_of_lispers_net_are_answered_as_oor_does_and_the_first_one_too() {
    let packets = control_packets("lispers_pitr_rloc_probe_exchange");
    let mut n = lab_etr("203.0.113.22", &["10.2.0.0/24"], 10);
    let mut compared = 0;
    for p in packets.iter().filter(|p| p.payload[0] == 0x12 && p.to.ip() == ip("203.0.113.22")) {
        hear(&mut n, p);
        let sent = n.take_one();
        assert_eq!((sent.to, sent.source), (p.from, Some(p.to.ip())));
        let is_answer = |q: &&Captured| q.payload[0] == 0x28 && q.payload[4..12] == p.payload[4..12];
        if let Some(answer) = packets.iter().find(is_answer) {
            assert_eq!(sent.payload, answer.payload, "byte for byte");
            compared += 1;
        }
    }
    assert!(compared > 0);
    assert!(n.count(Counter::ProbeRepliesSent) > compared, "OOR leaves the first one unanswered");
}

#[test]
fn probes_that_oor_sends_to_its_petr_are_answered() {
    let mut probes = 0;
    for p in control_packets("oor_rloc_probe_to_petr").iter().filter(|p| p.payload[0] & 0xf2 == 0x12) {
        let mut config = petr();
        config.rlocs = vec![p.to.ip()];
        let mut n = Node::new(config);
        hear(&mut n, p);
        let sent = n.take_one();
        let Ok(Message::MapRequest(theirs)) = Message::decode(&p.payload) else { panic!("a probe") };
        assert_eq!((sent.to, sent.source), (p.from, Some(p.to.ip())));
        assert_eq!(sent.reply().nonce, theirs.nonce);
        let record = &sent.reply().records[0];
        assert_eq!((&record.eid, record.mask_len), (&theirs.records[0].eid, theirs.records[0].mask_len));
        assert!(record.locators[0].probed && record.locators[0].reachable && record.locators[0].local);
        probes += 1;
    }
    assert!(probes > 0);
}

#[test]
fn encapsulated_requests_of_the_captures_reach_the_itr_they_name() {
    // (capture, our RLOC, our EID-prefixes)
    let cases: [(&str, &str, &[&str]); 4] = [
        ("oor_ecm_map_request_reply", "203.0.113.22", &["10.2.0.0/24", "2001:db8:b::/48"]),
        ("oor_ecm_map_request_reply_iid100", "203.0.113.22", &["100 10.2.0.0/24", "100 2001:db8:b::/48"]),
        ("lispers_pitr_ecm_map_request_reply", "203.0.113.21", &["10.1.0.0/24", "2001:db8:a::/48"]),
        ("lispers_ms_forwards_ecm", "203.0.113.22", &["10.2.0.0/24", "2001:db8:b::/48"]),
    ];
    for (capture, us, prefixes) in cases {
        let packets = control_packets(capture);
        let mut answered = 0;
        for p in packets.iter().filter(|p| p.payload[0] >> 4 == 8) {
            let Ok(Message::Ecm(ecm)) = Message::decode(&p.payload) else { continue };
            let Ok(Message::MapRequest(asked)) = Message::decode(&ecm.payload) else { continue };
            let mut n = lab_etr(us, prefixes, 10);
            hear(&mut n, p);
            let Some(sent) = n.take().pop() else { continue };
            assert_eq!(sent.to.port(), ecm.inner.source_port, "{capture}, TRAP 17");
            assert_eq!(sent.reply().nonce, asked.nonce, "{capture}");
            let is_answer = |q: &&Captured| q.payload[0] >> 4 == 2 && q.payload[4..12] == sent.payload[4..12];
            if let Some(theirs) = packets.iter().find(is_answer) {
                let Ok(Message::MapReply(reply)) = Message::decode(&theirs.payload) else {
                    panic!("{capture}")
                };
                assert_eq!(sent.to, SocketAddr::new(theirs.to.ip(), theirs.to.port()), "{capture}");
                assert_eq!(show_all(&sent.reply().records), show_all(&reply.records), "{capture}");
            }
            answered += 1;
        }
        assert!(answered > 0, "{capture}");
    }
}

#[test]
fn the_captures_keys_are_the_ones_that_the_readme_names() {
    let packets = control_packets("oor_register_notify");
    assert!(packets.iter().all(|p| auth::verify(&p.payload, &secret("site-a-key")).is_ok()));
}
