//! `debug lisp`: what is shown, to whom, and what is not.

use crate::api::decoded::{Envelope, debug_message};
use crate::api::tap::{Passing, Tap};
use crate::api::*;
use crate::codec::{
    Address, AuthData, Ecm, EidRecord, InnerHeader, LocatorRecord, MapRegister, MapRequest, Message,
};
use crate::engine::event::{EidPrefix, Iid, Time};
use std::net::IpAddr;
use std::sync::Arc;

fn eid(prefix: &str) -> EidPrefix {
    EidPrefix { iid: Iid(0), prefix: prefix.parse().unwrap() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn request(prefix: &str) -> Message {
    Message::MapRequest(MapRequest::new(0xABCD, eid(prefix), vec![Address::Ip(ip("192.0.2.1"))]))
}

fn ecm(prefix: &str) -> Message {
    let inner = InnerHeader::new(ip("192.0.2.1"), 4342, ip("10.4.0.1"));
    Message::Ecm(Ecm::new(inner, request(prefix).to_bytes().unwrap()))
}

fn register() -> Message {
    let mut record = EidRecord::new(eid("10.4.0.0/24"), 1440);
    record.locators = vec![LocatorRecord::new(ip("198.51.100.6"), 1, 100)];
    Message::MapRegister(MapRegister {
        proxy_reply: true,
        lisp_sec: false,
        eid_notify: false,
        use_ttl: false,
        merge: false,
        want_map_notify: true,
        nonce: 7,
        auth: AuthData { key_id: 1, algorithm_id: 2, tag: vec![0xAB; 32] },
        records: vec![record],
        xtr: None,
    })
}

fn seen(message: &Message) -> DebugMessage {
    let envelope = Envelope {
        unix_ms: 1_000,
        direction: Direction::Received,
        peer: "203.0.113.9:4342".parse().unwrap(),
        local: None,
        left_out: 0,
    };
    debug_message(envelope, &message.to_bytes().unwrap())
}

fn query(messages: &[MessageKind], about: Option<&str>) -> DebugQuery {
    DebugQuery { messages: messages.to_vec(), direction: None, about: about.map(|a| a.parse().unwrap()) }
}

#[test]
fn filters_find_what_is_inside() {
    let (plain, encapsulated, register) =
        (seen(&request("10.4.0.1/32")), seen(&ecm("10.4.0.1/32")), seen(&register()));
    let cases: [(DebugQuery, [bool; 3]); 8] = [
        (query(&[], None), [true, true, true]),
        (query(&[MessageKind::MapRequest], None), [true, true, false]),
        (query(&[MessageKind::Ecm, MessageKind::MapRegister], None), [false, true, true]),
        (query(&[MessageKind::RlocProbe, MessageKind::Smr], None), [false, false, false]),
        (query(&[], Some("10.4.0.0/16")), [true, true, true]),
        (query(&[], Some("10.4.0.2")), [false, false, true]),
        (query(&[], Some("198.51.100.6")), [false, false, true]),
        (query(&[], Some("203.0.113.9")), [true, true, true]),
    ];
    for (query, wanted) in cases {
        let got = [&plain, &encapsulated, &register].map(|m| query.wants(m));
        assert_eq!(got, wanted, "{query:?}");
    }
    let sent = DebugQuery { direction: Some(Direction::Sent), ..DebugQuery::default() };
    assert!(!sent.wants(&plain));
}

#[test]
fn a_mac_is_never_shown() {
    let text = serde_json::to_string(&seen(&register())).unwrap();
    assert!(text.contains(r#""auth":{"key_id":1,"algorithm_id":2,"bytes":32}"#), "{text}");
    assert!(!text.to_lowercase().contains("abab") && !text.contains("171,171"), "{text}");
}

#[test]
fn what_can_not_be_decoded_is_shown_as_such() {
    let envelope = Envelope {
        unix_ms: 0,
        direction: Direction::Received,
        peer: "203.0.113.9:1".parse().unwrap(),
        local: None,
        left_out: 0,
    };
    let seen = debug_message(envelope, &[0x90]);
    assert_eq!((seen.message.as_ref(), seen.bytes), (None, 1));
    assert!(seen.error.as_deref().is_some_and(|e| !e.is_empty()));
    assert!(DebugQuery::default().wants(&seen) && !query(&[MessageKind::Info], None).wants(&seen));
}

#[test]
fn names_from_outside_do_not_reach_the_terminal_raw() {
    let mut request = MapRequest::new(1, eid("10.0.0.1/32"), vec![Address::Ip(ip("192.0.2.1"))]);
    request.source_eid = Address::Name(b"a\x1b[2J".to_vec().into());
    let decoded = decoded(&Message::MapRequest(request));
    assert_eq!(decoded.source_eid.as_deref(), Some("\"a\\x1b[2J\""));
}

fn passing(payload: &[u8], at: u64) -> Passing<'_> {
    Passing {
        now: Time(at),
        unix_ms: at,
        direction: Direction::Received,
        peer: "203.0.113.9:4342".parse().unwrap(),
        local: None,
        payload,
    }
}

#[tokio::test]
async fn a_flood_is_bounded_and_what_is_left_out_is_told() {
    let tap = Arc::new(Tap::default());
    assert!(!tap.is_listening());
    let mut listening = tap.listen(query(&[MessageKind::MapRequest], None)).unwrap();
    assert!(tap.is_listening());
    let (wanted, other) = (request("10.4.0.1/32").to_bytes().unwrap(), register().to_bytes().unwrap());
    for _ in 0..10_000 {
        tap.show(&passing(&wanted, 5));
        tap.show(&passing(&other, 5));
    }
    for _ in 0..512 {
        assert_eq!(listening.next().await.unwrap().left_out, 0);
    }
    tap.show(&passing(&wanted, 10_000));
    assert_eq!(listening.next().await.unwrap().left_out, 10_000 - 512);
    drop(listening);
    assert!(!tap.is_listening());
}

#[test]
fn listeners_are_few() {
    let tap = Arc::new(Tap::default());
    let some: Vec<_> = (0..4).map(|_| tap.listen(DebugQuery::default()).unwrap()).collect();
    assert!(tap.listen(DebugQuery::default()).unwrap_err().message.contains("4 listeners"));
    drop(some);
    assert!(tap.listen(DebugQuery::default()).is_ok());
}
