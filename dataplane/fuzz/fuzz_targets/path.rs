//! Any frame, on any port, through every parser of the packet's way: never a panic, always one
//! fate, never a lost buffer. The lab of the packet tests holds it to that.
//!
//! Input: one byte for the port, then the frame; its destination is set to our MAC address, else
//! nearly all of them would end there.

#![no_main]

#[allow(unused)]
#[path = "../../tests/path/lab.rs"]
mod lab;
#[allow(unused)]
#[path = "../../tests/path/packets.rs"]
mod packets;

use lab::{Lab, OUR_MAC};
use pxtr_dataplane::types::PortId;
use std::cell::RefCell;

thread_local! {
    static LAB: RefCell<Lab> = RefCell::new(Lab::with(|config| config.verify_udp_checksum = true));
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((port, frame)) = input.split_first() else { return };
    let port = usize::from(*port) % OUR_MAC.len();
    let mut frame = frame.to_vec();
    for (byte, ours) in frame.iter_mut().zip(OUR_MAC[port]) {
        *byte = ours;
    }
    LAB.with_borrow_mut(|lab| {
        let before = lab.snapshot().received;
        lab.receive(PortId(port as u16), &frame);
        assert_eq!(lab.snapshot().received, before + 1);
        lab.advance_ms(50);
    });
});
