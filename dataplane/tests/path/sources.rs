//! Who may speak on a native port: the strict and the loose reverse path (RFC 3704, R-151).

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{Reject, Route, SourceRules};
use pxtr_dataplane::types::AdjacencyId;
use pxtr_dataplane::verdict::DropReason::SourceForeign;

/// The lab with a network behind the core's side, one that is refused, and these rules on the native port.
fn lab(strict: bool, loose: bool) -> Lab {
    let mut lab = Lab::new();
    lab.adjacency(AdjacencyId(8), CORE, CORE_MAC);
    lab.route(0, "172.16.0.0/16", Route::Via(AdjacencyId(8)));
    lab.route(0, "2001:db8:77::/48", Route::Multipath([AdjacencyId(8), HOST].into()));
    lab.route(0, "172.17.0.0/16", Route::Reject(Reject::Blackhole));
    lab.route(0, "172.18.0.1/32", Route::Reject(Reject::HostUnreachable));
    let rules = SourceRules { strict, loose, ..SourceRules::default() };
    lab.port(NATIVE, |port| port.sources = Some(Box::new(rules)));
    lab
}

#[test]
fn r151_sources_by_reverse_path() {
    // Source, destination; passes on a strict port, on a loose one.
    let cases = [
        ("a connected host", "192.0.2.9", true, true),
        ("a neighbour nobody has resolved", "192.0.2.200", true, true),
        ("a network by another port", "172.16.5.5", false, true),
        ("a network by several next hops", "2001:db8:77::5", true, true),
        ("nobody but the default route", "172.31.5.5", true, false),
        ("the same, IPv6", "2001:db8:99::5", true, false),
        ("a network that is refused", "172.17.5.5", false, false),
        ("a host that did not answer", "172.18.0.1", true, true),
        ("an EID, by its mapping", "10.4.0.9", true, true),
        ("an EID that nobody has asked for", "10.77.0.9", true, true),
    ];
    for (name, source, strict, loose) in cases {
        let destination = if source.contains(':') { "2001:db8:e004::7" } else { "10.4.0.7" };
        let packet = udp(source, destination, 30);
        for (rules, passes) in
            [((true, false), strict), ((false, true), loose), ((true, true), strict && loose)]
        {
            let fate = lab(rules.0, rules.1).native(&packet);
            match passes {
                true => assert_eq!(fate.sent().0, CORE, "{name}, {rules:?}"),
                false => assert_eq!(fate, Fate::Dropped(SourceForeign), "{name}, {rules:?}"),
            }
        }
    }
}

#[test]
fn r151_a_source_becomes_known_by_its_route() {
    let mut lab = lab(false, true);
    let packet = udp("172.31.5.5", "10.4.0.7", 30);
    assert_eq!(lab.native(&packet), Fate::Dropped(SourceForeign));
    lab.route(0, "172.31.0.0/16", Route::Via(ROUTER));
    assert_eq!(lab.native(&packet).sent().0, CORE);
    // A port without rules asks nobody.
    lab.port(NATIVE, |port| port.sources = None);
    assert_eq!(lab.native(&udp("172.30.5.5", "10.4.0.7", 30)).sent().0, CORE);
}
