//! The express way and all stages come to the same: the same bytes on the same ports in the same order,
//! the same fates, the same counts.

use crate::hostile::corpus;
use crate::lab::*;
use crate::packets::*;
use proptest::prelude::*;
use pxtr_dataplane::admission::{Admission, Nonce, SiteRules, VrfAdmission};
use pxtr_dataplane::feed::{Delta, Route};
use pxtr_dataplane::types::{PortId, SiteId, VrfId};
use pxtr_dataplane::verdict::DropReason::*;

/// Two labs that differ in nothing else.
struct Pair {
    express: Lab,
    stages: Lab,
}

impl Pair {
    fn new(verify: bool) -> Self {
        let lab = |express| {
            Lab::with(|config| {
                config.express = express;
                config.verify_udp_checksum = verify;
            })
        };
        Self { express: lab(true), stages: lab(false) }
    }

    /// The same with something asked of all senders, which the plain packets of this file answer to.
    fn guarded() -> Self {
        let mut pair = Self::new(false);
        for lab in pair.each() {
            let site = SiteId(3);
            let outer_sources = Box::new(["203.0.113.4/31".parse().unwrap()]);
            let rules = SiteRules { outer_sources, strict: false };
            let prefixes = ["10.4.0.0/29", "2001:db8:e004::/125"].map(|prefix| prefix.parse().unwrap());
            lab.apply(Delta::OuterSourceSet("203.0.113.0/29".parse().unwrap()));
            lab.apply(Delta::SiteRulesSet(site, Box::new(rules)));
            for vrf in [VrfId(0), VrfId(1)] {
                for prefix in prefixes {
                    lab.apply(Delta::SiteSet { vrf, prefix, site });
                }
                lab.apply(Delta::VrfAdmission(vrf, VrfAdmission { sites: true, strict: false }));
            }
            let nonces = Box::new([Nonce::new(0x00_0102)]);
            let asked = Admission { outer_sources: true, nonces, ..Admission::default() };
            lab.apply(Delta::Admission(Box::new(asked)));
            lab.port(CORE, |port| port.instances = Some(Box::new([VrfId(0)])));
        }
        pair
    }

    fn each(&mut self) -> [&mut Lab; 2] {
        [&mut self.express, &mut self.stages]
    }

    fn same_counts(&self, about: &str) {
        assert_eq!(self.express.snapshot(), self.stages.snapshot(), "{about}");
        let counters = |lab: &Lab| {
            let (entries, rlocs) = {
                let tables = lab.worker().replica();
                (tables.entry_counters(), tables.rloc_counters())
            };
            let entries = (0..64).map(|n| entries.get(pxtr_dataplane::types::EntryId(n))).collect::<Vec<_>>();
            let rlocs = (0..64).map(|n| rlocs.get(n).map(|slot| slot.counters())).collect::<Vec<_>>();
            let traffic = lab.worker().replica().traffic().clone();
            let vrfs = (0..64).map(|vrf| format!("{:?}", traffic.vrf(VrfId(vrf)))).collect::<Vec<_>>();
            (entries, rlocs, vrfs)
        };
        assert_eq!(counters(&self.express), counters(&self.stages), "{about}");
    }

    fn one(&mut self, port: PortId, frame: &[u8]) {
        self.burst(port, &[frame.to_vec()]);
    }

    /// All frames in one burst.
    fn burst(&mut self, port: PortId, frames: &[Vec<u8>]) {
        let [a, b] = self.each().map(|lab| {
            for frame in frames {
                assert!(lab.io().inject(port, frame), "room to receive");
            }
            lab.poll();
            while lab.io().to_host(port).is_some() {}
            [NATIVE, CORE, TENANT].map(|out| lab.sent(out))
        });
        assert_eq!(a, b, "{frames:02x?}");
        self.same_counts("after a burst");
        self.each().into_iter().for_each(|lab| lab.advance_ms(20));
    }
}

/// Makes the checksum of the IPv4 header at `at` right again, if there is one.
fn mend(frame: &mut [u8], at: usize) {
    let Some(header) = frame.get_mut(at..at + 20).filter(|header| header[0] == 0x45) else { return };
    header[10..12].fill(0);
    let mut sum: u32 = header.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// What is plain, besides the hostile: both families, both ways, TOS, padding, small and large.
fn plain() -> Vec<(PortId, Vec<u8>)> {
    let mut frames = corpus();
    for (v4, v6) in [("10.4.0.9", "2001:db8:e004::9"), ("10.6.0.9", "2001:db8:e006::9")] {
        for len in [0, 1, 18, 700, 1400, 1436, 1437, 1500] {
            for packet in [udp("192.0.2.9", v4, len), udp("2001:db8:1::9", v6, len).tos(0xb9)] {
                let mut frame = packet.frame(OUR_MAC[0], HOST_MAC);
                frame.resize(frame.len().max(60), 0xEE);
                frames.push((NATIVE, frame));
            }
        }
    }
    for (iid, inner) in [
        (0, udp("10.4.0.7", "192.0.2.9", 12)),
        (0, udp("10.4.0.7", "8.8.8.8", 12).ttl(2)),
        (0, udp("10.4.0.7", "8.8.8.8", 12).ttl(200).tos(2)),
        (0, udp("10.4.0.7", "10.6.0.1", 12)),
        (0, udp("2001:db8:e004::7", "2001:db8:1::9", 12).tos(0xb9)),
        (0, proto("10.4.0.7", "8.8.8.8", 1, &[8, 0, 0, 0])),
        (101, udp("10.4.0.7", "192.0.2.9", 12)),
        (77, udp("10.4.0.7", "192.0.2.9", 12)),
    ] {
        for tos in [0, 1, 2, 3] {
            let outer = lisp("203.0.113.4", "198.51.100.2", instance(iid), &inner.ip()).tos(tos);
            frames.push((CORE, outer.frame(OUR_MAC[1], CORE_MAC)));
        }
    }
    frames
}

#[test]
fn every_bit_of_every_header() {
    for verify in [false, true] {
        let mut pair = Pair::new(verify);
        for (port, frame) in plain() {
            pair.one(port, &frame);
            for bit in 0..frame.len().min(100) * 8 {
                let mut frame = frame.clone();
                frame[bit / 8] ^= 0x80 >> (bit % 8);
                if verify {
                    // The inner one first: the outer UDP checksum is left alone.
                    mend(&mut frame, 50);
                    mend(&mut frame, 14);
                }
                pair.one(port, &frame);
            }
        }
    }
}

/// Every bit that admission looks at, one wrong at a time.
#[test]
fn every_bit_where_something_is_asked_of_senders() {
    let mut pair = Pair::guarded();
    let before = pair.express.snapshot();
    for (_, mut frame) in plain().into_iter().filter(|(port, _)| *port == CORE) {
        if frame.len() < 50 {
            continue;
        }
        frame[42] |= 0x80;
        frame[43..46].copy_from_slice(&[0, 1, 2]);
        pair.one(CORE, &frame);
        let fields = [26..30, 42..50, 62..66, 58..74];
        for bit in fields.into_iter().flat_map(|bytes| bytes.start * 8..bytes.end * 8) {
            let mut frame = frame.clone();
            let Some(byte) = frame.get_mut(bit / 8) else { break };
            *byte ^= 0x80 >> (bit % 8);
            mend(&mut frame, 50);
            mend(&mut frame, 14);
            pair.one(CORE, &frame);
        }
    }
    let now = pair.express.snapshot();
    let names = [
        OuterSourceNotAdmitted,
        NonceNotAgreed,
        InstanceNotAdmitted,
        InnerSourceNotSite,
        InnerSourceNotBound,
    ];
    for reason in names {
        assert!(now.dropped(reason) > before.dropped(reason), "{reason:?}");
    }
    assert!(now.decapsulated > before.decapsulated);
}

#[test]
fn every_length() {
    let mut pair = Pair::new(false);
    for (port, frame) in plain() {
        for len in 0..=frame.len().min(150) {
            pair.one(port, &frame[..len]);
        }
    }
}

/// More misses than can wait, among packets that have their mapping and packets for ourselves.
#[test]
fn floods_of_misses() {
    let mut pair = Pair::new(false);
    // One of our own addresses in the midst of the EIDs.
    pair.each().into_iter().for_each(|lab| lab.route(0, "10.99.250.250/32", Route::Local));
    let mut next = 0u32;
    for round in 0..24usize {
        let frames: Vec<_> = (0..30u32)
            .map(|n| {
                next += 1;
                let packet = match n % 6 {
                    0 => udp("192.0.2.9", "10.4.0.9", 40),
                    1 => udp("2001:db8:1::9", "2001:db8:e004::9", 40).tos(0xb9),
                    2 => udp("2001:db8:1::9", &format!("2001:db8:e099::{next:x}"), 40),
                    3 if n < 10 => udp("192.0.2.9", "198.51.100.2", 40),
                    3 => udp("192.0.2.9", "10.99.250.250", 40),
                    _ => udp("192.0.2.9", &format!("10.99.{}.{}", next >> 8, next & 0xFF), 40).ttl(2),
                };
                packet.frame(OUR_MAC[0], HOST_MAC)
            })
            .collect();
        pair.burst(NATIVE, &frames);
        let (held, total) = (pair.express.snapshot().held, pair.express.io().pool().in_use());
        assert_eq!(held, if round == 0 { 15 } else { 16 });
        assert_eq!(total as u64, held, "who waits has a buffer, nobody else");
        let [express, stages] = pair.each().map(Lab::punts);
        assert_eq!(express, stages, "the same ones may wait, and are asked for in the same order");
        // A few, dozens, or all may make room for others by the next burst.
        pair.each().into_iter().for_each(|lab| lab.advance_ms([0, 1, 60, 200][round % 4]));
    }
    let dropped = pair.express.snapshot().dropped(pxtr_dataplane::verdict::DropReason::HoldOverflow);
    assert!(dropped > 300, "{dropped}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Plain and other packets in one burst keep their order. `arms`: a native port, one to the core, or one
    /// that is both.
    #[test]
    fn mixed_bursts(order in prop::collection::vec(any::<prop::sample::Index>(), 1..33), arms in 0u8..3) {
        let port = if arms == 0 { NATIVE } else { CORE };
        let mut pair = Pair::new(false);
        let mut frames: Vec<_> = plain().into_iter().filter(|(on, _)| arms == 2 || *on == port).collect();
        if arms == 2 {
            pair.each().into_iter().for_each(|lab| lab.port(CORE, |port| port.native = true));
            // Those for the native port come here, too.
            for (_, frame) in frames.iter_mut().filter(|(on, frame)| *on == NATIVE && frame.len() >= 6) {
                if frame[..6] == OUR_MAC[0] {
                    frame[..6].copy_from_slice(&OUR_MAC[1]);
                }
            }
        }
        let burst: Vec<_> = order.iter().map(|index| index.get(&frames).1.clone()).collect();
        pair.burst(port, &burst);
        pair.burst(port, &burst);
    }
}
