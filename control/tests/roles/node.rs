//! A little stage for one engine: time, what it heard, what it said.

use ipnet::IpNet;
use pxtr_control::codec::{MapNotify, MapRegister, MapReply, Message, decode_in_data};
use pxtr_control::engine::config::{
    AuthAlgorithm, ConfiguredLocator, DatabaseMapping, EngineConfig, Key, Limits, MapServerPeer, Roles,
    Secret, Site, SitePrefix, VrfConfig,
};
use pxtr_control::engine::event::{Action, EidPrefix, Event, Forwarding, Iid, LocalPort, Place, Time};
use pxtr_control::engine::{Counter, Engine};
use pxtr_dataplane::trust::{MapVersion, Marks};
use std::net::{IpAddr, SocketAddr};

/// Our own RLOCs.
pub const US: &str = "203.0.113.10";
pub const US_V6: &str = "2001:db8:ffff::10";
/// The Map-Server that an ETR under test registers with.
pub const MS: &str = "203.0.113.53";

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().expect("address and port")
}

pub fn net(text: &str) -> IpNet {
    text.parse().expect("prefix")
}

/// "10.0.0.0/8", or "101 10.0.0.0/8" for another instance.
pub fn eid(text: &str) -> EidPrefix {
    let (iid, prefix) = text.split_once(' ').unwrap_or(("0", text));
    EidPrefix { iid: Iid(iid.parse().expect("IID")), prefix: net(prefix) }
}

/// No role at all, both RLOCs.
pub fn blank() -> EngineConfig {
    EngineConfig {
        rlocs: vec![ip(US), ip(US_V6)],
        vrfs: vec![VrfConfig { name: "default".into(), iid: Iid(0), eid_space: Vec::new() }],
        limits: Limits { probe_interval_ms: 0, ..Limits::default() },
        register_nonce_epoch: 0x6000_0000,
        ..EngineConfig::default()
    }
}

pub fn locator(rloc: &str, priority: u8, weight: u8) -> ConfiguredLocator {
    ConfiguredLocator::new(ip(rloc), priority, weight)
}

/// A site router with these EID-prefixes behind [`US`].
pub fn xtr(prefixes: &[&str]) -> EngineConfig {
    let mapping = |p: &&str| DatabaseMapping {
        eid: eid(p),
        ttl_minutes: 1440,
        locators: vec![locator(US, 1, 100)],
        map_version: MapVersion::NONE,
    };
    EngineConfig {
        roles: Roles { xtr: true, ..Roles::default() },
        database: prefixes.iter().map(mapping).collect(),
        ..blank()
    }
}

pub fn petr() -> EngineConfig {
    EngineConfig { roles: Roles { petr: true, ..Roles::default() }, ..blank() }
}

pub fn peer(address: &str) -> MapServerPeer {
    MapServerPeer {
        address: ip(address),
        key: Key { id: 1, secret: secret("site-key") },
        algorithm: AuthAlgorithm::HmacSha256,
        proxy_reply: false,
        want_map_notify: true,
        lisp_sec: None,
    }
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

/// A Map-Server with these sites.
pub fn map_server(sites: Vec<Site>) -> EngineConfig {
    EngineConfig { roles: Roles { map_server: true, ..Roles::default() }, sites, ..blank() }
}

/// A site with key 1 and all algorithms; a prefix that ends in "+" accepts more-specifics.
pub fn site(name: &str, key: &str, prefixes: &[&str]) -> Site {
    let prefix =
        |p: &&str| SitePrefix { eid: eid(p.trim_end_matches('+')), accept_more_specifics: p.ends_with('+') };
    Site {
        name: name.into(),
        keys: vec![Key { id: 1, secret: secret(key) }],
        algorithms: vec![AuthAlgorithm::HmacSha1, AuthAlgorithm::HmacSha256, AuthAlgorithm::HmacSha256Hkdf],
        eid_prefixes: prefixes.iter().map(prefix).collect(),
        legacy_nonce: false,
        max_prefixes: 1000,
        lisp_sec: None,
    }
}

/// A message that the engine sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Time,
    pub port: LocalPort,
    pub source: Option<IpAddr>,
    pub to: SocketAddr,
    pub payload: Vec<u8>,
    pub message: Message,
}

impl Sent {
    pub fn reply(&self) -> &MapReply {
        match &self.message {
            Message::MapReply(m) => m,
            other => panic!("a Map-Reply, not {other:?}"),
        }
    }

    pub fn register(&self) -> &MapRegister {
        match &self.message {
            Message::MapRegister(m) => m,
            other => panic!("a Map-Register, not {other:?}"),
        }
    }

    pub fn notify(&self) -> &MapNotify {
        match &self.message {
            Message::MapNotify(m) => m,
            other => panic!("a Map-Notify, not {other:?}"),
        }
    }
}

/// One engine.
pub struct Node {
    pub engine: Engine,
    pub now: Time,
    sent: Vec<Sent>,
    /// What the data plane was told, in order.
    pub installed: Vec<(EidPrefix, Forwarding)>,
    /// Where the data plane was told that hosts are, in order.
    pub hosts: Vec<(EidPrefix, Place)>,
    /// Hosts that the kernel is to be asked about, in order.
    pub probed: Vec<EidPrefix>,
    /// What the data plane was told of mappings in LISP headers, in order.
    pub marks: Vec<(EidPrefix, Marks)>,
    /// The lists of those with old versions of our mappings, in order.
    pub outdated: Vec<Vec<(IpAddr, EidPrefix)>>,
}

impl Node {
    /// Started at an arbitrary time.
    pub fn new(config: EngineConfig) -> Self {
        let engine = Engine::new(config, [7; 32]);
        let mut node = Self {
            engine,
            now: Time(1_000_000),
            sent: Vec::new(),
            installed: Vec::new(),
            hosts: Vec::new(),
            probed: Vec::new(),
            marks: Vec::new(),
            outdated: Vec::new(),
        };
        node.step(Event::Tick);
        node
    }

    pub fn step(&mut self, event: Event) {
        let mut out = Vec::new();
        self.engine.step(self.now, event, &mut out);
        self.collect(out);
    }

    pub fn reconfigure(&mut self, config: EngineConfig) {
        let mut out = Vec::new();
        self.engine.reconfigure(self.now, config, &mut out);
        self.collect(out);
        self.step(Event::Tick);
    }

    fn collect(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { port, source, to, payload } => {
                    // To a router behind a NAT: as data.
                    let raw = decode_in_data(&payload).map_or(&payload[..], |(_, message)| message);
                    let message = Message::decode(raw).expect("what we send can be decoded");
                    self.sent.push(Sent { at: self.now, port, source, to, payload, message });
                }
                Action::Install { eid, forwarding } => self.installed.push((eid, forwarding)),
                Action::Host { eid, place } => self.hosts.push((eid, place)),
                Action::ProbeHost { eid, .. } => self.probed.push(eid),
                Action::Marks { eid, marks } => self.marks.push((eid, marks)),
                Action::Outdated(list) => self.outdated.push(list),
                _ => {}
            }
        }
    }

    /// A datagram to [`US`] (or [`US_V6`]), port 4342.
    pub fn hear(&mut self, from: &str, payload: &[u8]) {
        let from = at(from);
        let us = if from.is_ipv4() { US } else { US_V6 };
        self.hear_at(from, SocketAddr::new(ip(us), 4342), payload);
    }

    pub fn hear_at(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        self.step(Event::Datagram { from, to, payload: payload.to_vec() });
    }

    /// Lets time pass, with every deadline kept.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        let mut steps_at_once = 0;
        while let Some(next) = self.engine.next_deadline().filter(|next| *next <= end) {
            steps_at_once = if next > self.now { 0 } else { steps_at_once + 1 };
            assert!(steps_at_once < 1000, "a deadline that does not move is a busy loop");
            self.now = self.now.max(next);
            self.step(Event::Tick);
        }
        self.now = end;
        self.step(Event::Tick);
    }

    /// What was sent since the last call.
    pub fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// The one message sent since the last call.
    pub fn take_one(&mut self) -> Sent {
        let mut sent = self.take();
        assert_eq!(sent.len(), 1, "one message, not {sent:#?}");
        sent.remove(0)
    }

    pub fn silent(&mut self) -> bool {
        self.take().is_empty()
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.engine.counters().get(counter)
    }
}
