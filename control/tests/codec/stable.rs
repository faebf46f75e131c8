//! Whatever can be decoded encodes, and decodes to the same again; whatever is built arrives.

use crate::captures::{control_message, datagrams, directory};
use proptest::collection::vec;
use proptest::prelude::*;
use pxtr_control::codec::{
    Address, AuthData, Ecm, EidRecord, ElpHop, Info, InnerHeader, Lcaf, LocatorRecord, MapAction, MapNotify,
    MapReferral, MapRegister, MapReply, MapRequest, MapRequestRecord, Message, ReferralAction,
    ReferralRecord, ReferralSignature, RleEntry, XtrSiteId,
};
use pxtr_control::engine::event::{EidPrefix, Iid};
use std::net::IpAddr;

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn bytes(max: usize) -> impl Strategy<Value = Box<[u8]>> {
    vec(any::<u8>(), 0..max).prop_map(Into::into)
}

/// Addresses of every kind, LCAFs up to the depth that is allowed.
fn address() -> impl Strategy<Value = Address> {
    let leaf = prop_oneof![
        Just(Address::None),
        ip().prop_map(Address::Ip),
        any::<[u8; 6]>().prop_map(Address::Mac),
        vec(1..=u8::MAX, 0..8).prop_map(|name| Address::Name(name.into())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| lcaf(inner).prop_map(|l| Address::Lcaf(Box::new(l))))
}

fn lcaf(address: impl Strategy<Value = Address> + Clone + 'static) -> impl Strategy<Value = Lcaf> {
    let a = move || address.clone();
    prop_oneof![
        Just(Lcaf::Null),
        vec(a(), 0..4).prop_map(Lcaf::AfiList),
        (any::<u32>(), a()).prop_map(|(iid, address)| Lcaf::InstanceId { iid, iid_mask_len: 0, address }),
        (any::<u32>(), 0..=32_u8).prop_map(|(iid, iid_mask_len)| Lcaf::InstanceId {
            iid,
            iid_mask_len,
            address: Address::None
        }),
        (any::<u32>(), a()).prop_map(|(asn, address)| Lcaf::AsNumber { asn, address }),
        (0..1_u32 << 24, any::<u8>(), any::<(u16, u16)>(), any::<(u16, u16)>(), a()).prop_map(
            |(tos, protocol, local_ports, remote_ports, address)| Lcaf::ApplicationData {
                tos,
                protocol,
                local_ports,
                remote_ports,
                address
            }
        ),
        (any::<[u8; 12]>(), a()).prop_map(|(coordinates, address)| Lcaf::Geo { coordinates, address }),
        (any::<(u16, u16)>(), a(), a(), a(), vec(a(), 0..3)).prop_map(
            |((ms_port, etr_port), global_etr, ms, private_etr, rtrs)| Lcaf::NatTraversal {
                ms_port,
                etr_port,
                global_etr,
                ms,
                private_etr,
                rtrs
            }
        ),
        (0..1_u32 << 24, a()).prop_map(|(nonce, address)| Lcaf::NonceLocator { nonce, address }),
        (any::<u32>(), 0..=32_u8, 0..=32_u8, a(), a()).prop_map(
            |(iid, source_mask_len, group_mask_len, source, group)| Lcaf::Multicast {
                iid,
                source_mask_len,
                group_mask_len,
                source,
                group
            }
        ),
        vec((any::<[bool; 3]>(), a()), 0..4).prop_map(|hops| Lcaf::Elp(
            hops.into_iter()
                .map(|([lookup, probe, strict], address)| ElpHop { lookup, probe, strict, address })
                .collect()
        )),
        (any::<u8>(), any::<bool>(), vec(bytes(8), 0..3), a()).prop_map(
            |(cipher_suite, revoke, keys, address)| Lcaf::SecurityKey { cipher_suite, revoke, keys, address }
        ),
        (0..=32_u8, 0..=32_u8, a(), a()).prop_map(|(source_mask_len, dest_mask_len, source, dest)| {
            Lcaf::SourceDest { source_mask_len, dest_mask_len, source, dest }
        }),
        vec((any::<u8>(), a()), 0..4).prop_map(|entries| Lcaf::Rle(
            entries.into_iter().map(|(level, address)| RleEntry { level, address }).collect()
        )),
        (any::<bool>(), bytes(8), a()).prop_map(|(binary, json, address)| Lcaf::Json {
            binary,
            json,
            address
        }),
        (a(), a()).prop_map(|(key, value)| Lcaf::KeyValue { key, value }),
        (any::<u32>(), a()).prop_map(|(formats, address)| Lcaf::EncapFormat { formats, address }),
        (prop_oneof![Just(6_u8), 17..=254_u8], any::<u8>(), bytes(8))
            .prop_map(|(lcaf_type, rsvd2, body)| Lcaf::Unknown { lcaf_type, rsvd2, body }),
    ]
}

fn prefix() -> impl Strategy<Value = EidPrefix> {
    (prop_oneof![Just(0), any::<u32>()], ip(), any::<u8>()).prop_map(|(iid, ip, len)| {
        let max = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = ipnet::IpNet::new(ip, len.min(max)).unwrap().trunc();
        EidPrefix { iid: Iid(iid), prefix }
    })
}

fn locator() -> impl Strategy<Value = LocatorRecord> {
    (any::<[u8; 4]>(), any::<[bool; 3]>(), address()).prop_map(
        |([priority, weight, m_priority, m_weight], [local, probed, reachable], address)| LocatorRecord {
            priority,
            weight,
            m_priority,
            m_weight,
            local,
            probed,
            reachable,
            address,
        },
    )
}

fn record() -> impl Strategy<Value = EidRecord> {
    (any::<u32>(), prefix(), 0..6_u8, any::<bool>(), 0..4096_u16, vec(locator(), 0..4)).prop_map(
        |(ttl_minutes, eid, act, authoritative, map_version, locators)| {
            let mut record =
                EidRecord { authoritative, map_version, locators, ..EidRecord::new(eid, ttl_minutes) };
            if record.is_negative() {
                record.action = MapAction::from_bits(act);
            }
            record
        },
    )
}

fn xtr() -> impl Strategy<Value = Option<XtrSiteId>> {
    proptest::option::of((any::<[u8; 16]>(), any::<u64>()))
        .prop_map(|xtr| xtr.map(|(xtr_id, site_id)| XtrSiteId { xtr_id, site_id }))
}

fn auth_data() -> impl Strategy<Value = AuthData> {
    (any::<[u8; 2]>(), bytes(40)).prop_map(|([key_id, algorithm_id], tag)| AuthData {
        key_id,
        algorithm_id,
        tag: tag.into(),
    })
}

/// Nothing in it is of a known kind.
fn unknown(a: &Address) -> bool {
    let Address::Lcaf(lcaf) = a else { return false };
    match &**lcaf {
        Lcaf::Unknown { .. } => true,
        Lcaf::InstanceId { address, .. } => unknown(address),
        Lcaf::AfiList(list) => !list.is_empty() && list.iter().all(unknown),
        _ => false,
    }
}

fn map_request() -> impl Strategy<Value = MapRequest> {
    let asked = (any::<bool>(), prefix())
        .prop_map(|(subscribe, eid)| MapRequestRecord { subscribe, ..MapRequestRecord::new(eid) });
    let known = address().prop_filter("left out on receipt", |a| !unknown(a));
    let source = address().prop_filter("refused on receipt", |a| !unknown(a));
    (
        any::<([bool; 7], u64)>(),
        source,
        vec(known, 1..33),
        vec(asked, 0..4),
        proptest::option::of(record()),
        xtr(),
    )
        .prop_map(|((b, nonce), source_eid, itr_rlocs, records, map_data, xtr)| MapRequest {
            authoritative: b[0],
            probe: b[1],
            smr: b[2],
            pitr: b[3],
            smr_invoked: b[4],
            local_xtr: b[5],
            no_reply: b[6],
            nonce,
            source_eid,
            itr_rlocs,
            records,
            map_data,
            xtr,
        })
}

fn map_register() -> impl Strategy<Value = MapRegister> {
    (any::<([bool; 6], u64)>(), auth_data(), vec(record(), 0..4), xtr()).prop_map(
        |((b, nonce), auth, records, xtr)| MapRegister {
            proxy_reply: b[0],
            lisp_sec: b[1],
            eid_notify: b[2],
            use_ttl: b[3],
            merge: b[4],
            want_map_notify: b[5],
            nonce,
            auth,
            records,
            xtr,
        },
    )
}

fn map_notify() -> impl Strategy<Value = MapNotify> {
    (any::<u64>(), auth_data(), vec(record(), 0..4), xtr())
        .prop_map(|(nonce, auth, records, xtr)| MapNotify { nonce, auth, records, xtr })
}

fn map_referral() -> impl Strategy<Value = MapReferral> {
    let signature = (any::<[u32; 3]>(), any::<u16>(), any::<u8>(), bytes(20)).prop_map(
        |([original_ttl_minutes, expiration_unix_s, inception_unix_s], key_tag, algorithm, signature)| {
            ReferralSignature {
                original_ttl_minutes,
                expiration_unix_s,
                inception_unix_s,
                key_tag,
                algorithm,
                signature,
            }
        },
    );
    let referral =
        (any::<(u32, u8, bool, bool)>(), 0..4096_u16, prefix(), vec(locator(), 0..4), vec(signature, 0..3))
            .prop_map(
                |((ttl_minutes, act, authoritative, incomplete), map_version, eid, referrals, signatures)| {
                    ReferralRecord {
                        ttl_minutes,
                        mask_len: eid.prefix.prefix_len(),
                        action: ReferralAction::from_bits(act),
                        authoritative,
                        incomplete,
                        map_version,
                        eid: Address::from_eid(eid.iid, eid.prefix.network()),
                        referrals,
                        signatures,
                    }
                },
            );
    (any::<u64>(), vec(referral, 0..4)).prop_map(|(nonce, records)| MapReferral { nonce, records })
}

fn info() -> impl Strategy<Value = Info> {
    (any::<(u64, u32)>(), auth_data(), prefix(), address()).prop_map(
        |((nonce, ttl_minutes), auth, eid, body)| Info {
            nonce,
            auth,
            ttl_minutes,
            mask_len: eid.prefix.prefix_len(),
            eid: Address::from_eid(eid.iid, eid.prefix.network()),
            body,
        },
    )
}

fn plain_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        map_request().prop_map(Message::MapRequest),
        (any::<[bool; 2]>(), any::<u64>(), vec(record(), 0..5)).prop_map(
            |([probe, echo_nonce], nonce, records)| {
                Message::MapReply(MapReply { probe, echo_nonce, ..MapReply::new(nonce, records) })
            }
        ),
        map_register().prop_map(Message::MapRegister),
        map_notify().prop_map(Message::MapNotify),
        map_notify().prop_map(Message::MapNotifyAck),
        map_referral().prop_map(Message::MapReferral),
        info().prop_map(Message::InfoRequest),
        info().prop_map(Message::InfoReply),
    ]
}

fn ecm() -> impl Strategy<Value = Message> {
    let addresses = prop_oneof![
        any::<[[u8; 4]; 2]>().prop_map(|pair| pair.map(IpAddr::from)),
        any::<[[u8; 16]; 2]>().prop_map(|pair| pair.map(IpAddr::from)),
    ];
    (any::<[bool; 4]>(), addresses, any::<(u16, u8)>(), plain_message()).prop_map(
        |([ddt, for_rtr, relayed_by_rtr, checksum], [source, destination], (port, ttl), message)| {
            let source_port = if port == 4341 { 0 } else { port };
            let inner = InnerHeader { ttl, checksum, ..InnerHeader::new(source, source_port, destination) };
            let payload = message.to_bytes().unwrap();
            Message::Ecm(Ecm { ddt, for_rtr, relayed_by_rtr, ..Ecm::new(inner, payload) })
        },
    )
}

fn captured() -> Vec<Vec<u8>> {
    std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .flat_map(|path| datagrams(path.file_stem().unwrap().to_str().unwrap()))
        .filter_map(|d| control_message(&d))
        .collect()
}

/// If it decodes, it encodes, and decodes to the same; the bytes are then a fixed point.
fn stable(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(first) = Message::decode(bytes) else { return Ok(()) };
    let encoded = first.to_bytes().map_err(|e| TestCaseError::fail(format!("{e}: {first:?}")))?;
    let second = Message::decode(&encoded);
    prop_assert_eq!(second.as_ref(), Ok(&first));
    prop_assert_eq!(second.unwrap().to_bytes(), Ok(encoded));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_arrives(message in prop_oneof![plain_message(), ecm()]) {
        let bytes = message.to_bytes().unwrap();
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
    }

    #[test]
    fn anything_of_a_known_type_is_stable(first in 0x10..=0x8F_u8, rest in vec(any::<u8>(), 0..200)) {
        stable(&[&[first], rest.as_slice()].concat())?;
    }

    #[test]
    fn captures_with_changed_bytes_are_stable(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        grow in vec(any::<u8>(), 0..30),
    ) {
        let all = captured();
        let mut bytes = which.get(&all).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        stable(&bytes)?;
        let cut = cut.index(bytes.len());
        bytes.splice(cut..cut, grow);
        stable(&bytes)?;
        bytes.truncate(cut);
        stable(&bytes)?;
    }
}
