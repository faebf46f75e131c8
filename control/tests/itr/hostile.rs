//! Arbitrary events in arbitrary order, replies with good nonces and arbitrary contents among them:
//! the engine never panics, its tables stay within their caps, what it tells the data plane is
//! consistent with what it shows, and every lookup ends.

use crate::world::*;
use ipnet::IpNet;
use proptest::prelude::*;
use pxtr_control::codec::{
    Address, EidRecord, Lcaf, LocatorRecord, MapAction, MapReply, MapRequest, Message,
};
use pxtr_control::engine::config::EngineConfig;
use pxtr_control::engine::event::{Action, EidPrefix, Event, Forwarding, Iid, Time};
use pxtr_control::engine::mapping::Act;
use pxtr_control::engine::views::{LocatorStatus, PhaseView};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

const CACHE: u32 = 12;
const PENDING: u32 = 10;

#[derive(Clone, Debug)]
enum Step {
    Miss {
        host: u8,
        source: u8,
    },
    /// A Map-Reply to the n-th last request, if there is one.
    Answer {
        nth: usize,
        records: Vec<EidRecord>,
        probe: bool,
    },
    Unsolicited {
        nonce: u64,
        records: Vec<EidRecord>,
        probe: bool,
    },
    Smr {
        source: Address,
        record: EidPrefix,
    },
    Bytes(Vec<u8>),
    Used(Vec<EidPrefix>),
    Underlay {
        rloc: u8,
        reachable: bool,
    },
    Icmp {
        rloc: u8,
    },
    Clear(Option<EidPrefix>),
    Pass(u64),
    Reload {
        probe_interval_ms: u32,
        petr: bool,
        space: bool,
        fixed: bool,
    },
}

fn rloc(n: u8) -> IpAddr {
    // One of them is our own, one is IPv6 (a family we have not), one lies inside EID space.
    match n % 6 {
        0 => ip(OUR_V4),
        1 => ip("2001:db8:5::1"),
        2 => ip("10.0.0.9"),
        n => IpAddr::from([198, 51, 100, n]),
    }
}

/// Few prefixes, so that they nest and meet: 10.0.0.0/28 and shorter, and some elsewhere.
fn prefix() -> impl Strategy<Value = EidPrefix> {
    let v4 = (any::<u8>(), prop_oneof![Just(0u8), Just(6), Just(8), 24u8..=32]);
    (v4, prop_oneof![4 => Just(0u32), 1 => Just(7)]).prop_map(|((host, len), iid)| {
        let addr = Ipv4Addr::new(10, 0, 0, host & 0x0f);
        EidPrefix { iid: Iid(iid), prefix: IpNet::new(addr.into(), len).expect("len").trunc() }
    })
}

fn locator() -> impl Strategy<Value = LocatorRecord> {
    let priority = prop_oneof![Just(1u8), Just(2), Just(255)];
    (any::<u8>(), priority, 0u8..3, any::<[bool; 2]>(), 0u8..8).prop_map(
        |(n, priority, weight, [reachable, probed], odd)| {
            let address = match odd {
                0 => Address::None,
                1 => Address::Lcaf(Box::new(Lcaf::Elp(Vec::new()))),
                2 => Address::Lcaf(Box::new(Lcaf::AfiList(vec![Address::None, Address::Ip(rloc(n))]))),
                _ => Address::Ip(rloc(n)),
            };
            LocatorRecord { reachable, probed, address, ..LocatorRecord::new(rloc(n), priority, weight) }
        },
    )
}

fn a_record() -> impl Strategy<Value = EidRecord> {
    let ttl = prop_oneof![Just(0u32), Just(1), Just(5), Just(1440), Just(u32::MAX)];
    let action = prop_oneof![
        Just(MapAction::NoAction),
        Just(MapAction::NativelyForward),
        Just(MapAction::SendMapRequest),
        Just(MapAction::DropNoReason),
    ];
    let locators = prop::collection::vec(locator(), 0..4);
    (prefix(), ttl, action, locators, any::<bool>()).prop_map(|(eid, ttl, action, locators, odd)| {
        let mut record = EidRecord { locators, authoritative: odd, ..EidRecord::new(eid, ttl) };
        if record.locators.is_empty() {
            record.action = action;
        }
        record
    })
}

fn records() -> impl Strategy<Value = Vec<EidRecord>> {
    prop::collection::vec(a_record(), 0..4)
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u8>(), 0u8..3).prop_map(|(host, source)| Step::Miss { host: host & 0x0f, source }),
        8 => (0usize..4, records(), prop::bool::weighted(0.3))
            .prop_map(|(nth, records, probe)| Step::Answer { nth, records, probe }),
        1 => (any::<u64>(), records(), any::<bool>())
            .prop_map(|(nonce, records, probe)| Step::Unsolicited { nonce, records, probe }),
        2 => (prefix(), prefix()).prop_map(|(source, record)| Step::Smr {
            source: Address::from_eid(source.iid, source.prefix.addr()),
            record,
        }),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Bytes),
        2 => prop::collection::vec(prefix(), 0..6).prop_map(Step::Used),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(rloc, reachable)| Step::Underlay { rloc, reachable }),
        1 => any::<u8>().prop_map(|rloc| Step::Icmp { rloc }),
        1 => prop::option::of(prefix()).prop_map(Step::Clear),
        8 => prop_oneof![1u64..3_000, 1u64..200_000].prop_map(Step::Pass),
        1 => (prop_oneof![Just(0u32), Just(200), Just(10_000)], any::<[bool; 3]>()).prop_map(
            |(probe_interval_ms, [petr, space, fixed])| Step::Reload { probe_interval_ms, petr, space, fixed }
        ),
    ]
}

fn config(probe_interval_ms: u32, petr: bool, space: bool, fixed: bool) -> EngineConfig {
    let mut config = pitr();
    config.rlocs = vec![ip(OUR_V4)];
    config.map_resolvers = vec![ip(MR1), ip(MR2)];
    config.limits.map_cache_entries = CACHE;
    config.limits.pending_requests = PENDING;
    config.limits.idle_timeout_s = 400;
    config.limits.probe_interval_ms = probe_interval_ms;
    if petr {
        config.use_petr = vec![configured("198.51.100.4", 1, 1), configured("198.51.100.5", 2, 1)];
    }
    config.vrfs[0].eid_space =
        if space { vec![net("10.0.0.0/8")] } else { vec![net("10.0.0.0/29"), net("10.0.0.0/30")] };
    if fixed {
        config.static_mappings = vec![static_mapping("10.0.0.4/31", &["198.51.100.3"])];
    }
    config
}

/// What a data plane that obeys every action holds.
#[derive(Default)]
struct Shadow {
    entries: BTreeMap<EidPrefix, Forwarding>,
    down: BTreeSet<IpAddr>,
    asked: BTreeMap<EidPrefix, Time>,
    nonces: Vec<(u64, IpAddr)>,
    /// EIDs that packets wait for.
    waiting: BTreeSet<IpAddr>,
}

impl Shadow {
    fn obey(&mut self, world: &mut World) {
        for action in world.take() {
            match action {
                Action::Install { eid, forwarding } => {
                    let former = self.entries.insert(eid, forwarding.clone());
                    assert_ne!(former.as_ref(), Some(&forwarding), "R-071: only changes are told: {eid:?}");
                    if forwarding != Forwarding::SendMapRequest {
                        self.waiting.retain(|addr| !eid.prefix.contains(addr));
                    }
                }
                Action::Withdraw(eid) => {
                    assert!(self.entries.remove(&eid).is_some(), "{eid:?} was there");
                    // What waits there is looked up anew: by the entry around it, or with another miss.
                    self.waiting.retain(|addr| !eid.prefix.contains(addr));
                }
                Action::LocatorState { rloc, up: true } => assert!(self.down.remove(&rloc), "was down"),
                Action::LocatorState { rloc, up: false } => assert!(self.down.insert(rloc), "was up"),
                Action::Abandon { eid, .. } => {
                    self.waiting.remove(&eid);
                }
                Action::Host { .. } | Action::ProbeHost { .. } => panic!("no dynamic EIDs are configured"),
                Action::Marks { .. } | Action::Outdated(_) | Action::Echo { .. } => {
                    panic!("nobody is trusted")
                }
                Action::Seal { .. } | Action::OpenKeys { .. } => panic!("no encryption is configured"),
                Action::Send { .. } | Action::Notice(_) => {}
            }
        }
        for request in world.requests() {
            self.nonces.push((request.message.nonce, request.to.ip()));
            if request.ecm.is_some() {
                let last = self.asked.insert(request.prefix(), request.at);
                let gap = last.map_or(u64::MAX, |last| request.at.since(last));
                assert!(gap >= 1000, "R-055: {:?} again after {gap} ms", request.prefix());
            }
        }
    }

    fn agrees_with(&self, world: &World) {
        let views: Vec<_> = world.engine.map_cache().collect();
        let shown: BTreeSet<_> = views.iter().map(|v| EidPrefix { iid: v.iid, prefix: v.prefix }).collect();
        assert_eq!(shown, self.entries.keys().copied().collect(), "what is shown is what was told");
        let sizes = world.engine.sizes();
        assert!(sizes.map_cache_learnt <= CACHE as usize);
        assert!(sizes.lookups <= 2 * (PENDING as usize * 5 / 4 + 1));
        let rlocs = world.engine.rlocs();
        assert_eq!(rlocs.len(), sizes.rlocs);
        for view in rlocs {
            assert!(view.entries > 0, "{} is held by something", view.rloc);
            assert_eq!(view.status != LocatorStatus::Up, self.down.contains(&view.rloc));
        }
        for forwarding in self.entries.values() {
            if let Forwarding::Encapsulate(locators) = forwarding {
                assert!(locators.iter().all(|l| l.priority != 255 && l.rloc != ip(OUR_V4)));
            }
        }
    }
}

fn play(world: &mut World, shadow: &mut Shadow, step: Step) {
    match step {
        Step::Miss { host, source } => {
            let eid = IpAddr::from([10, 0, 0, host]);
            world.step(Event::Miss { iid: Iid(0), eid, source: IpAddr::from([203, 0, 113, source]) });
            let host = IpNet::from(eid);
            let mut pending = world.engine.pending().into_iter();
            let asks = pending.any(|p| p.prefix == host && p.phase == PhaseView::Asking);
            let around = world.engine.map_cache_lookup(Iid(0), eid);
            if asks && around.is_some_and(|v| v.action == Act::SendMapRequest) {
                shadow.waiting.insert(eid);
            }
        }
        Step::Answer { nth, records, probe } => {
            let Some(&(nonce, from)) = shadow.nonces.iter().rev().nth(nth) else { return };
            let reply = MapReply { probe, echo_nonce: false, nonce, records, security: None };
            world.receive_from(&from.to_string(), &Message::MapReply(reply));
        }
        Step::Unsolicited { nonce, records, probe } => {
            let reply = MapReply { probe, echo_nonce: false, nonce, records, security: None };
            world.receive(&Message::MapReply(reply));
        }
        Step::Smr { source, record } => {
            let rlocs = vec![Address::Ip(rloc(3))];
            let smr = MapRequest { smr: true, source_eid: source, ..MapRequest::new(0, record, rlocs) };
            world.receive_from("198.51.100.3", &Message::MapRequest(smr));
        }
        Step::Bytes(payload) => {
            let (from, to) = ("192.0.2.53:4342", "192.0.2.1:4342");
            let (from, to) = (from.parse().expect("addr"), to.parse().expect("addr"));
            world.step(Event::Datagram { from, to, payload });
        }
        Step::Used(eids) => world.step(Event::EntriesUsed(eids)),
        Step::Underlay { rloc: n, reachable } => {
            world.step(Event::UnderlayChanged { rloc: rloc(n), reachable });
        }
        Step::Icmp { rloc: n } => world.step(Event::IcmpUnreachable { rloc: rloc(n) }),
        Step::Clear(inside) => world.step(Event::ClearMapCache(inside)),
        Step::Pass(ms) => world.pass(ms),
        Step::Reload { probe_interval_ms, petr, space, fixed } => {
            world.reconfigure(config(probe_interval_ms, petr, space, fixed));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_engine_keeps_its_promises(
        steps in prop::collection::vec(a_step(), 0..120),
        probing in prop_oneof![Just(0u32), Just(1000)],
    ) {
        let mut world = World::unstarted(config(probing, false, true, true));
        let mut shadow = Shadow::default();
        world.step(Event::Tick);
        shadow.obey(&mut world);
        for step in steps {
            play(&mut world, &mut shadow, step);
            shadow.obey(&mut world);
            shadow.agrees_with(&world);
        }
        // Without probing nothing but lookups and TTLs is left to happen.
        world.reconfigure(config(0, true, true, true));
        world.pass(120_000);
        shadow.obey(&mut world);
        let asking = world.engine.pending().into_iter().filter(|p| p.tries > 0 && p.age_s > 90).count();
        prop_assert_eq!(asking, 0, "every lookup ends");
        prop_assert!(shadow.waiting.is_empty(), "a mapping or the end for {:?}", shadow.waiting);
        world.pass(8 * 24 * 3_600_000);
        shadow.obey(&mut world);
        shadow.agrees_with(&world);
        prop_assert!(world.engine.pending().is_empty());
        prop_assert_eq!(world.engine.sizes().map_cache_learnt, 0, "and every TTL");
    }

    #[test]
    fn the_same_events_and_seed_give_the_same_actions(steps in prop::collection::vec(a_step(), 0..60)) {
        let run = |steps: Vec<Step>| {
            let mut world = World::unstarted(config(1000, true, true, true));
            let mut shadow = Shadow::default();
            let mut log = Vec::new();
            for step in steps {
                play(&mut world, &mut shadow, step);
                let requests = world.requests();
                shadow.nonces.extend(requests.iter().map(|r| (r.message.nonce, r.to.ip())));
                log.push(format!("{:?} {requests:?}", world.take()));
            }
            log
        };
        prop_assert_eq!(run(steps.clone()), run(steps));
    }
}
