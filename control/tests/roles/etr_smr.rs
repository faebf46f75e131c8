//! SMRs of an ETR whose mapping changed: R-100.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{Address, MapRequest, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{AuthAlgorithm, EngineConfig};

const ITR: &str = "198.51.100.1";
const PROBER: &str = "198.51.100.2";

/// A site that gave its mappings to [`ITR`] and is probed by [`PROBER`].
fn in_use() -> Node {
    let mut n = Node::new(xtr(&["10.4.0.0/24", "10.5.0.0/24", "10.6.0.0/24"]));
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.4.0.9/32", &[ITR])));
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.5.0.9/32", &[ITR])));
    n.hear("198.51.100.2:4342", &bytes(Message::MapRequest(probe("10.4.0.0/24", &[PROBER]))));
    n.take();
    n
}

/// The site's locator-set changes for these prefixes.
fn changed(which: &[usize]) -> EngineConfig {
    let mut config = xtr(&["10.4.0.0/24", "10.5.0.0/24", "10.6.0.0/24"]);
    for i in which {
        config.database[*i].locators.push(locator("203.0.113.11", 2, 1));
    }
    config
}

fn smrs(n: &mut Node) -> Vec<(u64, String, String)> {
    let shown = |s: Sent| match &s.message {
        Message::MapRequest(m) => {
            assert!(m.smr && m.no_reply && !m.probe, "S=1, D=1");
            assert_eq!(m.itr_rlocs, [Address::Ip(ip(US))]);
            let source = m.source_eid.eid().map(|(_, ip)| ip.to_string());
            let record = m.records[0].eid_prefix().map(|e| e.prefix.to_string());
            assert_eq!(
                source.as_deref(),
                record.as_deref().and_then(|r| r.split('/').next()),
                "TRAP 16: both"
            );
            (s.at.0, s.to.to_string(), record.unwrap_or_default())
        }
        other => panic!("an SMR, not {other:?}"),
    };
    n.take().into_iter().map(shown).collect()
}

#[test]
fn r100_those_who_hold_a_changed_mapping_are_told_at_once_and_nobody_else() {
    let mut n = in_use();
    n.reconfigure(changed(&[0, 2]));
    let mut told: Vec<_> = smrs(&mut n).into_iter().map(|(_, to, eid)| (to, eid)).collect();
    told.sort();
    let expected = [(format!("{ITR}:4342"), "10.4.0.0/24"), (format!("{PROBER}:4342"), "10.4.0.0/24")];
    assert_eq!(told, expected.map(|(to, eid)| (to, eid.to_owned())));
}

#[test]
fn r100_no_rloc_is_told_of_a_prefix_more_than_once_in_three_seconds_nor_more_than_five_times() {
    let mut n = in_use();
    n.reconfigure(changed(&[0, 1]));
    n.pass(120_000);
    let told = smrs(&mut n);
    for eid in ["10.4.0.0/24", "10.5.0.0/24"] {
        let at: Vec<u64> = told
            .iter()
            .filter(|(_, to, e)| to.starts_with("198.51.100.1:") && e == eid)
            .map(|(at, ..)| *at)
            .collect();
        let gaps: Vec<u64> = at.windows(2).map(|p| p[1] - p[0]).collect();
        assert_eq!(gaps, [3000; 4], "{eid}");
    }
}

#[test]
fn r100_the_move_of_a_whole_site_is_told_within_seconds_and_at_a_bounded_rate() {
    let prefixes: Vec<String> = (0..1000).map(|i| format!("10.{}.{}.0/24", 4 + i / 250, i % 250)).collect();
    let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    let mut n = Node::new(xtr(&prefixes));
    for third in 0..250 {
        n.hear("203.0.113.53:4342", &in_ecm(&request(&format!("10.4.{third}.9/32"), &[ITR])));
    }
    n.take();
    let start = n.now.0;
    let mut config = xtr(&prefixes);
    for mapping in &mut config.database {
        mapping.locators = vec![locator(US, 1, 50)];
    }
    n.reconfigure(config);
    n.pass(2_999);
    let told = smrs(&mut n);
    let mut eids: Vec<&String> = told.iter().map(|(.., eid)| eid).collect();
    eids.sort();
    eids.dedup();
    assert_eq!((told.len(), eids.len()), (250, 250), "each prefix that is in use, and no other");
    for second in 0..3 {
        let within = |at: u64| (second * 1000..(second + 1) * 1000).contains(&(at - start));
        let count = told.iter().filter(|(at, ..)| within(*at)).count();
        assert!(count <= 200, "{count} in second {second}");
    }
    assert!(told.iter().all(|(at, ..)| at - start < 2_000), "100 at once, then 100 a second");
}

#[test]
fn r100_it_ends_when_the_itr_asks_for_the_new_mapping() {
    let mut n = in_use();
    n.reconfigure(changed(&[0]));
    n.take();
    let invoked = MapRequest { smr_invoked: true, ..request("10.4.0.9/32", &[ITR]) };
    n.hear("203.0.113.53:4342", &in_ecm(&invoked));
    let sent = n.take_one();
    assert_eq!(show(&sent.reply().records[0]), "10.4.0.0/24 -> 203.0.113.10 203.0.113.11");
    n.pass(60_000);
    let told = smrs(&mut n);
    assert_eq!(told.len(), 4, "only the other one is told again");
    assert!(told.iter().all(|(_, to, _)| to.starts_with(PROBER)));
}

#[test]
fn r100_a_prefix_that_is_no_longer_ours_is_announced_too_and_then_forgotten() {
    let mut n = in_use();
    let mut config = changed(&[]);
    config.database.remove(0);
    n.reconfigure(config);
    assert_eq!(smrs(&mut n).len(), 2);
    n.pass(60_000);
    n.take();
    n.reconfigure(changed(&[]));
    n.reconfigure(changed(&[0]));
    assert!(n.silent(), "nobody holds the mapping that came back");
}

#[test]
fn r100_who_got_the_mapping_longer_ago_than_its_ttl_does_not_hold_it() {
    let mut n = in_use();
    n.pass(1441 * 60_000);
    n.reconfigure(changed(&[0]));
    assert!(n.silent());
}

/// The same site, registered with two Map-Servers, and the nonces of its new Map-Registers after a change.
fn registered(change: EngineConfig) -> (Node, Vec<u64>) {
    let both = |mut config: EngineConfig| {
        config.map_servers = vec![peer(MS), peer("203.0.113.54")];
        config
    };
    let mut n = Node::new(both(changed(&[])));
    n.hear("203.0.113.53:4342", &in_ecm(&request("10.4.0.9/32", &[ITR])));
    for sent in n.take() {
        if let Message::MapRegister(register) = sent.message {
            n.hear(
                &sent.to.to_string(),
                &notify(register.nonce, AuthAlgorithm::HmacSha256, vec![], "site-key"),
            );
        }
    }
    n.reconfigure(both(change));
    let sent = n.take();
    assert!(sent.iter().all(|s| matches!(s.message, Message::MapRegister(_))), "no SMR yet");
    (n, sent.iter().map(|s| s.register().nonce).collect())
}

#[test]
fn r100_smrs_wait_until_all_map_servers_know_the_new_mapping() {
    let (mut n, nonces) = registered(changed(&[0]));
    let notified = |nonce: u64| notify(nonce, AuthAlgorithm::HmacSha256, vec![], "site-key");
    assert_eq!(nonces.len(), 2);
    n.pass(30);
    n.hear("203.0.113.53:4342", &notified(nonces[0]));
    // Once more, and one under another key: neither is the other Map-Server's.
    n.hear("203.0.113.53:4342", &notified(nonces[0]));
    n.hear("203.0.113.54:4342", &notify(nonces[1], AuthAlgorithm::HmacSha256, vec![], "another"));
    n.pass(400);
    assert!(n.silent(), "one of two knows it");
    n.hear("203.0.113.54:4342", &notified(nonces[1]));
    let told = smrs(&mut n);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].1.as_str(), told[0].2.as_str()), ("198.51.100.1:4342", "10.4.0.0/24"));
}

#[test]
fn r100_smrs_do_not_wait_longer_than_half_a_second_for_a_map_server_that_is_silent() {
    let (mut n, nonces) = registered(changed(&[0]));
    n.hear("203.0.113.53:4342", &notify(nonces[0], AuthAlgorithm::HmacSha256, vec![], "site-key"));
    let changed_at = n.now.0;
    n.pass(499);
    assert!(n.silent());
    n.pass(1);
    assert_eq!(smrs(&mut n)[0].0, changed_at + 500);
}

#[test]
fn r100_what_is_no_longer_ours_is_told_when_all_else_is_registered() {
    let mut without = changed(&[]);
    without.database.remove(0);
    let (mut n, nonces) = registered(without);
    // To each Map-Server a withdrawal, which nobody acknowledges, and what is left.
    assert_eq!(nonces.len(), 4);
    for (from, nonce) in [("203.0.113.53:4342", nonces[2]), ("203.0.113.54:4342", nonces[3])] {
        assert!(n.silent());
        n.hear(from, &notify(nonce, AuthAlgorithm::HmacSha256, vec![], "site-key"));
    }
    assert_eq!(smrs(&mut n).len(), 1);
}

#[test]
fn r100_r191_a_router_whose_prefix_another_one_registers_tells_those_who_have_its_mapping() {
    let mut lab = crate::labs::Lab::new("dr-move-router");
    assert_eq!(lab.resolve("pxtr", "10.16.1.10"), "10.16.1.0/24 -> 198.51.100.6");
    lab.pass(4);
    // The router in reserve is told to serve the site.
    let mut config = lab.node("dr").engine.config().clone();
    let site = lab.node("xtr").engine.config().database.clone();
    config.database.extend(site.into_iter().map(|mut mapping| {
        mapping.locators = vec![locator("198.51.100.10", 1, 100)];
        mapping
    }));
    lab.node("pxtr").installed.clear();
    lab.node("dr").reconfigure(config);
    lab.settle();
    let xtr = lab.node("xtr");
    assert_eq!(xtr.count(Counter::DatabaseTakenOver), 1000, "each by a Map-Notify of the Map-Server");
    assert_eq!(xtr.count(Counter::SmrsSent), 1, "about the one that somebody has");
    assert_eq!(lab.last_installed("pxtr"), "10.16.1.0/24 -> 198.51.100.10");
}

#[test]
fn r100_r191_who_holds_what_another_router_took_over_is_told_twice_as_its_request_goes_elsewhere() {
    let (mut n, _) = registered(changed(&[]));
    let start = n.now;
    let moved = vec![record("10.4.0.0/24", &[rloc("192.0.2.9", 1)])];
    n.hear("203.0.113.53:4342", &notify(0xabcd, AuthAlgorithm::HmacSha256, moved, "site-key"));
    n.pass(30_000);
    let smrs = n.take().into_iter().filter(|s| matches!(&s.message, Message::MapRequest(m) if m.smr));
    let told: Vec<_> = smrs.map(|s| (s.at.since(start), s.to)).collect();
    let itr = at(&format!("{ITR}:4342"));
    assert_eq!(told, [(0, itr), (3_000, itr)]);
}
