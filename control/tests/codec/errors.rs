//! Every error variant is reached, by the smallest message that is wrong in just that way.

use crate::bytes::hex;
use pxtr_control::codec::auth::{self, AuthError};
use pxtr_control::codec::{
    Address, AuthData, DecodeError, Ecm, EidRecord, EncodeError, Info, InnerHeader, Lcaf, LocatorRecord,
    MapReply, MapRequest, Message,
};
use pxtr_control::engine::config::Secret;
use std::collections::BTreeSet;

const NONCE: &str = "0102030405060708";
/// Map-Request up to its ITR-RLOCs.
const REQUEST: &str = "10000001 0102030405060708 0000";
/// A good inner IPv4 packet with an empty UDP payload, checksums right.
const INNER: &str = "4500001c000000004011accc c0000201 0a010203 10f610f6 0008 0000";

/// Where a variant stands in the enum. A new variant does not compile until it is listed here,
/// and the test does not pass until it is reached.
fn index(error: &DecodeError) -> usize {
    match error {
        DecodeError::Truncated(_) => 0,
        DecodeError::UnknownType(_) => 1,
        DecodeError::UnknownSubType(_) => 2,
        DecodeError::UnknownAfi(_) => 3,
        DecodeError::UnterminatedName => 4,
        DecodeError::LcafTooDeep => 5,
        DecodeError::LcafTooLong { .. } => 6,
        DecodeError::LcafOverrun { .. } => 7,
        DecodeError::UnknownVendor { .. } => 8,
        DecodeError::UnknownEid { .. } => 9,
        DecodeError::MaskLen { .. } => 10,
        DecodeError::TooManyRecords(_) => 11,
        DecodeError::TooManyLocators(_) => 12,
        DecodeError::NoItrRloc => 13,
        DecodeError::NoXtrId(_) => 14,
        DecodeError::InnerVersion(_) => 15,
        DecodeError::InnerHeader(_) => 16,
        DecodeError::InnerProtocol(_) => 17,
        DecodeError::InnerFragment => 18,
        DecodeError::InnerChecksum => 19,
        DecodeError::InnerPorts { .. } => 20,
        DecodeError::NestedEcm => 21,
        DecodeError::UnknownAdType(_) => 22,
        DecodeError::SecLength { .. } => 23,
        DecodeError::UnknownHmacId(_) => 24,
    }
}
const VARIANTS: usize = 25;

/// What is wrong, and the message.
fn malformed() -> Vec<(DecodeError, String)> {
    let rloc = "0001c0000201";
    let record = "000005a0 0018 1000 0000";
    let reply = format!("20000001 {NONCE}");
    let ecm = "80000000";
    // A header checksum that is right for another protocol, fragment flag and so on.
    let inner = |ip: &str| format!("{ecm} {ip} c0000201 0a010203 10f610f6 0008 0000");
    let sec = "88000000 01 00 0002 0018 0102 0000000000000000 00112233445566778899aabbccddeeff";
    vec![
        (DecodeError::Truncated("message type"), String::new()),
        (DecodeError::Truncated("nonce"), "20000001 01020304".to_owned()),
        (DecodeError::Truncated("EID mask-len"), format!("{reply} 000005a0 01")),
        (DecodeError::Truncated("Authentication Data"), format!("30000001 {NONCE} 0102 0010 00")),
        (DecodeError::UnknownType(0), "00000000".to_owned()),
        (DecodeError::UnknownType(9), "90000000".to_owned()),
        (DecodeError::UnknownSubType(0xABC), "fabc0000".to_owned()),
        (DecodeError::UnknownAfi(25), format!("{REQUEST} 0019")),
        (DecodeError::UnterminatedName, format!("{REQUEST} 0011 6c78")),
        (
            DecodeError::LcafTooDeep,
            format!(
                "{REQUEST} 4003 0000 0100 0022 4003 0000 0100 001a 4003 0000 0100 0012
                 4003 0000 0100 000a 4003 0000 0100 0002 0000"
            ),
        ),
        (
            DecodeError::LcafTooLong { lcaf_type: 1 },
            format!("{REQUEST} 4003 0000 0100 0082 {}", "0000".repeat(65)),
        ),
        (DecodeError::LcafTooLong { lcaf_type: 11 }, format!("{REQUEST} 4003 0000 0b00 0004 41 00 01 00")),
        // Length ends inside the address; an address that is whole, but for the Length.
        (
            DecodeError::LcafOverrun { lcaf_type: 2 },
            format!("{REQUEST} 4003 0000 0200 0008 00000001 0001c0000201"),
        ),
        (DecodeError::LcafOverrun { lcaf_type: 1 }, format!("{REQUEST} 4003 0000 0100 0005 0001c0000201")),
        (DecodeError::Truncated("LCAF body"), format!("{REQUEST} 4003 0000 0100 0007 0001c0000201")),
        (DecodeError::UnknownVendor { oui: 0x0A_BCDE }, format!("{REQUEST} 4003 0000 ff00 0004 000abcde")),
        (DecodeError::UnknownEid { lcaf_type: 42 }, format!("{REQUEST} {rloc} 0020 4003 0000 2a00 0000")),
        (
            DecodeError::UnknownEid { lcaf_type: 42 },
            format!("10000001 {NONCE} 4003 0000 2a00 0000 {rloc} 0020 0001 0a010203"),
        ),
        (
            DecodeError::UnknownEid { lcaf_type: 6 },
            format!("{reply} {record} 4003 0000 0100 0008 4003 0000 0600 0000"),
        ),
        (
            DecodeError::MaskLen { mask_len: 33, address_bits: 32 },
            format!("{REQUEST} {rloc} 0021 0001 0a010203"),
        ),
        (
            DecodeError::MaskLen { mask_len: 129, address_bits: 128 },
            format!("{reply} 000005a0 0081 0000 0000 0002 20010db8000000000000000000000001"),
        ),
        (
            DecodeError::MaskLen { mask_len: 40, address_bits: 32 },
            format!("{reply} 000005a0 0028 0000 0000 4003 0000 0200 000a 00000065 0001 0a010200"),
        ),
        (
            DecodeError::MaskLen { mask_len: 33, address_bits: 32 },
            format!("{REQUEST} 4003 0000 0c00 0010 0000 21 00 0001 0a010203 0001 0a010203"),
        ),
        (DecodeError::TooManyRecords(65), format!("20000041 {NONCE}")),
        (DecodeError::TooManyRecords(255), format!("300000ff {NONCE} 0102 0000")),
        (DecodeError::TooManyLocators(33), format!("{reply} 000005a0 2118 1000 0000 0001 0a010200")),
        (DecodeError::NoItrRloc, format!("{REQUEST} 4003 0000 2a00 0000 0020 0001 0a010203")),
        (
            DecodeError::NoXtrId(23),
            format!("10100001 {NONCE} 0000 {rloc} 0020 0001 0a010203 {}", "00".repeat(23)),
        ),
        (DecodeError::NoXtrId(0), format!("32000000 {NONCE} 0102 0000")),
        (DecodeError::InnerVersion(5), format!("{ecm} 50")),
        (DecodeError::Truncated("inner IP header"), ecm.to_owned()),
        (DecodeError::InnerHeader("IHL below 5"), inner("4400001c000000004011adcc")),
        (DecodeError::InnerHeader("checksum"), inner("4500001c0000000040110001")),
        (DecodeError::InnerHeader("total length"), inner("4500001d000000004011accb")),
        (DecodeError::InnerHeader("total length"), inner("45000010000000004011acd8")),
        (
            DecodeError::InnerHeader("UDP length"),
            format!("{ecm} {}", INNER.replace("0008 0000", "0009 0000")),
        ),
        (
            DecodeError::InnerHeader("UDP length"),
            format!("{ecm} {}", INNER.replace("0008 0000", "0007 0000")),
        ),
        (
            DecodeError::InnerHeader("payload length"),
            format!("{ecm} 60000000 0009 1140 {} {} 10f610f6 0008 0000", "00".repeat(16), "00".repeat(16)),
        ),
        (DecodeError::InnerProtocol(6), inner("4500001c000000004006acd7")),
        (
            DecodeError::InnerProtocol(0),
            format!("{ecm} 60000000 0008 0040 {} {} 10f610f6 0008 0000", "00".repeat(16), "00".repeat(16)),
        ),
        (DecodeError::InnerFragment, inner("4500001c0000200040118ccc")),
        (DecodeError::InnerFragment, inner("4500001c000000014011accb")),
        (
            DecodeError::InnerFragment,
            format!("{ecm} 60000000 0008 2c40 {} {} 10f610f6 0008 0000", "00".repeat(16), "00".repeat(16)),
        ),
        (DecodeError::InnerChecksum, format!("{ecm} {}", INNER.replace("0008 0000", "0008 1234"))),
        (
            DecodeError::InnerPorts { source_port: 4341, destination_port: 4342 },
            format!("{ecm} {}", INNER.replace("10f610f6", "10f510f6")),
        ),
        (
            DecodeError::InnerPorts { source_port: 4342, destination_port: 4341 },
            format!("{ecm} {}", INNER.replace("10f610f6", "10f610f5")),
        ),
        (
            DecodeError::NestedEcm,
            format!("{ecm} 60000000 0009 1140 {} {} 10f610f6 0009 0000 80", "00".repeat(16), "00".repeat(16)),
        ),
        (DecodeError::UnknownAdType(2), "88000000 0200".to_owned()),
        (DecodeError::UnknownAdType(9), format!("22000000 {NONCE} 09000000")),
        (DecodeError::SecLength { what: "OTK", value: 25 }, "88000000 01 00 0002 0019 0102".to_owned()),
        (DecodeError::SecLength { what: "EID-AD", value: 3 }, format!("{sec} 0003")),
        (
            DecodeError::SecLength { what: "EID HMAC", value: 4 },
            format!("{sec} 000c 0002 00 00 0002 00000000"),
        ),
        (
            DecodeError::SecLength { what: "PKT-AD", value: 15 },
            format!("22000000 {NONCE} 01000000 0004 0002 000f 0002 {}", "00".repeat(16)),
        ),
        (DecodeError::UnknownHmacId(7), format!("{sec} 000c 0002 00 00 0007 00000000")),
        (DecodeError::UnknownHmacId(0), format!("22000000 {NONCE} 01000000 0004 0002 0004 0000")),
    ]
}

#[test]
fn every_way_to_be_malformed_is_named() {
    let mut reached = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (error, text) in malformed() {
        let found = Message::decode(&hex(&text));
        assert_eq!(found.as_ref().err(), Some(&error), "{text}");
        assert!(!error.to_string().is_empty());
        reached.insert(index(&error));
        names.insert(error.name());
    }
    assert_eq!(reached.len(), VARIANTS, "not all variants are reached: {reached:?}");
    assert_eq!(names.len(), VARIANTS, "two variants have one name");
}

#[test]
fn the_good_twins_of_the_malformed_inner_packets_decode() {
    assert!(Message::decode(&hex(&format!("80000000 {INNER}"))).is_ok());
}

#[test]
fn every_encode_error_is_reached_and_leaves_the_output_alone() {
    let ip: std::net::IpAddr = "192.0.2.1".parse().unwrap();
    let eid = pxtr_control::engine::event::EidPrefix {
        iid: pxtr_control::engine::event::Iid(0),
        prefix: "10.0.0.0/8".parse().unwrap(),
    };
    let request = |rloc: Address| Message::MapRequest(MapRequest::new(1, eid, vec![rloc]));
    let reply = |records| Message::MapReply(MapReply::new(1, records));
    let record = EidRecord::new(eid, 1);
    let boxed = |lcaf| Address::Lcaf(Box::new(lcaf));
    let deep = (0..5).fold(Address::None, |a, _| boxed(Lcaf::AfiList(vec![a])));
    let inner = InnerHeader::new(ip, 1024, "2001:db8::1".parse().unwrap());
    let large = |what, value| EncodeError::TooLarge { what, value };
    let cases = [
        (large("records", 65), reply(vec![record.clone(); 65])),
        (
            large("locators of a record", 33),
            reply(vec![EidRecord { locators: vec![LocatorRecord::new(ip, 1, 1); 33], ..record.clone() }]),
        ),
        (large("Map-Version", 4096), reply(vec![EidRecord { map_version: 4096, ..record.clone() }])),
        (large("ITR-RLOCs", 33), Message::MapRequest(MapRequest::new(1, eid, vec![ip.into(); 33]))),
        (
            large("nonce of a locator", 0x0100_0000),
            request(boxed(Lcaf::NonceLocator { nonce: 0x0100_0000, address: ip.into() })),
        ),
        (large("entries of an LCAF", 65), request(boxed(Lcaf::AfiList(vec![Address::None; 65])))),
        (
            large("LCAF length", 65536),
            request(boxed(Lcaf::Unknown { lcaf_type: 6, rsvd2: 0, body: vec![0; 65536].into() })),
        ),
        (
            EncodeError::MaskLen { mask_len: 33, address_bits: 32 },
            reply(vec![EidRecord { mask_len: 33, ..record }]),
        ),
        (EncodeError::LcafTooDeep, request(deep)),
        (EncodeError::NoItrRloc, Message::MapRequest(MapRequest::new(1, eid, Vec::new()))),
        (EncodeError::MixedFamilies, Message::Ecm(Ecm::new(inner, Vec::new()))),
        (
            EncodeError::NulInName,
            Message::InfoRequest(Info {
                nonce: 1,
                auth: AuthData::unsigned(0, 0, 0),
                ttl_minutes: 0,
                mask_len: 0,
                eid: Address::None,
                body: Address::Name(Box::from(*b"a\0b")),
            }),
        ),
    ];
    for (error, message) in cases {
        let mut out = vec![0xAA; 3];
        assert_eq!(message.encode(&mut out), Err(error), "{message:?}");
        assert_eq!(out, [0xAA; 3]);
    }
}

#[test]
fn every_auth_error_is_reached() {
    let secret = Secret::new(b"k".to_vec());
    let cases = [
        (AuthError::Truncated, String::new()),
        (AuthError::Truncated, "30000000".to_owned()),
        (AuthError::Truncated, format!("30000000 {NONCE} 0002 0020 00")),
        (AuthError::NotAuthenticated(1), REQUEST.to_owned()),
        (AuthError::Algorithm(0), format!("30000000 {NONCE} 0000 0000")),
        (AuthError::Algorithm(4), format!("30000000 {NONCE} 0004 0010 {}", "00".repeat(16))),
        (AuthError::Algorithm(3), format!("70000000 {NONCE} 0003 0010 {}", "00".repeat(16))),
        (AuthError::Mismatch, format!("30000000 {NONCE} 0002 0010 {}", "00".repeat(16))),
    ];
    for (error, text) in cases {
        assert_eq!(auth::verify(&hex(&text), &secret), Err(error), "{text}");
    }
}
