//! `configs/reference.toml` and `configs/pxtrd.schema.json` are generated from the documentation of
//! the keys. This test holds them to it; with `PXTR_UPDATE=1` it writes them anew.

use crate::config::{Machine, json_schema, parse_config};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Values of keys that have no default, and of those where another one says more.
const EXAMPLES: &[(&str, &str)] = &[
    ("admission.outer_sources", "[\"203.0.113.0/24\", \"2001:db8:f::/48\"]"),
    ("admission.nonces", "[\"c0ffee\"]"),
    (
        "admission.site",
        "[{ name = \"four\", eid_prefixes = [\"10.4.0.0/24\"], outer_sources = [\"203.0.113.4/32\"] }]",
    ),
    ("lisp.peer_nonces", "[{ rloc = \"198.51.100.3\", nonce = \"c0ffee\" }]"),
    ("trusted.rlocs", "[\"198.51.100.0/24\"]"),
    ("port.instance_ids", "[0]"),
    ("lisp_sec.secret", "\"change-me-for-lisp-sec\""),
    ("lisp_sec.secret_file", "\"/etc/pxtr/lisp-sec.key\""),
    ("lisp_sec.accept_keys", "[{ id = 1, secret = \"change-me-for-lisp-sec\" }]"),
    ("lisp_sec.forward_key", "{ id = 2, secret = \"change-me-too-for-lisp-sec\" }"),
    ("lisp.map_server.lisp_sec_key", "{ id = 3, secret = \"change-me-three\" }"),
    ("map_server.site.lisp_sec_key", "{ id = 3, secret = \"change-me-three\" }"),
    ("lisp.pubsub.secret", "\"change-me-as-well\""),
    ("lisp.pubsub.secret_file", "\"/etc/pxtr/pubsub.key\""),
    ("map_server.subscriber.name", "\"pitr\""),
    ("map_server.subscriber.xtr_id", "\"101112131415161718191a1b1c1d1e1f\""),
    ("map_server.subscriber.secret", "\"change-me-as-well\""),
    ("map_server.subscriber.secret_file", "\"/etc/pxtr/pitr.key\""),
    ("daemon.name", "\"pxtr\""),
    ("daemon.api_socket", "\"/run/pxtr/pxtr.sock\""),
    ("daemon.http_listen", "\"127.0.0.1:9341\""),
    ("dpdk.file_prefix", "\"pxtr\""),
    ("workers.cores", "[2, 3]"),
    ("policer.name", "\"red\""),
    ("policer.vrf", "\"default\""),
    ("policer.rate", "100000000"),
    ("policer.eid_prefixes", "[\"10.4.0.0/24\"]"),
    ("policer.burst", "10000000"),
    ("port.name", "\"core\""),
    ("port.device", "\"0000:3b:00.0\""),
    ("port.host_interface", "\"core\""),
    ("port.underlay", "true"),
    ("port.native", "true"),
    ("port.vrf", "\"default\""),
    ("vrf.name", "\"default\""),
    ("vrf.instance_id", "0"),
    ("vrf.eid_space", "[\"10.0.0.0/8\", \"2001:db8:e000::/36\"]"),
    ("lisp.roles", "[\"pitr\", \"petr\", \"xtr\", \"map-server\", \"map-resolver\", \"ddt-node\"]"),
    ("lisp.rlocs", "[\"198.51.100.2\", \"2001:db8:c0:1::2\"]"),
    ("lisp.map_resolvers", "[\"198.51.100.14\"]"),
    ("map_resolver.ddt_roots", "[\"198.51.100.16\"]"),
    (
        "map_resolver.ddt_hint",
        "[{ prefix = \"10.4.0.0/16\", instance_id = 0, map_servers = [\"198.51.100.14\"] }]",
    ),
    ("ddt_node.authoritative", "[{ prefix = \"10.0.0.0/8\", instance_id = 0 }]"),
    ("ddt_node.delegation.prefix", "\"10.4.0.0/16\""),
    ("ddt_node.delegation.nodes", "[\"198.51.100.17\"]"),
    ("ddt_node.delegation.map_servers", "[\"198.51.100.14\"]"),
    ("map_server.rtr_rlocs", "[\"198.51.100.40\"]"),
    ("rtr.map_servers", "[\"198.51.100.15\"]"),
    ("map_resolver.forward_to", "[\"198.51.100.15\"]"),
    ("port.queues", "2"),
    ("lisp.anycast_rlocs", "[\"198.51.100.200\"]"),
    ("lisp.path.rlocs", "[\"203.0.113.0/24\", \"::/0\"]"),
    ("lisp.encryption.rlocs", "[\"198.51.100.0/24\"]"),
    ("vrf.encap_dscp", "46"),
    ("vrf.clamp_mss_to_mtu", "1444"),
    ("lisp.use_petr", "[{ rloc = \"198.51.100.3\", priority = 1, weight = 100 }]"),
    ("lisp.xtr_id", "\"000102030405060708090a0b0c0d0e0f\""),
    ("lisp.site_id", "\"1\""),
    ("lisp.map_server.address", "\"198.51.100.14\""),
    ("lisp.map_server.secret", "\"change-me\""),
    ("lisp.map_server.secret_file", "\"/etc/pxtr/map-server.key\""),
    ("lisp.database.eid_prefix", "\"10.4.0.0/24\""),
    ("lisp.database.vrf", "\"default\""),
    ("lisp.database.locators", "[{ rloc = \"198.51.100.2\", priority = 1, weight = 100 }]"),
    ("port.gateway_mac", "\"02:00:5e:00:01:01\""),
    ("port.strict_source", "true"),
    ("lisp.dynamic_eid.eid_prefix", "\"10.4.1.0/24\""),
    ("lisp.dynamic_eid.vrf", "\"default\""),
    ("lisp.dynamic_eid.ports", "[\"core\"]"),
    ("lisp.dynamic_eid.locators", "[{ rloc = \"198.51.100.2\", priority = 1, weight = 100 }]"),
    ("lisp.first_hop_router.address", "\"10.4.0.2\""),
    ("lisp.first_hop_router.secret", "\"change-me-four\""),
    ("lisp.first_hop_router.secret_file", "\"/etc/pxtr/first-hop.key\""),
    ("lisp.static_mapping.eid_prefix", "\"10.5.0.0/24\""),
    ("lisp.static_mapping.vrf", "\"default\""),
    ("lisp.static_mapping.locators", "[{ rloc = \"198.51.100.5\" }]"),
    ("lisp.static_mapping.action", "\"natively-forward\""),
    ("map_server.site.name", "\"site4\""),
    ("port.parent", "\"trunk\""),
    ("port.vlan", "100"),
    ("port.inner_vlan", "200"),
    ("port.tag", "\"802.1ad\""),
    ("vrf.netns", "\"tenant-a\""),
    ("map_server.site.keys", "[{ id = 1, secret = \"change-me-too\" }]"),
    (
        "map_server.site.eid_prefixes",
        "[{ prefix = \"10.4.0.0/16\", instance_id = 0, accept_more_specifics = true }]",
    ),
    ("map_server.policy.prefix", "\"10.4.99.0/24\""),
    ("map_server.site.keys.secret_file", "\"/etc/pxtr/site4.key\""),
];

/// Keys without default that the reference sets although they are not required.
const SET: &[&str] = &[
    "lisp.dynamic_eid.ports",
    "lisp.first_hop_router.secret",
    "lisp_sec.secret",
    "port.device",
    "lisp.xtr_id",
    "lisp.pubsub.secret",
    "map_server.subscriber.secret",
    "workers.cores",
    "port.underlay",
    "port.native",
    "vrf.eid_space",
    "lisp.map_resolvers",
    "lisp.map_server.secret",
    "lisp.static_mapping.locators",
    "daemon.http_listen",
    "port.host_interface",
    "daemon.api_socket",
    "map_resolver.forward_to",
    "ddt_node.delegation.map_servers",
];

const HEAD: &str = "\
# Every key of pxtrd's configuration file, generated from its documentation: do not edit.
#
# A line '#key = value' shows a default (or, where there is none, an example): removing the '#' of a
# default changes nothing. Unknown keys are refused. 'pxtrd --check-config --config FILE' says all that
# is wrong with a file, line by line.
# Change: 'live' (systemctl reload pxtrd, or SIGHUP) or 'process restart' (systemctl restart pxtrd). A file
# with a mistake, or with a change that needs a restart, is refused whole: the old one stays in force.
";

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs")
}

fn comment(out: &mut String, node: &Value, indent: &str) {
    for line in node["description"].as_str().unwrap_or_default().lines().filter(|line| !line.is_empty()) {
        let _ = writeln!(out, "{indent}# {line}");
    }
}

/// The value to show for a key and whether it is set or a comment.
fn shown(path: &str, node: &Value) -> (String, bool) {
    let text = node["description"].as_str().unwrap_or_default();
    let default =
        text.split_once("Default: `").and_then(|(_, rest)| rest.split_once('`')).map(|(value, _)| value);
    let example = EXAMPLES.iter().find(|(key, _)| *key == path).map(|(_, value)| *value);
    let set = node.get("x-required").is_some() || SET.contains(&path);
    let value = if set {
        example.or(default)
    } else {
        default.filter(|d| !d.contains("NAME") && *d != "[]").or(example).or(default)
    };
    (value.unwrap_or_else(|| panic!("{path} has neither default nor example")).to_owned(), set)
}

fn table(out: &mut String, path: &str, node: &Value) {
    for (key, node) in node["properties"].as_object().unwrap() {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let inner = if node["items"].is_object() { &node["items"] } else { node };
        let inline = EXAMPLES.iter().any(|(key, _)| *key == below);
        if inner["properties"].is_object() && !inline {
            let brackets = if node["items"].is_object() { ("[[", "]]") } else { ("[", "]") };
            out.push('\n');
            comment(out, node, "");
            // A table of tables only needs no header of its own.
            if inner["properties"]
                .as_object()
                .unwrap()
                .values()
                .any(|key| !key["items"]["properties"].is_object())
            {
                let _ = writeln!(out, "{}{below}{}", brackets.0, brackets.1);
            }
            table(out, &below, inner);
            continue;
        }
        out.push('\n');
        comment(out, node, "");
        for (name, part) in inner["properties"].as_object().into_iter().flatten() {
            let _ = writeln!(
                out,
                "#
#   {name}:"
            );
            comment(out, part, "#   ");
        }
        let (value, set) = shown(&below, node);
        let _ = writeln!(out, "{}{key} = {value}", if set { "" } else { "#" });
    }
}

fn reference() -> String {
    let mut out = HEAD.to_owned();
    table(&mut out, "", &json_schema());
    out
}

#[track_caller]
fn holds(file: &str, text: &str) {
    let path = configs().join(file);
    if std::env::var_os("PXTR_UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "configs/{file} is stale: run PXTR_UPDATE=1 cargo test -p pxtr-control reference");
}

#[test]
fn the_reference_is_generated() {
    holds("reference.toml", &reference());
}

#[test]
fn the_schema_is_generated() {
    let mut text = serde_json::to_string_pretty(&json_schema()).unwrap();
    text.push('\n');
    holds("pxtrd.schema.json", &text);
}

#[test]
fn the_reference_with_its_defaults_uncommented_means_the_same() {
    let plain = reference();
    let path = Path::new("reference.toml");
    let read = |text: &str| match parse_config(text, path, &Machine::any()) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}\n{text}"),
    };
    let schema = json_schema();
    let has_default = |line: &str| {
        let key = line.trim_start_matches('#').split(' ').next().unwrap_or_default();
        line.starts_with('#') && !line.starts_with("# ") && schema.to_string().contains(&format!("\"{key}\""))
    };
    // Examples of keys without default (secret_file beside secret, action beside locators) stay out.
    let examples = [
        "secret_file",
        "accept_keys",
        "forward_key",
        "lisp_sec_key",
        "xtr_id",
        "site_id",
        "use_petr",
        "anycast_rlocs",
        "encap_dscp",
        "clamp_mss_to_mtu",
        "action",
        "idle_sleep_us",
        "file_prefix",
        "gateway_mac",
        "strict_source",
        "parent",
        "vlan",
        "inner_vlan",
        "tag",
        "netns",
        "instance_ids",
        "peer_nonces",
        "outer_sources",
        "eid_prefixes",
        "burst",
        "nonces",
        "site",
        "ddt_roots",
        "ddt_hint",
        "authoritative",
        "nodes",
        "rtr_rlocs",
    ];
    let full: String = plain
        .lines()
        .map(|line| {
            let out = examples.iter().any(|key| line.starts_with(&format!("#{key} =")));
            if has_default(line) && !out { format!("{}\n", &line[1..]) } else { format!("{line}\n") }
        })
        .collect();
    assert!(
        full.lines().filter(|l| !l.starts_with('#')).count()
            > plain.lines().filter(|l| !l.starts_with('#')).count() + 25
    );
    assert_eq!(read(&plain), read(&full));
}
