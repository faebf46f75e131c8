//! Random tables: small, dense and full of overlaps, so that random packets meet all of them.

use super::dice::Dice;
use super::world::{Row, World};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pxtr_dataplane::admission::*;
use pxtr_dataplane::feed::*;
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::types::*;
use std::net::IpAddr;

pub const PORTS: u16 = 3;
const ADJACENCIES: usize = 5;
const RLOCS: usize = 7;
const V4: [&str; 5] = ["10.0.0.0/8", "10.4.0.0/16", "192.0.2.0/24", "198.51.100.0/25", "0.0.0.0/0"];
const V6: [&str; 5] = ["2001:db8::/32", "2001:db8:e000::/40", "2001:db8:1::/64", "2001:db8:c0::/64", "::/0"];

/// MAC address of a neighbour.
pub fn neighbour(n: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0xBB, n as u8])
}

/// MAC address of ours.
pub fn ours(port: u16) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, 0x10 + port as u8])
}

/// A prefix out of the plan, or one inside of such.
pub fn prefix(dice: &mut Dice, v6: bool) -> IpNet {
    let base: IpNet = dice.pick(if v6 { &V6 } else { &V4 }).parse().unwrap();
    if dice.one_in(3) {
        return base;
    }
    let length =
        base.prefix_len() + dice.below(usize::from(base.max_prefix_len() - base.prefix_len()) + 1) as u8;
    inside(dice, base, length)
}

/// A prefix of this length inside of another one. Few of its bits are set, so that equal ones are frequent.
fn inside(dice: &mut Dice, base: IpNet, length: u8) -> IpNet {
    let few = |dice: &mut Dice| 1u128.checked_shl(dice.below(128) as u32).unwrap_or(0);
    let bits = few(dice) | few(dice);
    match base {
        IpNet::V4(net) => {
            let host = bits as u32 & net.hostmask().to_bits();
            let addr = (net.network().to_bits() | host).into();
            Ipv4Net::new(addr, length).unwrap().trunc().into()
        }
        IpNet::V6(net) => {
            let addr = (net.network().to_bits() | bits & net.hostmask().to_bits()).into();
            Ipv6Net::new(addr, length).unwrap().trunc().into()
        }
    }
}

/// An address in a prefix: one of few, or any.
pub fn address(dice: &mut Dice, within: IpNet) -> IpAddr {
    let bits = if dice.one_in(4) { dice.wide() } else { dice.below(4) as u128 };
    match within {
        IpNet::V4(net) => {
            IpAddr::V4((net.network().to_bits() | bits as u32 & net.hostmask().to_bits()).into())
        }
        IpNet::V6(net) => IpAddr::V6((net.network().to_bits() | bits & net.hostmask().to_bits()).into()),
    }
}

fn host(addr: &str) -> IpAddr {
    addr.parse().unwrap()
}

fn port(dice: &mut Dice, id: u16) -> Option<PortSpec> {
    let underlay = id == 1 || dice.one_in(4);
    let octet = u16::from(id as u8 + 1);
    let spec = PortSpec {
        vrf: VrfId(if dice.one_in(3) { dice.below(3) as u16 } else { 0 }),
        underlay,
        native: !underlay || dice.one_in(3),
        mac: ours(id),
        mtu: 1500,
        ipv4: (!dice.one_in(8)).then(|| [192, 0, 2, octet as u8].into()),
        ipv6: (!dice.one_in(8)).then(|| [0x2001, 0xDB8, 1, 0, 0, 0, 0, octet].into()),
        instances: dice.one_in(6).then(|| Box::from([VrfId(0)])),
        ..PortSpec::default()
    };
    (!dice.one_in(40)).then_some(spec)
}

fn vrf(dice: &mut Dice, instance: u32) -> VrfSpec {
    let pitr = !dice.one_in(4);
    VrfSpec {
        instance_id: InstanceId(instance),
        pitr,
        petr: !dice.one_in(4),
        xtr: dice.one_in(4),
        rtr: dice.one_in(4),
        decap_copy_dscp: dice.one_in(3),
        encap_dscp: dice.one_in(6).then(|| dice.below(64) as u8),
        clamp_mss_to_mtu: None,
    }
}

fn rloc(dice: &mut Dice, n: usize, local: &[IpAddr]) -> RlocState {
    let v6 = n % 2 == 1;
    let source = local.iter().copied().find(|addr| addr.is_ipv6() == v6);
    let (Some(source), false) = (source, dice.one_in(8)) else {
        return if dice.one_in(2) { RlocState::Down } else { RlocState::Resolving };
    };
    let options = RlocOptions {
        ecn_compatible: dice.one_in(8),
        udp_checksum: dice.one_in(8),
        may_fragment: dice.one_in(30),
        gpe: dice.one_in(8),
        ..RlocOptions::default()
    };
    let destination = if v6 { format!("2001:db8:f::{n}") } else { format!("203.0.113.{n}") };
    RlocState::Ready(Box::new(RlocRewrite {
        source,
        destination: host(&destination),
        port: PortId(dice.below(usize::from(PORTS)) as u16),
        source_mac: ours(1),
        next_hop_mac: neighbour(0xC0 + n),
        mtu: dice.pick(&[1500, 1500, 1336, 1400, 9000]),
        options,
        nonce: dice.one_in(8).then(|| Nonce::new(dice.word() as u32)),
    }))
}

fn action(dice: &mut Dice, sets: usize) -> MapAction {
    match dice.below(16) {
        0 => MapAction::NoLocator { unreachable: dice.one_in(2) },
        1 => MapAction::NativelyForward,
        2..=4 => MapAction::SendMapRequest,
        5 => MapAction::DropNoReason,
        6 => dice.pick(&[MapAction::DropPolicyDenied, MapAction::DropAuthFailure]),
        7 => MapAction::LocalSite,
        8..=10 => MapAction::Encapsulate(Target::Set(LocatorSetId(dice.below(sets) as u32))),
        _ => MapAction::Encapsulate(Target::Rloc(RlocId(dice.below(RLOCS) as u32))),
    }
}

fn route(dice: &mut Dice) -> Route {
    // One more than there are: a next hop that was never set up.
    let hop = |dice: &mut Dice| AdjacencyId(dice.below(ADJACENCIES + 1) as u32);
    match dice.below(10) {
        0 => Route::Local,
        1 => Route::Glean(PortId(dice.below(usize::from(PORTS)) as u16)),
        2 => Route::Reject(dice.pick(&[
            Reject::Blackhole,
            Reject::NetUnreachable,
            Reject::HostUnreachable,
            Reject::Prohibited,
        ])),
        3 => Route::Multipath((0..2 + dice.below(3)).map(|_| hop(dice)).collect()),
        _ => Route::Via(hop(dice)),
    }
}

fn adjacency(dice: &mut Dice, n: usize) -> Adjacency {
    let port = PortId(dice.below(usize::from(PORTS)) as u16);
    match dice.below(8) {
        0 => Adjacency::Resolving { port, neighbour: host("192.0.2.77") },
        1 => Adjacency::Failed,
        _ => Adjacency::Ready {
            port,
            source_mac: ours(port.0),
            mac: neighbour(n),
            mtu: dice.pick(&[1500, 1500, 1500, 1280, 9000]),
        },
    }
}

/// Rows with prefixes of their own.
fn rows<T>(
    dice: &mut Dice,
    vrfs: &[Option<VrfSpec>],
    most: usize,
    mut make: impl FnMut(&mut Dice) -> T,
) -> Vec<Row<T>> {
    let mut rows: Vec<Row<T>> = Vec::new();
    for _ in 0..dice.below(most + 1) {
        let vrf = VrfId(dice.below(vrfs.len()) as u16);
        let v6 = dice.one_in(2);
        let prefix = prefix(dice, v6);
        let taken = rows.iter().any(|row| (row.0, row.1) == (vrf, prefix));
        if vrfs[usize::from(vrf.0)].is_some() && !taken {
            rows.push((vrf, prefix, make(dice)));
        }
    }
    rows
}

fn routes(dice: &mut Dice, vrfs: &[Option<VrfSpec>], ports: &[Option<PortSpec>]) -> Vec<Row<Route>> {
    let mut routes = rows(dice, vrfs, 16, route);
    let mut add = |vrf: VrfId, prefix: IpNet, route: Route| {
        let known = vrfs.get(usize::from(vrf.0)).is_some_and(Option::is_some);
        if known && !routes.iter().any(|row| (row.0, row.1) == (vrf, prefix)) {
            routes.push((vrf, prefix, route));
        }
    };
    for port in ports.iter().flatten() {
        for own in [port.ipv4.map(IpAddr::V4), port.ipv6.map(IpAddr::V6)].into_iter().flatten() {
            add(port.vrf, own.into(), Route::Local);
        }
    }
    for (vrf, default) in [(0, "0.0.0.0/0"), (0, "::/0"), (1, "0.0.0.0/0"), (1, "::/0")] {
        if !dice.one_in(3) {
            add(
                VrfId(vrf),
                default.parse().unwrap(),
                Route::Via(AdjacencyId(dice.below(ADJACENCIES) as u32)),
            );
        }
    }
    routes
}

/// Tables by choice.
pub fn world(dice: &mut Dice) -> World {
    let key = FlowKey::new([dice.word(), 77, dice.word(), 5]);
    let vrfs = vec![Some(vrf(dice, 0)), Some(vrf(dice, 101)), dice.one_in(2).then(|| vrf(dice, 0xABCDE))];
    let ports: Vec<_> = (0..PORTS).map(|id| port(dice, id)).collect();
    let mut local_rlocs: Vec<IpAddr> = vec![host("198.51.100.2"), host("2001:db8:c0::2")];
    if dice.one_in(3) {
        local_rlocs.extend([host("198.51.100.3"), host("192.0.2.1")]);
    }
    let sets = (0..3).map(|_| (0..1 + dice.below(5)).map(|_| RlocId(dice.below(RLOCS) as u32)).collect());
    let sets: Vec<Vec<RlocId>> = sets.collect();
    let rlocs: Vec<_> = (0..RLOCS).map(|n| rloc(dice, n, &local_rlocs)).collect();
    let mappings = rows(dice, &vrfs, 24, |dice| {
        let outer = (0..dice.below(3)).map(|_| host(&format!("203.0.113.{}", dice.below(8)))).collect();
        (action(dice, 3), outer)
    });
    let guarded = dice.one_in(3);
    let asked = |dice: &mut Dice| guarded && dice.one_in(2);
    let nonces = (0..if asked(dice) { 1 + dice.below(2) } else { 0 }).map(|_| Nonce::new(0x0102));
    let admission = Admission {
        encrypted: Box::default(),
        nonces: nonces.collect(),
        outer_sources: asked(dice),
        unknown: dice.pick(&[UnknownSources::Wait, UnknownSources::Drop, UnknownSources::Admit]),
    };
    let site_rules = (0..2).map(|_| SiteRules {
        outer_sources: (0..dice.below(2)).map(|_| "203.0.113.0/30".parse().unwrap()).collect(),
        strict: dice.one_in(3),
    });
    let site_rules = site_rules.collect();
    World {
        key,
        verify: dice.one_in(2),
        routes: routes(dice, &vrfs, &ports),
        adjacencies: (0..ADJACENCIES).map(|n| adjacency(dice, n)).collect(),
        local_eids: rows(dice, &vrfs, 4, |_| ()),
        outer_sources: vec!["203.0.113.0/29".parse().unwrap(), "2001:db8:f::/64".parse().unwrap()],
        sites: rows(dice, &vrfs, 8, |dice| SiteId(dice.below(2) as u32)),
        vrf_admission: (0..3).map(|_| VrfAdmission { sites: asked(dice), strict: asked(dice) }).collect(),
        ports,
        vrfs,
        local_rlocs,
        rlocs,
        sets,
        mappings,
        admission,
        site_rules,
        gpe_peers: match dice.one_in(3) {
            true => {
                vec![("203.0.113.0/24".parse().unwrap(), true), ("203.0.113.2/32".parse().unwrap(), false)]
            }
            false => Vec::new(),
        },
    }
}
