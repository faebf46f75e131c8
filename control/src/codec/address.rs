//! Addresses as LISP carries them: a 16-bit AFI, then what that AFI says (RFC 9301 section 5.1).

use super::Lcaf;
use std::net::IpAddr;

/// An AFI-encoded address. An AFI not in this list has no known length: the message is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// AFI 0: no address. Source-EID of refreshes and RLOC-probes; unsubscription (RFC 9437).
    None,
    /// AFI 1 or 2.
    Ip(IpAddr),
    /// AFI 6 (also accepted as 16389, which VPP sends).
    Mac([u8; 6]),
    /// AFI 17: distinguished name (RFC 9735), without its NUL.
    Name(Box<[u8]>),
    /// AFI 16387: LISP Canonical Address Format (RFC 8060).
    Lcaf(Box<Lcaf>),
}
