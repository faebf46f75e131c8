//! The traps of wire.md section 16 that concern the codec, by their numbers, and its parser rules.

use crate::bytes::{exact, hex, to_hex};
use crate::captures::{control_message, datagrams, directory};
use pxtr_control::codec::auth::{self, AuthError, Coverage};
use pxtr_control::codec::{
    Address, AuthData, DecodeError, Ecm, EidRecord, InnerHeader, Lcaf, LocatorRecord, MapNotify, MapReply,
    MapRequest, Message, ReferralAction, XtrSiteId,
};
use pxtr_control::engine::config::Secret;
use pxtr_control::engine::event::{EidPrefix, Iid};
use std::net::IpAddr;

const NONCE: &str = "0102030405060708";
/// Map-Request for 10.1.2.3/32 up to its ITR-RLOC, and from behind it.
const REQUEST: &str = "10000001 0102030405060708 0000";
const ASKED: &str = "0020 0001 0a010203";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prefix(iid: u32, text: &str) -> EidPrefix {
    EidPrefix { iid: Iid(iid), prefix: text.parse().unwrap() }
}

fn request(text: &str) -> MapRequest {
    match Message::decode(&hex(text)) {
        Ok(Message::MapRequest(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn reply(text: &str) -> MapReply {
    match Message::decode(&hex(text)) {
        Ok(Message::MapReply(reply)) => reply,
        other => panic!("{other:?}"),
    }
}

fn lcaf(address: &Address) -> &Lcaf {
    match address {
        Address::Lcaf(lcaf) => lcaf,
        other => panic!("{other:?}"),
    }
}

/// All control messages of all captures.
fn captured() -> Vec<Vec<u8>> {
    let mut names: Vec<_> = std::fs::read_dir(directory()).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    names
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .flat_map(|path| datagrams(path.file_stem().unwrap().to_str().unwrap()))
        .filter_map(|d| control_message(&d))
        .collect()
}

#[test]
fn trap_01_nothing_is_aligned() {
    for message in captured() {
        let decoded = Message::decode(&message);
        for shift in 1..8 {
            let mut shifted = vec![0; shift];
            shifted.extend_from_slice(&message);
            assert_eq!(Message::decode(&shifted[shift..]), decoded);
        }
    }
}

#[test]
fn trap_04_a_checksum_that_comes_out_zero_is_sent_as_ffff() {
    let mut found = 0;
    for port in (1..=u16::MAX).filter(|port| *port != 4341) {
        let inner = InnerHeader::new(ip("192.0.2.1"), port, ip("10.1.2.3"));
        let payload = hex("20000000 0000000000000000");
        let bytes = Message::Ecm(Ecm::new(inner, payload)).to_bytes().unwrap();
        let checksum = &bytes[4 + 26..4 + 28];
        assert_ne!(checksum, [0, 0], "port {port}");
        if checksum == [0xFF, 0xFF] {
            found += 1;
            let Message::Ecm(ecm) = exact(&bytes) else { panic!() };
            assert!(ecm.inner.checksum, "taken as no checksum");
        }
    }
    assert_eq!(found, 1, "the case did not occur");
}

#[test]
fn trap_09_lcaf_length_counts_after_itself() {
    // 8 + Length bytes: the record that follows is found. Nested LCAFs are counted in.
    let list = "4003 0000 0100 0012 4003 0000 0200 000a 00000000 0001 c0000201";
    let r = request(&format!("{REQUEST} {list} {ASKED}"));
    assert_eq!(r.itr_rlocs[0].rloc(), Some(ip("192.0.2.1")));
    assert_eq!(r.records[0].eid_prefix(), Some(prefix(0, "10.1.2.3/32")));
    exact(&hex(&format!("{REQUEST} {list} {ASKED}")));
    // Length 0 is the smallest.
    let r = request(&format!("{REQUEST} 4003 0000 0000 0000 {ASKED}"));
    assert_eq!(*lcaf(&r.itr_rlocs[0]), Lcaf::Null);
}

#[test]
fn trap_09_a_known_lcaf_is_left_at_its_length_even_if_less_was_used() {
    let padded = "4003 0000 0200 000e 00000000 0001 c0000201 deadbeef";
    let r = request(&format!("{REQUEST} {padded} {ASKED}"));
    assert_eq!(r.itr_rlocs[0].rloc(), Some(ip("192.0.2.1")));
    assert_eq!(r.records[0].eid_prefix(), Some(prefix(0, "10.1.2.3/32")));
}

#[test]
fn trap_10_mask_len_counts_the_inner_address() {
    let r = reply(&format!(
        "20000001 {NONCE} 000005a0 0018 1000 0000 4003 0000 0200 000a 00000065 0001 0a0102ff"
    ));
    assert_eq!(r.records[0].eid_prefix(), Some(prefix(101, "10.1.2.0/24")));
    // Host bits are cleared, inside of the LCAF too, on receipt and on sending.
    let mut record = EidRecord::new(prefix(101, "10.1.2.0/24"), 1440);
    assert_eq!(record.eid, r.records[0].eid);
    let sent = Message::MapReply(MapReply::new(1, vec![record.clone()])).to_bytes().unwrap();
    record.eid = Address::from_eid(Iid(101), ip("10.1.2.77"));
    assert_eq!(Message::MapReply(MapReply::new(1, vec![record])).to_bytes().unwrap(), sent);
}

#[test]
fn trap_11_instance_0_and_the_bare_address_are_one_eid() {
    let bare = format!("{REQUEST} 0001 c0000201 {ASKED}");
    let wrapped = format!("{REQUEST} 0001 c0000201 0020 4003 0000 0200 000a 00000000 0001 0a010203");
    assert_eq!(request(&bare).records[0].eid_prefix(), request(&wrapped).records[0].eid_prefix());
    assert_eq!(request(&wrapped).records[0].eid.eid(), Some((Iid(0), ip("10.1.2.3"))));
    // We send the bare one.
    assert_eq!(Address::from_eid(Iid(0), ip("10.1.2.3")), Address::Ip(ip("10.1.2.3")));
    assert!(matches!(lcaf(&Address::from_eid(Iid(7), ip("10.1.2.3"))), Lcaf::InstanceId { iid: 7, .. }));
}

/// A Map-Reply for 10.0.0.0/8, ACT Natively-Forward, with this locator and R=1.
fn reply_with_locator(locator: &str) -> MapReply {
    reply(&format!("20000001 {NONCE} 000005a0 0108 3000 0000 0001 0a000000 0132ff00 0001 {locator}"))
}

#[test]
fn trap_12_paths_and_replication_lists_are_no_rloc() {
    let rle = "4003 0000 0d00 000a 00000001 0001 c0000201";
    for locator in [rle, "4003 0000 2a00 0004 c0000201"] {
        let r = reply_with_locator(locator);
        let record = &r.records[0];
        assert_eq!(record.locators[0].rloc(), None, "{locator}");
        assert_eq!(record.usable_locators().count(), 0);
        // RFC 9306 section 3: as if there were none, so ACT counts.
        assert!(record.is_negative());
        assert_eq!(record.action, pxtr_control::codec::MapAction::NativelyForward);
    }
    // A path is none by its first entry either, but counts.
    let elp = "4003 0000 0a00 0010 0007 0001 c0000201 0000 0001 c0000202";
    let r = reply_with_locator(elp);
    let locator = &r.records[0].locators[0];
    assert_eq!((locator.rloc(), locator.etr()), (None, Some(ip("192.0.2.2"))));
    assert!(!r.records[0].is_negative());
    let hops = locator.address.path().unwrap();
    assert!(hops[0].lookup && hops[0].probe && hops[0].strict && !hops[1].strict);
}

#[test]
fn a_locator_that_counts_makes_act_meaningless() {
    let r = reply_with_locator("0001 c0000201");
    assert!(!r.records[0].is_negative());
    assert_eq!(r.records[0].action, pxtr_control::codec::MapAction::NoAction);
}

#[test]
fn afi_list_locator_is_its_first_usable_entry() {
    // A name, a martian, an unknown LCAF, then addresses.
    let list = "4003 0000 0100 002a 0011 61 00 0001 7f000001 4003 0000 2a00 0000
                0002 20010db8000000000000000000000001 0001 c0000201";
    let r = reply_with_locator(list);
    assert_eq!(r.records[0].locators[0].rloc(), Some(ip("2001:db8::1")));
}

#[test]
fn wrappers_that_only_inform_give_the_address_inside() {
    let asn = "4003 0000 0300 000a 0000fde8 0001 c0000201";
    let geo = "4003 0000 0500 0012 000000000000000000000000 0001 c0000201";
    let nonce = "4003 0000 0800 000a 00abcdef 0001 c0000201";
    let key = "4003 0000 0b00 000e 01 00 05 00 0002 cafe 0001 c0000201";
    let json = "4003 0000 0e00 000a 0002 7b7d 0001 c0000201";
    let lisp = "4003 0000 1000 000a 00000001 0001 c0000201";
    for locator in [asn, geo, nonce, key, json, lisp] {
        let r = reply_with_locator(locator);
        assert_eq!(r.records[0].locators[0].rloc(), Some(ip("192.0.2.1")), "{locator}");
    }
    // Only VXLAN is understood there; another instance; an application's locator.
    let vxlan = "4003 0000 1000 000a 00000004 0001 c0000201";
    let instance = "4003 0000 0200 000a 00000007 0001 c0000201";
    let application = "4003 0000 0400 0012 000000 06 0050 0050 0000 ffff 0001 c0000201";
    for locator in [vxlan, instance, application] {
        assert_eq!(reply_with_locator(locator).records[0].locators[0].rloc(), None, "{locator}");
    }
}

#[test]
fn martians_are_no_rloc() {
    for bad in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "169.254.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:192.0.2.1",
    ] {
        assert_eq!(LocatorRecord::new(ip(bad), 1, 1).rloc(), None, "{bad}");
    }
    for good in ["192.0.2.1", "10.0.0.1", "2001:db8::1"] {
        assert_eq!(LocatorRecord::new(ip(good), 1, 1).rloc(), Some(ip(good)));
    }
}

#[test]
fn trap_13_weights_are_passed_on_as_they_are() {
    let weights = [30, 20, 20, 10];
    let mut record = EidRecord::new(prefix(0, "10.0.0.0/8"), 1);
    record.locators =
        (1..).zip(weights).map(|(i, w)| LocatorRecord::new(ip(&format!("192.0.2.{i}")), 1, w)).collect();
    let bytes = Message::MapReply(MapReply::new(1, vec![record])).to_bytes().unwrap();
    let found: Vec<_> = reply(&to_hex(&bytes)).records[0].usable_locators().map(|(l, _)| l.weight).collect();
    assert_eq!(found, weights);
}

#[test]
fn r_046_locators_are_sorted_v4_v6_lcaf() {
    let mut record = EidRecord::new(prefix(0, "10.0.0.0/8"), 1);
    let list = Address::Lcaf(Box::new(Lcaf::AfiList(vec![Address::Ip(ip("192.0.2.9"))])));
    record.locators = ["2001:db8::2", "198.51.100.1", "2001:db8::1", "9.0.0.1"]
        .map(|a| LocatorRecord::new(ip(a), 1, 1))
        .to_vec();
    record.locators.insert(0, LocatorRecord { address: list, ..LocatorRecord::new(ip("192.0.2.1"), 1, 1) });
    record.sort_locators();
    let order: Vec<_> = record.locators.iter().map(|l| l.rloc().unwrap().to_string()).collect();
    assert_eq!(order, ["9.0.0.1", "198.51.100.1", "2001:db8::1", "2001:db8::2", "192.0.2.9"]);
}

#[test]
fn trap_14_irc_is_one_less_than_the_itr_rlocs() {
    for n in [1, 2, 32] {
        let rlocs: Vec<Address> = (1..=n).map(|i| ip(&format!("192.0.2.{i}")).into()).collect();
        let message = MapRequest::new(1, prefix(0, "10.0.0.0/8"), rlocs);
        let bytes = Message::MapRequest(message.clone()).to_bytes().unwrap();
        assert_eq!(bytes[2] & 0x1F, n - 1);
        assert_eq!(exact(&bytes), Message::MapRequest(message));
    }
    // No ITR-RLOC that can be read: nowhere to answer. One of several that can not: skipped.
    let unknown = "4003 0000 2a00 0004 deadbeef";
    assert_eq!(Message::decode(&hex(&format!("{REQUEST} {unknown} {ASKED}"))), Err(DecodeError::NoItrRloc));
    let two = REQUEST.replacen("10000001", "10000101", 1);
    let r = request(&format!("{two} {unknown} 0001 c0000201 {ASKED}"));
    assert_eq!(r.itr_rlocs, [Address::Ip(ip("192.0.2.1"))]);
}

#[test]
fn trap_15_xtr_id_must_be_there_when_i_is_set_and_trailing_bytes_do_not_matter() {
    let tail = "000102030405060708090a0b0c0d0e0f 00000000000000c8";
    let with_i = REQUEST.replacen("1000", "1010", 1);
    let r = request(&format!("{with_i} 0001 c0000201 {ASKED} {tail}"));
    let xtr_id = std::array::from_fn(|i| u8::try_from(i).unwrap());
    assert_eq!(r.xtr, Some(XtrSiteId { xtr_id, site_id: 200 }));
    assert_eq!(
        Message::decode(&hex(&format!("{with_i} 0001 c0000201 {ASKED} {}", "00".repeat(23)))),
        Err(DecodeError::NoXtrId(23))
    );
    let r = request(&format!("{REQUEST} 0001 c0000201 {ASKED} {tail}"));
    assert_eq!(r.xtr, None);
}

#[test]
fn trap_16_both_eids_of_an_smr_reach_the_engine() {
    let smr = &captured_of("oor_smr_full_exchange")[0];
    let r = request(&to_hex(smr));
    assert!(r.smr && r.nonce == 0 && !r.no_reply);
    assert_eq!(r.source_eid.eid(), Some((Iid(0), ip("10.1.0.0"))));
    assert_eq!(r.records[0].eid_prefix(), Some(prefix(0, "10.2.0.0/24")));
}

fn captured_of(name: &str) -> Vec<Vec<u8>> {
    datagrams(name).iter().filter_map(control_message).collect()
}

#[test]
fn trap_17_the_port_to_answer_is_the_inner_source_port() {
    let datagram = &datagrams("lispers_pitr_ecm_map_request_reply")[0];
    let Ok(Message::Ecm(ecm)) = Message::decode(&datagram.payload) else { panic!() };
    assert_eq!((datagram.from.port(), ecm.inner.source_port), (32786, 39982));
    // And that is where the answer in the capture went.
    assert_eq!(datagrams("lispers_pitr_ecm_map_request_reply")[1].to.port(), 39982);
}

#[test]
fn trap_18_a_key_id_of_16_bits_is_key_id_0_and_the_algorithm() {
    let Message::MapRegister(m) = exact(&captured_of("oor_register_notify")[0]) else { panic!() };
    assert_eq!((m.auth.key_id, m.auth.algorithm_id), (0, 1));
    // "for RTR" of OOR, bits of lispers.net: unknown bits do not matter.
    let bytes = hex(&format!("3101e001 {NONCE} 0001 0000 000005a0 0008 1000 0000 0001 0a000000"));
    assert!(matches!(Message::decode(&bytes), Ok(Message::MapRegister(m)) if m.records.len() == 1));
}

/// An encoded, signed Map-Notify, by algorithm and tag length.
fn signed_notify(algorithm: u8, tag_len: usize, xtr: Option<XtrSiteId>, secret: &Secret) -> Vec<u8> {
    let mut bytes = Message::MapNotify(MapNotify {
        nonce: 7,
        auth: AuthData::unsigned(1, algorithm, tag_len),
        records: vec![EidRecord::new(prefix(0, "10.0.0.0/8"), 1)],
        xtr,
    })
    .to_bytes()
    .unwrap();
    auth::sign(&mut bytes, secret).unwrap();
    bytes
}

#[test]
fn trap_19a_the_tag_length_is_inside_the_mac() {
    let secret = Secret::new(b"password".to_vec());
    let long = signed_notify(2, 32, None, &secret);
    let short = signed_notify(2, 16, None, &secret);
    assert_ne!(long[16..32], short[16..32], "truncation alone would give the same");
    // Truncating a signed message does not verify.
    let mut cut = long.clone();
    cut[15] = 16;
    cut.drain(32..48);
    assert_eq!(auth::verify(&cut, &secret), Err(AuthError::Mismatch));
}

#[test]
fn trap_19b_both_mac_ranges_verify_and_no_third() {
    let secret = Secret::new(b"password".to_vec());
    let xtr = XtrSiteId { xtr_id: [7; 16], site_id: 9 };
    for algorithm in 1..=3 {
        let whole = signed_notify(algorithm, if algorithm == 1 { 20 } else { 32 }, Some(xtr), &secret);
        assert_eq!(auth::verify(&whole, &secret), Ok(Coverage::Whole));
        // The MAC of RFC 9301 section 5.6 to the letter: without xTR-ID and Site-ID, I bit set.
        let mut literal = whole[..whole.len() - XtrSiteId::LEN].to_vec();
        auth::sign(&mut literal, &secret).unwrap();
        literal.extend_from_slice(&whole[whole.len() - XtrSiteId::LEN..]);
        assert_eq!(auth::verify(&literal, &secret), Ok(Coverage::WithoutXtrId));
        let trailer = literal.len() - XtrSiteId::LEN;
        // One byte more or less behind the records, or no I bit: no rule allows that.
        assert!(auth::verify(&literal[..literal.len() - 1], &secret).is_err());
        assert!(auth::verify(&[literal.as_slice(), &[0]].concat(), &secret).is_err());
        let mut bare = literal[..trailer].to_vec();
        bare[0] &= !0x08;
        auth::sign(&mut bare, &secret).unwrap();
        bare.extend_from_slice(&[0; 24]);
        assert_eq!(auth::verify(&bare, &secret), Err(AuthError::Mismatch));
    }
}

#[test]
fn trap_19c_both_tag_lengths_of_an_algorithm_are_accepted_and_no_other() {
    let secret = Secret::new(b"password".to_vec());
    for (algorithm, accepted) in [(1, [12, 20]), (2, [16, 32]), (3, [16, 32])] {
        for tag_len in 0..=64 {
            let mut bytes = Message::MapNotifyAck(MapNotify {
                nonce: 7,
                auth: AuthData::unsigned(1, algorithm, tag_len),
                records: Vec::new(),
                xtr: None,
            })
            .to_bytes()
            .unwrap();
            let refused = AuthError::TagLength { algorithm_id: algorithm, len: tag_len };
            if accepted.contains(&tag_len) {
                auth::sign(&mut bytes, &secret).unwrap();
                assert_eq!(auth::verify(&bytes, &secret), Ok(Coverage::Whole));
            } else {
                assert_eq!(auth::sign(&mut bytes, &secret), Err(refused));
                assert_eq!(auth::verify(&bytes, &secret), Err(refused));
            }
        }
    }
}

#[test]
fn algorithm_3_keys_differ_by_message_type() {
    let secret = Secret::new(b"password".to_vec());
    let notify = signed_notify(3, 16, None, &secret);
    let mut ack = notify.clone();
    ack[0] = 0x50;
    auth::sign(&mut ack, &secret).unwrap();
    assert_ne!(notify[16..32], ack[16..32]);
    for message in [notify, ack] {
        assert_eq!(auth::verify(&message, &secret), Ok(Coverage::Whole));
    }
}

#[test]
fn trap_20_an_inner_checksum_of_zero_is_accepted_and_told() {
    let Message::Ecm(ecm) = exact(&captured_of("lispers_ms_forwards_ecm")[1]) else { panic!() };
    assert!(!ecm.inner.checksum);
    // Over IPv6 it is told as well: the engine has the knob.
    let Message::Ecm(ecm) = exact(&captured_of("lispers_pitr_ecm_map_request_reply")[2]) else { panic!() };
    assert!(!ecm.inner.checksum && ecm.inner.source.is_ipv6());
    // One that is there and wrong is not, whichever byte it covers.
    let good = captured_of("oor_ecm_map_request_reply");
    for bytes in good.iter().filter(|b| b[0] == 0x80) {
        let udp = if bytes[4] >> 4 == 4 { 4 + 20 } else { 4 + 40 };
        for at in (udp..bytes.len()).filter(|at| !(udp + 4..udp + 8).contains(at)) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert_eq!(Message::decode(&bad), Err(DecodeError::InnerChecksum), "byte {at}");
        }
    }
}

#[test]
fn trap_21_no_ecm_in_an_ecm() {
    let inner = InnerHeader::new(ip("192.0.2.1"), 4342, ip("10.1.2.3"));
    let once = Message::Ecm(Ecm::new(inner, hex(&format!("{REQUEST} 0001 c0000201 {ASKED}"))));
    let twice = Message::Ecm(Ecm::new(inner, once.to_bytes().unwrap()));
    assert_eq!(Message::decode(&twice.to_bytes().unwrap()), Err(DecodeError::NestedEcm));
}

#[test]
fn trap_22_three_ways_to_count_in_lisp_sec() {
    let inner = "4500001c000000004011acccc00002010a01020310f610f600080000";
    let otk = "0102 0000000000000000 00112233445566778899aabbccddeeff";
    // OTK length without itself, Key ID and wrap ID; or with them. EID-AD length with itself.
    for otk_len in ["0018", "001c"] {
        let bytes = hex(&format!("88000000 01 00 0002 {otk_len} {otk} 0004 0002 {inner}"));
        let Ok(Message::Ecm(ecm)) = Message::decode(&bytes) else { panic!() };
        let ad = ecm.security.unwrap();
        assert_eq!((ad.key_id, ad.wrap_id, ad.eid_ad.kdf_id(), ad.eid_ad.signed()), (1, 2, 2, None));
    }
    // PKT-AD length with or without its first four bytes.
    for pkt_len in ["0010", "0014"] {
        let bytes = hex(&format!("22000000 {NONCE} 01000000 0004 0002 {pkt_len} 0002 {}", "ab".repeat(16)));
        let Ok(Message::MapReply(r)) = Message::decode(&bytes) else { panic!() };
        assert_eq!(r.security.unwrap().pkt_hmac, [0xAB; 16]);
    }
}

#[test]
fn trap_23_referral_actions_are_another_table() {
    let bytes = hex(&format!(
        "60000001 {NONCE} 000005a0 0108 3800 1001 0001 0a000000 0000 0000 0001 0001 c0000201
         000005a0 00000002 00000001 1234 0003 02 000000 aabbcc"
    ));
    let Message::MapReferral(m) = exact(&bytes) else { panic!() };
    let record = &m.records[0];
    assert_eq!(record.action, ReferralAction::MsReferral);
    assert_eq!(record.eid_prefix(), Some(prefix(0, "10.0.0.0/8")));
    assert!(record.authoritative && record.incomplete && record.map_version == 1);
    assert_eq!(record.referrals[0].rloc(), Some(ip("192.0.2.1")));
    let signature = &record.signatures[0];
    assert_eq!(
        (signature.key_tag, signature.algorithm, &*signature.signature),
        (0x1234, 2, &[0xAA, 0xBB, 0xCC][..])
    );
    for (bits, ttl) in [(0, 1440), (1, 1440), (2, 1440), (3, 1), (4, 15), (5, 0)] {
        let action = ReferralAction::from_bits(bits);
        assert_eq!((action.bits(), action.ttl_minutes()), (bits, ttl));
    }
}

#[test]
fn trap_24_an_info_message_has_no_record_count() {
    let [request, reply] = &captured_of("lispers_nat_info_request_reply")[..] else { panic!() };
    assert_eq!((request[0], reply[0]), (0x70, 0x78));
    assert!(matches!(Message::decode(request), Ok(Message::InfoRequest(_))));
    assert!(matches!(Message::decode(reply), Ok(Message::InfoReply(_))));
    let mut counted = request.clone();
    counted[3] = 255;
    assert_eq!(Message::decode(&counted), Message::decode(request));
}

#[test]
fn every_message_cut_anywhere_is_refused_or_whole() {
    // An Info-Reply with a wrong LCAF Length has no end but that of the message.
    let endless = captured_of("lispers_nat_info_request_reply").remove(1);
    for message in captured().into_iter().filter(|m| *m != endless) {
        let whole = Message::decode(&message).unwrap();
        for len in 0..message.len() {
            // Cutting what is ignored anyway (bytes behind the records) changes nothing else.
            if let Ok(cut) = Message::decode(&message[..len]) {
                assert_eq!(cut, whole, "cut to {len} of {}: {}", message.len(), to_hex(&message));
            }
        }
    }
}

#[test]
fn trailing_bytes_and_reserved_bits_are_ignored() {
    for message in captured().iter().filter(|m| matches!(m[0] >> 4, 1 | 2 | 6)) {
        let whole = Message::decode(message);
        assert_eq!(Message::decode(&[message.as_slice(), &[0xFF; 40]].concat()), whole);
    }
    let reserved = [(1, 0x002F_8000_u32), (2, 0x01FF_FF00), (6, 0x0FFF_FF00)];
    for message in captured() {
        for (kind, bits) in reserved.iter().filter(|(kind, _)| *kind == message[0] >> 4) {
            let mut noisy = message.clone();
            for (byte, bits) in noisy.iter_mut().zip(bits.to_be_bytes()) {
                *byte |= bits;
            }
            assert_eq!(Message::decode(&noisy), Message::decode(&message), "type {kind}");
        }
    }
}

#[test]
fn unassigned_acts_are_no_action() {
    for act in [6_u8, 7] {
        let bytes = hex(&format!("20000001 {NONCE} 0000000f 0008 {:02x}00 0000 0001 0b000000", act << 5));
        let Ok(Message::MapReply(r)) = Message::decode(&bytes) else { panic!() };
        assert_eq!(r.records[0].action, pxtr_control::codec::MapAction::NoAction);
    }
}

#[test]
fn subscription_and_its_removal() {
    let tail = "00".repeat(24);
    let subscribe = format!("10100001 {NONCE} 0000 0001 c0000201 8020 0001 0a010203 {tail}");
    assert!(request(&subscribe).records[0].subscribe);
    exact(&hex(&subscribe));
    let remove = format!("10100001 {NONCE} 0000 0000 8020 0001 0a010203 {tail}");
    assert_eq!(request(&remove).itr_rlocs, [Address::None]);
    exact(&hex(&remove));
}

#[test]
fn map_data_behind_the_records() {
    let bytes = hex(&format!(
        "14000001 {NONCE} 0001 0a020001 0001 c0000201 {ASKED}
         0000000a 0118 1000 0000 0001 0a020000 0164ff00 0005 0001 c6336401"
    ));
    let Message::MapRequest(r) = exact(&bytes) else { panic!() };
    let data = r.map_data.unwrap();
    assert_eq!(data.eid_prefix(), Some(prefix(0, "10.2.0.0/24")));
    assert_eq!(data.locators.len(), 1);
}

#[test]
fn mac_addresses_and_names_as_eids() {
    for (afi, sent) in [("0006", "0006"), ("4005", "0006")] {
        let text = |afi: &str| format!("{REQUEST} 0001 c0000201 0030 {afi} 02005e000001");
        let r = request(&text(afi));
        assert_eq!(r.records[0].eid, Address::Mac([2, 0, 0x5E, 0, 0, 1]));
        assert_eq!(r.records[0].eid_prefix(), None);
        assert_eq!(to_hex(&Message::MapRequest(r).to_bytes().unwrap()), to_hex(&hex(&text(sent))));
    }
    let named = request(&format!("{REQUEST} 0001 c0000201 0000 0011 6c7800"));
    assert_eq!(named.records[0].eid, Address::Name(Box::from(*b"lx")));
}
