//! VRFs and policers.

use super::text::{Sheet, cut, scaled};
use crate::api::{Policers, Vrfs};

pub(in super::super) fn vrfs(vrfs: &Vrfs) -> String {
    if vrfs.vrfs.is_empty() {
        return format!("no such VRF ({} in all)\n", vrfs.vrfs_total);
    }
    let mut sheet = Sheet::new(&[
        "VRF",
        ">INSTANCE",
        ">RX-PACKETS",
        ">RX-BYTES",
        ">ENCAP-PACKETS",
        ">ENCAP-BYTES",
        ">DECAP-PACKETS",
        ">DECAP-BYTES",
        ">NATIVE-PACKETS",
        ">NATIVE-BYTES",
        ">DROPPED",
        "PORTS",
    ]);
    for vrf in &vrfs.vrfs {
        let mut row = vec![vrf.vrf.clone(), vrf.instance_id.to_string()];
        for flow in [vrf.received, vrf.encapsulated, vrf.decapsulated, vrf.forwarded] {
            row.extend([flow.packets.to_string(), flow.bytes.to_string()]);
        }
        row.push(vrf.dropped_packets.to_string());
        row.push(if vrf.ports.is_empty() { "-".to_owned() } else { vrf.ports.join(" ") });
        sheet.row(row);
    }
    sheet.finish() + &cut(vrfs.truncated, vrfs.vrfs.len(), vrfs.vrfs_total)
}

pub(in super::super) fn policers(policers: &Policers) -> String {
    if policers.policers.is_empty() {
        return format!("no such policer ({} in all)\n", policers.policers_total);
    }
    let mut sheet = Sheet::new(&[
        "POLICER",
        "VRF",
        ">INSTANCE",
        ">RATE",
        ">BURST",
        ">PASSED-PACKETS",
        ">PASSED-BYTES",
        ">DROPPED-PACKETS",
        ">DROPPED-BYTES",
        "EID-PREFIXES",
    ]);
    for p in &policers.policers {
        let unit = if p.unit == "packets" { "p" } else { "bit" };
        let prefixes = p.eid_prefixes.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
        sheet.row(vec![
            p.policer.clone(),
            p.vrf.clone(),
            p.instance_id.to_string(),
            format!("{}{unit}/s", scaled(p.rate as f64)),
            format!("{}{unit}", scaled(p.burst as f64)),
            p.passed.packets.to_string(),
            p.passed.bytes.to_string(),
            p.dropped.packets.to_string(),
            p.dropped.bytes.to_string(),
            if p.eid_prefixes.is_none() { "all".to_owned() } else { prefixes.join(" ") },
        ]);
    }
    sheet.finish() + &cut(policers.truncated, policers.policers.len(), policers.policers_total)
}
