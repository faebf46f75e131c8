//! Truncated, flipped, random: never a panic, always one fate, never a lost buffer.

use crate::lab::*;
use crate::packets::*;
use proptest::prelude::*;

/// One frame of each kind that the path treats differently, with its port.
pub fn corpus() -> Vec<(pxtr_dataplane::types::PortId, Vec<u8>)> {
    let native = |packet: Packet| (NATIVE, packet.frame(OUR_MAC[0], HOST_MAC));
    let core = |packet: Packet| (CORE, packet.frame(OUR_MAC[1], CORE_MAC));
    let inner4 = udp("10.4.0.7", "192.0.2.9", 40);
    let inner6 = udp("2001:db8:e004::7", "2001:db8:1::9", 40);
    let extensions = [&[60, 0, 5, 2, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0][..], &inner6.payload].concat();
    vec![
        native(udp("192.0.2.9", "10.4.0.7", 60)),
        native(udp("192.0.2.9", "10.6.0.7", 60).options(&[148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 1])),
        native(udp("192.0.2.9", "10.99.0.7", 60)),
        native(udp("192.0.2.9", "8.8.8.8", 60).ttl(1)),
        native(udp("192.0.2.9", "10.4.0.7", 1600).may_fragment()),
        native(udp("2001:db8:1::9", "2001:db8:e006::7", 60)),
        native(proto("2001:db8:1::9", "2001:db8:e006::7", 0, &extensions)),
        native(lisp(
            "192.0.2.9",
            "10.4.0.7",
            [0; 8],
            &lisp("10.0.0.1", "10.0.0.2", [0; 8], &inner4.ip()).ip(),
        )),
        core(lisp("203.0.113.4", "198.51.100.2", instance(101), &inner4.ip())),
        core(lisp("203.0.113.4", "198.51.100.2", [0; 8], &inner6.ip()).tos(3)),
        core(lisp("2001:db8:f::6", "2001:db8:c0::2", [0; 8], &inner4.ip())),
        core(udp_ports("203.0.113.4", "198.51.100.2", 4342, 4342, &[0x10; 30])),
        (NATIVE, frame([0xFF; 6], HOST_MAC, 0x0806, &[0; 28])),
    ]
}

/// Receives a frame; the lab holds it to one fate and counts buffers (it panics if not).
fn survive(lab: &mut Lab, port: pxtr_dataplane::types::PortId, frame: &[u8]) {
    let before = lab.snapshot().received;
    lab.receive(port, frame);
    assert_eq!(lab.snapshot().received, before + 1);
}

#[test]
fn truncated_at_every_byte() {
    let mut lab = Lab::with(|config| config.verify_udp_checksum = true);
    for (port, frame) in corpus() {
        for len in 0..=frame.len().min(200) {
            survive(&mut lab, port, &frame[..len]);
        }
    }
}

#[test]
fn every_single_bit_flipped() {
    let mut lab = Lab::with(|config| config.verify_udp_checksum = true);
    for (port, frame) in corpus() {
        for bit in 0..frame.len().min(150) * 8 {
            let mut frame = frame.clone();
            frame[bit / 8] ^= 0x80 >> (bit % 8);
            survive(&mut lab, port, &frame);
            lab.advance_ms(50);
        }
    }
    lab.advance_ms(10_000);
    lab.poll();
    assert_eq!((lab.snapshot().held, lab.io().pool().in_use()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_damage(
        which in 0usize..13,
        damage in proptest::collection::vec((0usize..400, any::<u8>()), 0..12),
        cut in 0usize..400,
        tail in proptest::collection::vec(any::<u8>(), 0..80),
        fix_checksum: bool,
        rtr: bool,
        port in 0u16..3,
    ) {
        let mut lab = Lab::with(|config| config.verify_udp_checksum = true);
        lab.vrf(0, |vrf| vrf.rtr = rtr);
        let (_, mut frame) = corpus().swap_remove(which);
        for (at, value) in damage {
            let at = 12 + at % (frame.len() - 12);
            frame[at] = value;
        }
        frame.truncate(frame.len().saturating_sub(cut % 100));
        frame.extend(tail);
        for (byte, ours) in frame.iter_mut().zip(OUR_MAC[usize::from(port)]) {
            *byte = ours;
        }
        if fix_checksum && frame.len() >= 34 {
            // Else nearly all damage ends at the header checksum.
            frame[24..26].fill(0);
            if let Ok((header, _)) = etherparse::Ipv4Header::from_slice(&frame[14..]) {
                let sum = header.calc_header_checksum();
                frame[24..26].copy_from_slice(&sum.to_be_bytes());
            }
        }
        survive(&mut lab, pxtr_dataplane::types::PortId(port), &frame);
    }

    #[test]
    fn random_bytes(frame in proptest::collection::vec(any::<u8>(), 0..300), port in 0u16..3, v6: bool) {
        let mut frame = frame;
        let mut lab = Lab::new();
        if frame.len() > 14 {
            frame[..6].copy_from_slice(&OUR_MAC[usize::from(port)]);
            frame[12..14].copy_from_slice(if v6 { &[0x86, 0xDD] } else { &[8, 0] });
        }
        survive(&mut lab, pxtr_dataplane::types::PortId(port), &frame);
    }

    /// What leaves after damage in the payload is still a packet that dissects.
    #[test]
    fn what_is_sent_is_well_formed(
        len in 0usize..1600, ttl in 2u8.., tos: u8, from: u16, to in 5000u16.., fragment: bool, which in 0usize..4
    ) {
        let destination = ["10.4.0.7", "10.6.0.7", "2001:db8:e004::7", "2001:db8:e006::7"][which];
        let source = if which < 2 { "192.0.2.9" } else { "2001:db8:1::9" };
        let mut packet = udp_ports(source, destination, from, to, &data(len)).ttl(ttl).tos(tos);
        packet.dont_fragment = !fragment;
        let mut lab = Lab::new();
        match lab.native(&packet) {
            Fate::Tx(port, frame) => {
                prop_assert_eq!(port, CORE);
                prop_assert_eq!(dissect(&frame).lisp().inner, packet.hop().ip());
            }
            Fate::Split(_, frames) => {
                let inner: usize = frames.iter().map(|f| dissect(f).lisp().inner.len() - 20).sum();
                prop_assert_eq!(inner, packet.payload.len());
            }
            Fate::Told(_, port, frame) => {
                prop_assert_eq!(port, NATIVE);
                dissect(&frame);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
