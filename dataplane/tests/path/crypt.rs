//! Encrypted packets (R-216, RFC 8061). The ciphers that judge are those of another implementation.

use crate::lab::*;
use crate::packets::*;
use aes_gcm::aead::Payload;
use aes_gcm::aead::{Aead, KeyInit};
use pxtr_dataplane::admission::{Admission, UnknownSources, VrfAdmission};
use pxtr_dataplane::crypt::{Key, PeerKeys, Suite};
use pxtr_dataplane::feed::{Delta, MapAction, RlocOptions, Target};
use pxtr_dataplane::types::{PeerId, VrfId};
use pxtr_dataplane::verdict::DropReason::{self, *};

const RLOC: &str = "203.0.113.4";
const RLOC6: &str = "2001:db8:f::6";
const OURS: &str = "198.51.100.2";
const OURS6: &str = "2001:db8:c0::2";
const HOST: &str = "192.0.2.9";
const HOST6: &str = "2001:db8:1::9";
const SUITES: [Suite; 2] = [Suite::Aes128Gcm, Suite::ChaCha20Poly1305];

fn bytes(suite: Suite, id: u8) -> Vec<u8> {
    (0..suite.key_len()).map(|at| at as u8 ^ id << 4).collect()
}

fn key(suite: Suite, id: u8) -> Key {
    Key::new(suite, id, &bytes(suite, id), 0x0123_4567_89AB_CDEF).expect("a key")
}

/// The nonce of the cipher.
fn nonce(iv: &[u8]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[12 - iv.len()..].copy_from_slice(iv);
    nonce
}

/// What the other implementation makes of IV, ciphertext and check value behind this header.
fn decrypt(suite: Suite, id: u8, header: [u8; 8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (iv, msg) = sealed.split_at(suite.iv_len());
    let payload = Payload { msg, aad: &[&header[..], iv].concat() };
    let (key, nonce) = (bytes(suite, id), nonce(iv));
    match suite {
        Suite::Aes128Gcm => aes_gcm::Aes128Gcm::new_from_slice(&key).unwrap().decrypt(&nonce.into(), payload),
        Suite::ChaCha20Poly1305 => {
            chacha20poly1305::ChaCha20Poly1305::new_from_slice(&key).unwrap().decrypt(&nonce.into(), payload)
        }
    }
    .ok()
}

/// A LISP packet of ours from `outer`, encrypted by the other implementation.
fn encrypted(suite: Suite, id: u8, outer: &str, iid: u32, inner: &Packet) -> Packet {
    let mut header = if iid == 0 { [0; 8] } else { instance(iid) };
    header[0] |= id;
    let iv: Vec<u8> = (0..suite.iv_len()).map(|at| 0xA0 + at as u8).collect();
    let payload = Payload { msg: &inner.ip(), aad: &[&header[..], &iv].concat() };
    let (key, nonce) = (bytes(suite, id), nonce(&iv));
    let text = match suite {
        Suite::Aes128Gcm => aes_gcm::Aes128Gcm::new_from_slice(&key).unwrap().encrypt(&nonce.into(), payload),
        Suite::ChaCha20Poly1305 => {
            chacha20poly1305::ChaCha20Poly1305::new_from_slice(&key).unwrap().encrypt(&nonce.into(), payload)
        }
    };
    let ours = if outer.contains(':') { OURS6 } else { OURS };
    lisp(outer, ours, header, &[iv, text.unwrap()].concat())
}

/// Packets to both RLOCs are encrypted.
fn sealing(lab: &mut Lab, suite: Suite, id: u8) {
    for (slot, ours, rloc) in [(RLOC_V4, OURS, RLOC), (RLOC_V6, OURS6, RLOC6)] {
        let destination = rloc.parse().unwrap();
        lab.apply(Delta::SealKey { rloc: slot, destination, key: Some(key(suite, id)) });
        let options = RlocOptions { encrypted: true, ..RlocOptions::default() };
        lab.rloc_with(slot, ours, rloc, 1500, options);
    }
}

/// Keys of packets from both RLOCs.
fn opening(lab: &mut Lab, suite: Suite, ids: &[u8]) {
    for (peer, source, ours) in [(1, RLOC, OURS), (2, RLOC6, OURS6)] {
        let keys = PeerKeys::new(ids.iter().map(|id| (ours.parse().unwrap(), key(suite, *id))));
        let (peer, source) = (PeerId(peer), source.parse().unwrap());
        lab.apply(Delta::PeerKeys { peer, source, keys: Some(Box::new(keys)) });
    }
}

/// Clear text from these is dropped.
fn required(lab: &mut Lab, prefixes: &[&str]) {
    let encrypted = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    lab.apply(Delta::Admission(Box::new(Admission { encrypted, ..Admission::default() })));
}

/// Both ways through the worker.
fn labs() -> [Lab; 2] {
    [true, false].map(|express| Lab::with(|config| config.express = express))
}

#[test]
fn r216_both_suites_and_all_family_combinations_go_out_encrypted() {
    for suite in SUITES {
        let mut lab = Lab::new();
        sealing(&mut lab, suite, 2);
        let mut ivs = std::collections::HashSet::new();
        for (source, to, outer) in [
            (HOST, "10.4.0.9", RLOC),
            (HOST, "10.6.0.9", RLOC6),
            (HOST6, "2001:db8:e004::9", RLOC),
            (HOST6, "2001:db8:e006::9", RLOC6),
        ] {
            for len in [0, 1, 15, 16, 17, 600, 1200] {
                let packet = udp(source, to, len);
                let mut frame = packet.frame(OUR_MAC[0], HOST_MAC);
                // Ethernet's padding does not get into the ciphertext.
                frame.resize(frame.len().max(60), 0xEE);
                let (port, seen) = lab.receive(NATIVE, &frame).sent();
                assert_eq!((port, seen.destination), (CORE, outer.parse().unwrap()));
                assert_eq!((seen.ttl, seen.tos), (63, 0));
                let lisp = seen.lisp();
                assert_eq!(lisp.header, [2, 0, 0, 0, 0, 0, 0, 0]);
                assert!(ivs.insert((outer, lisp.inner[..suite.iv_len()].to_vec())), "an IV twice");
                let inner = decrypt(suite, 2, lisp.header, &lisp.inner).expect("the other one reads it");
                assert_eq!(inner, packet.hop().ip());
            }
        }
        let tenant = udp(HOST, "10.4.0.9", 9);
        let (_, seen) = lab.receive(TENANT, &tenant.frame(OUR_MAC[2], TENANT_MAC)).sent();
        assert_eq!(seen.lisp().header, [0x0A, 0, 0, 0, 0, 0, 101, 0]);
        assert_eq!(decrypt(suite, 2, seen.lisp().header, &seen.lisp().inner), Some(tenant.hop().ip()));
        assert_eq!(lab.snapshot().encapsulated, 29);
    }
}

#[test]
fn r216_both_suites_and_all_family_combinations_come_in_encrypted() {
    for suite in SUITES {
        for mut lab in labs() {
            opening(&mut lab, suite, &[3]);
            required(&mut lab, &["203.0.113.0/24", "2001:db8:f::/48"]);
            for outer in [RLOC, RLOC6] {
                for (source, host) in [("10.4.0.7", HOST), ("2001:db8:e004::7", HOST6)] {
                    for len in [0, 1, 16, 700, 1300] {
                        let inner = udp(source, host, len);
                        let (port, seen) = lab.core(&encrypted(suite, 3, outer, 0, &inner)).sent();
                        assert_eq!((port, seen.ip), (NATIVE, inner.hop().ip()));
                    }
                }
            }
            let inner = udp("10.4.0.7", HOST, 9);
            assert_eq!(lab.core(&encrypted(suite, 3, RLOC, 101, &inner)).sent().0, TENANT);
            assert_eq!(lab.snapshot().decapsulated, 21);
        }
    }
}

#[test]
fn r216_no_byte_may_be_another_and_none_may_be_missing() {
    for suite in SUITES {
        let mut lab = Lab::new();
        opening(&mut lab, suite, &[3]);
        required(&mut lab, &["203.0.113.4/32"]);
        let good = encrypted(suite, 3, RLOC, 101, &udp("10.4.0.7", HOST, 40));
        for at in 8..good.payload.len() {
            let mut bad = good.clone();
            bad.payload[at] ^= 0xFF;
            // The first byte has the key-id.
            let wanted = if at == 8 { LispClearText } else { LispAuthentication };
            assert_eq!(lab.core(&bad), Fate::Dropped(wanted), "byte {at}");
        }
        for len in 8..good.payload.len() {
            let mut bad = good.clone();
            bad.payload.truncate(len);
            bad.payload[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            let wanted = if len < 16 { LispHeaderShort } else { LispAuthentication };
            assert_eq!(lab.core(&bad), Fate::Dropped(wanted), "{len} bytes");
        }
        for (id, wanted) in [(1, LispEncrypted), (2, LispEncrypted)] {
            let other = encrypted(suite, id, RLOC, 101, &udp("10.4.0.7", HOST, 40));
            assert_eq!(lab.core(&other), Fate::Dropped(wanted), "key-id {id}");
        }
        let stranger = encrypted(suite, 3, "203.0.113.5", 101, &udp("10.4.0.7", HOST, 40));
        assert_eq!(lab.core(&stranger), Fate::Dropped(LispEncrypted), "the key is that of another RLOC");
        assert!(matches!(lab.core(&good), Fate::Tx(TENANT, _)));
    }
}

#[test]
fn r216_clear_text_is_dropped_where_encryption_is_required_and_only_there() {
    let clear = |outer: &str| lisp(outer, OURS, [0; 8], &udp("10.4.0.7", HOST, 9).ip());
    for mut lab in labs() {
        assert!(matches!(lab.core(&clear(RLOC)), Fate::Tx(NATIVE, _)));
        required(&mut lab, &["203.0.113.4/32"]);
        assert_eq!(lab.core(&clear(RLOC)), Fate::Dropped(LispClearText));
        assert!(matches!(lab.core(&clear("203.0.113.5")), Fate::Tx(NATIVE, _)));
        required(&mut lab, &[]);
        assert!(matches!(lab.core(&clear(RLOC)), Fate::Tx(NATIVE, _)));
    }
}

/// What goes out while keys change is read by who has both keys; the express way has no part in it.
#[test]
fn r216_rekeying_loses_nothing() {
    for suite in SUITES {
        let (mut lab, mut peer) = (Lab::new(), Lab::new());
        sealing(&mut lab, suite, 1);
        opening(&mut peer, suite, &[1]);
        for round in 0..6u8 {
            let (old, new) = (round % 3 + 1, (round + 1) % 3 + 1);
            let packet = udp(HOST, "10.4.0.9", 100);
            let send = |lab: &mut Lab| lab.native(&packet).sent().1.lisp();
            let before = send(&mut lab);
            assert_eq!(before.header[0], old);
            opening(&mut peer, suite, &[old, new]);
            sealing(&mut lab, suite, new);
            let after = send(&mut lab);
            assert_eq!(after.header[0], new);
            for sealed in [after, before] {
                let inner = decrypt(suite, sealed.header[0], sealed.header, &sealed.inner);
                assert_eq!(inner, Some(packet.hop().ip()));
                let back = encrypted(suite, sealed.header[0], RLOC, 0, &udp("10.4.0.7", HOST, 20));
                assert!(matches!(peer.core(&back), Fate::Tx(NATIVE, _)));
            }
        }
        // The same key again, as when the next hop changes, does not begin with its IVs anew.
        let again = key(suite, 3);
        let mut ivs = std::collections::HashSet::new();
        for _ in 0..3 {
            let destination = RLOC.parse().unwrap();
            lab.apply(Delta::SealKey { rloc: RLOC_V4, destination, key: Some(again.clone()) });
            let sealed = lab.native(&udp(HOST, "10.4.0.9", 5)).sent().1.lisp().inner;
            assert!(ivs.insert(sealed[..suite.iv_len()].to_vec()));
            lab.apply(Delta::SealKey { rloc: RLOC_V4, destination, key: None });
            assert_eq!(lab.native(&udp(HOST, "10.4.0.9", 5)), Fate::Held, "never clear text");
            lab.apply(Delta::SealKey { rloc: RLOC_V4, destination, key: Some(again.clone()) });
            let [frame] = &lab.sent(CORE)[..] else { panic!("it goes when the key is there") };
            assert!(ivs.insert(dissect(frame).lisp().inner[..suite.iv_len()].to_vec()));
        }
    }
}

#[test]
fn r216_r115_what_encryption_adds_counts_for_the_mtu() {
    for suite in SUITES {
        let mut lab = Lab::new();
        sealing(&mut lab, suite, 1);
        let added = suite.overhead();
        for (to, outer) in [("10.4.0.9", 36), ("10.6.0.9", 56)] {
            let room = 1500 - outer - added;
            let (_, seen) = lab.native(&udp(HOST, to, room - 28)).sent();
            assert_eq!(seen.ip.len(), 1500);
            let (why, port, told) = lab.native(&udp(HOST, to, room - 27)).told();
            assert_eq!((why, port), (PacketTooBig, NATIVE));
            assert_eq!(told.payload[6..8], (room as u16).to_be_bytes());
            // May be fragmented: in two pieces, each encrypted by itself.
            let Fate::Split(CORE, pieces) = lab.native(&udp(HOST, to, room - 20).may_fragment()) else {
                panic!("not split")
            };
            for piece in &pieces {
                let lisp = dissect(piece).lisp();
                assert!(decrypt(suite, 1, lisp.header, &lisp.inner).is_some());
            }
        }
    }
}

/// Where inner sources are held to their mappings, a packet waits decrypted, and is not taken for clear
/// text afterwards.
#[test]
fn r216_r040_a_packet_that_waits_for_its_source_stays_what_it_is() {
    for suite in SUITES {
        for mut lab in labs() {
            opening(&mut lab, suite, &[1]);
            let encrypted_only = ["203.0.113.0/24", "2001:db8:f::/48"].map(|p| p.parse().unwrap());
            let unknown = UnknownSources::Wait;
            let rules = Admission { unknown, encrypted: Box::new(encrypted_only), ..Admission::default() };
            lab.apply(Delta::Admission(Box::new(rules)));
            lab.apply(Delta::VrfAdmission(VrfId(0), VrfAdmission { sites: false, strict: true }));
            let inner = udp("10.77.0.1", HOST, 33);
            for outer in [RLOC, RLOC6] {
                assert_eq!(lab.core(&encrypted(suite, 1, outer, 0, &inner)), Fate::Held);
            }
            let rlocs = [RLOC, RLOC6].map(|rloc| rloc.parse().unwrap());
            lab.apply(Delta::EntryRlocs(lab.next_entry(), Box::new(rlocs)));
            lab.map(0, "10.77.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
            let sent: Vec<_> = lab.sent(NATIVE).iter().map(|frame| dissect(frame).ip).collect();
            assert_eq!(sent, [inner.hop().ip(), inner.hop().ip()]);
            assert!(matches!(lab.core(&encrypted(suite, 1, RLOC, 0, &inner)), Fate::Tx(NATIVE, _)));
        }
    }
}

/// Keys that go take their packets with them; a broken buffer is no reason to send clear text.
#[test]
fn r216_keys_that_are_gone_open_nothing() {
    let mut lab = Lab::new();
    opening(&mut lab, Suite::Aes128Gcm, &[1]);
    let packet = encrypted(Suite::Aes128Gcm, 1, RLOC, 0, &udp("10.4.0.7", HOST, 9));
    assert!(matches!(lab.core(&packet), Fate::Tx(NATIVE, _)));
    lab.apply(Delta::PeerKeys { peer: PeerId(1), source: RLOC.parse().unwrap(), keys: None });
    assert_eq!(lab.core(&packet), Fate::Dropped(DropReason::LispEncrypted));
    // The number goes to another source, and the former one stays without.
    let keys = Some(Box::new(PeerKeys::new([(OURS.parse().unwrap(), key(Suite::Aes128Gcm, 1))])));
    lab.apply(Delta::PeerKeys { peer: PeerId(1), source: "203.0.113.9".parse().unwrap(), keys });
    assert_eq!(lab.core(&packet), Fate::Dropped(DropReason::LispEncrypted));
}

/// An error from the core about an encrypted packet shows nothing of the inner one; what it quotes is
/// believed for its IV.
#[test]
fn r216_r128_the_core_says_what_is_too_big_for_encrypted_packets() {
    use pxtr_dataplane::feed::PortPolicy;
    use pxtr_dataplane::punt::Punt;
    for suite in SUITES {
        let mut lab = Lab::new();
        lab.port(CORE, |port| {
            port.policy =
                PortPolicy { learn_path_mtu: true, relay_time_exceeded: false, ..PortPolicy::default() }
        });
        sealing(&mut lab, suite, 1);
        for (to, rloc) in [("10.4.0.9", RLOC), ("10.6.0.9", RLOC6)] {
            let outer = lab.native(&udp(HOST, to, 1300)).sent().1.ip;
            let honest = crate::core_errors::too_big(1400, &outer);
            lab.punts();
            assert!(lab.io().inject(CORE, &honest.frame(OUR_MAC[1], CORE_MAC)));
            lab.poll();
            assert_eq!(lab.punts(), [Punt::PathMtu { rloc: rloc.parse().unwrap(), mtu: 1400 }]);
            let iv = outer.len() - suite.overhead() - 1328;
            for at in iv..iv + suite.iv_len() {
                let mut forged = outer.clone();
                forged[at] ^= 0x55;
                if at + 3 < iv + suite.iv_len() {
                    let forged = crate::core_errors::too_big(1400, &forged);
                    assert_eq!(lab.core(&forged), Fate::Dropped(CoreErrorForged), "byte {at}");
                }
            }
        }
    }
}
