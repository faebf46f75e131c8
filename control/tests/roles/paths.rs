//! Explicit locator paths (RFC 8060 section 4.6), as ETRs register them and Map-Servers pass them on.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{Address, EidRecord, Lcaf, MapRegister, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{AuthAlgorithm, ConfiguredLocator, EngineConfig};

const RTR: &str = "198.51.100.77";

fn etr() -> EngineConfig {
    let mut config = xtr(&["10.4.0.0/24"]);
    let via =
        ConfiguredLocator { via: vec![ip(RTR), ip("198.51.100.78")], strict: false, ..locator(US, 1, 100) };
    config.database[0].locators = vec![via, locator(US, 2, 50)];
    config.map_servers = vec![peer(MS)];
    config
}

/// RTR and next one without S, then the ETR with it; P on all.
const ON_THE_WIRE: &str = "4003 0000 0a00 0018 0002 0001 c633644d 0002 0001 c633644e 0003 0001 cb00710a";

fn holds(payload: &[u8], hex: &str) -> bool {
    let digits: String = hex.split(' ').collect();
    let all: String = payload.iter().map(|b| format!("{b:02x}")).collect();
    all.contains(&digits)
}

#[test]
fn r028_a_path_is_registered_answered_and_passed_on_as_it_is() {
    let mut n = Node::new(etr());
    n.pass(1000);
    let sent = n.take().remove(0);
    let record = &sent.register().records[0];
    assert!(holds(&sent.payload, ON_THE_WIRE), "the LCAF, byte for byte");
    let [plain, path] = &record.locators[..] else { panic!("{record:?}") };
    assert_eq!((plain.priority, path.priority), (2, 1), "R-046: LCAFs come last");
    assert!(plain.local && path.local && plain.reachable && path.reachable);
    assert_eq!((path.address.rloc(), path.etr()), (None, Some(ip(US))));

    // A Map-Server gives it to an ITR as it got it, L apart.
    let sites = vec![site("west", "site-key", &["10.4.0.0/24"])];
    let mut ms = Node::new(EngineConfig { rlocs: vec![ip(MS)], ..map_server(sites) });
    ms.hear("203.0.113.10:4342", &registration(1, record.clone(), true));
    assert!(ms.take_one().notify().records[0].locators.len() == 2);
    ms.hear("198.51.100.1:4342", &in_ecm(&request("10.4.0.9/32", &["198.51.100.1"])));
    let answer = ms.take_one();
    assert!(holds(&answer.payload, ON_THE_WIRE));
    let view = ms.engine.registrations().next().expect("registered");
    assert_eq!(view.locators[1].path, [ip(RTR), ip("198.51.100.78"), ip(US)]);
    // One that does not answer for it passes the request on to the ETR, not to the first hop.
    ms.hear("203.0.113.10:4342", &registration(2, only_path(record), false));
    ms.take();
    ms.pass(5000);
    ms.take();
    ms.hear("198.51.100.1:4342", &in_ecm(&request("10.4.0.9/32", &["198.51.100.1"])));
    assert_eq!(ms.take_one().to.ip(), ip(US));
}

fn only_path(record: &EidRecord) -> EidRecord {
    let mut record = record.clone();
    record.locators.remove(0);
    record
}

fn registration(nonce: u64, record: EidRecord, proxy_reply: bool) -> Vec<u8> {
    signed_register(&MapRegister { proxy_reply, ..register(nonce, vec![record]) }, "site-key")
}

#[test]
fn r087_a_probe_of_an_etr_at_the_end_of_a_path_has_one_locator_with_p() {
    for (mapping, probed) in [(vec![0, 1], [true, false]), (vec![0], [true, false])] {
        let mut config = etr();
        let locators = config.database[0].locators.clone();
        config.database[0].locators = mapping.iter().map(|&n: &usize| locators[n].clone()).collect();
        config.map_servers.clear();
        let mut n = Node::new(config);
        n.hear("198.51.100.1:4342", &bytes(Message::MapRequest(probe("10.4.0.0/24", &["198.51.100.1"]))));
        let sent = n.take_one();
        let p: Vec<bool> = sent.reply().records[0].locators.iter().map(|l| l.probed).collect();
        assert_eq!(p, probed[..mapping.len()], "the plain locator is the first in order");
    }
}

#[test]
fn r028_a_path_to_us_is_no_other_router_that_took_over() {
    let mut config = etr();
    config.database[0].locators.remove(1);
    let mut n = Node::new(config);
    n.pass(1000);
    let register = n.take().remove(0);
    let record = register.register().records[0].clone();
    assert!(matches!(&record.locators[0].address, Address::Lcaf(l) if matches!(**l, Lcaf::Elp(_))));
    n.hear("203.0.113.53:4342", &notify(99, AuthAlgorithm::HmacSha256, vec![record], "site-key"));
    assert_eq!(n.count(Counter::DatabaseTakenOver), 0);
}
