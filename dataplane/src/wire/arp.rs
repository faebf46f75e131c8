//! ARP for IPv4 over Ethernet (RFC 826): hardware 2 | protocol 2 | lengths 1+1 | operation 2 |
//! sender MAC 6 | sender IP 4 | target MAC 6 | target IP 4.

use super::bytes::chunk;
use crate::types::MacAddr;
use std::net::Ipv4Addr;

/// Bytes of the message.
pub const LEN: usize = 28;
/// Operation: who has?
pub const REQUEST: u16 = 1;
/// Operation: I have.
pub const REPLY: u16 = 2;

/// The message's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// [`REQUEST`] or [`REPLY`].
    pub operation: u16,
    /// Sender's hardware address.
    pub sender_mac: MacAddr,
    /// Sender's protocol address.
    pub sender: Ipv4Addr,
    /// Target's protocol address.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Reads a message that begins at `offset`; `None` if it is cut short, not about IPv4 over
    /// Ethernet, or neither request nor reply.
    pub fn parse(frame: &[u8], offset: usize) -> Option<Self> {
        let h: &[u8; LEN] = chunk(frame, offset)?;
        let operation = u16::from_be_bytes([h[6], h[7]]);
        let known = h[..6] == [0, 1, 0x08, 0, 6, 4] && matches!(operation, REQUEST | REPLY);
        known.then(|| Self {
            operation,
            sender_mac: MacAddr([h[8], h[9], h[10], h[11], h[12], h[13]]),
            sender: Ipv4Addr::new(h[14], h[15], h[16], h[17]),
            target: Ipv4Addr::new(h[24], h[25], h[26], h[27]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_every_truncation_refused() {
        let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 7, 192, 0, 2, 1];
        message.extend([0, 0, 0, 0, 0, 0, 192, 0, 2, 9]);
        let arp = Arp::parse(&message, 0).expect("request");
        assert_eq!(arp.operation, REQUEST);
        assert_eq!((arp.sender, arp.target), (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 9)));
        assert_eq!(arp.sender_mac, MacAddr([2, 0, 0, 0, 0, 7]));
        for len in 0..message.len() {
            assert_eq!(Arp::parse(&message[..len], 0), None);
        }
        message[7] = 8;
        assert_eq!(Arp::parse(&message, 0), None);
    }
}
