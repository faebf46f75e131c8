//! `[[port]]` tables that are sub-interfaces of another one, and the devices of those that are not.

use super::super::error::Problems;
use super::super::file::PortTable;
use super::super::leaf::{At, Key};
use super::all::{Cx, quoted};
use std::collections::HashSet;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let mut seen = HashSet::new();
    for port in cx.file.port.items() {
        if port.parent.is_given() {
            sub_interface(cx, port, problems);
            let parent = port.parent.get().map(|name| name.0.0.as_str());
            let ids =
                (port.vlan.get().map(|id| id.get::<u16>()), port.inner_vlan.get().map(|id| id.get::<u16>()));
            if let (Some(parent), Some(outer)) = (parent, ids.0)
                && !seen.insert((parent, ids))
            {
                let inner = ids.1.map_or(String::new(), |inner| format!(" and inner_vlan = {inner}"));
                problems.at(
                    port.vlan.span().unwrap_or_else(|| port.span()),
                    format!("port.vlan = {outer}{inner} of \"{parent}\" is another sub-interface's; give another one"),
                );
            }
        } else if !problems.was_bad("port.parent") {
            plain(port, problems);
        }
    }
}

/// A port with a device.
fn plain(port: &At<PortTable>, problems: &mut Problems) {
    if !port.device.is_given() && !problems.was_bad("port.device") {
        problems.at(
            port.span(),
            "port.device is missing; give the DPDK device, or the parent of a sub-interface",
        );
    }
    let tags = [("vlan", port.vlan.span()), ("inner_vlan", port.inner_vlan.span()), ("tag", port.tag.span())];
    for (key, span) in tags {
        if let Some(span) = span {
            problems.at(
                span,
                format!("port.{key} has no effect without port.parent; give it or remove this key"),
            );
        }
    }
}

fn sub_interface(cx: &Cx<'_>, port: &At<PortTable>, problems: &mut Problems) {
    fn given<T>(key: &Key<T>) -> Option<std::ops::Range<usize>> {
        key.span()
    }
    let parents = [
        ("device", given(&port.device)),
        ("device_args", given(&port.device_args)),
        ("queues", given(&port.queues)),
        ("spread", given(&port.spread)),
        ("gateway_mac", given(&port.gateway_mac)),
    ];
    for (key, span) in parents {
        if let Some(span) = span {
            problems.at(span, format!("port.{key} is the parent's affair; remove it from the sub-interface"));
        }
    }
    if !port.vlan.is_given() && !problems.was_bad("port.vlan") {
        problems.at(port.span(), "port.vlan is missing; give the VLAN identifier of the sub-interface");
    }
    let Some(parent) = port.parent.at() else { return };
    let ports = cx.file.port.items();
    let named = |other: &&At<PortTable>| other.name.get() == Some(&**parent);
    let Some(found) = ports.iter().find(named) else {
        if ports.iter().all(|other| other.name.is_given()) {
            let message = format!(
                "port.parent = {} is no port of this file; give the name of a [[port]]",
                quoted(&parent.0.0)
            );
            problems.at(parent.span(), message);
        }
        return;
    };
    if found.parent.is_given() {
        let message = format!(
            "port.parent = {} is a sub-interface itself; give the port with the device, and inner_vlan for a second tag",
            quoted(&parent.0.0)
        );
        return problems.at(parent.span(), message);
    }
    let room = found.mtu.get().map_or(1500, |mtu| mtu.get::<u16>());
    if let Some(mtu) = port.mtu.at()
        && mtu.get::<u16>() > room
        && !problems.was_bad("port.mtu")
    {
        let message = format!(
            "port.mtu = {} is more than the {room} of its parent; lower it or raise the parent's",
            mtu.get::<u16>()
        );
        problems.at(mtu.span(), message);
    }
}
