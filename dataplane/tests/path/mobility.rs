//! Hosts that come and go: R-185 (detection), R-190 (away), and the strict reverse path.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{Delta, MapAction, Route, SourceRules, Target};
use pxtr_dataplane::punt::{Punt, Seen as By};
use pxtr_dataplane::types::{AdjacencyId, MacAddr, VrfId};
use pxtr_dataplane::verdict::DropReason::*;

const VM: &str = "192.0.2.77";
const VM_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x77];

/// VRF 0 is a site that takes hosts of 192.0.2.64/26 and 2001:db8:1:2::/64 on its native port;
/// 10.4.0.0/24 is another site's.
fn site(change: impl FnOnce(&mut SourceRules)) -> Lab {
    let mut lab = Lab::new();
    lab.vrf(0, |vrf| (vrf.pitr, vrf.petr, vrf.xtr) = (false, false, true));
    let dynamic = ["192.0.2.64/26", "2001:db8:1:2::/64"].map(|p| p.parse().unwrap());
    let mut rules =
        SourceRules { dynamic: dynamic.into(), strict: true, refuse_claims: true, ..SourceRules::default() };
    change(&mut rules);
    lab.port(NATIVE, |port| port.sources = Some(Box::new(rules)));
    lab
}

fn live(lab: &mut Lab, eid: &str) {
    lab.apply(Delta::LocalEidSet { vrf: VrfId(0), prefix: format!("{eid}/32").parse().unwrap() });
    lab.map(0, &format!("{eid}/32"), MapAction::LocalSite);
    lab.adjacency(AdjacencyId(9), NATIVE, VM_MAC);
    lab.route(0, &format!("{eid}/32"), Route::Via(AdjacencyId(9)));
}

fn away(lab: &mut Lab, forward: bool) {
    lab.apply(Delta::AwayEidSet { vrf: VrfId(0), eid: VM.parse().unwrap(), forward });
}

fn from_vm(lab: &mut Lab, mac: [u8; 6], to: &str) -> Fate {
    lab.receive(NATIVE, &udp(VM, to, 5).frame(OUR_MAC[0], mac))
}

fn arp(sender: [u8; 4], mac: [u8; 6]) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1];
    body.extend(mac);
    body.extend(sender);
    body.extend([0; 6]);
    body.extend([192, 0, 2, 1]);
    frame([0xff; 6], mac, 0x0806, &body)
}

fn seen(eid: &str, seen: By, claim: bool, mac: [u8; 6]) -> Punt {
    Punt::DynamicEid {
        vrf: VrfId(0),
        eid: eid.parse().unwrap(),
        port: NATIVE,
        mac: MacAddr(mac),
        seen,
        claim,
    }
}

fn to_vm() -> Packet {
    lisp("203.0.113.4", "198.51.100.2", [0; 8], &udp("10.4.0.7", VM, 5).ttl(9).ip())
}

#[test]
fn the_first_packet_of_a_dynamic_eid_is_reported_once_and_goes_its_way_r185() {
    let mut lab = site(|_| {});
    let (port, _) = from_vm(&mut lab, VM_MAC, "10.4.0.7").sent();
    assert_eq!(port, CORE, "encapsulated at once: its source counts as an EID of ours");
    assert_eq!(lab.punts(), [seen(VM, By::Data, false, VM_MAC)]);
    from_vm(&mut lab, VM_MAC, "10.4.0.7").sent();
    assert!(lab.punts().is_empty(), "not again within a second");
    lab.advance_ms(1001);
    from_vm(&mut lab, VM_MAC, "10.4.0.7").sent();
    assert_eq!(lab.punts().len(), 1, "again while it is not live");
    live(&mut lab, VM);
    lab.advance_ms(1001);
    from_vm(&mut lab, VM_MAC, "10.4.0.7").sent();
    assert!(lab.punts().is_empty(), "live: nothing to tell");
}

#[test]
fn arp_and_neighbour_discovery_show_a_host_and_reach_the_kernel_r185() {
    let mut lab = site(|_| {});
    assert_eq!(lab.receive(NATIVE, &arp([192, 0, 2, 77], VM_MAC)), Fate::Host);
    assert_eq!(lab.punts(), [seen(VM, By::Arp, false, VM_MAC)]);
    assert_eq!(lab.receive(NATIVE, &arp([0, 0, 0, 0], VM_MAC)), Fate::Host, "a probe has no sender");
    let nd = |kind: u8, from: &str, target: &str| {
        let mut body = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        body.extend(target.parse::<std::net::Ipv6Addr>().unwrap().octets());
        let packet = raw(from.parse().unwrap(), "ff02::1".parse().unwrap(), 58, body).ttl(255);
        packet.frame([0x33, 0x33, 0, 0, 0, 1], VM_MAC)
    };
    assert_eq!(lab.receive(NATIVE, &nd(135, "2001:db8:1:2::7", "2001:db8:1::1")), Fate::Host);
    assert_eq!(lab.punts(), [seen("2001:db8:1:2::7", By::Nd, false, VM_MAC)], "solicitation: its source");
    assert_eq!(lab.receive(NATIVE, &nd(136, "fe80::7", "2001:db8:1:2::8")), Fate::Host);
    assert_eq!(lab.punts(), [seen("2001:db8:1:2::8", By::Nd, false, VM_MAC)], "advertisement: its target");
    assert_eq!(lab.receive(NATIVE, &nd(135, "::", "2001:db8:1:2::9")), Fate::Host);
    assert!(lab.punts().is_empty(), "duplicate address detection has no sender yet");
}

#[test]
fn hosts_behind_a_first_hop_router_are_eids_of_ours_that_nobody_looks_for_r186() {
    let mut lab = site(|rules| rules.behind = std::mem::take(&mut rules.dynamic));
    let (port, _) = from_vm(&mut lab, VM_MAC, "10.4.0.7").sent();
    assert_eq!(port, CORE, "encapsulated before its registration came");
    assert!(lab.punts().is_empty(), "it is for the First-Hop Router to find it");
    lab.adjacency(AdjacencyId(8), CORE, CORE_MAC);
    lab.route(0, "0.0.0.0/0", Route::Via(AdjacencyId(8)));
    assert_eq!(lab.native(&udp("172.16.5.5", "10.4.0.7", 5)), Fate::Dropped(SourceForeign));
    // Its router speaks to us from the native side, and nobody else's does.
    lab.route(0, "192.0.2.1/32", Route::Local);
    let to = |port| udp_ports("192.0.2.2", "192.0.2.1", 4342, port, &[]);
    assert_eq!(lab.native(&to(4342)), Fate::Host);
    assert_eq!(lab.native(&to(4341)), Fate::Dropped(LispNotUnderlay));
    let mut lab = site(|_| {});
    lab.route(0, "192.0.2.1/32", Route::Local);
    assert_eq!(lab.native(&to(4342)), Fate::Dropped(ControlNotUnderlay));
}

#[test]
fn who_is_neither_connected_nor_dynamic_gets_no_access_by_plugging_in() {
    let mut lab = site(|_| {});
    lab.adjacency(AdjacencyId(8), CORE, CORE_MAC);
    lab.route(0, "0.0.0.0/0", Route::Via(AdjacencyId(8)));
    let stranger = udp("172.16.5.5", "10.4.0.7", 5);
    assert_eq!(lab.native(&stranger), Fate::Dropped(SourceForeign));
    assert_eq!(lab.receive(NATIVE, &arp([172, 16, 5, 5], HOST_MAC)), Fate::Dropped(SourceForeign));
    assert_eq!(lab.native(&udp("192.0.2.1", "10.4.0.7", 5)), Fate::Dropped(OwnSource));
    lab.native(&udp("192.0.2.9", "8.8.8.8", 5)).sent();
    assert!(lab.punts().is_empty());
    let mut lab = site(|rules| rules.strict = false);
    lab.native(&stranger).sent();
}

#[test]
fn who_claims_the_address_of_a_live_host_is_reported_and_treated_as_configured() {
    let thief = [2, 0, 0, 0, 0, 0x66];
    let mut lab = site(|_| {});
    live(&mut lab, VM);
    assert_eq!(from_vm(&mut lab, thief, "10.4.0.7"), Fate::Dropped(EidClaimed));
    assert_eq!(lab.punts(), [seen(VM, By::Data, true, thief)]);
    assert_eq!(lab.receive(NATIVE, &arp([192, 0, 2, 77], thief)), Fate::Dropped(EidClaimed));
    from_vm(&mut lab, VM_MAC, "10.4.0.7").sent();
    let mut lab = site(|rules| rules.refuse_claims = false);
    live(&mut lab, VM);
    from_vm(&mut lab, thief, "10.4.0.7").sent();
    assert_eq!(lab.punts(), [seen(VM, By::Data, true, thief)]);
}

#[test]
fn the_gateway_address_of_another_site_is_no_host() {
    let mut lab = site(|_| {});
    lab.route(0, "192.0.2.65/32", Route::Local);
    assert_eq!(lab.receive(NATIVE, &arp([192, 0, 2, 65], OUR_MAC[0])), Fate::Host);
    assert!(lab.punts().is_empty());
}

#[test]
fn what_comes_for_a_host_that_is_away_goes_on_to_its_new_site_r113_r190() {
    let mut lab = site(|_| {});
    lab.apply(Delta::LocalEidSet { vrf: VrfId(0), prefix: "192.0.2.64/26".parse().unwrap() });
    lab.map(0, "192.0.2.64/26", MapAction::LocalSite);
    live(&mut lab, VM);
    assert_eq!(lab.core(&to_vm()).sent().0, NATIVE);
    away(&mut lab, true);
    lab.map(0, &format!("{VM}/32"), MapAction::Encapsulate(Target::Rloc(RLOC_V6)));
    let (port, outer) = lab.core(&to_vm()).sent();
    assert_eq!(port, CORE);
    let inner = dissect_ip(&outer.lisp().inner);
    assert_eq!((inner.destination.to_string(), inner.ttl), (VM.to_owned(), 8), "TTL as by a router");
    let hit = Punt::AwayHit { vrf: VrfId(0), eid: VM.parse().unwrap(), rloc: "203.0.113.4".parse().unwrap() };
    assert_eq!(lab.punts(), [hit]);
    lab.core(&to_vm()).sent();
    assert!(lab.punts().is_empty(), "not again within a second");
    assert_eq!(lab.native(&udp("192.0.2.100", VM, 1)).sent().0, CORE, "from a host of the site, too");
}

#[test]
fn a_host_that_is_away_and_not_found_yet_has_its_packets_held_r190() {
    let mut lab = site(|_| {});
    lab.apply(Delta::LocalEidSet { vrf: VrfId(0), prefix: "192.0.2.64/26".parse().unwrap() });
    lab.map(0, "192.0.2.64/26", MapAction::LocalSite);
    away(&mut lab, true);
    assert_eq!(lab.core(&to_vm()), Fate::Held);
    lab.map(0, &format!("{VM}/32"), MapAction::Encapsulate(Target::Rloc(RLOC_V6)));
    assert_eq!(lab.sent(CORE).len(), 1, "sent when its new site is known");
    away(&mut lab, false);
    assert_eq!(lab.core(&to_vm()).told().0, EidAway, "the other choice");
    lab.apply(Delta::LocalEidSet { vrf: VrfId(0), prefix: format!("{VM}/32").parse().unwrap() });
    lab.map(0, &format!("{VM}/32"), MapAction::LocalSite);
    lab.route(0, &format!("{VM}/32"), Route::Via(HOST));
    assert_eq!(lab.core(&to_vm()).sent().0, NATIVE, "it is back");
}
