//! VRFs.

use super::text::{Sheet, cut};
use crate::api::Vrfs;

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
