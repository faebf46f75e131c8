//! From the configuration and the launched ports to what the feeder and netlink are told.

use super::carrier::Carrier;
use crate::config::{Admission, AdmittedSite, Config, Policer, Port, Vrf};
use crate::engine::config::DynamicEidRange;
use crate::feeder::{AdmissionSpec, Capacity, FeederSpec, PolicerFeed, PortFeed, SiteFeed, VrfFeed};
use crate::netlink::{HostInterface, Interest, Space, table_in};
use ipnet::IpNet;
use pxtr_dataplane::admission::SiteRules;
use pxtr_dataplane::feed::{PortPolicy, RlocOptions, SourceRules, VrfSpec};
use pxtr_dataplane::launch::{LaunchConfig, PortHandle};
use pxtr_dataplane::types::{InstanceId, PortId};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Most neighbours of all ports.
const MAX_NEIGHBOURS: usize = 1 << 16;

/// What is worth following of the kernel's tables.
pub(super) fn interest(config: &Config, launch: &LaunchConfig) -> Interest {
    let interfaces = config.ports.iter().filter_map(|p| Some((space(config, p), p.host_interface.clone()?)));
    Interest {
        interfaces: interfaces.collect(),
        tables: config.vrfs.iter().map(|v| table(config, v)).collect(),
        max_routes: launch.replica.routes as usize,
        max_neighbours: MAX_NEIGHBOURS,
    }
}

/// The network namespaces of tenants; their spaces are 1, 2, ...
pub(super) fn namespaces(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in config.vrfs.iter().filter_map(|vrf| vrf.netns.as_ref()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The space of a port's host interface.
pub(super) fn space(config: &Config, port: &Port) -> Space {
    config.vrfs.get(usize::from(port.vrf.0)).map_or(0, |vrf| space_of(config, vrf))
}

fn space_of(config: &Config, vrf: &Vrf) -> Space {
    let Some(name) = &vrf.netns else { return 0 };
    let at = namespaces(config).iter().position(|known| known == name);
    at.and_then(|at| Space::try_from(at + 1).ok()).unwrap_or_default()
}

fn table(config: &Config, vrf: &Vrf) -> u64 {
    table_in(space_of(config, vrf), vrf.table)
}

/// The kernel interface behind a port whose device shares it with the kernel.
pub(super) fn backing_interface<'a>(device: &str, device_args: &'a str) -> Option<&'a str> {
    let shared = device.starts_with("net_af_packet") || device.starts_with("net_af_xdp");
    let args = device_args.split(',').map(str::trim);
    shared.then(|| args.filter_map(|arg| arg.strip_prefix("iface=")).next()).flatten()
}

/// What the host interface of each port must look like.
pub(super) fn host_interfaces(config: &Config, handles: &[PortHandle]) -> Vec<(Space, HostInterface)> {
    let one = |(port, handle): (&Port, &PortHandle)| {
        let name = handle.host_interface()?.to_owned();
        let namespace = config.netns(port).map(str::to_owned);
        let (mac, mtu) = (handle.mac(), handle.mtu());
        Some((space(config, port), HostInterface { name, namespace, mac, mtu }))
    };
    config.ports.iter().zip(handles).filter_map(one).collect()
}

/// The links that are to be watched. The cable of a sub-interface is its parent's.
pub(super) fn carrier(config: &Config) -> Carrier {
    Carrier::new(config.ports.iter().filter_map(|port| {
        let device = match port.sub {
            Some((parent, _)) => config.ports.get(usize::from(parent.0))?,
            None => port,
        };
        let backing = backing_interface(&device.device, &device.device_args);
        let host = (space(config, port), port.host_interface.clone()?);
        Some((port.id, port.name.clone(), host, backing.map(str::to_owned)))
    }))
}

/// Host interfaces that lead to native hosts only; First-Hop Routers are no hosts. Our sockets
/// hear nothing of other namespaces.
pub(super) fn native_interfaces(config: &Config) -> Vec<String> {
    let routers =
        |p: &crate::config::Port| config.dynamic_eids.iter().any(|r| r.first_hop_ports.contains(&p.id));
    let at_home = config.ports.iter().filter(|p| !p.underlay && !routers(p) && space(config, p) == 0);
    at_home.filter_map(|p| p.host_interface.clone()).collect()
}

/// The space of each port's host interface.
pub(super) fn spaces(config: &Config) -> Vec<Space> {
    config.ports.iter().map(|port| space(config, port)).collect()
}

/// The locators of our site, where their state is said to others.
fn site_locators(config: &Config) -> Vec<IpAddr> {
    let said = config.trust.status_bits && config.roles.xtr;
    let all = config.database.iter().filter(|_| said).flat_map(|mapping| &mapping.locators);
    all.map(|locator| locator.rloc).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What the feeder is told.
pub(super) fn feeder_spec(config: &Config, launch: &LaunchConfig, handles: &[PortHandle]) -> FeederSpec {
    let limits = &launch.replica;
    let ports = config.ports.iter().zip(handles).map(|(port, handle)| PortFeed {
        id: port.id,
        host_interface: port.host_interface.clone().unwrap_or_default(),
        space: space(config, port),
        vrf: port.vrf,
        underlay: port.underlay,
        native: port.native,
        mac: handle.mac(),
        mtu: port.mtu,
        policy: PortPolicy {
            learn_path_mtu: port.learn_path_mtu,
            relay_time_exceeded: port.relay_time_exceeded,
            control_in_data: config.nat_traversal && port.underlay,
        },
        sources: source_rules(config, port),
        instances: port.instances.clone(),
    });
    FeederSpec {
        ports: ports.collect(),
        vrfs: config.vrfs.iter().map(|vrf| vrf_feed(config, vrf)).collect(),
        rlocs: config.rlocs.clone(),
        anycast_rlocs: config.anycast_rlocs.clone(),
        paths: paths(config),
        encryption: encryption(config).collect(),
        admission: admission(config),
        policers: config.policers.iter().map(policer).collect(),
        trust: config.trust.clone(),
        site_locators: site_locators(config),
        nonces: config.peer_nonces.clone(),
        capacity: Capacity {
            entries: limits.entries,
            rlocs: limits.rlocs,
            locator_sets: limits.locator_sets,
            adjacencies: limits.adjacencies,
            ..Capacity::default()
        },
    }
}

/// What is special about the ways to RLOCs, by prefix.
fn paths(config: &Config) -> Vec<(IpNet, RlocOptions)> {
    config.paths.iter().flat_map(|path| path.rlocs.iter().map(|prefix| (*prefix, path.options))).collect()
}

/// What the native sources of a port are held to; `None`: nothing is asked of them.
fn source_rules(config: &Config, port: &crate::config::Port) -> Option<SourceRules> {
    let prefixes = |ports: fn(&DynamicEidRange) -> &[PortId]| {
        let ranges = config.dynamic_eids.iter().filter(|range| ports(range).contains(&port.id));
        ranges.map(|range| range.mapping.eid.prefix).collect::<Box<[_]>>()
    };
    let (dynamic, behind) = (prefixes(|range| &range.ports), prefixes(|range| &range.first_hop_ports));
    let strict = port.strict_source.unwrap_or(!dynamic.is_empty());
    let (loose, refuse_claims) = (port.loose_source, port.refuse_claims);
    let rules = SourceRules { dynamic, strict, loose, refuse_claims, behind };
    (rules.strict || rules.loose || !rules.dynamic.is_empty() || !rules.behind.is_empty()).then_some(rules)
}

/// Who is spoken to encrypted; `true`: or not at all.
fn encryption(config: &Config) -> impl Iterator<Item = (IpNet, bool)> + '_ {
    config.encryption.iter().flat_map(|rule| rule.rlocs.iter().map(|prefix| (*prefix, rule.required)))
}

fn policer(policer: &Policer) -> PolicerFeed {
    let Policer { name, vrf, eid_prefixes, rate } = policer.clone();
    PolicerFeed { name, vrf, eid_prefixes, rate }
}

/// Who may send LISP data to us.
fn admission(config: &Config) -> AdmissionSpec {
    let Admission { outer_sources, nonces, unknown, sites } = &config.admission;
    let site = |site: &AdmittedSite| {
        let rules = SiteRules { outer_sources: site.outer_sources.clone().into(), strict: site.strict };
        (site.name.clone(), SiteFeed { vrf: site.vrf, eid_prefixes: site.eid_prefixes.clone(), rules })
    };
    AdmissionSpec {
        outer_sources: outer_sources.as_ref().map(|list| list.iter().copied().collect()),
        nonces: nonces.clone(),
        unknown: *unknown,
        encrypted: encryption(config).filter(|(_, required)| *required).map(|(prefix, _)| prefix).collect(),
        strict: config.vrfs.iter().filter(|vrf| vrf.strict_inner_source).map(|vrf| vrf.id).collect(),
        sites: sites.iter().map(site).collect(),
    }
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
            decap_copy_dscp: vrf.decap_copy_dscp,
            encap_dscp: vrf.encap_dscp,
            clamp_mss_to_mtu: vrf.clamp_mss_to_mtu,
            // An inner destination in EID space goes on to its site.
            rtr: roles.pitr && roles.petr,
        },
        table: table(config, vrf),
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
