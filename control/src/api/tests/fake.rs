//! A source with one of everything.

use crate::api::*;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Answers with samples; remembers what was cleared.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) cleared: Vec<MapCacheQuery>,
    /// Added to every packet counter.
    pub(crate) packets: u64,
    /// Not ready.
    pub(crate) ill: bool,
    /// Without the role map-server.
    pub(crate) no_map_server: bool,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A sub-interface.
fn red_port() -> Port {
    Port {
        name: "red".into(),
        parent: Some("core".into()),
        vlan: Some("200.7".into()),
        device: "0000:3b:00.0".into(),
        mac: "02:00:00:00:00:02".into(),
        mtu_bytes: 1492,
        vrf: "red".into(),
        underlay: false,
        native: true,
        link_up: true,
        speed_mbps: Some(100_000),
        queues: 2,
        software_spread: false,
        counters: PortCounters {
            rx_packets: 6,
            rx_bytes: 600,
            tx_packets: 2,
            tx_bytes: 200,
            ..PortCounters::default()
        },
        host: None,
        xstats: BTreeMap::new(),
    }
}

fn entry(prefix: &str, instance_id: u32, action: EntryAction, locators: Vec<Locator>) -> MapCacheEntry {
    MapCacheEntry {
        instance_id,
        vrf: if instance_id == 0 { "default".into() } else { "red".into() },
        eid_prefix: prefix.parse().unwrap(),
        origin: EntryOrigin::Learnt,
        action,
        locators,
        via_petr: false,
        age_s: 61,
        expires_in_s: Some(86_339),
        idle_s: 2,
        packets: 1000,
        bytes: 84_000,
    }
}

fn locator(rloc: &str, priority: u8, weight: u8, state: LocatorState) -> Locator {
    let in_use = state == LocatorState::Up && priority == 1;
    Locator { rloc: ip(rloc), priority, weight, state, in_use, path: Vec::new() }
}

fn entries() -> Vec<MapCacheEntry> {
    let static_entry = MapCacheEntry {
        origin: EntryOrigin::Static,
        expires_in_s: None,
        packets: 0,
        bytes: 0,
        ..entry("10.8.0.0/16", 0, EntryAction::NativelyForward, vec![])
    };
    vec![
        MapCacheEntry {
            origin: EntryOrigin::EidSpace,
            expires_in_s: None,
            ..entry("10.0.0.0/8", 0, EntryAction::SendMapRequest, vec![])
        },
        entry(
            "10.4.0.0/24",
            0,
            EntryAction::Encapsulate,
            vec![
                locator("198.51.100.6", 1, 70, LocatorState::Up),
                locator("198.51.100.7", 1, 30, LocatorState::Up),
                locator("2001:db8:c0:3::2", 2, 100, LocatorState::ProbeDown),
            ],
        ),
        static_entry,
        entry(
            "2001:db8:e006::/48",
            7,
            EntryAction::NoUsableLocator,
            vec![locator("198.51.100.9", 1, 100, LocatorState::NoRoute)],
        ),
    ]
}

impl ApiSource for Fake {
    fn map_cache(&self, query: &MapCacheQuery) -> MapCache {
        let all = entries();
        let total = all.len();
        let meant: Vec<_> = all.into_iter().filter(|e| query.accepts(e.instance_id, &e.eid_prefix)).collect();
        MapCache {
            entries_total: total as u64,
            truncated: meant.len() > query.limit(),
            entries: meant.into_iter().take(query.limit()).collect(),
        }
    }

    fn database(&self, _: &ListQuery) -> Database {
        Database {
            entries_total: 1,
            truncated: false,
            entries: vec![DatabaseEntry {
                instance_id: 0,
                eid_prefix: "10.9.0.0/24".parse().unwrap(),
                ttl_minutes: 1440,
                locators: vec![RegisteredLocator {
                    rloc: Some(ip("198.51.100.2")),
                    path: Vec::new(),
                    priority: 1,
                    weight: 100,
                    reachable: true,
                }],
                registrations: vec![RegistrationState {
                    map_server: ip("198.51.100.14"),
                    confirmed: true,
                    last_register_s_ago: Some(12),
                    last_notify_s_ago: Some(12),
                    retries: 0,
                }],
            }],
        }
    }

    fn registrations(&self, _: &ListQuery) -> Result<Registrations, ApiError> {
        if self.no_map_server {
            return Err(ApiError::new(ErrorCode::Unavailable, "this daemon has no role map-server"));
        }
        Ok(Registrations {
            registrations_total: 1,
            truncated: false,
            registrations: vec![Registration {
                site: "site4".into(),
                instance_id: 0,
                eid_prefix: "10.4.0.0/24".parse().unwrap(),
                registrant: "198.51.100.6:4342".parse().unwrap(),
                xtr_id: Some("000102030405060708090a0b0c0d0e0f".into()),
                locators: vec![
                    RegisteredLocator {
                        rloc: Some(ip("198.51.100.6")),
                        path: vec![ip("198.51.100.2"), ip("198.51.100.6")],
                        priority: 1,
                        weight: 100,
                        reachable: true,
                    },
                    RegisteredLocator {
                        rloc: None,
                        path: Vec::new(),
                        priority: 2,
                        weight: 0,
                        reachable: false,
                    },
                ],
                ttl_minutes: 1440,
                first_s_ago: 4000,
                last_s_ago: 20,
                expires_in_s: 160,
                proxy_reply: false,
                want_map_notify: true,
                merge: false,
            }],
        })
    }

    fn dynamic_eids(&self, _: &ListQuery) -> DynamicEids {
        DynamicEids::default()
    }

    fn away(&self, _: &ListQuery) -> AwayEids {
        AwayEids::default()
    }

    fn rlocs(&self, _: &ListQuery) -> Rlocs {
        let up = Rloc {
            rloc: ip("198.51.100.6"),
            state: RlocLocalState::Up,
            detail: String::new(),
            entries: 2,
            port: Some("core".into()),
            source: Some(ip("198.51.100.2")),
            next_hop_mac: Some("02:00:00:00:00:01".into()),
            mtu_bytes: Some(1400),
            mtu_learnt_expires_s: Some(543),
            rtt_ms: Some(0.4),
            last_probe_reply_s_ago: Some(30),
            probes_lost: 0,
            echo: Some(Echo { asking: true, last_echo_s_ago: Some(7) }),
            packets: 700 + self.packets,
            bytes: 95_200,
        };
        let down = Rloc {
            rloc: ip("198.51.100.9"),
            state: RlocLocalState::Down,
            detail: "no route".into(),
            port: None,
            source: None,
            next_hop_mac: None,
            mtu_bytes: None,
            mtu_learnt_expires_s: None,
            rtt_ms: None,
            last_probe_reply_s_ago: None,
            probes_lost: 3,
            echo: None,
            packets: 0,
            bytes: 0,
            ..up.clone()
        };
        Rlocs { rlocs_total: 2, truncated: false, rlocs: vec![up, down] }
    }

    fn nat(&self, _: &ListQuery) -> Nat {
        Nat {
            ours: Some(OurNat {
                state: NatState::ThroughRtr,
                rtrs: vec![ip("198.51.100.40")],
                rtrs_in_use: vec![ip("198.51.100.40")],
                map_servers: vec![NatSeen {
                    map_server: ip("198.51.100.14"),
                    global: Some("203.0.113.7:50042".parse().unwrap()),
                    answered_s_ago: Some(3),
                    lost: 0,
                }],
            }),
            ..Nat::default()
        }
    }
    fn subscriptions(&self, _: &ListQuery) -> Subscriptions {
        let ours = Subscription {
            side: SubscriptionSide::Ours,
            instance_id: 0,
            eid_prefix: "10.4.0.0/24".parse().unwrap(),
            map_server: Some("198.51.100.14:4342".parse().unwrap()),
            subscriber: None,
            xtr_id: None,
            rlocs: Vec::new(),
            age_s: 61,
            expires_in_s: 86_339,
            publications: 2,
            state: SubscriptionState::Current,
        };
        let theirs = Subscription {
            side: SubscriptionSide::Theirs,
            map_server: None,
            subscriber: Some("pitr".into()),
            xtr_id: Some("000102030405060708090a0b0c0d0e0f".into()),
            rlocs: vec!["198.51.100.2".parse().unwrap()],
            state: SubscriptionState::Behind,
            ..ours.clone()
        };
        Subscriptions { subscriptions_total: 2, truncated: false, subscriptions: vec![ours, theirs] }
    }

    fn ports(&self) -> Ports {
        Ports {
            ports: vec![
                Port {
                    name: "core".into(),
                    parent: None,
                    vlan: None,
                    device: "0000:3b:00.0".into(),
                    mac: "02:00:00:00:00:02".into(),
                    mtu_bytes: 1500,
                    vrf: "default".into(),
                    underlay: true,
                    native: false,
                    link_up: true,
                    speed_mbps: Some(100_000),
                    queues: 2,
                    software_spread: false,
                    counters: PortCounters {
                        rx_packets: 5000 + self.packets,
                        rx_bytes: 500_000,
                        tx_packets: 4000,
                        tx_bytes: 600_000,
                        ..PortCounters::default()
                    },
                    host: Some(HostPort {
                        interface: "core".into(),
                        to_kernel: 10,
                        to_kernel_refused: 0,
                        from_kernel: 11,
                        from_kernel_full: 0,
                    }),
                    xstats: BTreeMap::from([("rx_good_packets".into(), 5000)]),
                },
                red_port(),
            ],
        }
    }

    fn vrfs(&self, query: &ListQuery) -> Vrfs {
        let flow = |packets| PacketsBytes { packets, bytes: packets * 100 };
        let vrf = |vrf: &str, instance_id, packets: u64| VrfState {
            vrf: vrf.into(),
            instance_id,
            ports: vec![if instance_id == 0 { "core" } else { "red" }.into()],
            received: flow(packets * 6),
            encapsulated: flow(packets * 3),
            decapsulated: flow(packets * 2),
            forwarded: flow(packets * 2),
            dropped_packets: packets,
        };
        let all = [vrf("default", 0, 800 + self.packets), vrf("red", 101, 1)];
        let wanted = all.into_iter().filter(|v| query.instance_id.is_none_or(|iid| iid == v.instance_id));
        Vrfs { vrfs_total: 2, truncated: false, vrfs: wanted.collect() }
    }

    fn policers(&self, _: &ListQuery) -> Policers {
        let policer = PolicerState {
            policer: "red-site".into(),
            vrf: "red".into(),
            instance_id: 101,
            eid_prefixes: Some(vec!["10.4.0.0/24".parse().unwrap()]),
            rate: 100_000_000,
            burst: 10_000_000,
            unit: "bits".into(),
            passed: PacketsBytes { packets: 900, bytes: 90_000 },
            dropped: PacketsBytes { packets: 40, bytes: 4_000 },
        };
        Policers { policers_total: 1, truncated: false, policers: vec![policer] }
    }

    fn workers(&self) -> Workers {
        let recent = WorkerRates {
            interval_ms: 1000,
            packets_per_second: 2e6,
            bits_per_second: 1.024e9,
            cycles_per_packet: 51.5,
            busy_percent: 40.0,
        };
        let one = Worker {
            worker: 0,
            core: 2,
            packets: 5000 + self.packets,
            bytes: 500_000,
            bursts: 500,
            packets_per_burst: 10.0,
            cycles_per_packet: 61.25,
            busy_percent: 12.5,
            recent: Some(recent),
            held: 1,
            feed_lag: 0,
            feed_ignored: 0,
            dropped: 3,
            handover_full: 0,
            counters: BTreeMap::from([
                ("received".into(), 5000 + self.packets),
                ("encapsulated".into(), 1000),
            ]),
        };
        Workers { workers: vec![one.clone(), Worker { worker: 1, core: 3, recent: None, dropped: 0, ..one }] }
    }

    fn drops(&self) -> Drops {
        Drops {
            packets_total: 3,
            reasons: vec![DropReasonCount {
                reason: "no_route".into(),
                text: "There is no route to the destination.".into(),
                packets: 3 + self.packets,
                packets_by_worker: vec![3 + self.packets, 0],
            }],
        }
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            daemon: DaemonInfo {
                name: "pxtr".into(),
                version: "0.1.0".into(),
                roles: vec!["pitr".into(), "petr".into()],
                uptime_s: 3725,
            },
            map_cache_entries: 4,
            pending_lookups: 1,
            registrations: 1,
            subscriptions_ours: 1,
            subscriptions_theirs: 1,
            mbufs_in_use: 900,
            mbufs_total: 8192,
            engine: BTreeMap::from([("misses".into(), 12), ("map_requests_sent".into(), 13)]),
            dataplane: BTreeMap::from([
                ("received".into(), 10_000 + self.packets),
                ("encapsulated".into(), 2000),
                ("held".into(), 2),
                ("icmp_too_big".into(), 4),
            ]),
        }
    }

    fn health(&self) -> Health {
        Health::from_checks(vec![
            HealthCheck { name: "data_plane".into(), ok: true, detail: "2 of 2 workers run".into() },
            HealthCheck { name: "feed".into(), ok: !self.ill, detail: "0 deltas behind".into() },
        ])
    }

    fn lisp(&self) -> Lisp {
        Lisp {
            roles: vec!["pitr".into(), "petr".into()],
            rlocs: vec![ip("198.51.100.2"), ip("2001:db8:c0::2")],
            map_resolvers: vec![
                MapResolverState {
                    address: ip("198.51.100.14"),
                    suspect: false,
                    unanswered: 0,
                    rtt_ms: Some(3),
                },
                MapResolverState { address: ip("198.51.100.18"), suspect: true, unanswered: 4, rtt_ms: None },
            ],
            map_servers: vec![],
            instances: vec![LispInstance {
                vrf: "default".into(),
                instance_id: 0,
                eid_space: vec!["10.0.0.0/8".parse().unwrap()],
            }],
        }
    }

    fn clear_map_cache(&mut self, query: &MapCacheQuery) -> Cleared {
        self.cleared.push(query.clone());
        Cleared {
            entries: entries().iter().filter(|e| query.accepts(e.instance_id, &e.eid_prefix)).count() as u64,
        }
    }
}
