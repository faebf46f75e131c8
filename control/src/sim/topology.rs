//! Who has which address, and what each node is configured with.

use super::scenario::{Scenario, Shape};
use super::truth::Truth;
use crate::engine::config::{
    AuthAlgorithm, DatabaseMapping, EngineConfig, Key, Limits, MapServerPeer, Roles, Secret, Site,
    SitePrefix, VrfConfig,
};
use crate::engine::event::{EidPrefix, Iid};
use ipnet::IpNet;
use pxtr_dataplane::trust::MapVersion;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address of the hostile node.
pub(super) const HOSTILE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));
/// The key that all honest sites share.
const SITE_KEY: &[u8] = b"key of the honest sites";
/// The key of the hostile node's own site.
pub(super) const ROGUE_KEY: &[u8] = b"key of the hostile site";

/// What a node is, and its number among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Proxy xTR.
    Proxy(usize),
    /// Map-Resolver.
    Resolver(usize),
    /// Map-Server.
    Server(usize),
    /// The xTR of a site.
    Site(usize),
}

impl Kind {
    /// It looks mappings up.
    pub(super) const fn is_itr(self) -> bool {
        matches!(self, Self::Proxy(_) | Self::Site(_))
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Proxy(n) => write!(f, "pxtr{n}"),
            Self::Resolver(n) => write!(f, "mr{n}"),
            Self::Server(n) => write!(f, "ms{n}"),
            Self::Site(n) => write!(f, "xtr{n}"),
        }
    }
}

/// All nodes, in the order in which operations count them.
pub(super) fn kinds(shape: &Shape) -> Vec<Kind> {
    let proxies = (0..usize::from(shape.proxies)).map(Kind::Proxy);
    let resolvers = (0..usize::from(shape.resolvers)).map(Kind::Resolver);
    let servers = (0..usize::from(shape.servers)).map(Kind::Server);
    let sites = (0..usize::from(shape.sites)).map(Kind::Site);
    proxies.chain(resolvers).chain(servers).chain(sites).collect()
}

fn v4(third: u8, base: u8, n: usize) -> IpAddr {
    let last = base.saturating_add(u8::try_from(n).unwrap_or(u8::MAX));
    IpAddr::V4(Ipv4Addr::new(192, 0, third, last))
}

fn v6(kind: u16, n: usize) -> IpAddr {
    let n = u16::try_from(n).unwrap_or(u16::MAX);
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xc0, kind, 0, 0, 0, n + 1))
}

/// The two RLOCs of a site.
pub(super) fn site_rlocs(shape: &Shape, site: usize) -> [IpAddr; 2] {
    let second = if shape.ipv6 { v6(4, site) } else { v4(2, 201, 2 * site) };
    [v4(2, 200, 2 * site), second]
}

/// The RLOCs of a node.
pub(super) fn rlocs(shape: &Shape, kind: Kind) -> Vec<IpAddr> {
    let (v4, v6) = match kind {
        Kind::Proxy(n) => (v4(2, 10, n), v6(1, n)),
        Kind::Resolver(n) => (v4(2, 50, n), v6(2, n)),
        Kind::Server(n) => (v4(2, 100, n), v6(3, n)),
        Kind::Site(n) => return site_rlocs(shape, n).to_vec(),
    };
    if shape.ipv6 { vec![v4, v6] } else { vec![v4] }
}

/// The EID-prefix of a number; beyond the last: one that no site has.
pub(super) fn prefix(shape: &Shape, n: usize) -> EidPrefix {
    let number = u8::try_from(n).unwrap_or(u8::MAX);
    let prefix = if shape.ipv6 && n % 2 == 1 {
        let addr = Ipv6Addr::new(0x2001, 0xdb8, 0xe000 + u16::from(number), 0, 0, 0, 0, 0);
        IpNet::new(IpAddr::V6(addr), 48)
    } else {
        IpNet::new(IpAddr::V4(Ipv4Addr::new(10, number, 0, 0)), 24)
    };
    // Both lengths are lengths that the families have.
    let prefix = prefix.unwrap_or_default();
    EidPrefix { iid: Iid(0), prefix }
}

/// A host of an EID-prefix.
pub(super) fn host(shape: &Shape, n: usize) -> IpAddr {
    match prefix(shape, n).prefix.addr() {
        IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() + 9)),
        IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() + 9)),
    }
}

fn space() -> Vec<IpNet> {
    let v4 = IpNet::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8);
    let v6 = IpNet::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xe000, 0, 0, 0, 0, 0)), 36);
    [v4, v6].into_iter().flatten().collect()
}

fn key(secret: &[u8]) -> Key {
    Key { id: 1, secret: Secret::new(secret.to_vec()) }
}

/// What a node is configured with at this moment. `epoch` counts its starts.
pub(super) fn config(scenario: &Scenario, truth: &Truth, kind: Kind, epoch: u32) -> EngineConfig {
    let shape = &scenario.shape;
    let servers = || (0..usize::from(shape.servers)).map(|n| rlocs(shape, Kind::Server(n))[0]);
    let mut config = EngineConfig {
        rlocs: rlocs(shape, kind),
        limits: limits(shape),
        register_nonce_epoch: epoch,
        ..EngineConfig::default()
    };
    let vrf = |eid_space| VrfConfig { name: "default".into(), iid: Iid(0), eid_space };
    config.vrfs = vec![vrf(if matches!(kind, Kind::Proxy(_)) { space() } else { Vec::new() })];
    if kind.is_itr() {
        config.map_resolvers =
            (0..usize::from(shape.resolvers)).map(|n| rlocs(shape, Kind::Resolver(n))[0]).collect();
    }
    match kind {
        Kind::Proxy(_) => config.roles = Roles { pitr: true, petr: true, ..Roles::default() },
        Kind::Resolver(_) => {
            config.roles = Roles { map_resolver: true, ..Roles::default() };
            config.map_resolver_forward_to = servers().collect();
        }
        Kind::Server(_) => {
            config.roles = Roles { map_server: true, ..Roles::default() };
            config.sites = map_server_sites(shape);
        }
        Kind::Site(n) => {
            config.roles = Roles { xtr: true, ..Roles::default() };
            let ttl_minutes = u32::from(shape.ttl_minutes);
            let mapping = |(eid, locators)| DatabaseMapping {
                eid,
                ttl_minutes,
                locators,
                map_version: MapVersion::NONE,
            };
            config.database = truth.database(n).into_iter().map(mapping).collect();
            config.map_servers = servers().map(|address| map_server_peer(shape, address)).collect();
            let number = u8::try_from(n).unwrap_or(u8::MAX);
            config.xtr_id = shape.xtr_id.then(|| ([number; 16], u64::from(number)));
        }
    }
    config
}

fn map_server_peer(shape: &Shape, address: IpAddr) -> MapServerPeer {
    MapServerPeer {
        address,
        key: key(SITE_KEY),
        algorithm: AuthAlgorithm::HmacSha256,
        proxy_reply: shape.proxy_reply,
        want_map_notify: true,
        lisp_sec: None,
    }
}

fn map_server_sites(shape: &Shape) -> Vec<Site> {
    let site = |name: &str, secret: &[u8], eids: Vec<EidPrefix>| Site {
        name: name.into(),
        keys: vec![key(secret)],
        algorithms: vec![AuthAlgorithm::HmacSha256],
        eid_prefixes: eids.into_iter().map(|eid| SitePrefix { eid, accept_more_specifics: true }).collect(),
        legacy_nonce: false,
        max_prefixes: 100,
        lisp_sec: None,
    };
    let honest = (0..usize::from(shape.prefixes)).map(|n| prefix(shape, n)).collect();
    let rogue = IpNet::new(IpAddr::V4(Ipv4Addr::new(10, 250, 0, 0)), 24).unwrap_or_default();
    vec![
        site("honest", SITE_KEY, honest),
        site("rogue", ROGUE_KEY, vec![EidPrefix { iid: Iid(0), prefix: rogue }]),
    ]
}

fn limits(shape: &Shape) -> Limits {
    Limits {
        map_cache_entries: shape.map_cache_entries,
        pending_requests: shape.pending_requests,
        map_requests_per_second: shape.map_requests_per_second,
        probe_interval_ms: shape.probe_interval_ms,
        idle_timeout_s: shape.idle_timeout_s,
        ..Limits::default()
    }
}
