//! A little stage for one engine: time, what it said, and a mapping system played by the test.

use ipnet::IpNet;
use pxtr_control::codec::{Address, Ecm, EidRecord, LocatorRecord, MapReply, MapRequest, Message};
use pxtr_control::engine::config::{
    ConfiguredLocator, DatabaseMapping, EngineConfig, Limits, Roles, StaticMapping, VrfConfig,
};
use pxtr_control::engine::event::{Action, EidPrefix, Event, Forwarding, Iid, Locator, Time};
use pxtr_control::engine::{Counter, Engine};
use pxtr_dataplane::trust::MapVersion;
use std::net::{IpAddr, SocketAddr};

pub const MR1: &str = "192.0.2.53";
pub const MR2: &str = "192.0.2.54";
pub const OUR_V4: &str = "192.0.2.1";
pub const OUR_V6: &str = "2001:db8::1";

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

pub fn net(text: &str) -> IpNet {
    text.parse().expect("prefix")
}

pub fn eid(prefix: &str) -> EidPrefix {
    EidPrefix { iid: Iid(0), prefix: net(prefix) }
}

/// A PITR for 10.0.0.0/8 and 2001:db8:e000::/36 with an RLOC of each family and one Map-Resolver;
/// probing is off unless a test turns it on.
pub fn pitr() -> EngineConfig {
    EngineConfig {
        roles: Roles { pitr: true, ..Roles::default() },
        rlocs: vec![ip(OUR_V4), ip(OUR_V6)],
        map_resolvers: vec![ip(MR1)],
        vrfs: vec![VrfConfig {
            name: "default".into(),
            iid: Iid(0),
            eid_space: vec![net("10.0.0.0/8"), net("2001:db8:e000::/36")],
        }],
        limits: Limits { probe_interval_ms: 0, ..Limits::default() },
        register_nonce_epoch: 1,
        ..EngineConfig::default()
    }
}

/// A site's router with EIDs 10.4.0.0/24 and an IPv4 RLOC only.
pub fn xtr() -> EngineConfig {
    let mut config = pitr();
    config.roles = Roles { xtr: true, ..Roles::default() };
    config.rlocs = vec![ip(OUR_V4)];
    config.vrfs[0].eid_space.clear();
    config.database = vec![DatabaseMapping {
        eid: eid("10.4.0.0/24"),
        ttl_minutes: 1440,
        locators: vec![configured(OUR_V4, 1, 100)],
        map_version: MapVersion::NONE,
    }];
    config
}

pub fn configured(rloc: &str, priority: u8, weight: u8) -> ConfiguredLocator {
    ConfiguredLocator::new(ip(rloc), priority, weight)
}

pub fn static_mapping(prefix: &str, rlocs: &[&str]) -> StaticMapping {
    StaticMapping {
        eid: eid(prefix),
        locators: rlocs.iter().map(|r| configured(r, 1, 100)).collect(),
        action: Forwarding::DropNoReason,
    }
}

/// A Map-Request that the engine sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Time,
    pub to: SocketAddr,
    pub source: Option<IpAddr>,
    pub ecm: Option<Ecm>,
    pub message: MapRequest,
}

impl Request {
    pub fn prefix(&self) -> EidPrefix {
        self.message.records[0].eid_prefix().expect("an IP EID")
    }
}

pub struct World {
    pub engine: Engine,
    pub now: Time,
    /// Everything since the last `take`, without the Map-Requests and notices.
    actions: Vec<Action>,
    requests: Vec<Request>,
}

impl World {
    /// Started, and the actions of the start forgotten.
    pub fn new(config: EngineConfig) -> Self {
        let mut world = Self::unstarted(config);
        world.step(Event::Tick);
        world.take();
        world
    }

    pub fn unstarted(config: EngineConfig) -> Self {
        let now = Time(1_000_000);
        Self { engine: Engine::new(config, [1; 32]), now, actions: Vec::new(), requests: Vec::new() }
    }

    pub fn step(&mut self, event: Event) {
        let mut out = Vec::new();
        self.engine.step(self.now, event, &mut out);
        self.sort_out(out);
    }

    pub fn reconfigure(&mut self, config: EngineConfig) {
        let mut out = Vec::new();
        self.engine.reconfigure(self.now, config, &mut out);
        self.sort_out(out);
    }

    fn sort_out(&mut self, out: Vec<Action>) {
        for action in out {
            match action {
                Action::Notice(_) => {}
                Action::Send { source, to, payload, .. } => {
                    let (ecm, message) = match Message::decode(&payload).expect("what we send decodes") {
                        Message::Ecm(ecm) => {
                            let inner = Message::decode(&ecm.payload).expect("what is in it, too");
                            (Some(ecm), inner)
                        }
                        message => (None, message),
                    };
                    let Message::MapRequest(message) = message else { panic!("sent {message:?}") };
                    self.requests.push(Request { at: self.now, to, source, ecm, message });
                }
                action => self.actions.push(action),
            }
        }
    }

    /// Lets time pass, stepping at each deadline.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        let mut steps = 0;
        while let Some(at) = self.engine.next_deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.step(Event::Tick);
            steps += 1;
            assert!(steps < 1_000_000, "the engine spins at {:?}", self.now);
        }
        self.now = end;
    }

    /// What was done since the last time, Map-Requests left out.
    pub fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub fn requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// The only Map-Request since the last time.
    pub fn request(&mut self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    pub fn miss(&mut self, eid: &str) {
        let source = if eid.contains(':') { "2001:db8:ffff::9" } else { "203.0.113.9" };
        self.miss_from(eid, source);
    }

    pub fn miss_from(&mut self, eid: &str, source: &str) {
        self.step(Event::Miss { iid: Iid(0), eid: ip(eid), source: ip(source) });
    }

    pub fn receive(&mut self, message: &Message) {
        self.receive_from(MR1, message);
    }

    pub fn receive_from(&mut self, from: &str, message: &Message) {
        let payload = message.to_bytes().expect("encodes");
        let event = Event::Datagram {
            from: SocketAddr::new(ip(from), 4342),
            to: SocketAddr::new(ip(OUR_V4), 4342),
            payload,
        };
        self.step(event);
    }

    pub fn reply(&mut self, nonce: u64, records: Vec<EidRecord>) {
        let reply = MapReply { probe: false, echo_nonce: false, nonce, records, security: None };
        self.receive(&Message::MapReply(reply));
    }

    /// Miss, request, reply: learns the records; returns the actions.
    pub fn learn(&mut self, eid: &str, records: Vec<EidRecord>) -> Vec<Action> {
        self.take();
        self.requests();
        self.miss(eid);
        let request = self.request();
        self.reply(request.message.nonce, records);
        self.take()
    }

    pub fn used(&mut self, prefixes: &[&str]) {
        self.step(Event::EntriesUsed(prefixes.iter().map(|p| eid(p)).collect()));
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.engine.counters().get(counter)
    }

    /// The prefixes of all map-cache entries.
    pub fn prefixes(&self) -> Vec<String> {
        self.engine.map_cache().map(|v| v.prefix.to_string()).collect()
    }
}

/// A positive record with TTL in minutes and (RLOC, priority, weight).
pub fn record(prefix: &str, ttl_minutes: u32, locators: &[(&str, u8, u8)]) -> EidRecord {
    let locators = locators.iter().map(|&(r, p, w)| LocatorRecord::new(ip(r), p, w)).collect();
    EidRecord { locators, authoritative: true, ..EidRecord::new(eid(prefix), ttl_minutes) }
}

pub fn negative(prefix: &str, ttl_minutes: u32, action: pxtr_control::codec::MapAction) -> EidRecord {
    EidRecord { action, ..EidRecord::new(eid(prefix), ttl_minutes) }
}

pub fn install(prefix: &str, locators: &[(&str, u8, u8)]) -> Action {
    let locators =
        locators.iter().map(|&(r, priority, weight)| Locator::new(ip(r), priority, weight)).collect();
    Action::Install { eid: eid(prefix), forwarding: Forwarding::Encapsulate(locators) }
}

pub fn install_act(prefix: &str, forwarding: Forwarding) -> Action {
    Action::Install { eid: eid(prefix), forwarding }
}

pub fn withdraw(prefix: &str) -> Action {
    Action::Withdraw(eid(prefix))
}

pub fn state(rloc: &str, up: bool) -> Action {
    Action::LocatorState { rloc: ip(rloc), up }
}

pub fn abandon(eid: &str) -> Action {
    Action::Abandon { iid: Iid(0), eid: ip(eid) }
}

/// An SMR about `source`, with `record` as the receiver's side.
pub fn smr(source: Address, record: &str) -> Message {
    let request = MapRequest {
        smr: true,
        source_eid: source,
        ..MapRequest::new(0, eid(record), vec![Address::Ip(ip("198.51.100.9"))])
    };
    Message::MapRequest(request)
}
