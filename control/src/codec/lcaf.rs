//! LISP Canonical Address Format (RFC 8060, RFC 9306).
//!
//! ```text
//!  0                   1                   2                   3
//! |           AFI = 16387         |     Rsvd1     |     Flags     |
//! |    Type       |     Rsvd2     |            Length             |
//! ```
//! Length counts the bytes after itself (TRAP 9).

use super::Address;

/// What an LCAF says, by its Type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lcaf {
    /// 0: no body.
    Null,
    /// 1: addresses without order.
    AfiList(Vec<Address>),
    /// 2: Instance-ID.
    InstanceId {
        /// Instance-ID, 32 bits.
        iid: u32,
        /// With `Address::None`: number of high-order bits of `iid` that count (an IID range).
        /// Otherwise 0.
        iid_mask_len: u8,
        /// The address in that instance.
        address: Address,
    },
    /// 3: AS number.
    AsNumber {
        /// AS number.
        asn: u32,
        /// Address.
        address: Address,
    },
    /// 4: application data.
    ApplicationData {
        /// TOS, traffic class or flow label: 24 bits.
        tos: u32,
        /// IP protocol.
        protocol: u8,
        /// Local port range, low and high.
        local_ports: (u16, u16),
        /// Remote port range, low and high.
        remote_ports: (u16, u16),
        /// Address.
        address: Address,
    },
    /// 5: geo coordinates, body as received (12 bytes), then the address.
    Geo {
        /// Latitude, longitude and altitude, not interpreted.
        coordinates: [u8; 12],
        /// Address.
        address: Address,
    },
    /// 7: NAT traversal.
    NatTraversal {
        /// UDP port of the Map-Server.
        ms_port: u16,
        /// UDP port of the ETR as the Map-Server saw it.
        etr_port: u16,
        /// Global (translated) ETR RLOC.
        global_etr: Address,
        /// RLOC of the Map-Server.
        ms: Address,
        /// Private ETR RLOC.
        private_etr: Address,
        /// RLOCs of RTRs.
        rtrs: Vec<Address>,
    },
    /// 8: nonce that the encapsulator must use.
    NonceLocator {
        /// 24 bits.
        nonce: u32,
        /// Address.
        address: Address,
    },
    /// 9: multicast (S,G).
    Multicast {
        /// Instance-ID.
        iid: u32,
        /// Mask length of the source.
        source_mask_len: u8,
        /// Mask length of the group.
        group_mask_len: u8,
        /// Source.
        source: Address,
        /// Group.
        group: Address,
    },
    /// 10: explicit locator path.
    Elp(Vec<ElpHop>),
    /// 11: security key (RFC 8061).
    SecurityKey {
        /// Cipher suite.
        cipher_suite: u8,
        /// R bit: the key is revoked.
        revoke: bool,
        /// Keys, key-ids 1.. in order.
        keys: Vec<Box<[u8]>>,
        /// The locator.
        address: Address,
    },
    /// 12: source and destination prefix.
    SourceDest {
        /// Mask length of the source.
        source_mask_len: u8,
        /// Mask length of the destination.
        dest_mask_len: u8,
        /// Source.
        source: Address,
        /// Destination.
        dest: Address,
    },
    /// 13: replication list.
    Rle(Vec<RleEntry>),
    /// 14: JSON, not parsed.
    Json {
        /// B bit: binary encoding.
        binary: bool,
        /// The text.
        json: Box<[u8]>,
        /// Address.
        address: Address,
    },
    /// 15: key and value.
    KeyValue {
        /// Key.
        key: Address,
        /// Value.
        value: Address,
    },
    /// 16: encapsulations that the locator understands.
    EncapFormat {
        /// Bit set; 0x01 = LISP on UDP 4341.
        formats: u32,
        /// Address.
        address: Address,
    },
    /// Anything else, type 6 (opaque key) included: skipped by its Length (RFC 9306 section 3).
    Unknown {
        /// Type.
        lcaf_type: u8,
        /// The type-specific byte Rsvd2.
        rsvd2: u8,
        /// Body.
        body: Box<[u8]>,
    },
}

/// A hop of an explicit locator path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElpHop {
    /// L: look the hop up first.
    pub lookup: bool,
    /// P: the hop may be RLOC-probed.
    pub probe: bool,
    /// S: the hop must be used.
    pub strict: bool,
    /// The hop.
    pub address: Address,
}

/// An entry of a replication list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RleEntry {
    /// Level.
    pub level: u8,
    /// The replicator.
    pub address: Address,
}
