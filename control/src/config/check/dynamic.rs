//! `[[lisp.dynamic_eid]]` and what it needs of ports.

use super::super::error::Problems;
use super::super::file::{DynamicEidTable, LispTable, PortTable};
use super::super::leaf::{At, Key, Word};
use super::super::words::Name;
use super::all::{Cx, unique};
use super::lisp::{eid, has_own, locators};

/// A packet's source is tried against the prefixes of its port one after the other.
const MAX_RANGES: usize = 64;

pub(super) fn check(cx: &Cx<'_>, lisp: &LispTable, problems: &mut Problems) {
    let ranges = lisp.dynamic_eid.items();
    let prefixes = ranges.iter().filter_map(|range| eid(&range.vrf, &range.eid_prefix));
    unique("lisp.dynamic_eid.eid_prefix", prefixes, "give each EID prefix once", problems);
    if let Some(range) = ranges.get(MAX_RANGES) {
        problems.at(
            range.span(),
            format!("lisp.dynamic_eid has more than {MAX_RANGES} prefixes; give larger ones"),
        );
    }
    for range in ranges {
        own_locator(lisp, range, problems);
        if range.ports.items().is_empty()
            && range.first_hop_ports.items().is_empty()
            && !problems.was_bad("lisp.dynamic_eid.ports")
            && !problems.was_bad("lisp.dynamic_eid.first_hop_ports")
        {
            problems.at(
                range.span(),
                "lisp.dynamic_eid.ports is empty; give the ports where hosts are looked for",
            );
        }
        first_hops(cx, lisp, range, problems);
        if let Some(list) = range.seen_by.at().filter(|list| list.is_empty()) {
            problems.at(list.span(), "lisp.dynamic_eid.seen_by is empty; give \"data\" at least");
        }
        for name in range.ports.items() {
            port(cx, range, ("lisp.dynamic_eid.ports", name), problems);
        }
        for name in range.first_hop_ports.items() {
            port(cx, range, ("lisp.dynamic_eid.first_hop_ports", name), problems);
        }
    }
    for port in cx.file.port.items() {
        gateway(port, problems);
    }
}

fn own_locator(lisp: &LispTable, range: &DynamicEidTable, problems: &mut Problems) {
    let path = "lisp.dynamic_eid.locators";
    let Some(list) = range.locators.at() else { return };
    locators(path, lisp, &range.locators, problems);
    let bad = ["lisp.rlocs", path, "lisp.dynamic_eid.locators.rloc"].iter().any(|key| problems.was_bad(key));
    if !bad && !lisp.rlocs.items().is_empty() && !list.iter().any(|l| has_own(lisp, l)) {
        problems
            .at(list.span(), format!("{path} has none of lisp.rlocs; give the locators of this router too"));
    }
}

/// Where First-Hop Routers are heard, and who they are.
fn first_hops(cx: &Cx<'_>, lisp: &LispTable, range: &DynamicEidTable, problems: &mut Problems) {
    let Some(list) = range.first_hop_ports.at().filter(|list| !list.is_empty()) else { return };
    if cx.roles.fhr {
        let message =
            "lisp.dynamic_eid.first_hop_ports is for xTRs; a First-Hop Router looks for hosts itself";
        problems.at(list.span(), message);
    } else if lisp.first_hop_router.items().is_empty() && !problems.was_bad("lisp.first_hop_router") {
        problems.at(
            list.span(),
            "lisp.dynamic_eid.first_hop_ports has nobody to listen to; give the routers in [[lisp.first_hop_router]]",
        );
    }
    let both = |name: &&At<Word<Name>>| range.ports.items().iter().any(|port| port.0 == name.0);
    if let Some(name) = list.iter().find(both) {
        let message = format!(
            "lisp.dynamic_eid.first_hop_ports = \"{}\" is in ports too; hosts are looked for here or by a First-Hop Router",
            name.0.0
        );
        problems.at(name.span(), message);
    }
}

fn port(
    cx: &Cx<'_>,
    range: &DynamicEidTable,
    (path, name): (&str, &At<Word<Name>>),
    problems: &mut Problems,
) {
    let wanted = name.0.0.as_str();
    let ports = cx.file.port.items();
    if ports.iter().any(|port| port.name.get().is_none()) {
        return;
    }
    let Some(port) = ports.iter().find(|port| port.name.get().is_some_and(|n| n.0.0 == wanted)) else {
        let message = format!("{path} = \"{wanted}\" is no port of this file; give the name of a [[port]]");
        return problems.at(name.span(), message);
    };
    if port.native.get() != Some(&true) && !problems.was_bad("port.native") {
        let message = format!("{path} = \"{wanted}\" takes no native packets; set native = true there");
        problems.at(name.span(), message);
    }
    let vrf = |key: &Key<Word<Name>>| {
        let first = || cx.file.vrf.items().first().and_then(|vrf| vrf.name.get());
        key.get().or_else(first).map(|name| name.0.0.clone())
    };
    if let (Some(here), Some(there)) = (vrf(&range.vrf), vrf(&port.vrf))
        && here != there
    {
        let message = format!(
            "{path} = \"{wanted}\" is in VRF \"{there}\", the prefix in \"{here}\"; give ports of one VRF"
        );
        problems.at(name.span(), message);
    }
}

/// The address is set on the kernel interface that the device shares.
fn gateway(port: &PortTable, problems: &mut Problems) {
    let (Some(mac), Some(device)) = (port.gateway_mac.at(), port.device.get()) else { return };
    let device = device.0.0.as_str();
    if !(device.starts_with("net_af_packet") || device.starts_with("net_af_xdp")) {
        let message = format!(
            "port.gateway_mac can not be set on {device} yet; give a net_af_packet or net_af_xdp port or leave the key away"
        );
        problems.at(mac.span(), message);
    }
}
