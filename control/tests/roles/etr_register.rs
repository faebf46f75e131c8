//! Registration by an ETR.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{EidRecord, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{AuthAlgorithm, DatabaseMapping, EngineConfig};
use pxtr_dataplane::trust::MapVersion;
use std::collections::BTreeSet;

const KEY: &str = "site-key";

fn registering(prefixes: &[&str]) -> EngineConfig {
    EngineConfig { map_servers: vec![peer(MS)], ..xtr(prefixes) }
}

fn answer(n: &mut Node, nonce: u64) {
    n.hear(&format!("{MS}:4342"), &notify(nonce, AuthAlgorithm::HmacSha256, Vec::new(), KEY));
}

#[test]
fn r176_r179_the_first_map_register_goes_at_once_and_wants_a_map_notify() {
    let mut config = registering(&["10.4.0.0/24", "2001:db8:4::/48"]);
    config.map_servers[0].want_map_notify = false;
    config.map_servers[0].proxy_reply = true;
    config.xtr_id = Some(([9; 16], 77));
    let mut n = Node::new(config);
    let sent = n.take_one();
    assert_eq!((sent.to, sent.source), (at("203.0.113.53:4342"), Some(ip(US))));
    assert!(is_signed(&sent.payload, KEY));
    let register = sent.register();
    assert!(register.want_map_notify, "R-176: M=1 while registering quickly, whatever is configured");
    assert!(register.proxy_reply && !register.merge && !register.use_ttl && !register.eid_notify);
    assert_eq!(register.xtr.map(|x| (x.xtr_id, x.site_id)), Some(([9; 16], 77)));
    let shown = show_all(&register.records);
    assert_eq!(shown, ["10.4.0.0/24 -> 203.0.113.10", "2001:db8:4::/48 -> 203.0.113.10"]);
    let l = &register.records[0].locators[0];
    assert_eq!((l.local, l.reachable, l.probed), (true, true, false));
}

#[test]
fn wire8_every_algorithm_signs_with_its_own_tag() {
    use AuthAlgorithm::{HmacSha1, HmacSha256, HmacSha256Hkdf};
    for (algorithm, id, len) in [(HmacSha1, 1, 20), (HmacSha256, 2, 32), (HmacSha256Hkdf, 3, 16)] {
        let mut config = registering(&["10.4.0.0/24"]);
        config.map_servers[0].algorithm = algorithm;
        let mut n = Node::new(config);
        let sent = n.take_one();
        let auth = &sent.register().auth;
        assert_eq!((auth.key_id, auth.algorithm_id, auth.tag.len()), (1, id, len));
        assert!(is_signed(&sent.payload, KEY) && !is_signed(&sent.payload, "other"));
        n.hear(&format!("{MS}:4342"), &notify(sent.register().nonce, algorithm, Vec::new(), KEY));
        assert_eq!(n.count(Counter::RegistersAcknowledged), 1, "{algorithm:?}");
    }
}

#[test]
fn r177_r178_without_map_notify_it_is_sent_again_later_and_later_with_a_new_nonce() {
    let mut n = Node::new(registering(&["10.4.0.0/24"]));
    n.pass(20 * 60_000);
    let sent = n.take();
    let gaps: Vec<u64> = sent.windows(2).map(|p| p[1].at.since(p[0].at)).collect();
    assert_eq!(gaps[..5], [1000, 2000, 4000, 8000, 16_000]);
    assert!(gaps[5..].iter().take(12).all(|g| *g == 20_000), "R-176: while quick, every 20 s: {gaps:?}");
    assert_eq!(gaps.last(), Some(&60_000), "R-177: then every 60 s");
    let nonces: Vec<u64> = sent.iter().map(|s| s.register().nonce).collect();
    assert!(nonces.is_sorted_by(|a, b| a < b), "R-178: nonces grow");
    assert_eq!(nonces[0] >> 32, 0x6000_0000, "above those of any earlier start");
}

#[test]
fn r176_a_confirmed_registration_is_renewed_every_minute() {
    let mut n = Node::new(registering(&["10.4.0.0/24"]));
    for _ in 0..10 {
        let sent = n.take_one();
        answer(&mut n, sent.register().nonce);
        let last = sent.at;
        n.pass(53_000);
        assert!(n.silent(), "nothing between");
        n.pass(7_000 - n.now.since(last).saturating_sub(53_000));
    }
    assert_eq!(n.count(Counter::RegistersRetransmitted), 0);
}

#[test]
fn r176_once_quick_registration_is_over_map_notify_is_only_asked_for_if_configured() {
    let mut config = registering(&["10.4.0.0/24"]);
    config.map_servers[0].want_map_notify = false;
    let mut n = Node::new(config);
    n.pass(400_000);
    n.take();
    n.pass(120_000);
    let sent = n.take();
    assert!(sent.iter().all(|s| !s.register().want_map_notify));
    let gaps: Vec<u64> = sent.windows(2).map(|p| p[1].at.since(p[0].at)).collect();
    assert!(gaps.iter().all(|g| (54_000..=60_000).contains(g)), "{gaps:?}");
}

#[test]
fn r178_a_late_map_notify_for_a_retransmitted_register_still_counts() {
    let mut n = Node::new(registering(&["10.4.0.0/24"]));
    let first = n.take_one().register().nonce;
    n.pass(3_000);
    assert_eq!(n.take().len(), 2);
    answer(&mut n, first);
    assert_eq!(n.count(Counter::RegistersAcknowledged), 1);
    n.pass(50_000);
    assert!(n.silent(), "and ends the retransmission");
}

#[test]
fn r125_registers_are_split_so_that_none_is_too_large_for_any_path() {
    for (server, limit) in [(MS, 576 - 28), ("2001:db8::53", 1280 - 48)] {
        let names: Vec<String> = (0..200).map(|i| format!("101 10.{i}.0.0/16")).collect();
        let prefixes: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut config = EngineConfig { map_servers: vec![peer(server)], ..xtr(&prefixes) };
        config.xtr_id = Some(([9; 16], 77));
        for mapping in &mut config.database {
            mapping.locators.push(locator(US_V6, 2, 1));
        }
        let mut n = Node::new(config);
        let sent = n.take();
        assert!(sent.iter().all(|s| s.payload.len() <= limit && is_signed(&s.payload, KEY)));
        let full = sent.iter().filter(|s| s.payload.len() + 80 > limit).count();
        assert_eq!(full, sent.len() - 1, "and none but the last is smaller than it must be");
        let all: Vec<_> = sent.iter().flat_map(|s| s.register().records.iter()).map(show).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (200, 200), "every prefix once");
    }
}

#[test]
fn r180_only_a_good_mac_under_our_algorithm_confirms() {
    let mut n = Node::new(registering(&["10.4.0.0/24"]));
    let nonce = n.take_one().register().nonce;
    let from_ms = format!("{MS}:4342");
    n.hear(&from_ms, &notify(nonce, AuthAlgorithm::HmacSha256, Vec::new(), "forged"));
    n.hear(&from_ms, &notify(nonce, AuthAlgorithm::HmacSha1, Vec::new(), KEY));
    assert_eq!((n.count(Counter::NotifiesBadAuth), n.count(Counter::RegistersAcknowledged)), (2, 0));
    n.hear("198.51.100.7:4342", &notify(1, AuthAlgorithm::HmacSha256, Vec::new(), KEY));
    assert_eq!(n.count(Counter::NotifiesUnknownServer), 1);
    n.pass(1000);
    assert_eq!(n.take().len(), 1, "still unconfirmed: sent again");
}

#[test]
fn r180_trap26_only_an_unsolicited_map_notify_is_acknowledged() {
    let mut n = Node::new(registering(&["10.4.0.0/24"]));
    let nonce = n.take_one().register().nonce;
    answer(&mut n, nonce);
    assert!(n.silent(), "TRAP 26: the answer to our own Map-Register is not");
    let moved = vec![record("10.4.0.0/24", &[rloc("192.0.2.9", 1)])];
    n.hear("203.0.113.53:33333", &notify(0xabcd, AuthAlgorithm::HmacSha256, moved.clone(), KEY));
    let sent = n.take_one();
    assert_eq!(sent.to, at("203.0.113.53:33333"));
    assert!(is_signed(&sent.payload, KEY));
    let Message::MapNotifyAck(ack) = &sent.message else { panic!("{:?}", sent.message) };
    assert_eq!((ack.nonce, &ack.records), (0xabcd, &moved));
}

#[test]
fn a_replayed_unsolicited_map_notify_does_not_make_us_a_reflector() {
    let mut n = Node::new(registering(&["10.4.0.0/24"]));
    n.take();
    let replayed = notify(0xabcd, AuthAlgorithm::HmacSha256, Vec::new(), KEY);
    for _ in 0..5000 {
        n.hear(&format!("{MS}:4342"), &replayed);
    }
    assert_eq!(n.take().len(), 1000);
    assert_eq!(n.count(Counter::NotifiesUnsolicited), 5000);
}

#[test]
fn a_reload_withdraws_what_is_gone_and_registers_the_rest_anew() {
    let mut n = Node::new(registering(&["10.4.0.0/24", "10.5.0.0/24"]));
    let nonce = n.take_one().register().nonce;
    answer(&mut n, nonce);
    n.reconfigure(registering(&["10.4.0.0/24", "10.5.0.0/24"]));
    assert!(n.silent(), "nothing changed, nothing is sent");
    n.reconfigure(registering(&["10.5.0.0/24", "10.6.0.0/24"]));
    let sent = n.take();
    let of = |records: &[EidRecord]| -> Vec<(String, u32)> {
        records.iter().map(|r| (show(r), r.ttl_minutes)).collect()
    };
    assert_eq!(of(&sent[0].register().records), [("10.4.0.0/24 -> ".into(), 0)], "TTL 0: deregistered");
    let rest = [("10.5.0.0/24 -> 203.0.113.10".into(), 1440), ("10.6.0.0/24 -> 203.0.113.10".into(), 1440)];
    assert_eq!(of(&sent[1].register().records), rest);
    assert_eq!(sent.len(), 2);
    assert!(nonce < sent[0].register().nonce && sent[0].register().nonce < sent[1].register().nonce);
}

#[test]
fn the_database_view_shows_how_far_registration_is() {
    let mut config = registering(&["10.4.0.0/24"]);
    config.map_servers.push(peer("203.0.113.54"));
    config.database.push(DatabaseMapping {
        eid: eid("10.5.0.0/24"),
        ttl_minutes: 3,
        locators: Vec::new(),
        map_version: MapVersion::NONE,
    });
    let mut n = Node::new(config);
    let sent = n.take();
    let to_first = sent.iter().find(|s| s.to.ip() == ip(MS)).expect("one each");
    answer(&mut n, to_first.register().nonce);
    n.pass(3_000);
    let view: Vec<_> = n.engine.database().collect();
    assert_eq!((view.len(), view[1].eid, view[1].ttl_minutes), (2, eid("10.5.0.0/24"), 3));
    let states: Vec<_> =
        view[0].registrations.iter().map(|r| (r.map_server, r.confirmed, r.retries)).collect();
    assert_eq!(states, [(ip(MS), true, 0), (ip("203.0.113.54"), false, 2)]);
}
