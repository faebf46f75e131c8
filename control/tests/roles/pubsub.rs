//! Pub/Sub (RFC 9437): a PITR that subscribes and a Map-Server that publishes, one at each end of a
//! wire that a test can cut; then what forgers and strangers can not do.

use crate::messages::{record, register, request, rloc, show_all, signed, signed_register, xtr_id};
use crate::node::{Node, Sent, blank, eid, ip, map_server, net, secret, site};
use pxtr_control::codec::{Address, MapAction, MapNotify, MapRequest, Message};
use pxtr_control::engine::config::{
    AnswerPolicy, AuthAlgorithm, EngineConfig, Key, Roles, Subscriber, Subscribing,
};
use pxtr_control::engine::event::{EidPrefix, Event, Forwarding, Iid};
use pxtr_control::engine::{Counter, Engine};
use std::net::SocketAddr;

const PITR: &str = "203.0.113.10:4342";
const MS: &str = "203.0.113.53:4342";
const ETR: &str = "198.51.100.6:4342";
const KEY: &str = "pubsub-key";

fn pitr_config() -> EngineConfig {
    let mut config = EngineConfig {
        roles: Roles { pitr: true, ..Roles::default() },
        rlocs: vec![ip("203.0.113.10")],
        map_resolvers: vec![ip("203.0.113.53")],
        xtr_id: xtr_id(9).map(|x| (x.xtr_id, x.site_id)),
        subscribing: Some(Subscribing {
            key: Key { id: 1, secret: secret(KEY) },
            algorithm: AuthAlgorithm::HmacSha256,
        }),
        ..blank()
    };
    config.vrfs[0].eid_space = vec![net("10.0.0.0/8")];
    config
}

fn subscriber() -> Subscriber {
    Subscriber {
        name: "pitr".into(),
        xtr_id: xtr_id(9).expect("an ID").xtr_id,
        key: Key { id: 1, secret: secret(KEY) },
        algorithm: AuthAlgorithm::HmacSha256,
        rlocs: Vec::new(),
        max_subscriptions: 100,
    }
}

fn ms_config() -> EngineConfig {
    EngineConfig {
        rlocs: vec![ip("203.0.113.53")],
        subscribers: vec![subscriber()],
        ..map_server(vec![site("a", "site-key", &["10.4.0.0/16+", "10.5.0.0/24"])])
    }
}

/// PITR and Map-Server, and what went between them.
struct Pair {
    pitr: Node,
    ms: Node,
    nonce: u64,
    /// Map-Notifies and their acknowledgements do not get through.
    deaf: bool,
    log: Vec<Sent>,
}

impl Pair {
    fn new(pitr: EngineConfig, ms: EngineConfig) -> Self {
        let mut pair =
            Self { pitr: Node::new(pitr), ms: Node::new(ms), nonce: 0, deaf: false, log: Vec::new() };
        pair.register("10.4.0.0/24", &["198.51.100.6"]);
        pair
    }

    /// A site registers; TTL 0 without locators.
    fn register(&mut self, prefix: &str, rlocs: &[&str]) {
        self.nonce += 1;
        let locators: Vec<_> = rlocs.iter().map(|r| rloc(r, 1)).collect();
        let mut record = record(prefix, &locators);
        record.ttl_minutes = if rlocs.is_empty() { 0 } else { 1440 };
        let message = signed_register(&register(self.nonce, vec![record]), "site-key");
        self.ms.hear_at(ETR.parse().expect("at"), MS.parse().expect("at"), &message);
        self.settle();
    }

    /// Carries messages until nobody has any.
    fn settle(&mut self) {
        let (pitr, ms): (SocketAddr, SocketAddr) = (PITR.parse().expect("at"), MS.parse().expect("at"));
        loop {
            let (up, down) = (self.pitr.take(), self.ms.take());
            if up.is_empty() && down.is_empty() {
                return;
            }
            let lost = |sent: &Sent, deaf: bool| {
                deaf && matches!(sent.message, Message::MapNotify(_) | Message::MapNotifyAck(_))
            };
            for sent in up.iter().filter(|s| s.to == ms && !lost(s, self.deaf)) {
                self.ms.hear_at(pitr, ms, &sent.payload);
            }
            for sent in down.iter().filter(|s| s.to == pitr && !lost(s, self.deaf)) {
                self.pitr.hear_at(ms, pitr, &sent.payload);
            }
            self.log.extend(up.into_iter().chain(down));
        }
    }

    fn miss(&mut self, eid: &str) {
        self.pitr.step(Event::Miss { iid: Iid(0), eid: ip(eid), source: ip("192.0.2.9") });
        self.settle();
    }

    /// Both clocks, second by second.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.pitr.pass(1000);
            self.ms.pass(1000);
            self.settle();
        }
    }

    /// Where the PITR sends packets for an EID.
    fn way(&self, eid: &str) -> String {
        way(&self.pitr.engine, eid)
    }

    fn requests(&self) -> Vec<MapRequest> {
        let inner = |s: &Sent| match &s.message {
            Message::Ecm(ecm) => match Message::decode(&ecm.payload) {
                Ok(Message::MapRequest(request)) => Some(request),
                _ => None,
            },
            _ => None,
        };
        self.log.iter().filter_map(inner).collect()
    }

    fn notifies(&self) -> Vec<MapNotify> {
        let notify = |s: &Sent| match &s.message {
            Message::MapNotify(m) if s.to == PITR.parse().expect("at") => Some(m.clone()),
            _ => None,
        };
        self.log.iter().filter_map(notify).collect()
    }

    /// The ITR's and the Map-Server's number of subscriptions.
    fn counts(&self) -> (usize, usize) {
        let ms = self.ms.engine.roles().map_server().expect("a Map-Server");
        (self.pitr.engine.subscriptions().count(), ms.subscription_count())
    }
}

fn way(engine: &Engine, eid: &str) -> String {
    let Some(entry) = engine.map_cache_lookup(Iid(0), ip(eid)) else { return "none".into() };
    let rlocs: Vec<String> = entry.locators.iter().map(|l| l.rloc.to_string()).collect();
    format!("{} {:?} {}", entry.prefix, entry.action, rlocs.join(","))
}

#[test]
fn r194_r195_a_lookup_subscribes_and_the_map_notify_is_the_answer() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let asked = pair.requests();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].records[0].subscribe && asked[0].pitr);
    assert_eq!(asked[0].xtr, xtr_id(9));
    let told = pair.notifies();
    assert_eq!((told.len(), told[0].nonce), (1, asked[0].nonce));
    assert_eq!(show_all(&told[0].records), ["10.4.0.0/24 -> 198.51.100.6"]);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.6");
    assert_eq!(pair.counts(), (1, 1));
    assert_eq!(pair.pitr.count(Counter::ResolutionsDone), 1);
    assert_eq!(pair.pitr.count(Counter::NotifyAcksSent), 1);
    assert_eq!(pair.ms.count(Counter::NotifyAcksReceived), 1);
    pair.pass(60);
    assert_eq!(pair.notifies().len(), 1, "an acknowledged Map-Notify is not sent again");
}

#[test]
fn r196_r197_changes_are_published_and_applied() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let nonce = pair.notifies()[0].nonce;
    pair.register("10.4.0.0/24", &["198.51.100.9"]);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.9");
    // A more-specific prefix inside the subscribed one.
    pair.register("10.4.0.128/25", &["198.51.100.22"]);
    assert_eq!(pair.way("10.4.0.200"), "10.4.0.128/25 Encapsulate 198.51.100.22");
    // It goes again: its EIDs are those of the prefix around it.
    pair.register("10.4.0.128/25", &[]);
    assert_eq!(pair.way("10.4.0.200"), "10.4.0.128/25 Encapsulate 198.51.100.9");
    let nonces: Vec<u64> = pair.notifies().iter().map(|n| n.nonce - nonce).collect();
    assert_eq!(nonces, [0, 1, 2, 3], "one more with each publication");
    assert_eq!(pair.requests().len(), 1, "nothing was pulled");
    assert_eq!(pair.pitr.count(Counter::PublicationsReceived), 3);
    // Deregistered: withdrawn with TTL 0.
    pair.pass(5);
    pair.register("10.4.0.0/24", &[]);
    let last = pair.notifies().pop().expect("one");
    assert!(last.records.iter().all(|r| r.ttl_minutes == 0 && r.locators.is_empty()), "{last:?}");
    assert_eq!(pair.way("10.4.0.7"), "10.0.0.0/8 SendMapRequest ");
    // The subscription is still there: the site comes back, without a packet asking.
    pair.pass(5);
    pair.register("10.4.0.0/24", &["198.51.100.6"]);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.6");
}

#[test]
fn r169_r197_a_policy_that_comes_and_goes_is_published() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let (action, ttl_minutes) = (MapAction::DropPolicyDenied, 15);
    let policies = vec![AnswerPolicy { eid: eid("10.4.0.0/16"), action, ttl_minutes }];
    pair.ms.reconfigure(EngineConfig { policies, ..ms_config() });
    pair.settle();
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 DropPolicyDenied ");
    pair.pass(5);
    pair.register("10.4.0.0/24", &["198.51.100.9"]);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 DropPolicyDenied ", "whatever is registered");
    pair.ms.reconfigure(ms_config());
    pair.settle();
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.9");
}

#[test]
fn r197_a_registration_that_ends_by_itself_is_published() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    pair.pass(185);
    assert_eq!(pair.ms.count(Counter::RegistrationsExpired), 1);
    assert_eq!(pair.way("10.4.0.7"), "10.0.0.0/8 SendMapRequest ");
}

#[test]
fn r197_what_is_not_registered_is_subscribed_to_for_a_while() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.9.1");
    assert!(pair.way("10.4.9.1").contains("NativelyForward"), "{}", pair.way("10.4.9.1"));
    assert_eq!(pair.notifies()[0].records[0].ttl_minutes, 15);
    pair.register("10.4.9.0/24", &["198.51.100.6"]);
    assert_eq!(pair.way("10.4.9.1"), "10.4.9.0/24 Encapsulate 198.51.100.6");
    assert_eq!(pair.requests().len(), 1);
}

#[test]
fn r167_a_publication_is_sent_again_until_it_is_acknowledged_and_never_stale() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    pair.deaf = true;
    pair.register("10.4.0.0/24", &["198.51.100.9"]);
    pair.pass(4);
    pair.register("10.4.0.0/24", &["198.51.100.10"]);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.6");
    pair.deaf = false;
    pair.log.clear();
    pair.pass(4);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.10");
    assert_eq!(pair.notifies().len(), 1);
    assert!(pair.ms.count(Counter::NotifiesRetransmitted) >= 2);
}

#[test]
fn r196_a_repeated_publication_is_acknowledged_and_a_replayed_one_dropped() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    pair.register("10.4.0.0/24", &["198.51.100.9"]);
    pair.register("10.4.0.0/24", &["198.51.100.10"]);
    let wire: Vec<Vec<u8>> = pair
        .log
        .iter()
        .filter(|s| matches!(s.message, Message::MapNotify(_)) && s.to == PITR.parse().expect("at"))
        .map(|s| s.payload.clone())
        .collect();
    let (from, to) = (MS.parse().expect("at"), PITR.parse().expect("at"));
    pair.pitr.hear_at(from, to, &wire[1]);
    assert!(pair.pitr.silent(), "no acknowledgement for an old one");
    assert_eq!(pair.pitr.count(Counter::PublicationsReplayed), 1);
    pair.pitr.hear_at(from, to, &wire[2]);
    assert!(matches!(pair.pitr.take_one().message, Message::MapNotifyAck(_)));
    assert_eq!(pair.pitr.count(Counter::PublicationsRepeated), 1);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.10");
}

#[test]
fn r196_a_map_notify_under_another_key_changes_nothing() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let nonce = pair.notifies()[0].nonce + 1;
    let auth = crate::messages::unsigned(AuthAlgorithm::HmacSha256);
    let forged =
        MapNotify { nonce, auth, records: vec![record("10.4.0.0/24", &[rloc("6.6.6.6", 1)])], xtr: None };
    let forged = signed(Message::MapNotify(forged), "guess");
    pair.pitr.hear_at(MS.parse().expect("at"), PITR.parse().expect("at"), &forged);
    assert!(pair.pitr.silent());
    assert_eq!(pair.pitr.count(Counter::PublicationsBadAuth), 1);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.6");
}

#[test]
fn r198_a_subscription_in_use_is_renewed_at_half_of_its_life_and_else_ended() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    pair.miss("10.4.9.1");
    // The temporary one lives for 15 minutes; no packet used it since.
    for _ in 0..10 {
        pair.pass(60);
        pair.register("10.4.0.0/24", &["198.51.100.6"]);
        pair.pitr.step(Event::EntriesUsed(vec![eid("10.4.0.0/24")]));
    }
    assert_eq!(pair.counts(), (1, 1), "the unused one was given up at both ends");
    let ends = pair.requests().into_iter().filter(|r| r.itr_rlocs == [Address::None]).count();
    assert_eq!(ends, 1);
    assert_eq!(pair.ms.count(Counter::SubscriptionsEnded), 1);
}

#[test]
fn r194_a_subscriber_that_restarts_subscribes_again_with_a_higher_nonce() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let mut config = pitr_config();
    config.register_nonce_epoch += 1;
    pair.pitr = Node::new(config);
    pair.miss("10.4.0.7");
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.6");
    let asked = pair.requests();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].nonce > asked[0].nonce);
    pair.register("10.4.0.0/24", &["198.51.100.9"]);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.9");
    assert_eq!(pair.counts(), (1, 1));
}

#[test]
fn r195_without_a_security_association_the_mapping_is_pulled() {
    // The Map-Server knows of no subscribers: it replies as it does to everybody.
    let ms = EngineConfig { subscribers: Vec::new(), ..ms_config() };
    let mut pair = Pair::new(pitr_config(), ms);
    pair.miss("10.4.9.1");
    assert!(pair.way("10.4.9.1").contains("NativelyForward"));
    assert_eq!(pair.counts(), (0, 0));
    assert_eq!(pair.pitr.count(Counter::SubscribesDeclined), 1);
    assert_eq!(pair.ms.count(Counter::SubscribesRefused), 1);
}

#[test]
fn r197_a_forged_map_request_neither_subscribes_nor_moves_nor_ends_anything() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let forge = |itr_rlocs: Vec<Address>| {
        let mut forged = request("10.4.0.7/32", &["192.0.2.66"]);
        forged.itr_rlocs = itr_rlocs;
        forged.nonce = u64::MAX - 1;
        forged.xtr = xtr_id(9);
        forged.records[0].subscribe = true;
        crate::messages::in_ecm(&forged)
    };
    let attacker = "192.0.2.66:4342".parse().expect("at");
    pair.ms.hear_at(attacker, MS.parse().expect("at"), &forge(vec![Address::Ip(ip("192.0.2.66"))]));
    pair.ms.hear_at(attacker, MS.parse().expect("at"), &forge(vec![Address::None]));
    pair.settle();
    pair.register("10.4.0.0/24", &["198.51.100.9"]);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.9");
    assert_eq!(pair.counts(), (1, 1));
    // The one that would end it was answered to the subscriber, who knows nothing of it.
    assert_eq!(pair.pitr.count(Counter::PublicationsReplayed), 1);
}

#[test]
fn r197_a_request_whose_nonce_is_not_above_the_last_is_dropped_in_silence() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let again = pair.log.iter().find(|s| matches!(s.message, Message::Ecm(_))).expect("one").payload.clone();
    pair.ms.hear_at(PITR.parse().expect("at"), MS.parse().expect("at"), &again);
    assert!(pair.ms.silent());
    assert_eq!(pair.ms.count(Counter::SubscribesReplayed), 1);
}

#[test]
fn r197_subscriptions_are_capped_and_bound_to_the_configured_addresses() {
    let mut config = ms_config();
    config.subscribers[0].max_subscriptions = 1;
    let mut pair = Pair::new(pitr_config(), config);
    pair.register("10.5.0.0/24", &["198.51.100.6"]);
    pair.miss("10.4.0.7");
    pair.miss("10.5.0.7");
    assert_eq!(pair.counts().1, 1);
    assert_eq!(pair.ms.count(Counter::SubscriptionsOverLimit), 1);

    let mut config = ms_config();
    config.subscribers[0].rlocs = vec![ip("203.0.113.11")];
    let mut pair = Pair::new(pitr_config(), config);
    pair.miss("10.4.9.1");
    assert_eq!((pair.counts(), pair.ms.count(Counter::SubscribesRefused)), ((0, 0), 1));
}

#[test]
fn r197_a_subscriber_that_fell_silent_is_forgotten() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    pair.deaf = true;
    pair.register("10.4.0.0/24", &["198.51.100.9"]);
    pair.pass(90);
    assert_eq!(pair.counts().1, 0);
    assert_eq!(pair.ms.count(Counter::SubscriptionsDropped), 1);
}

#[test]
fn r197_publications_of_a_flapping_site_are_limited_and_end_with_the_truth() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    pair.log.clear();
    for i in 0..100 {
        let rloc = if i % 2 == 0 { "198.51.100.9" } else { "198.51.100.10" };
        pair.register("10.4.0.0/24", &[rloc]);
    }
    assert!(pair.notifies().len() <= 5, "{}", pair.notifies().len());
    pair.pass(2);
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.10");
    assert!(pair.ms.count(Counter::PublicationsDelayed) > 0);
}

#[test]
fn r196_a_subscription_that_the_map_server_ends_is_asked_for_again() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    pair.pass(4);
    let nonce = pair.notifies()[0].nonce + 1;
    let auth = crate::messages::unsigned(AuthAlgorithm::HmacSha256);
    let mut ended = record("10.4.0.0/24", &[]);
    ended.action = MapAction::DropAuthFailure;
    let ended = signed(Message::MapNotify(MapNotify { nonce, auth, records: vec![ended], xtr: None }), KEY);
    pair.pitr.hear_at(MS.parse().expect("at"), PITR.parse().expect("at"), &ended);
    pair.settle();
    assert_eq!(pair.pitr.count(Counter::SubscriptionsLost), 1);
    assert_eq!(pair.counts(), (1, 1), "subscribed anew");
    assert_eq!(pair.way("10.4.0.7"), "10.4.0.0/24 Encapsulate 198.51.100.6", "in use all the time");
}

#[test]
fn r195_a_peer_that_can_not_bear_the_bit_is_asked_without_it_in_the_end() {
    let mut pitr = Node::new(pitr_config());
    for second in 0..12 {
        pitr.step(Event::Miss { iid: Iid(0), eid: ip("10.4.0.7"), source: ip("192.0.2.9") });
        pitr.pass(1000 + second);
    }
    let subscribes: Vec<bool> = pitr
        .take()
        .iter()
        .filter_map(|s| match &s.message {
            Message::Ecm(ecm) => Message::decode(&ecm.payload).ok(),
            _ => None,
        })
        .filter_map(|m| if let Message::MapRequest(r) = m { Some(r.records[0].subscribe) } else { None })
        .collect();
    assert_eq!(subscribes[..5], [true, true, true, false, false]);
}

#[test]
fn only_the_subscribed_prefix_is_taken_from_a_publication() {
    let mut pair = Pair::new(pitr_config(), ms_config());
    pair.miss("10.4.0.7");
    let nonce = pair.notifies()[0].nonce + 1;
    let auth = crate::messages::unsigned(AuthAlgorithm::HmacSha256);
    let records = vec![
        record("10.4.0.64/26", &[rloc("198.51.100.22", 1)]),
        record("10.77.0.0/16", &[rloc("6.6.6.6", 1)]),
        record("0.0.0.0/0", &[rloc("6.6.6.6", 1)]),
    ];
    let wide = signed(Message::MapNotify(MapNotify { nonce, auth, records, xtr: None }), KEY);
    pair.pitr.hear_at(MS.parse().expect("at"), PITR.parse().expect("at"), &wide);
    let installed: Vec<EidPrefix> = pair
        .pitr
        .installed
        .iter()
        .filter(|(_, f)| matches!(f, Forwarding::Encapsulate(_)))
        .map(|(eid, _)| *eid)
        .collect();
    assert_eq!(installed, [eid("10.4.0.0/24"), eid("10.4.0.64/26")]);
}
