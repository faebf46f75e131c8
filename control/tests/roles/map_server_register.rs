//! Map-Registers at a Map-Server.

use crate::messages::*;
use crate::node::*;
use pxtr_control::codec::{AuthData, MapRegister, Message};
use pxtr_control::engine::Counter;
use pxtr_control::engine::config::{AuthAlgorithm, EngineConfig, Key};
use pxtr_control::engine::event::Event;

const ETR: &str = "198.51.100.21:4342";
const ETR_B: &str = "198.51.100.22:4342";
const RLOC_A: &str = "198.51.100.21";
const RLOC_B: &str = "198.51.100.22";

fn two_sites() -> EngineConfig {
    map_server(vec![
        site("a", "key-a", &["10.1.0.0/16", "2001:db8:a::/48"]),
        site("b", "key-b", &["10.2.0.0/16+"]),
    ])
}

fn one(prefix: &str, rloc_: &str) -> Vec<pxtr_control::codec::EidRecord> {
    vec![record(prefix, &[rloc(rloc_, 1)])]
}

fn registered(n: &Node) -> Vec<String> {
    n.engine
        .registrations()
        .map(|r| {
            let rlocs: Vec<_> = r.locators.iter().filter_map(|l| l.rloc).map(|l| l.to_string()).collect();
            format!("{} {} {}", r.site, r.eid.prefix, rlocs.join(" "))
        })
        .collect()
}

#[test]
fn r166_a_map_register_with_m_is_answered_by_a_map_notify_with_its_fields() {
    let mut n = Node::new(two_sites());
    let mut records = one("10.1.0.0/16", RLOC_A);
    records.extend(one("2001:db8:a::/48", RLOC_A));
    n.hear("198.51.100.21:61000", &signed_register(&register(5, records.clone()), "key-a"));
    let sent = n.take_one();
    assert_eq!(sent.to, at("198.51.100.21:61000"), "TRAP 2: to where it came from");
    assert_eq!(sent.source, Some(ip(US)), "from the address that was asked");
    assert!(is_signed(&sent.payload, "key-a"));
    let notify = sent.notify();
    assert_eq!((notify.nonce, notify.auth.key_id, &notify.records), (5, 1, &records));
    assert_eq!(registered(&n), ["a 10.1.0.0/16 198.51.100.21", "a 2001:db8:a::/48 198.51.100.21"]);
    let quiet = MapRegister { want_map_notify: false, ..register(6, records) };
    n.hear(ETR, &signed_register(&quiet, "key-a"));
    assert!(n.silent(), "M=0: none");
    n.pass(100_000);
    assert!(n.silent(), "and it is never retransmitted");
}

#[test]
fn r163_who_may_register_what() {
    // (sentence, EID-prefix, key, registered)
    let cases = [
        ("the configured prefix", "10.1.0.0/16", "key-a", true),
        ("a more-specific where only the exact one is allowed", "10.1.1.0/24", "key-a", false),
        ("a less-specific", "10.0.0.0/8", "key-a", false),
        ("a more-specific where these are accepted", "10.2.7.0/24", "key-b", true),
        ("a host", "10.2.7.1/32", "key-b", true),
        ("another site's prefix", "10.2.0.0/16", "key-a", false),
        ("the same prefix in another instance", "9 10.1.0.0/16", "key-a", false),
        ("nobody's prefix", "11.0.0.0/8", "key-a", false),
    ];
    for (what, prefix, key, accepted) in cases {
        let mut n = Node::new(two_sites());
        n.hear(ETR, &signed_register(&register(1, one(prefix, RLOC_A)), key));
        assert_eq!(n.take().len(), usize::from(accepted), "{what}");
        assert_eq!(n.engine.registrations().count(), usize::from(accepted), "{what}");
    }
}

#[test]
fn r163_records_that_may_not_be_are_left_out_and_the_others_taken() {
    let mut n = Node::new(two_sites());
    let mut records = one("11.0.0.0/8", RLOC_A);
    records.extend(one("10.1.5.0/24", RLOC_A));
    records.extend(one("10.1.0.0/16", RLOC_A));
    n.hear(ETR, &signed_register(&register(1, records), "key-a"));
    assert_eq!(show_all(&n.take_one().notify().records), ["10.1.0.0/16 -> 198.51.100.21"]);
    assert_eq!(n.count(Counter::RegisterRecordsRefused), 2);
}

#[test]
fn r163_a_message_that_mixes_sites_with_different_keys_is_dropped_whole() {
    let mut records = one("10.1.0.0/16", RLOC_A);
    records.extend(one("10.2.0.0/16", RLOC_A));
    let mut n = Node::new(two_sites());
    n.hear(ETR, &signed_register(&register(1, records.clone()), "key-a"));
    assert!(n.silent());
    assert_eq!((n.count(Counter::RegistersMixedSites), n.engine.registrations().count()), (1, 0));
    let mut config = two_sites();
    config.sites[1].keys = config.sites[0].keys.clone();
    let mut n = Node::new(config);
    n.hear(ETR, &signed_register(&register(1, records), "key-a"));
    assert_eq!(registered(&n), ["a 10.1.0.0/16 198.51.100.21", "b 10.2.0.0/16 198.51.100.21"]);
}

#[test]
fn r164_nothing_is_done_without_a_good_mac() {
    let good = register(1, one("10.1.0.0/16", RLOC_A));
    let mut tampered = signed_register(&good, "key-a");
    *tampered.last_mut().expect("bytes") ^= 1;
    let mut only_sha256 = two_sites();
    only_sha256.sites[0].algorithms = vec![AuthAlgorithm::HmacSha256];
    let weak = MapRegister { auth: unsigned(AuthAlgorithm::HmacSha1), ..good.clone() };
    let unknown_key = MapRegister { auth: AuthData::unsigned(9, 2, 32), ..good.clone() };
    let none = MapRegister { auth: AuthData { key_id: 1, algorithm_id: 0, tag: Vec::new() }, ..good.clone() };
    let short = MapRegister { auth: AuthData::unsigned(1, 2, 4), ..good.clone() };
    let cases = [
        ("another key", two_sites(), signed_register(&good, "key-x")),
        ("one bit changed", two_sites(), tampered),
        ("an algorithm that the site does not allow", only_sha256, signed_register(&weak, "key-a")),
        ("an unknown Key ID", two_sites(), signed_register(&unknown_key, "key-a")),
        ("no authentication at all", two_sites(), bytes(Message::MapRegister(none))),
        ("a tag of four bytes", two_sites(), bytes(Message::MapRegister(short))),
    ];
    for (what, config, payload) in cases {
        let mut n = Node::new(config);
        n.hear(ETR, &payload);
        assert!(n.silent() && n.engine.registrations().next().is_none(), "{what}");
        assert_eq!(n.count(Counter::RegistersBadAuth), 1, "{what}");
    }
}

#[test]
fn r162_trap18_the_key_id_chooses_among_several_and_may_be_zero() {
    let mut config = two_sites();
    config.sites[0].keys.push(Key { id: 2, secret: secret("next-key") });
    config.sites[0].keys.push(Key { id: 0, secret: secret("rfc6830") });
    let mut n = Node::new(config);
    for (nonce, id, key) in [(1, 1, "key-a"), (2, 2, "next-key"), (3, 0, "rfc6830")] {
        let mut m = register(nonce, one("10.1.0.0/16", RLOC_A));
        m.auth.key_id = id;
        n.hear(ETR, &signed_register(&m, key));
        let sent = n.take_one();
        assert!(is_signed(&sent.payload, key), "the answer is under the same key");
        assert_eq!(sent.notify().auth.key_id, id);
    }
}

#[test]
fn r164_a_nonce_must_grow_per_registrant_and_key() {
    let mut n = Node::new(two_sites());
    let mut hear = |from: &str, nonce: u64, id: Option<u8>| {
        let m = MapRegister { xtr: id.and_then(xtr_id), ..register(nonce, one("10.1.0.0/16", RLOC_A)) };
        n.hear(from, &signed_register(&m, "key-a"));
        n.take().len()
    };
    assert_eq!(hear(ETR, 10, None), 1);
    assert_eq!(hear(ETR, 10, None), 0, "the same again is a replay");
    assert_eq!(hear(ETR, 9, None), 0, "and so is an older one");
    assert_eq!(hear(ETR, 11, None), 1);
    assert_eq!(hear(ETR_B, 5, None), 1, "another ETR counts for itself");
    assert_eq!(hear(ETR, 3, Some(1)), 1, "an xTR-ID is a registrant of its own");
    assert_eq!(hear(ETR_B, 3, Some(1)), 0, "wherever it sends from");
    assert_eq!(hear(ETR_B, 4, Some(1)), 1);
    assert_eq!(n.count(Counter::RegistersReplayed), 3);
}

#[test]
fn r164_a_new_secret_starts_a_new_sequence_and_legacy_sites_are_not_checked() {
    let mut n = Node::new(two_sites());
    n.hear(ETR, &signed_register(&register(100, one("10.1.0.0/16", RLOC_A)), "key-a"));
    let mut config = two_sites();
    config.sites[0].keys[0].secret = secret("rolled-over");
    n.reconfigure(config.clone());
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "rolled-over"));
    assert_eq!(n.take().len(), 2);
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "rolled-over"));
    assert!(n.silent());
    config.sites[0].legacy_nonce = true;
    n.reconfigure(config);
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "rolled-over"));
    assert_eq!(n.take().len(), 1);
}

#[test]
fn r164_an_xtr_id_outside_of_the_mac_is_only_claimed() {
    // RFC 9301 5.6 to the letter: the MAC ends with the last RLOC-record (TRAP 19).
    let letter = |nonce, id| {
        let m = MapRegister { xtr: xtr_id(id), ..register(nonce, one("10.1.0.0/16", RLOC_A)) };
        let mut payload = bytes(Message::MapRegister(m));
        let covered = payload.len() - 24;
        pxtr_control::codec::auth::sign(&mut payload[..covered], &secret("key-a")).expect("signed");
        payload
    };
    let mut n = Node::new(two_sites());
    n.hear(ETR, &letter(5, 1));
    assert_eq!(n.take().len(), 1);
    n.hear(ETR, &letter(5, 2));
    assert!(n.silent(), "a replay with another xTR-ID written over it is still a replay");
}

#[test]
fn r165_a_registration_ends_three_minutes_after_the_last_map_register() {
    let mut n = Node::new(two_sites());
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "key-a"));
    n.pass(179_000);
    n.hear(ETR, &signed_register(&register(2, one("10.1.0.0/16", RLOC_A)), "key-a"));
    n.pass(179_999);
    assert_eq!(n.engine.registrations().count(), 1);
    n.pass(1);
    assert_eq!(n.engine.registrations().count(), 0);
    assert_eq!(n.count(Counter::RegistrationsExpired), 1);
}

#[test]
fn r165_a_large_site_that_falls_silent_ends_in_several_steps() {
    let mut config = two_sites();
    config.sites[1].max_prefixes = 10_000;
    let mut n = Node::new(config);
    for i in 0..100u64 {
        let records = (0..50).map(|j| record(&format!("10.2.{i}.{j}/32"), &[rloc(RLOC_A, 1)])).collect();
        n.hear(ETR, &signed_register(&register(i + 1, records), "key-b"));
    }
    n.now = n.now.plus_ms(180_000);
    n.step(Event::Tick);
    assert_eq!(n.engine.registrations().count(), 5000 - 2048, "other messages get their turn");
    assert!(n.engine.next_deadline().is_some_and(|at| at <= n.now));
    n.pass(0);
    assert_eq!((n.engine.registrations().count(), n.count(Counter::RegistrationsExpired)), (0, 5000));
}

#[test]
fn r165_with_t_the_record_ttl_says_when_it_ends() {
    let mut n = Node::new(two_sites());
    let mut records = one("10.1.0.0/16", RLOC_A);
    records[0].ttl_minutes = 10;
    let m = MapRegister { use_ttl: true, ..register(1, records) };
    n.hear(ETR, &signed_register(&m, "key-a"));
    n.pass(599_999);
    assert_eq!(n.engine.registrations().next().map(|r| r.expires_in_ms), Some(1));
    n.pass(1);
    assert_eq!(n.engine.registrations().count(), 0);
}

#[test]
fn r165_record_ttl_0_withdraws_but_only_for_its_own_registrant() {
    let mut n = Node::new(two_sites());
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "key-a"));
    n.take();
    let mut withdrawal = one("10.1.0.0/16", RLOC_A);
    withdrawal[0].ttl_minutes = 0;
    n.hear(ETR_B, &signed_register(&register(2, withdrawal.clone()), "key-a"));
    assert!(n.silent());
    assert_eq!((n.engine.registrations().count(), n.count(Counter::WithdrawalsRefused)), (1, 1));
    n.hear(ETR, &signed_register(&register(2, withdrawal), "key-a"));
    assert_eq!(n.take().len(), 1, "M=1: confirmed");
    assert_eq!((n.engine.registrations().count(), n.count(Counter::RegistrationsWithdrawn)), (0, 1));
}

#[test]
fn r168_merging_registrations_add_up_and_the_last_other_one_replaces() {
    let mut n = Node::new(two_sites());
    let mut hear = |from: &str, nonce, merge, id, rlocs: &[&str]| {
        let locators: Vec<_> = rlocs.iter().map(|r| rloc(r, 1)).collect();
        let records = vec![record("10.1.0.0/16", &locators)];
        let m = MapRegister { merge, xtr: xtr_id(id), want_map_notify: true, ..register(nonce, records) };
        n.hear(from, &signed_register(&m, "key-a"));
        let answers: Vec<_> = n.take().into_iter().filter(|s| s.to == at(from)).collect();
        let shown = show(&answers[0].notify().records[0]).replace("10.1.0.0/16 -> ", "");
        (shown, n.engine.registrations().count())
    };
    assert_eq!(hear(ETR, 1, true, 1, &[RLOC_A]), (RLOC_A.into(), 1));
    let both = format!("{RLOC_A} {RLOC_B}");
    assert_eq!(hear(ETR_B, 1, true, 2, &[RLOC_B]), (both.clone(), 2), "the Map-Notify holds the union");
    assert_eq!(hear(ETR, 2, true, 1, &[RLOC_A]), (both, 2));
    assert_eq!(hear(ETR_B, 2, false, 3, &["192.0.2.3"]), ("192.0.2.3".into(), 1), "a=0 replaces all");
    assert_eq!(hear(ETR, 3, true, 1, &[RLOC_A]), (RLOC_A.into(), 1), "and is replaced by what merges");
}

#[test]
fn r165_one_of_several_merged_registrations_expires_alone() {
    let mut n = Node::new(two_sites());
    let from = |id, nonce, rloc_| MapRegister {
        merge: true,
        xtr: xtr_id(id),
        ..register(nonce, one("10.1.0.0/16", rloc_))
    };
    n.hear(ETR, &signed_register(&from(1, 1, RLOC_A), "key-a"));
    n.pass(100_000);
    n.hear(ETR_B, &signed_register(&from(2, 1, RLOC_B), "key-a"));
    n.pass(100_000);
    assert_eq!(registered(&n), ["a 10.1.0.0/16 198.51.100.22"]);
    assert_eq!(n.count(Counter::RegistrationsExpired), 0, "the prefix is still registered");
}

#[test]
fn r174_a_site_has_at_most_its_number_of_prefixes() {
    let mut config = two_sites();
    config.sites[1].max_prefixes = 10;
    let mut n = Node::new(config);
    for i in 0..20u64 {
        n.hear(ETR, &signed_register(&register(i + 1, one(&format!("10.2.{i}.0/24"), RLOC_A)), "key-b"));
    }
    assert_eq!((n.engine.registrations().count(), n.count(Counter::RegisterRecordsOverLimit)), (10, 10));
    n.hear(ETR, &signed_register(&register(50, one("10.2.3.0/24", RLOC_B)), "key-b"));
    assert_eq!(n.count(Counter::RegisterRecordsOverLimit), 10, "those that are in may be refreshed");
    n.pass(180_000);
    n.hear(ETR, &signed_register(&register(51, one("10.2.99.0/24", RLOC_A)), "key-b"));
    assert_eq!(n.engine.registrations().count(), 1, "what expired makes room");
}

#[test]
fn r174_a_site_has_a_rate_and_the_other_sites_are_not_affected() {
    let mut n = Node::new(two_sites());
    for nonce in 1..=1000 {
        n.hear(ETR, &signed_register(&register(nonce, one("10.1.0.0/16", RLOC_A)), "key-a"));
    }
    assert_eq!((n.take().len(), n.count(Counter::RegistersOverSiteRate)), (200, 800));
    n.hear(ETR_B, &signed_register(&register(1, one("10.2.0.0/16", RLOC_B)), "key-b"));
    assert_eq!(n.take().len(), 1);
}

#[test]
fn r209_replayed_registers_use_up_nothing_of_the_sites_rate() {
    let mut n = Node::new(two_sites());
    let recorded = signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "key-a");
    for _ in 0..5000 {
        n.hear(ETR, &recorded);
    }
    n.take();
    n.hear(ETR, &signed_register(&register(2, one("10.1.0.0/16", RLOC_A)), "key-a"));
    assert_eq!((n.take().len(), n.count(Counter::RegistersReplayed)), (1, 4999));
}

#[test]
fn r209_a_flood_with_bad_macs_costs_the_site_nothing_of_its_rate() {
    let mut n = Node::new(two_sites());
    for nonce in 1..=5000 {
        n.hear(ETR, &signed_register(&register(nonce, one("10.1.0.0/16", RLOC_A)), "guess"));
    }
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "key-a"));
    assert_eq!((n.take().len(), n.count(Counter::RegistersBadAuth)), (1, 5000));
}

#[test]
fn r174_a_site_has_a_bounded_number_of_registrants_and_forgets_old_ones() {
    let mut n = Node::new(two_sites());
    let mut hear = |pass: u64, i: u32| {
        let from = format!("10.99.{}.{}:4342", i / 256, i % 256);
        n.pass(pass);
        n.hear(&from, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "key-a"));
        n.count(Counter::RegistersOverRegistrants)
    };
    for i in 0..1024 {
        assert_eq!(hear(20, i), 0);
    }
    assert_eq!(hear(20, 1024), 1);
    assert_eq!(hear(3_600_000, 1025), 1, "an hour later there is room again");
}

#[test]
fn a_reload_keeps_what_its_site_may_still_register() {
    let mut config = two_sites();
    let mut n = Node::new(config.clone());
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "key-a"));
    n.hear(ETR, &signed_register(&register(1, one("10.2.1.0/24", RLOC_A)), "key-b"));
    config.sites.swap(0, 1);
    n.reconfigure(config.clone());
    assert_eq!(registered(&n), ["a 10.1.0.0/16 198.51.100.21", "b 10.2.1.0/24 198.51.100.21"]);
    config.sites[0].eid_prefixes[0].accept_more_specifics = false;
    n.reconfigure(config.clone());
    assert_eq!(registered(&n), ["a 10.1.0.0/16 198.51.100.21"]);
    config.sites.retain(|s| s.name == "b");
    n.reconfigure(config);
    assert!(registered(&n).is_empty());
    n.pass(200_000);
    assert_eq!(n.count(Counter::RegistrationsExpired), 0, "and no timer is left behind");
}

#[test]
fn r164_nonces_outlive_a_restart_of_the_map_server() {
    let recorded = signed_register(&register(5, one("10.1.0.0/16", RLOC_A)), "key-a");
    let mut n = Node::new(two_sites());
    n.hear(ETR, &recorded);
    let kept = n.engine.roles().map_server().expect("the role").nonces(10);
    assert_eq!((kept.len(), kept[0].nonce), (1, 5));

    let mut forgetful = Node::new(two_sites());
    forgetful.hear(ETR, &recorded);
    assert_eq!(registered(&forgetful).len(), 1, "without them what was recorded counts again");
    let mut n = Node::new(two_sites());
    n.step(Event::NoncesKept(kept.clone()));
    n.hear(ETR, &recorded);
    assert_eq!((registered(&n).len(), n.count(Counter::RegistersReplayed)), (0, 1));
    n.hear(ETR, &signed_register(&register(6, one("10.1.0.0/16", RLOC_A)), "key-a"));
    assert_eq!(registered(&n).len(), 1, "the next one is taken");
    n.step(Event::NoncesKept(kept.clone()));
    n.hear(ETR, &signed_register(&register(6, one("10.1.0.0/16", RLOC_A)), "key-a"));
    assert_eq!(n.count(Counter::RegistersReplayed), 2, "an older one that was kept does not take it back");

    // A new secret under the same Key ID, given while the Map-Server was down, begins anew.
    let mut config = two_sites();
    config.sites[0].keys[0].secret = secret("key-new");
    let mut n = Node::new(config);
    n.step(Event::NoncesKept(kept));
    n.hear(ETR, &signed_register(&register(1, one("10.1.0.0/16", RLOC_A)), "key-new"));
    assert_eq!(registered(&n).len(), 1);
}

#[test]
fn r164_of_too_many_nonces_those_heard_last_are_kept() {
    let mut n = Node::new(two_sites());
    for host in 1..=9 {
        n.now = n.now.plus_ms(1000);
        let from = format!("198.51.100.{host}:4342");
        n.hear(&from, &signed_register(&register(host, one("10.1.0.0/16", RLOC_A)), "key-a"));
    }
    let mut kept: Vec<u64> =
        n.engine.roles().map_server().expect("the role").nonces(3).iter().map(|k| k.nonce).collect();
    kept.sort_unstable();
    assert_eq!(kept, [7, 8, 9]);
}
