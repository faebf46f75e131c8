//! Whatever arrives: no panic, no table above its cap, nothing said to martians.

use crate::messages::*;
use crate::node::*;
use proptest::prelude::*;
use pxtr_control::codec::{Message, is_martian};
use pxtr_control::engine::config::{EngineConfig, Roles};
use pxtr_control::engine::event::Event;

/// Every role at once, and every kind of state in it.
fn everything() -> EngineConfig {
    let mut config = xtr(&["10.4.0.0/24", "2001:db8:4::/48"]);
    config.roles = Roles { xtr: true, petr: true, map_server: true, map_resolver: true, ..Roles::default() };
    config.map_servers = vec![peer(MS)];
    config.sites = vec![site("a", "key-a", &["10.1.0.0/16+", "101 10.0.0.0/8+"])];
    config.sites[0].max_prefixes = 8;
    config.sites[0].legacy_nonce = true;
    config
}

/// Valid messages of every kind that a role takes.
fn seeds() -> Vec<Vec<u8>> {
    let etr = vec![record("10.1.0.0/16", &[rloc("198.51.100.21", 1), rloc("2001:db8::21", 2)])];
    let host = vec![record("101 10.1.2.3/32", &[rloc("198.51.100.22", 1)])];
    vec![
        in_ecm(&request("10.4.0.9/32", &["198.51.100.1", "2001:db8::1"])),
        in_ecm(&request("10.1.2.3/32", &["198.51.100.1"])),
        in_ecm(&request("11.1.2.3/32", &["198.51.100.1"])),
        in_ecm(&request("2001:db8:9::1/128", &["2001:db8::1"])),
        bytes(Message::MapRequest(probe("0.0.0.0/0", &["198.51.100.1"]))),
        signed_register(&register(1, etr.clone()), "key-a"),
        signed_register(&register(2, host), "key-a"),
        notify(7, pxtr_control::engine::config::AuthAlgorithm::HmacSha256, etr, "site-key"),
    ]
}

#[derive(Clone, Debug)]
enum Input {
    /// A seed with bytes overwritten and cut short.
    Mutated(usize, Vec<(usize, u8)>, Option<usize>),
    /// A Map-Register that is authentic whatever it says: a site's router gone wild.
    Authentic {
        prefix: u32,
        len: u8,
        nonce: u64,
        flags: u8,
        ttl: u32,
        rlocs: Vec<u32>,
        from: u8,
    },
    Bytes(Vec<u8>),
    Pass(u64),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => (0usize..8, prop::collection::vec((0usize..120, any::<u8>()), 0..4), prop::option::of(0usize..120))
            .prop_map(|(seed, changes, cut)| Input::Mutated(seed, changes, cut)),
        3 => (any::<u32>(), 0u8..=32, any::<u64>(), any::<u8>(), 0u32..4, prop::collection::vec(any::<u32>(), 0..4), any::<u8>())
            .prop_map(|(prefix, len, nonce, flags, ttl, rlocs, from)| Input::Authentic {
                prefix: prefix & 0x01ff_ffff | 0x0a00_0000, len, nonce, flags, ttl, rlocs, from,
            }),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Input::Bytes),
        1 => (0u64..400_000).prop_map(Input::Pass),
    ]
}

fn authentic(input: &Input) -> Option<(String, Vec<u8>)> {
    let Input::Authentic { prefix, len, nonce, flags, ttl, rlocs, from } = input else { return None };
    let addr = std::net::Ipv4Addr::from_bits(*prefix);
    let net = ipnet::Ipv4Net::new(addr, *len).expect("length").trunc();
    let locators: Vec<_> =
        rlocs.iter().map(|r| rloc(&std::net::Ipv4Addr::from_bits(*r).to_string(), *flags)).collect();
    let mut records = vec![record(&net.to_string(), &locators)];
    records[0].ttl_minutes = *ttl;
    let mut m = register(*nonce, records);
    m.merge = flags & 1 != 0;
    m.use_ttl = flags & 2 != 0;
    m.proxy_reply = flags & 4 != 0;
    m.want_map_notify = flags & 8 != 0;
    m.xtr = if flags & 16 != 0 { xtr_id(flags >> 5) } else { None };
    Some((format!("198.51.100.{from}:4342"), signed_register(&m, "key-a")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn roles_survive_anything_and_keep_their_bounds(inputs in prop::collection::vec(input(), 1..60)) {
        let seeds = seeds();
        let mut n = Node::new(everything());
        for input in &inputs {
            match input {
                Input::Mutated(seed, changes, cut) => {
                    let mut payload = seeds[seed % seeds.len()].clone();
                    for (position, byte) in changes {
                        let index = position % payload.len();
                        payload[index] = *byte;
                    }
                    payload.truncate(cut.unwrap_or(usize::MAX));
                    n.hear("198.51.100.1:4342", &payload);
                }
                Input::Authentic { .. } => {
                    let (from, payload) = authentic(input).expect("authentic");
                    n.hear(&from, &payload);
                }
                Input::Bytes(payload) => n.hear("203.0.113.53:4342", payload),
                Input::Pass(ms) => n.pass(*ms),
            }
            let prefixes: std::collections::BTreeSet<_> = n.engine.registrations().map(|r| r.eid).collect();
            prop_assert!(prefixes.len() <= 8, "a site stays within its limit");
            prop_assert!(n.engine.registrations().count() <= 8 * 32);
        }
        for sent in n.take() {
            prop_assert!(sent.payload.len() <= 1280, "{} bytes", sent.payload.len());
            prop_assert!(!is_martian(sent.to.ip()) || matches!(sent.message, Message::MapNotify(_)), "{sent:?}");
        }
        // Everything ends by itself.
        n.pass(600_000);
        prop_assert_eq!(n.engine.registrations().count(), 0);
    }
}

#[test]
fn a_message_cut_at_every_byte_is_dropped() {
    for seed in seeds() {
        for len in 0..seed.len() {
            let mut n = Node::new(everything());
            n.take();
            n.step(Event::Datagram {
                from: at("198.51.100.1:4342"),
                to: at("203.0.113.10:4342"),
                payload: seed[..len].to_vec(),
            });
            assert!(n.silent(), "{len} of {} bytes", seed.len());
        }
    }
}
