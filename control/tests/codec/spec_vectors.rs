//! wire.md section 15, byte for byte.

use crate::bytes::{exact, hex};
use pxtr_control::codec::auth::{self, AuthError, Coverage};
use pxtr_control::codec::{
    Address, AuthData, Ecm, EidRecord, InnerHeader, Lcaf, LocatorRecord, MapAction, MapRegister, MapReply,
    MapRequest, Message, XtrSiteId,
};
use pxtr_control::engine::config::Secret;
use pxtr_control::engine::event::{EidPrefix, Iid};

const NONCE: u64 = 0x0102_0304_0506_0708;
const MAP_REQUEST: &str = "10800001 0102030405060708 0000 0001c0000201 0020 0001 0a010203";

fn prefix(iid: u32, text: &str) -> EidPrefix {
    EidPrefix { iid: Iid(iid), prefix: text.parse().unwrap() }
}

fn pitr_request() -> MapRequest {
    let rloc: std::net::IpAddr = "192.0.2.1".parse().unwrap();
    let mut request = MapRequest::new(NONCE, prefix(0, "10.1.2.3/32"), vec![rloc.into()]);
    request.pitr = true;
    request
}

#[test]
fn map_request_of_a_pitr() {
    assert_eq!(exact(&hex(MAP_REQUEST)), Message::MapRequest(pitr_request()));
}

#[test]
fn map_request_in_an_ecm() {
    let head = "80000000 45000038000000002011ccb0c00002010a010203 c12310f6002470ca";
    let bytes = hex(&format!("{head} {MAP_REQUEST}"));
    assert_eq!(bytes.len(), 60);
    let mut inner = InnerHeader::new("192.0.2.1".parse().unwrap(), 49443, "10.1.2.3".parse().unwrap());
    inner.ttl = 32;
    let payload = Message::MapRequest(pitr_request()).to_bytes().unwrap();
    assert_eq!(exact(&bytes), Message::Ecm(Ecm::new(inner, payload)));
}

fn locator(rloc: &str, weight: u8, local: bool) -> LocatorRecord {
    LocatorRecord { local, ..LocatorRecord::new(rloc.parse().unwrap(), 1, weight) }
}

#[test]
fn map_reply() {
    let bytes = hex("20000001 0102030405060708 000005a0 0218 1000 0000 0001 0a010200
         0132ff00 0005 0001 c6336401 0132ff00 0001 0001 c6336402");
    let mut record = EidRecord::new(prefix(0, "10.1.2.0/24"), 1440);
    record.authoritative = true;
    record.locators = vec![locator("198.51.100.1", 50, true), locator("198.51.100.2", 50, false)];
    assert_eq!(exact(&bytes), Message::MapReply(MapReply::new(NONCE, vec![record])));
}

#[test]
fn negative_map_reply() {
    let bytes = hex("20000001 0102030405060708 0000000f 0008 2000 0000 0001 0b000000");
    let mut record = EidRecord::new(prefix(0, "11.0.0.0/8"), 15);
    record.action = MapAction::NativelyForward;
    assert!(record.is_negative());
    assert_eq!(exact(&bytes), Message::MapReply(MapReply::new(NONCE, vec![record])));
}

fn register(algorithm: u8, tag_len: usize, xtr: Option<XtrSiteId>) -> MapRegister {
    let mut record = EidRecord::new(prefix(101, "10.1.2.0/24"), 1440);
    record.authoritative = true;
    record.locators = vec![locator("198.51.100.1", 100, true)];
    MapRegister {
        proxy_reply: true,
        lisp_sec: false,
        eid_notify: false,
        use_ttl: false,
        merge: false,
        want_map_notify: true,
        nonce: NONCE,
        auth: AuthData::unsigned(1, algorithm, tag_len),
        records: vec![record],
        xtr,
    }
}

const BODY: &str = "000005a0 0118 1000 0000 4003 0000 0200 000a 00000065 0001 0a010200
                    0164ff00 0005 0001 c6336401";

/// Signing gives exactly the bytes of wire.md, and these verify; any other key does not.
fn check_signed(message: MapRegister, head: &str, tag: &str, tail: &str) {
    let secret = Secret::new(b"password".to_vec());
    let mut bytes = Message::MapRegister(message).to_bytes().unwrap();
    auth::sign(&mut bytes, &secret).unwrap();
    let algorithm = bytes[13];
    let tag_len = tag.len() / 2;
    let expected =
        hex(&format!("{head} 0102030405060708 01{algorithm:02x} {tag_len:04x} {tag} {BODY} {tail}"));
    assert_eq!(bytes, expected);
    exact(&bytes);
    assert_eq!(auth::verify(&bytes, &secret), Ok(Coverage::Whole));
    assert_eq!(auth::verify(&bytes, &Secret::new(b"Password".to_vec())), Err(AuthError::Mismatch));
    for bit in 0..bytes.len() * 8 {
        let mut forged = bytes.clone();
        forged[bit / 8] ^= 0x80 >> (bit % 8);
        assert!(auth::verify(&forged, &secret).is_err(), "bit {bit} is not covered");
    }
}

#[test]
fn map_register_with_each_algorithm_and_tag_length() {
    let secret_tags = [
        (1, "0d8bb762c7d470ee645378a8c672b81d830432ea"),
        (1, "e81f404dbdac1834e9d9ebb2"),
        (2, "4cb1f72d79faf1e537f3c32fa45f96df356b6c478386e346ca21b3908d725ffe"),
        (2, "2081978dceb16591daf2eac25076c824"),
        (3, "d3bd81fd062b39eff51b8a26bc93e129"),
    ];
    for (algorithm, tag) in secret_tags {
        check_signed(register(algorithm, tag.len() / 2, None), "38000101", tag, "");
    }
}

#[test]
fn map_register_with_xtr_id_is_covered_whole() {
    let xtr_id = std::array::from_fn(|i| u8::try_from(i).unwrap());
    let xtr = XtrSiteId { xtr_id, site_id: 200 };
    check_signed(
        register(2, 32, Some(xtr)),
        "3a000101",
        "24bb62358ddc644bab6ed6d4f10c34acfebbf6c36141879a17188c707cb484cf",
        "000102030405060708090a0b0c0d0e0f 00000000000000c8",
    );
}

#[test]
fn lcaf_afi_list() {
    let lcaf = "4003 0000 0100 0018 0001 c0000201 0002 20010db8000000000000000000000001";
    let bytes = hex(&format!("10000001 0102030405060708 0000 {lcaf} 0020 0001 0a010203"));
    let Message::MapRequest(request) = exact(&bytes) else { panic!("no Map-Request") };
    let list = ["192.0.2.1", "2001:db8::1"].map(|a| Address::Ip(a.parse().unwrap()));
    assert_eq!(request.itr_rlocs, [Address::Lcaf(Box::new(Lcaf::AfiList(list.to_vec())))]);
    assert_eq!(request.itr_rlocs[0].rloc(), Some("192.0.2.1".parse().unwrap()));
}
