//! What must hold for an engine whatever it hears. Used by the fuzz target `engine` (`control/fuzz`)
//! and, on its seeds and regressions, by the tests.
//!
//! The bytes are a little program: which daemon, then events. So that more than the decoder is met,
//! a payload can be given the nonce of a request that the engine sent, a good MAC, or an ECM around it.

use ipnet::IpNet;
use pxtr_control::codec::{Ecm, InnerHeader, Message, auth};
use pxtr_control::engine::config::{
    AuthAlgorithm, ConfiguredLocator, DatabaseMapping, Ddt, Delegation, DynamicEidRange, EngineConfig,
    FirstHopRouter, Key, Limits, MapServerPeer, Roles, Secret, Site, SitePrefix, VrfConfig,
};
use pxtr_control::engine::event::{Action, EidPrefix, Event, HostSeen, Iid, Time};
use pxtr_control::engine::{Counter, Engine};
use pxtr_dataplane::echo::{EchoNonce, EchoSaid};
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::trust::{MapVersion, Said, Status, Trust};
use pxtr_dataplane::types::{MacAddr, PortId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const US: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53));
const KEY: &[u8] = b"key";
/// Events of one input: enough for any story, and an end.
const EVENTS: usize = 200;

/// Takes an engine through what the bytes say. Panics when something does not hold.
pub fn engine(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let config = config(kind);
    let limits = config.limits.clone();
    let mut story = Story { engine: Engine::new(config, [7; 32]), now: Time(1_000_000), nonce: 0, rest };
    story.step(Event::Tick);
    for _ in 0..EVENTS {
        let Some(event) = story.next() else { break };
        story.step(event);
        let sizes = story.engine.sizes();
        assert!(sizes.map_cache_learnt <= limits.map_cache_entries as usize);
        assert!(sizes.lookups <= 3 * limits.pending_requests as usize + 3);
    }
    assert_eq!(story.engine.counters().get(Counter::EncodeErrors), 0);
    // Time passes: everything ends, nothing spins.
    for _ in 0..500 {
        let Some(at) = story.engine.next_deadline() else { break };
        story.now = story.now.max(at);
        story.step(Event::Tick);
    }
}

struct Story<'a> {
    engine: Engine,
    now: Time,
    /// Of the last request that the engine sent.
    nonce: u64,
    rest: &'a [u8],
}

impl Story<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn eid(&mut self) -> Option<EidPrefix> {
        let (third, length) = (self.byte()?, self.byte()?);
        let addr = IpAddr::V4(Ipv4Addr::new(10, 0, third, third));
        let prefix = IpNet::new(addr, length % 33).ok()?.trunc();
        Some(EidPrefix { iid: Iid(u32::from(third & 1)), prefix })
    }

    fn host(&mut self) -> Option<EidPrefix> {
        let last = self.byte()?;
        let addr = IpAddr::V4(Ipv4Addr::new(10, 4, 0, last));
        Some(EidPrefix { iid: Iid(0), prefix: IpNet::from(addr) })
    }

    fn rloc(&mut self) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, self.byte()?)))
    }

    fn next(&mut self) -> Option<Event> {
        let op = self.byte()?;
        self.now = self.now.plus_ms(u64::from(op >> 4) * 97);
        Some(match op & 0x0F {
            0 => {
                self.now = self.now.plus_ms(u64::from(self.byte()?) * 1000);
                Event::Tick
            }
            1 => Event::Miss { iid: Iid(0), eid: self.eid()?.prefix.addr(), source: PEER },
            2 => Event::EntriesUsed(vec![self.eid()?]),
            3 => Event::UnderlayChanged { rloc: self.rloc()?, reachable: self.byte()? & 1 == 1 },
            4 => Event::IcmpUnreachable { rloc: self.rloc()? },
            5 => Event::ClearMapCache(self.eid()),
            6 => Event::HostSeen(HostSeen {
                eid: self.host()?,
                port: PortId(u16::from(self.byte()? & 1)),
                mac: MacAddr([2, 0, 0, 0, 0, 1]),
                seen: Seen::Data,
                claim: self.byte()? & 1 == 1,
            }),
            7 => Event::AwayHit { eid: self.host()?, rloc: self.rloc()? },
            9 => {
                let (bits, kind) = (u16::from(self.byte()?), self.byte()? % 7);
                let (version, nonce) = (MapVersion::new(bits), EchoNonce::new(u32::from(bits)));
                let said = match kind {
                    0 => Said::DestinationOlder(version),
                    1 => Said::DestinationNewer(version),
                    2 => Said::SourceNewer(version),
                    6 => Said::SourceStatus(Status { bits: u32::from(bits), known: 0xFF }),
                    3 => return self.echo(EchoSaid::Wanted(nonce)),
                    4 => return self.echo(EchoSaid::Given(nonce)),
                    _ => return self.echo(EchoSaid::Missing(nonce)),
                };
                Event::Header { eid: self.host()?, rloc: self.rloc()?, said }
            }
            8 => Event::HostProbed { eid: self.host()?, alive: self.byte()? & 1 == 1 },
            op => return self.datagram(op),
        })
    }

    fn echo(&mut self, said: EchoSaid) -> Option<Event> {
        Some(Event::Echo { rloc: self.rloc()?, said, sent: u64::from(self.byte()?) })
    }

    fn datagram(&mut self, op: u8) -> Option<Event> {
        let (sender, length) = (self.byte()?, usize::from(self.byte()?) * 4);
        let (payload, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        let mut payload = payload.to_vec();
        if op & 1 == 1
            && let Some(nonce) = payload.get_mut(4..12)
        {
            nonce.copy_from_slice(&self.nonce.to_be_bytes());
        }
        if op & 2 == 2 {
            // No message that has a MAC: it stays as it is.
            let _ = auth::sign(&mut payload, &Secret::new(KEY.to_vec()));
        }
        if op & 4 == 4 {
            let eid = IpAddr::V4(Ipv4Addr::new(10, 0, sender, 1));
            payload = Message::Ecm(Ecm::new(InnerHeader::new(PEER, 4342, eid), payload)).to_bytes().ok()?;
        }
        let from = if sender & 1 == 1 { PEER } else { IpAddr::V4(Ipv4Addr::new(198, 51, 100, sender)) };
        let to = SocketAddr::new(US, 4342);
        Some(Event::Datagram { from: SocketAddr::new(from, 4342), to, payload })
    }

    fn step(&mut self, event: Event) {
        let mut out = Vec::new();
        self.engine.step(self.now, event, &mut out);
        for action in &out {
            let Action::Send { payload, .. } = action else { continue };
            let message = Message::decode(payload).unwrap_or_else(|e| panic!("we sent {payload:02x?}: {e}"));
            self.nonce = match message {
                Message::MapRequest(request) => request.nonce,
                Message::Ecm(ecm) => match Message::decode(&ecm.payload) {
                    Ok(Message::MapRequest(request)) => request.nonce,
                    _ => self.nonce,
                },
                _ => self.nonce,
            };
        }
    }
}

fn net(third: u8, length: u8) -> EidPrefix {
    let prefix = IpNet::new(IpAddr::V4(Ipv4Addr::new(10, third, 0, 0)), length).unwrap_or_default();
    EidPrefix { iid: Iid(0), prefix }
}

/// A proxy, a site with dynamic EIDs, a Map-Server with Map-Resolver, or all at once.
fn config(kind: u8) -> EngineConfig {
    let key = || Key { id: 1, secret: Secret::new(KEY.to_vec()) };
    let all = kind & 3 == 3;
    let (proxy, site, server) = (all || kind & 3 == 0, all || kind & 3 == 1, all || kind & 3 == 2);
    let roles = Roles {
        pitr: proxy,
        petr: proxy,
        xtr: site,
        map_server: server,
        map_resolver: server,
        ddt_node: server,
        fhr: false,
    };
    let delegation = |eid| Delegation { eid, to: vec![PEER], map_servers: kind & 8 == 8 };
    let roots = if kind & 4 == 4 { vec![PEER] } else { Vec::new() };
    let locators = vec![ConfiguredLocator::new(US, 1, 100)];
    let mapping = |eid| DatabaseMapping {
        eid,
        ttl_minutes: 1,
        locators: locators.clone(),
        map_version: MapVersion::NONE,
    };
    let vrf = VrfConfig { name: "default".into(), iid: Iid(0), eid_space: vec![net(0, 8).prefix] };
    let prefix = |eid| SitePrefix { eid, accept_more_specifics: true };
    EngineConfig {
        roles,
        rlocs: vec![US],
        map_resolvers: vec![PEER],
        vrfs: vec![vrf],
        database: vec![mapping(net(5, 24))],
        dynamic_eids: vec![DynamicEidRange {
            mapping: mapping(net(4, 24)),
            ports: vec![PortId(0)],
            first_hop_ports: vec![PortId(1)],
            seen_by: vec![Seen::Data],
            forward_away: kind & 4 == 4,
        }],
        first_hop_routers: vec![FirstHopRouter {
            address: PEER,
            key: key(),
            algorithm: AuthAlgorithm::HmacSha256,
        }],
        map_servers: vec![MapServerPeer {
            address: PEER,
            key: key(),
            algorithm: AuthAlgorithm::HmacSha256,
            proxy_reply: false,
            want_map_notify: true,
            lisp_sec: None,
        }],
        sites: vec![Site {
            name: "site".into(),
            keys: vec![key()],
            algorithms: vec![AuthAlgorithm::HmacSha1, AuthAlgorithm::HmacSha256],
            eid_prefixes: vec![prefix(net(0, 16)), prefix(net(4, 24))],
            legacy_nonce: kind & 8 == 8,
            max_prefixes: 10,
            lisp_sec: None,
        }],
        // Some more than they ought to.
        trust: Trust {
            rlocs: Box::new([net(0, 0).prefix]),
            map_versions: kind & 16 == 16,
            echo_nonce: kind & 32 == 32,
            status_bits: kind & 64 == 64,
        },
        ddt: Ddt { roots, delegations: vec![delegation(net(9, 24))], ..Ddt::default() },
        limits: Limits {
            map_cache_entries: 5,
            pending_requests: 5,
            dynamic_eids: 3,
            probe_interval_ms: if kind & 16 == 16 { 1_000 } else { 0 },
            ..Limits::default()
        },
        register_nonce_epoch: 1,
        ..EngineConfig::default()
    }
}
