//! `[[lisp.dynamic_eid]]`: what it becomes, and what is refused.

use super::{FULL, parse};
use crate::engine::event::Iid;
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::types::{MacAddr, PortId};
use std::path::Path;

/// FULL and one more table; `from` replaced by `to`.
fn with(from: &str, to: &str) -> String {
    let table = "[[lisp.dynamic_eid]]\neid_prefix = \"10.4.1.0/24\"\nvrf = \"red\"\nports = [\"native\"]\n\
                 locators = [{ rloc = \"198.51.100.2\" }]\n";
    let gateway = "host_interface = \"nat0\"\ngateway_mac = \"02:00:5e:00:01:01\"";
    let text = FULL.replacen("host_interface = \"nat0\"", gateway, 1) + table;
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn hosts_that_move_are_told_by_prefix_ports_and_locators() {
    let config = parse(&with("", "")).unwrap();
    let range = &config.dynamic_eids[0];
    assert_eq!((range.mapping.eid.iid, range.mapping.ttl_minutes), (Iid(7), 1));
    assert_eq!((range.ports.as_slice(), range.forward_away), (&[PortId(0)][..], true));
    assert_eq!(config.ports[0].gateway_mac, Some(MacAddr([2, 0, 0x5e, 0, 1, 1])));
    assert!(config.ports[0].refuse_claims && !config.ports[0].loose_source);
    let config = parse(&with("ports = [\"native\"]", "ports = [\"native\"]\naway = \"drop\"")).unwrap();
    assert!(!config.dynamic_eids[0].forward_away);
    assert_eq!(config.dynamic_eids[0].seen_by, [Seen::Data, Seen::Arp, Seen::Nd]);
    let config = parse(&with("ports = [\"native\"]", "ports = [\"native\"]\nseen_by = [\"data\"]")).unwrap();
    assert_eq!(config.dynamic_eids[0].seen_by, [Seen::Data]);
}

#[test]
fn r151_loose_sources_are_chosen_by_port() {
    let config = parse(&with("gateway_mac", "loose_source = true\ngateway_mac")).unwrap();
    assert!(config.ports[0].loose_source && !config.ports[1].loose_source);
}

#[test]
fn mistakes_get_one_line_each() {
    for (from, to, expected) in [
        ("ports = [\"native\"]", "ports = [\"nativ\"]", "\"nativ\" is no port of this file"),
        ("ports = [\"native\"]", "ports = []", "lisp.dynamic_eid.ports is empty"),
        ("ports = [\"native\"]", "ports = [\"native\"]\nseen_by = []", "lisp.dynamic_eid.seen_by is empty"),
        ("ports = [\"native\"]", "ports = [\"native\"]\nseen_by = [\"date\"]", "did you mean \"data\"?"),
        ("ports = [\"native\"]", "ports = [\"core\"]", "takes no native packets"),
        ("[{ rloc = \"198.51.100.2\" }]\n", "[{ rloc = \"198.51.100.9\" }]\n", "has none of lisp.rlocs"),
        ("02:00:5e:00:01:01", "03:00:5e:00:01:01", "its first byte must be even"),
        ("02:00:5e:00:01:01", "2:0:5e:0:1:1", "write it like \"02:00:5e:00:01:01\""),
        (
            "device = \"net_af_packet0\"\ndevice_args = \"iface=eth1\"",
            "device = \"0000:3b:00.1\"",
            "can not be set on",
        ),
    ] {
        let errors = match parse(&with(from, to)) {
            Ok(_) => String::new(),
            Err(errors) => errors.to_string(),
        };
        assert!(errors.contains(expected), "{to}: {errors:?}");
    }
}

#[test]
fn r186_an_xtr_names_its_first_hop_routers_and_where_they_are() {
    let router = "\n[[lisp.first_hop_router]]\naddress = \"192.0.2.7\"\nsecret = \"inside\"\n";
    let behind = "first_hop_ports = [\"native\"]";
    let config = parse(&(with("ports = [\"native\"]", behind) + router)).unwrap();
    assert_eq!(config.dynamic_eids[0].first_hop_ports, [PortId(0)]);
    assert!(config.dynamic_eids[0].ports.is_empty());
    assert_eq!((config.first_hop_routers[0].key.id, config.first_hop_routers.len()), (1, 1));
    for (text, expected) in [
        (with("ports = [\"native\"]", behind), "first_hop_ports has nobody to listen to"),
        (
            with("ports = [\"native\"]", &format!("ports = [\"native\"]\n{behind}")) + router,
            "first_hop_ports = \"native\" is in ports too",
        ),
        (
            with("ports = [\"native\"]", "first_hop_ports = [\"core\"]") + router,
            "first_hop_ports = \"core\" takes no native packets",
        ),
        (with("", "") + router + router, "lisp.first_hop_router = 192.0.2.7 is given twice"),
        (with("", "") + &router.replace("secret = \"inside\"\n", ""), "lisp.first_hop_router has no secret"),
    ] {
        let errors = parse(&text).map_or_else(|errors| errors.to_string(), |_| String::new());
        assert!(errors.contains(expected), "{expected}: {errors:?}");
    }
}

#[test]
fn r186_a_first_hop_router_has_hosts_to_find_and_an_xtr_to_tell_and_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/mobility-fhr/f2.toml");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(parse(&text).unwrap().roles.fhr);
    let cut = |from: &str, to: &str| {
        let (before, rest) = text.split_once(from).unwrap();
        before.to_owned() + rest.split_once(to).map_or("", |(_, rest)| rest)
    };
    for (text, expected) in [
        (text.replace("[\"fhr\"]", "[\"fhr\", \"xtr\"]"), "role \"fhr\" is for a router without other roles"),
        (cut("[[lisp.dynamic_eid]]", "no such line"), "role \"fhr\" has no hosts to look for"),
        (cut("[[lisp.map_server]]", "algorithm = \"hmac-sha256\""), "role \"fhr\" has nobody to tell"),
        (
            text.replace("rlocs =", "use_petr = [{ rloc = \"198.51.100.2\" }]\nrlocs ="),
            "lisp.use_petr has no effect with role \"fhr\"",
        ),
        (
            text.replace("ports = [\"site\"]", "ports = [\"site\"]\nfirst_hop_ports = [\"up\"]"),
            "first_hop_ports is for xTRs",
        ),
    ] {
        let errors = parse(&text).map_or_else(|errors| errors.to_string(), |_| String::new());
        assert!(errors.contains(expected), "{expected}: {errors:?}");
    }
}
