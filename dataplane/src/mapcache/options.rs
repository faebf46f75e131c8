//! The options of the way to an RLOC as words.

use crate::echo::{EchoMark, EchoNonce};
use crate::feed::{OuterPorts, RlocOptions};

const ECN_COMPATIBLE: u16 = 1;
const UDP_CHECKSUM: u16 = 1 << 1;
const MAY_FRAGMENT: u16 = 1 << 2;
const MAP_VERSIONS: u16 = 1 << 3;
const STATUS_BITS: u16 = 1 << 4;
const ENCRYPTED: u16 = 1 << 5;
const GPE: u16 = 1 << 6;
const PORTS: u16 = 1 << 7;
const ECHO_ASK: u16 = 1 << 8;
const ECHO_GIVE: u16 = 1 << 9;

/// Options as words: which there are (0: none), the ports, the nonce of an echo.
pub(super) fn pack(options: RlocOptions) -> (u16, u32, u32) {
    let RlocOptions {
        ecn_compatible,
        udp_checksum,
        may_fragment,
        map_versions,
        status_bits,
        ports,
        echo,
        encrypted,
        gpe,
    } = options;
    let (mark, nonce) = match echo {
        Some(EchoMark::Ask(nonce)) => (ECHO_ASK, nonce.get()),
        Some(EchoMark::Give(nonce)) => (ECHO_GIVE, nonce.get()),
        None => (0, 0),
    };
    let flags = [
        (ecn_compatible, ECN_COMPATIBLE),
        (udp_checksum, UDP_CHECKSUM),
        (may_fragment, MAY_FRAGMENT),
        (map_versions, MAP_VERSIONS),
        (status_bits, STATUS_BITS),
        (encrypted, ENCRYPTED),
        (gpe, GPE),
        (ports.is_some(), PORTS),
    ];
    let word = flags.into_iter().fold(mark, |word, (on, bit)| if on { word | bit } else { word });
    let ports = ports.map_or(0, |ports| u32::from(ports.source) << 16 | u32::from(ports.destination));
    (word, ports, nonce)
}

/// What [`pack`] made words of.
#[inline]
pub(super) fn unpack(word: u16, ports: u32, nonce: u32) -> RlocOptions {
    let has = |bit: u16| word & bit != 0;
    let nonce = EchoNonce::new(nonce);
    RlocOptions {
        ecn_compatible: has(ECN_COMPATIBLE),
        udp_checksum: has(UDP_CHECKSUM),
        may_fragment: has(MAY_FRAGMENT),
        map_versions: has(MAP_VERSIONS),
        status_bits: has(STATUS_BITS),
        ports: has(PORTS).then_some(OuterPorts { source: (ports >> 16) as u16, destination: ports as u16 }),
        echo: match word & (ECHO_ASK | ECHO_GIVE) {
            ECHO_ASK => Some(EchoMark::Ask(nonce)),
            ECHO_GIVE => Some(EchoMark::Give(nonce)),
            _ => None,
        },
        encrypted: has(ENCRYPTED),
        gpe: has(GPE),
    }
}
