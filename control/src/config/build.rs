//! [`File`] to [`Config`]: defaults in, places out. `None` when something required is absent, which
//! `parse` has noted already.

use super::admission::{admission, peer_nonces, trust};
use super::check::secret;
use super::file::{
    DelegationTable, DynamicEidTable, EidTable, EncryptionTable, File, FirstHopRouterTable, KeyTable,
    LispSecTable, LocatorTable, MapServerPeerTable, PathTable, PolicyTable, PortTable, PubSubTable,
    SiteTable, StaticMappingTable, SubscriberTable, VrfTable,
};
use super::leaf::{At, Bounded, Key, Leaf, Word};
use super::model::{Config, Daemon, Dpdk, Hold, Port, RlocPath, Vrf, Workers};
use super::policers::policers;
use super::words::{
    ActionWord, AlgorithmWord, AwayWord, ChecksumWord, DecapDscpWord, EcnWord, EncryptionWord, FlowWord,
    HexId, IdleWord, Name, SpreadWord, SuiteWord, TagWord,
};
use crate::codec::MapAction;
use crate::engine::config::{
    AnswerPolicy, AuthAlgorithm, ConfiguredLocator, DatabaseMapping, Ddt, Delegation, DynamicEidRange,
    EncryptionRule, FirstHopRouter, Key as AuthKey, LispSec, MapServerPeer, Roles, Rtr, Site, SitePrefix,
    StaticMapping, Subscriber, Subscribing,
};
use crate::engine::event::{EidPrefix, Forwarding, Iid};
use pxtr_dataplane::crypt::Suite;
use pxtr_dataplane::feed::RlocOptions;
use pxtr_dataplane::launch::Spread;
use pxtr_dataplane::path::flow::FlowFields;
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::trust::MapVersion;
use pxtr_dataplane::types::{PortId, Tags, VrfId};
use std::path::PathBuf;

/// Builds it.
pub(super) fn build(file: &File) -> Option<Config> {
    let vrfs = vrfs(file)?;
    let lisp = file.lisp.get()?;
    Some(Config {
        daemon: daemon(file)?,
        dpdk: dpdk(file)?,
        workers: workers(file),
        hold: hold(file),
        ports: ports(file, &vrfs)?,
        roles: roles(file),
        rlocs: words(&lisp.rlocs),
        anycast_rlocs: words(&lisp.anycast_rlocs),
        paths: lisp.path.items().iter().map(|table| path(table)).collect(),
        encryption: lisp.encryption.items().iter().map(|table| encryption(table)).collect(),
        map_resolvers: words(&lisp.map_resolvers),
        use_petr: locators(&lisp.use_petr)?,
        xtr_id: lisp.xtr_id.get().map(|id| {
            let site = lisp.site_id.get().map_or(0, |Word(HexId(site))| u64::from_be_bytes(*site));
            (id.0.0, site)
        }),
        map_servers: lisp.map_server.items().iter().map(|ms| map_server(ms)).collect::<Option<_>>()?,
        database: database(file, &vrfs)?,
        dynamic_eids: dynamic_eids(file, &vrfs)?,
        first_hop_routers: lisp
            .first_hop_router
            .items()
            .iter()
            .map(|r| first_hop_router(r))
            .collect::<Option<_>>()?,
        static_mappings: lisp
            .static_mapping
            .items()
            .iter()
            .map(|mapping| static_mapping(mapping, file, &vrfs))
            .collect::<Option<_>>()?,
        sites: sites(file)?,
        policies: policies(file)?,
        lisp_sec: file.lisp_sec.get().map_or(Some(LispSec::default()), lisp_sec)?,
        admission: admission(file, &vrfs)?,
        policers: policers(file, &vrfs)?,
        trust: trust(file),
        peer_nonces: peer_nonces(file)?,
        subscribing: lisp.pubsub.get().map_or(Some(None), |table| subscribing(table).map(Some))?,
        subscribers: subscribers(file)?,
        map_resolver_forward_to: file.map_resolver.get().map(|mr| words(&mr.forward_to)).unwrap_or_default(),
        ddt: ddt(file)?,
        nat_traversal: flag(&lisp.nat_traversal, false),
        rtr_rlocs: file.map_server.get().map(|ms| words(&ms.rtr_rlocs)).unwrap_or_default(),
        info_without_key: file.map_server.get().is_some_and(|ms| flag(&ms.info_without_key, false)),
        rtr: file.rtr.get().map(|table| Rtr {
            map_servers: words(&table.map_servers),
            max_eid_prefixes: number(&table.max_eid_prefixes, 10_000),
        }),
        limits: file.limits.get().map(super::file::LimitsTable::limits).unwrap_or_default(),
        vrfs,
    })
}

/// The roles of the file.
pub(super) fn roles(file: &File) -> Roles {
    let mut roles = Roles::default();
    for role in file.lisp.get().map_or(&[][..], |lisp| lisp.roles.items()) {
        role.0.switch_on(&mut roles);
    }
    roles
}

fn number<T: TryFrom<i64> + Default, const MIN: i64, const MAX: i64>(
    key: &Key<Bounded<MIN, MAX>>,
    default: T,
) -> T {
    key.get().map_or(default, |value| value.get())
}

pub(super) fn flag(key: &Key<bool>, default: bool) -> bool {
    key.get().copied().unwrap_or(default)
}

pub(super) fn words<T: Leaf + Clone>(key: &Key<Vec<At<Word<T>>>>) -> Vec<T> {
    key.items().iter().map(|word| word.0.clone()).collect()
}

fn daemon(file: &File) -> Option<Daemon> {
    let table = file.daemon.get()?;
    let name = table.name.get()?.0.0.clone();
    Some(Daemon {
        api_socket: match table.api_socket.get() {
            Some(path) => path.0.0.clone(),
            None => PathBuf::from(format!("/run/pxtr/{name}.sock")),
        },
        http_listen: table.http_listen.get().map(|address| address.0),
        log: table.log.get().map_or_else(|| "info".into(), |log| log.0.0.clone()),
        state_dir: table.state_dir.get().map_or_else(|| "/var/lib/pxtr".into(), |dir| dir.0.0.clone()),
        name,
    })
}

fn dpdk(file: &File) -> Option<Dpdk> {
    let none = Default::default();
    let table = file.dpdk.get().unwrap_or(&none);
    let name = match table.file_prefix.get() {
        Some(prefix) => prefix,
        None => file.daemon.get()?.name.get()?,
    };
    Some(Dpdk {
        hugepages: flag(&table.hugepages, true),
        memory_mib: number(&table.memory_mib, 1024),
        mbufs: number(&table.mbufs, 65_536),
        file_prefix: name.0.0.clone(),
        extra_args: words(&table.extra_args).into_iter().map(|text| text.0).collect(),
    })
}

fn workers(file: &File) -> Workers {
    let none = Default::default();
    let table = file.workers.get().unwrap_or(&none);
    let fields = |wanted| table.flow_fields.items().iter().any(|word| word.0 == wanted);
    let sleeps = table.idle.get().is_some_and(|idle| idle.0 == IdleWord::Sleep);
    Workers {
        cores: table.cores.items().iter().map(|core| core.get()).collect(),
        idle_sleep_us: sleeps.then(|| number(&table.idle_sleep_us, 100)),
        flow_fields: FlowFields { gre_key: fields(FlowWord::GreKey), esp_spi: fields(FlowWord::EspSpi) },
    }
}

fn hold(file: &File) -> Hold {
    let none = Default::default();
    let table = file.hold.get().unwrap_or(&none);
    Hold {
        packets_per_destination: number(&table.packets_per_destination, 16),
        packets: number(&table.packets, 1024),
        timeout_ms: number(&table.timeout_ms, 4000),
    }
}

/// VRFs with the underlay's first.
fn vrfs(file: &File) -> Option<Vec<Vrf>> {
    let tables = file.vrf.items();
    let mut vrfs: Vec<Vrf> = tables.iter().map(|table| vrf(table)).collect::<Option<_>>()?;
    if vrfs.is_empty() {
        vrfs.push(Vrf {
            id: VrfId(0),
            name: "default".into(),
            iid: Iid(0),
            table: 254,
            netns: None,
            strict_inner_source: false,
            eid_space: Vec::new(),
            encap_dscp: None,
            decap_copy_dscp: false,
            clamp_mss_to_mtu: None,
        });
    }
    let underlay = file.port.items().iter().find(|port| flag(&port.underlay, false));
    if let Some(name) = underlay.and_then(|port| port.vrf.get())
        && let Some(at) = vrfs.iter().position(|vrf| vrf.name == name.0.0)
    {
        vrfs[..=at].rotate_right(1);
    }
    for (id, vrf) in (0..).zip(&mut vrfs) {
        vrf.id = VrfId(id);
    }
    Some(vrfs)
}

fn vrf(table: &VrfTable) -> Option<Vrf> {
    Some(Vrf {
        id: VrfId(0),
        name: table.name.get()?.0.0.clone(),
        iid: Iid(table.instance_id.get()?.get()),
        table: number(&table.table, 254),
        netns: table.netns.get().map(|name| name.0.0.clone()),
        strict_inner_source: flag(&table.strict_inner_source, false),
        eid_space: words(&table.eid_space).into_iter().map(|prefix| prefix.0).collect(),
        encap_dscp: table.encap_dscp.get().map(|dscp| dscp.get()),
        clamp_mss_to_mtu: table.clamp_mss_to_mtu.get().map(|mtu| mtu.get()),
        decap_copy_dscp: table.decap_dscp.get().is_some_and(|word| word.0 == DecapDscpWord::Outer),
    })
}

/// A VRF by its name, the first of the file without one.
pub(super) fn find_vrf<'v>(name: &Key<Word<Name>>, file: &File, vrfs: &'v [Vrf]) -> Option<&'v Vrf> {
    let first = || file.vrf.items().first().and_then(|table| table.name.get());
    match name.get().or_else(first) {
        Some(name) => vrfs.iter().find(|vrf| vrf.name == name.0.0),
        None => vrfs.first(),
    }
}

/// The tables of ports in the order of their numbers: sub-interfaces come behind the others.
fn port_tables(file: &File) -> Vec<&At<PortTable>> {
    let mut tables: Vec<_> = file.port.items().iter().collect();
    tables.sort_by_key(|table| table.parent.is_given());
    tables
}

fn port_id(file: &File, name: &Word<Name>) -> Option<PortId> {
    let at = port_tables(file).iter().position(|table| table.name.get() == Some(name))?;
    Some(PortId(u16::try_from(at).ok()?))
}

fn ports(file: &File, vrfs: &[Vrf]) -> Option<Vec<Port>> {
    (0..).zip(port_tables(file)).map(|(id, table)| port(id, table, file, vrfs)).collect()
}

fn port(id: u16, table: &PortTable, file: &File, vrfs: &[Vrf]) -> Option<Port> {
    let workers = file.workers.get().map_or(1, |workers| workers.cores.items().len().max(1));
    let mut queues = number(&table.queues, u16::try_from(workers).unwrap_or(u16::MAX));
    let mut mtu = 1500;
    let mut sub = None;
    if let Some(parent) = table.parent.get() {
        let inner = table.inner_vlan.get().map(|id| id.get());
        let service = match table.tag.get() {
            Some(word) => word.0 == TagWord::Service,
            None => inner.is_some(),
        };
        let tags = Tags { outer: table.vlan.get()?.get(), inner, service };
        let id = port_id(file, parent)?;
        mtu = number(&port_tables(file).get(usize::from(id.0))?.mtu, mtu);
        queues = 0;
        sub = Some((id, tags));
    }
    Some(Port {
        id: PortId(id),
        name: table.name.get()?.0.0.clone(),
        device: match sub {
            Some(_) => String::new(),
            None => table.device.get()?.0.0.clone(),
        },
        device_args: table.device_args.get().map(|args| args.0.0.clone()).unwrap_or_default(),
        sub,
        host_interface: table.host_interface.get().map(|name| name.0.0.clone()),
        queues,
        spread: match table.spread.get() {
            Some(word) if word.0 == SpreadWord::Software => Spread::Software,
            _ => Spread::Nic,
        },
        mtu: number(&table.mtu, mtu),
        underlay: flag(&table.underlay, false),
        instances: instances(table, vrfs),
        native: flag(&table.native, false),
        vrf: find_vrf(&table.vrf, file, vrfs)?.id,
        gateway_mac: table.gateway_mac.get().map(|mac| mac.0.0),
        strict_source: table.strict_source.get().copied(),
        loose_source: flag(&table.loose_source, false),
        refuse_claims: flag(&table.refuse_claims, true),
        learn_path_mtu: flag(&table.learn_path_mtu, true),
        relay_time_exceeded: flag(&table.relay_time_exceeded, false),
    })
}

fn path(table: &PathTable) -> RlocPath {
    let gpe = flag(&table.gpe, false);
    RlocPath {
        rlocs: words(&table.rlocs).into_iter().map(|prefix| prefix.0).collect(),
        options: RlocOptions {
            ecn_compatible: table.ecn.get().is_some_and(|word| word.0 == EcnWord::NotEct),
            may_fragment: !flag(&table.dont_fragment, true),
            // RFC 9305 section 4.2: by default LISP-GPE goes with one.
            udp_checksum: table.udp_checksum.get().map_or(gpe, |word| word.0 == ChecksumWord::Computed),
            // That is for `[trusted]` to say.
            map_versions: false,
            echo: None,
            status_bits: false,
            ports: None,
            encrypted: false,
            gpe,
        },
    }
}

fn encryption(table: &EncryptionTable) -> EncryptionRule {
    let suites: Vec<Suite> = words(&table.suites).into_iter().map(SuiteWord::suite).collect();
    EncryptionRule {
        rlocs: words(&table.rlocs).into_iter().map(|prefix| prefix.0).collect(),
        required: table.mode.get().is_none_or(|word| word.0 == EncryptionWord::Required),
        suites: if suites.is_empty() { vec![Suite::Aes128Gcm, Suite::ChaCha20Poly1305] } else { suites },
        rekey_ms: number(&table.rekey_interval_s, 3600u64) * 1000,
    }
}

/// In ascending order; those of no VRF have been noted.
fn instances(table: &PortTable, vrfs: &[Vrf]) -> Option<Vec<VrfId>> {
    let ids: Vec<u32> = table.instance_ids.get()?.iter().map(|id| id.get()).collect();
    Some(vrfs.iter().filter(|vrf| ids.contains(&vrf.iid.0)).map(|vrf| vrf.id).collect())
}

fn locators(key: &Key<Vec<At<LocatorTable>>>) -> Option<Vec<ConfiguredLocator>> {
    let build = |table: &At<LocatorTable>| {
        Some(ConfiguredLocator {
            rloc: table.rloc.get()?.0,
            priority: number(&table.priority, 1),
            weight: number(&table.weight, 100),
            via: words(&table.via),
            strict: flag(&table.strict, true),
        })
    };
    key.items().iter().map(build).collect()
}

fn database(file: &File, vrfs: &[Vrf]) -> Option<Vec<DatabaseMapping>> {
    let mut database = Vec::new();
    for table in file.lisp.get()?.database.items() {
        database.push(DatabaseMapping {
            eid: EidPrefix {
                iid: find_vrf(&table.vrf, file, vrfs)?.iid,
                prefix: table.eid_prefix.get()?.0.0,
            },
            ttl_minutes: number(&table.ttl_minutes, 1440),
            locators: locators(&table.locators)?,
            map_version: MapVersion::new(number(&table.map_version, 0)),
        });
    }
    Some(database)
}

fn dynamic_eids(file: &File, vrfs: &[Vrf]) -> Option<Vec<DynamicEidRange>> {
    let id = |name: &At<Word<Name>>| port_id(file, name);
    let build = |table: &At<DynamicEidTable>| {
        let eid =
            EidPrefix { iid: find_vrf(&table.vrf, file, vrfs)?.iid, prefix: table.eid_prefix.get()?.0.0 };
        let ttl_minutes = number(&table.ttl_minutes, 1);
        Some(DynamicEidRange {
            mapping: DatabaseMapping {
                eid,
                ttl_minutes,
                locators: locators(&table.locators)?,
                // Hosts come and go: nobody could raise it.
                map_version: MapVersion::NONE,
            },
            ports: table.ports.items().iter().map(id).collect::<Option<_>>()?,
            first_hop_ports: table.first_hop_ports.items().iter().map(id).collect::<Option<_>>()?,
            seen_by: match table.seen_by.items() {
                [] => vec![Seen::Data, Seen::Arp, Seen::Nd],
                some => some.iter().map(|word| word.0.into()).collect(),
            },
            forward_away: table.away.get().is_none_or(|word| word.0 == AwayWord::Forward),
        })
    };
    file.lisp.get()?.dynamic_eid.items().iter().map(build).collect()
}

fn first_hop_router(table: &FirstHopRouterTable) -> Option<FirstHopRouter> {
    let secret = secret(&table.secret, &table.secret_file).ok()??;
    Some(FirstHopRouter {
        address: table.address.get()?.0,
        key: AuthKey { id: number(&table.key_id, 1), secret },
        algorithm: table.algorithm.get().map_or(AuthAlgorithm::HmacSha256, |word| word.0.into()),
    })
}

fn static_mapping(table: &StaticMappingTable, file: &File, vrfs: &[Vrf]) -> Option<StaticMapping> {
    let locators = locators(&table.locators)?;
    let action = match table.action.get().map(|word| word.0) {
        // Counts only without locators, which the checks demand to come with an action.
        None | Some(ActionWord::NoAction) => Forwarding::NoAction,
        Some(ActionWord::NativelyForward) => Forwarding::NativelyForward,
        Some(ActionWord::SendMapRequest) => Forwarding::SendMapRequest,
        Some(ActionWord::DropNoReason) => Forwarding::DropNoReason,
        Some(ActionWord::DropPolicyDenied) => Forwarding::DropPolicyDenied,
        Some(ActionWord::DropAuthFailure) => Forwarding::DropAuthFailure,
    };
    let iid = find_vrf(&table.vrf, file, vrfs)?.iid;
    Some(StaticMapping { eid: EidPrefix { iid, prefix: table.eid_prefix.get()?.0.0 }, locators, action })
}

fn map_server(table: &MapServerPeerTable) -> Option<MapServerPeer> {
    let secret = secret(&table.secret, &table.secret_file).ok()??;
    Some(MapServerPeer {
        address: table.address.get()?.0,
        key: AuthKey { id: number(&table.key_id, 1), secret },
        algorithm: table.algorithm.get().map_or(AuthAlgorithm::HmacSha256, |word| word.0.into()),
        proxy_reply: flag(&table.proxy_reply, false),
        want_map_notify: flag(&table.want_map_notify, true),
        lisp_sec: optional_key(&table.lisp_sec_key)?,
    })
}

fn auth_key(table: &KeyTable) -> Option<AuthKey> {
    Some(AuthKey { id: table.id.get()?.get(), secret: secret(&table.secret, &table.secret_file).ok()?? })
}

fn optional_key(key: &Key<KeyTable>) -> Option<Option<AuthKey>> {
    key.get().map_or(Some(None), |table| auth_key(table).map(Some))
}

fn lisp_sec(table: &LispSecTable) -> Option<LispSec> {
    let itr = secret(&table.secret, &table.secret_file).ok()?;
    Some(LispSec {
        itr: itr.map(|secret| AuthKey { id: number(&table.key_id, 1), secret }),
        required: flag(&table.required, false),
        accept: table.accept_keys.items().iter().map(|key| auth_key(key)).collect::<Option<_>>()?,
        forward: optional_key(&table.forward_key)?,
    })
}

fn subscribing(table: &PubSubTable) -> Option<Subscribing> {
    let secret = secret(&table.secret, &table.secret_file).ok()??;
    Some(Subscribing {
        key: AuthKey { id: number(&table.key_id, 1), secret },
        algorithm: table.algorithm.get().map_or(AuthAlgorithm::HmacSha256, |word| word.0.into()),
    })
}

fn subscribers(file: &File) -> Option<Vec<Subscriber>> {
    let tables = file.map_server.get().map_or(&[][..], |ms| ms.subscriber.items());
    let build = |table: &At<SubscriberTable>| {
        let secret = secret(&table.secret, &table.secret_file).ok()??;
        Some(Subscriber {
            name: table.name.get()?.0.0.clone(),
            xtr_id: table.xtr_id.get()?.0.0,
            key: AuthKey { id: number(&table.key_id, 1), secret },
            algorithm: table.algorithm.get().map_or(AuthAlgorithm::HmacSha256, |word| word.0.into()),
            rlocs: words(&table.rlocs),
            max_subscriptions: number(&table.max_subscriptions, 10_000),
        })
    };
    tables.iter().map(build).collect()
}

fn ddt(file: &File) -> Option<Ddt> {
    let (node, resolver) = (file.ddt_node.get(), file.map_resolver.get());
    let delegations = node.map_or(&[][..], |node| node.delegation.items());
    let hints = resolver.map_or(&[][..], |mr| mr.ddt_hint.items());
    let eids = node.map_or(&[][..], |node| node.authoritative.items());
    let eid = |table: &At<EidTable>| {
        let prefix = table.prefix.get()?.0.0;
        Some(EidPrefix { iid: Iid(number(&table.instance_id, 0)), prefix })
    };
    Some(Ddt {
        roots: resolver.map(|mr| words(&mr.ddt_roots)).unwrap_or_default(),
        hints: hints.iter().map(|table| delegation(table)).collect::<Option<_>>()?,
        authoritative: eids.iter().map(eid).collect::<Option<_>>()?,
        delegations: delegations.iter().map(|table| delegation(table)).collect::<Option<_>>()?,
    })
}

fn delegation(table: &DelegationTable) -> Option<Delegation> {
    let map_servers = !table.map_servers.items().is_empty();
    let prefix = table.prefix.get()?.0.0;
    Some(Delegation {
        eid: EidPrefix { iid: Iid(number(&table.instance_id, 0)), prefix },
        to: words(if map_servers { &table.map_servers } else { &table.nodes }),
        map_servers,
    })
}

fn sites(file: &File) -> Option<Vec<Site>> {
    let tables = file.map_server.get().map_or(&[][..], |ms| ms.site.items());
    tables.iter().map(|table| site(table)).collect()
}

fn policies(file: &File) -> Option<Vec<AnswerPolicy>> {
    let tables = file.map_server.get().map_or(&[][..], |ms| ms.policy.items());
    let build = |table: &At<PolicyTable>| {
        Some(AnswerPolicy {
            eid: EidPrefix { iid: Iid(number(&table.instance_id, 0)), prefix: table.prefix.get()?.0.0 },
            action: table.action.get().map_or(MapAction::DropPolicyDenied, |word| word.0.into()),
            ttl_minutes: number(&table.ttl_minutes, 15),
        })
    };
    tables.iter().map(build).collect()
}

fn site(table: &SiteTable) -> Option<Site> {
    let algorithms: Vec<AlgorithmWord> = match table.algorithms.get() {
        Some(_) => words(&table.algorithms),
        None => vec![AlgorithmWord::HmacSha256, AlgorithmWord::HmacSha256Hkdf],
    };
    let prefix = |prefix: &At<super::file::SitePrefixTable>| {
        Some(SitePrefix {
            eid: EidPrefix { iid: Iid(number(&prefix.instance_id, 0)), prefix: prefix.prefix.get()?.0.0 },
            accept_more_specifics: flag(&prefix.accept_more_specifics, false),
        })
    };
    Some(Site {
        name: table.name.get()?.0.0.clone(),
        keys: table.keys.items().iter().map(|key| auth_key(key)).collect::<Option<_>>()?,
        algorithms: algorithms.into_iter().map(AuthAlgorithm::from).collect(),
        eid_prefixes: table.eid_prefixes.items().iter().map(prefix).collect::<Option<_>>()?,
        legacy_nonce: flag(&table.legacy_nonce, false),
        max_prefixes: number(&table.max_prefixes, 10_000),
        lisp_sec: optional_key(&table.lisp_sec_key)?,
    })
}
