//! From the configuration and the launched ports to what the feeder and netlink are told.

use super::carrier::Carrier;
use crate::config::Config;
use crate::feeder::{Capacity, FeederSpec, PortFeed, VrfFeed};
use crate::netlink::{HostInterface, Interest};
use pxtr_dataplane::feed::{PortPolicy, SourceRules, VrfSpec};
use pxtr_dataplane::launch::{LaunchConfig, PortHandle};
use pxtr_dataplane::types::InstanceId;

/// Most neighbours of all ports.
const MAX_NEIGHBOURS: usize = 1 << 16;

/// What is worth following of the kernel's tables.
pub(super) fn interest(config: &Config, launch: &LaunchConfig) -> Interest {
    Interest {
        interfaces: config.ports.iter().filter_map(|p| p.host_interface.clone()).collect(),
        tables: config.vrfs.iter().map(|v| v.table).collect(),
        max_routes: launch.replica.routes as usize,
        max_neighbours: MAX_NEIGHBOURS,
    }
}

/// The kernel interface behind a port whose device shares it with the kernel.
pub(super) fn backing_interface<'a>(device: &str, device_args: &'a str) -> Option<&'a str> {
    let shared = device.starts_with("net_af_packet") || device.starts_with("net_af_xdp");
    let args = device_args.split(',').map(str::trim);
    shared.then(|| args.filter_map(|arg| arg.strip_prefix("iface=")).next()).flatten()
}

/// What the host interface of each port must look like.
pub(super) fn host_interfaces(ports: &[PortHandle]) -> Vec<HostInterface> {
    let one = |port: &PortHandle| {
        Some(HostInterface { name: port.host_interface()?.to_owned(), mac: port.mac(), mtu: port.mtu() })
    };
    ports.iter().filter_map(one).collect()
}

/// The links that are to be watched.
pub(super) fn carrier(config: &Config) -> Carrier {
    Carrier::new(config.ports.iter().filter_map(|port| {
        let backing = backing_interface(&port.device, &port.device_args);
        Some((port.id, port.name.clone(), port.host_interface.clone()?, backing.map(str::to_owned)))
    }))
}

/// Host interfaces that lead to native hosts only.
pub(super) fn native_interfaces(config: &Config) -> Vec<String> {
    config.ports.iter().filter(|p| !p.underlay).filter_map(|p| p.host_interface.clone()).collect()
}

/// What the feeder is told.
pub(super) fn feeder_spec(config: &Config, launch: &LaunchConfig, handles: &[PortHandle]) -> FeederSpec {
    let limits = &launch.replica;
    let ports = config.ports.iter().zip(handles).map(|(port, handle)| PortFeed {
        id: port.id,
        host_interface: port.host_interface.clone().unwrap_or_default(),
        vrf: port.vrf,
        underlay: port.underlay,
        native: port.native,
        mac: handle.mac(),
        mtu: port.mtu,
        policy: PortPolicy {
            learn_path_mtu: port.learn_path_mtu,
            relay_time_exceeded: port.relay_time_exceeded,
        },
        sources: source_rules(config, port),
    });
    FeederSpec {
        ports: ports.collect(),
        vrfs: config.vrfs.iter().map(|vrf| vrf_feed(config, vrf)).collect(),
        rlocs: config.rlocs.clone(),
        capacity: Capacity {
            entries: limits.entries,
            rlocs: limits.rlocs,
            locator_sets: limits.locator_sets,
            adjacencies: limits.adjacencies,
            ..Capacity::default()
        },
    }
}

/// What the native sources of a port are held to; `None`: nothing is asked of them.
fn source_rules(config: &Config, port: &crate::config::Port) -> Option<SourceRules> {
    let ranges = config.dynamic_eids.iter().filter(|range| range.ports.contains(&port.id));
    let dynamic: Box<[_]> = ranges.map(|range| range.mapping.eid.prefix).collect();
    let strict = port.strict_source.unwrap_or(!dynamic.is_empty());
    let rules = SourceRules { dynamic, strict, refuse_claims: port.refuse_claims };
    (rules.strict || !rules.dynamic.is_empty()).then_some(rules)
}

fn vrf_feed(config: &Config, vrf: &crate::config::Vrf) -> VrfFeed {
    let roles = config.roles;
    let own = config.database.iter().filter(|m| roles.xtr && m.eid.iid == vrf.iid);
    VrfFeed {
        id: vrf.id,
        iid: vrf.iid,
        spec: VrfSpec {
            // The data header has 24 bits; the configuration saw to it that they suffice.
            instance_id: InstanceId(vrf.iid.0 & InstanceId::MAX),
            pitr: roles.pitr,
            petr: roles.petr,
            xtr: roles.xtr,
            decap_copy_dscp: false,
            // An inner destination in EID space goes on to its site.
            rtr: roles.pitr && roles.petr,
        },
        table: vrf.table,
        eid_space: vrf.eid_space.clone(),
        local_eids: own.map(|m| m.eid.prefix).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::backing_interface;

    #[test]
    fn only_devices_that_share_an_interface_have_one_behind_them() {
        for (device, args, expected) in [
            ("net_af_packet", "iface=core0", Some("core0")),
            ("net_af_packet0", "qpairs=2, iface=core0,blocksz=4096", Some("core0")),
            ("net_af_xdp", "iface=core0", Some("core0")),
            ("net_af_packet", "", None),
            ("net_tap", "iface=core0", None),
            ("0000:3b:00.0", "", None),
        ] {
            assert_eq!(backing_interface(device, args), expected, "{device} {args}");
        }
    }
}
