//! A site router: sources in the site, destinations outside.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{Delta, MapAction, Route, Target};
use pxtr_dataplane::types::VrfId;
use pxtr_dataplane::verdict::DropReason::*;

/// The lab with VRF 0 as a site of 192.0.2.0/24 and 2001:db8:1::/64.
fn site() -> Lab {
    let mut lab = Lab::new();
    lab.vrf(0, |vrf| (vrf.pitr, vrf.petr, vrf.xtr) = (false, false, true));
    for prefix in ["192.0.2.0/24", "2001:db8:1::/64"] {
        let prefix = prefix.parse().unwrap();
        lab.apply(Delta::LocalEidSet { vrf: VrfId(0), prefix });
        lab.map(0, &prefix.to_string(), MapAction::LocalSite);
    }
    lab
}

#[test]
fn candidates_are_from_inside_to_outside_r009() {
    let mut lab = site();
    lab.route(0, "172.16.0.0/12", Route::Via(ROUTER));
    lab.map(0, "0.0.0.0/0", MapAction::Encapsulate(Target::Rloc(RLOC_V6)));
    let native = |fate: Fate| fate.sent().0 == NATIVE;
    assert!(!native(lab.native(&udp("192.0.2.9", "10.4.0.7", 5))), "EID to EID");
    assert!(!native(lab.native(&udp("192.0.2.9", "8.8.8.8", 5))), "only a default route: use-petr entry");
    assert!(native(lab.native(&udp("192.0.2.9", "172.16.0.1", 5))), "the FIB knows it");
    assert!(native(lab.native(&udp("172.16.0.1", "10.4.0.7", 5))), "source is no EID of ours");
    assert!(native(lab.native(&udp("172.16.0.1", "192.0.2.9", 5))), "to our site");
}

#[test]
fn only_our_eids_come_out_r034_r038() {
    let mut lab = site();
    let from_core = |to: &str| lisp("203.0.113.4", "198.51.100.2", [0; 8], &udp("10.4.0.7", to, 5).ip());
    let (port, seen) = lab.core(&from_core("192.0.2.9")).sent();
    assert_eq!((port, seen.to), (NATIVE, HOST_MAC));
    let (reason, port, outer) = lab.core(&from_core("8.8.8.8")).told();
    assert_eq!((reason, port), (InnerNotLocal, CORE));
    let icmp = dissect_ip(&outer.lisp().inner);
    assert_eq!(icmp.source.to_string(), "192.0.2.1", "from an address of the site");
    lab.vrf(0, |vrf| vrf.petr = true);
    assert_eq!(lab.core(&from_core("8.8.8.8")).sent().0, NATIVE, "unless it is a PETR, too");
}

#[test]
fn errors_to_hosts_of_the_site_are_native() {
    let mut lab = site();
    let (_, port, icmp) = lab.native(&udp("192.0.2.9", "10.4.0.7", 5).ttl(1)).told();
    assert_eq!((port, icmp.to), (NATIVE, HOST_MAC));
}
