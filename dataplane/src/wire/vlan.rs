//! VLAN tags between the Ethernet addresses and the EtherType (IEEE 802.1Q section 9): EtherType of the
//! tag 2 | priority 3 bits, drop eligible 1 bit, VLAN identifier 12 bits.

use super::{bytes, ethernet};
use crate::buffer::PacketBuf;
use crate::types::Tags;

/// Bytes of one tag.
pub const LEN: usize = 4;
/// Bytes of the two addresses in front of the tags.
const ADDRESSES: usize = 12;
/// The identifier's bits in the second half of a tag.
const ID: u16 = 0x0FFF;

/// The tags at the front of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagging {
    /// The frame ends inside a tag or before.
    Short,
    /// None, or only that of a priority (identifier 0): how many of them.
    None(usize),
    /// One tag with an identifier, and maybe that of a second one right behind. Tags in all, those of a
    /// priority included.
    Tagged {
        /// Outer identifier, 1 to 4095.
        outer: u16,
        /// Inner identifier; 0: there is none.
        inner: u16,
        /// Number of tags, at most 3.
        count: usize,
    },
}

const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, ethernet::VLAN | ethernet::SERVICE_VLAN)
}

/// Reads the tags. Which of the two EtherTypes a tag has is not looked at: AF_PACKET does not tell.
pub fn read(frame: &[u8]) -> Tagging {
    let mut ids = [0u16; 2];
    let (mut known, mut count) = (0, 0);
    // A priority, an outer and an inner identifier: more is nobody's.
    while count < 3 {
        let at = ADDRESSES + count * LEN;
        let Some(ethertype) = bytes::be16(frame, at) else { return Tagging::Short };
        if !is_tag(ethertype) {
            break;
        }
        let Some(tag) = bytes::be16(frame, at + 2) else { return Tagging::Short };
        match (tag & ID, ids.get_mut(known)) {
            (0, _) => {}
            (id, Some(slot)) => {
                *slot = id;
                known += 1;
            }
            (_, None) => break,
        }
        count += 1;
    }
    match ids {
        [0, _] => Tagging::None(count),
        [outer, inner] => Tagging::Tagged { outer, inner, count },
    }
}

/// Takes `count` tags off. `false`, and no change, if the frame has not so many bytes.
pub fn strip<B: PacketBuf>(buf: &mut B, count: usize) -> bool {
    let data = buf.data_mut();
    let Some(addresses) = bytes::chunk::<ADDRESSES>(data, 0).copied() else { return false };
    bytes::put(data, count * LEN, addresses) && buf.trim_front(count * LEN)
}

/// Puts tags in. `false`, and no change, if there is no room in front.
pub fn push<B: PacketBuf>(buf: &mut B, tags: Tags) -> bool {
    let Some(addresses) = bytes::chunk::<ADDRESSES>(buf.data(), 0).copied() else { return false };
    let added = tags.bytes();
    if buf.prepend(added).is_none() {
        return false;
    }
    let data = buf.data_mut();
    let outer = if tags.service { ethernet::SERVICE_VLAN } else { ethernet::VLAN };
    let mut done = bytes::put(data, 0, addresses) && bytes::put(data, ADDRESSES, tag(outer, tags.outer));
    if let Some(inner) = tags.inner {
        done &= bytes::put(data, ADDRESSES + LEN, tag(ethernet::VLAN, inner));
    }
    done
}

fn tag(ethertype: u16, id: u16) -> [u8; LEN] {
    let ([a, b], [c, d]) = (ethertype.to_be_bytes(), (id & ID).to_be_bytes());
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::HeapBuf;

    const PLAIN: [u8; 18] = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, 9, 9, 9];

    #[test]
    fn what_is_pushed_is_read_and_stripped() {
        for (tags, expected) in [
            (Tags { outer: 100, inner: None, service: false }, (100, 0, 1)),
            (Tags { outer: 4094, inner: Some(7), service: true }, (4094, 7, 2)),
        ] {
            let mut buf = HeapBuf::from_bytes(&PLAIN);
            assert!(push(&mut buf, tags));
            let (outer, inner, count) = expected;
            assert_eq!(read(buf.data()), Tagging::Tagged { outer, inner, count });
            assert_eq!(bytes::be16(buf.data(), 12), Some(if tags.service { 0x88A8 } else { 0x8100 }));
            assert!(strip(&mut buf, count));
            assert_eq!(buf.data(), PLAIN);
        }
    }

    #[test]
    fn priority_tags_short_frames_and_towers_of_tags() {
        assert_eq!(read(&PLAIN), Tagging::None(0));
        assert_eq!(read(&PLAIN[..13]), Tagging::Short);
        let mut buf = HeapBuf::from_bytes(&PLAIN);
        assert!(push(&mut buf, Tags { outer: 0, inner: None, service: false }));
        assert_eq!(read(buf.data()), Tagging::None(1));
        assert_eq!(read(&buf.data()[..15]), Tagging::Short);
        for _ in 0..5 {
            assert!(push(&mut buf, Tags { outer: 5, inner: None, service: false }));
        }
        assert_eq!(read(buf.data()), Tagging::Tagged { outer: 5, inner: 5, count: 2 });
    }
}
