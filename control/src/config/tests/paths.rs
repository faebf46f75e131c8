//! Marks of outer headers by VRF and by path, shared RLOCs, and what is advised against.

use super::{FULL, parse};
use crate::config::Config;
use pxtr_dataplane::feed::RlocOptions;
use pxtr_dataplane::path::flow::FlowFields;
use pxtr_dataplane::policer::{Rate, Unit};
use std::net::IpAddr;

/// Marks in both VRFs, two paths, one shared RLOC.
fn text() -> String {
    let red = "eid_space = [\"10.0.0.0/8\", \"2001:db8:e000::/36\"]\nencap_dscp = 46\ndecap_dscp = \"outer\"\nclamp_mss_to_mtu = 1444";
    let shared = "map_resolvers = [\"198.51.100.14\"]\nanycast_rlocs = [\"198.51.100.200\"]";
    let paths = "[[lisp.path]]\nrlocs = [\"203.0.113.0/24\", \"::/0\"]\nudp_checksum = \"computed\"\n\
                 [[lisp.path]]\nrlocs = [\"203.0.113.8/29\"]\necn = \"not-ect\"\ndont_fragment = false\n";
    FULL.replacen("eid_space = [\"10.0.0.0/8\", \"2001:db8:e000::/36\"]", red, 1).replacen(
        "map_resolvers = [\"198.51.100.14\"]",
        shared,
        1,
    ) + paths
}

fn with(from: &str, to: &str) -> Result<Config, String> {
    let text = text();
    assert!(text.contains(from), "{from}");
    parse(&text.replacen(from, to, 1)).map_err(|errors| errors.to_string())
}

/// the knobs and their defaults.
#[test]
fn marks_are_chosen_by_vrf_and_by_path_r109_r110_r134() {
    let plain = parse(FULL).unwrap();
    assert!(plain.vrfs.iter().all(|vrf| vrf.encap_dscp.is_none() && !vrf.decap_copy_dscp));
    assert!(plain.paths.is_empty() && plain.anycast_rlocs.is_empty());
    let config = with("", "").unwrap();
    let red = config.vrf("red").unwrap();
    assert_eq!((red.encap_dscp, red.decap_copy_dscp), (Some(46), true));
    assert_eq!((red.clamp_mss_to_mtu, plain.vrfs[0].clamp_mss_to_mtu), (Some(1444), None), "R-126");
    let default = config.vrf("default").unwrap();
    assert_eq!((default.encap_dscp, default.decap_copy_dscp), (None, false));
    let options = |n: usize| config.paths[n].options;
    let computed = RlocOptions { udp_checksum: true, ..RlocOptions::default() };
    let not_ect = RlocOptions { ecn_compatible: true, may_fragment: true, ..RlocOptions::default() };
    assert_eq!((config.paths[0].rlocs.len(), options(0), options(1)), (2, computed, not_ect));
    for (word, same) in [
        ("udp_checksum = \"computed\"", "udp_checksum = \"zero\""),
        ("\"not-ect\"\ndont_fragment = false", "\"copied\""),
    ] {
        let config = with(word, same).unwrap();
        assert!(config.paths.iter().any(|path| path.options == RlocOptions::default()), "{same}");
    }
}

/// RFC 9305: off by default; with a UDP checksum unless one says otherwise; never beside a nonce.
#[test]
fn lisp_gpe_is_agreed_upon_by_path() {
    let config = with("", "").unwrap();
    assert!(config.paths.iter().all(|path| !path.options.gpe));
    let options = |to: &str| with("ecn = \"not-ect\"\ndont_fragment = false", to).unwrap().paths[1].options;
    let gpe = RlocOptions { gpe: true, udp_checksum: true, ..RlocOptions::default() };
    assert_eq!(options("gpe = true"), gpe);
    assert_eq!(options("gpe = true\nudp_checksum = \"zero\""), RlocOptions { udp_checksum: false, ..gpe });
    let nonce = |rloc: &str| {
        let text = text().replacen("dont_fragment = false", "gpe = true", 1);
        let nonce = format!(
            "map_resolvers = [\"198.51.100.14\"]\npeer_nonces = [{{ rloc = \"{rloc}\", nonce = \"000001\" }}]"
        );
        parse(&text.replacen("map_resolvers = [\"198.51.100.14\"]", &nonce, 1)).err().map(|e| e.to_string())
    };
    assert_eq!(nonce("203.0.113.16"), None);
    let error = nonce("203.0.113.9").unwrap();
    assert!(error.contains("is spoken LISP-GPE to (lisp.path.gpe), which has no nonce"), "{error}");
    let gpe = text().replacen("dont_fragment = false", "gpe = true", 1);
    let echo = format!("{gpe}[trusted]\nrlocs = [\"203.0.113.0/24\"]\necho_nonce = true\n");
    let error = parse(&echo).unwrap_err().to_string();
    assert!(error.contains("lisp.path.gpe is for RLOCs of trusted.rlocs"), "{error}");
}

/// what tells tunnels apart is told to the workers at the start.
#[test]
fn flows_may_be_told_apart_by_tunnel_r081() {
    let fields = |text: &str| with("idle_sleep_us = 50", text).unwrap().launch().unwrap().flow_fields;
    assert_eq!(fields("idle_sleep_us = 50"), FlowFields::default());
    assert_eq!(fields("flow_fields = [\"esp-spi\"]"), FlowFields { gre_key: false, esp_spi: true });
    let both = fields("flow_fields = [\"gre-key\", \"esp-spi\"]");
    assert_eq!(both, FlowFields { gre_key: true, esp_spi: true });
}

/// What Map-Requests and probes carry is this router's alone.
#[test]
fn a_shared_rloc_is_no_itr_rloc_r022() {
    let config = with("", "").unwrap();
    assert_eq!(config.anycast_rlocs, ["198.51.100.200".parse::<IpAddr>().unwrap()]);
    let own: [IpAddr; 2] = ["198.51.100.2".parse().unwrap(), "2001:db8:c0:1::2".parse().unwrap()];
    assert_eq!(config.engine(0).rlocs, own, "the engine hears of these only");
}

#[test]
fn mistakes_get_one_line_each_r008_r022() {
    for (from, to, expected) in [
        ("= [\"198.51.100.200\"]", "= [\"198.51.100.2\"]", "is in lisp.rlocs, too"),
        ("= [\"198.51.100.200\"]", "= [\"224.0.0.1\"]", "is a multicast address"),
        (
            "rlocs = [\"198.51.100.2\", \"2001:db8:c0:1::2\"]",
            "rlocs = [\"2001:db8:c0:1::2\"]",
            "no IPv4 address beside",
        ),
        ("[\"203.0.113.8/29\"]", "[\"::/0\"]", "lisp.path.rlocs = ::/0 is given twice"),
        ("[\"203.0.113.8/29\"]", "[]", "lisp.path.rlocs is empty"),
        ("rlocs = [\"203.0.113.8/29\"]\n", "", "lisp.path.rlocs is missing"),
        ("\"not-ect\"", "\"none\"", "is none of \"copied\", \"not-ect\""),
        ("\"computed\"", "\"compute\"", "did you mean \"computed\"?"),
        ("[\"203.0.113.8/29\"]", "[\"2001:db8::/48\"]", "lisp.path.dont_fragment has no effect on IPv6"),
        ("clamp_mss_to_mtu = 1444", "clamp_mss_to_mtu = 100", "is outside 576..=9216"),
        ("idle_sleep_us = 50", "idle_sleep_us = 50\nflow_fields = [\"gre\"]", "did you mean \"gre-key\"?"),
        ("encap_dscp = 46", "encap_dscp = 64", "is outside 0..=63"),
        ("decap_dscp = \"outer\"", "decap_dscp = \"both\"", "is none of \"inner\", \"outer\""),
        (
            "name = \"default\"\ninstance_id = 0",
            "name = \"default\"\ninstance_id = 0\neid_space = [\"198.51.100.0/29\"]",
            "198.51.100.3 lies in EID space 198.51.100.0/29 and would not be used",
        ),
    ] {
        let errors = with(from, to).err().unwrap_or_default();
        assert!(errors.contains(expected), "{to}: {errors:?}");
    }
}

/// Unique IPv6 EIDs are advised, not demanded: instances are kept apart.
#[test]
fn overlapping_ipv6_eids_are_named_r141() {
    assert_eq!(parse(FULL).unwrap().advice(), [""; 0]);
    let both = |space: &str| {
        let default = "name = \"default\"\ninstance_id = 0";
        parse(&FULL.replacen(default, &format!("{default}\neid_space = {space}"), 1)).unwrap().advice()
    };
    assert_eq!(both("[\"10.0.0.0/8\", \"2001:db8:d000::/36\"]"), [""; 0], "IPv4 is short of addresses");
    let advice = both("[\"2001:db8:e001::/48\", \"2001:db8:e004::/48\"]");
    let [one] = &advice[..] else { panic!("{advice:?}") };
    assert!(
        one.contains(
            "2001:db8:e001::/48 of VRF default and 2001:db8:e000::/36 of VRF red (1 more). They are kept apart"
        ),
        "{one}"
    );
}

/// the reserved Instance-ID, also where only the low 24 bits are.
#[test]
fn the_reserved_instance_is_refused_r141() {
    for id in ["16777215", "4294967295"] {
        let errors = parse(&FULL.replacen("instance_id = 7", &format!("instance_id = {id}"), 1)).unwrap_err();
        assert!(errors.to_string().contains("is reserved for NAT traversal"), "{errors}");
    }
}

/// control messages go by the underlay's routes; where the EID space says otherwise, say so.
#[test]
fn a_map_resolver_in_eid_space_is_named_r008() {
    let default = "name = \"default\"\ninstance_id = 0";
    let text = FULL.replacen(default, &format!("{default}\neid_space = [\"172.16.0.0/12\"]"), 1).replacen(
        "map_resolvers = [\"198.51.100.14\"]",
        "map_resolvers = [\"172.16.0.14\"]",
        1,
    );
    let advice = parse(&text).unwrap().advice();
    assert!(
        advice[0].starts_with("Map-Resolver 172.16.0.14 lies in our EID space 172.16.0.0/12."),
        "{advice:?}"
    );
}

/// Policers of a VRF and of sites, in bits and in packets.
#[test]
fn policers_are_read() {
    let both = "[[policer]]\nname = \"red\"\nvrf = \"red\"\nrate = 100_000_000\n\
                [[policer]]\nname = \"four\"\nvrf = \"red\"\neid_prefixes = [\"10.4.0.0/24\"]\nrate = 50\nburst = 5\nunit = \"packets\"\n";
    let read = |text: &str| parse(&(FULL.to_owned() + text)).map_err(|errors| errors.to_string());
    let policers = read(both).unwrap().policers;
    let red = parse(FULL).unwrap().vrf("red").unwrap().id;
    let rate = |per_second, burst, unit| Rate { per_second, burst, unit };
    assert_eq!(policers[0].rate, rate(100_000_000, 10_000_000, Unit::Bits));
    assert_eq!((policers[0].vrf, &policers[0].eid_prefixes), (red, &None));
    assert_eq!(policers[1].rate, rate(50, 5, Unit::Packets));
    assert_eq!(policers[1].eid_prefixes, Some(vec!["10.4.0.0/24".parse().unwrap()]));
    for (from, to, expected) in [
        ("name = \"four\"", "name = \"red\"", "policer.name = \"red\" is given twice"),
        (
            "eid_prefixes = [\"10.4.0.0/24\"]\n",
            "",
            "policer without eid_prefixes for VRF = \"red\" is given twice",
        ),
        ("[\"10.4.0.0/24\"]", "[]", "policer.eid_prefixes is empty"),
        ("rate = 50\n", "", "policer.rate is missing"),
        ("unit = \"packets\"", "", "lets no packet of 9216 bytes through; give 73728 at least"),
        ("\"packets\"", "\"bytes\"", "is none of \"bits\", \"packets\""),
        ("vrf = \"red\"\nrate", "vrf = \"rde\"\nrate", "rde"),
    ] {
        let errors = read(&both.replacen(from, to, 1)).err().unwrap_or_default();
        assert!(errors.contains(expected), "{to}: {errors:?}");
    }
}
